"""Blocks of pictures' networks: inception, residual and highway."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seqloom.nn.arguments import check_size, generator_of
from seqloom.nn.images.field import Fields, output_length, side_by_side
from seqloom.nn.images.layers import check_picture, conv, conv_unit
from seqloom_runtime.errors import SettingError

__all__ = ["HighwayConv2d", "Inception2d", "ResidualBlock"]

_BRANCHES = ("1×1", "1×1 before 3×3", "3×3", "1×1 before 5×5", "5×5", "1×1 behind the pool")


class Inception2d(nn.Module):
    """Four branches on the same picture, their channels one after the other: 1×1; 1×1, 3×3; 1×1, 5×5; 3×3 pool, 1×1.

    channels: of 1×1, of 1×1 before 3×3, 3×3, 1×1 before 5×5, 5×5, and 1×1 behind the pool, as a row of Table 1 of
    Szegedy et al., arXiv 1409.4842, lists them. Every convolution has a ReLU; with batch_norm a norm in between.

    >>> block = Inception2d(192, (64, 96, 128, 16, 32, 32))
    >>> block(torch.zeros(1, 192, 28, 28)).shape
    torch.Size([1, 256, 28, 28])
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        *,
        batch_norm: bool = False,
        seed: int | torch.Generator = 0,
    ) -> None:
        """Make the branches; raises SettingError unless there are six numbers of channels."""
        super().__init__()
        if not isinstance(channels, (tuple, list)) or len(channels) != len(_BRANCHES):
            raise SettingError(f"channels of Inception2d are six: {', '.join(_BRANCHES)}; got {channels!r}.")
        one, before_three, three, before_five, five, pooled = (check_size("channels", c) for c in channels)
        self.in_channels, generator = check_size("in_channels", in_channels), generator_of(seed)

        def unit(inputs: int, outputs: int, size: int) -> list[nn.Module]:
            return conv_unit(inputs, outputs, size, generator, padding=size // 2, batch_norm=batch_norm)

        self.branches = nn.ModuleList(
            nn.Sequential(*layers)
            for layers in (
                unit(in_channels, one, 1),
                [*unit(in_channels, before_three, 1), *unit(before_three, three, 3)],
                [*unit(in_channels, before_five, 1), *unit(before_five, five, 5)],
                [nn.MaxPool2d(3, 1, 1), *unit(in_channels, pooled, 1)],
            )
        )
        self.out_channels = one + three + five + pooled

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) → (B, out_channels, H, W)."""
        check_picture(type(self).__name__, x, self.in_channels)
        return torch.cat([branch(x) for branch in self.branches], dim=1)

    def fields(self) -> Fields:
        """What an output sees: the 5×5 branch decides."""
        return side_by_side(self.branches)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """As large as the picture."""
        return height, width


class ResidualBlock(nn.Module):
    """y = ReLU(F(x) + s(x)): F two 3×3 convolutions, or with `bottleneck` 1×1, 3×3 and 1×1 of 4·channels.

    Each convolution is without bias and has batch norm; ReLU between them. s is the identity, or a 1×1 convolution with
    batch norm where shapes differ. The stride is the (first) 3×3 convolution's, as in torchvision. Source: He et al.,
    arXiv 1512.03385, figures 2 and 5.

    >>> ResidualBlock(8, 4, bottleneck=True, stride=2)(torch.zeros(1, 8, 6, 6)).shape
    torch.Size([1, 16, 3, 3])
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        stride: int = 1,
        bottleneck: bool = False,
        seed: int | torch.Generator = 0,
    ) -> None:
        """Make F and s."""
        super().__init__()
        self.in_channels, channels = check_size("in_channels", in_channels), check_size("channels", channels)
        generator, self.out_channels = generator_of(seed), channels * (4 if bottleneck else 1)
        steps = (
            [(in_channels, channels, 1, 1), (channels, channels, 3, stride), (channels, self.out_channels, 1, 1)]
            if bottleneck
            else [(in_channels, channels, 3, stride), (channels, channels, 3, 1)]
        )
        layers: list[nn.Module] = []
        for inputs, outputs, size, step in steps:
            layers += conv_unit(inputs, outputs, size, generator, stride=step, padding=size // 2, batch_norm=True)
        # The last ReLU comes after the sum.
        self.body = nn.Sequential(*layers[:-1])
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != self.out_channels:
            layer = conv(in_channels, self.out_channels, 1, generator, stride=stride, bias=False)
            self.shortcut = nn.Sequential(layer, nn.BatchNorm2d(self.out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) → (B, out_channels, ⌈H/stride⌉, ⌈W/stride⌉)."""
        check_picture(type(self).__name__, x, self.in_channels)
        return torch.relu(self.body(x) + self.shortcut(x))

    def fields(self) -> Fields:
        """What an output sees."""
        return side_by_side([self.body, self.shortcut])

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """As F."""
        return output_length(self.body, (height, width))


class HighwayConv2d(nn.Module):
    """y = H(x)⊙T(x) + x⊙(1 − T(x)), H(x) = ReLU(x ∗ W_H + b_H), T(x) = σ(x ∗ W_T + b_T), at every place.

    b_T starts at `gate_bias`: below zero the block carries its input at first. Source: Srivastava et al., arXiv
    1505.00387, section 2.1.

    >>> closed, x = HighwayConv2d(3, gate_bias=-200.0), torch.randn(2, 3, 5, 5)
    >>> torch.equal(closed(x), x)
    True
    """

    def __init__(
        self, channels: int, size: int = 3, *, gate_bias: float = -1.0, seed: int | torch.Generator = 0
    ) -> None:
        """Make a block of `channels` channels with kernels of size×size; size is odd, so that the picture keeps its."""
        super().__init__()
        self.channels, generator = check_size("channels", channels), generator_of(seed)
        if check_size("size", size) % 2 == 0:
            raise SettingError(f"size of HighwayConv2d must be odd, so that the output is as large, not {size}.")
        self.transform = conv(channels, channels, size, generator, padding=size // 2)
        self.gate = conv(channels, channels, size, generator, padding=size // 2, relu=False)
        assert self.gate.bias is not None
        nn.init.constant_(self.gate.bias, float(gate_bias))

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) → the same shape."""
        check_picture(type(self).__name__, x, self.channels)
        t = torch.sigmoid(self.gate(x))
        return torch.relu(self.transform(x)) * t + x * (1 - t)

    def fields(self) -> Fields:
        """What an output sees."""
        return side_by_side([self.transform, self.gate])

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """As large as the picture."""
        return height, width
