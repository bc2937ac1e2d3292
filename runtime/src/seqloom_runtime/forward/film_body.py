"""`FilmBody`: a small convolutional network reads each frame, a recurrent one the frames in order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import SettingError
from .activations import relu
from .arrays import Arrays
from .bodies import Body, RecurrentBody
from .image_layers import Conv2d, mean_of_places
from .scan import checked
from .spec import BodySpec

__all__ = ["FILM_CHANNELS", "FilmBody", "FrameEncoder"]

FILM_CHANNELS = (16, 32)
"""Of the convolutions, each with stride 2, that read a frame."""


class FrameEncoder:
    """relu(W_k ∗ … relu(W_1 ∗ x_t + b_1) … + b_k) of every frame, each convolution of stride 2; of maps (pooled=False)
    or of their mean over the places, the features of the frame."""

    def __init__(
        self, arrays: Arrays, inputs: int, channels: tuple[int, ...], *, kernel_size: int = 3, pooled: bool = True
    ) -> None:
        """Takes "convolutions.0.weight" … inputs: C of the frames; channels: of each convolution."""
        self.inputs, self.outputs, self.pooled = inputs, channels[-1], pooled
        self.convolutions = [
            Conv2d(arrays.at(f"convolutions.{number}."), before, after, kernel_size, stride=2, padding=kernel_size // 2)
            for number, (before, after) in enumerate(zip((inputs, *channels), channels))
        ]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Frames (B, T, Y, X, C) → (B, T, F), or maps (B, T, Y', X', F) where not pooled."""
        x = checked("x", x, (None, None, None, None, self.inputs))
        y = x.reshape(-1, *x.shape[2:]).transpose(0, 3, 1, 2)
        for convolution in self.convolutions:
            y = relu(convolution(y))
        found = mean_of_places(y) if self.pooled else np.ascontiguousarray(y.transpose(0, 2, 3, 1))
        return found.reshape(*x.shape[:2], *found.shape[1:])


class FilmBody(Body):
    """`FrameEncoder` of 16 and 32 channels over each frame; the means of its maps are a recurrent body's inputs."""

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        super().__init__(spec, arrays)
        pixels = spec.picture[0] * spec.picture[1]
        if spec.inputs % pixels:
            raise SettingError(f"inputs: expected the pixels of {spec.picture} with their channels, got {spec.inputs}.")
        self.size = spec.picture[0], spec.picture[1], spec.inputs // pixels
        self.encoder = FrameEncoder(arrays.at("encoder."), self.size[2], FILM_CHANNELS)
        kind = spec.kind.removeprefix("frame-")
        self.frames = RecurrentBody(
            replace(spec, kind=kind, inputs=FILM_CHANNELS[-1], picture=()), arrays.at("frames.")
        )
        self.causal = self.frames.causal

    def steps(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T, H·W·C), the pixels of each frame row by row → (B, T, F)."""
        return self.frames.steps(self._read(x), mask)

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T, H·W·C) → (B, F)."""
        return self.frames.summary(self._read(x), mask)

    def _read(self, x: np.ndarray) -> np.ndarray:
        return self.encoder(x.reshape(*x.shape[:2], *self.size))
