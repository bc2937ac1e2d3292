"""What a row of a table takes while a panel is made of it, and that rows which stand well are not moved for it."""

from __future__ import annotations

import tracemalloc

import numpy as np
import polars as pl
import pytest

from seqloom_runtime.data import Panel
from seqloom_runtime.data.repair import in_order, restore_order
from seqloom_runtime.errors import DataError

SERIES, ROWS = 400, 1_250


def sales(words: bool = False) -> pl.DataFrame:
    """Half a million rows of whole series in order of time, without a hole."""
    series = np.repeat(np.arange(SERIES), ROWS)
    days = np.datetime64("2020-01-01") + np.tile(np.arange(ROWS), SERIES)
    values = np.random.default_rng(3).poisson(2.0, SERIES * ROWS).astype(np.int32)
    frame = pl.DataFrame({"shop": series, "date": days, "sales": values})
    town = pl.Series("town", ["north", "south", "west"])
    return frame.with_columns(town.gather(series % 3)) if words else frame


@pytest.mark.parametrize(("words", "most"), [(False, 90), (True, 120)])
def test_a_row_takes_few_bytes_while_a_panel_is_made(words: bool, most: int) -> None:
    frame = sales(words)
    Panel.from_frame(frame[:ROWS], time="date", id="shop")  # what is imported once
    tracemalloc.start()
    try:
        panel = Panel.from_frame(frame, time="date", id="shop")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(panel) == SERIES * ROWS
    assert peak / len(panel) < most, f"{peak / len(panel):.0f} bytes a row"


def test_a_table_that_does_not_fit_says_where_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = sales()[: 100 * ROWS]
    monkeypatch.setattr("seqloom_runtime.limits.memory_left", lambda: 9_000_000)
    said = r"125,000 rows of 1 columns needs 10\.0 MiB of memory, 8\.6 MiB are free\. .* on disk \(store_panel; --cache"
    with pytest.raises(DataError, match=said):
        Panel.from_frame(frame, time="date", id="shop")


def test_the_order_of_rows_changes_no_panel() -> None:
    frame = sales(words=True)[: 20 * ROWS]
    for kept in (frame, frame.filter(pl.int_range(pl.len()) % 97 != 5)):
        stands = Panel.from_frame(kept, time="date", id="shop")
        mixed = Panel.from_frame(kept.sample(fraction=1.0, shuffle=True, seed=4), time="date", id="shop")
        assert stands.fingerprint() == mixed.fingerprint()
        np.testing.assert_array_equal(stands.time, mixed.time)


def test_the_caller_keeps_arrays_of_their_own() -> None:
    counts, values = np.arange(6), np.arange(6.0)
    panel = Panel.from_numpy(values, time=counts, time_format="count")
    before = panel.fingerprint()
    counts[2], values[3] = 40, 70.0
    assert panel.fingerprint() == before


def test_rows_that_stand_by_series_and_time_are_known() -> None:
    draw = np.random.default_rng(8)
    for _ in range(200):
        series, tick = draw.integers(0, 3, 6), draw.integers(0, 4, 6)
        order = np.lexsort((tick, series))
        assert in_order(tick, series) == bool((order == np.arange(6)).all())
        assert (restore_order(tick, series)[0] == order).all()
