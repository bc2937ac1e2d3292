"""What `fit` is not told and the table tells: target and time, in a sentence each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqloom import Forecaster
from seqloom.errors import DataError, SettingError

VALUES = np.sin(np.arange(200) / 4) * 10 + np.arange(200) % 7
HOURS = pd.date_range("2024-01-01", periods=200, freq="h")
FRAME = pd.DataFrame({"at": HOURS, "load": VALUES})


def fitted(data: Any, **columns: Any) -> Forecaster:
    return Forecaster(model="drift", lookback=12, horizon=2).fit(data, **columns)


@pytest.mark.parametrize(
    "data",
    [VALUES, VALUES[:, None], VALUES.tolist(), pd.Series(VALUES), pl.Series(VALUES)],
    ids=lambda x: type(x).__name__,
)
def test_the_only_column_is_the_target(data: Any) -> None:
    model = fitted(data)
    assert model.features_.roles.target == "column_0"
    assert model.notes_[0] == "target was not given: 'column_0', the only column of numbers."
    expected = fitted(VALUES, target="column_0").predict()["column_0"]
    assert np.array_equal(np.asarray(model.predict()["column_0"]), expected)


SERIES = pd.Series(VALUES, index=HOURS.rename("at"), name="load")


@pytest.mark.parametrize("data", [FRAME, pl.from_pandas(FRAME), SERIES], ids=["pandas", "polars", "series"])
def test_the_column_of_times_is_found(data: Any) -> None:
    model = fitted(data)
    said = ["time was not given: 'at' holds the times.", "target was not given: 'load', the only column of numbers."]
    said = said[1:] if data is SERIES else said  # whose index says that it holds them
    assert model.notes_[: len(said)] == said
    told = fitted(FRAME, target="load", time="at").predict()
    found = model.predict()
    assert list(found["at"]) == list(told["at"])
    assert list(found["load"]) == list(told["load"])


def test_of_several_columns_none_is_guessed() -> None:
    two = FRAME.assign(wind=1.5 * VALUES)
    with pytest.raises(SettingError, match=r"^target: which column is to be forecast\? The table has 'load', 'wind'"):
        fitted(two)
    assert fitted(two, inputs=["wind"]).features_.roles.target == "load"
    with pytest.raises(DataError, match=r"^data: expected numbers"):
        fitted(["a", "b"])


def test_what_is_named_stays_as_it_is() -> None:
    with pytest.raises(DataError, match="'at' holds times, but no time is named"):
        fitted(FRAME, target="load")
