"""Window normalisation: the level, and scale, of each window is taken out of what a network reads and put back.

A level that drifts leaves the range that a network was trained in; what is relative to the window does not.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["LEAST_SCALE", "NORMALISATIONS", "WindowScale"]

NORMALISATIONS = ("last", "standard", "seasonal", "none")

LEAST_SCALE = 1e-2
"""Of the standardised target: a window that hardly moves tells no scale to divide by."""


class WindowScale(nn.Module):
    """Level m and scale s of the target in each window, by `kind`; what is read becomes (y − m) / s.

    last: m is the window's last value, s = 1. standard: m and s are its mean and standard deviation (reversible
    instance normalisation without weights, Kim et al. 2022). seasonal: m is the mean of the last `season` steps, s = 1.
    none: m = 0, s = 1. slot: where the target stands among the I inputs. flag: where the input stands that is 1 where
    the target is missing and has no value put in its place, or −1: steps flagged so count for neither m nor s.

    >>> x = torch.tensor([[[1.0], [2.0], [6.0]]])
    >>> [round(float(v), 3) for v in WindowScale("standard", 1, 0, 3)(x)[1:]]
    [3.0, 2.16]
    >>> WindowScale("last", 1, 0, 3)(x)[0].flatten().tolist()
    [-5.0, -4.0, 0.0]
    """

    target: Tensor

    def __init__(self, kind: str, inputs: int, slot: int, season: int, flag: int = -1) -> None:
        super().__init__()
        self.kind, self.slot, self.season, self.flag = kind, slot, season, flag
        mask = torch.zeros(inputs)
        mask[slot] = 1.0
        self.register_buffer("target", mask, persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x (B, L, I) → the same relative to its window, m (B, 1) and s (B, 1)."""
        values = x[:, :, self.slot]
        known = None if self.flag < 0 else x[:, :, self.flag] == 0
        level, scale = self._moments(values, known)
        relative = x if self.kind == "none" else x - level[:, :, None] * self.target
        if self.kind == "standard":  # the others' scale is 1: a pass over all windows that changes nothing
            relative = relative / (1 + (scale[:, :, None] - 1) * self.target)
        if known is not None:  # a step without a value says as little as the level
            relative = torch.where(known[:, :, None], relative, relative * (1 - self.target))
        return relative, level, scale

    def _moments(self, values: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor]:
        one = torch.ones_like(values[:, :1])
        if self.kind == "last":
            return _last(values, known), one
        if self.kind == "seasonal":
            values, known = values[:, -self.season :], None if known is None else known[:, -self.season :]
        if self.kind == "none":
            return torch.zeros_like(one), one
        level = _mean(values, known)
        if self.kind == "seasonal":
            return level, one
        return level, _mean((values - level).square(), known).sqrt().clamp(min=LEAST_SCALE)

    def extra_repr(self) -> str:
        """The kind and the place of the target, for `print(module)`."""
        return f"{self.kind}, slot={self.slot}"


def _mean(values: Tensor, known: Tensor | None) -> Tensor:
    if known is None:
        return values.mean(dim=1, keepdim=True)
    return torch.where(known, values, 0.0).sum(dim=1, keepdim=True) / known.sum(dim=1, keepdim=True).clamp(min=1)


def _last(values: Tensor, known: Tensor | None) -> Tensor:
    if known is None:
        return values[:, -1:]
    steps = torch.arange(1, values.shape[1] + 1, device=values.device)
    last = (known * steps).amax(dim=1, keepdim=True)  # 0 where no step is known
    return torch.where(last > 0, values.gather(1, (last - 1).clamp(min=0)), 0.0)
