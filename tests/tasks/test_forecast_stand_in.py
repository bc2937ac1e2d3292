"""Series that no member of an ensemble can forecast: what stands in for them, and what is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from forecast_cases import hours, small

from seqloom import Forecaster, Panel, load
from seqloom.errors import DataError, FormatError
from seqloom.tasks.forecast import compare_forecasters
from seqloom_runtime.files import sha256_bytes

SETTINGS = {"season": 4, "lookback": 1, "horizon": 2}


def panel(later: float = 0.0) -> Panel:
    """Two long series of a cycle of 4 rows, one constant, and two of 2 and 1 rows at their end, the first moved."""
    rng, rows = np.random.default_rng(0), np.arange(80)
    long = [10 + 3 * np.sin(np.pi * rows / 2) + rng.normal(0, 0.3, 80) for _ in range(2)]
    series = {
        "a": long[0],
        "b": long[1],
        "const": np.full(80, 7.0),
        "two": np.array([5.0, 6.0]),
        "one": np.array([4.0]),
    }
    series["a"][70:] += later
    times = [hours(80)[-len(values) :] for values in series.values()]
    names = np.repeat(list(series), [len(values) for values in series.values()])
    return Panel.from_numpy(np.concatenate(list(series.values()))[:, None], ["y"], time=np.concatenate(times), id=names)


def ensemble(members: tuple[str, ...] = ("auto-theta",), refit: bool = True) -> Forecaster:
    return small(model="ensemble", members=members, refit=refit, **SETTINGS).fit(panel(), target="y")


def test_every_series_has_a_forecast_and_one_sentence_says_why(tmp_path: Path) -> None:
    fitted = ensemble(("auto-theta", "theta"))
    table = fitted.forecast()
    assert np.isfinite(table.values).all()
    for name, value in (("const", 7.0), ("two", 6.0), ("one", 4.0)):
        np.testing.assert_array_equal(table.values[table.ids == name], value)
    told = [note for note in table.notes if "can't forecast" in note]
    assert len(told) == 1
    assert told[0].endswith(
        " can't forecast 3 series, so that the naive forecast stands in for them: 'const' is constant, 'one' has 1 "
        "row, 'two' has 2 rows."
    )
    fitted.save(tmp_path / "model")
    again = load(tmp_path / "model").forecast()
    np.testing.assert_array_equal(again.values, table.values)
    assert again.notes == table.notes
    new = fitted.forecast(panel())
    np.testing.assert_allclose(new.values, table.values)


def test_the_seasonal_forecast_stands_in_where_it_was_better(tmp_path: Path) -> None:
    fitted = small(model="ensemble", members=("auto-theta", "seasonal", "naive"), **SETTINGS).fit(panel(), target="y")
    assert fitted.members_.fallback == "seasonal"
    fitted.save(tmp_path / "model")
    assert load(tmp_path / "model").members_.fallback == "seasonal"
    path = tmp_path / "model" / "model.json"
    header = json.loads(path.read_text())
    header["fallback"] = "gru"
    del header["checksum"]
    header["checksum"] = sha256_bytes(json.dumps(header, sort_keys=True, ensure_ascii=False).encode())
    path.write_text(json.dumps(header))
    with pytest.raises(FormatError, match="'fallback' to be one of naive, seasonal, got 'gru'"):
        load(tmp_path / "model")


def test_a_single_method_says_why_it_has_no_forecast() -> None:
    notes = small(model="auto-theta", **SETTINGS).fit(panel(), target="y").forecast().notes
    assert (
        "Series 'const' is constant, so that 'auto-theta' can't forecast it; 'naive' can. It has no forecast." in notes
    )
    assert "Series 'two' has 2 rows, so that 'auto-theta' can't forecast it; 'naive' can. It has no forecast." in notes


def test_scored_windows_have_the_forecast_that_stands_in_and_read_no_later_row() -> None:
    fitted = ensemble(refit=False)
    data, other = (fitted.prepare(panel(later), target="y") for later in (0.0, 50.0))
    const = data.valid[data.panel.series_index[data.valid] == 2]
    np.testing.assert_array_equal(fitted.forecast_windows(data, const), 7.0)
    early = data.valid[data.panel.tick[data.valid] < 70]
    np.testing.assert_array_equal(fitted.forecast_windows(data, early), fitted.forecast_windows(other, early))


def test_of_a_single_series_nothing_stands_in() -> None:
    only = Panel.from_numpy(panel().values[:80], ["y"], time=hours(80))
    fitted = small(model="ensemble", members=("auto-theta",), **SETTINGS).fit(only, target="y")
    with pytest.raises(DataError):
        fitted.forecast(only.take(np.arange(2)))


def test_a_comparison_forecasts_every_series() -> None:
    parameters = {**SETTINGS, "levels": (80,)}
    run = compare_forecasters(panel(), ["auto-theta", "ensemble"], parameters, target="y")
    assert np.isfinite(run.table.values).all()
