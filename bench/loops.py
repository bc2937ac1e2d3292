"""Recurrent layers as a loop of torch operations over time, with the variants: what people write today."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.cases import Case

__all__ = ["EagerLoop"]


class EagerLoop(nn.Module):
    """One layer, written the way a careful user writes it: inputs multiplied once, then a Python loop over time."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.kind, self.variant, self.units = case.kind, case.variant, case.units
        gates = {"elman": 1, "lstm": 4, "gru": 3}[case.kind]
        self.inputs = nn.Linear(case.inputs, gates * case.units)
        self.recurrent = nn.Linear(case.units, gates * case.units, bias=False)
        if case.variant == "layer_norm":
            self.norm_x, self.norm_h = nn.LayerNorm(gates * case.units), nn.LayerNorm(gates * case.units)
            self.norm_c = nn.LayerNorm(case.units)
        if case.variant == "peephole":
            self.peephole = nn.Parameter(torch.zeros(3, case.units))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (B, T, I), mask (B, T) → (B, T, H)."""
        drop_h = None
        if self.variant == "variational" and self.training:
            x = x * x.new_empty(x.shape[0], 1, x.shape[2]).bernoulli_(0.8).div_(0.8)
            drop_h = x.new_empty(x.shape[0], self.units).bernoulli_(0.8).div_(0.8)
        a = self.inputs(x)
        if self.variant == "layer_norm":
            a = self.norm_x(a)
        h = x.new_zeros(x.shape[0], self.units)
        c = x.new_zeros(x.shape[0], self.units)
        outputs = []
        for t, step in enumerate(a.unbind(1)):
            u = self.recurrent(h if drop_h is None else h * drop_h)
            if self.variant == "layer_norm":
                u = self.norm_h(u)
            new_h, new_c = self._cell(step, u, h, c)
            if self.variant == "zoneout" and self.training:
                keep = torch.empty_like(h).bernoulli_(0.1)
                new_h = keep * h + (1 - keep) * new_h
            if self.variant == "mask":
                here = mask[:, t, None]
                new_h, new_c = torch.where(here, new_h, h), torch.where(here, new_c, c)
            h, c = new_h, new_c
            outputs.append(h)
        return torch.stack(outputs, 1)

    def _cell(self, a: Tensor, u: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        if self.kind == "elman":
            return torch.tanh(a + u), c
        if self.kind == "gru":
            a_r, a_z, a_n = a.chunk(3, 1)
            u_r, u_z, u_n = u.chunk(3, 1)
            z = torch.sigmoid(a_z + u_z)
            n = torch.tanh(a_n + torch.sigmoid(a_r + u_r) * u_n)
            return n + z * (h - n), c
        i, f, g, o = (a + u).chunk(4, 1)
        if self.variant == "peephole":
            i, f = i + self.peephole[0] * c, f + self.peephole[1] * c
        f = torch.sigmoid(f)
        i = 1 - f if self.variant == "coupled" else torch.sigmoid(i)
        c = f * c + i * torch.tanh(g)
        if self.variant == "peephole":
            o = o + self.peephole[2] * c
        inner = self.norm_c(c) if self.variant == "layer_norm" else c
        return torch.sigmoid(o) * torch.tanh(inner), c
