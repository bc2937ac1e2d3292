"""Sequences that are made: the adding problem and the copy memory task, benchmarks of how far back a model can look.

Settings as in Bai, Kolter and Koltun, arXiv 1803.01271; the tasks: Hochreiter and Schmidhuber 1997; Arjovsky, Shah
and Bengio 2016.
"""

from __future__ import annotations

import math

import numpy as np

from ...errors import SettingError, shown
from ...limits import need_memory

__all__ = ["COPY_DIGITS", "adding_floor", "adding_problem", "copy_floor", "copy_memory"]

COPY_DIGITS = 10  # to be remembered
_KINDS = 8  # of digits
_BYTES = 12  # of a step, with its label


def adding_problem(count: int, steps: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """`count` sequences of the adding problem: x (N, T, 2) float32 and y (N,) float32.

    Channel 0 is uniform in [0, 1); channel 1 marks one step of each half with 1, the others with 0; y is the sum of the
    two marked values. Answering 1 throughout has the mean squared error 1/6. Raises SettingError below 2 steps.

    >>> x, y = adding_problem(3, 10)
    >>> x.shape, bool(np.allclose((x[:, :, 0] * x[:, :, 1]).sum(axis=1), y)), x[:, :, 1].sum(axis=1)
    ((3, 10, 2), True, array([2., 2., 2.], dtype=float32))
    """
    rng = _generator(count, steps, 2, seed)
    x = np.zeros((count, steps, 2), dtype=np.float32)
    x[:, :, 0] = rng.random((count, steps), dtype=np.float32)
    half, rows = steps // 2, np.arange(count)
    marks = rng.integers(0, half, count), rng.integers(half, steps, count)
    for mark in marks:
        x[rows, mark, 1] = 1.0
    return x, x[rows, marks[0], 0] + x[rows, marks[1], 0]


def adding_floor() -> float:
    """The mean squared error of answering 1 to every sequence: the variance of the sum of two uniforms, 1/6."""
    return 1 / 6


def copy_memory(count: int, delay: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """`count` sequences of the copy memory task: x (N, T + 20, 1) float32, a label at every step y (N, T + 20) int64.

    x holds ten digits from 1 to 8, `delay` − 1 zeros (T is `delay`), and eleven 9s, of which the first asks for the
    digits; y is 0 but for its last ten steps, which repeat the digits. Raises SettingError below a delay of 1.

    >>> x, y = copy_memory(1, 3)
    >>> x.shape, (x[0, :10, 0] == y[0, -10:]).all(), x[0, 10:, 0].astype(int).tolist()
    ((1, 23, 1), np.True_, [0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9])
    """
    rng = _generator(count, delay, 1, seed)
    steps = delay + 2 * COPY_DIGITS
    digits = rng.integers(1, _KINDS + 1, (count, COPY_DIGITS))
    x = np.zeros((count, steps, 1), dtype=np.float32)
    x[:, :COPY_DIGITS, 0] = digits
    x[:, -COPY_DIGITS - 1 :] = _KINDS + 1
    y = np.zeros((count, steps), dtype=np.int64)
    y[:, -COPY_DIGITS:] = digits
    return x, y


def copy_floor(delay: int) -> float:
    """The cross-entropy, mean over all steps, of a model that has no memory and guesses: 10·ln 8 / (T + 20)."""
    return COPY_DIGITS * math.log(_KINDS) / (delay + 2 * COPY_DIGITS)


def _generator(count: int, steps: int, least: int, seed: int) -> np.random.Generator:
    for name, value, lowest in (("count", count, 1), ("steps", steps, least), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < lowest:
            raise SettingError(f"{name}: expected a whole number of at least {lowest}, got {shown(value)}.")
    need_memory(
        _BYTES * count * steps, f"steps: {shown(count)} sequences of {shown(steps)}", "Make fewer or shorter ones."
    )
    return np.random.Generator(np.random.Philox(key=int(seed)))
