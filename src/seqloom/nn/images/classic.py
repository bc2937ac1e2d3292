"""`LeNet5`, `AlexNet` and `VGG`: convolutions, then fully connected layers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import nn

from seqloom.nn.arguments import check_probability, generator_of
from seqloom.nn.images.layers import conv, conv_unit, dense, pair_of, scaled
from seqloom.nn.images.network import ImageNetwork
from seqloom_runtime.errors import SettingError

__all__ = ["VGG", "AlexNet", "LeNet5"]

_SMALL = 64
_TOO_SMALL = 67  # pixels, below which a stride of 4 and three pools leave nothing
_ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}
_POOLS = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}


class LeNet5(ImageNetwork):
    """6 and 16 convolutions of 5×5 with a 2×2 pool behind each, then 120 and 84 units: 61,706 weights.

    For pictures below 32 pixels the first convolution has 2 zeros around, so that 28×28 come to the same layers.
    Source: LeCun et al. (1998), Gradient-based learning applied to document recognition, with every map connected to
    every one, a plain pool and a linear output, as it is built today.

    >>> sum(weight.numel() for weight in LeNet5().parameters()), LeNet5(size=28)(torch.zeros(2, 1, 28, 28)).shape
    (61706, torch.Size([2, 10]))
    """

    def __init__(
        self,
        classes: int | None = 10,
        *,
        channels: int = 1,
        size: int | tuple[int, int] = 32,
        activation: str = "tanh",
        pool: str = "average",
        width: float = 1.0,
        seed: int | torch.Generator = 0,
    ) -> None:
        """Make the network. activation: tanh, relu or sigmoid; pool: average or max; width multiplies the channels."""
        for name, value, known in (("activation", activation, _ACTIVATIONS), ("pool", pool, _POOLS)):
            if value not in known:
                raise SettingError(f"{name} of LeNet5 is one of {', '.join(known)}, not {value!r}.")
        generator, relu = generator_of(seed), activation == "relu"
        act, pooled, side = _ACTIVATIONS[activation], _POOLS[pool], pair_of("size", size)
        one, two = scaled(6, width), scaled(16, width)
        features = nn.Sequential(
            conv(channels, one, 5, generator, padding=2 if min(side) < 32 else 0, relu=relu), act(), pooled(2),
            conv(one, two, 5, generator, relu=relu), act(), pooled(2),
        )  # fmt: skip
        super().__init__(features, channels=channels, size=side, least=12)
        flat, sizes = two * self.map[0] * self.map[1], (scaled(120, width), scaled(84, width))
        layers = [
            nn.Flatten(),
            dense(flat, sizes[0], generator, relu=relu), act(),
            dense(sizes[0], sizes[1], generator, relu=relu), act(),
        ]  # fmt: skip
        self.finish(layers, sizes[1], classes, generator)


class AlexNet(ImageNetwork):
    """96, 256, 384, 384 and 256 convolutions, then 4096 and 4096 units: 62,378,344 weights, 60,965,224 with `groups` 2.

    Two groups are the paper's two graphics cards: the second, fourth and fifth convolutions see half of the maps. Below
    67 pixels the first convolution is 5×5 with stride 1 and zeros around, in place of 11×11 with stride 4 (the usual
    reduction for 32×32). Source: Krizhevsky et al. (2012), with its response normalisation and overlapping pools.

    >>> AlexNet(10, size=32, width=0.1)(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self,
        classes: int | None = 1000,
        *,
        channels: int = 3,
        size: int | tuple[int, int] = 227,
        groups: int = 1,
        dropout: float = 0.5,
        width: float = 1.0,
        seed: int | torch.Generator = 0,
    ) -> None:
        """Make the network; groups: 1 or 2; dropout: of the fully connected layers; width multiplies the channels."""
        if groups not in (1, 2):
            raise SettingError(f"groups of AlexNet is 1 or 2, not {groups!r}.")
        drop, generator, side = check_probability("dropout", dropout), generator_of(seed), pair_of("size", size)
        a, b, c, d, e = (groups * max(1, round(scaled(n, width) / groups)) for n in (96, 256, 384, 384, 256))
        small = min(side) < _TOO_SMALL
        first = conv(channels, a, 5, generator, padding=2) if small else conv(channels, a, 11, generator, stride=4)
        features = nn.Sequential(
            first, nn.ReLU(), _response_norm(), nn.MaxPool2d(3, 2),
            conv(a, b, 5, generator, padding=2, groups=groups), nn.ReLU(), _response_norm(), nn.MaxPool2d(3, 2),
            conv(b, c, 3, generator, padding=1), nn.ReLU(),
            conv(c, d, 3, generator, padding=1, groups=groups), nn.ReLU(),
            conv(d, e, 3, generator, padding=1, groups=groups), nn.ReLU(), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        super().__init__(features, channels=channels, size=side, least=15)
        units = scaled(4096, width)
        layers = [nn.Flatten(), *_hidden(e * self.map[0] * self.map[1], units, drop, generator)]
        self.finish(layers, units, classes, generator)


class VGG(ImageNetwork):
    """3×3 convolutions alone, in five groups with a pool behind each, then 4096 and 4096 units.

    With 16 layers 138,357,544 weights, with 19 143,667,240. Pictures below 64 pixels leave one place of 512 maps, and
    have `units` 512. Source: Simonyan & Zisserman, arXiv 1409.1556, table 1 (A, B, D and E), batch norm later.

    >>> VGG(11, 10, size=32, width=0.1, batch_norm=True)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    DEPTHS: ClassVar[Mapping[int, tuple[int, ...]]] = MappingProxyType(
        {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
    )
    """By the layers with weights: convolutions of each group."""

    def __init__(
        self,
        depth: int = 16,
        classes: int | None = 1000,
        *,
        channels: int = 3,
        size: int | tuple[int, int] = 224,
        batch_norm: bool = False,
        units: int | None = None,
        dropout: float = 0.5,
        width: float = 1.0,
        seed: int | torch.Generator = 0,
    ) -> None:
        """Make the network; depth: 11, 13, 16 or 19 layers with weights; width multiplies the channels."""
        if depth not in self.DEPTHS:
            raise SettingError(f"depth of VGG is one of {', '.join(map(str, self.DEPTHS))}, not {depth!r}.")
        drop, generator, side = check_probability("dropout", dropout), generator_of(seed), pair_of("size", size)
        layers, inputs = [], channels
        for count, filters in zip(self.DEPTHS[depth], (64, 128, 256, 512, 512)):
            outputs = scaled(filters, width)
            for _ in range(count):
                layers += conv_unit(inputs, outputs, 3, generator, padding=1, batch_norm=batch_norm)
                inputs = outputs
            layers.append(nn.MaxPool2d(2))
        super().__init__(nn.Sequential(*layers), channels=channels, size=side, least=32)
        hidden = scaled(units or (512 if min(side) < _SMALL else 4096), width)
        flat = inputs * self.map[0] * self.map[1]
        self.finish([nn.Flatten(), *_hidden(flat, hidden, drop, generator)], hidden, classes, generator)


def _hidden(flat: int, units: int, dropout: float, generator: torch.Generator) -> list[nn.Module]:
    """The two hidden layers of AlexNet and VGG, each with dropout behind its ReLU."""
    return [
        dense(flat, units, generator), nn.ReLU(), nn.Dropout(dropout),
        dense(units, units, generator), nn.ReLU(), nn.Dropout(dropout),
    ]  # fmt: skip


def _response_norm() -> nn.LocalResponseNorm:
    # torch divides α by the number of maps that it sums over, the paper doesn't: 5·10⁻⁴ there are its 10⁻⁴.
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
