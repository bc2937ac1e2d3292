"""Scores of anomaly detectors as plain numbers: labels and scores of rows in, curves and floats out.

R rows. `label` (R,) is true where a row is anomalous, `score` (R,) the higher the more anomalous it looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqloom_runtime.errors import DataError

__all__ = ["PrecisionRecall", "average_precision", "delays", "events", "precision_recall"]


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """The points of a precision-recall curve, each (P,): one for every score that occurs, the highest first."""

    precision: np.ndarray
    recall: np.ndarray
    threshold: np.ndarray


def precision_recall(label: Any, score: Any) -> PrecisionRecall:
    """Precision and recall where all rows count as found that score at least the threshold.

    Rows of one score are found together. Raises DataError for unlike lengths, no anomalous row, or a score that is not
    finite.

    >>> curve = precision_recall([False, True, False, True], [0.1, 0.9, 0.8, 0.7])
    >>> curve.precision.round(3).tolist(), curve.recall.tolist()
    ([1.0, 0.5, 0.667, 0.5], [0.5, 0.5, 1.0, 1.0])
    """
    label, score = np.asarray(label, dtype=bool), np.asarray(score, dtype=np.float64)
    if label.ndim != 1 or label.shape != score.shape:
        raise DataError(f"score: expected the shape of label, {label.shape}, got {score.shape}.")
    if not label.any():
        raise DataError("label: expected at least one anomalous row, there is none.")
    if not np.isfinite(score).all():
        raise DataError("score: expected finite numbers, got NaN or infinity.")
    order = np.argsort(-score, kind="stable")
    ranked, found = score[order], np.cumsum(label[order])
    # The last row of each run of equal scores stands for the run.
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    return PrecisionRecall(found[last] / (last + 1), found[last] / found[-1], ranked[last])


def average_precision(label: Any, score: Any) -> float:
    """The area under the precision-recall curve as the sum Σ (R_k − R_{k−1}) P_k; a detector that guesses has the share
    of the anomalous rows. Raises as `precision_recall`.

    >>> average_precision([False, True, False, True], [0.1, 0.9, 0.8, 0.7])
    0.8333333333333333
    """
    curve = precision_recall(label, score)
    return float((np.diff(curve.recall, prepend=0.0) * curve.precision).sum())


def events(label: Any, series: Any = None) -> list[tuple[int, int]]:
    """The runs of anomalous rows as (first, behind the last); a run ends where `series` (R,) changes.

    >>> events([False, True, True, False, True])
    [(1, 3), (4, 5)]
    """
    label = np.asarray(label, dtype=bool)
    broken = np.zeros(max(0, len(label) - 1), dtype=bool)
    if series is not None and len(label):
        broken = np.asarray(series)[1:] != np.asarray(series)[:-1]
    starts = label & np.append(True, ~label[:-1] | broken)[: len(label)]
    ends = label & np.append(~label[1:] | broken, True)[-len(label) :] if len(label) else label
    return list(zip(np.flatnonzero(starts).tolist(), (np.flatnonzero(ends) + 1).tolist()))


def delays(label: Any, flagged: Any, series: Any = None) -> list[int | None]:
    """For each event of `label` (see `events`) the rows from its first to the first that is flagged, None if none is.

    >>> delays([True, True, False, True], [False, True, True, False])
    [1, None]
    """
    flagged = np.asarray(flagged, dtype=bool)
    found = []
    for first, end in events(label, series):
        hits = np.flatnonzero(flagged[first:end])
        found.append(int(hits[0]) if len(hits) else None)
    return found
