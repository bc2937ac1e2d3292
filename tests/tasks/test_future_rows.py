"""Rows to be forecast that lack a value known in advance: counted by series before training, filled only when asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from forecast_cases import hours, load_and_wind, small

import seqloom
from seqloom import Panel
from seqloom.errors import DataError
from seqloom_runtime.forecast.future_rows import lacking_note, rows_lacking

STEPS = np.arange(1, 5)


def table(ahead: dict[str, int], gap: str = "") -> Panel:
    """240 hours of each series and some rows more whose wind alone is known; `gap` lacks the second of them."""
    values, times, ids = [], [], []
    for name, more in ahead.items():
        block = load_and_wind(240 + more)
        block[240:, 0] = np.nan
        keep = np.ones(len(block), bool)
        if name == gap:
            keep[241] = False
        values.append(block[keep])
        times.append(hours(len(block))[keep])
        ids += [name] * int(keep.sum())
    return Panel.from_numpy(np.concatenate(values), ["load", "wind"], time=np.concatenate(times), id=np.array(ids))


def test_rows_are_counted_by_series() -> None:
    panel = table({"a": 4, "b": 0, "c": 3, "d": 4, "e": 1, "f": 0}, gap="d")
    lacking = rows_lacking(panel, "load", ["wind"], STEPS)
    assert lacking == {"b": 4, "c": 1, "d": 1, "e": 3, "f": 4}
    assert lacking_note(lacking, ["wind"], 4, None) == (
        "future: 13 of 20 rows to be forecast have no value of 'wind' (4 in series 'b', 1 in series 'c', 1 in series "
        "'d' and 7 in 2 more series); networks can't forecast past the end of the data without: add these rows with "
        "the target left empty, or carry the last known value forward with fill_future='carry'."
    )


def test_a_row_that_is_not_there_is_filled_only_when_asked(tmp_path: Path) -> None:
    panel = table({"a": 4}, gap="a")
    forecaster = small(model="linear").fit(panel, target="load", future=["wind"])
    with pytest.raises(DataError, match=r"missing 2 rows after the last observed target.*fill_future='carry'"):
        forecaster.forecast()
    forecaster.set_params(fill_future="carry")
    found = forecaster.forecast()
    assert np.isfinite(found.values).all()
    assert found.notes == (
        "future: 1 of 4 rows to be forecast have no value of 'wind' (1 in series 'a'); the last known one is carried "
        "forward (fill_future='carry').",
    )
    forecaster.save(tmp_path / "model")
    assert np.array_equal(seqloom.load(tmp_path / "model").forecast().values, found.values)
    given = panel.values.copy()
    given[241, 1] = given[240, 1]
    given[240:, 0] = np.nan
    again = Panel.from_numpy(given, ["load", "wind"], time=hours(244), id=np.array(["a"] * 244))
    assert np.array_equal(forecaster.forecast(again).values, found.values)
