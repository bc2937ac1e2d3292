"""New rows that follow those of the fit are joined to them; what can't be joined is refused or said."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from forecast_cases import hourly, small

from seqloom import Panel
from seqloom.errors import DataError


def part(panel: Panel, first: int, end: int) -> Panel:
    rows = panel.take(np.arange(first, end))
    return dataclasses.replace(rows, quality=None)


@pytest.mark.parametrize("model", ["ets", "auto-theta", "drift", "damped-persistence", "linear", "ensemble"])
def test_later_rows_alone_give_what_the_whole_table_gives(model: str) -> None:
    whole = hourly(240)
    members = {"members": ("theta", "linear", "seasonal")} if model == "ensemble" else {}
    forecaster = small(model=model, season=None if model == "ets" else 24, **members)
    forecaster.fit(part(whole, 0, 220), target="load")
    expected = forecaster.forecast(whole)
    for first in (220, 213):  # behind the rows of the fit, and overlapping with them
        found = forecaster.forecast(part(whole, first, 240))
        np.testing.assert_array_equal(found.values, expected.values)
        assert found.notes == expected.notes
        assert found.notes == () or "not updated" not in " ".join(found.notes)


def test_a_gap_is_refused_or_said() -> None:
    whole = hourly(240)
    single = small(model="theta").fit(part(whole, 0, 200), target="load")
    with pytest.raises(
        DataError, match=r"begins 4 rows after the last one .* a statistical method goes on from row to row; give the"
    ):
        single.forecast(part(whole, 203, 240))
    several = small(model="ensemble", members=("theta", "naive"), levels=()).fit(part(whole, 0, 200), target="load")
    if len(several.members_.members) > 1:
        table = several.forecast(part(whole, 203, 240))
        assert table.notes[0].startswith("theta is left out of this forecast: The data begins 4 rows after")
