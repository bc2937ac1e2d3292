"""Panels with series that are too short for some of the models, or begin after the training rows."""

from __future__ import annotations

import numpy as np

from seqloom import Panel
from seqloom.tasks.forecast import compare_forecasters


def ending_together(lengths: dict[str, int], seed: int = 7) -> Panel:
    """Monthly series of those lengths by name, which all end with the same month."""
    rng = np.random.default_rng(seed)
    end, values, times, names = np.datetime64("2024-06", "M"), [], [], []
    for number, (name, length) in enumerate(lengths.items()):
        months = end - np.arange(length)[::-1]
        wave = np.sin(2 * np.pi * months.astype(int) / 12 + number)
        values.append(10.0 ** (1 + number % 3) * (5 + wave + 0.2 * rng.normal(size=length)))
        times.append(months.astype("M8[us]"))
        names += [name] * length
    every = np.concatenate(values)[:, None]
    return Panel.from_numpy(every, ["sales"], time=np.concatenate(times), id=np.array(names))


def test_series_that_begin_after_the_training_rows_warn_of_nothing() -> None:
    panel = ending_together({"a": 90, "b": 80, "c": 20, "d": 24})
    run = compare_forecasters(panel, None, {"horizon": 3, "split": (60, 12)}, target="sales", preset="fast")
    assert np.isfinite(run.table.values).all()
