"""Integrated gradients of a forecast by input and lag (Sundararajan et al. 2017), exact for the linear models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..networks import BODIES
from .network import ForecastNetwork
from .windowed import ForecastData

__all__ = ["STEPS", "Attributed", "attribute", "baselines_of", "is_affine"]

STEPS = 16
"""Points of the path from the baseline to the window, at which gradients are taken."""

_CHUNK = 512  # windows run at once, those of the path counted


@dataclass(frozen=True, eq=False)
class Attributed:
    """What each input adds to the output of a network, in the units of its output: N windows, S outputs.

    past (N, S, L, I) and ahead (N, S, K, F; None where nothing is known ahead) add up to output − constant, where
    output (N, S) is the output without the window's level, constant (N, S) that of the baseline, and level (N, 1) what
    the network itself adds to both.
    """

    past: np.ndarray
    ahead: np.ndarray | None
    output: np.ndarray
    constant: np.ndarray
    level: np.ndarray

    @property
    def gap(self) -> float:
        """The mean |Σ of all attributions − (output − constant)|, over the mean |output − constant|."""
        total = self.past.sum(axis=(2, 3)) + (0.0 if self.ahead is None else self.ahead.sum(axis=(2, 3)))
        change = np.abs(self.output - self.constant).mean()
        return float(np.abs(total - (self.output - self.constant)).mean() / change) if change > 0 else 0.0


def is_affine(network: nn.Module) -> bool:
    """Whether the output is a weighted sum of the window (in its own units) and of what is known ahead."""
    if not isinstance(network, ForecastNetwork) or not isinstance(network.output, nn.Linear):
        return False
    if network.family is not None and network.family.counted:  # whose forecast bends at 0
        return False
    return network.flat and network.spec.body.kind in ("flat", "decomposed") and network.spec.body.kind in BODIES


def baselines_of(network: ForecastNetwork, data: ForecastData) -> tuple[Tensor, Tensor | None]:
    """What windows are held against: for the target the window's level, for other inputs their mean over the training
    rows: (I,) of the window in its own units, and (F,) of what is known ahead."""
    past = torch.from_numpy(_known_mean(data.x[data.train_rows]))
    past[network.spec.target] = 0.0  # the level is taken out already
    future = None if data.future is None else torch.from_numpy(_known_mean(data.future[data.train_rows]))
    return past, future


def _known_mean(rows: np.ndarray) -> np.ndarray:
    known = np.isfinite(rows)
    total = np.where(known, rows, 0.0).sum(axis=0, dtype=np.float64)
    return (total / np.maximum(known.sum(axis=0), 1)).astype(np.float32)


def attribute(
    network: ForecastNetwork,
    x: Tensor,
    future: Tensor | None,
    baselines: tuple[Tensor, Tensor | None],
    outputs: Sequence[int],
    steps: int = STEPS,
) -> Attributed:
    """Attribute the `outputs` (S numbers of 0 to K − 1) of windows x (N, L, I), future (N, K, F) to their inputs.

    a_i = (x_i − b_i) ∫₀¹ ∂g/∂x_i (b + α(x − b)) dα, by Gauss's rule of `steps` points, for the window x relative to its
    level and scale, which stay as they are, and the baseline b. The network runs as in evaluation and stays as it is.
    """
    was_training = network.training
    network.eval()
    try:
        size = max(1, _CHUNK // steps)
        cuts = [slice(at, at + size) for at in range(0, len(x), size)]
        known = [None if future is None else future[cut] for cut in cuts]
        parts = [_some(network, x[cut], ahead, baselines, outputs, steps) for cut, ahead in zip(cuts, known)]
    finally:
        network.train(was_training)
    joined = [np.concatenate(each) for each in zip(*((p.past, p.output, p.constant, p.level) for p in parts))]
    ahead = [p.ahead for p in parts if p.ahead is not None]
    return Attributed(joined[0], np.concatenate(ahead) if ahead else None, *joined[1:])


def _some(
    network: ForecastNetwork,
    x: Tensor,
    future: Tensor | None,
    baselines: tuple[Tensor, Tensor | None],
    outputs: Sequence[int],
    steps: int,
) -> Attributed:
    with torch.no_grad():
        window, level, scale = network.scale(x)
    ends = [window] if future is None else [window, future]
    starts = [base.expand_as(end) for base, end in zip(baselines, ends) if base is not None]
    nodes, weights = (np.asarray(each) for each in np.polynomial.legendre.leggauss(steps))
    alphas, weights = (nodes + 1) / 2, weights / 2
    rows = len(x)

    def value(parts: Sequence[Tensor], repeats: int) -> Tensor:
        y = network.output(network.features(parts[0], parts[1] if len(parts) > 1 else None))
        if network.family is not None:
            y = y[:, :: network.family.outputs]  # the location, which is the forecast
        if network.skip is not None:
            y = y + network.skip(parts[0], parts[1] if len(parts) > 1 else None)
        return y * scale.repeat(repeats, 1) if network.scale.kind == "standard" else y

    path = [
        torch.cat([start + float(a) * (end - start) for a in alphas]).detach().requires_grad_()
        for start, end in zip(starts, ends)
    ]
    with torch.enable_grad():
        y = value(path, steps)
    share = torch.from_numpy(weights).float()
    found: list[list[np.ndarray]] = [[] for _ in path]
    for number, output in enumerate(outputs):
        last = number == len(outputs) - 1
        grads = torch.autograd.grad(y[:, output].sum(), path, retain_graph=not last, materialize_grads=True)
        for place, (grad, start, end) in enumerate(zip(grads, starts, ends)):
            mean = torch.einsum("a,anlc->nlc", share, grad.reshape(steps, rows, *grad.shape[1:]))
            found[place].append(((end - start) * mean).double().numpy())
    with torch.no_grad():
        whole, base = (value(parts, 1)[:, list(outputs)].double().numpy() for parts in (ends, starts))
    put_back = level if network.spec.relevel else torch.zeros_like(level)
    past, *ahead = (np.stack(each, axis=1) for each in found)
    return Attributed(past, ahead[0] if ahead else None, whole, base, put_back.double().numpy())
