"""Repairs against a plain loop, and the promise that no repair looks ahead."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seqloom.data import Panel
from seqloom_runtime.data.repair import carry_forward, drop_duplicates, insert_rows, restore_order, stretch_starts

MINUTE = np.timedelta64(60, "s")
START = np.datetime64("2020-02-28T22:00", "us")


@st.composite
def rows(draw, series: int = 1):
    """Ticks (rising, with gaps), series and values with holes, in order."""
    parts = []
    for number in range(draw(st.integers(1, series))):
        steps = draw(st.lists(st.sampled_from((1, 1, 1, 1, 2, 3, 7)), min_size=3, max_size=25))
        parts.append((number, draw(st.integers(0, 5)) + np.cumsum(steps)))
    tick = np.concatenate([t for _, t in parts])
    index = np.concatenate([np.full(len(t), n) for n, t in parts])
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    values = rng.normal(size=(len(tick), 2)).round(3)
    values[rng.random(values.shape) < draw(st.sampled_from((0.0, 0.2, 0.6)))] = np.nan
    values[0], values[-1] = 1.5, -2.5
    return tick, index, values


def by_hand(tick, series, values, max_fill):
    """The same repairs as one loop over the rows: (series, tick, value, filled) of one column."""
    result = []
    last, age = np.nan, 0
    for row in range(len(tick)):
        fresh = row == 0 or series[row] != series[row - 1]
        missing = 0 if fresh else tick[row] - tick[row - 1] - 1
        if fresh or missing > max_fill:
            last, age = np.nan, 0
        else:
            for number in range(missing):
                age += 1
                result.append((series[row], tick[row - 1] + number + 1, last if age <= max_fill else np.nan, True))
        if np.isnan(values[row]):
            age += 1
            use = last if age <= max_fill else np.nan
            result.append((series[row], tick[row], use, not np.isnan(use)))
        else:
            last, age = values[row], 0
            result.append((series[row], tick[row], last, False))
    return result


@given(rows(series=3), st.integers(0, 5))
def test_filling_equals_a_loop(data, max_fill):
    tick, series, values = data
    whole = insert_rows(tick, series, max_fill)
    expanded = np.where((whole.source < 0)[:, None], np.nan, values[whole.source])
    carried, filled = carry_forward(expanded, stretch_starts(whole.tick, whole.series), max_fill)
    filled |= (whole.source < 0)[:, None]
    for column in range(2):
        expected = by_hand(tick, series, values[:, column], max_fill)
        np.testing.assert_array_equal(whole.series, [e[0] for e in expected])
        np.testing.assert_array_equal(whole.tick, [e[1] for e in expected])
        np.testing.assert_array_equal(carried[:, column], [e[2] for e in expected])
        np.testing.assert_array_equal(filled[:, column], [e[3] for e in expected])
    gaps = np.diff(tick)[np.diff(series) == 0] - 1
    assert whole.short[:, 1].sum() == gaps[gaps <= max_fill].sum()
    assert whole.long[:, 1].sum() == gaps[gaps > max_fill].sum()


def panel_of(tick, values, max_fill=3, id=None):
    minutes = Panel.from_numpy(np.zeros(3), time=START + np.arange(3) * MINUTE).frequency
    return Panel.from_numpy(values, time=START + tick * MINUTE, id=id, max_fill=max_fill, frequency=minutes)


@given(rows(), st.data())
def test_later_rows_change_nothing_earlier(data, more):
    tick, _, values = data
    cut = more.draw(st.integers(1, len(tick) - 1))
    rng = np.random.default_rng(more.draw(st.integers(0, 10**6)))
    changed = values.copy()
    changed[cut:] = np.where(rng.random(changed[cut:].shape) < 0.4, np.nan, rng.normal(size=changed[cut:].shape))
    later = tick.copy()
    later[cut:] += np.cumsum(rng.integers(0, 5, len(tick) - cut))
    keep = np.ones(len(tick), dtype=bool)
    keep[cut + 1 :] = rng.random(len(tick) - cut - 1) < 0.7
    changed[0] = values[0] = 1.5
    one, other = panel_of(tick, values), panel_of(later[keep], changed[keep])
    until = tick[cut - 1]
    first, second = one.take(one.tick <= until), other.take(other.tick <= until)
    np.testing.assert_array_equal(first.tick, second.tick)
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.filled, second.filled)


@given(rows(series=3), st.integers(0, 10**6))
def test_the_order_of_rows_and_repeated_rows_make_no_difference(data, seed):
    tick, series, values = data
    names = np.array(["b", "a", "c"])[series]
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.concatenate([np.arange(len(tick)), rng.integers(0, len(tick), 4)]))
    one, other = panel_of(tick, values, id=names), panel_of(tick[order], values[order], id=names[order])
    assert one.fingerprint() == other.fingerprint()
    assert one.ids == tuple(sorted(set(names)))


def test_order_and_duplicates():
    tick, series = np.array([3, 1, 2, 2, 1]), np.array([1, 0, 0, 0, 1])
    order, falls = restore_order(tick, series)
    np.testing.assert_array_equal(order, [1, 2, 3, 4, 0])
    np.testing.assert_array_equal(falls, [4])
    values = np.array([[1.0, np.nan], [1.0, np.nan], [1.0, 2.0], [1.0, np.nan]])
    keep, conflicts = drop_duplicates(values, np.array([5, 5, 5, 6]), np.zeros(4, np.int64))
    np.testing.assert_array_equal(keep, [True, False, False, True])
    np.testing.assert_array_equal(conflicts, [[1, 2]])


def test_one_row_and_no_hole():
    whole = insert_rows(np.array([4]), np.array([0]), 3)
    np.testing.assert_array_equal(whole.tick, [4])
    values, filled = carry_forward(np.ones((3, 1)), np.zeros(3, np.int64), 3)
    assert not filled.any()
    assert (values == 1).all()
