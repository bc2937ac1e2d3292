"""Several targets that differ in what they have: levels, last values, names of the table's own series."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import seqloom
from seqloom.data import Panel
from seqloom.errors import DataError, SettingError
from seqloom.tasks import Forecaster
from seqloom.tasks.forecast import compare_forecasters
from seqloom.tasks.forecast.targets import chosen_targets
from seqloom_runtime.data.holidays import check_holidays

ROWS = 80
BOTH = ["north", "south"]


def wide(lost: slice = slice(0, 0), seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    south = 100 + rng.normal(size=ROWS)
    south[lost] = np.nan
    day = np.datetime64("2020-01-01") + np.arange(ROWS)
    return pl.DataFrame({"day": day, "north": 10 + rng.normal(size=ROWS), "south": south}).with_columns(
        pl.col("south").fill_nan(None)
    )


def fit(frame: Any, **parameters: Any) -> Forecaster:
    forecaster = Forecaster(
        **{"model": "naive", "lookback": 4, "horizon": 2, "epochs": 1, "levels": (80,), **parameters}
    )
    return forecaster.fit(frame, target=BOTH, time="day")


def test_too_few_errors_of_one_target_leave_the_level_of_the_others(tmp_path: Path) -> None:
    fitted = fit(wide(slice(60, None)))
    assert np.isfinite(fitted.radii_["80"]).all(axis=1).tolist() == [True, False]
    assert any(note.startswith("No 80 % interval for 'south': ") for note in fitted.notes_)
    found = fitted.predict()
    assert np.isfinite(found["north_low_80"].to_numpy()[2:]).all()
    assert np.isnan(found["south_low_80"].to_numpy()).all()
    fitted.save(tmp_path / "model")
    assert seqloom.load(tmp_path / "model").predict().equals(found)
    none = fit(wide(), levels=(99,))
    assert none.radii_ == {}


def test_scores_of_a_level_count_the_targets_that_have_it(tmp_path: Path) -> None:
    panel = Panel.from_frame(wide(slice(50, 68)), time="day", max_fill=0)
    chosen = chosen_targets(panel, BOTH, None, ())
    parameters = {"lookback": 4, "horizon": 2, "levels": (80,)}
    run = compare_forecasters(chosen.panel, [], parameters, target=chosen.target, directory=tmp_path / "run")
    radii = run.forecasters["naive"].radii_["80"]
    assert np.isfinite(radii).all(axis=1).tolist() == [True, False]
    north, south = (target["models"]["naive"]["test"] for target in run.metrics["targets"])
    assert south["coverage"] == {}
    assert run.metrics["models"]["naive"]["test"]["coverage"]["80"] == north["coverage"]["80"]


def test_the_table_s_own_series_are_called_alike_everywhere(tmp_path: Path) -> None:
    frame = pl.concat([wide(seed=seed).with_columns(shop=pl.lit(name)) for seed, name in ((1, "a / b"), (2, "c"))])
    panel = Panel.from_frame(frame, time="day", id="shop")
    chosen = chosen_targets(panel, BOTH, None, ())
    parameters = {"lookback": 4, "horizon": 2}
    compare_forecasters(chosen.panel, [], parameters, target=chosen.target, directory=tmp_path / "run")
    for name in ("predictions.csv", "forecast.csv"):
        with (tmp_path / "run" / name).open(newline="") as file:
            assert {row["id"] for row in csv.DictReader(file)} == {"a / b", "c"}
    forecaster = Forecaster(model="naive", lookback=4, horizon=2)
    found = forecaster.cross_validate(frame, target=BOTH, time="day", id="shop", n_windows=2).columns
    assert set(found["id"].tolist()) == {"a / b", "c"}
    assert set(found["target"].tolist()) == set(BOTH)
    alone = forecaster.cross_validate(wide(), target=BOTH, time="day", n_windows=2).columns
    assert set(alone["id"].tolist()) == set(BOTH)


def test_an_empty_cell_of_a_forecast_is_said_once() -> None:
    notes = fit(wide(slice(78, None))).forecast().notes
    assert sum("a cell holds no value where its target has no forecast" in note for note in notes) == 1
    assert not any("holds no value" in note for note in fit(wide()).forecast().notes)
    with pytest.raises(DataError, match="The target 'south' has no measured value in the training rows"):
        fit(wide(slice(0, 75)))


def test_a_forecast_that_grows_without_end_is_refused_with_its_reason() -> None:
    fitted = fit(wide(), model="linear", holidays="DE")
    fitted.learned_.network.load_state_dict(
        {name: values * 0 + 3 for name, values in fitted.learned_.network.state_dict().items()}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=r"grows beyond all numbers [\d,]+ rows ahead, as it reads its own"):
            fitted.predict(horizon=2000)


@pytest.mark.parametrize(("places", "advice"), [("DE-", r"out, or name a part \(BB"), ("NYSE-", "dash out.$")])
def test_a_dash_without_a_part(places: str, advice: str) -> None:
    with pytest.raises(SettingError, match=advice):
        check_holidays(places)
