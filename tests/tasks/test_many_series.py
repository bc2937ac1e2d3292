"""Panels of many series: no Python step for each, and of very many windows equally spaced ones are scored."""

import sys
from types import FrameType
from typing import Any

import numpy as np
import polars as pl
import pytest
from bench import retail
from hypothesis import given
from hypothesis import strategies as st

from seqloom import Forecaster
from seqloom.data import Panel, Split, WindowSpec
from seqloom.tasks.forecast import compare_forecasters, scored
from seqloom_runtime.data.distinct import distinct
from seqloom_runtime.data.equal_lengths import equal_lengths

BASELINES = ["naive", "seasonal", "drift", "mean", "damped-persistence"]
SMALL: dict[str, Any] = {
    "horizon": 7,
    "lookback": 14,
    "season": 7,
    "epochs": 1,
    "steps_per_epoch": 2,
    "batch_size": 8,
    "units": 4,
}


def read(series: int, rows: int = 90) -> Panel:
    frame = pl.concat(list(retail.blocks(series, rows)))
    return Panel.from_frame(frame, time="date", id="id")


def calls_for(series: int) -> int:
    """Functions of Python that are called to read so many series, and to fit and score baselines on them."""
    count = 0

    def told(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    frame = pl.concat(list(retail.blocks(series, 90)))
    sys.setprofile(told)
    try:
        panel = Panel.from_frame(frame, time="date", id="id")
        data = Forecaster(**SMALL).prepare(panel, target="sales")
        for model in BASELINES:
            forecaster = Forecaster(model=model, **SMALL).fit_prepared(data)
            for part in ("valid", "test"):
                forecaster.evaluate(data, part)
    finally:
        sys.setprofile(None)
    return count


def test_no_python_loop_goes_over_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retail, "_CELLS", 90 * 50)
    calls_for(50)  # what is imported and compiled once
    few, many = calls_for(50), calls_for(100)
    assert (many - few) / 50 < 15, f"{(many - few) / 50:.1f} calls of Python for each series"


def calls_of_a_network(series: int) -> int:
    """As `calls_for`, of a network that scales each series, and forecasts both these series and others."""
    count = 0

    def told(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    frame = pl.concat(list(retail.blocks(series, 90))).select("id", "date", "sales")
    sys.setprofile(told)
    try:
        data = Forecaster(**SMALL, scaling="series").prepare(
            Panel.from_frame(frame, time="date", id="id"), target="sales"
        )
        forecaster = Forecaster(**SMALL, scaling="series").fit_prepared(data)
        forecaster.evaluate(data, "test")
        others = frame.with_columns("other " + pl.col("id"))
        for panel in (None, Panel.from_frame(others, time="date", id="id")):
            assert len(forecaster.forecast(panel).values) == series * SMALL["horizon"]
    finally:
        sys.setprofile(None)
    return count


def test_a_network_and_its_forecasts_take_no_python_loop_over_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retail, "_CELLS", 90 * 50)
    calls_of_a_network(50)
    few, many = calls_of_a_network(50), calls_of_a_network(150)
    assert (many - few) / 100 < 25, f"{(many - few) / 100:.1f} calls of Python for each series"


def test_series_that_the_fit_did_not_know_are_scaled_by_their_own_rows() -> None:
    draw = np.random.default_rng(2)
    lengths = [40, 31, 40, 3, 1]
    made = np.concatenate([draw.normal(5 * at, at + 1, length) for at, length in enumerate(lengths)])
    made[[3, 45, 80]] = np.nan
    made[-1] = 7.0
    frame = pl.DataFrame({"id": np.repeat(np.arange(5), lengths), "y": made})
    known = pl.DataFrame({"id": np.repeat([8, 9], 60), "y": draw.normal(0, 1, 120)})
    settings: dict[str, Any] = {**SMALL, "lookback": 7, "scaling": "series"}
    data = Forecaster(**settings).prepare(Panel.from_frame(known, id="id"), target="y")
    panel = Panel.from_frame(frame, id="id")
    mean, std = map(np.asarray, data.features.target_moments(panel))
    for first, end in zip(panel.offsets[:-1], panel.offsets[1:]):
        own = panel.values[first:end, 0][~panel.filled[first:end, 0]]
        own = own[np.isfinite(own)]
        assert (mean[first:end] == own.mean()).all()
        assert (std[first:end] == (own.std() or 1.0)).all()


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.integers(1, 20))
def test_pieces_of_one_length_are_put_together(lengths: list[int], most: int) -> None:
    numbers = np.arange(sum(lengths)) * 1.5
    pieces = np.split(numbers, np.cumsum(lengths)[:-1])
    found = {}
    for which, at in equal_lengths(np.array(lengths), most):
        assert at.size <= max(most, at.shape[1])
        found |= dict(zip(which.tolist(), numbers[at]))
    assert sorted(found) == [at for at, piece in enumerate(pieces) if len(piece)]
    assert all((found[at] == pieces[at]).all() for at in found)


@given(st.lists(st.sampled_from(["a", "b", " b", "", None, "é"]), max_size=40))
def test_cells_are_those_of_their_places(cells: list[str | None]) -> None:
    known, places = distinct(pl.Series(cells, dtype=pl.String))
    assert [known[place] for place in places] == cells
    assert len(set(known)) == len(known) == len(set(cells))


def test_ids_are_told_apart_as_they_are_written() -> None:
    frame = pl.DataFrame({"shop": [10, 9, 10, 9], "y": [1.0, 2.0, 3.0, 4.0]})
    assert Panel.from_frame(frame, id="shop").ids == ("9", "10")
    texts = frame.with_columns(pl.Series("shop", ["b", " b", "b", " b"]))
    assert Panel.from_frame(texts, id="shop").ids == (" b", "b")
    with pytest.raises(Exception, match=r"row 2, column 'shop'.*the cell is empty"):
        Panel.from_frame(texts.with_columns(pl.Series("shop", ["b", None, "b", None])), id="shop")


def test_blocks_hold_every_series_once() -> None:
    panel = Panel.from_frame(pl.DataFrame({"id": np.repeat([1, 2, 3, 4], [3, 9, 1, 2]), "y": np.arange(15.0)}), id="id")
    for rows in (1, 2, 4, 10, 100):
        blocks = panel.blocks(rows)
        assert [at for first, end in blocks for at in range(first, end)] == [0, 1, 2, 3]
        assert sum(len(panel.between(*block)) for block in blocks) == 15
    assert panel.series_of(np.arange(15)).tolist() == panel.series_index.tolist()
    assert panel.ticks.tolist() == list(range(9))


def test_of_too_many_windows_equally_spaced_ones_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scored, "MOST_SCORED", 8 * 300)
    panel = read(8, 400)
    run = compare_forecasters(panel, ["seasonal", "gru"], SMALL | {"lookback": 28}, target="sales")
    data = run.data
    assert data.apart == 3  # 8 series of 120 rows behind the training rows and 7 steps
    for part in (data.valid, data.test):
        ticks = data.panel.tick[part]
        assert set(np.diff(np.unique(ticks))) == {3}
        assert len(part) == 8 * len(np.unique(ticks))
    assert int(data.panel.tick[data.test].max()) == 399 - 7
    assert any("3 rows apart are scored" in note for note in run.metrics["notes"])
    assert {model["test"]["windows"] for model in run.metrics["models"].values()} == {len(data.test)}


def test_the_season_is_no_multiple_of_the_rows_between_scored_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    panel, spec = read(6, 400), WindowSpec(14, 7)
    split = Split.make(panel, "0.7,0.15")
    steps = 6 * 120 * 7
    for most, season, apart in ((steps, 7, 1), (steps // 7, 7, 8), (steps // 7, None, 7), (steps // 6, 9, 7)):
        monkeypatch.setattr(scored, "MOST_SCORED", most)
        assert scored.rows_apart(panel, spec, split, season) == apart
    monkeypatch.setattr(scored, "MOST_SCORED", 1)
    assert scored.rows_apart(panel, spec, split, None) == (60 - 6) // 3
    assert scored.rows_apart(panel.series(0), spec, split, 7) == 1  # of one series every window is
