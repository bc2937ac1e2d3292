"""STL of many windows at once against statsmodels, to the last bit, and the baseline that asks for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.seasonal import STL

from seqloom.diagnostics import STLETS, TargetHistory, classical
from seqloom.diagnostics.stl import seasonal_parts, weights_needed


def windows(count: int, rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, rows)).cumsum(axis=1) + 40.0


def directly(values: np.ndarray, season: int) -> np.ndarray:
    return np.stack([np.asarray(STL(window, period=season).fit().seasonal) for window in values])


@settings(max_examples=25, deadline=None)
@given(season=st.integers(2, 30), rows=st.integers(0, 150), seed=st.integers(0, 99))
def test_the_season_is_that_of_statsmodels_to_the_last_bit(season: int, rows: int, seed: int) -> None:
    values = windows(3, 2 * season + rows, seed)
    np.testing.assert_array_equal(seasonal_parts(values, season), directly(values, season))


@pytest.mark.parametrize(("rows", "season"), [(520, 52), (500, 7), (97, 48), (13, 12)])
def test_windows_don_t_see_each_other_and_any_number_may_go_together(rows: int, season: int) -> None:
    values = windows(70, rows)
    together = seasonal_parts(values, season)
    np.testing.assert_array_equal(together[[0, 63, 64, 69]], directly(values[[0, 63, 64, 69]], season))
    np.testing.assert_array_equal(together[5:6], seasonal_parts(values[5:6], season))


def test_stl_ets_forecasts_the_same_whichever_way_the_season_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    values = 5 * np.sin(np.arange(640) * 2 * np.pi / 12) + windows(1, 640)[0]
    history = TargetHistory.single(values, train_rows=480)
    origins, steps = np.arange(481, 600, 3), np.array([1, 2, 13])
    calls: list[int] = []
    counted = classical.seasonal_parts
    monkeypatch.setattr(
        classical, "seasonal_parts", lambda parts, season: calls.append(len(parts)) or counted(parts, season)
    )
    together = STLETS(12).fit(history).forecast(history, origins, steps)
    assert sum(calls) > 20  # the windows of 500 rows; the shorter ones have lengths of their own
    monkeypatch.setattr(classical, "MOST_WEIGHTS", 0)
    alone = STLETS(12).fit(history).forecast(history, origins, steps)
    np.testing.assert_array_equal(together, alone)


def test_weights_are_counted_before_they_are_made() -> None:
    assert weights_needed(520, 52) < classical.MOST_WEIGHTS < weights_needed(10_000, 1000)
