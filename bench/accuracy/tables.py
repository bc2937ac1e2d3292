"""The data, and the windows that every method forecasts: made in one place, so that nobody is scored on other rows.

A `Table` is a file as its owner has it (header and lines in their own order) and its target as numbers. `before` writes
the rows up to an origin in the same form; rows behind the origin are given to no method, and come back only as `truth`.
"""

from __future__ import annotations

import csv
import gzip
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "SMALL",
    "TOLD",
    "Small",
    "Table",
    "Window",
    "data_folder",
    "etth2",
    "jena",
    "m4_weekly",
    "read_table",
    "small_table",
]

ORIGINS = 5  # rolling origins over the last two seasons
ETTH2_PARTS = (8640, 2880, 2880)  # train, validation and test rows: 12, 4 and 4 months of 30 days


@dataclass(frozen=True)
class Small:
    """A small table: its file, its target, its season in rows (1: none), the horizon in rows.

    told: the times don't tell the season, so whoever forecasts is told it.
    """

    file: str
    target: str
    season: int
    horizon: int
    newest_first: bool = False
    told: bool = False


SMALL = {
    "a10": Small("forecasting/a10.csv.gz", "value", 12, 12),
    "ausbeer": Small("forecasting/ausbeer.csv.gz", "Y", 4, 4),
    "austa": Small("forecasting/austa.csv.gz", "value", 1, 4),
    "australian_tourism": Small("forecasting/australian_tourism.csv.gz", "Total", 1, 12),
    "elecequip": Small("forecasting/elecequip.csv.gz", "value", 12, 12),
    "exchange_rate": Small("forecasting/exchange_rate.csv.gz", "0", 1, 12),
    "heart_rate": Small("forecasting/heart_rate.csv.gz", "Heart rate", 1, 12),
    "monthly-milk": Small("forecasting/monthly-milk.csv.gz", "Pounds per cow", 12, 12),
    "taylor": Small("forecasting/taylor.csv.gz", "Y", 1, 12),
    "us_gasoline": Small("forecasting/us_gasoline.csv.gz", "Gasoline", 52, 52, newest_first=True),
    "wineind": Small("forecasting/wineind.csv.gz", "Y", 12, 12),
    "woolyrnq": Small("forecasting/woolyrnq.csv.gz", "Y", 4, 4),
    "co2": Small("co2", "co2", 52, 52),
    "air_passengers": Small("classic_series/AirPassengers.csv", "#Passengers", 12, 12),
    "sunspots": Small("classic_series/monthly-sunspots.csv", "Sunspots", 12, 12),
}
"""The twelve small tables, CO2, air passengers and sunspots. The horizon is a season of the frequency that the times
tell, 12 rows where they tell none (a table without times, its season known to nobody), and 4 of austa's years."""

TOLD = {
    "australian_tourism, season 4": Small("forecasting/australian_tourism.csv.gz", "Total", 4, 4, told=True),
    "taylor, season 48": Small("forecasting/taylor.csv.gz", "Y", 48, 48, told=True),
}
"""Tables without times once more, with the season that their owner knows: peers are told it, ours by `--season`."""


@dataclass(frozen=True)
class Window:
    """One forecast to be made: from the rows before `origin` of the rows `origin` to `origin + horizon`, excluded."""

    origin: int
    horizon: int

    @property
    def name(self) -> str:
        """The window as the file of results names it."""
        return f"{self.origin}+{self.horizon}"


@dataclass(frozen=True)
class Table:
    """A table in time order: its header and lines as text, its target (N,) float64 with NaN where it is missing."""

    name: str
    header: str
    lines: list[str] = field(repr=False)
    values: np.ndarray = field(repr=False)
    target: str
    newest_first: bool = False

    def before(self, origin: int, path: Path) -> Path:
        """Write the rows before `origin`, as their owner would have had them then."""
        lines = self.lines[:origin]
        if self.newest_first:
            lines = lines[::-1]
        path.write_text("\n".join([*([self.header] if self.header else []), *lines]) + "\n", encoding="utf-8")
        return path

    def history(self, origin: int) -> np.ndarray:
        """The target before `origin`, gaps bridged by a line, as peers that can't read gaps get it."""
        values = self.values[:origin]
        known = np.isfinite(values)
        return np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])

    def truth(self, window: Window) -> np.ndarray:
        """What came: (horizon,), NaN where it was not measured."""
        return self.values[window.origin : window.origin + window.horizon]


def rolling(rows: int, horizon: int, count: int = ORIGINS) -> list[Window]:
    """`count` origins spread evenly over the last two horizons; the last one's window ends with the table.

    >>> [window.origin for window in rolling(100, 12)]
    [76, 79, 82, 85, 88]
    """
    first = rows - 2 * horizon
    return [Window(first + round(k * horizon / (count - 1)), horizon) for k in range(count)]


def data_folder(given: str | None = None) -> Path:
    """The folder of the data sets: as given, as SEQLOOM_DATA names it, or ../shared/data."""
    return Path(given or os.environ.get("SEQLOOM_DATA", "../shared/data"))


def read_table(path: Path, name: str, target: str, *, newest_first: bool = False) -> Table:
    """Read a CSV file; raises ValueError where the target is no column of it."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    lines = [line for line in raw.decode("utf-8-sig").splitlines() if line.strip()]
    header, lines = lines[0], lines[1:]
    names = next(csv.reader([header]))
    if target not in names:
        raise ValueError(f"{path.name}: expected a column {target!r}, got {', '.join(names)}.")
    place = names.index(target)
    cells = [row[place] for row in csv.reader(lines)]
    values = np.array([float(cell) if cell.strip() else np.nan for cell in cells])
    if newest_first:
        lines, values = lines[::-1], values[::-1].copy()
    return Table(name, header, lines, values, target, newest_first)


def small_table(name: str, folder: Path) -> tuple[Table, list[Window]]:
    """One of `SMALL` or `TOLD`, and its five windows."""
    entry = {**SMALL, **TOLD}[name]
    if entry.file == "co2":
        table = _co2()
    else:
        table = read_table(folder / entry.file, name, entry.target, newest_first=entry.newest_first)
    return table, rolling(len(table.values), entry.horizon)


def _co2() -> Table:
    """The weekly series that statsmodels bundles, its missing weeks as empty cells."""
    from statsmodels.datasets import co2

    frame: Any = co2.load_pandas().data
    values = frame["co2"].to_numpy(dtype=float)
    cells = ["" if np.isnan(value) else repr(float(value)) for value in values]
    times = [time.date().isoformat() for time in frame.index]
    return Table("co2", "date,co2", [f"{time},{cell}" for time, cell in zip(times, cells)], values, "co2")


def m4_weekly(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """M4 weekly: training rows (80 to 2,597) and the 13 test rows of each of the 359 series, by name."""
    parts = []
    for part in ("train", "test"):
        text = gzip.decompress((folder / "forecasting" / f"m4_weekly_{part}.csv.gz").read_bytes()).decode()
        rows = list(csv.reader(text.splitlines()))[1:]
        parts.append({row[0]: np.array([float(cell) for cell in row[1:] if cell]) for row in rows})
    train, test = parts
    assert list(train) == list(test)
    return train, test


def etth2(folder: Path) -> Table:
    """The first 14,400 rows of ETTh2 with `OT` alone: 8,640 to train on, 2,880 to validate, 2,880 to test."""
    return _one_column(read_table(folder / "forecasting" / "etth2.csv.gz", "etth2", "OT"), "date", sum(ETTH2_PARTS))


def jena(folder: Path) -> Table:
    """Temperature in Jena, 2020, with the other 13 columns: the rows of full hours, each hour once."""
    table = read_table(folder / "jena" / "jena_climate_2020.csv.gz", "jena", "T (degC)")
    hours: dict[str, int] = {}
    for row, line in enumerate(table.lines):
        time = line.partition(",")[0]
        if time.endswith(":00:00"):
            hours.setdefault(time, row)
    kept = list(hours.values())
    return replace(table, lines=[table.lines[row] for row in kept], values=table.values[kept])


def _one_column(table: Table, time: str, rows: int) -> Table:
    names = next(csv.reader([table.header]))
    places = names.index(time), names.index(table.target)
    cells = [[row[place] for place in places] for row in csv.reader(table.lines[:rows])]
    return Table(
        table.name, f"{time},{table.target}", [",".join(row) for row in cells], table.values[:rows], table.target
    )
