"""A sequence as the report draws it: its channels' names and at most 400 of its steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqloom_runtime.data.sequences import Sequences

__all__ = ["series_of", "shown_steps"]

_MOST_STEPS = 400
_MOST_CHANNELS = 8


def shown_steps(length: int) -> np.ndarray:
    """At most 400 step numbers of `length`, evenly spread, the ends among them."""
    if length <= _MOST_STEPS:
        return np.arange(length)
    return np.arange(_MOST_STEPS) * (length - 1) // (_MOST_STEPS - 1)


def series_of(sequences: Sequences, number: int) -> dict[str, Any]:
    """{"names" [C], "values" [[T] × C]} of one sequence: at most 400 steps of at most 8 channels."""
    values = sequences[number]
    kept = values[shown_steps(len(values)), :_MOST_CHANNELS].astype(np.float64)
    return {"names": list(sequences.channels[:_MOST_CHANNELS]), "values": kept.T.tolist()}
