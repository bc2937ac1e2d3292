"""The calendar as inputs: sine and cosine of the time of day, of the week and of the year, by the local wall clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError, SettingError, suggest
from .frequency import Frequency
from .zones import instants_to_wall

__all__ = ["CYCLES", "calendar_features", "cycle_numbers", "day_slots", "time_labels", "usable_cycles"]

CYCLES = ("day", "week", "year")
_DAY = 86_400_000_000
_MONDAY = 3 * _DAY  # 1970-01-01 was a Thursday: three days into its week


def calendar_features(
    time: np.ndarray, zone: str | None, frequency: Frequency, cycles: Sequence[str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Sine and cosine of 2π times the elapsed share of each cycle, and their names.

    `time` (R,) datetime64, instants where `zone` is set, else wall clock; future rows are fine. Weeks start on Monday;
    a year is as long as it is, 365 or 366 days. Returns (R, 2·cycles) float32, sine and cosine for one cycle after
    another, and names such as "sine of day". Raises SettingError for an unknown cycle or one that is no longer than a
    step of `frequency`, and DataError where a time is missing.

    >>> noon = np.array(["2024-01-01T12:00"], dtype="M8[us]")
    >>> calendar_features(noon, None, Frequency("fixed", 3_600_000_000), ["day"])[0].round(3).tolist()
    [[0.0, -1.0]]
    """
    for cycle in cycles:
        if cycle not in CYCLES:
            raise SettingError(
                f"cycles: expected some of {', '.join(CYCLES)}, got {cycle!r}.{suggest(str(cycle), CYCLES)}"
            )
        if not _longer_than_step(cycle, frequency):
            raise SettingError(
                f"cycles: a {cycle} is not longer than one step of the data, {frequency.label}; leave it out."
            )
    wall = _wall(time, zone)
    features = np.empty((len(wall), 2 * len(cycles)), dtype=np.float32)
    for index, cycle in enumerate(cycles):
        angle = 2 * np.pi * _elapsed_share(wall, cycle)
        features[:, 2 * index], features[:, 2 * index + 1] = np.sin(angle), np.cos(angle)
    return features, tuple(f"{wave} of {cycle}" for cycle in cycles for wave in ("sine", "cosine"))


def usable_cycles(frequency: Frequency, first_time: Any, last_train_time: Any) -> tuple[str, ...]:
    """The cycles longer than a step that the training rows, first to last, cover at least twice.

    Times are datetime64 scalars like a panel's. A row covers the time until the next one, so 24 months cover two years.

    >>> usable_cycles(Frequency("month"), np.datetime64("2020-01-01"), np.datetime64("2021-12-01"))
    ('year',)
    """
    if frequency.kind == "step":
        return ()
    ends = np.array([first_time, last_train_time], dtype="M8[us]")
    last = frequency.locate(ends[1:])[0]
    length = np.diff(frequency.times(np.concatenate([last, last + 1])))
    first, end = _wall(np.array([ends[0], (ends[1:] + length)[0]]), frequency.zone)
    return tuple(cycle for cycle in CYCLES if _longer_than_step(cycle, frequency) and _twice_after(first, cycle) <= end)


def cycle_numbers(time: np.ndarray, zone: str | None, cycle: str) -> np.ndarray:
    """Which day, week (from Monday) or year each time lies in, by the local wall clock: (R,) int64, rising with time.

    >>> sunday_and_monday = np.array(["2024-01-07T23:00", "2024-01-08T01:00"], dtype="M8[us]")
    >>> np.diff(cycle_numbers(sunday_and_monday, None, "week")).tolist()
    [1]
    """
    wall = _wall(time, zone)
    if cycle == "day":
        return wall // _DAY
    if cycle == "week":
        return (wall + _MONDAY) // (7 * _DAY)
    return wall.view("M8[us]").astype("M8[Y]").astype(np.int64)


def day_slots(time: np.ndarray, zone: str | None, frequency: Frequency) -> np.ndarray | None:
    """Each row's place in the day, (R,) int64 from 0, or None where a day holds no whole number of rows.

    >>> day_slots(np.array(["2024-01-01T13:00"], dtype="M8[us]"), None, Frequency("fixed", 3_600_000_000))
    array([13])
    """
    if frequency.slots_per_day is None:
        return None
    return _wall(time, zone) % _DAY // (_DAY // frequency.slots_per_day)


def time_labels(time: np.ndarray, zone: str | None) -> list[str]:
    """Times as text by the wall clock, as short as all of them allow; with the offset from UTC where there is a zone.

    >>> time_labels(np.array(["2024-07-01T12:00"], dtype="M8[us]"), "Europe/Berlin")
    ['2024-07-01 14:00+02:00']
    """
    wall = _wall(time, zone)
    if not (wall % _DAY).any():
        return np.datetime_as_string(wall.view("M8[us]"), unit="D").tolist()
    unit = "us" if (wall % 1_000_000).any() else "s" if (wall % 60_000_000).any() else "m"
    labels = [label.replace("T", " ") for label in np.datetime_as_string(wall.view("M8[us]"), unit=unit).tolist()]
    if zone is None:
        return labels
    minutes = (wall - _wall(time, None)) // 60_000_000
    return [
        f"{label}{'-' if m < 0 else '+'}{abs(m) // 60:02d}:{abs(m) % 60:02d}"
        for label, m in zip(labels, minutes.tolist())
    ]


def _wall(time: np.ndarray, zone: str | None) -> np.ndarray:
    time = np.asarray(time)
    if time.dtype.kind != "M" or np.isnat(time).any():
        raise DataError(f"Expected a time in every row, got values of type {time.dtype}, or rows without a time.")
    return instants_to_wall(np.ascontiguousarray(time.astype("M8[us]")).view(np.int64), zone)


def _elapsed_share(wall: np.ndarray, cycle: str) -> np.ndarray:
    if cycle == "day":
        return wall % _DAY / _DAY
    if cycle == "week":
        return (wall + _MONDAY) % (7 * _DAY) / (7 * _DAY)
    year = wall.view("M8[us]").astype("M8[Y]")
    start, end = (moment.astype("M8[us]").astype(np.int64) for moment in (year, year + 1))
    return (wall - start) / (end - start)


def _longer_than_step(cycle: str, frequency: Frequency) -> bool:
    kind, n = frequency.kind, frequency.n
    if kind == "step":
        return False
    if kind == "month":
        return cycle == "year" and n < 12
    length = {"day": 1, "week": 5 if kind == "business" else 7, "year": 260 if kind == "business" else 365}[cycle]
    return n < length * _DAY if kind == "fixed" else n < length


def _twice_after(first: int, cycle: str) -> int:
    """The wall clock two cycles after `first`; two years after 29 February is 1 March."""
    if cycle != "year":
        return int(first) + 2 * _DAY * (1 if cycle == "day" else 7)
    start = np.datetime64(int(first), "us")
    month = start.astype("M8[M]")
    later = (month + 24).astype("M8[us]") + (start - month.astype("M8[us]"))
    return int(later.astype(np.int64))
