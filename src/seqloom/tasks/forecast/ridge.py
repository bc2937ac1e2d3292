"""The linear models in closed form: ridge regression, its strength by cross-validation over blocks of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from .network import ForecastNetwork
from .windowed import ForecastData

__all__ = [
    "BLOCKS",
    "MOST_WINDOWS",
    "STRENGTHS",
    "WIDEST",
    "closed_form",
    "moments",
    "solve_ridge",
    "usable_windows",
]

BLOCKS = 5
_CHECKED = 1 << 17  # windows that are looked at at once
STRENGTHS = 10.0 ** np.arange(-6, 2.0, 0.5)  # of the mean square of each standardised feature
WIDEST = 1500  # features: their products, one table a block, take 90 MB
MOST_WINDOWS = 100_000  # windows, evenly taken


def closed_form(network: nn.Module) -> bool:
    """Whether a network is one linear layer over its window, small enough to be solved."""
    return (
        isinstance(network, ForecastNetwork)
        and network.flat
        and network.family is None
        and network.spec.body.kind != "dense"
        and isinstance(network.output, nn.Linear)
        and network.output.in_features <= WIDEST
    )


def solve_ridge(network: nn.Module, data: ForecastData, anchor: str) -> float | None:
    """Set the weights of a linear network to the ridge solution over the training windows; returns its strength.

    min Σ s² ‖ỹ − W f − b‖² + λ N Σ_j σ_j² ‖W_j‖² (Hoerl & Kennard 1970), with features f and targets ỹ in the units
    of the window, s its scale, σ_j the deviation of feature j over N windows. λ is the one of a grid with the smallest
    squared error on blocks of consecutive windows that the solution did not see. Windows with an unknown step are left
    out; None, and nothing set, where that leaves fewer than half of them or fewer than two blocks.
    """
    linear = cast(ForecastNetwork, network)
    layer = cast(nn.Linear, linear.output)
    origins = usable_windows(data, anchor, data.train[:: -(-len(data.train) // MOST_WINDOWS)])
    if origins is None:
        return None
    blocks = [moments(linear, data, anchor, part, linear.features) for part in np.array_split(origins, BLOCKS)]
    total = sum(blocks[1:], blocks[0])
    errors = sum(_errors(total - block, block, layer.in_features) for block in blocks)
    strength = float(STRENGTHS[int(np.argmin(errors))])
    weight, bias = _solution(total, layer.in_features, np.array([strength]))
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight[0].T))
        layer.bias.copy_(torch.from_numpy(bias[0]))
    return strength


def usable_windows(data: ForecastData, anchor: str, origins: np.ndarray) -> np.ndarray | None:
    """Those of the windows that have their anchor and whose steps are all known; None where these are too few."""
    origins = data.anchored(anchor, origins)
    parts = [np.isfinite(data.scaled_truth(anchor, each)).all(axis=1) for each in data.chunks(origins, _CHECKED)]
    known = np.concatenate([np.zeros(0, dtype=bool), *parts])
    return origins[known] if np.count_nonzero(known) >= max(2 * BLOCKS, len(origins) / 2) else None


def moments(
    network: ForecastNetwork,
    data: ForecastData,
    anchor: str,
    origins: np.ndarray,
    features: Callable[[Tensor, Tensor | None], Tensor],
) -> np.ndarray:
    """Σ s² z zᵀ over windows, z = (1, features, targets): (1 + F + K, 1 + F + K) float64.

    `features` makes (N, F) of windows in their own units, and of what is known of the steps ahead.
    """
    total = np.zeros(())
    for rows, scale in _rows(network, data, anchor, origins, features):
        weighted = rows * scale
        total = total + weighted.T @ weighted
    return total


def _rows(
    linear: ForecastNetwork,
    data: ForecastData,
    anchor: str,
    origins: np.ndarray,
    read: Callable[[Tensor, Tensor | None], Tensor],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """z (N, 1 + F + K) and s (N, 1) of a few windows at a time."""
    for chunk in data.chunks(origins, 2048):
        x, future = data.inputs(chunk)
        with torch.no_grad():
            window, level, scale = linear.scale(x)
            features = read(window, future).double().numpy()
        target = data.scaled_truth(anchor, chunk)
        if linear.spec.relevel:
            target = target - level.double().numpy()
        s = scale.double().numpy()
        yield np.concatenate([np.ones((len(chunk), 1)), features, target / s], axis=1), s


def _centred(moments: np.ndarray, features: int) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """The sum of weights, the means of z without its 1, and the centred products of features, and with targets."""
    n, mean = moments[0, 0], moments[0, 1:] / moments[0, 0]
    centred = moments[1:, 1:] - n * np.outer(mean, mean)
    return float(n), mean, centred[:features, :features], centred[:features, features:]


def _solution(moments: np.ndarray, features: int, strengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (S, F, K) and biases (S, K) for each strength."""
    n, mean, gram, cross = _centred(moments, features)
    spread = np.sqrt(np.maximum(np.diag(gram) / n, 0))
    scale = np.where(spread > 1e-9 * max(1.0, float(spread.max(initial=0))), spread, np.inf)  # a constant weighs 0
    values, vectors = np.linalg.eigh(gram / np.outer(scale, scale) / n)
    projected = vectors.T @ (cross / scale[:, None] / n)
    shrunk = projected[None] / (np.maximum(values, 0)[None, :, None] + strengths[:, None, None])
    weight = (vectors @ shrunk) / scale[:, None]
    return weight, mean[features:] - np.einsum("f,sfk->sk", mean[:features], weight)


def _errors(train: np.ndarray, held: np.ndarray, features: int) -> np.ndarray:
    """Σ s² ‖ỹ − W f − b‖² of a held block for each strength, from its moments alone: (S,)."""
    weight, bias = _solution(train, features, STRENGTHS)
    steps = bias.shape[1]
    errors = np.empty(len(STRENGTHS))
    for at in range(len(STRENGTHS)):
        # z · v is the error of each step, v = (−b, −W, 1), so that its squares add up to v' (Σ z z') v.
        v = np.concatenate([-bias[at][None], -weight[at], np.eye(steps)])
        errors[at] = np.einsum("ik,ij,jk->", v, held, v, optimize=True)
    return errors
