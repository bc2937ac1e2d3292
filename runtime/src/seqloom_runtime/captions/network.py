"""The network of captions in evaluation: convolutions read the picture, a decoder writes and looks at the places of
their maps. The equations stand beside the torch module (`seqloom.tasks.captions.network`).

B pictures (Y, X, C), P places of the last maps, each of H numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FormatError
from ..forward import Arrays, FrameEncoder, body_spec
from ..forward.activations import relu
from ..forward.image_layers import Conv2d
from ..forward.writer import Encoded, Writer
from ..saved_fields import spec_from_json

__all__ = ["CaptionNetwork", "CaptionShape"]


@dataclass(frozen=True)
class CaptionShape:
    """The fields of `seqloom.tasks.captions.network.CaptionSpec`, as model.json holds them."""

    name: str
    size: tuple[int, ...]
    targets: int
    channels: tuple[int, ...] = (16, 32, 64)
    kernel_size: int = 3
    embedding_size: int = 32
    units: int = 96
    layers: int = 1
    attention: str = "additive"
    dropout: float = 0.0
    scheduled_sampling: float = 0.0

    @property
    def places(self) -> tuple[int, int]:
        """Height and width of the last maps: each convolution halves them, rounded up."""
        tall, wide = self.size[:2]
        for _ in self.channels:
            tall, wide = -(-tall // 2), -(-wide // 2)
        return tall, wide


class CaptionNetwork(Writer):
    """What reads a picture, in front of the half that writes."""

    def __init__(self, value: Any, arrays: Mapping[str, np.ndarray], prefix: str = "network.") -> None:
        """From what model.json holds of it, and its arrays; raises FormatError where they don't fit together."""
        shape, own = spec_from_json(CaptionShape, value), Arrays(arrays, prefix)
        sizes = (shape.targets, shape.embedding_size, shape.units, shape.layers, *shape.channels, *shape.size)
        if len(shape.size) != 3 or not shape.channels or min(sizes) < 1 or shape.kernel_size % 2 == 0:
            raise FormatError("network: expected height, width and channels, sizes of at least 1 and an odd kernel.")
        decoder = body_spec("captions", shape.name, shape.embedding_size, units=shape.units, layers=shape.layers)
        width, (tall, wide) = shape.channels[-1], shape.places
        super().__init__(own, decoder, shape.targets, shape.attention, width)
        self.shape, self.end = shape, shape.targets  # the end stands behind the vocabulary's ids
        size = shape.kernel_size
        self.encoder = FrameEncoder(own.at("encoder."), shape.size[2], shape.channels, kernel_size=size, pooled=False)
        self.around = Conv2d(own.at("around."), width, width, size, padding=size // 2)
        self.places = own.take("places", tall * wide, width)
        own.finish()

    def encode(self, pictures: np.ndarray) -> tuple[Encoded, Any]:
        """pictures (B, Y, X, C), from 0 to 1 → what the decoder attends to, (B, P, H), and its first state."""
        maps = self.encoder(pictures[:, None])[:, 0].transpose(0, 3, 1, 2)
        read = relu(self.around(maps)).reshape(len(pictures), len(self.places[0]), -1).transpose(0, 2, 1)
        read = np.ascontiguousarray(read) + self.places
        mean = read.mean(axis=1, dtype=np.float64).astype(np.float32)
        return self.begin(read, np.ones(read.shape[:2], dtype=bool), mean)
