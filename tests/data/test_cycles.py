"""Which calendar cycles repeat: made series with a known answer, the chance itself, and the weather of 2020."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqloom.data import Panel, read_panel
from seqloom_runtime.data.cycles import _period_waves, chance_of_cycle, repeating_cycles

HOURS = np.arange(24 * 7 * 20)
ALL = np.ones(len(HOURS), bool)


def hourly(values: np.ndarray) -> Panel:
    time = np.datetime64("2023-01-02T00:00", "us") + np.arange(len(values)) * np.timedelta64(1, "h")
    return Panel.from_numpy(values, ["y"], time=time)


def slow_noise(rng: np.random.Generator, count: int) -> np.ndarray:
    """A random walk pulled back to 0: it wanders for days, as weather does."""
    values, steps = np.zeros(count), rng.normal(size=count)
    for t in range(1, count):
        values[t] = 0.98 * values[t - 1] + steps[t]
    return values


@pytest.mark.parametrize("seed", range(8))
def test_finds_what_is_there_and_nothing_else(seed: int) -> None:
    noise = slow_noise(np.random.default_rng(seed), len(HOURS))
    daily = 3 * np.sin(2 * np.pi * HOURS / 24 + 1)
    weekend = np.where(HOURS // 24 % 7 >= 5, -12.0, 0.0)
    found = [
        repeating_cycles(hourly(y), "y", ALL, ("day", "week"))
        for y in (noise, noise + daily, noise + weekend, noise + daily + weekend)
    ]
    assert found == [(), ("day",), ("week",), ("day", "week")]


def test_the_chance_is_what_it_says() -> None:
    """Without a wave, chances are spread evenly over 0 to 1: a tenth of them lies below a tenth."""
    draws = [
        chance_of_cycle(hourly(slow_noise(np.random.default_rng(s), 1680)), "y", ALL[:1680], "week") for s in range(400)
    ]
    chances = np.array(draws, dtype=float)
    for level in (0.1, 0.5):
        assert abs((chances < level).mean() - level) < 4 * np.sqrt(level * (1 - level) / len(chances)), level


def test_too_few_periods_are_believed() -> None:
    rng = np.random.default_rng(1)
    assert chance_of_cycle(hourly(rng.normal(size=24 * 6)), "y", ALL[: 24 * 6], "day") is None
    assert repeating_cycles(hourly(rng.normal(size=24 * 6)), "y", ALL[: 24 * 6], ("day",)) == ("day",)


def test_constant_values_hold_no_cycle() -> None:
    assert chance_of_cycle(hourly(np.full(len(HOURS), 3.0)), "y", ALL, "day") == 1.0


def test_only_the_given_rows_count() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=24 * 28) + 0.2 * np.sin(2 * np.pi * np.arange(24 * 28) / 24)
    rows = np.arange(len(y)) < 24 * 21
    changed = y.copy()
    changed[~rows] = rng.normal(size=(~rows).sum()) * 1e6
    assert chance_of_cycle(hourly(y), "y", rows, "day") == chance_of_cycle(hourly(changed), "y", rows, "day")


def test_weather_has_days_and_no_weeks(data_dir: Path) -> None:
    panel = read_panel(data_dir / "jena" / "jena_climate_2020.csv.gz", time="Date Time", missing=(-9999,))
    rows = np.arange(len(panel)) < 26000
    assert repeating_cycles(panel, "T (degC)", rows, ("day", "week")) == ("day",)


def waves_of_one_series(values: np.ndarray, waves: np.ndarray, number: np.ndarray) -> np.ndarray:
    """What `_period_waves` finds in one series, step by step."""
    _, period, counts = np.unique(number, return_inverse=True, return_counts=True)
    width, rows = int(counts.max()), np.arange(len(values))
    total = np.concatenate([[0.0], np.cumsum(values - values[0])])
    low, high = np.maximum(rows - width // 2, 0), np.minimum(rows + (width + 1) // 2, len(values))
    detail = values - ((total[high] - total[low]) / (high - low) + values[0])
    sums = np.stack([np.bincount(period, weights=detail * wave) for wave in waves.T], axis=1)
    whole = counts >= 0.75 * width
    whole[[0, -1]] = False
    return sums[whole] / counts[whole, None]


@pytest.mark.parametrize("seed", range(6))
def test_periods_of_many_series_are_those_of_each_alone(seed: int) -> None:
    draw = np.random.default_rng(seed)
    lengths = draw.integers(1, 60, 12)
    lengths[3:6] = 40
    values, waves = draw.normal(0, 3, lengths.sum()), draw.normal(0, 1, (lengths.sum(), 2))
    number = np.concatenate([draw.integers(0, 9) + np.sort(draw.integers(0, 6, length)) for length in lengths])
    if seed % 2:  # a clock that is set back over midnight
        number[10:20] = number[10:20][::-1]
    series = np.repeat(np.arange(3, 15), lengths)
    ends = np.cumsum(lengths)[:-1]
    alone = map(waves_of_one_series, *(np.split(each, ends) for each in (values, waves, number)))
    assert np.array_equal(_period_waves(values, waves, number, series), np.concatenate(list(alone)))
