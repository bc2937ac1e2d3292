"""Scikit-learn's manners: constructors store, fit validates, learned attributes, clones, and errors before fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from forecast_cases import hourly, small, weights
from sklearn.base import clone
from sklearn.exceptions import NotFittedError as SklearnNotFitted
from sklearn.utils.validation import check_is_fitted

from seqloom import Forecaster, load
from seqloom.errors import DataError, NotFittedError, SettingError, TrainingError


def learned(forecaster: Forecaster) -> set[str]:
    return {name for name in vars(forecaster) if name.endswith("_")}


@pytest.mark.parametrize(
    "call", [lambda f: f.predict(), lambda f: f.forecast(), lambda f: f.save("x"), lambda f: f.read(0)]
)
def test_before_fit(call) -> None:
    with pytest.raises(NotFittedError, match="This Forecaster is not fitted yet: call fit first"):
        call(Forecaster())
    with pytest.raises(SklearnNotFitted):
        check_is_fitted(Forecaster())


def test_fit_returns_self_and_sets_only_learned_attributes() -> None:
    forecaster = small(model="gru")
    before = forecaster.get_params()
    assert not learned(forecaster)
    assert forecaster.fit(hourly(), target="load") is forecaster
    assert forecaster.get_params() == before
    assert {name for name in vars(forecaster) if not name.endswith("_")} == set(before)
    check_is_fitted(forecaster)
    copy: Forecaster = clone(forecaster)  # pyright: ignore[reportAssignmentType]
    assert not learned(copy)
    assert copy.get_params() == before
    assert weights(copy.fit(hourly(), target="load")) == weights(forecaster)


def test_set_params_and_repr() -> None:
    forecaster = Forecaster().set_params(model="lstm", units=8)
    assert repr(forecaster) == "Forecaster(model='lstm', units=8)"
    assert forecaster.get_params(deep=False)["units"] == 8
    with pytest.raises(SettingError, match=r"Forecaster has no parameter 'horizn'\. Did you mean 'horizon'"):
        forecaster.set_params(horizn=3)
    odd = Forecaster(levels=np.array([80, 90]))  # type: ignore[arg-type]
    assert "levels=array([80, 90])" in repr(odd)


def test_a_second_fit_forgets_the_first() -> None:
    forecaster = small(model="gru").fit(hourly(), target="load")
    first = learned(forecaster)
    forecaster.set_params(model="naive").fit(hourly(), target="load")
    assert learned(forecaster) == first - {"learned_"} | {"baseline_"}
    assert forecaster.predict()["load"].tolist() == [hourly().values[-1, 0]] * 4
    forecaster.set_params(model="linear")  # not fitted again: what was fitted goes on
    assert forecaster.predict()["load"].tolist() == [hourly().values[-1, 0]] * 4


def test_a_failed_fit_leaves_nothing_half_fitted() -> None:
    forecaster = small(model="linear").fit(hourly(), target="load")
    with pytest.raises(TrainingError):
        forecaster.set_params(learning_rate=1e30, loss="mse", optimizer="sgd", clip_norm=None).fit(
            hourly(), target="load"
        )
    assert not learned(forecaster)
    good = small(model="linear").fit(hourly(), target="load")
    with pytest.raises(DataError):
        good.fit(hourly(), target="nothing")
    assert len(good.predict()["load"]) == 4  # refused before anything was learned


def test_data_prepared_for_other_settings_is_refused() -> None:
    data = small().prepare(hourly(), target="load")
    for change, words in (
        ({"lookback": 13}, "lookback, horizon, every, at: the data was prepared with"),
        ({"calendar": True}, "calendar: the data was prepared with False"),
        ({"season": 12}, r"season: the data was prepared with 24\.0, this forecaster has 12\.0"),
        ({"scaling": "series"}, "scaling"),
        ({"missing_flags": False}, "missing_flags"),
    ):
        with pytest.raises(SettingError, match=words):
            small(**change).fit_prepared(data)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"levels": (80, 80.0)}, "levels: expected each level once"),
        ({"horizon": 5, "every": 2, "lookback": 12}, "horizon: expected a multiple of every"),
        ({"lookback": "12h30min"}, "lookback"),
        ({"season": "90min"}, "season"),
        ({"seed": 2**63}, "seed"),
        ({"zone": "Mars/Base"}, "time zone"),
        ({"split": "0.9"}, "split: expected fractions"),
        ({"model": "dense", "activation": "prelu"}, "activation: expected one of .* for the model 'dense'"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_before_training(change: dict, words: str) -> None:
    frame = pl.DataFrame({"time": hourly().time, "load": hourly().values[:, 0]})
    with pytest.raises(SettingError, match=words):
        small(**{"model": "gru", **change}).fit(frame, target="load", time="time")


def test_nothing_is_printed_or_written(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    forecaster = small(model="gru").fit(hourly(), target="load")
    forecaster.predict()
    forecaster.cross_validate(hourly(), target="load", n_windows=2)
    assert capsys.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())
    forecaster.save("model")
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert isinstance(load("model"), Forecaster)
