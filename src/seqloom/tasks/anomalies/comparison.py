"""Detectors compared on the rows of one table: trained on its beginning, chosen by what is planted behind that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from seqloom_runtime.data import Panel
from seqloom_runtime.data.splits import Split
from seqloom_runtime.errors import DataError
from seqloom_runtime.files import write_json
from seqloom_runtime.tables import ROWS_WRITTEN, time_text, write_csv

from ..checkpointing import Checkpointing
from ..comparison import Comparison, Evaluation, Task, compare_models
from ..comparison.folder import SCHEMA
from ..comparison.tables import history_csv, predictions_csv
from .detector import AnomalyDetector, of_rows
from .scoring import drawn_rows, labels_of

__all__ = ["AnomalyTask", "compare_detectors", "parts_of"]

PARTS = ("train", "valid", "test")


class AnomalyTask(Task):
    """Anomaly detection as a comparison sees it: parts are panels, `labels` the column that says what is anomalous."""

    files: ClassVar[tuple[str, ...]] = (*Task.files, "anomalies.csv")

    def __init__(
        self, panel: Panel, split: Split, labels: str | None, source: Mapping[str, Any], decisions: Sequence[str] = ()
    ) -> None:
        columns = [name for name in panel.columns if name != labels]
        super().__init__("anomalies", target=", ".join(columns), unit="row", source=source)
        self.panel, self.split, self.labels, self.columns = panel, split, labels, columns
        self.decisions = decisions

    def fit(self, estimator: Any, parts: Mapping[str, tuple[Any, ...]], checkpoints: Checkpointing) -> None:
        """Fit one model; labels are not among the columns that it reads."""
        estimator.fit(
            parts["train"][0],
            time=self.source.get("time"),
            id=self.source.get("id"),
            columns=self.columns,
            valid=parts["valid"][0],
            directory=checkpoints.directory,
            resume=checkpoints.resume,
            on_event=checkpoints.on_event,
        )

    def evaluate(self, estimator: Any, part: str, data: tuple[Any, ...]) -> Evaluation:
        """What a fitted model is worth on the part `valid` or `test`."""
        return estimator.evaluate(data[0], self.labels)

    def notes(self, left_out: Sequence[str], estimators: Mapping[str, Any]) -> list[str]:
        """What was decided while reading, then what the models note."""
        return [*self.decisions, *super().notes(left_out, estimators)]

    def statements(
        self, valid: Mapping[str, Evaluation], test: Mapping[str, Evaluation], baseline: str, best: str
    ) -> list[str]:
        """The comparison in sentences, and what the best model flags of the test rows."""
        columns = test[best].predictions
        flagged, score = columns["flagged"], columns["predicted"]
        said = f"{best} flags {int(flagged.sum()):,} of the {len(flagged):,} test rows"
        if np.isfinite(score).any():
            place = int(np.nanargmax(score))
            of = f" of {columns['id'][place]}" if "id" in columns else ""
            said += f"; the highest score, {score[place]:.4g}, is that of {columns['time'][place]}{of}"
        return [*super().statements(valid, test, baseline, best), f"{said}."]

    def write(self, root: Path, run: Comparison) -> None:
        """The usual files, and anomalies.csv: every row of the table as the best model scores it."""
        best: AnomalyDetector = run.best
        label = None if self.labels is None else labels_of(self.panel, self.labels)
        found = best.detect(self.panel.select(best.columns_))
        details = {name: dict(evaluation.details) for name, evaluation in run.test.items()}
        for name, held in details.items():
            if name != run.metrics["best"]:
                held.pop("anomalies", None)  # the rows are drawn once, as the best model scores them
        details[run.metrics["best"]]["anomalies"] = {
            **drawn_rows(found, label),
            "test_from": self._test_from(),
        }
        write_json(root / "details.json", {"schema": SCHEMA, "part": "test", "models": details})
        history_csv(root / "history.csv", run.estimators)
        predictions_csv(root / "predictions.csv", {"valid": run.valid, "test": run.test}, run.metrics["best"])
        self._write_rows(root / "anomalies.csv", best, label)

    def _test_from(self) -> Any:
        first = int(np.flatnonzero(self.panel.tick >= self.split.valid_end)[0])
        if self.panel.time is None:
            return int(self.panel.tick[first])
        return int(self.panel.time[first].astype("M8[ms]").astype(np.int64))

    def _write_rows(self, path: Path, best: AnomalyDetector, label: np.ndarray | None) -> None:
        panel = self.panel.select(best.columns_)
        columns: dict[str, Any] = dict(best.detect(panel).columns(best.source_))
        time = list(columns)[list(columns).index("score") - 1]
        columns[time] = time_text(columns[time], panel.zone)
        if label is not None:
            columns["label"] = label.astype(np.int64)
        columns["flagged"] = columns["flagged"].astype(np.int64)
        part = np.searchsorted([self.split.train_end, self.split.valid_end], panel.tick, side="right")
        columns["split"] = np.array(PARTS, dtype=object)[part]
        every = max(1, -(-len(panel) // ROWS_WRITTEN))
        cells = [np.asarray(values, dtype=object)[::every].tolist() for values in columns.values()]
        write_csv(path, list(columns), zip(*cells))


def parts_of(panel: Panel, split: Any) -> tuple[Split, dict[str, tuple[Panel]]]:
    """The table cut in time: rows to learn from, rows that choose and calibrate, rows to be judged on.

    Raises SettingError for shares that don't fit, DataError where none is left to be judged on.
    """
    found = Split.make(panel, split)
    masks = (
        panel.tick < found.train_end,
        (panel.tick >= found.train_end) & (panel.tick < found.valid_end),
        panel.tick >= found.valid_end,
    )
    for name, mask in zip(PARTS, masks):
        if not mask.any():
            raise DataError(f"split: no row is left for {name}; give other shares.")
    return found, {name: (of_rows(panel, mask),) for name, mask in zip(PARTS, masks)}


def compare_detectors(
    panel: Panel,
    estimators: Mapping[str, Any],
    *,
    labels: str | None = None,
    split: Any = (0.5, 0.2),
    source: Mapping[str, Any] | None = None,
    decisions: Sequence[str] = (),
    **how: Any,
) -> Comparison:
    """Detectors by name, compared on one table; `how` are the other arguments of `compare_models`.

    labels: a column of 0 and 1, which no model reads. split: shares or counts of rows to learn from, and of those that
    choose the epoch, calibrate the threshold, and choose the best model by the anomalies planted into them; the rest
    is the test part. source: time and id, the names of those columns.

    Raises DataError and SettingError as `AnomalyDetector.fit` and `compare_models` do.
    """
    cut, parts = parts_of(panel, split)
    task = AnomalyTask(panel, cut, labels, source or {}, decisions)
    if labels is not None:
        labels_of(panel, labels)
    return compare_models(task, estimators, parts, **how)
