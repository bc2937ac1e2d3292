"""The temporal convolutional network in torch's own layers, channel first, with the names of the published weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def normed(inputs: int, outputs: int, taps: int, dilation: int) -> nn.Module:
    """A Conv1d that is padded on both sides, its weight split into weight_g and weight_v by torch."""
    layer = nn.Conv1d(inputs, outputs, taps, padding=(taps - 1) * dilation, dilation=dilation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch names a successor, which names the weights otherwise
        return nn.utils.weight_norm(layer)


class Cut(nn.Module):
    """Without the last `surplus` steps."""

    def __init__(self, surplus: int) -> None:
        super().__init__()
        self.surplus = surplus

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, : x.shape[2] - self.surplus].contiguous()


class PublishedBlock(nn.Module):
    """Two normed convolutions; their layers stand in the state dict a second time, as members of `net`."""

    def __init__(
        self, inputs: int, outputs: int, taps: int, dilation: int, activation: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        surplus = (taps - 1) * dilation
        self.conv1, self.conv2 = normed(inputs, outputs, taps, dilation), normed(outputs, outputs, taps, dilation)
        drop = nn.Dropout(0.0)
        self.net = nn.Sequential(
            self.conv1, Cut(surplus), activation(), drop, self.conv2, Cut(surplus), activation(), drop
        )
        self.downsample = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else None
        self.last = activation()

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.last(self.net(x) + shortcut)


class PublishedTCN(nn.Module):
    """(B, C, T) in and out."""

    def __init__(
        self,
        inputs: int,
        channels: Sequence[int],
        taps: int,
        activation: Callable[[], nn.Module] = nn.ReLU,
        seed: int = 0,
    ) -> None:
        super().__init__()
        sizes = [inputs, *channels]
        self.network = nn.Sequential(
            *(PublishedBlock(sizes[i], sizes[i + 1], taps, 2**i, activation) for i in range(len(channels)))
        )
        source = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                drawn = torch.randn(parameter.shape, generator=source)
                parameter.copy_(0.5 + drawn.abs() if name.endswith("weight_g") else 0.5 * drawn)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)
