"""Pooling over time on (batch, time, channels): `MaxPool` and `AveragePool` in windows, `GlobalMax` and
`GlobalAverage` over all steps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqloom.nn.arguments import (
    NotScriptable,
    as_node,
    check_input,
    check_mask,
    check_size,
    kept_only,
    symbolic,
    tensor_of,
)
from seqloom.nn.receptive_field import Field
from seqloom.ops.operators import refuse_freed
from seqloom_runtime.errors import SettingError

__all__ = ["AveragePool", "GlobalAverage", "GlobalMax", "MaxPool"]


class _WindowPool(NotScriptable, nn.Module):
    """Windows of `size` steps, one every `stride`; steps behind the last whole window are left out."""

    def __init__(self, size: int, stride: int | None = None):
        """Make the layer; stride: `size` where None. Raises SettingError for numbers below 1."""
        super().__init__()
        self.size = check_size("size", size)
        # Windows side by side by default, as torch has them.
        self.stride = self.size if stride is None else check_size("stride", stride)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, C) → (B, ⌊(T − size)/stride⌋ + 1, C).

        mask: (B, T) bool; `output_mask` says which outputs count. Raises SettingError for fewer steps than `size`.
        """
        if symbolic(x):
            return as_node(self, x, mask)
        x = tensor_of(x, self)
        check_input(type(self).__name__, x)
        # Some of torch's operations read freed memory without a look.
        refuse_freed(x)
        if mask is not None:
            check_mask(mask, x)
        if x.shape[1] < self.size:
            raise SettingError(
                f"x of {type(self).__name__} must have at least {self.size} steps, one window, not {x.shape[1]}: give "
                "longer sequences or a smaller window."
            )
        return self._pool(x.transpose(1, 2)).transpose(1, 2)

    def _pool(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def output_mask(self, mask: Tensor) -> Tensor:
        """Which outputs count, (B, outputs) bool: those whose window holds kept steps alone."""
        # A window half behind the end would not exist for the row alone.
        return mask.unfold(1, self.size, self.stride).all(-1)

    def output_length(self, steps: int) -> int:
        """How many outputs `steps` inputs give (below 1: none)."""
        return (steps - self.size) // self.stride + 1

    def field(self) -> Field:
        """What an output sees."""
        return Field(0, self.size - 1, self.stride)

    def extra_repr(self) -> str:
        """The window, for `print(module)`."""
        return f"{self.size}" if self.stride == self.size else f"{self.size}, stride={self.stride}"


class MaxPool(_WindowPool):
    """The largest number of each channel in every window.

    >>> MaxPool(2)(torch.tensor([1.0, 5.0, 3.0, 2.0, 9.0]).reshape(1, 5, 1)).flatten().tolist()
    [5.0, 3.0]
    """

    def _pool(self, x: Tensor) -> Tensor:
        return functional.max_pool1d(x, self.size, self.stride)


class AveragePool(_WindowPool):
    """The mean of each channel in every window."""

    def _pool(self, x: Tensor) -> Tensor:
        return functional.avg_pool1d(x, self.size, self.stride)


class _GlobalPool(NotScriptable, nn.Module):
    """All steps of a sequence become one; the base of GlobalMax and GlobalAverage."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, C) → (B, C), over the steps that mask (B, T) bool keeps; a row that keeps none gives zeros.

        Raises SettingError for a sequence without steps.
        """
        if symbolic(x):
            return as_node(self, x, mask)
        x = tensor_of(x, self)
        check_input(type(self).__name__, x)
        refuse_freed(x)
        if x.shape[1] == 0:
            raise SettingError(f"x of {type(self).__name__} has no steps (shape {tuple(x.shape)}): give at least one.")
        if mask is not None:
            check_mask(mask, x)
        return self._pool(x, mask)

    def _pool(self, x: Tensor, mask: Tensor | None) -> Tensor:
        raise NotImplementedError

    def field(self) -> Field:
        """The whole sequence."""
        return Field(math.inf, math.inf)


class GlobalMax(_GlobalPool):
    """The largest number of each channel.

    >>> GlobalMax()(torch.tensor([[[1.0], [4.0], [3.0]]]), torch.tensor([[True, False, True]])).tolist()
    [[3.0]]
    """

    def _pool(self, x: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None:
            return x.max(dim=1).values
        # −∞ loses to every number; a row of nothing else is set to 0 below.
        highest = x.masked_fill(~mask[:, :, None], -torch.inf).max(dim=1).values
        return torch.where(mask.any(dim=1, keepdim=True), highest, 0.0)


class GlobalAverage(_GlobalPool):
    """The mean of each channel."""

    def _pool(self, x: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None:
            return x.mean(dim=1)
        # At least 1: a row that keeps no step is 0, not 0/0.
        return kept_only(x, mask).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
