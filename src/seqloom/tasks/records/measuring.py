"""What the risks of a `RecordModel` are worth, and the records that a report draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data.irregular import Records
from seqloom_runtime.errors import DataError

from ...diagnostics.alarm_scores import alarms_before
from ...diagnostics.detection import average_precision
from ..comparison import Evaluation
from ..measuring import measure_classes

if TYPE_CHECKING:
    from .model import RecordModel

__all__ = ["measure_records"]

_KEPT = ("auc", "log_loss", "brier")  # others count right answers at a risk of one half, which rare events never reach
_MOST_ROWS = 200_000  # of predictions.csv
_DRAWN, _STEPS, _COLUMNS = 6, 200, 12


def measure_records(model: RecordModel, records: Records, risk: np.ndarray) -> Evaluation:
    """Scores over what counts; `predictions` has `row` (the record, from 0), `time` where each row is
    asked, `actual` 0 or 1, and `predicted`, the risk."""
    assert records.target is not None
    counted = np.flatnonzero(~np.isnan(records.target))
    if len(np.unique(records.target[counted] > 0)) < 2:
        raise DataError(
            f"records: expected answers of both kinds, {model.labels_[0]} and {model.labels_[1]}, to score by; "
            f"found one kind among {len(counted):,}."
        )
    truth, p = (records.target[counted] > 0).astype(np.int64), risk[counted]
    record = records.record_of[counted] if records.every_step else counted
    times = records.times[counted] if records.every_step else None
    unit = f" {records.unit}" if records.unit else ""
    found = measure_classes(
        truth,
        np.stack([1 - p, p], axis=1),
        list(model.labels_),
        first="auc",
        rows=record,
        show=lambda n: {"text": "" if times is None else f"at {times[n]:.4g}{unit}, risk {p[n]:.3f}"},
    )
    scores = {"auc": found.scores["auc"], "auprc": average_precision(truth > 0, p)}
    scores |= {name: found.scores[name] for name in _KEPT}
    scores["calibration_error"] = float(found.details["calibration"]["error"])
    facts: dict[str, Any] = {"share of positives, test": float(truth.mean())}
    if records.every_step and records.onset is not None and model.threshold_ is not None:
        alarms = alarms_before(risk, records.times, records.offsets, records.onset, model.threshold_)
        scores |= {name: value for name, value in vars(alarms).items() if value is not None}
        facts |= {
            "alarm at a risk of": float(model.threshold_),
            "false alarms allowed on validation": float(model.false_alarms),
        }
    columns = {
        "row": record,
        **({} if times is None else {"time": times}),
        "actual": truth,
        "predicted": p,
        "loss": found.predictions["loss"],
    }
    details = {name: value for name, value in found.details.items() if name not in ("confusion", "per_class")}
    details |= {"facts": facts, "records": _drawn(model, records, risk)}
    return Evaluation(
        scores, predictions={name: values[:_MOST_ROWS] for name, values in columns.items()}, details=details
    )


def _drawn(model: RecordModel, records: Records, risk: np.ndarray) -> list[dict[str, Any]]:
    """Up to six records, half of them positive: times, values with None in the gaps, the risk, the event."""
    positive = records.positive()
    half = _DRAWN // 2
    chosen = [*np.flatnonzero(positive)[:half], *np.flatnonzero(~positive)[: _DRAWN - half]]
    # Of many columns those that are measured most.
    there = (~np.isnan(records.values)).sum(axis=0)
    columns = np.sort(np.argsort(-there, kind="stable")[:_COLUMNS])
    return [_one(model, records, risk, int(n), columns) for n in chosen]


def _one(model: RecordModel, records: Records, risk: np.ndarray, n: int, columns: np.ndarray) -> dict[str, Any]:
    rows = np.arange(records.offsets[n], records.offsets[n + 1])[-_STEPS:]  # the last, where the event is
    onset = None if records.onset is None or np.isnan(records.onset[n]) else float(records.onset[n])
    values = records.values[rows][:, columns]
    scaled = (values - model.scale_.mean[columns]) / model.scale_.std[columns]
    return {
        "row": n,
        "times": records.times[rows],
        "unit": records.unit,
        "names": [records.columns[k] for k in columns],
        "values": _gaps(values),
        "scaled": _gaps(scaled),
        "risk": risk[rows] if records.every_step else [float(risk[n])],
        "onset": onset,
        "threshold": model.threshold_,
        "actual": model.labels_[int(records.positive()[n])],
    }


def _gaps(values: np.ndarray) -> list[list[float | None]]:
    """Rows of numbers, None where nothing was measured."""
    return [[None if value != value else float(f"{value:.6g}") for value in row] for row in values.tolist()]
