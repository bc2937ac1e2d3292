"""Times that lie near a regular grid, a tenth of a step away at most, put on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .frequency import DAY, Frequency
from .zones import instants_to_wall

__all__ = ["Snapped", "duration_words", "near_frequency", "snap"]

_SHARE = 10  # of a step: how far a time may lie from its place
_SECOND = 1_000_000
_MINUTE, _HOUR = 60 * _SECOND, 3_600 * _SECOND
_STEPS = np.array(
    [n * 1_000 for n in (1, 2, 4, 5, 8, 10, 20, 25, 40, 50, 100, 125, 200, 250, 500)]
    + [n * unit for unit in (_SECOND, _MINUTE) for n in (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30)]
    + [90 * _MINUTE]
    + [n * _HOUR for n in (1, 2, 3, 4, 6, 8, 12)]
    + [n * DAY for n in (1, 2, 7, 14)]
)
_MONTHS = ((1, 27, 32), (3, 88, 94), (6, 180, 186), (12, 363, 368))


@dataclass(frozen=True, eq=False)
class Snapped:
    """`tick` (N,) int64: the nearest place of each time on the grid of `frequency`; `fits` (N,) bool: whether it lies
    no more than a tenth of a step from it; `away` (N,) int64 µs: how far."""

    frequency: Frequency
    tick: np.ndarray
    fits: np.ndarray
    away: np.ndarray


def snap(frequency: Frequency, micros: np.ndarray) -> Snapped:
    """The places of times (N,) int64 µs on a grid.

    >>> snap(Frequency("fixed", 600), np.array([1, 598, 1300])).fits.tolist()
    [True, True, False]
    """
    tick = frequency.locate(micros.view("M8[us]"))[0]
    # A place before, as a time of a calendar's grid may be early on its day.
    places = np.stack([frequency.times(tick + shift).view(np.int64) for shift in (-1, 0, 1, 2)])
    away = np.abs(places[:3] - micros)
    near = away.argmin(axis=0)
    rows = np.arange(len(micros))
    length = places[near + 1, rows] - places[near, rows]
    return Snapped(frequency, tick + near - 1, away[near, rows] * _SHARE <= length, away[near, rows])


def near_frequency(micros: np.ndarray, zone: str | None, series: np.ndarray) -> Snapped | None:
    """The grid that all of the times (N,) int64 µs lie near, most of them one place apart; None where there is none."""
    order = np.lexsort((micros, series))
    steps = np.diff(micros[order])[np.diff(series[order]) == 0]
    steps = steps[steps > 0]
    if len(steps) < 2:
        return None
    median = float(np.median(steps))
    for frequency in _likely(micros, zone, median):
        found = snap(frequency, micros)
        if not found.fits.all():
            continue
        moved = np.diff(found.tick[order])[np.diff(series[order]) == 0]
        if np.mean(moved[moved > 0] == 1) >= 0.5:
            return found
    return None


def _likely(micros: np.ndarray, zone: str | None, median: float) -> list[Frequency]:
    wall = instants_to_wall(micros, zone)
    found = []
    days = median / DAY
    for months, low, high in _MONTHS:
        if low <= days <= high:
            first = int(wall.min()) // DAY
            for day in (1, 31):
                anchor = np.array([first]).astype("M8[D]").astype("M8[M]")
                if day == 31:
                    start = (anchor + 1).astype("M8[D]").astype(np.int64)[0] - 1
                else:
                    late = np.array([first + 5]).astype("M8[D]").astype("M8[M]")  # which may be a month's last days
                    start = late.astype("M8[D]").astype(np.int64)[0]
                found.append(Frequency("month", months, int(start) * DAY, day, zone))
    step = int(_STEPS[np.abs(_STEPS - median).argmin()])
    if abs(step - median) * _SHARE > step:
        return found
    angle = np.angle(np.exp(2j * np.pi * ((wall if step >= DAY else micros) % step) / step).mean()) / (2 * np.pi) % 1
    unit = _SECOND if step >= _MINUTE else 1_000
    phases = dict.fromkeys((round(float(angle) * 4) % 4 * (step // 4), round(float(angle) * step / unit) * unit % step))
    for phase in phases:
        if step >= DAY:
            start = int(wall.min()) // DAY * DAY
            start += (phase - start) % step
            found.append(Frequency("day", step // DAY, start, zone=zone))
        else:
            low = int(micros.min())
            start = low - low % step + phase
            found.append(Frequency("fixed", step, start - step * (start - low > step // 2), zone=zone))
    return found


def duration_words(micros: int) -> str:
    """A length of time in words, such as "3 seconds".

    >>> duration_words(3_000_000), duration_words(90_000_000)
    ('3 seconds', '1.5 minutes')
    """
    for size, unit in ((DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"), (_SECOND, "second"), (1_000, "millisecond")):
        if micros >= size:
            amount = f"{micros / size:.3g}"
            return f"{amount} {unit}{'' if amount == '1' else 's'}"
    return f"{micros} microseconds"
