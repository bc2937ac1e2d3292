"""What a detector is worth on rows: anomalies planted into them, and where there are labels, those."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data import Panel
from seqloom_runtime.errors import DataError, shown
from seqloom_runtime.tables import time_text

from ...diagnostics.detection import average_precision, delays, precision_recall
from ...diagnostics.planted import KINDS, plant_anomalies
from ...training import derive_seed
from ..comparison import Evaluation

if TYPE_CHECKING:
    from seqloom_runtime.anomalies.found import Anomalies

    from .detector import AnomalyDetector

__all__ = ["drawn_rows", "labels_of", "measure_anomalies", "planted"]

_TOLD = {
    "spike": "spike: one row far off",
    "shift": "shift: the level moves",
    "season": "season: twice the speed",
    "flat": "flat: a value stands still",
    "noise": "noise: a burst of it",
}
_PLANTED, _LEAST, _POINTS, _SERIES, _DRAWN = 25, 60, 300, 6, 3_000


def measure_anomalies(detector: AnomalyDetector, panel: Panel, labels: str | None) -> Evaluation:
    """As `AnomalyDetector.evaluate`."""
    label = np.zeros(len(panel), dtype=bool) if labels is None else labels_of(panel, labels)
    panel = panel.select(detector.columns_)
    found = detector.detect(panel)
    normal = ~label & np.isfinite(found.score)
    changed, kind = planted(panel, detector.window_)
    planted_scores = detector.detect(changed).score
    seen = ~label & np.isfinite(planted_scores)
    scores: dict[str, float] = {"planted_auprc": _precision(kind >= 0, planted_scores, seen)}
    scores["false_alarm_rate"] = float(found.flagged[normal].mean()) if normal.any() else 0.0
    scored = np.isfinite(found.score)
    if (label & scored).any():
        scores |= _of_labels(label, found, scored, panel.series_index)
    details: dict[str, Any] = {
        "facts": _facts(detector, found, label),
        "tables": [_by_kind(kind, planted_scores, seen)],
        "anomalies": drawn_rows(found, label if labels is not None else None),
    }
    curves = {"planted": _curve(kind >= 0, planted_scores, seen)}
    if (label & scored).any():
        curves["labelled"] = _curve(label, found.score, scored)
    details["precision_recall"] = curves
    columns: dict[str, np.ndarray] = {"row": np.arange(len(panel))}
    if panel.ids != ("",):
        columns["id"] = np.array(panel.ids, dtype=object)[panel.series_index]
    times = panel.tick if panel.time is None else panel.time
    columns["time"] = np.array(time_text(times, panel.zone), dtype=object)
    if labels is not None:
        columns["label"] = label
    columns |= {"predicted": found.score, "flagged": found.flagged}
    return Evaluation(scores, predictions=columns, details=details)


def labels_of(panel: Panel, name: str) -> np.ndarray:
    """Whether each row (R,) is labelled anomalous; raises DataError for anything but 0 and 1."""
    if name in panel.words:
        raise DataError(f"labels: expected a column of 0 and 1, {shown(name)} holds words; write 1 for an anomaly.")
    values = panel.column(name)
    odd = np.flatnonzero(np.isfinite(values) & (values != 0) & (values != 1))
    if len(odd):
        raise DataError(
            f"labels: expected a column of 0 and 1, {shown(name)} holds {values[odd[0]]:g}; write 1 for an anomaly."
        )
    return np.nan_to_num(values) == 1


def planted(panel: Panel, window: int) -> tuple[Panel, np.ndarray]:
    """The panel with anomalies in each of its series, the same for every model, and the kind of each row's (R,).

    Raises DataError where there are too few rows.
    """
    if len(panel) < _LEAST:
        raise DataError(
            f"The rows to be judged on: expected at least {_LEAST}, so that anomalies can be planted, got {len(panel)}."
        )
    values, kind = panel.values.copy(), np.full(len(panel), -1, dtype=np.int64)
    for number, (first, end) in enumerate(zip(panel.offsets.tolist(), panel.offsets[1:].tolist())):
        rows = end - first
        length = max(3, min(window // 3, rows // 18))
        seed = derive_seed(0, "planted", str(number))
        values[first:end], kind[first:end] = plant_anomalies(
            values[first:end], length=length, count=_PLANTED, seed=seed
        )
    return replace(panel, values=values), kind


def _precision(label: np.ndarray, score: np.ndarray, rows: np.ndarray) -> float:
    """The average precision over the rows of a mask; 0 where none is anomalous."""
    return average_precision(label[rows], score[rows]) if (label & rows).any() else 0.0


def _by_kind(kind: np.ndarray, score: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
    """The table of the planted anomalies: of each kind the rows, and its average precision beside normal rows."""
    table = []
    for place, name in enumerate(KINDS):
        own, there = rows & ((kind == place) | (kind < 0)), int((rows & (kind == place)).sum())
        if there:
            table.append([_TOLD[name], there, round(_precision(kind == place, score, own), 4)])
    return {
        "title": "Planted anomalies by kind",
        "reading": "Put into the test rows to judge by; the area under the precision-recall curve, each kind alone.",
        "columns": ["Kind", "Rows", "AUPRC"],
        "rows": table,
    }


def _of_labels(label: np.ndarray, found: Anomalies, scored: np.ndarray, series: np.ndarray) -> dict[str, float]:
    """The scores of the labelled rows; `scored` are those with a score."""
    right = int((label & found.flagged & scored).sum())
    flagged, there = int((found.flagged & scored).sum()), int((label & scored).sum())
    scores = {
        "auprc": average_precision(label[scored], found.score[scored]),
        "f1": 2 * right / (flagged + there),
        "precision": right / flagged if flagged else 0.0,
        "recall": right / there,
    }
    late = delays(label, found.flagged, series)
    hits = [delay for delay in late if delay is not None]
    scores["events_found"] = len(hits) / len(late)
    if hits:
        scores["delay"] = float(np.mean(hits))
    return scores


def _facts(detector: AnomalyDetector, found: Anomalies, label: np.ndarray) -> dict[str, Any]:
    seen = int(np.isfinite(found.score).sum())
    facts: dict[str, Any] = {
        "rows scored": f"{seen:,} of {len(found.score):,}",
        "threshold of the score": f"{found.threshold:.4g}, calibrated on {detector.calibrated_:,} rows",
        "rows flagged": f"{int(found.flagged.sum()):,}",
        "window": f"{detector.window_:,} rows" + (", ending in the row that is scored" if detector.online else ""),
    }
    if label.any():
        facts["rows labelled as anomalies"] = f"{int(label.sum()):,}"
    return facts


def _curve(label: np.ndarray, score: np.ndarray, rows: np.ndarray) -> dict[str, list[float]]:
    if not (label & rows).any():
        return {}
    curve = precision_recall(label[rows], score[rows])
    kept = np.unique(np.linspace(0, len(curve.recall) - 1, min(_POINTS, len(curve.recall))).astype(np.int64))
    return {"recall": curve.recall[kept].round(5).tolist(), "precision": curve.precision[kept].round(5).tolist()}


def drawn_rows(found: Anomalies, label: np.ndarray | None) -> dict[str, Any]:
    """What the report draws: the first six series, of long ones the rows that matter of each stretch."""
    panel, drawn = found.panel, []
    for number, name in enumerate(panel.ids[:_SERIES]):
        own = slice(int(panel.offsets[number]), int(panel.offsets[number + 1]))
        at = panel.tick[own] if panel.time is None else panel.time[own].astype("M8[ms]").astype(np.int64)
        values = np.where(panel.filled[own], np.nan, panel.values[own])
        kept = _kept(values[:, 0], found.score[own], found.flagged[own])
        series = {
            "id": name,
            "at": at[kept].tolist(),
            "values": _listed(values[kept, 0]),
            "score": _listed(found.score[own][kept]),
            "flagged": found.flagged[own][kept].tolist(),
        }
        if label is not None:
            series["label"] = label[own][kept].tolist()
        drawn.append(series)
    return {
        "timed": panel.time is not None,
        "column": panel.columns[0],
        "threshold": found.threshold,
        "series": drawn,
    }


def _kept(values: np.ndarray, score: np.ndarray, flagged: np.ndarray) -> np.ndarray:
    """The rows that are drawn: all, or of each of equal stretches the extremes of the value and the highest score."""
    if len(values) <= _DRAWN:
        return np.arange(len(values))
    kept: set[int] = {0, len(values) - 1}
    for rows in np.array_split(np.arange(len(values)), _DRAWN // 3):
        for each, best in ((values[rows], np.nanargmin), (values[rows], np.nanargmax), (score[rows], np.nanargmax)):
            if np.isfinite(each).any():
                kept.add(int(rows[best(each)]))
        kept.update(rows[np.flatnonzero(flagged[rows])[:1]].tolist())
    return np.array(sorted(kept))


def _listed(values: np.ndarray) -> list[float | None]:
    return [None if x != x else float(f"{x:.7g}") for x in values.tolist()]
