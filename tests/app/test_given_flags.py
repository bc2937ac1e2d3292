"""The settings that a command line named, as flags: what a report repeats."""

from __future__ import annotations

from seqloom.app.options import given_flags
from seqloom.app.tables import ForecastSettings


def test_only_what_is_not_usual_is_given_each_by_its_flag() -> None:
    assert given_flags(ForecastSettings()) == {}
    asked = ForecastSettings(data="x.csv", refit=False, horizon="12", non_negative=False, calendar=True, threads=2)
    assert given_flags(asked) == {
        "horizon": "--horizon",
        "non_negative": "--allow-negative",
        "calendar": "--calendar",
        "refit": "--no-refit",
    }
