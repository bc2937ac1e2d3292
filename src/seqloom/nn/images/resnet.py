"""`ResNet`: residual blocks, from 18 layers to 152."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import nn

from seqloom.nn.arguments import generator_of
from seqloom.nn.images.blocks import ResidualBlock
from seqloom.nn.images.layers import conv_unit, pair_of, scaled
from seqloom.nn.images.network import ImageNetwork
from seqloom_runtime.errors import SettingError

__all__ = ["ResNet"]

_SMALL = 64


class ResNet(ImageNetwork):
    """A 7×7 convolution and a pool, four groups of residual blocks, a mean over the places.

    With 18 layers 11,689,512 weights, 34: 21,797,672, 50: 25,557,032, 101: 44,549,160, 152: 60,192,808. Below 64 pixels
    the first convolution is 3×3 with stride 1 and has no pool behind it, as the paper's own for 32×32. Source: He et
    al., arXiv 1512.03385, table 1.

    >>> ResNet(18, 10, size=32, width=0.1)(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    DEPTHS: ClassVar[Mapping[int, tuple[bool, tuple[int, ...]]]] = MappingProxyType(
        {
            18: (False, (2, 2, 2, 2)),
            34: (False, (3, 4, 6, 3)),
            50: (True, (3, 4, 6, 3)),
            101: (True, (3, 4, 23, 3)),
            152: (True, (3, 8, 36, 3)),
        }
    )
    """By the layers with weights: whether blocks are bottlenecks, and how many there are in each group."""

    def __init__(
        self,
        depth: int = 152,
        classes: int | None = 1000,
        *,
        channels: int = 3,
        size: int | tuple[int, int] = 224,
        width: float = 1.0,
        seed: int | torch.Generator = 0,
    ) -> None:
        """Make the network; it takes pictures of other sizes than `size` too. width multiplies the channels."""
        if depth not in self.DEPTHS:
            raise SettingError(f"depth of ResNet is one of {', '.join(map(str, self.DEPTHS))}, not {depth!r}.")
        generator, side = generator_of(seed), pair_of("size", size)
        bottleneck, counts = self.DEPTHS[depth]
        inputs = scaled(64, width)
        if min(side) < _SMALL:
            layers = conv_unit(channels, inputs, 3, generator, padding=1, batch_norm=True)
        else:
            layers = conv_unit(channels, inputs, 7, generator, stride=2, padding=3, batch_norm=True)
            layers.append(nn.MaxPool2d(3, 2, 1))
        for group, count in enumerate(counts):
            for number in range(count):
                # Each group but the first halves the picture, in its first block.
                stride = 2 if group and not number else 1
                own = scaled(64 * 2**group, width)
                block = ResidualBlock(inputs, own, stride=stride, bottleneck=bottleneck, seed=generator)
                layers.append(block)
                inputs = block.out_channels
        super().__init__(nn.Sequential(*layers), channels=channels, size=side, least=1, free=True)
        self.finish([nn.AdaptiveAvgPool2d(1), nn.Flatten()], inputs, classes, generator)
