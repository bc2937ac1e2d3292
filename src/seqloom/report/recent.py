"""The known rows of short series in data.json, which the chart of the forecast begins with."""

from __future__ import annotations

import numpy as np

from seqloom_runtime.data.times import parse_texts

from .saved import SavedRun

__all__ = ["recent_of"]


def recent_of(run: SavedRun, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Times (N,) as in `Predictions.time`, and actual values (N,), of the series `name`; empty where none are kept.

    Raises ValueError where the file holds something else.
    """
    for held in run.data.get("recent", ()):
        if held["id"] == name:
            values = np.array(held["actual"], dtype=np.float64)
            if not run.predictions.timed:
                return np.array(held["time"], dtype=np.float64), values
            moments = parse_texts([str(text) for text in held["time"]])
            if len(moments.bad) or len(moments.values) != len(values):
                raise ValueError("expected a time for each value under 'recent' of data.json")
            return moments.values / 1000, values
    return np.zeros(0), np.zeros(0)
