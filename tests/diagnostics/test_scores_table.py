"""The table of scores: every entry is told and computed from it alone, and a new one appears wherever scores appear."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from oracles.tiny_classifier import compare_in
from seqloom.diagnostics import SCORES, Classes, Quantiles, Score, lower_is_better, measured, score, score_named
from seqloom.report import build, read_metrics, table_text


def test_every_score_says_what_it_is_and_where_it_comes_from() -> None:
    for name, entry in SCORES.items():
        assert entry.name == name
        assert all((entry.heading, entry.phrase, entry.meaning, entry.source)), name
        assert not entry.meaning.endswith("."), name
        assert entry.unit in ("", "share", "signed share", "percent", "target", "target²", "nats", "bits"), name
        assert set(entry.measures) <= {"classes", "numbers", "forecasts", "quantiles", "tokens"}, name
    assert len({entry.heading for entry in SCORES.values()}) == len(SCORES)


def test_the_direction_is_that_of_a_perfect_and_of_a_poor_answer() -> None:
    actual = np.array([0, 1, 1, 0, 1])
    perfect, poor = np.eye(2)[actual] * 0.98 + 0.01, np.full((5, 2), 0.5)
    poor[:, 0] += np.array([-0.2, -0.1, 0.3, 0.1, 0.1])
    poor[:, 1] = 1 - poor[:, 0]
    good, bad = (measured("classes", Classes(actual, p)) for p in (perfect, poor))
    y = np.array([[1.0, 2.0], [4.0, 3.0], [5.0, 9.0]])
    how = {"target_scale": 2.0, "mase_scale": 1.5, "rmsse_scale": 1.5, "baseline_mae": 2.5}
    good |= score(y, y + 0.1, **how)
    bad |= score(y, y + 2.0, **how)
    around = np.array([-1.0, 0.0, 1.0])
    good |= measured("quantiles", Quantiles(y[0], y[0][:, None] + around, (0.1, 0.5, 0.9)))
    bad |= measured("quantiles", Quantiles(y[0], y[0][:, None] + 3 + around, (0.1, 0.5, 0.9)))
    good |= measured("tokens", 0.5)
    bad |= measured("tokens", 2.5)
    seen = 0
    for name in good:
        if name != "windows":
            one, other = good[name], bad[name]
            assert one is not None
            assert other is not None
            assert (one < other) if lower_is_better(name) else (one > other), name
            seen += 1
    assert seen == 21


def test_a_score_that_is_not_in_the_table_is_called_by_its_name() -> None:
    assert score_named("hit_rate").heading == "Hit rate"
    assert not lower_is_better("hit_rate")


def test_one_entry_is_found_in_comparison_json_table_and_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    misses = Score(
        "misses",
        "Misses",
        "number of misses",
        "how many examples are predicted wrong",
        lower_is_better=True,
        measures={"classes": lambda c: float((c.predicted != c.actual).sum())},
    )
    monkeypatch.setitem(SCORES, "misses", misses)
    run = compare_in(tmp_path / "run")
    written = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert "misses" in written["scores"]
    assert "misses" in written["lower_is_better"]
    found = run.test["logistic"]
    wrong = (found.predictions["actual"] != found.predictions["predicted"]).sum()
    assert found.scores["misses"] == written["models"]["logistic"]["test"]["misses"] == wrong
    assert "Misses" in table_text(read_metrics(tmp_path / "run" / "metrics.json"))
    page = build(tmp_path / "run").read_text(encoding="utf-8")
    assert misses.meaning in page
    assert score([1.0], [2.0]).keys() == score([2.0], [1.0]).keys()
    counted = Score("worst", "Worst", "worst error", "max |y − ŷ|", measures={"forecasts": lambda f: 7.0})
    monkeypatch.setitem(SCORES, "worst", counted)
    assert score([1.0], [2.0])["worst"] == 7.0
