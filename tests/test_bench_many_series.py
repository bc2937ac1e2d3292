"""The errors of the comparison on very many series are those of a plain loop."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

pl = pytest.importorskip("polars")

from bench.many_series import scores, table_of  # noqa: E402


def test_scores_are_those_of_a_loop_over_series() -> None:
    rng = np.random.default_rng(4)
    series, rows, ahead, season = 5, 40, 6, 7
    values = rng.integers(0, 9, (series, rows))
    values[3, :-ahead] = 2  # no in-sample error: counts in MAE alone
    made = rng.normal(4, 2, (series, ahead))
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(days=day) for day in range(rows)]
    names = [f"s{n}" for n in range(series)]
    whole = pl.DataFrame({"id": np.repeat(names, rows), "date": days * series, "sales": values.ravel()})
    forecast = pl.DataFrame(
        {"id": np.repeat(names, ahead), "date": days[-ahead:] * series, "forecast": made.ravel()}
    ).sample(fraction=1.0, shuffle=True, seed=1)
    mase, rmsse = [], []
    for known, held, guess in zip(values[:, :-ahead], values[:, -ahead:], made):
        step = known[season:] - known[:-season]
        if step.any():
            mase.append(np.abs(guess - held).mean() / np.abs(step).mean())
            rmsse.append(np.sqrt(((guess - held) ** 2).mean() / (step**2).mean()))
    found = scores([whole[: 2 * rows], whole[2 * rows :]], forecast, ahead, season)
    assert found["mae"] == pytest.approx(np.abs(made - values[:, -ahead:]).mean())
    assert (found["mase"], found["rmsse"]) == pytest.approx((np.mean(mase), np.mean(rmsse)))


def test_a_failure_is_a_row_of_the_table() -> None:
    found = table_of(
        [{"program": "a", "series": 1000, "failed": "MemoryError"}, {"program": "b", "series": 9, "mae": 1.0}]
    )
    assert "| 1,000 | a | failed: MemoryError | – | – | – | – | – | – | – |" in found
    assert "| 9 | b | – | – | – | – | – | 1.000 | – | – |" in found
