"""A small forecaster for tests of the server, with its table and what it says."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import seqloom

LOOKBACK, HORIZON = 12, 3


@dataclass(frozen=True)
class Fitted:
    """A forecaster, its folder, and the table that it was fitted on."""

    model: Any
    folder: Path
    table: pl.DataFrame

    def windows(self, count: int) -> np.ndarray:
        """(count, L, 1) windows of the table, each from another row."""
        values = self.table["y"].to_numpy()
        return np.stack([values[at : at + LOOKBACK, None] for at in range(count)])

    def truth(self, count: int) -> np.ndarray:
        """(count, K) what `predict` says behind each of these windows."""
        found = [self.model.predict(self.table[at : at + LOOKBACK])["y"].to_numpy() for at in range(count)]
        return np.stack(found)

    def csv(self, rows: int) -> str:
        """The last rows of the table."""
        return self.table[-rows:].write_csv()


def fitted_in(folder: Path, seed: int = 0) -> Fitted:
    """A small GRU forecaster of an hourly table, saved."""
    rng = np.random.default_rng(0)
    first = datetime.datetime(2024, 1, 1)
    times = [first + datetime.timedelta(hours=at) for at in range(240)]
    values = 10 + np.sin(np.arange(240) * np.pi / 12) + rng.normal(scale=0.1, size=240)
    table = pl.DataFrame({"time": times, "y": values})
    model = seqloom.Forecaster(model="gru", units=4, lookback=LOOKBACK, horizon=HORIZON, epochs=1, seed=seed)
    model.fit(table, target="y", time="time").save(folder)
    return Fitted(model, folder, table)
