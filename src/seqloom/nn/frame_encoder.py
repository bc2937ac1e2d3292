"""`FrameEncoder`: a small convolutional network that reads each frame by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqloom.nn.initialisers import undrawn
from seqloom_runtime.errors import SettingError

__all__ = ["FrameEncoder", "seeded_conv2d"]


def seeded_conv2d(
    inputs: int, outputs: int, kernel_size: int, generator: torch.Generator, stride: int = 1
) -> nn.Conv2d:
    """A convolution that keeps the size (of stride 1), He uniform weights from `generator`, zero bias: He et al. 2015.

    torch's global random stream is neither read nor moved.

    >>> seeded_conv2d(3, 4, 3, torch.Generator().manual_seed(0))(torch.zeros(1, 3, 5, 7)).shape
    torch.Size([1, 4, 5, 7])
    """
    layer = undrawn(nn.Conv2d(inputs, outputs, kernel_size, stride, kernel_size // 2, device="meta"))
    bound = math.sqrt(6 / (inputs * kernel_size**2))
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # there is one
    return layer


class FrameEncoder(nn.Module):
    """relu(W_k ∗ … relu(W_1 ∗ x_t + b_1) … + b_k) of every frame, each convolution of stride 2; of maps (pooled=False)
    or of their mean over the places, the features of the frame.

    >>> encoder = FrameEncoder(1, (8, 16), seed=0)
    >>> encoder(torch.zeros(2, 5, 32, 32, 1)).shape
    torch.Size([2, 5, 16])
    >>> FrameEncoder(1, (8, 16), seed=0, pooled=False)(torch.zeros(2, 5, 30, 32, 1)).shape
    torch.Size([2, 5, 8, 8, 16])
    """

    def __init__(
        self, input_size: int, channels: Sequence[int], *, kernel_size: int = 3, seed: int = 0, pooled: bool = True
    ):
        """input_size: C of the frames; channels: of each convolution. Raises SettingError for no channels or an even
        kernel."""
        super().__init__()
        if not channels or kernel_size % 2 == 0:
            raise SettingError(f"FrameEncoder: expected channels and an odd kernel, got {channels} and {kernel_size}.")
        generator = torch.Generator().manual_seed(seed)
        self.input_size, self.output_size, self.pooled = input_size, channels[-1], pooled
        self.convolutions = nn.ModuleList(
            seeded_conv2d(before, after, kernel_size, generator, stride=2)
            for before, after in zip((input_size, *channels), channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Frames (B, T, Y, X, C) → (B, T, F), or maps (B, T, Y', X', F) where not pooled."""
        if x.dim() != 5 or x.shape[4] != self.input_size:
            raise SettingError(f"x: expected (B, T, Y, X, {self.input_size}), got {tuple(x.shape)}.")
        y = x.permute(0, 1, 4, 2, 3).flatten(0, 1)
        for convolution in self.convolutions:
            y = functional.relu(convolution(y))
        y = y.unflatten(0, tuple(x.shape[:2]))
        return y.mean(dim=(3, 4)) if self.pooled else y.permute(0, 1, 3, 4, 2)
