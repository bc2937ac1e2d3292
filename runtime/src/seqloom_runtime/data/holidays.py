"""Public holidays as inputs that are known in advance, and the business days that a table's own holidays leave.

The dates come from the `holidays` package, imported where they are first needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from ..errors import DataError, SettingError, shown
from ..extras import need
from .calendar_days import is_weekday, month_of, month_start
from .frequency import Frequency
from .zones import instants_to_wall

__all__ = [
    "KnownDays",
    "check_holidays",
    "days_known",
    "holiday_features",
    "holiday_names",
    "holidays_version",
    "trading_days",
]

_DAY = 86_400_000_000
_FIRST, _LAST = 1800, 2200  # years: what calendars of holidays cover, at most
_AHEAD = 30  # years after the last row in which a grid of trading days skips holidays
_MOST = 20  # calendars named at once

_OWN = "put dates of your own into the table as a column of 0 and 1, and name it in future=."


def check_holidays(places: str) -> tuple[str, ...]:
    """The calendars named in `places`, such as "DE", "DE-BY", "DE,FR" or the exchange "NYSE", in upper case.

    Raises SettingError for one that the package lacks, with those that are near, and MissingDependencyError where it
    is not installed.

    >>> check_holidays("de-by, FR")
    ('DE-BY', 'FR')
    """
    package = _package()
    countries = package.list_supported_countries(include_aliases=True)
    markets = package.list_supported_financial(include_aliases=True)
    typed = {part.strip().upper(): part.strip() for part in places.split(",")}
    names = tuple(typed)
    if len(names) > _MOST:
        raise SettingError(f"holidays: expected at most {_MOST} calendars, got {len(names)}.")
    for name in names:
        country, dash, part = name.partition("-")
        if (dash and not part) or (country not in countries and (part or country not in markets)):
            near = get_close_matches(country, [*countries, *markets], 4, 0.5)
            advice = f"did you mean {' or '.join(near)}?" if near else _OWN
            if dash and not part and (country in countries or country in markets):
                known = countries.get(country, [])
                advice = f"leave the dash out, or name a part ({', '.join(known)})." if known else "leave the dash out."
            raise SettingError(
                f"holidays: expected a country by its two letters, such as DE, a part of one, such as DE-BY, or an "
                f"exchange, such as NYSE, got {shown(typed[name])}; {advice}"
            )
        parts = countries.get(country, [])
        if part and part not in map(str.upper, parts):
            known = f"known parts are {', '.join(parts)}" if parts else "it has no parts here"
            raise SettingError(f"holidays: {country} has no part {shown(part)}; {known}.")
    return names


def holidays_version() -> str:
    """The version of the package that holds the dates."""
    return str(_package().__version__)


def holiday_names(frequency: Frequency) -> tuple[str, ...]:
    """What `holiday_features` gives for rows of this frequency; raises SettingError where it gives nothing.

    >>> holiday_names(Frequency("month"))
    ('working days lost to holidays in the month',)
    """
    if frequency.kind == "step":
        raise SettingError("holidays: the data has no time column, so no row has a date; name it (time=).")
    if frequency.kind == "month":
        if frequency.n > 1:
            raise SettingError(
                f"holidays: rows of {frequency.label} hold nearly the same holidays each time; leave holidays out."
            )
        return ("working days lost to holidays in the month",)
    if frequency.kind == "day" and frequency.n > 1:
        days = frequency.n
        return (f"holidays in the {days} days up to the row", f"holidays in the {days} days from the row on")
    return ("is a holiday", "is the day before a holiday", "is the day after a holiday")


@dataclass(frozen=True)
class KnownDays:
    """The holidays from day `first` to day `last`, counted from 1970-01-01, as numbers: what a saved model reads."""

    first: int
    last: int
    days: tuple[int, ...]


def days_known(places: str, first: int, last: int) -> KnownDays:
    """The holidays of `places` from day `first` to day `last`, from the package."""
    return KnownDays(first, last, tuple(sorted(_dates(places, first, last))))


def holiday_features(
    time: np.ndarray, zone: str | None, frequency: Frequency, places: str, known: KnownDays | None = None
) -> np.ndarray:
    """What `holiday_names` lists for each row, by the local date: (R, H) float32.

    `time` (R,) datetime64, instants where `zone` is set; later rows than the data has are fine. `known`: days that
    stand in for those of the package, which is then asked for rows beyond them alone. Up to a day's step: 0 or 1. For
    steps of several days: holidays before and after the time, as it may stand at either end. For months: Monday to
    Friday days that are holidays.
    """
    width = len(holiday_names(frequency))
    if not len(time):
        return np.empty((0, width), dtype=np.float32)
    days = _days(time, zone)
    if frequency.kind == "month":
        months = month_of(days)
        first, end = month_start(months), month_start(months + 1)
        closed = _closed(places, int(first.min()), int(end.max()), known)
        closed = closed[is_weekday(closed)]
        counts = np.searchsorted(closed, end) - np.searchsorted(closed, first)
        return counts[:, None].astype(np.float32)
    span = frequency.n if frequency.kind == "day" else 1
    closed = _closed(places, int(days.min()) - span, int(days.max()) + span, known)
    if span > 1:
        at = np.searchsorted
        before = at(closed, days, "right") - at(closed, days - span, "right")
        columns = [before, at(closed, days + span) - at(closed, days)]
    else:
        columns = [np.isin(days, closed), np.isin(days + 1, closed), np.isin(days - 1, closed)]
    return np.stack(columns, axis=1).astype(np.float32)


def _closed(places: str, first: int, last: int, known: KnownDays | None) -> np.ndarray:
    """The holidays (N,) from day `first` to day `last`, rising."""
    if known is None:
        return np.array(sorted(_dates(places, first, last)), dtype=np.int64)
    if first < known.first or last > known.last:
        start, end = (np.datetime64(day, "D") for day in (known.first, known.last))
        need(
            "holidays",
            f"holidays: this model holds the days of {places} from {start} to {end}, and a row lies beyond; other days",
        )
        return np.array(sorted(_dates(places, first, last)), dtype=np.int64)
    every = np.array(known.days, dtype=np.int64)
    return every[(every >= first) & (every <= last)]


def trading_days(frequency: Frequency, times: np.ndarray, places: str) -> tuple[Frequency, str | None]:
    """The grid without the holidays that no row of `times` (N,) lies on, and a sentence on it; else both unchanged.

    A holiday by its name: one that has a row in any year is a trading day in all. Holidays whose name does not come up
    between the first and the last row follow what most of the others do.
    """
    if frequency.kind != "business" or frequency.n != 1:
        return frequency, None
    rows = np.unique(_days(times, frequency.zone))
    last = min(int(rows[-1]) + 366 * _AHEAD, int(np.datetime64(f"{_LAST}-01-01", "D").astype(np.int64)))
    dates = {day: name for day, name in _dates(places, int(rows[0]), last).items() if is_weekday(np.array([day]))[0]}
    held = set(rows.tolist())
    inside = {day: name for day, name in dates.items() if day <= rows[-1]}
    traded = {name for day, name in inside.items() if day in held}
    skipped = [day for day, name in inside.items() if name not in traded]
    if not skipped or len(skipped) * 2 < len(inside):
        return frequency, None
    closed = tuple(sorted(day for day, name in dates.items() if name not in traded))
    text = (
        f"Business days without the holidays of {places}: {len(skipped)} between the first and the last row have no "
        "row and count as no gap, forecasts skip them too"
    )
    if traded:
        text += f"; {', '.join(sorted(traded)[:3])}{', …' if len(traded) > 3 else ''} stay, as rows lie on them"
    return replace(frequency, closed=closed), text + "; leave holidays out to have them filled in as missing rows."


def _package() -> Any:
    return need("holidays", "holidays: the dates of a country's holidays")


def _days(time: np.ndarray, zone: str | None) -> np.ndarray:
    time = np.asarray(time)
    if time.dtype.kind != "M" or np.isnat(time).any():
        raise DataError(f"Expected a time in every row, got values of type {time.dtype}, or rows without a time.")
    return instants_to_wall(np.ascontiguousarray(time.astype("M8[us]")).view(np.int64), zone) // _DAY


def _dates(places: str, first: int, last: int) -> dict[int, str]:
    """The holidays from day `first` to day `last`, counted from 1970-01-01, with their names."""
    package, found = _package(), {}
    bounds = np.array([first, last]).astype("M8[D]").astype("M8[Y]").astype(np.int64) + 1970
    years = range(max(_FIRST, int(bounds[0])), min(_LAST, int(bounds[1])) + 1)
    if not len(years):
        return {}
    markets = package.list_supported_financial(include_aliases=True)
    countries = package.list_supported_countries(include_aliases=True)
    for name in check_holidays(places):
        country, _, part = name.partition("-")
        if country not in countries and country in markets:
            dates = package.financial_holidays(country, years=years)
        else:
            # as the package spells the part
            spelled = next((known for known in countries[country] if known.upper() == part), None)
            dates = package.country_holidays(country, subdiv=spelled, years=years)
        for date, what in dates.items():
            day = int(np.datetime64(date, "D").astype(np.int64))
            if first <= day <= last:
                found.setdefault(day, what)
    return found
