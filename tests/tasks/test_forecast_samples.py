"""Intervals of levels that the fit was not asked for, and sample paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from forecast_cases import hourly, load_and_wind, small, steps, with_values

from seqloom import Forecaster, load
from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.wide import lengthen


def fitted(model: str = "naive", **parameters: Any) -> Forecaster:
    values = load_and_wind(600, 2)
    panel = hourly(600)
    forecaster = small(model=model, levels=(50, 80), **parameters)
    return forecaster.fit_prepared(forecaster.prepare(with_values(panel, values), target="load"))


def test_other_levels_lie_between_those_around_them() -> None:
    forecaster = fitted()
    asked, own = forecaster.forecast(levels=(90, 65, 50)), forecaster.forecast()
    assert list(asked.bounds) == ["90", "65", "50"]
    np.testing.assert_array_equal(asked.bounds["50"], own.bounds["50"])
    for side, sign in ((0, -1), (1, 1)):
        ends = [sign * bounds[side] for bounds in (own.bounds["50"], asked.bounds["65"], own.bounds["80"])]
        assert (ends[0] <= ends[1]).all()
        assert (ends[1] <= ends[2]).all()
        assert (ends[2] <= sign * asked.bounds["90"][side]).all()
    assert asked.notes == (
        "The 90 % and 65 % intervals were not asked for in the fit: made of the same errors, and widened as what "
        "50 % and 80 % missed says.",
    )
    assert not own.notes
    assert list(forecaster.predict(levels=80)) == ["time", "load", "low_80", "high_80"]


def test_sample_paths_spread_as_the_intervals() -> None:
    forecaster = fitted("linear")
    table, own = forecaster.forecast(samples=4000), forecaster.forecast()
    assert not table.bounds
    paths = table.values.reshape(4000, 4)
    assert table.sample is not None
    np.testing.assert_array_equal(table.sample.reshape(4000, 4), np.repeat(np.arange(4000)[:, None], 4, axis=1))
    np.testing.assert_array_equal(table.times, np.tile(own.times, 4000))
    low, high = own.bounds["80"]
    inside = ((low <= paths) & (paths <= high)).mean(axis=0)
    assert (np.abs(inside - 0.8) < 0.08).all()
    # Whole past errors: what is high at one step is high at the next one too.
    errors = paths - own.values
    assert len(np.unique(errors[:, 0].round(6))) < 200
    again = forecaster.forecast(samples=4000)
    np.testing.assert_array_equal(again.values, table.values)
    assert not np.array_equal(forecaster.forecast(samples=4000, seed=1).values, table.values)


def test_paths_of_counts_are_whole_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    sold = rng.poisson(2.0, 240).astype(np.float64)
    asked: list[tuple[np.ndarray, dict[str, Any], bool]] = [
        (sold, {"model": "linear"}, True),
        (sold, {"model": "gru", "distribution": "negative-binomial"}, True),
        (sold + 1, {"model": "gru", "distribution": "negative-binomial"}, True),  # never 0: no floor was found
        (sold + 1, {"model": "naive", "non_negative": True}, True),
        (sold + 1, {"model": "linear"}, False),  # whole degrees, say
        (sold, {"model": "linear", "non_negative": False}, False),
        (sold / 2, {"model": "linear", "non_negative": True}, False),
    ]
    for values, parameters, whole in asked:
        forecaster = small(levels=(50, 80), **parameters)
        forecaster.fit_prepared(forecaster.prepare(steps(values, ["sold"]), target="sold"))
        paths = forecaster.forecast(samples=200).values
        assert (paths == np.rint(paths)).all() == whole
        assert not whole or paths.min() >= 0
        assert forecaster.counted_ == (whole,)
        forecaster.save(tmp_path / "m")
        again = load(tmp_path / "m")
        assert again.counted_ == forecaster.counted_
        np.testing.assert_array_equal(again.forecast(samples=200).values, paths)


def test_samples_as_a_frame() -> None:
    frame = pl.DataFrame({"when": hourly().time, "load": load_and_wind()[:, 0]})
    forecaster = small(model="naive").fit(frame, target="load", time="when")
    found = forecaster.predict(samples=3)
    assert found.columns == ["when", "sample", "load"]
    assert found["sample"].to_list() == [0] * 4 + [1] * 4 + [2] * 4


def test_samples_of_several_targets_stand_side_by_side() -> None:
    panel = lengthen(hourly(), ["load", "wind"])
    forecaster = small(model="naive").fit(panel, target="target")
    found = forecaster.forecast(samples=5).columns("target")
    assert list(found) == ["time", "sample", "load", "wind"]
    assert len(found["time"]) == 20
    assert np.isfinite(found["load"]).all()


def test_later_rows_don_t_reach_the_paths_from_an_earlier_end() -> None:
    values = load_and_wind()
    values[222:] *= 3
    split = {"split": (132, 72), "missing_flags": False}
    one, two = (
        forecaster.fit_prepared(forecaster.prepare(panel, target="load"))
        for forecaster, panel in (
            (small(model="naive", **split), hourly()),
            (small(model="naive", **split), with_values(hourly(), values)),
        )
    )
    past = hourly().take(np.arange(215))
    asked: dict[str, Any]
    for asked in ({"samples": 50}, {"levels": (60,)}):
        np.testing.assert_array_equal(one.forecast(past, **asked).values, two.forecast(past, **asked).values)
    np.testing.assert_array_equal(
        one.forecast(past, levels=(60,)).bounds["60"], two.forecast(past, levels=(60,)).bounds["60"]
    )
    assert not np.array_equal(one.forecast(samples=50).values, two.forecast(samples=50).values)


def test_saved_models_draw_the_same_paths(tmp_path: Path) -> None:
    forecaster = fitted("gru")
    forecaster.save(tmp_path / "m")
    again = load(tmp_path / "m")
    np.testing.assert_array_equal(again.forecast(samples=20).values, forecaster.forecast(samples=20).values)


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"samples": 0}, SettingError, "samples: expected a whole number from 1 to 100,000, got 0"),
        ({"samples": True}, SettingError, "samples: expected a whole number"),
        ({"samples": 3, "horizon": 9}, SettingError, "samples: sample paths end at the trained horizon of 4 rows"),
        ({"levels": (120,)}, SettingError, "levels: expected percentages between 0 and 100"),
        ({"levels": ()}, SettingError, "levels: expected percentages"),
        ({"levels": (80, 80)}, SettingError, "levels: expected each level once"),
        ({"levels": (99.9,)}, DataError, r"levels: 99\.9 % needs at least 999 errors of each step, and 120 are known"),
    ],
)
def test_what_can_t_be_asked(asked: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        fitted().forecast(**asked)


@pytest.mark.parametrize("asked", [{"samples": 3}, {"levels": (60,)}])
def test_a_model_without_errors_says_so(asked: dict[str, Any]) -> None:
    forecaster = small(model="naive", levels=()).fit(hourly(), target="load")
    with pytest.raises(SettingError, match="this model has no intervals, as it was fitted with none"):
        forecaster.forecast(**asked)
