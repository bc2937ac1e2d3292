"""The weather and the stock: the rule by hand, what can be known, and what a carried state brings."""

from __future__ import annotations

import numpy as np
import pytest

from seqloom.studies.weather_stock import Market, ceilings, market


def test_level_follows_the_rule() -> None:
    """Level 2, +1 (at most 2) where it was 1 three days before, then −1 (at least 0) where it is 0."""
    made = market(400, seed=5)
    level, up = 2, []
    for day, today in enumerate(made.weather.tolist()):
        three_before = made.weather[day - 3] if day >= 3 else None
        level = min(2, level + (three_before == 1))
        level = max(0, level - (today == 0))
        up.append(level > 0)
    assert made.up.tolist() == up


def test_ceilings_are_those_of_the_catalogue() -> None:
    without, known = ceilings(market(400_000, seed=1))
    assert without == pytest.approx(0.649, abs=0.003)
    assert known == pytest.approx(0.886, abs=0.003)


def test_ceilings_of_days_that_tell_all() -> None:
    weather = np.tile([0, 0, 2], 30)
    assert ceilings(Market(weather, np.zeros(90, dtype=bool))) == (1.0, 1.0)
