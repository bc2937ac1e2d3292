"""Several rows put together to one: those of one step of a coarser grid, or those that share a time."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import numpy as np

from ..errors import DataError, SettingError, shown, suggest
from .durations import MICROSECONDS, parse_duration
from .frequency import DAY, Frequency
from .zones import instants_to_wall, wall_to_instants

__all__ = ["HOW", "grouped", "hows", "hows_of_words", "step_grid"]

HOW = ("mean", "sum", "last", "first", "min", "max")
_MONDAY = 4  # 1970-01-05, in days since 1970-01-01


def hows(how: str | Mapping[str, str], names: Sequence[str], setting: str, allowed: Sequence[str] = HOW) -> list[str]:
    """How the rows of each column are put together: one word for all, or "mean,load=sum" or a mapping by column (the
    others by mean).

    Raises SettingError for another word or an unknown column.

    >>> hows("mean,rain=sum", ["load", "rain"], "aggregate")
    ['mean', 'sum']
    """
    if isinstance(how, str):
        pieces = [piece.strip() for piece in how.split(",")]
        default = [piece for piece in pieces if "=" not in piece]
        chosen = {name.strip(): word.strip() for name, _, word in (p.rpartition("=") for p in pieces if "=" in p)}
        if len(default) > 1:
            raise SettingError(f"{setting}: expected one of {', '.join(allowed)}, or column=word, got {shown(how)}.")
        rest = default[0] if default else "mean"
    elif isinstance(how, Mapping):
        chosen, rest = {str(name): str(word) for name, word in how.items()}, "mean"
    else:
        raise SettingError(f"{setting}: expected one of {', '.join(allowed)}, or one by column, got {shown(how)}.")
    for name in chosen:
        if name not in names:
            raise SettingError(f"{setting}: no column is named {shown(name)}.{suggest(name, names)}")
    found = [chosen.get(name, rest) for name in names]
    for word in found:
        if word not in allowed:
            raise SettingError(
                f"{setting}: expected one of {', '.join(allowed)}, got {shown(word)}.{suggest(word, allowed)}"
            )
    return found


def hows_of_words(how: Sequence[str], names: Sequence[str], words: Container[str]) -> list[str]:
    """How the rows of each column are put together where some hold words, which have no mean: by their last, or their
    first where that is asked for.

    >>> hows_of_words(["mean", "mean"], ["load", "day"], {"day": ("Mon",)})
    ['mean', 'last']
    """
    return ["last" if name in words and word not in ("first", "last") else word for name, word in zip(names, how)]


def grouped(values: np.ndarray, starts: np.ndarray, how: Sequence[str]) -> np.ndarray:
    """The rows (R, F) of groups that begin at `starts` (G,), put together column by column as (G, F); missing values
    are left out, and a group of nothing else is missing.

    >>> grouped(np.array([[1.0, 1.0], [3.0, 3.0], [5.0, 5.0]]), np.array([0, 2]), ["mean", "sum"]).tolist()
    [[2.0, 4.0], [5.0, 5.0]]
    """
    found = np.full((len(starts), values.shape[1]), np.nan)
    rows = np.arange(len(values))
    for column, word in enumerate(how):
        cells = values[:, column]
        known = ~np.isnan(cells)
        count = np.add.reduceat(known.astype(np.int64), starts)
        some = count > 0
        if word in ("mean", "sum"):
            total = np.add.reduceat(np.where(known, cells, 0.0), starts)
            found[some, column] = (total / np.maximum(count, 1) if word == "mean" else total)[some]
        elif word in ("min", "max"):
            found[:, column] = (np.fmin if word == "min" else np.fmax).reduceat(cells, starts)
        elif word == "first":
            place = np.minimum.reduceat(np.where(known, rows, len(rows)), starts)
            found[some, column] = cells[place[some]]
        else:
            place = np.maximum.reduceat(np.where(known, rows, -1), starts)
            found[some, column] = cells[place[some]]
    return found


def step_grid(step: str, micros: np.ndarray, zone: str | None) -> Frequency:
    """The grid of steps such as "10min", "1h", "1d", "1w" or "1mo" that times (N,) int64 µs are put together on: from
    midnight, Monday, or the first of a month, quarter or year, by the wall clock.

    Raises SettingError for what is no such step.
    """
    parsed = parse_duration(step, "resample")
    if isinstance(parsed, int):
        raise SettingError(f"resample: expected a step such as '10min', '1h', '1d', '1w' or '1mo', got {shown(step)}.")
    amount, unit = parsed
    wall = instants_to_wall(np.array([micros.min()]), zone)
    day = int(wall[0]) // DAY
    months = {"mo": 1, "q": 3, "y": 12}.get(unit)
    size = None if months is None else amount * months
    if unit in MICROSECONDS:
        size = amount * MICROSECONDS[unit]
    if size is None or size.denominator != 1:
        raise SettingError(
            f"resample: expected a whole number of minutes, hours, days, weeks or months, got {shown(step)}."
        )
    if months is not None:
        first = int(np.array([day]).astype("M8[D]").astype("M8[M]").astype(np.int64)[0])
        first -= first % int(size) if 12 % int(size) == 0 or int(size) % 12 == 0 else 0
        start = int(np.array([first]).astype("M8[M]").astype("M8[D]").astype(np.int64)[0])
        return Frequency("month", int(size), start * DAY, 1, zone)
    if size % DAY == 0:
        days = int(size) // DAY
        start = day - (day - _MONDAY) % 7 if days % 7 == 0 else day
        return Frequency("day", days, start * DAY, zone=zone)
    return Frequency("fixed", int(size), int(wall_to_instants(np.array([day * DAY]), zone)[0]), zone=zone)


def refuse_finer(step: str, label: str, tick: np.ndarray, series: np.ndarray, source: str) -> None:
    """Raise DataError where a grid is finer than the rows, whose steps would mostly be gaps."""
    order = np.lexsort((tick, series))
    steps = np.diff(tick[order])[np.diff(series[order]) == 0]
    if len(steps) and np.median(steps) > 1:
        raise DataError(
            f"{source}: resample={step!r} makes one row every {label}, but most rows lie "
            f"{int(np.median(steps))} such steps apart; give a longer step."
        )
