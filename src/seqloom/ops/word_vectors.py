"""Steps of word vectors, one example after another: the readable NumPy version and the dispatch to its native twin.

word2vec by negative sampling (Mikolov et al. 2013, arXiv 1310.4546) and GloVe (Pennington et al. 2014). Each step
changes the few rows that its example names, so no optimizer ever touches the rest of the tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqloom_runtime import native
from seqloom_runtime.errors import BackendError, DataError, SettingError

__all__ = ["glove_steps", "glove_steps_numpy", "negative_sampling", "negative_sampling_numpy"]


def negative_sampling(
    inside: np.ndarray,
    outside: np.ndarray,
    inputs: np.ndarray,
    starts: np.ndarray,
    targets: np.ndarray,
    rate: float,
    *,
    backend: str = "auto",
) -> float:
    """Take a gradient step for each example, in order, in place; returns the sum of the losses before their steps.

    inside, outside: (V, D) float32. inputs: (M,) int32 rows of `inside`, of which example n owns those from starts[n]
    to before starts[n + 1]; h is their mean. targets: (N, 1 + K) int32 rows of `outside`, the right one first. The
    loss of an example is −log σ(h·o) of the right one and −log σ(−h·o) of the K others; one that equals the right one
    is passed over, and so is an example without inputs. backend: "auto", "native" or "numpy".

    Raises DataError for a row that the tables don't have, SettingError for wrong shapes and types, BackendError where
    the native module was asked for and isn't there.

    >>> inside, outside = np.ones((2, 1), np.float32), np.zeros((2, 1), np.float32)
    >>> one = np.zeros(1, np.int32)
    >>> round(negative_sampling(inside, outside, one, np.array([0, 1]), np.array([[1, 0]], np.int32), 1.0), 4)
    1.3863
    >>> outside[:, 0].tolist(), inside[:, 0].tolist()
    ([-0.5, 0.5], [1.0, 1.0])
    """
    starts = np.ascontiguousarray(starts, dtype=np.int64)
    _check_tables(inside=inside, outside=outside)
    count = len(targets)
    shapes = inputs.ndim == 1 and targets.ndim == 2 and targets.shape[1] and starts.shape == (count + 1,)
    if not shapes or starts[0] != 0 or starts[-1] != len(inputs) or (np.diff(starts) < 0).any():
        raise SettingError("starts: expected ascending places in inputs from 0, one more than rows of targets.")
    inputs, targets = _rows("inputs", inputs, len(inside)), _rows("targets", targets, len(inside))
    kernel = _kernel("negative_sampling", backend)
    step = negative_sampling_numpy if kernel is None else kernel
    return float(step(inside, outside, inputs, starts, targets, float(rate)))


def negative_sampling_numpy(
    inside: np.ndarray, outside: np.ndarray, inputs: np.ndarray, starts: np.ndarray, targets: np.ndarray, rate: float
) -> float:
    """The reference of `negative_sampling`, which has checked its arguments."""
    loss = 0.0
    for n, own in enumerate(targets):
        read = inputs[starts[n] : starts[n + 1]]
        if not len(read):
            continue
        hidden = inside[read].mean(axis=0)
        step = np.zeros_like(hidden)
        for place, target in enumerate(own.tolist()):
            if place and target == own[0]:
                continue
            score = float(hidden @ outside[target])
            sign = -1.0 if place else 1.0
            loss += float(np.logaddexp(0.0, -sign * score))
            scale = np.float32(rate * sign / (1.0 + np.exp(sign * score)))  # rate times (label − σ(score))
            step += scale * outside[target]
            outside[target] += scale * hidden
        np.add.at(inside, read, step / np.float32(len(read)))  # a word may stand in a window twice
    return loss


def glove_steps(
    word: np.ndarray,
    context: np.ndarray,
    word_squares: np.ndarray,
    context_squares: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    logs: np.ndarray,
    weights: np.ndarray,
    rate: float,
    *,
    backend: str = "auto",
) -> float:
    """Take an AdaGrad step for each example, in order, in place; returns the sum of the losses before their steps.

    word, context: (V, D + 1) float32, vectors with their bias behind them; word_squares, context_squares: the same
    shape, sums of the squares of rate times gradient, which start at 1. Example n has the loss
    weights[n]·(w·c + b_w + b_c − logs[n])² / 2, w and c being the rows left[n] and right[n] (each (N,)). backend and
    errors as `negative_sampling`.
    """
    _check_tables(word=word, context=context, word_squares=word_squares, context_squares=context_squares)
    if left.ndim != 1 or not left.shape == right.shape == logs.shape == weights.shape:
        raise SettingError("left, right, logs, weights: expected four arrays (N,) of one length.")
    left, right = _rows("left", left, len(word)), _rows("right", right, len(word))
    logs, weights = (np.ascontiguousarray(values, dtype=np.float32) for values in (logs, weights))
    kernel = _kernel("glove", backend)
    step = glove_steps_numpy if kernel is None else kernel
    return float(step(word, context, word_squares, context_squares, left, right, logs, weights, float(rate)))


def glove_steps_numpy(
    word: np.ndarray,
    context: np.ndarray,
    word_squares: np.ndarray,
    context_squares: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    logs: np.ndarray,
    weights: np.ndarray,
    rate: float,
) -> float:
    """The reference of `glove_steps`, which has checked its arguments."""
    loss = 0.0
    for i, j, log, weight in zip(left.tolist(), right.tolist(), logs, weights, strict=True):
        w, c, w2, c2 = word[i], context[j], word_squares[i], context_squares[j]
        error = float(w[:-1] @ c[:-1] + w[-1] + c[-1] - log)
        loss += 0.5 * float(weight) * error**2
        scale = np.float32(rate * float(weight) * error)
        own, other = scale * np.append(c[:-1], np.float32(1)), scale * np.append(w[:-1], np.float32(1))
        w -= own / np.sqrt(w2)
        c -= other / np.sqrt(c2)
        w2 += own**2
        c2 += other**2
    return loss


def _check_tables(**tables: np.ndarray) -> None:
    shape = next(iter(tables.values())).shape
    for name, table in tables.items():
        good = table.dtype == np.float32 and table.flags.c_contiguous and table.flags.writeable
        if not good or table.ndim != 2 or table.shape != shape or table.shape[1] < 1:
            raise SettingError(
                f"{name}: expected a writeable C-contiguous float32 table of one shape with the others, got "
                f"{table.dtype} of {table.shape}."
            )


def _rows(name: str, rows: np.ndarray, limit: int) -> np.ndarray:
    rows = np.ascontiguousarray(rows, dtype=np.int32)
    if rows.size and not (rows.min() >= 0 and rows.max() < limit):
        raise DataError(f"{name}: expected rows from 0 to {limit - 1}, got {rows.min()} to {rows.max()}.")
    return rows


def _kernel(name: str, backend: str) -> Any:
    if backend not in ("auto", "native", "numpy"):
        raise SettingError(f"backend: expected 'auto', 'native' or 'numpy', got {backend!r}.")
    kernel = None if backend == "numpy" else getattr(native.module(), name, None)
    if backend == "native" and kernel is None:
        raise BackendError(
            "backend: the native steps can't be used, as it was installed without its native module; use "
            "backend='auto'."
        )
    return kernel
