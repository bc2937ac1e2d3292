"""`RecordModel`: the risk of an event within a horizon, or of a label, from records with gaps at irregular times."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from seqloom_runtime.data.irregular import Records
from seqloom_runtime.errors import DataError
from seqloom_runtime.records.inputs import RecordScale
from seqloom_runtime.records.predictor import RecordPredictor, checked_records, refuse_other
from seqloom_runtime.records.streaming import RecordStream

from ...training import EpochRow, History
from ..checkpointing import Checkpointing
from ..comparison import Evaluation
from ..constraints import OneOf
from ..estimator import Estimator
from ..networks import names_for
from ..parameters import constraints_of
from ..training_parameters import TrainingParameters
from .network import BASELINES, gaps_of, record_spec

if TYPE_CHECKING:
    from ..sequences.models import SequenceModel

__all__ = ["RecordModel"]


class _Learned:
    """What `fit` sets."""

    model_: SequenceModel
    scale_: RecordScale
    columns_: tuple[str, ...]
    unit_: str
    every_step_: bool
    horizon_: float | None
    label_: str
    labels_: tuple[str, str]
    threshold_: float | None
    history_: History
    n_parameters_: int
    notes_: list[str]


@dataclass(kw_only=True, eq=False, repr=False)
class RecordModel(_Learned, TrainingParameters, Estimator):
    """Tells a risk from irregular records (`seqloom.data.irregular.Records`): at every row that an event comes within
    the horizon, or for each record that its label is the second one.

    Parameters
    ----------
    model: gru-d (GRU-D: inputs and state decay while nothing is measured); rnn, gru or lstm; gru-forward or
        lstm-forward, which read the last values alone; or the baseline prevalence, how often it happens in training.
    gaps: what stands for a gap: "decay" (GRU-D), "features" (the last value, whether it is new, and its age) or
        "forward" (the last value alone); None is what the model's name says, and features for the others.
    units, layers, input_dropout, recurrent_dropout, between_dropout: of the recurrent layers; GRU-D has one, without
        dropout.
    false_alarms: share of the validation records without the event that may alarm: it sets `threshold_`.
    validation_fraction: of the records, drawn by the seed with equal shares of the positive ones, that choose the best
        epoch and the threshold where `fit` gets no `valid`.
    The other parameters are those of training; see `seqloom.training.FitSettings`.

    Attributes after fit
    --------------------
    `model_` (what predicts), `scale_`, `columns_`, `unit_` (of the times), `every_step_`, `horizon_`, `label_`,
    `labels_` (what 0 and 1 stand for), `threshold_` (the risk to alarm at), `history_`, `n_parameters_`, `notes_`.

    >>> from seqloom.data.irregular import made_records
    >>> records = made_records(60, seed=1).records
    >>> model = RecordModel(units=4, epochs=1).fit(records)
    >>> [len(risk) for risk in model.predict(records)] == records.lengths.tolist()
    True
    """

    _fitted = "notes_"
    _constraints = constraints_of("RecordModel", model=OneOf(names_for("records", after=BASELINES)))

    model: str = "gru-d"
    gaps: str | None = None
    units: int = 32
    layers: int = 1
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0
    false_alarms: float = 0.1
    validation_fraction: float = 0.2
    learning_rate: float = 0.003
    schedule: str = "cosine"

    def fit(
        self,
        records: Records,
        *,
        valid: Records | None = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
        stop: Callable[[EpochRow], bool] | None = None,
    ) -> Self:
        """Learn from records with a target; `valid` chooses the best epoch and the threshold.

        directory, resume, on_event, stop: of `seqloom.training.fit`. Raises SettingError for parameters out of range,
        DataError for records that hold one kind of answer alone, or that don't fit together.
        """
        from .learning import learn, split_records

        self._check_parameters()
        train = checked_records(records)
        if valid is None:
            train, held = split_records(train, float(self.validation_fraction), int(self.seed))
        else:
            held = checked_records(valid)
            refuse_other(held, train.columns, train.unit, "validation")
            if (held.every_step, held.horizon, held.classes) != (train.every_step, train.horizon, train.classes):
                raise DataError("The validation records: expected the same label or event and horizon as in training.")
        self._forget()
        self._take(learn(self, train, held, Checkpointing.make(directory, resume, on_event, stop)))
        return self

    def predict(self, records: Records) -> Any:
        """The risk: of each record (N,), or for an event a list of arrays (T_n,), at every row from what came until
        then alone. Raises DataError for records of other columns or another unit of time."""
        return self._predictor.predict(records)

    def evaluate(self, records: Records) -> Evaluation:
        """AUROC, AUPRC, Brier score, log loss and calibration; for an event also what alarms at `threshold_` find."""
        from .measuring import measure_records

        records = self._predictor.read(records)
        if records.target is None or records.every_step != self.every_step_:
            raise DataError("records: expected the label or the event that the model was fitted on.")
        return measure_records(self, records, self._predictor.risk(records))

    def stream(self) -> RecordStream:
        """A record as it goes on, one row at a time; see `RecordStream`."""
        return self._predictor.stream()

    @property
    def _predictor(self) -> RecordPredictor:
        """What predicts, as the runtime has it."""
        self._check_fitted()
        return RecordPredictor(
            self.model_,
            gaps_of(self.model, self.gaps),
            self.scale_,
            self.columns_,
            self.unit_,
            self.every_step_,
            self.horizon_,
            self.label_,
            self.labels_,
            self.threshold_,
            self.notes_,
        )

    def _check_parameters(self) -> None:
        super()._check_parameters()
        gaps_of(self.model, self.gaps)
        if self.model not in BASELINES:
            from ..memory import count_weights, refuse_too_large
            from ..sequences.network import build_sequence_network

            spec = record_spec(self, 1, True)
            weights = count_weights(lambda: build_sequence_network(spec, 0))
            refuse_too_large(self.model, weights, self.optimizer, grows_with="units")
