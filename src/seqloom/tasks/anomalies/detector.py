"""`AnomalyDetector`: a table of measurements in, a score and a flag for every row out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from seqloom_runtime.anomalies.baselines import BASELINES
from seqloom_runtime.anomalies.detector import READ, AnomalyPredictor
from seqloom_runtime.anomalies.found import Anomalies
from seqloom_runtime.data import Frequency, Panel, Standardizer
from seqloom_runtime.errors import DataError, SettingError, shown, suggest
from seqloom_runtime.forecast.frames import as_panel, source_of

from ...training import History
from ..checkpointing import Checkpointing
from ..comparison import Evaluation
from ..constraints import OneOf
from ..estimator import Estimator
from ..forecast.inferred import with_time
from ..networks import names_for
from ..parameters import constraints_of
from ..training_parameters import TrainingParameters
from .gaps import gap_decisions
from .learning import anomaly_spec, check_memory, learn, scoring_of, split_ticks
from .network import NETWORKS

__all__ = ["AnomalyDetector", "columns_of", "of_rows", "reading_of"]


class _Learned:
    """What `fit` sets."""

    columns_: tuple[str, ...]
    scaler_: Standardizer
    window_: int
    season_: float | None
    frequency_: Frequency
    zone_: str | None
    source_: dict[str, Any]
    model_: Any
    spread_: np.ndarray
    threshold_: float
    calibrated_: int
    history_: History | None
    n_parameters_: int
    notes_: list[str]


@dataclass(kw_only=True, eq=False, repr=False)
class AnomalyDetector(_Learned, TrainingParameters, Estimator):
    """Scores the rows of series by how badly they can be drawn again from a short code, and flags the worst.

    model: an autoencoder (rnn-autoencoder, gru-autoencoder, lstm-autoencoder) or a variational one (rnn-vae, gru-vae,
        lstm-vae); or a baseline: z-score (distance from the `window` rows before, in standard deviations, squared) or
        seasonal-residual (squared distance from the training mean at that place of the season).
    window: rows that an autoencoder draws again at a time, or a duration; None takes one to three seasons. season: in
        rows or as a duration; None is what is usual for the frequency.
    online: score a row by the window that ends in it. By default the score is the mean over all windows that cover the
        row, most of which read rows after it.
    false_alarms: share of normal rows that may be flagged; the threshold is the score that as few rows exceed which
        were held out (conformal, so that the share holds on average where rows stay as they were).
    code: numbers that an autoencoder keeps of a window. beta: weight of the KL divergence of a variational one.
    units, layers, dropout, input_dropout, recurrent_dropout, between_dropout: of encoder and decoder.
    validation_fraction: of the rows, the last ones, where `fit` gets no `valid`: their first half chooses the epoch,
        the second calibrates the threshold. Nothing else is taken from them, and labels are never read by `fit`.
    missing, max_fill, zone, time_format, resample, aggregate, duplicates, fill, holidays: how the table is read; see
        `seqloom.data.Panel.from_frame`. A value that a repair filled in is neither learned from nor scored.
    The other parameters are those of training (`seqloom.training.FitSettings`).

    Rows without times are taken to begin where a season does, those of the fit and new ones alike.

    >>> rows = np.sin(np.arange(960) * np.pi / 12) + 0.1 * np.sin(np.arange(960.0) ** 2)
    >>> rows[750] = 3.0
    >>> detector = AnomalyDetector(model="seasonal-residual", season=24).fit(rows[:720])
    >>> found = detector.predict(rows[720:])
    >>> int(found["score"].argmax()), bool(found["flagged"][30])
    (30, True)
    """

    _fitted: ClassVar[str] = "model_"
    _constraints = constraints_of("AnomalyDetector", model=OneOf(names_for("anomalies", after=BASELINES)))

    model: str = "gru-autoencoder"
    window: int | str | None = None
    season: float | str | None = None
    online: bool = False
    false_alarms: float = 0.01
    code: int = 4
    beta: float = 1.0
    units: int = 32
    layers: int = 1
    dropout: float = 0.0
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0
    validation_fraction: float = 0.3
    missing: Sequence[float] = ()
    max_fill: int = 24
    zone: str | None = None
    time_format: str | None = None
    resample: str | None = None
    aggregate: str = "mean"
    duplicates: str | None = None
    fill: str = "carry"
    holidays: str | None = None
    epochs: int = 20
    steps_per_epoch: int | None = 100
    batch_size: int = 64
    learning_rate: float = 0.005
    schedule: str = "cosine"

    def fit(
        self,
        data: Any,
        *,
        time: str | None = None,
        id: str | Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        valid: Any = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> Self:
        """Learn what rows of a table are like: a pandas, polars or arrow frame, an array (R,) or (R, F), or a `Panel`.

        `time` and `id` name the columns of time and series, `columns` those that are read (by default every one of
        numbers). `valid`: rows after those of `data`, which choose the epoch and calibrate. directory, resume,
        on_event: of `seqloom.training.fit`. Raises SettingError for parameters out of range, DataError for a table
        that can't be used or has too few rows, TrainingError where a value becomes NaN.
        """
        self._check_parameters()
        self._forget()
        panel, how, time, told = read_rows(self, data, time, id, columns)
        # Of a panel that a comparison cut into parts, whose report is of all rows, the comparison says it once.
        gaps = [] if panel.quality is None else gap_decisions(panel)
        if valid is None:
            first = split_ticks(panel, float(self.validation_fraction))
            panel, held = panel.take(panel.tick < first), panel.take(panel.tick >= first)
        else:
            held = as_panel(valid, time=time, id=id, columns=panel.columns, keep=panel.columns, **how)
            held = held.select(panel.columns)
        source = {**source_of(data, time, id), "time_format": panel.time_format}
        found = learn(self, panel, held, source, Checkpointing.make(directory, resume, on_event))
        self._take(found)
        decided = () if panel.quality is None else panel.quality.decisions
        self.notes_ = [*told, *(decision.text for decision in (*decided, *gaps)), *self.notes_]
        return self

    def detect(self, data: Any) -> Anomalies:
        """The scores and flags of rows like those of the fit; raises DataError where they are others."""
        return self._predictor.detect(data)

    def predict(self, data: Any) -> Any:
        """The same kind of frame as came in (a dictionary of arrays for NumPy): id and time, score, threshold, flagged.

        The score is NaN where a row has no value, or where no window covers it, and the row isn't flagged. Raises
        DataError where the rows are others than those of the fit.
        """
        return self._predictor.predict(data)

    def evaluate(self, data: Any, labels: str | None = None) -> Evaluation:
        """What the detector is worth on rows: average precision on anomalies planted into them, the share of normal
        rows that it flags, and where `labels` names a column of 0 and 1, what it says of those.

        Raises DataError for too few rows and for labels that are no column of 0 and 1.
        """
        from .scoring import measure_anomalies

        self._check_fitted()
        return measure_anomalies(self, data if isinstance(data, Panel) else self._predictor.read(data, labels), labels)

    @property
    def _predictor(self) -> AnomalyPredictor:
        """What predicts, as the runtime has it."""
        self._check_fitted()
        return AnomalyPredictor(
            scoring_of(self.model_),
            {name: getattr(self, name) for name in READ},
            self.columns_,
            self.scaler_,
            self.window_,
            self.frequency_,
            self.zone_,
            self.source_,
            self.spread_,
            self.threshold_,
            bool(self.online),
            self.notes_,
        )

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.model in NETWORKS:
            check_memory(anomaly_spec(self, 1, 2), self.optimizer)
        if self.fill == "season" and self.season is None:
            raise SettingError("fill: to fill with the value a season before, give the season, such as season='24h'.")


def read_rows(
    detector: AnomalyDetector,
    data: Any,
    time: str | None,
    id: str | Sequence[str] | None,
    columns: Sequence[str] | None,
    labels: str | None = None,
) -> tuple[Panel, dict[str, Any], str | None, list[str]]:
    """Rows to learn from: the columns that are looked at, and that of the labels behind them, if any; how they are
    read, the column of times, and sentences about it."""
    data, time, told = with_time(detector, data, time)  # type: ignore[arg-type]  # of a forecaster it reads the same
    how = {name: getattr(detector, name) for name in READ}
    how["season"] = detector.season if detector.fill == "season" else None
    named = None if columns is None else [*columns, *([] if labels is None else [labels])]
    panel = as_panel(data, time=time, id=id, columns=named, keep=named or (), **how)
    chosen = columns_of(panel, columns, labels)
    if labels is not None and labels not in panel.columns:
        raise DataError(f"target: no column of numbers is named {shown(labels)}.{suggest(labels, panel.columns)}")
    return panel.select([*chosen, *([] if labels is None else [labels])]), how, time, told


def reading_of(detector: AnomalyDetector) -> dict[str, Any]:
    """How new rows are read for a fitted detector: as those of its fit, on their grid."""
    return detector._predictor.how_read()


def columns_of(panel: Panel, columns: Sequence[str] | None, labels: str | None = None) -> tuple[str, ...]:
    """The columns to read: those named, or every one of numbers but `labels`; raises DataError where there is none."""
    if columns is not None:
        for name in columns:
            if name not in panel.columns:
                there = ", ".join(map(shown, panel.columns[:12])) + (", …" if len(panel.columns) > 12 else "")
                raise DataError(
                    f"columns: no column of numbers is named {shown(name)}.{suggest(name, panel.columns)} There are "
                    f"{there}."
                )
            if name in panel.words:
                raise DataError(f"columns: {shown(name)} holds words; name columns of numbers.")
        return tuple(columns)
    others = (*panel.words, *panel.static, labels)
    found = tuple(name for name in panel.columns if name not in others)
    if not found:
        raise DataError("The table: expected a column of numbers that changes, there is none.")
    return found


def of_rows(panel: Panel, chosen: np.ndarray) -> Panel:
    """The rows of a mask, without the report on the table, which is of all."""
    return replace(panel.take(chosen), quality=None)
