"""Weight norm in float64 NumPy, and how far `ops.weight_norm` with its gradient is from it."""

from __future__ import annotations

import numpy as np
import torch

from seqloom.ops.weight_norm import weight_norm

__all__ = ["drawn", "worst"]


def drawn(size: tuple[int, int, int], seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """v, g and the gradient of w, unequal from row to row."""
    rng = np.random.default_rng([seed, *size])
    v, dw = rng.standard_normal((2, *size)) * rng.uniform(0.1, 3.0, (size[0], 1, 1))
    g = rng.standard_normal((size[0], 1, 1))
    return tuple(torch.from_numpy(np.asarray(a, dtype=np.float32)) for a in (v, g, dw))  # pyright: ignore[reportReturnType]


def worst(size: tuple[int, int, int], seed: int = 1) -> float:
    """The largest error of w, dv and dg, over the largest number of each row's formula in float64."""
    v, g, dw = drawn(size, seed)
    v.requires_grad_()
    g.requires_grad_()
    w = weight_norm(v, g)
    found = [w.detach(), *torch.autograd.grad(w, (v, g), dw)]
    v64, g64, dw64 = (t.detach().double().numpy() for t in (v, g, dw))
    norm = np.sqrt((v64**2).sum((1, 2), keepdims=True))
    dg = (v64 * dw64).sum((1, 2), keepdims=True) / norm
    wanted = [g64 * v64 / norm, g64 / norm * (dw64 - v64 * dg / norm), dg]
    # What cancels in dw - v dg/‖v‖ is rounded at the size of dw.
    sizes = [np.abs(wanted[0]), np.abs(g64 / norm * dw64), np.abs(v64 * dw64).sum((1, 2), keepdims=True) / norm]
    errors = [
        np.abs(a.double().numpy() - b).max((1, 2)) / scale.max((1, 2)) for a, b, scale in zip(found, wanted, sizes)
    ]
    return float(np.max(errors))
