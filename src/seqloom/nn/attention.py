"""`AttentionPooling`: a sequence as the mean of its steps, weighted by how much each one matters."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from seqloom.errors import SettingError

__all__ = ["AttentionPooling"]


class AttentionPooling(nn.Module):
    """u_t = tanh(h_t W + b), α = softmax over t of u_t·u_w, s = Σ_t α_t h_t; steps that a mask leaves out get α = 0.

    size: F features of h; units: of the hidden u, F by default. W starts Glorot uniform, b at 0 and u_w as a Glorot
    column, all drawn from `seed`. F·U + 2U parameters. Source: Yang et al., "Hierarchical attention networks for
    document classification", NAACL 2016, equations 5–7 and 8–10.

    >>> pooled, weights = AttentionPooling(4)(torch.randn(2, 3, 4), torch.tensor([[True, False, False]] * 2))
    >>> tuple(pooled.shape), weights.tolist()
    ((2, 4), [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    """

    def __init__(self, size: int, units: int | None = None, *, seed: int | torch.Generator = 0):
        """Make the module; raises SettingError for sizes below 1."""
        super().__init__()
        units = size if units is None else units
        for name, value in (("size", size), ("units", units)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SettingError(f"{name} must be a whole number, 1 or more, not {value!r}.")
        generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
        self.size, self.units = size, units
        self.weight = nn.Parameter(torch.empty(size, units))
        self.bias = nn.Parameter(torch.zeros(units))
        self.context = nn.Parameter(torch.empty(units))
        nn.init.xavier_uniform_(self.weight, generator=generator)
        nn.init.uniform_(self.context, -math.sqrt(6 / (units + 1)), math.sqrt(6 / (units + 1)), generator=generator)

    def forward(self, h: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Pool h (B, T, F), mask (B, T) bool, True where a step counts: (B, F) and the weights α (B, T).

        A row without any step gives zeros and weights of 0. Raises SettingError where shapes don't fit.
        """
        if h.dim() != 3 or h.shape[2] != self.size:
            raise SettingError(f"h must have shape (batch, time, {self.size} features), not {tuple(h.shape)}.")
        scores = torch.tanh(h @ self.weight + self.bias) @ self.context
        if mask is None:
            alpha = torch.softmax(scores, dim=1)
            return torch.einsum("bt,btf->bf", alpha, h), alpha
        if mask.dtype != torch.bool or mask.shape != h.shape[:2]:
            raise SettingError(
                f"mask must be bool of shape {tuple(h.shape[:2])}, not {mask.dtype} of {tuple(mask.shape)}."
            )
        # A finite floor, not −∞: a row that is masked throughout would turn NaN, and so would its gradient.
        alpha = torch.softmax(scores.masked_fill(~mask, torch.finfo(scores.dtype).min), dim=1) * mask
        return torch.einsum("bt,btf->bf", alpha, h.masked_fill(~mask[:, :, None], 0.0)), alpha

    def extra_repr(self) -> str:
        """The sizes, for `print(module)`."""
        return f"{self.size}, units={self.units}"
