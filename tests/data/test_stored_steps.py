"""The step between the rows of a panel on disk is that of all its series, whichever of them are read first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqloom_runtime.data import Frequency, Panel
from seqloom_runtime.data.inference import distinct_times, infer_of_parts
from seqloom_runtime.data.on_disk import spill, store_panel
from seqloom_runtime.errors import DataError


@pytest.fixture(autouse=True)
def few_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of a few series, as of a table much larger than memory."""
    monkeypatch.setattr(spill, "most_rows", lambda memory, columns: 64)


def made(tmp_path: Path, series: list[np.ndarray], **how: Any) -> tuple[Any, Panel]:
    """The panel on disk and the one in memory of series with these times."""
    draw = np.random.default_rng(4)
    parts = [
        pl.DataFrame(
            {"shop": np.full(len(times), at), "time": times.astype("M8[us]"), "y": draw.normal(size=len(times))}
        )
        for at, times in enumerate(series)
    ]
    frame = pl.concat(parts)
    (tmp_path / "in").mkdir()
    for at in range(2):
        frame.gather_every(2, at).write_parquet(tmp_path / "in" / f"part-{at}.parquet")
    # The table in memory holds the rows in the order of the files, as the groups do.
    frame = pl.concat([frame.gather_every(2, at) for at in range(2)])
    stored = store_panel(tmp_path / "in", tmp_path / "cache", id="shop", time="time", **how)
    return stored, Panel.from_frame(frame, id="shop", time="time", **how)


def regular(start: str, count: int, step: int, unit: str = "m") -> np.ndarray:
    return np.datetime64(start, "us") + np.arange(count) * np.timedelta64(step, unit)


HOURS = [regular("2024-01-05", 40, 60) for _ in range(3)]
HALF_HOURS = [regular("2024-01-01T00:30", 50, 30) for _ in range(4)]
ONE_ROW = [regular(f"2024-01-0{1 + at % 9}", 1, 60) for at in range(70)]
MONTHS = np.arange("2019-01", "2022-01", dtype="M8[M]").astype("M8[D]")
WEEKDAYS = np.arange("2024-01-01", "2024-03-01", dtype="M8[D]")
WEEKDAYS = WEEKDAYS[np.is_busday(WEEKDAYS)]


@pytest.mark.parametrize(
    ("series", "label"),
    [
        ([*HOURS, *HALF_HOURS], "30 minutes"),  # a finer step in a later group
        ([*ONE_ROW, *HOURS], "1 hour"),  # the first group has no step at all
        (
            [*ONE_ROW[:50], *HOURS, *ONE_ROW, *HALF_HOURS, HOURS[0][:2], HOURS[0] - np.timedelta64(300, "D")],
            "30 minutes",
        ),
        ([HALF_HOURS[0][:30], HOURS[0], *(regular("2023-12-30", 60, 15) for _ in range(3))], "15 minutes"),
        ([MONTHS[:1], MONTHS[::12], *[MONTHS] * 4], "1 month"),
        ([MONTHS[:1] - 1, MONTHS[1:] - 1, MONTHS[8:] - 1], "1 month"),
        ([WEEKDAYS[:3], *[WEEKDAYS] * 3], "1 business day"),
        ([regular("2024-01-01", 30, 14, "D"), *[regular("2024-01-08", 60, 7, "D")] * 2], "1 week"),
    ],
)
def test_the_step_is_that_of_all_series(tmp_path: Path, series: list[np.ndarray], label: str) -> None:
    stored, panel = made(tmp_path, series)
    assert stored.frequency == panel.frequency
    assert stored.frequency.label == label
    whole = stored.rows(0, len(stored))
    assert whole.fingerprint() == panel.fingerprint()
    np.testing.assert_array_equal(whole.time, panel.time)
    assert not list(tmp_path.glob(".*"))


def test_times_near_a_grid_are_moved_as_in_memory(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    late = [times + draw.integers(0, 60, len(times)) * np.timedelta64(1, "s") for times in [*HOURS, *HOURS, *HOURS]]
    stored, panel = made(tmp_path, [*ONE_ROW[:64], *late])
    assert (stored.frequency.label, panel.frequency.label) == ("1 hour", "1 hour")
    np.testing.assert_array_equal(stored.rows(0, len(stored)).time, panel.time)


@pytest.mark.parametrize("step", ["2d", "3h"])
def test_rows_are_put_together_from_the_first_of_all(tmp_path: Path, step: str) -> None:
    """Where a step begins depends on the first time, which a later group may hold."""
    stored, panel = made(tmp_path, [*HOURS, *(regular("2024-01-02", 60, 60) for _ in range(2))], resample=step)
    assert stored.frequency == panel.frequency
    assert stored.rows(0, len(stored)).fingerprint() == panel.fingerprint()


def test_holidays_without_a_row_are_those_of_all_series(tmp_path: Path) -> None:
    pytest.importorskip("holidays")
    days = np.arange("2023-12-01", "2024-05-01", dtype="M8[D]")
    closed = np.array(["2023-12-25", "2024-01-01", "2024-01-15", "2024-02-19", "2024-03-29"], "M8[D]")
    open_ = days[np.is_busday(days) & ~np.isin(days, closed)]
    # The last series has a row on Good Friday, so that it is no day on which nothing is traded.
    last = np.sort(np.append(open_[-60:], closed[-1]))
    stored, panel = made(tmp_path, [open_[:60], open_[:50], last], holidays="NYSE")
    assert panel.frequency.closed
    assert stored.frequency == panel.frequency
    assert stored.rows(0, len(stored)).fingerprint() == panel.fingerprint()
    assert stored.quality is not None
    assert "trading-days" in {each.what for each in stored.quality.decisions}


@pytest.mark.parametrize(
    "series",
    [
        ONE_ROW,
        [np.datetime64("2024-01-01", "us") + (np.arange(50) ** 3 % 9973 + 1).cumsum() * np.timedelta64(1_000_003, "us")]
        * 3,
        [*HOURS * 3, HOURS[0][:20] + np.timedelta64(13, "m")],
    ],
)
def test_what_has_no_step_is_refused_as_in_memory(tmp_path: Path, series: list[np.ndarray]) -> None:
    with pytest.raises(DataError) as disk:
        made(tmp_path, series)
    frame = pl.concat(
        [pl.DataFrame({"shop": [at] * len(t), "time": t.astype("M8[us]")}) for at, t in enumerate(series)]
    )
    with pytest.raises(DataError) as memory:
        Panel.from_frame(frame.with_columns(y=pl.int_range(pl.len()) * 1.0), id="shop", time="time")
    told = str(memory.value).partition("time")[2][:40]
    assert told in str(disk.value)
    assert not (tmp_path / "cache").exists()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 24, 24 * 7, 24 * 28, 24 * 30, 24 * 31, 24 * 365]),
            st.integers(1, 30),
            st.integers(0, 999),
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([None, "Europe/Berlin"]),
)
def test_parts_of_times_tell_what_all_do(series: list[tuple[int, int, int]], zone: str | None) -> None:
    hour = 3_600_000_000
    times = [(np.arange(count) * step + start) * hour for step, count, start in series]
    codes = [np.full(len(each), at) for at, each in enumerate(times)]
    parts = [distinct_times(*part) for part in zip(times, codes)]
    together = [distinct_times(np.concatenate(times), np.concatenate(codes))]

    def found(parts: Any) -> Any:
        try:
            return infer_of_parts(Frequency, parts, zone)
        except DataError as error:
            return str(error)

    assert found(Again(parts)) == found(together)


class Again:
    """Parts that are no list, so that nothing is kept of them."""

    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts

    def __iter__(self) -> Any:
        return iter(self.parts)
