"""Several targets of a wide table: one model over the series that its columns are."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from forecast_cases import SMALL, small

from seqloom import load
from seqloom.data import Panel
from seqloom.errors import DataError, SettingError
from seqloom.tasks.forecast import compare_forecasters
from seqloom_runtime.data.series_names import join_parts, split_parts
from seqloom_runtime.data.wide import lengthen

ROWS = 160


def wide(rows: int = ROWS, seed: int = 3) -> polars.DataFrame:
    """Three columns of unlike units beside one that two of them follow."""
    draw = np.random.default_rng(seed)
    beat = np.sin(np.arange(rows) * np.pi / 6)
    return polars.DataFrame(
        {
            "day": np.datetime64("2020-01-01") + np.arange(rows),
            "north": 10 + beat + 0.1 * draw.standard_normal(rows),
            "south (kWh)": 1e4 * (3 + np.roll(beat, 2)) + 100 * draw.standard_normal(rows),
            "east": draw.standard_normal(rows),
            "plan": beat,
        }
    )


@pytest.mark.parametrize("id", ["shop", "a / b", "/", "a /", " / ", "x//y", "/ b", ""])
@pytest.mark.parametrize("target", ["north", "a / b", "/", "a /", "//", "T/h"])
def test_names_of_series_come_apart_again(id: str, target: str) -> None:
    assert split_parts(join_parts((id, target)), 2) == [id, target]


def test_a_panel_becomes_long() -> None:
    values = np.arange(12.0).reshape(4, 3)
    panel = Panel.from_numpy(values, ["n", "s", "target"])
    long = lengthen(panel, ["s", "n"])
    assert (long.columns, long.ids) == (("target_", "target"), ("s", "n"))
    assert long.series("s").values.tolist() == values[:, [1, 2]].tolist()
    assert long.series("n").values.tolist() == values[:, [0, 2]].tolist()
    assert long.offsets.tolist() == [0, 4, 8]
    with pytest.raises(SettingError, match="'n' is named twice"):
        lengthen(panel, ["n", "n"])
    with pytest.raises(DataError, match="No column is named 'S'"):
        lengthen(panel, ["n", "S"])


@pytest.mark.parametrize("model", ["linear", "gru", "naive", "damped-persistence", "seasonal"])
def test_fit_predict_save_load(model: str, tmp_path: Path) -> None:
    frame = wide()
    targets = ["north", "south (kWh)"]
    forecaster = small(model=model).fit(frame, target=targets, time="day")
    found = forecaster.predict()
    sides = [f"_{side}_{level}" for level in (80, 95) if f"{level}" in forecaster.radii_ for side in ("low", "high")]
    assert found.columns == ["day", *(f"{name}{end}" for name in targets for end in ("", *sides))]
    assert len(sides) >= 2
    assert found["day"].to_list()[0] == frame["day"].to_list()[-1] + timedelta(days=1)
    assert found.null_count().sum_horizontal()[0] == 0
    assert 5 < found["north"].mean() < 15
    assert 1e4 < found["south (kWh)"].mean() < 5e4
    forecaster.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.predict().equals(found)
    assert again.predict(frame).equals(found)
    width = (found["south (kWh)_high_80"] - found["south (kWh)"]).max() / (
        found["north_high_80"] - found["north"]
    ).max()
    assert width > 100, "each target has intervals of its own"


def test_each_target_is_scaled_by_its_own_rows() -> None:
    """A target in another unit gives the same forecast in that unit, and leaves the other's alone."""
    frame = wide()
    one = small(model="gru").fit(frame, target=["north", "east"], time="day")
    other = small(model="gru").fit(
        frame.with_columns(east=polars.col("east") * 1024), target=["north", "east"], time="day"
    )
    for name, factor in (("north", 1), ("east", 1024)):
        np.testing.assert_allclose(other.predict()[name], factor * one.predict()[name].to_numpy(), rtol=1e-5)
    assert other.choosing_mae_ == pytest.approx(one.choosing_mae_, rel=1e-6)
    assert any("standardised by its own training rows" in note for note in one.notes_)
    pooled = small(model="gru", scaling="pooled").fit(frame, target=["north", "east"], time="day")
    assert not pooled.features_.per_series


def test_a_star_takes_every_number_that_has_no_other_part() -> None:
    frame = wide()
    forecaster = small(model="linear").fit(frame, target="*", time="day", future=["plan"], inputs=["east"])
    assert forecaster.context_.ids == ("north", "south (kWh)")
    assert forecaster.features_.roles.columns == ("target", "east", "plan")
    assert small(model="naive").fit(frame, target="*", time="day").context_.ids == tuple(frame.columns[1:])


def test_what_stands_in_one_table_with_several_series() -> None:
    frame = polars.concat([wide(seed=seed).with_columns(shop=polars.lit(name)) for seed, name in ((1, 7), (2, 12))])
    forecaster = small(model="linear").fit(frame, target=["north", "east"], time="day", id="shop")
    assert forecaster.context_.ids == ("7 / north", "7 / east", "12 / north", "12 / east")
    found = forecaster.predict()
    assert found["shop"].to_list() == [7] * 4 + [12] * 4
    assert found.columns[:3] == ["shop", "day", "north"]
    backtest = forecaster.cross_validate(frame, target=["north", "east"], time="day", id="shop", n_windows=2)
    assert set(backtest.metrics["targets"]) == {"north", "east"}
    assert set(backtest.columns["target"].tolist()) == {"north", "east"}


def test_targets_end_where_they_end() -> None:
    """Each is forecast from its own last value, as series of unequal lengths are."""
    frame = wide().with_columns(
        east=polars.when(polars.int_range(polars.len()) < ROWS - 3).then("east"),
        north=polars.when(polars.int_range(polars.len()) >= 20).then("north"),
    )
    forecaster = small(model="linear").fit(frame, target=["north", "east"], time="day", inputs=["plan"])
    found = forecaster.predict()
    assert len(found) == 7  # four days from each end
    assert found["east"].is_nan().to_list() == [False] * 4 + [True] * 3
    assert found["north"].is_nan().to_list() == [True] * 3 + [False] * 4
    assert "Series 'east': the last 3 rows hold no observed 'east'" in " ".join(forecaster.forecast().notes)


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"target": ["north", "nort"]}, DataError, "named 'nort'. Did you mean 'north'"),
        ({"target": ["north", "north"]}, SettingError, "'north' is named twice"),
        ({"target": ["north", "plan"], "future": ["plan"]}, SettingError, "future: 'plan' is a target"),
        ({"target": []}, SettingError, "target: expected the name of a column or a list of names"),
        ({"target": None}, SettingError, "target: which column is to be forecast"),
        ({"target": 3}, SettingError, "target: expected the name of a column or a list of names, got 3"),
        ({"target": ["north", 3]}, SettingError, "target: expected the name of a column or a list of names"),
        (
            {"target": "*", "inputs": ["north", "south (kWh)", "east", "plan"]},
            SettingError,
            "and there is none besides",
        ),
        ({"target": ["north", "word"]}, DataError, "row 3, column 'word': expected a number, got 'odd'"),
    ],
)
def test_targets_that_cannot_be(asked: dict[str, Any], error: type[Exception], words: str) -> None:
    frame = wide()
    if asked["target"] == ["north", "word"]:
        frame = frame.with_columns(word=polars.Series(["1", "2", "odd", *["4"] * (ROWS - 3)]))
    with pytest.raises(error, match=words):
        small(model="naive").fit(frame, time="day", **asked)


def test_scores_of_each_target_are_those_of_the_target_alone() -> None:
    """In its own unit; those over all count errors in standard deviations."""
    frame = wide()
    panel = Panel.from_frame(frame, time="day", columns=["north", "east"])
    parameters = {**SMALL, "season": None}
    both = compare_forecasters(lengthen(panel, ["north", "east"]), ["naive"], parameters, target="target")
    for place, name in enumerate(("north", "east")):
        alone = compare_forecasters(panel, ["naive"], parameters, target=name)
        record = both.metrics["targets"][place]
        assert record["name"] == name
        for part in ("valid", "test"):
            for score, value in alone.metrics["models"]["naive"][part].items():
                assert record["models"]["naive"][part][score] == pytest.approx(value), (name, part, score)
    assert both.metrics["unit"] == "σ"
    scaled = [record["models"]["naive"]["test"]["mae_scaled"] for record in both.metrics["targets"]]
    assert both.metrics["models"]["naive"]["test"]["mae"] == pytest.approx(np.mean(scaled))


def test_one_target_alone_is_as_it_was() -> None:
    frame = wide()
    forecaster = small(model="linear").fit(frame, target="north", time="day")
    assert forecaster.features_.roles.wide is None
    assert not forecaster.features_.per_series
    assert "targets" not in forecaster.features_.to_json()


def test_a_long_panel_is_saved_as_one(tmp_path: Path) -> None:
    panel = lengthen(Panel.from_numpy(np.arange(12.0).reshape(4, 3), ["a", "b", "c"]), ["a", "c"])
    panel.save(tmp_path / "panel")
    again = Panel.open(tmp_path / "panel", mmap=False)
    assert again.wide == panel.wide
    assert again.ids == ("a", "c")
