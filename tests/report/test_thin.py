"""Thinning against a plain loop: extremes, order, gaps and the limit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.report.thin import ROWS_PER_CHART, break_gaps, thin


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(12, 60), st.floats(0, 0.5))
def test_keeps_extremes_ends_order_and_limit(seed: int, width: int, limit: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(1, 600))
    x = np.cumsum(rng.exponential(1.0, rows))
    columns = rng.normal(size=(rows, width))
    columns[rng.random((rows, width)) < missing] = np.nan
    kept = thin(x, columns, limit)
    assert len(kept) <= limit
    assert (np.diff(kept) > 0).all()
    assert kept[0] == 0
    assert kept[-1] == rows - 1
    for f in range(width):
        if np.isfinite(columns[:, f]).any():
            assert np.nanmin(columns[kept, f]) == np.nanmin(columns[:, f])
            assert np.nanmax(columns[kept, f]) == np.nanmax(columns[:, f])


def test_every_bucket_keeps_its_minimum_and_maximum_and_gap() -> None:
    rng = np.random.default_rng(3)
    x = np.arange(10_000.0)
    values = rng.normal(size=10_000)
    values[4_000:4_100] = np.nan
    kept = thin(x, values[:, None], limit=1_000)
    assert len(kept) > 700, "the limit should be nearly used"
    # Whatever the bucket width was, any window of twice the widest possible bucket holds its own extremes.
    span = 2 * 10_000 // (len(kept) // 3)
    for start in range(0, 10_000 - span, span):
        inside = kept[(kept >= start) & (kept < start + span)]
        middle = values[start + span // 4 : start + 3 * span // 4]
        if np.isfinite(middle).any():
            assert np.nanmax(values[inside]) >= np.nanmax(middle)
            assert np.nanmin(values[inside]) <= np.nanmin(middle)
    assert np.isnan(values[kept]).any(), "the gap must still break the line"
    finite = kept[np.isfinite(values[kept])]
    assert not ((finite >= 4_000) & (finite < 4_100)).any()


def test_extremes_by_a_plain_loop() -> None:
    rng = np.random.default_rng(5)
    x, values = np.arange(700.0), rng.normal(size=(700, 2))
    kept = thin(x, values, limit=100)
    for buckets in range(50, 0, -1):  # the bucket count is the implementation's; one of them must explain the choice
        bucket = np.minimum((x * buckets / x[-1]).astype(int), buckets - 1)
        wanted = {0, 699}
        for b in range(buckets):
            rows = np.flatnonzero(bucket == b)
            for f in range(2):
                wanted |= {int(rows[values[rows, f].argmin()]), int(rows[values[rows, f].argmax()])}
        if sorted(wanted) == kept.tolist():
            return
    pytest.fail("the kept rows are not the minimum and maximum of equal buckets")


def test_short_series_pass_untouched_and_equal_times_work() -> None:
    assert thin(np.arange(50.0), np.zeros((50, 1)), 50).tolist() == list(range(50))
    assert len(thin(np.zeros(9_000), np.arange(9_000.0)[:, None])) <= ROWS_PER_CHART
    assert thin(np.zeros(0), np.zeros((0, 1))).tolist() == []


def test_limit_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="limit >= 8 for 2 columns, got 7"):
        thin(np.arange(9.0), np.zeros((9, 2)), 7)


def test_gaps_break_lines_once_and_regular_series_stay() -> None:
    x = np.r_[np.arange(5.0), np.arange(20.0, 24.0)]
    values = np.arange(18.0).reshape(9, 2)
    wider, broken = break_gaps(x, values)
    assert wider.tolist() == [0, 1, 2, 3, 4, 5, 20, 21, 22, 23]
    assert np.isnan(broken[5]).all()
    assert np.isfinite(np.delete(broken, 5, axis=0)).all()
    months = np.array(["2020-01", "2020-02", "2020-03", "2020-04"], dtype="M8[M]").astype("M8[ms]").astype(float)
    assert len(break_gaps(months, np.zeros((4, 1)))[0]) == 4
    assert len(break_gaps(np.zeros(1), np.zeros((1, 1)))[0]) == 1


def test_a_gap_shorter_than_a_bucket_still_breaks_the_line() -> None:
    values = np.random.default_rng(8).normal(size=4_000)
    values[2_005:2_008] = np.nan
    kept = thin(np.arange(4_000.0), values[:, None], limit=200)
    assert np.isnan(values[kept]).sum() == 1
