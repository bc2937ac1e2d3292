"""What a forecast gives: rows of series and steps, as columns, as a file, and side by side for several targets."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..data import Panel
from ..data.wide import Wide
from ..tables import time_text, write_columns, write_parquet

__all__ = ["ForecastTable", "wide_names"]


@dataclass(frozen=True, eq=False)
class ForecastTable:
    """Forecasts as columns: one row per series and step.

    `ids` (N,) names, `times` (N,) datetime64[us] (UTC instants where the data has a zone) or row numbers, `values` (N,)
    float64, `bounds` level → (low (N,), high (N,)), NaN past the calibrated horizon; `notes` say what a reader should
    know. Of several series one that can't be forecast has NaN values, and a note says why. `wide`: of several targets,
    what their series are; `columns` then holds them side by side. `sample` (N,): of sample paths, which row is of
    which.
    """

    ids: np.ndarray
    times: np.ndarray
    values: np.ndarray
    bounds: dict[str, tuple[np.ndarray, np.ndarray]]
    notes: tuple[str, ...] = ()
    wide: Wide | None = None
    sample: np.ndarray | None = None

    @classmethod
    def empty(cls, panel: Panel, levels: Iterable[str] = (), *notes: str) -> ForecastTable:
        """A table without rows, whose times are of the panel's kind."""
        none = np.empty(0)
        times = np.empty(0, np.int64 if panel.time is None else "M8[us]")
        return cls(np.empty(0, object), times, none, dict.fromkeys(levels, (none, none)), notes, panel.wide)

    def write_csv(self, path: str | os.PathLike[str], target: str, zone: str | None) -> None:
        """Write id, time, the forecast under the target's name, and a low and a high column per level.

        Of several targets these columns of each, side by side; the id only where the table named series of its own.
        """
        columns = self.columns(target)
        columns["time"] = np.array(time_text(columns["time"], zone), dtype=object)
        write_columns(path, columns)

    def write_parquet(self, path: str | os.PathLike[str], target: str, zone: str | None) -> None:
        """Write the columns of `write_csv` as a Parquet file, times as such."""
        write_parquet(path, self.columns(target), zone)

    def columns(self, target: str, *, id: str | None = "id", time: str = "time") -> dict[str, np.ndarray]:
        """The table as named columns in the order of `forecast.csv`; without `id` there is no such column.

        The forecast is named after the target, or `forecast` where the target has the name of another column here. Of
        several targets: the forecast and the bounds of each by `wide_names`, one row per series of the table and time,
        NaN where a target has no forecast for that time.
        """
        if self.wide is not None:
            return self._side_by_side(self.wide, id, time)
        sides = {f"{side}_{level}" for level in self.bounds for side in ("low", "high")}
        drawn = {} if self.sample is None else {"sample": self.sample}
        taken = {id, time, *sides, *drawn}
        if target in taken:
            target = next(name for name in ("forecast", "forecast_", "forecast__") if name not in taken)
        table: dict[str, np.ndarray] = {} if id is None else {id: self.ids}
        table |= {time: self.times, **drawn, target: self.values}
        for level, (low, high) in self.bounds.items():
            table |= {f"low_{level}": low, f"high_{level}": high}
        return table

    def _side_by_side(self, wide: Wide, id: str | None, time: str) -> dict[str, np.ndarray]:
        parts = [wide.parts(name) for name in self.ids]
        place = np.array([wide.targets.index(target) for _, target in parts], dtype=np.int64)
        owners = {name: number for number, name in enumerate(dict.fromkeys(name for name, _ in parts))}
        owner = np.array([owners[name] for name, _ in parts], dtype=np.int64)
        drawn = np.zeros(len(owner), np.int64) if self.sample is None else self.sample
        rows = np.stack([owner, drawn, self.times.astype(np.int64)], axis=1)
        keys, first, row = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        row = row.reshape(-1)
        table: dict[str, np.ndarray] = {}
        if not wide.joined:
            id = None
        if id is not None:
            table[id] = np.array([list(owners)[number] for number in keys[:, 0]], dtype=object)
        table[time] = self.times[first]
        if self.sample is not None:
            table["sample"] = self.sample[first]
        names = wide_names(wide, list(self.bounds), {id, time, *({"sample"} if self.sample is not None else ())})
        sources = [self.values, *(side for bounds in self.bounds.values() for side in bounds)]
        for number, columns in enumerate(names):
            here = place == number
            for name, source in zip(columns, sources):
                table[name] = np.full(len(keys), np.nan)
                table[name][row[here]] = source[here]
        return table


def wide_names(wide: Wide, levels: Iterable[str], taken: Iterable[str | None]) -> list[list[str]]:
    """The names of each target's columns: itself, then `TARGET_low_80`, `TARGET_high_80` for each level.

    A name that another column has gets an underscore behind it.
    """
    sides = [f"_{side}_{level}" for level in levels for side in ("low", "high")]
    used = {*taken}
    found: list[list[str]] = [[] for _ in wide.targets]
    for ends in ([""], sides):  # the targets' own names first
        for columns, target in zip(found, wide.targets):
            for end in ends:
                name = f"{target}{end}"
                while name in used:
                    name += "_"
                used.add(name)
                columns.append(name)
    return found
