"""The linear path beside a network in closed form: what the rest of the network must be better than."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from .decoder import StepReadOut
from .network import ForecastNetwork, LinearSkip
from .ridge import BLOCKS, MOST_WINDOWS, STRENGTHS, WIDEST, moments, usable_windows
from .windowed import ForecastData

__all__ = ["has_path", "solve_path"]


def has_path(network: nn.Module) -> bool:
    """Whether a network has a linear path beside it, small enough to be solved, and one layer that reads it out."""
    read_out = (nn.Linear, StepReadOut)
    if not (isinstance(network, ForecastNetwork) and network.skip is not None and isinstance(network.output, read_out)):
        return False
    spec = network.spec
    return spec.input_steps + spec.inputs + spec.forecast_steps * (1 + spec.future) <= WIDEST


def solve_path(network: nn.Module, data: ForecastData, anchor: str) -> float | None:
    """Set the linear path to the ridge solution over the training windows and the read-out beside it to 0.

    As `ridge.solve_ridge`, with weights of what is known of each step that all steps share. Returns the strength of the
    penalty, or None, and nothing set, where too few windows are known.
    """
    whole = cast(ForecastNetwork, network)
    skip = cast(LinearSkip, whole.skip)
    origins = usable_windows(data, anchor, data.train[:: -(-len(data.train) // MOST_WINDOWS)])
    if origins is None:
        return None
    spec = whole.spec
    path = _Path(spec.input_steps + spec.inputs, spec.future, spec.forecast_steps)

    def features(window: Tensor, future: Tensor | None) -> Tensor:
        read = [window[:, :, skip.target], window[:, -1]]
        return torch.cat([*read, *([] if future is None or not path.known else [future.flatten(1)])], dim=1)

    blocks = [moments(whole, data, anchor, part, features) for part in np.array_split(origins, BLOCKS)]
    total = sum(blocks[1:], blocks[0])
    errors = sum(path.errors(total - block, block) for block in blocks)
    strength = float(STRENGTHS[int(np.argmin(errors))])
    weight, known, bias = (found[0] for found in path.solve(total, np.array([strength])))
    with torch.no_grad():
        skip.window.weight.copy_(torch.from_numpy(weight[: spec.input_steps].T))
        skip.last.weight.copy_(torch.from_numpy(weight[spec.input_steps :].T))
        if skip.known is not None:
            skip.known.weight.copy_(torch.from_numpy(known[None]))
        whole.output.weight.zero_()
        whole.output.bias.copy_(torch.from_numpy(bias))
    return strength


class _Path:
    """min Σ_k ‖y_k − X a_k − U_k c − b_k‖² + λ N (Σ_k ‖a_k‖² + K ‖c‖²), of features in units of their deviations: X the
    `width` features of the window, U_k the `known` ones of step k of K. From Σ z z', z = (1, X, U_1 … U_K, y_1 … y_K).

    With a_k at its best for each c, c solves Σ_k U_k' M (y_k − U_k c) = λ N K c, M = 1 − X (X'X + λ N)⁻¹ X'.
    """

    def __init__(self, width: int, known: int, steps: int) -> None:
        self.width, self.known, self.steps = width, known, steps

    def solve(self, total: np.ndarray, strengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """a (S, P, K), c (S, F) and b (S, K) for each strength."""
        n, mean = total[0, 0], total[0, 1:] / total[0, 0]
        centred = total[1:, 1:] / n - np.outer(mean, mean)
        p, u = self.width, self.width + self.steps * self.known
        scale = np.concatenate([_deviations(np.diag(centred)[:p]), np.tile(self._known_scale(centred), self.steps)])
        centred[:u] /= scale[:, None]
        centred[:, :u] /= scale
        xx, xu, xy, uu, uy = centred[:p, :p], centred[:p, p:u], centred[:p, u:], centred[p:u, p:u], centred[p:u, u:]
        values, vectors = np.linalg.eigh(xx)
        shrunk = 1 / (np.maximum(values, 0) + strengths[:, None])
        pxu, pxy = vectors.T @ xu, vectors.T @ xy
        weight, shared = np.empty((len(strengths), p, self.steps)), np.zeros((len(strengths), self.known))
        for at, strength in enumerate(strengths):
            left, right = strength * self.steps * np.eye(self.known), np.zeros(self.known)
            of = [slice(k * self.known, (k + 1) * self.known) for k in range(self.steps)]
            for k, own in enumerate(of):
                half = pxu[:, own] * shrunk[at][:, None]
                left += uu[own, own] - pxu[:, own].T @ half
                right += uy[own, k] - half.T @ pxy[:, k]
            c = np.linalg.solve(left, right) if self.known else right
            rest = np.stack([pxy[:, k] - pxu[:, own] @ c for k, own in enumerate(of)], axis=1)
            weight[at] = vectors @ (rest * shrunk[at][:, None]) / scale[:p, None]
            shared[at] = c / scale[p : p + self.known]
        bias = mean[u:] - np.einsum("p,spk->sk", mean[:p], weight)
        return weight, shared, bias - shared @ mean[p:u].reshape(self.steps, self.known).T

    def errors(self, train: np.ndarray, held: np.ndarray) -> np.ndarray:
        """The squared error of a held block for each strength, from its moments alone: (S,)."""
        found = np.empty(len(STRENGTHS))
        for at, (weight, shared, bias) in enumerate(zip(*self.solve(train, STRENGTHS))):
            # z · v is the error of each step, v = (−b, −a, −c at its step, 1).
            v = np.concatenate(
                [-bias[None], -weight, -np.kron(np.eye(self.steps), shared[:, None]), np.eye(self.steps)]
            )
            found[at] = np.einsum("ik,ij,jk->", v, held, v, optimize=True)
        return found

    def _known_scale(self, centred: np.ndarray) -> np.ndarray:
        """The deviation of each known column over all steps: (F,)."""
        u = self.width + self.steps * self.known
        return _deviations(np.diag(centred)[self.width : u].reshape(self.steps, self.known).mean(axis=0))


def _deviations(variances: np.ndarray) -> np.ndarray:
    """Standard deviations; inf of a constant, whose weight is 0."""
    spread = np.sqrt(np.maximum(variances, 0))
    return np.where(spread > 1e-9 * max(1.0, float(spread.max(initial=0))), spread, np.inf)
