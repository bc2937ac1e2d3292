"""The TCN as users of torch write it, after the description in arXiv 1803.01271: on (B, C, T) inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d
from torch.nn.utils.parametrizations import weight_norm

__all__ = ["PublishedTCN", "RingTCN"]


class _Causal(nn.Module):
    """Conv1d padded on both sides by the kernel's reach, of whose output the last steps are cut off."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.reach = (kernel - 1) * dilation
        self.conv = weight_norm(nn.Conv1d(inputs, outputs, kernel, padding=self.reach, dilation=dilation))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, T) → (B, C_out, T)."""
        return self.conv(x)[:, :, : x.shape[2]].contiguous()


class _Block(nn.Module):
    """Two causal convolutions, each with ReLU and dropout, and the block's input added."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second = (
            _Causal(inputs, outputs, kernel, dilation),
            _Causal(outputs, outputs, kernel, dilation),
        )
        self.dropout = nn.Dropout(dropout)
        self.shortcut = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, T) → (B, C_out, T)."""
        h = self.dropout(torch.relu(self.first(x)))
        h = self.dropout(torch.relu(self.second(h)))
        return torch.relu(h + (x if self.shortcut is None else self.shortcut(x)))


class PublishedTCN(nn.Module):
    """Blocks with dilations 1, 2, 4, …"""

    def __init__(self, inputs: int, channels: Sequence[int], kernel: int, dropout: float) -> None:
        super().__init__()
        widths = [inputs, *channels]
        self.blocks = nn.ModuleList(
            _Block(widths[level], outputs, kernel, 2**level, dropout) for level, outputs in enumerate(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C_in) → (B, T, C_out)."""
        h = x.transpose(1, 2)
        for block in self.blocks:
            h = block(h)
        return h.transpose(1, 2)


class _Ring:
    """The last inputs of one convolution, shifted at every step."""

    def __init__(self, layer: _Causal) -> None:
        conv: Any = layer.conv
        self.weight, self.bias, self.dilation = conv.weight.detach(), conv.bias, conv.dilation[0]
        self.rows = torch.zeros(1, conv.in_channels, layer.reach + 1)

    def step(self, x: Tensor) -> Tensor:
        """(1, C_in, 1) → (1, C_out, 1)."""
        self.rows = torch.cat([self.rows[:, :, 1:], x], dim=2)
        return torch.relu(conv1d(self.rows, self.weight, self.bias, dilation=self.dilation))


class RingTCN:
    """A trained network one step at a time, each convolution on the inputs that it still sees."""

    def __init__(self, network: PublishedTCN) -> None:
        self.levels = [
            (_Ring(block.first), _Ring(block.second), block.shortcut)
            for block in network.blocks
            if isinstance(block, _Block)
        ]

    def step(self, x: Tensor) -> Tensor:
        """(1, C_in) → (1, C_out)."""
        h = x[:, :, None]
        for first, second, shortcut in self.levels:
            h = torch.relu(second.step(first.step(h)) + (h if shortcut is None else shortcut(h)))
        return h[:, :, 0]
