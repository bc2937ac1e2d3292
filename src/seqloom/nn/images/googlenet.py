"""`GoogLeNet`: nine inception modules."""

from __future__ import annotations

import torch
from torch import nn

from seqloom.nn.arguments import check_probability, generator_of
from seqloom.nn.images.blocks import Inception2d
from seqloom.nn.images.layers import conv_unit, pair_of, scaled
from seqloom.nn.images.network import ImageNetwork

__all__ = ["GoogLeNet"]

_SMALL = 64
# Table 1 of the paper; None is a pool.
_MODULES = (
    (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), None,
    (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128), None,
    (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
)  # fmt: skip


class GoogLeNet(ImageNetwork):
    """Inception v1: three convolutions, nine modules, a mean over places; 6,998,552 weights without auxiliary heads.

    With `batch_norm` the convolutions have a norm in place of a bias. Below 64 pixels the first convolution is 3×3 with
    stride 1, and the two pools around the next are left out. Source: Szegedy et al., arXiv 1409.4842, table 1; the
    count is that of Caffe's bvlc_googlenet in evaluation.

    >>> GoogLeNet(10, size=32, width=0.1)(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self,
        classes: int | None = 1000,
        *,
        channels: int = 3,
        size: int | tuple[int, int] = 224,
        batch_norm: bool = False,
        dropout: float = 0.4,
        width: float = 1.0,
        seed: int | torch.Generator = 0,
    ) -> None:
        """Make the network; it takes pictures of other sizes than `size` too. width multiplies the channels."""
        drop, generator, side = check_probability("dropout", dropout), generator_of(seed), pair_of("size", size)
        small, a, b = min(side) < _SMALL, scaled(64, width), scaled(192, width)
        stem = {"size": 3, "padding": 1} if small else {"size": 7, "stride": 2, "padding": 3}
        pools = [[] if small else [nn.MaxPool2d(3, 2, ceil_mode=True)] for _ in range(2)]
        layers = [
            *conv_unit(channels, a, generator=generator, batch_norm=batch_norm, **stem), *pools[0],
            *conv_unit(a, a, 1, generator, batch_norm=batch_norm),
            *conv_unit(a, b, 3, generator, padding=1, batch_norm=batch_norm), *pools[1],
        ]  # fmt: skip
        inputs = b
        for row in _MODULES:
            if row is None:
                layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
                continue
            block = Inception2d(inputs, [scaled(n, width) for n in row], batch_norm=batch_norm, seed=generator)
            layers.append(block)
            inputs = block.out_channels
        super().__init__(nn.Sequential(*layers), channels=channels, size=side, least=1, free=True)
        self.finish([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(drop)], inputs, classes, generator)
