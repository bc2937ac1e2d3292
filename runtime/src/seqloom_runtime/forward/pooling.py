"""Pooling over time: the features of all steps (B, T, F) become one summary of each sequence (B, F).

A mask (B, T) bool says which steps count; a row without a counted step gives zeros.
"""

from __future__ import annotations

import numpy as np

from ..errors import SettingError
from .arrays import Arrays
from .linear import Linear, Matrix

__all__ = ["POOLINGS", "AttentionPooling", "Pooling", "make_pooling", "max_of_steps", "weighted_sum"]

POOLINGS = ("last", "mean", "max", "attention")
_NOTHING = np.float32(0)
_LOWEST = np.float32(-np.inf)


class Pooling:
    """The features of the last counted step, or their mean or maximum over the counted steps, by `kind`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, h: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """h (B, T, F) and mask (B, T) bool or None → (B, F)."""
        if self.kind == "last":
            return _last(h, mask)
        if mask is None:
            return _mean(h, h.shape[1]) if self.kind == "mean" else h.max(axis=1)
        counted = mask[:, :, None]
        if self.kind == "mean":
            return _mean(np.where(counted, h, _NOTHING), np.maximum(mask.sum(axis=1, keepdims=True), 1))
        # A row without a counted step has −∞ here, which the next line makes 0.
        highest = np.where(counted, h, _LOWEST).max(axis=1, initial=_LOWEST)
        return np.where(mask.any(axis=1, keepdims=True), highest, _NOTHING)


class AttentionPooling:
    """s = Σ_t α_t h_t with u_t = tanh(W h_t + b) and α = softmax_t(u_t · u_w): Yang et al., NAACL 2016."""

    def __init__(self, arrays: Arrays, features: int) -> None:
        """Takes "projection.weight" (F, F), "projection.bias" (F) and "context" (F)."""
        self.projection = Linear(arrays.at("projection."), features, features)
        self.context = Matrix(arrays.take("context", features)[None])

    def __call__(self, h: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """h (B, T, F) and mask (B, T) bool or None → (B, F)."""
        if mask is not None:
            h = np.where(mask[:, :, None], h, _NOTHING)  # NaN at a masked step must not reach 0 · NaN
        return weighted_sum(self.weights(h, mask), h)

    def weights(self, h: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """α (B, T): at least 0, with the sum 1 over the counted steps of each row; 0 at the others."""
        scores = self.context.of(np.tanh(self.projection(h)))[:, :, 0]
        if mask is not None:
            # Not −∞: the softmax of a row without a counted step would be NaN. Times the mask it is 0.
            scores = np.where(mask, scores, np.finfo(np.float32).min)
        share = np.exp(scores - scores.max(axis=1, keepdims=True))
        share = share if mask is None else share * mask
        # One after the other: the zeros behind a row's end change nothing, as those of a pairwise sum do.
        total = np.cumsum(share, axis=1, dtype=np.float64)[:, -1:]
        return (share / np.where(total > 0, total, 1.0)).astype(np.float32)


def make_pooling(kind: str, features: int, arrays: Arrays) -> Pooling | AttentionPooling:
    """The pooling of that name, of the arrays under "pooling."; raises SettingError for an unknown name."""
    if kind not in POOLINGS:
        raise SettingError(f"pooling: expected one of {', '.join(POOLINGS)}, got {kind!r}.")
    return AttentionPooling(arrays.at("pooling."), features) if kind == "attention" else Pooling(kind)


def weighted_sum(weights: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Σ_t w_t h_t: (B, T) and (B, T, F) → (B, F), added up in float64."""
    return np.einsum("bt,btf->bf", weights, h, dtype=np.float64, casting="same_kind").astype(np.float32)


def max_of_steps(x: np.ndarray, mask: np.ndarray | None, size: int) -> tuple[np.ndarray, np.ndarray | None]:
    """The largest of each feature over every `size` steps, the last few as they are, and which of these count.

    x (B, T, F) and mask (B, T) bool or None → (B, ⌈T / size⌉, F) and its mask, None where all count. A group of steps
    counts where one of its steps does, and only these are looked at; a group that doesn't count gives zeros.

    >>> max_of_steps(np.array([[[1.0], [5.0], [3.0]]], dtype=np.float32), None, 2)[0].flatten().tolist()
    [5.0, 3.0]
    """
    if size == 1:
        return x, mask
    size = min(size, max(1, x.shape[1]))  # a larger one makes the same single group, padded to its full size
    behind = -x.shape[1] % size
    if mask is not None:
        x = np.where(mask[:, :, None], x, _LOWEST)
        mask = np.asarray(np.pad(mask, ((0, 0), (0, behind))).reshape(len(x), -1, size).any(axis=2))
    if behind:
        x = np.pad(x, ((0, 0), (0, behind), (0, 0)), constant_values=-np.inf)
    y = x.reshape(len(x), x.shape[1] // size, size, x.shape[2]).max(axis=2)
    return (y, None) if mask is None else (np.where(mask[:, :, None], y, _NOTHING), mask)


def _mean(h: np.ndarray, count: int | np.ndarray) -> np.ndarray:
    """The sum over the steps divided by a count; in float64, as rows added one after the other lose digits."""
    return (h.sum(axis=1, dtype=np.float64) / count).astype(np.float32)


def _last(h: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    if mask is None:
        return h[:, -1].copy()
    last = (mask * np.arange(1, h.shape[1] + 1)).max(axis=1, initial=0)  # 0 for a row without a counted step
    picked = h[np.arange(len(h)), np.maximum(last - 1, 0)]
    return np.where(last[:, None] > 0, picked, _NOTHING)
