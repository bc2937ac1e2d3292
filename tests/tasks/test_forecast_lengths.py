"""A forecaster that is given no lookback or horizon chooses what the command line would, and says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqloom
from seqloom.app.plan import plan_for
from seqloom.app.tables import Settings
from seqloom.data import Panel
from seqloom.errors import DataError, SettingError
from seqloom.tasks import Forecaster
from seqloom.tasks.forecast import compare_forecasters

MADE = "Made to fit: lookback=2 (instead of 24), horizon=2 (instead of 12), because the table has 12 rows"


def months(rows: int, series: int = 1) -> Panel:
    time = np.datetime64("2012-01", "M") + np.arange(rows)
    ids = np.repeat([f"s{i}" for i in range(series)], rows) if series > 1 else None
    values = 50 + np.random.default_rng(rows).normal(size=rows * series).cumsum()
    return Panel.from_numpy(values, ["y"], time=np.tile(time.astype("M8[us]"), series), id=ids)


def small(**parameters: Any) -> Forecaster:
    return Forecaster(**{"model": "linear", "epochs": 1, **parameters})


@pytest.mark.parametrize("rows", [4, 12, 36, 60, 168])
def test_the_lengths_are_those_of_the_command_line(rows: int) -> None:
    panel = months(rows)
    fitted = small().fit(panel, target="y")
    plan = plan_for(Settings(model="linear", epochs=1), panel, "y").parameters
    assert (fitted.window_spec_.lookback, fitted.window_spec_.horizon) == (plan["lookback"], plan["horizon"])
    assert any("lookback=" in note and "horizon=" in note for note in fitted.notes_)
    assert (fitted.lookback, fitted.horizon) == (None, None)


def test_what_is_given_stands_and_what_can_not_be_is_told_with_values_that_work() -> None:
    assert small(horizon=3).fit(months(36), target="y").window_spec_.horizon == 3
    with pytest.raises(DataError, match=r"These work together: lookback=2 horizon=2\.") as caught:
        small(lookback=24).fit(months(12), target="y")
    assert "--" not in str(caught.value)
    with pytest.raises(SettingError, match="or None"):
        small(horizon=0).fit(months(36), target="y")


def test_a_saved_model_has_its_lengths(tmp_path: Path) -> None:
    fitted = small().fit(months(12), target="y")
    assert fitted.notes_[0].startswith(MADE)
    fitted.save(tmp_path / "model")
    loaded = seqloom.load(tmp_path / "model")
    assert (loaded.lookback, loaded.horizon, loaded.notes_) == (2, 2, fitted.notes_)
    assert np.array_equal(loaded.forecast().values, fitted.forecast().values)


def test_explicit_lengths_give_the_same_as_those_that_were_chosen() -> None:
    chosen, given = small().fit(months(60), target="y"), small(lookback=24, horizon=12)
    plan = plan_for(Settings(model="linear", epochs=1), months(60), "y").parameters
    again = small(**{name: plan[name] for name in ("lookback", "horizon", "split")}).fit(months(60), target="y")
    assert np.array_equal(chosen.forecast().values, again.forecast().values)
    assert not any("Not given" in note or "Made to fit" in note for note in again.notes_)
    with pytest.raises(SettingError, match="lookback, horizon, every, at: the data was prepared with"):
        given.fit_prepared(small().prepare(months(60), target="y"))


def test_a_backtest_and_a_comparison_choose_once_for_all() -> None:
    panel = months(60)
    found = small().cross_validate(panel, target="y", n_windows=2)
    assert [note.split(":")[0] for note in found.notes] == ["Made to fit"]
    run = compare_forecasters(months(12, series=2), ["linear"], {"epochs": 1}, target="y")
    assert (run.metrics["lookback"], run.metrics["horizon"]) == (2, 2)
    assert [f.window_spec_.lookback for f in run.forecasters.values()] == [2, 2]
