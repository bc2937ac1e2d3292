"""Pooling over time: the features of all steps (B, T, F) become one summary of each sequence (B, F).

A mask (B, T) bool says which steps count; a row without a counted step gives zeros.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqloom_runtime.errors import SettingError

from .heads import seeded_linear

__all__ = ["POOLINGS", "AttentionPooling", "Pooling", "make_pooling", "max_of_steps"]

POOLINGS = ("last", "mean", "max", "attention")


class Pooling(nn.Module):
    """The features of the last counted step, or their mean or maximum over the counted steps, by `kind`."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        """h (B, T, F) and mask (B, T) bool or None → (B, F)."""
        if self.kind == "last":
            return _last(h, mask)
        if mask is None:
            return h.mean(dim=1) if self.kind == "mean" else h.amax(dim=1)
        counted = mask[:, :, None]
        if self.kind == "mean":
            return torch.where(counted, h, 0.0).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
        # A row without a counted step has −∞ here, which the next line makes 0.
        highest = torch.where(counted, h, -torch.inf).amax(dim=1)
        return torch.where(mask.any(dim=1, keepdim=True), highest, 0.0)

    def extra_repr(self) -> str:
        """The kind, for `print(module)`."""
        return self.kind


class AttentionPooling(nn.Module):
    """s = Σ_t α_t h_t with u_t = tanh(W h_t + b) and α = softmax_t(u_t · u_w).

    Source: Yang et al., "Hierarchical attention networks for document classification", NAACL 2016, equations 5 to 7.
    """

    def __init__(self, features: int, seed: int) -> None:
        """W (F, F), b (F) and u_w (F), drawn from the seed."""
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.projection = seeded_linear(features, features, generator)
        # With deviation F^(−½) the scores have a size that doesn't grow with F, and the first weights are near equal.
        self.context = nn.Parameter(torch.empty(features).normal_(0.0, features**-0.5, generator=generator))

    def forward(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        """h (B, T, F) and mask (B, T) bool or None → (B, F)."""
        if mask is not None:
            h = torch.where(mask[:, :, None], h, 0.0)  # NaN at a masked step must not reach 0 · NaN
        return torch.einsum("bt,btf->bf", self.weights(h, mask), h)

    def weights(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        """α (B, T): at least 0, with the sum 1 over the counted steps of each row; 0 at the others."""
        scores = torch.tanh(self.projection(h)) @ self.context
        if mask is None:
            return torch.softmax(scores, dim=1)
        # Not −∞: the softmax of a row without a counted step would be NaN. Times the mask it is 0.
        lowest = torch.finfo(scores.dtype).min
        return torch.softmax(torch.where(mask, scores, lowest), dim=1) * mask


def make_pooling(kind: str, features: int, seed: int) -> Pooling | AttentionPooling:
    """The pooling of that name; raises SettingError for a name that is not among `POOLINGS`."""
    if kind not in POOLINGS:
        raise SettingError(f"pooling: expected one of {', '.join(POOLINGS)}, got {kind!r}.")
    return AttentionPooling(features, seed) if kind == "attention" else Pooling(kind)


def max_of_steps(x: Tensor, mask: Tensor | None, size: int) -> tuple[Tensor, Tensor | None]:
    """The largest of each feature over every `size` steps, the last few as they are, and which of these count.

    x (B, T, F) and mask (B, T) bool or None → (B, ⌈T / size⌉, F) and its mask, None where all count. A group of steps
    counts where one of its steps does, and only these are looked at; a group that doesn't count gives zeros.

    >>> max_of_steps(torch.tensor([[[1.0], [5.0], [3.0]]]), None, 2)[0].flatten()
    tensor([5., 3.])
    """
    if size == 1:
        return x, mask
    size = min(size, max(1, x.shape[1]))  # a larger one makes the same single group, padded to its full size
    behind = -x.shape[1] % size
    if mask is not None:
        x = torch.where(mask[:, :, None], x, -torch.inf)
        mask = functional.pad(mask, (0, behind)).unflatten(1, (-1, size)).any(dim=2)
    if behind:
        x = functional.pad(x, (0, 0, 0, behind), value=-torch.inf)
    y = functional.max_pool1d(x.transpose(1, 2), size).transpose(1, 2)
    return (y, None) if mask is None else (torch.where(mask[:, :, None], y, 0.0), mask)


def _last(h: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return h[:, -1]
    steps = torch.arange(1, h.shape[1] + 1, device=h.device)
    last = (mask * steps).amax(dim=1)  # 0 for a row without a counted step
    picked = h[torch.arange(len(h), device=h.device), (last - 1).clamp(min=0)]
    return torch.where(last[:, None] > 0, picked, 0.0)
