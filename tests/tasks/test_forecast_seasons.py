"""A season that the times don't tell is found in the training rows, and only there."""

from __future__ import annotations

import numpy as np
import pytest
from forecast_cases import SMALL, steps

from seqloom import Panel
from seqloom.app.plan import plan_for
from seqloom.app.tables import ForecastSettings
from seqloom.diagnostics import check_fit
from seqloom.tasks.forecast import compare_forecasters, preset_models
from seqloom.tasks.forecast.seasons import found_season


def wave(rows: int, season: int, noise: float = 0.2, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = rng.normal(size=season)
    return 5 + 0.01 * np.arange(rows) + shape[np.arange(rows) % season] + noise * rng.normal(size=rows)


@pytest.mark.parametrize(("rows", "season"), [(60, 4), (100, 12), (300, 7), (800, 48)])
def test_a_season_is_found(rows: int, season: int) -> None:
    assert found_season(steps(wave(rows, season)), "column_0", rows) == season


@pytest.mark.parametrize("rows", [5, 12, 40, 300, 2000])
def test_none_is_found_in_noise(rows: int) -> None:
    rng = np.random.default_rng(rows)
    for _ in range(20):
        noise = rng.normal(size=rows)
        assert found_season(steps(noise), "column_0", rows) is None
        assert found_season(steps(noise.cumsum()), "column_0", rows) is None
    assert found_season(steps(np.ones(rows)), "column_0", rows) is None


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
def test_the_season_of_a_smooth_and_noisy_line_is_that_of_the_line(noise: float) -> None:
    line = np.sin(2 * np.pi * np.arange(480) / 24) + noise * np.random.default_rng(3).normal(size=480)
    assert found_season(steps(line), "column_0", 480) in (24, *([None] if noise == 0.3 else []))


def test_of_many_series_the_season_is_that_of_most() -> None:
    rng = np.random.default_rng(4)
    pieces = [wave(150, 6, seed=2), wave(140, 6, seed=3) * 1000, rng.normal(size=40)]
    ids = np.repeat(["a", "b", "c"], [len(piece) for piece in pieces])
    panel = Panel.from_numpy(np.concatenate(pieces), ["column_0"], id=ids)
    assert found_season(panel, "column_0", 150) == 6


def test_later_rows_do_not_reach_the_season(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.concatenate([wave(140, 7), wave(600, 12)])[:, None]
    changes = ("noise", "reversed")

    def season(rows: np.ndarray) -> dict[str, np.ndarray]:
        run = compare_forecasters(
            steps(rows),
            None,
            {**{name: SMALL[name] for name in ("lookback", "horizon")}, "split": (140, 30), "levels": ()},
            target="column_0",
            preset="fast",
            refit=False,
        )
        return {"season": np.array([run.data.season])}

    check_fit(season, values, 140, perturbations=changes).raise_for_leak()
    assert season(values)["season"] == 7
    monkeypatch.setattr(preset_models, "found_season", lambda panel, target, before: found_season(panel, target, 10**6))
    assert not check_fit(season, values, 140, perturbations=changes).passed


def test_the_command_says_which_season_it_found() -> None:
    plan = plan_for(ForecastSettings(preset="fast", horizon="6"), steps(wave(120, 6)), "column_0")
    assert plan.parameters["season"] == 6
    assert "seasonal" in plan.models
    assert any("found in the training rows" in note and "--season 6 (--season 1 goes" in note for note in plan.notes)
    plan = plan_for(ForecastSettings(preset="fast", horizon="6", season="1"), steps(wave(120, 6)), "column_0")
    assert plan.parameters["season"] == 1
    plan = plan_for(ForecastSettings(preset="fast"), steps(np.random.default_rng(2).normal(size=120)), "column_0")
    assert plan.parameters["season"] is None
    assert any(
        "Left out: seasonal, seasonal-week (rows without times have no known season" in note for note in plan.notes
    )


@pytest.mark.parametrize(("text", "season"), [("12h", 12), ("2d", 48)])
def test_a_season_may_be_a_duration(text: str, season: int) -> None:
    hours = np.datetime64("2024-01-01", "s") + np.arange(200) * np.timedelta64(1, "h")
    panel = Panel.from_numpy(wave(200, 12)[:, None], ["column_0"], time=hours)
    plan = plan_for(ForecastSettings(preset="fast", season=text, lookback="12", horizon="4"), panel, "column_0")
    assert "seasonal" in plan.models
    run = compare_forecasters(
        panel, None, {"season": text, "lookback": 12, "horizon": 4, "levels": ()}, target="column_0", preset="fast"
    )
    assert run.data.season == season
