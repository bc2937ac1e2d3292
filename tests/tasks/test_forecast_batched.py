"""Forecasts of many series at once are those made one by one, to the bit, and no series costs a call of its own."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

pl = pytest.importorskip("polars")

from seqloom.tasks import Forecaster  # noqa: E402
from seqloom_runtime.forecast import predicting  # noqa: E402
from seqloom_runtime.forecast.batched import Ahead, series_blocks  # noqa: E402
from seqloom_runtime.forecast.joining import continued, joined_rows  # noqa: E402

SETTINGS: dict[str, Any] = {
    "lookback": 14,
    "horizon": 5,
    "season": 7,
    "epochs": 1,
    "units": 4,
    "batch_size": 64,
    "levels": (80,),
}


def table(series: int = 9, rows: int = 120, seed: int = 0) -> Any:
    """Series that begin and end apart, one with a hole that stays, one with a value to fill, with a column ahead."""
    rng = np.random.default_rng(seed)
    frames = []
    for number in range(series):
        first, last = (number * 4 if number % 2 else 0), rows - (number if number % 3 == 0 else 0)
        time = np.datetime64("2024-01-01") + np.arange(first, last)
        values = 3.0 + number + np.sin(np.arange(first, last) / 7 * 2 * np.pi) + rng.normal(0, 0.3, last - first)
        frames.append(
            pl.DataFrame(
                {"id": f"s{number}", "time": time, "y": values, "promo": rng.integers(0, 2, len(values)) * 1.0}
            )
        )
    found = pl.concat(frames)
    day = pl.col("time").dt.ordinal_day()
    found = found.filter(~((pl.col("id") == "s4") & day.is_between(60, 66)))
    return found.with_columns(
        pl.when((pl.col("id") == "s2") & (day == 112)).then(None).otherwise(pl.col("y")).alias("y")
    )


def one_by_one(monkeypatch: pytest.MonkeyPatch, model: Forecaster, data: Any, **asked: Any) -> tuple[Any, Any]:
    """The forecast in blocks, and the one in which every series goes its own way."""
    together = model.forecast(data, **asked)

    def left(forecaster: Any, panel: Any, origins: Any, steps: np.ndarray, own: bool) -> Ahead:
        return Ahead(np.full((len(panel.ids), len(steps)), np.nan))

    with monkeypatch.context() as changed:
        changed.setattr(predicting, "batched", left)
        apart = model.forecast(data, **asked)
    return together, apart


def check_same(one: Any, other: Any) -> None:
    assert one.ids.tolist() == other.ids.tolist()
    assert one.notes == other.notes
    np.testing.assert_array_equal(one.times, other.times)
    np.testing.assert_array_equal(one.values, other.values)
    assert one.bounds.keys() == other.bounds.keys()
    for level in one.bounds:
        np.testing.assert_array_equal(one.bounds[level], other.bounds[level])


CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("gru", {}, {}),
    ("gru", {"scaling": "series", "anchor": "seasonal"}, {}),
    ("gru", {"distribution": "normal"}, {}),
    ("linear", {"fill": "interpolate", "transform": "log"}, {}),
    ("linear", {"fill_future": "carry"}, {"future": ["promo"]}),
    ("seasonal", {}, {}),
    ("damped-persistence", {}, {}),
]


@pytest.mark.parametrize(("model", "changes", "roles"), CASES)
def test_blocks_give_the_bits_of_single_series(
    monkeypatch: pytest.MonkeyPatch, model: str, changes: dict[str, Any], roles: dict[str, Any]
) -> None:
    data = table()
    fitted = Forecaster(**{**SETTINGS, **changes, "model": model}).fit(data, target="y", time="time", id="id", **roles)
    monkeypatch.setattr("seqloom_runtime.forecast.batched._ROWS", 300)  # several blocks
    monkeypatch.setattr("seqloom_runtime.forecast.batched._CELLS", 400)
    renamed = data.with_columns(pl.when(pl.col("id") == "s5").then(pl.lit("new")).otherwise(pl.col("id")).alias("id"))
    later = data.group_by("id", maintain_order=True).tail(3)
    later = later.with_columns(pl.col("time") + pl.duration(days=3), pl.col("y") + 0.5)
    for each in (data, renamed, later if not roles else data):
        check_same(*one_by_one(monkeypatch, fitted, each))
    if not roles:
        check_same(*one_by_one(monkeypatch, fitted, None))
        check_same(*one_by_one(monkeypatch, fitted, data, horizon=12))
        check_same(*one_by_one(monkeypatch, fitted, None, samples=3, seed=1))


def test_rows_of_the_fit_stand_before_new_ones_as_series_by_series() -> None:
    data = table()
    fitted = Forecaster(**SETTINGS, model="linear").fit(data, target="y", time="time", id="id")
    later = data.filter(pl.col("time").dt.ordinal_day() > 112).with_columns(pl.col("time") + pl.duration(days=2))
    shuffled = pl.concat([later.filter(pl.col("id") == f"s{n}") for n in (7, 1, 3, 0)])
    panel = fitted.read(shuffled.with_columns(pl.col("id").replace({"s3": "unknown"})))
    joined, before = joined_rows(fitted, panel)
    assert before[panel.ids.index("unknown")] == 0
    assert before.any()
    for place, name in enumerate(panel.ids):
        expected, count = continued(fitted, panel.series(place), name)
        assert before[place] == count
        own = joined.series(place)
        np.testing.assert_array_equal(own.values, expected.values)
        np.testing.assert_array_equal(own.filled, expected.filled)
        np.testing.assert_array_equal(own.time, expected.time)


def test_a_series_that_lacks_rows_is_told_beside_the_others() -> None:
    data = table()
    fitted = Forecaster(**SETTINGS, model="linear").fit(data, target="y", time="time", id="id")
    short = pl.concat([data, data.filter(pl.col("id") == "s1").tail(4).with_columns(id=pl.lit("brief"))])
    found = fitted.forecast(short)
    lost = found.ids == "brief"
    assert np.isnan(found.values[lost]).all()
    assert np.isfinite(found.values[~lost]).all()
    assert any(note.startswith("Series 'brief': the model reads 14 rows") for note in found.notes)


def test_many_refusals_and_early_ends_are_told_together() -> None:
    data = table(12)
    fitted = Forecaster(**SETTINGS, model="linear").fit(data, target="y", time="time", id="id")
    last = data.group_by("id", maintain_order=True).tail(30)
    ended = last.with_columns(pl.when(pl.col("time") > pl.col("time").max().over("id") - pl.duration(days=2)).then(None)
                              .otherwise(pl.col("y")).alias("y"))  # fmt: skip
    notes = fitted.forecast(ended).notes
    assert sum("no observed" in note for note in notes) == 1
    brief = [data.filter(pl.col("id") == "s1").tail(4).with_columns(id=pl.lit(f"brief {n}")) for n in range(9)]
    notes = fitted.forecast(pl.concat([data, *brief])).notes
    assert sum(note.endswith("It has no forecast.") for note in notes) == 6
    assert "3 more series have no forecast, for such reasons." in notes


@pytest.mark.parametrize("model", ["linear", "seasonal"])
def test_calls_do_not_grow_with_the_series(model: str) -> None:
    """A loop over series that is added later would make calls for each."""
    data = many(300)
    fitted = Forecaster(**{**SETTINGS, "epochs": 1}, model=model).fit(data, target="y", time="time", id="id")
    counts = []
    for series in (100, 300):
        panel = fitted.read(data[: series * ROWS])
        counts.append(calls_of(lambda panel=panel: fitted.forecast(panel)))
    assert counts[1] - counts[0] < 3 * 200


ROWS = 60


def many(series: int) -> Any:
    rng = np.random.default_rng(series)
    ids = np.repeat([f"n{number}" for number in range(series)], ROWS)
    time = np.tile(np.datetime64("2024-05-01") + np.arange(ROWS), series)
    return pl.DataFrame({"id": ids, "time": time, "y": rng.normal(5, 1, len(ids))})


def calls_of(work: Any) -> int:
    """How many Python functions are called."""
    count = 0

    def seen(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_blocks_hold_whole_series() -> None:
    offsets = np.array([0, 5, 5, 30, 31, 40])
    assert list(series_blocks(offsets, 10)) == [(0, 2), (2, 3), (3, 5)]
    assert list(series_blocks(offsets, 1000)) == [(0, 5)]
