"""Frames written by a model of yes-or-no answers whose answers are the next step's channels: music, key by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, SettingError, shown
from ..settings import check_whole

if TYPE_CHECKING:
    from .predictors import FramePredictor

__all__ = ["LONGEST", "compose"]

LONGEST = 100_000  # steps that are written at once


def compose(model: FramePredictor, prompt: Any, length: int, temperature: float, seed: int) -> np.ndarray:
    """`length` frames (length, K) uint8 of 0 and 1 that follow `prompt` (T, K), of a silent frame where it is None.

    Each answer is drawn with the probability σ(o / temperature); 0 takes those above one half. Raises SettingError for
    a model that can't write and for values out of range, DataError for a prompt of another shape.
    """
    check_whole("length", length, 0, LONGEST)
    check_whole("seed", seed, 0, 2**63 - 1)
    number = isinstance(temperature, (int, float)) and not isinstance(temperature, bool)
    if not number or not 0 <= temperature < np.inf:
        raise SettingError(f"temperature: expected a number of at least 0, got {shown(temperature)}.")
    width = model.coding.outputs
    if len(model.channels) != width:
        raise SettingError(
            f"generate: the model answers {width} questions about {len(model.channels)} channels; only one whose "
            "answers are the next step's channels can go on from them."
        )
    start = np.zeros((1, width), dtype=np.float32) if prompt is None else np.asarray(prompt, dtype=np.float32)
    if start.ndim != 2 or start.shape[1] != width or not len(start) or not np.isin(start, (0, 1)).all():
        raise DataError(f"prompt: expected frames (T, {width}) of 0 and 1, got shape {start.shape}.")
    step, random = model.model.stepper(), np.random.default_rng(int(seed))
    logits = np.zeros(width)
    for frame in start:
        logits = step(frame)
    written = np.zeros((int(length), width), dtype=np.uint8)
    for number in range(int(length)):
        written[number] = random.random(width) < _probabilities(logits, float(temperature))
        logits = step(written[number].astype(np.float32))
    return written


def _probabilities(logits: np.ndarray, temperature: float) -> np.ndarray:
    if temperature == 0:
        return (logits > 0).astype(np.float64)
    with np.errstate(over="ignore"):  # the tiniest temperatures leave 0 and 1
        return 0.5 * (1.0 + np.tanh(0.5 * logits / temperature))
