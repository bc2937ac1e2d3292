"""Precision-recall curves, average precision and delays against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from seqloom.diagnostics.detection import average_precision, delays, events, precision_recall
from seqloom.errors import DataError


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_against_scikit_learn(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(seed)
    label = draw.random(80) < 0.2
    score = np.round(draw.normal(size=80) + label, 1)  # with ties
    assert average_precision(label, score) == pytest.approx(metrics.average_precision_score(label, score))
    curve = precision_recall(label, score)
    precision, recall, threshold = metrics.precision_recall_curve(label, score)
    assert np.allclose(curve.precision, precision[-2::-1])
    assert np.allclose(curve.recall, recall[-2::-1])
    assert np.allclose(curve.threshold, threshold[::-1])


def test_events_and_delays() -> None:
    label = np.array([1, 1, 0, 1, 1, 1], dtype=bool)
    assert events(label) == [(0, 2), (3, 6)]
    assert events(label, [0, 0, 0, 0, 1, 1]) == [(0, 2), (3, 4), (4, 6)]
    assert delays(label, np.array([0, 1, 1, 0, 0, 0])) == [1, None]
    assert events([]) == []
    assert events([False, False]) == []


def test_what_is_refused() -> None:
    with pytest.raises(DataError, match="at least one anomalous row"):
        average_precision([False], [1.0])
    with pytest.raises(DataError, match="expected the shape"):
        average_precision([True], [1.0, 2.0])
    with pytest.raises(DataError, match="finite"):
        average_precision([True], [np.nan])
