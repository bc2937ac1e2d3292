"""CTC in NumPy float64: the forward algorithm, and every path of a small table of outputs."""

from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np

__all__ = ["collapsed", "ctc_loss", "every_path"]


def ctc_loss(log_p: np.ndarray, ids: list[int], *, mistake: str = "") -> float:
    """−ln P(ids) by the forward variables, log_p (S, V) with the blank 0; mistake: "skip" lets equal symbols join."""
    states = [0]
    for symbol in ids:
        states += [symbol, 0]
    p = np.exp(np.asarray(log_p, dtype=np.float64))
    forward = np.zeros(len(states))
    forward[:2] = p[0, states[:2]]
    for row in p[1:]:
        new = np.zeros_like(forward)
        for s, state in enumerate(states):
            total = forward[s] + (forward[s - 1] if s else 0.0)
            if s > 1 and state != 0 and (state != states[s - 2] or mistake == "skip"):
                total += forward[s - 2]
            new[s] = total * row[state]
        forward = new
    return -float(np.log(forward[-1] + (forward[-2] if len(states) > 1 else 0.0)))


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    """The symbols of a path: repeats joined, blanks left out."""
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol)


def every_path(log_p: np.ndarray) -> tuple[dict[tuple[int, ...], float], dict[tuple[int, ...], float]]:
    """Text → ln of what all its paths have together, and of the best of them."""
    total: dict[tuple[int, ...], float] = defaultdict(float)
    best: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(range(log_p.shape[1]), repeat=len(log_p)):
        value = float(np.exp(sum(log_p[step, symbol] for step, symbol in enumerate(path))))
        total[collapsed(path)] += value
        best[collapsed(path)] = max(best[collapsed(path)], value)
    return {k: float(np.log(v)) for k, v in total.items()}, {k: float(np.log(v)) for k, v in best.items()}
