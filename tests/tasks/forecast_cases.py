"""Small tables and settings for the tests of the forecaster."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from seqloom import Forecaster, Panel
from seqloom.data import Frequency
from seqloom.diagnostics import BASELINES
from seqloom.tasks.forecast.network import NETWORKS
from seqloom.tasks.forecast.windowed import ForecastData

MODELS = (*NETWORKS, *BASELINES)


def swept(models: Iterable[str]) -> list[Any]:
    """Each model as a parameter of a test; of those on logarithms of another, one in the fast selection."""
    again = {name for name in models if name.startswith("log-")} - {"log-auto-ets"}
    return [pytest.param(name, marks=pytest.mark.deep) if name in again else name for name in models]


SMALL: dict[str, Any] = {
    "lookback": 12,
    "horizon": 4,
    "season": 24,
    "epochs": 2,
    "units": 4,
    "batch_size": 32,
    "learning_rate": 0.01,
    "channels": (4, 3),
    "kernel_size": 2,
    "pool_size": 2,
}

# What the convolutional networks need to be built from a `NetworkSpec`.
CONVOLUTIONS: dict[str, dict[str, Any]] = {
    "conv": {"channels": (6, 4), "kernel_size": 2, "pool_size": 2},
    "conv-gru": {"channels": (4, 5), "kernel_size": 2, "pool_size": 2},
    "tcn": {"channels": (6, 6, 4), "kernel_size": 2},
}


def hours(count: int, start: str = "2024-01-01") -> np.ndarray:
    """(count,) datetime64[us], one an hour."""
    return (np.datetime64(start, "h") + np.arange(count)).astype("M8[us]")


def load_and_wind(rows: int = 240, seed: int = 5) -> np.ndarray:
    """(rows, 2): a daily cycle that leans on the second column, which is noise; all above zero."""
    rng = np.random.default_rng(seed)
    wind = rng.gamma(2.0, 2.0, rows)
    load = 50 + 10 * np.sin(2 * np.pi * np.arange(rows) / 24) - np.roll(wind, 1) + rng.normal(0, 1, rows)
    return np.stack([load, wind], axis=1)


def hourly(rows: int = 240, seed: int = 5, zone: str | None = None) -> Panel:
    """One series of hours with the columns load and wind."""
    return Panel.from_numpy(load_and_wind(rows, seed), ["load", "wind"], time=hours(rows), zone=zone)


def steps(values: Any, columns: list[str] | None = None) -> Panel:
    """A panel of row numbers without time."""
    return Panel.from_numpy(np.asarray(values, dtype=np.float64), columns, frequency=Frequency.steps())


def several(lengths: dict[str, int], seed: int = 3, columns: int = 1) -> Panel:
    """Series of those lengths by name, each with its own level and size, all beginning at the same hour."""
    rng = np.random.default_rng(seed)
    values, times, names = [], [], []
    for number, (name, length) in enumerate(lengths.items()):
        cycle = np.sin(2 * np.pi * np.arange(length) / 24 + number)
        block = 10.0 ** (number + 1) * (2 + cycle[:, None] + 0.1 * rng.normal(size=(length, columns)))
        values.append(block)
        times.append(hours(length))
        names += [name] * length
    names_of = [f"column_{i}" for i in range(columns)]
    return Panel.from_numpy(np.concatenate(values), names_of, time=np.concatenate(times), id=np.array(names))


def small(**parameters: Any) -> Forecaster:
    """A forecaster of the small settings."""
    return Forecaster(**{**SMALL, **parameters})


def with_values(panel: Panel, values: np.ndarray) -> Panel:
    """The panel with other values."""
    return dataclasses.replace(panel, values=values)


def moved(data: ForecastData, values: np.ndarray) -> ForecastData:
    """Prepared data with other values in its rows, its windows and its scaler as they were."""
    panel = with_values(data.panel, values)
    return dataclasses.replace(data, panel=panel, whole=panel)


def weights(forecaster: Forecaster) -> dict[str, bytes]:
    """The bits of a network's weights by name."""
    return {name: t.numpy().tobytes() for name, t in forecaster.learned_.network.state_dict().items()}
