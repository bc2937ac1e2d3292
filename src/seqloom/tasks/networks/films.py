"""Bodies of films: a small convolutional network reads each frame, a recurrent one the frames in order."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from seqloom_runtime.forward import MODELS

from ...nn import FrameEncoder
from ...training import derive_seed
from .body import Body, RecurrentBody, Seed
from .registry import body_kind, register_body, register_models
from .spec import BodySpec

__all__ = ["FilmBody"]

_CHANNELS = (16, 32)


class FilmBody(Body):
    """`nn.FrameEncoder` of 16 and 32 channels, stride 2, over each frame; the means of its maps are a recurrent body's
    inputs."""

    def __init__(self, spec: BodySpec, seed: Seed) -> None:
        super().__init__(spec, seed)
        self.size = spec.picture[0], spec.picture[1], spec.inputs // (spec.picture[0] * spec.picture[1])
        own = derive_seed(int(seed), "frames") if isinstance(seed, int) else int(seed.initial_seed())
        self.encoder = FrameEncoder(self.size[2], _CHANNELS, seed=own)
        kind = spec.kind.removeprefix("frame-")
        self.frames = RecurrentBody(replace(spec, kind=kind, inputs=_CHANNELS[-1], picture=()), seed)

    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, H·W·C), the pixels of each frame row by row → (B, T, F)."""
        return self.frames.steps(self._read(x), mask)

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, H·W·C) → (B, F)."""
        return self.frames.summary(self._read(x), mask)

    def _read(self, x: Tensor) -> Tensor:
        return self.encoder(x.reshape(*x.shape[:2], *self.size))


for _name, _use in (("rnn", "short memories"), ("gru", "most films"), ("lstm", "long memories")):
    register_body(body_kind(f"frame-{_name}", f"convolutions over each frame, then {_name}", _use, FilmBody))
register_models("films", MODELS["films"])
