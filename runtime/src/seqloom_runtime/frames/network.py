"""The networks of frames ahead in evaluation: a convolution that reads a frame, recurrent maps, and a read-out that
moves the frame. The equations stand beside the torch module (`seqloom.tasks.frames.network`).

B films, L frames seen, K ahead, a frame (Y, X, C), maps (Y/p, X/p, F) for squares of p × p pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FormatError
from ..forward import Arrays, ConvRecurrent, softmax
from ..forward.activations import relu
from ..forward.image_layers import Conv2d
from ..saved_fields import spec_from_json

__all__ = ["CELLS", "FrameNetwork", "FrameShape"]

CELLS = {"conv-gru": "gru", "conv-lstm": "lstm"}
"""The recurrent layers behind a model's name."""


@dataclass(frozen=True)
class FrameShape:
    """The fields of `seqloom.tasks.frames.network.FrameSpec`, as model.json holds them."""

    name: str
    height: int
    width: int
    channels: int
    units: int = 32
    layers: int = 1
    kernel_size: int = 3
    patch_size: int = 2
    reach: int = 3

    @property
    def places(self) -> tuple[int, int]:
        """Height and width of the maps: squares at the edge may reach beyond the frame."""
        return -(-self.height // self.patch_size), -(-self.width // self.patch_size)

    @property
    def ways(self) -> int:
        """The pixels that one may come from."""
        return (2 * self.reach + 1) ** 2 if self.reach else 0


class FrameNetwork:
    """Called with frames and a number of them ahead, as the torch module; it holds its arrays alone."""

    def __init__(self, value: Any, arrays: Mapping[str, np.ndarray], prefix: str = "network.") -> None:
        """From what model.json holds of it, and its arrays; raises FormatError where they don't fit together."""
        shape = spec_from_json(FrameShape, value)
        sizes = (shape.height, shape.width, shape.channels, shape.units, shape.layers, shape.patch_size)
        if shape.name not in CELLS or min(sizes) < 1 or shape.reach < 0 or shape.kernel_size % 2 == 0:
            raise FormatError("network: expected a known model, sizes of at least 1 and an odd kernel.")
        own, square = Arrays(arrays, prefix), shape.patch_size**2
        self.shape = shape
        self.read = Conv2d(own.at("read."), shape.channels * square, shape.units, 3, padding=1)
        self.cell = ConvRecurrent(
            CELLS[shape.name],
            own.at("cell."),
            shape.units,
            shape.units,
            shape.layers,
            kernel_size=shape.kernel_size,
        )
        self.write = Conv2d(own.at("write."), shape.units, shape.ways + (1 + shape.channels) * square, 1)
        own.finish()

    def __call__(self, frames: np.ndarray, ahead: int) -> np.ndarray:
        """frames (B, L, Y, X, C), from 0 to 1 → the K = `ahead` frames behind the last, (B, K, Y, X, C)."""
        x = np.ascontiguousarray(frames.transpose(0, 1, 4, 2, 3), dtype=np.float32)
        features = self._features(x.reshape(-1, *x.shape[2:]))
        outputs, state = self.cell(features.reshape(*x.shape[:2], *features.shape[1:]))
        last = self._following(outputs[:, -1], x[:, -1])
        written = [last]
        for _ in range(ahead - 1):
            outputs, state = self.cell(self._features(last)[:, None], state)
            last = self._following(outputs[:, 0], last)
            written.append(last)
        return np.stack(written, axis=1).transpose(0, 1, 3, 4, 2)

    def _features(self, x: np.ndarray) -> np.ndarray:
        """Frames (N, C, Y, X) → (N, Y/p, X/p, F)."""
        shape, side, (tall, wide) = self.shape, self.shape.patch_size, self.shape.places
        whole = np.pad(x, ((0, 0), (0, 0), (0, tall * side - shape.height), (0, wide * side - shape.width)))
        parts = whole.reshape(len(x), shape.channels, tall, side, wide, side).transpose(0, 1, 3, 5, 2, 4)
        return relu(self.read(parts.reshape(len(x), -1, tall, wide))).transpose(0, 2, 3, 1)

    def _following(self, h: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Maps (N, Y/p, X/p, F) and the frames (N, C, Y, X) that they have read last → the next ones."""
        shape, side, (tall, wide) = self.shape, self.shape.patch_size, self.shape.places
        out = self.write(h.transpose(0, 3, 1, 2))
        squares = out[:, shape.ways :].reshape(len(x), -1, side, side, tall, wide).transpose(0, 1, 4, 2, 5, 3)
        pixels = squares.reshape(len(x), -1, tall * side, wide * side)[:, :, : shape.height, : shape.width]
        carried = self._carried(out[:, : shape.ways], x) if shape.reach else x
        return (np.float32(1) + pixels[:, :1]) * carried + pixels[:, 1:]

    def _carried(self, scores: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Σ_d k_d(q) x(p + d), the edge's values beyond the edge; scores (N, ways, Y/p, X/p)."""
        shape, side, reach = self.shape, self.shape.patch_size, self.shape.reach
        around = np.pad(x, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="edge")
        weights = softmax(scores, axis=1).repeat(side, axis=2).repeat(side, axis=3)
        total = np.zeros(x.shape, dtype=np.float64)
        for way in range(shape.ways):
            down, right = divmod(way, 2 * reach + 1)
            near = around[:, :, down : down + shape.height, right : right + shape.width]
            total += weights[:, way : way + 1, : shape.height, : shape.width] * near
        return total.astype(np.float32)
