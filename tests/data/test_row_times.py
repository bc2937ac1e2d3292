"""Times near a grid are moved onto it, rows put together by step or by time, all else refused with advice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.data import Panel, read_panel
from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.resampling import grouped, hows

SECOND = 1_000_000


def stamps(panel: Panel) -> np.ndarray:
    """The times of a panel that has them."""
    assert panel.time is not None
    return panel.time


def panel_of(times, values=None, **how):
    times = np.asarray(times, dtype="M8[us]")
    values = np.arange(len(times), dtype=float) if values is None else values
    return Panel.from_frame(pl.DataFrame({"t": times, "x": values}), time="t", **how)


def said(panel, what):
    assert panel.quality is not None
    return [d.text for d in panel.quality.decisions if d.what == what]


@given(
    st.sampled_from((1, 10, 60, 300, 600, 900, 3600, 86_400)), st.integers(0, 10**6), st.integers(0, 10**6), st.data()
)
def test_jitter_is_moved_onto_the_grid(step, start, seed, data):
    rng = np.random.default_rng(seed)
    most = step * SECOND // 10
    phase = data.draw(st.sampled_from((0, step * SECOND // 2)))
    first = (start * step * SECOND) + phase + 1_600_000_000 * SECOND // (step * SECOND) * step * SECOND
    ticks = np.arange(80)
    ticks = ticks[(rng.random(80) > 0.1) | (ticks < 3) | (ticks > 77)]
    exact = first + ticks * step * SECOND
    times = exact + rng.integers(-most, most + 1, len(ticks)) // 2 + rng.integers(0, 2, len(ticks))
    panel = panel_of(times.view("M8[us]"), max_fill=0)
    np.testing.assert_array_equal(panel.tick - panel.tick[0], ticks - ticks[0])
    assert np.abs(stamps(panel).view(np.int64) - times).max() <= most
    if (times != stamps(panel).view(np.int64)).any():
        assert "moved onto it; rows can be put together instead (resample=)" in said(panel, "snapped")[0]


def test_exact_times_are_left_alone():
    panel = panel_of(pd.date_range("2020-01-01 00:07:30", periods=30, freq="15min"))
    assert not said(panel, "snapped")


def test_what_lies_farther_off_is_refused_with_the_step_to_type():
    times = pd.date_range("2020-01-01", periods=30, freq="10min").to_numpy().astype("M8[us]").copy()
    times[7] += np.timedelta64(90, "s")
    with pytest.raises(
        DataError, match=r"row 8.*2020-01-01 01:11:30.* grid of one row every 10 minutes .*resample='10min'"
    ):
        panel_of(times)
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match=r"no regular step.*resample='1h'.*time='none'"):
        panel_of(np.sort(rng.integers(0, 10**14, 50)).view("M8[us]"))


def test_first_business_days_of_months_are_months():
    for code in ("BMS", "BME"):
        days = pd.date_range("2018-01-01", periods=40, freq=code)
        panel = panel_of(days)
        assert panel.frequency.label == "1 month"
        assert (np.diff(panel.tick) == 1).all()
        assert said(panel, "snapped")


def test_known_grids_are_snapped_to_as_well():
    first = panel_of(pd.date_range("2020-01-01", periods=30, freq="10min"))
    later = np.array(["2020-01-02T00:00:03", "2020-01-02T00:09:58"], dtype="M8[us]")
    panel = panel_of(later, frequency=first.frequency)
    assert stamps(panel).tolist() == np.array(["2020-01-02T00:00", "2020-01-02T00:10"], dtype="M8[us]").tolist()
    with pytest.raises(DataError, match="does not lie on the grid"):
        panel_of(later + np.timedelta64(200, "s"), frequency=first.frequency)


# -- resample -------------------------------------------------------------------------------------------------------

RULES = {"10min": "10min", "1h": "h", "6h": "6h", "1d": "D", "1w": "W-MON", "1mo": "MS", "1q": "QS", "1y": "YS"}


@pytest.mark.parametrize("step", RULES)
@pytest.mark.parametrize("how", ["mean", "sum", "last", "first", "min", "max"])
def test_resampling_against_pandas(step, how):
    rng = np.random.default_rng(3)
    span = {"10min": "37s", "1h": "7min", "6h": "37min", "1d": "3h", "1w": "1D", "1mo": "1D", "1q": "7D", "1y": "7D"}[
        step
    ]
    times = pd.date_range("2019-01-01", periods=1500, freq=span)
    times = times + pd.to_timedelta(rng.integers(0, 5, len(times)), "s")
    values = rng.normal(size=(len(times), 2))
    values[rng.random(values.shape) < 0.1] = np.nan
    frame = pd.DataFrame(values, columns=["a", "b"], index=times)
    closed = {"closed": "left", "label": "left"} if step == "1w" else {}
    pieces: Any = frame.resample(RULES[step], **closed)  # pyright: ignore[reportArgumentType]
    expected = getattr(pieces, how)(**({"min_count": 1} if how == "sum" else {}))
    shuffled = frame.sample(frac=1, random_state=1) if how not in ("first", "last") else frame
    panel = Panel.from_frame(shuffled.reset_index(names="t"), time="t", resample=step, aggregate=how, max_fill=0)
    if how == "sum":  # the ends may hold fewer rows
        expected = expected.loc[stamps(panel)[0] : stamps(panel)[-1]]
    np.testing.assert_array_equal(panel.time, expected.index.to_numpy().astype("M8[us]"))
    np.testing.assert_allclose(panel.values, expected.to_numpy(), rtol=1e-12)
    assert f"by {how}" in said(panel, "resampled")[0]


def test_resampling_by_column_series_and_zone():
    times = pd.date_range("2020-03-28 00:00", periods=72, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"t": times, "load": np.ones(72), "temp": np.arange(72.0), "id": ["a", "b"] * 36})
    panel = Panel.from_frame(
        frame, time="t", id="id", resample="1d", aggregate="load=sum,temp=max", zone="Europe/Berlin"
    )
    assert panel.ids == ("a", "b")
    assert panel.series("a").column("load").tolist() == [12, 12, 12]  # the 29th has 23 hours, of which a has 12
    assert panel.series("b").column("temp").max() == 69  # hour 71 lies in the 31st, which is cut off for its one row
    assert panel.frequency.label == "1 day"
    assert panel.quality is not None
    assert (panel.quality.rows_read, panel.quality.rows) == (72, 6)


def test_ends_with_fewer_rows_are_left_out_of_sums():
    times = pd.date_range("2020-01-01 18:00", periods=60, freq="h")
    panel = panel_of(times, np.ones(60), resample="1d", aggregate="sum")
    assert panel.values[:, 0].tolist() == [24, 24]
    assert "2 steps at the ends with fewer rows" in said(panel, "resampled")[0]
    assert panel_of(times, np.ones(60), resample="1d").values[:, 0].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"resample": "1min"}, "make.* one row every 1 minute, but most rows lie 60 such steps apart"),
        ({"resample": "1"}, "expected a step such as"),
        ({"resample": "3b"}, "expected a whole number of minutes"),
        ({"resample": "1d", "aggregate": "avg"}, "aggregate: expected one of mean, sum.*'avg'"),
        ({"resample": "1d", "aggregate": "y=sum"}, "aggregate: no column is named 'y'"),
        ({"resample": "1d", "aggregate": "sum,mean"}, "aggregate: expected one of"),
        ({"resample": "1d", "aggregate": 3}, "aggregate: expected one of"),
        ({"duplicates": "average"}, "duplicates: expected one of mean, first, last, sum, got 'average'"),
    ],
)
def test_settings_that_are_refused(how, words):
    with pytest.raises((SettingError, DataError), match=words):
        panel_of(pd.date_range("2020-01-01", periods=60, freq="h"), **how)


def test_resampling_needs_times():
    with pytest.raises(SettingError, match="resample: '1h' needs times"):
        Panel.from_frame(pl.DataFrame({"x": [1.0, 2.0]}), resample="1h")
    with pytest.raises(SettingError, match="counts rows"):
        Panel.from_frame(pl.DataFrame({"t": [1, 2], "x": [1.0, 2.0]}), time="t", resample="1h")


# -- rows of one time -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "value"), [("mean", 3.0), ("first", 2.0), ("last", 4.0), ("sum", 6.0)])
def test_duplicates(tmp_path, how, value):
    path = tmp_path / "a.csv"
    path.write_text("t,x,y\n2020-01-01,1,1\n2020-01-02,2,5\n2020-01-02,4,\n2020-01-03,7,7\n")
    with pytest.raises(DataError, match=r"lines 3 and 4 .*duplicates='mean' \(or first, last, sum\)"):
        read_panel(path, time="t")
    panel = read_panel(path, time="t", duplicates=how)
    assert panel.column("x").tolist() == [1, value, 7]
    assert panel.column("y").tolist() == [1, 5, 7]
    assert panel.quality is not None
    assert [(r.kind, r.count) for r in panel.quality.repairs] == [("merged", 1)]


def test_equal_rows_count_twice_in_a_sum():
    times = np.array(["2020-01-01", "2020-01-02", "2020-01-02", "2020-01-03"], dtype="M8[us]")
    values = np.array([1.0, 5.0, 5.0, 2.0])
    assert panel_of(times, values, duplicates="sum").values[:, 0].tolist() == [1, 10, 2]
    assert panel_of(times, values).values[:, 0].tolist() == [1, 5, 2]


@given(st.integers(0, 10**6))
def test_groups_against_a_loop(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(30, 6)).round(3)
    values[rng.random(values.shape) < 0.3] = np.nan
    starts = np.unique(np.append(0, rng.integers(0, 30, 8)))
    words = hows("mean", list("abcdef"), "aggregate")
    words = ["mean", "sum", "last", "first", "min", "max"]
    found = grouped(values, starts, words)
    for group, (low, high) in enumerate(zip(starts, [*starts[1:], 30])):
        for column, word in enumerate(words):
            cells = values[low:high, column]
            cells = cells[~np.isnan(cells)]
            if not len(cells):
                assert np.isnan(found[group, column])
                continue
            by_hand: Any = {"last": lambda c: c[-1], "first": lambda c: c[0]}.get(word, getattr(np, word, None))
            assert found[group, column] == pytest.approx(by_hand(cells), rel=1e-12)
