"""Rows that a fitted forecaster kept, with those of new data behind them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import Panel
from ..errors import DataError, shown
from .known_rows import observed
from .targets import named_target

if TYPE_CHECKING:
    from .fitted import FittedForecaster

__all__ = ["behind", "continued", "joined_panel", "joined_rows", "ranges", "recoded", "together"]


def continued(forecaster: FittedForecaster, series: Panel, name: str, *, strict: bool = False) -> tuple[Panel, int]:
    """One series with the rows before it that the fit kept, and how many these are; itself where there are none.

    Rows without times are a history of their own. strict: whether a gap between the kept rows and the new ones raises
    DataError; else the new rows stay alone.
    """
    kept = forecaster.context_
    if series.time is None or kept.time is None or name not in kept.ids or not len(series.tick):
        return series, 0
    known, target = kept.series(name), forecaster.features_.roles.target
    measured = known.tick[observed(known, target)]
    tick = kept.frequency.ticks(series.time)
    if not len(measured) or not len(tick):
        return series, 0
    old = known.take((known.tick < tick[0]) & (known.tick <= measured[-1]))
    if not len(old.tick):
        return series, 0
    away = int(tick[0] - measured[-1])
    if away > 1:
        if not strict:
            return series, 0
        who = f"Series {shown(name)}: the" if name else "The"
        last = str(kept.frequency.times(measured[-1:])[0])[:19].replace("T00:00:00", "")
        raise DataError(
            f"{who} data begins {away:,} rows after the last one that the model knows ({last}), and a statistical "
            "method goes on from row to row; give the rows between them too, with "
            f"{shown(named_target(forecaster.features_.roles, name))} left empty where it is not known."
        )
    rows = recoded(series.select(kept.columns), kept)
    rows = replace(rows, tick=tick, frequency=kept.frequency)
    return behind(old, rows), len(old.tick)


def joined_panel(forecaster: FittedForecaster, panel: Panel) -> Panel:
    """All series of new data, each with the rows before it that the fit kept."""
    return joined_rows(forecaster, panel)[0]


def joined_rows(forecaster: FittedForecaster, panel: Panel) -> tuple[Panel, np.ndarray]:
    """`continued`, not strictly, of all series of new data at once; and how many rows each has before it: (S,).

    The same panel where no series has any.
    """
    kept, target = forecaster.context_, forecaster.features_.roles.target
    before = np.zeros(len(panel.ids), np.int64)
    if panel.time is None or kept.time is None or not len(panel.tick):
        return panel, before
    numbers = {name: number for number, name in enumerate(kept.ids)}
    place = np.array([numbers.get(name, -1) for name in panel.ids], dtype=np.int64)
    tick, lengths = kept.frequency.ticks(panel.time), np.diff(panel.offsets)
    rows = np.arange(len(kept.tick))
    last = np.maximum.accumulate(np.where(observed(kept, target), rows, -1)) if len(rows) else rows
    mine = np.flatnonzero((place >= 0) & (lengths > 0))
    mine = mine[np.diff(kept.offsets)[place[mine]] > 0]
    final = last[kept.offsets[place[mine] + 1] - 1]
    there = final >= kept.offsets[place[mine]]  # a series without a measured row has none to go on from
    mine, final = mine[there], final[there]
    first = tick[panel.offsets[mine]]
    near = first - kept.tick[final] <= 1
    mine, final, first = mine[near], final[near], first[near]
    # Rows before the first new one and up to the last measured one: ticks rise within a series.
    ends = np.minimum(final + 1, _first_from(kept, place[mine], first))
    before[mine] = np.maximum(ends - kept.offsets[place[mine]], 0)
    if not before.any():
        return panel, before
    new = recoded(panel.select(kept.columns), kept)
    offsets = np.concatenate([[0], np.cumsum(before + lengths)])
    old_at, old_from = ranges(offsets[:-1], before), ranges(kept.offsets[np.maximum(place, 0)], before)
    new_at = ranges(offsets[:-1] + before, lengths)
    made = {}
    for name, olds, news in (
        ("values", kept.values, new.values),
        ("filled", kept.filled, new.filled),
        ("tick", kept.tick, tick),
        ("time", kept.time, panel.time),
    ):
        made[name] = np.empty((int(offsets[-1]), *news.shape[1:]), news.dtype)
        made[name][old_at], made[name][new_at] = olds[old_from], news
    return replace(kept, ids=panel.ids, offsets=offsets, words=new.words, quality=None, **made), before


def _first_from(panel: Panel, series: np.ndarray, tick: np.ndarray) -> np.ndarray:
    """The first row (N,) of each of these series whose tick is at least `tick` (N,), or its end."""
    low, high = panel.offsets[series].copy(), panel.offsets[series + 1].copy()
    while (open_ := low < high).any():  # halving, for all series at once
        middle = (low + high) // 2
        before = open_ & (panel.tick[np.minimum(middle, len(panel.tick) - 1)] < tick)
        low = np.where(before, middle + 1, low)
        high = np.where(open_ & ~before, middle, high)
    return low


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The numbers from each start on, as many as its length, one after the other.

    >>> ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    ends = np.cumsum(lengths)
    return np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)


def recoded(new: Panel, kept: Panel) -> Panel:
    """New rows whose words have the numbers that they have in the rows kept; new words come behind them."""
    values = new.values.copy()
    words = {}
    for name, mine in new.words.items():
        every = list(dict.fromkeys([*kept.words.get(name, ()), *mine]))
        at = new.columns.index(name)
        codes = np.array([every.index(word) for word in mine], dtype=np.float64)
        known = np.isfinite(values[:, at]) & (values[:, at] >= 0)
        values[known, at] = codes[values[known, at].astype(np.int64)]
        words[name] = tuple(every)
    return replace(new, values=values, words={**kept.words, **words}, quality=None)


def behind(old: Panel, rows: Panel) -> Panel:
    """Two pieces of one series as one."""
    return replace(
        old,
        values=np.concatenate([old.values, rows.values]),
        filled=np.concatenate([old.filled, rows.filled]),
        tick=np.concatenate([old.tick, rows.tick]),
        time=None if old.time is None or rows.time is None else np.concatenate([old.time, rows.time]),
        offsets=np.array([0, len(old.tick) + len(rows.tick)]),
        words=rows.words,
        quality=None,
    )


def together(pieces: list[Panel], kept: Panel, ids: tuple[str, ...] | None = None) -> Panel:
    """Series side by side in one panel, under other names than the kept ones where they are given."""
    words = max((piece.words for piece in pieces), key=lambda found: sum(map(len, found.values())))
    return replace(
        kept,
        ids=kept.ids if ids is None else ids,
        values=np.concatenate([piece.values for piece in pieces]),
        filled=np.concatenate([piece.filled for piece in pieces]),
        tick=np.concatenate([piece.tick for piece in pieces]),
        time=None if kept.time is None else np.concatenate([piece.time for piece in pieces if piece.time is not None]),
        offsets=np.concatenate([[0], np.cumsum([len(piece.tick) for piece in pieces])]),
        words=words,
        quality=None,
    )
