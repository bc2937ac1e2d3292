"""`RecordPredictor`: the risk of an event, or of a label, from records with gaps at irregular times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..data.irregular.records import Records
from ..errors import DataError, SettingError
from ..probability import logistic
from ..sequences.models import SequenceModel
from ..untrained import Predictor
from .inputs import RecordScale, record_inputs
from .streaming import RecordStream

__all__ = ["BASELINES", "RecordPredictor", "checked_records", "gaps_by", "refuse_other", "risk_of"]

BASELINES = ("prevalence",)


def gaps_by(model: str, body: str | None, gaps: str | None) -> str:
    """What stands for gaps: what is given, or what a model's name and body say; body: None of a baseline.

    Raises SettingError where they contradict each other.
    """
    if body is None:
        return "features"
    named = "decay" if body == "gru-d" else None
    named = "forward" if model.endswith("-forward") else named
    if named is not None and gaps not in (None, named):
        raise SettingError(f"gaps: {model!r} stands for {named}, got {gaps!r}; use gru, or leave gaps out.")
    if gaps == "decay" and model not in ("gru", "gru-d"):
        raise SettingError(f"gaps: decay is that of gru (GRU-D), got the model {model!r}; use features or forward.")
    return named or gaps or "features"


def risk_of(outputs: np.ndarray) -> np.ndarray:
    """σ of the outputs (M, 1) → (M,) float64."""
    return logistic(outputs)[:, 0]


@dataclass(frozen=True, eq=False, repr=False)
class RecordPredictor(Predictor):
    """Tells a risk from irregular records (`seqloom_runtime.data.irregular.Records`).

    gaps: what stands for one, "decay", "features" or "forward". unit: of the times. horizon: of an event.
    label, labels: the column of the target, and what 0 and 1 stand for. threshold: the risk to alarm at.
    """

    model: SequenceModel
    gaps: str
    scale: RecordScale
    columns: tuple[str, ...]
    unit: str
    every_step: bool
    horizon: float | None = None
    label: str = ""
    labels: tuple[str, str] = ("0", "1")
    threshold: float | None = None
    notes: Sequence[str] = field(default=())

    def predict(self, records: Records) -> Any:
        """The risk: of each record (N,), or for an event a list of arrays (T_n,), at every row from what came until
        then alone. Raises DataError for records of other columns or another unit of time."""
        records = self.read(records)
        risk = self.risk(records)
        return np.split(risk, records.offsets[1:-1]) if self.every_step else risk

    def stream(self) -> RecordStream:
        """A record as it goes on, one row at a time; see `RecordStream`."""
        return RecordStream(self)

    def read(self, records: Any) -> Records:
        """The records, which are of the columns and the unit of time that `fit` saw."""
        found = checked_records(records)
        refuse_other(found, self.columns, self.unit, "new")
        return found

    def risk(self, records: Records) -> np.ndarray:
        """(N,), or (rows,) of every row."""
        return risk_of(self.model.outputs(record_inputs(records, self.scale, self.gaps)))


def checked_records(records: Any) -> Records:
    """The records; raises DataError for anything else."""
    if not isinstance(records, Records):
        raise DataError(
            f"records: expected seqloom.data.irregular.Records, got {type(records).__name__}; read_records makes them "
            "of a table."
        )
    return records


def refuse_other(records: Records, columns: tuple[str, ...], unit: str, name: str) -> None:
    """Raise DataError where records have other columns than those of training, or times of another kind."""
    if records.columns != columns:
        raise DataError(
            f"The {name} records: expected the columns {', '.join(columns)}, got {', '.join(records.columns)}."
        )
    if records.unit != unit:
        kinds = {"h": "dates or clocks", "": "plain numbers"}
        raise DataError(
            f"The {name} records: expected times that are {kinds.get(unit, unit)}, as in training, got "
            f"{kinds.get(records.unit, records.unit)}."
        )
