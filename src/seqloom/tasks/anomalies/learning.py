"""What `AnomalyDetector.fit` does once its table is read: learn, and calibrate the threshold on rows held out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from seqloom_runtime.anomalies import network as runtime
from seqloom_runtime.anomalies.baselines import BASELINES, RollingZScore, SeasonalResidual
from seqloom_runtime.anomalies.errors import errors_of, scores_of
from seqloom_runtime.anomalies.rows import Rows, in_chunks, starts_of
from seqloom_runtime.data import Frequency, Panel, Standardizer
from seqloom_runtime.data.seasons import usual_season
from seqloom_runtime.errors import DataError, SettingError

from ...training import History, derive_seed
from ..checkpointing import Checkpointing
from ..comparison.fingerprint import fingerprint
from ..constraints import MOST_ROWS
from ..memory import count_weights, refuse_too_large, weights_of
from ..predictor import has_form, predictor_of
from ..saved_fields import network_arrays
from ..training_parameters import fit_settings
from .network import AnomalySpec, Autoencoder, build_autoencoder
from .rows import WindowBatches, windows_of

if TYPE_CHECKING:
    from .detector import AnomalyDetector

__all__ = [
    "Fitted",
    "Model",
    "anomaly_spec",
    "check_memory",
    "learn",
    "lengths_of",
    "scoring_of",
    "split_ticks",
]

Model = Autoencoder | RollingZScore | SeasonalResidual
_JUDGED, _MEASURED = 2_000, 4_000  # windows that validate, and that say how large an error is usual
_SEASONS, _USUAL, _LONGEST = 3, 48, 300  # of a window: seasons, rows without a season, rows with one
_LEAST = 1e-6  # of a mean squared error: a series that is drawn without any


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit finds.

    columns: F names. scaler: of the training rows. window, season: in rows. spread: (F,) the mean squared error of the
    training rows, by which errors are divided. threshold: what the score of an anomalous row exceeds. calibrated: how
    many rows it was calibrated on.
    """

    columns: tuple[str, ...]
    scaler: Standardizer
    window: int
    season: float | None
    frequency: Frequency
    zone: str | None
    source: Mapping[str, Any]
    model: Model
    spread: np.ndarray
    threshold: float
    calibrated: int
    history: History | None
    n_parameters: int
    notes: list[str]


def lengths_of(
    detector: AnomalyDetector, frequency: Frequency, longest: int, held: int
) -> tuple[int, float | None, list[str]]:
    """The window and the season in rows, and what was decided; `longest` is the longest stretch of training rows,
    `held` the shorter of those of the rows that choose the epoch and that calibrate.

    Raises SettingError for a duration that is no whole number of rows.
    """
    season, notes = detector.season, []
    if season is None:
        season = usual_season(frequency)
    elif isinstance(season, str):
        season = frequency.rows(season, "season")
    if season is not None and season > max(2, longest // 2):
        notes.append(f"season: the training rows hold no two seasons of {season:g} rows, so that none is used.")
        season = None
    if detector.window is not None:
        window = frequency.rows(detector.window, "window")
        if window > MOST_ROWS:
            raise SettingError(f"window: expected at most {MOST_ROWS:,} rows, got {window:,}.")
        return window, None if season is None else float(season), notes
    if season is None or not 2 <= season <= _LONGEST:
        window = _USUAL
    else:
        window = round(season * max(1, min(_SEASONS, 100 // season)))
    window = max(2, min(window, longest // 4, held // 2))
    notes.append(f"Not given and chosen for these rows: window={window}.")
    return window, None if season is None else float(season), notes


def anomaly_spec(detector: AnomalyDetector, columns: int, window: int) -> AnomalySpec:
    """The network's shape."""
    names = ("dropout", "input_dropout", "recurrent_dropout", "between_dropout")
    return AnomalySpec(
        detector.model,
        columns,
        window,
        code=int(detector.code),
        units=int(detector.units),
        layers=int(detector.layers),
        **{name: float(getattr(detector, name)) for name in names},
    )


def check_memory(spec: AnomalySpec, optimizer: str, batch_size: int = 0) -> None:
    """Raise SettingError where training needs more memory than there is."""
    refuse_too_large(
        spec.name,
        count_weights(lambda: build_autoencoder(spec, 0)),
        optimizer,
        grows_with="code" if spec.code > spec.units else "units",
        batch_size=batch_size,
        row=spec.window * (2 * spec.columns + spec.code + 2 * spec.layers * spec.units),
    )


def split_ticks(panel: Panel, fraction: float) -> int:
    """The tick from which the last `fraction` of the rows of a panel is; DataError where one side has none."""
    ticks = np.unique(panel.tick)
    first = len(ticks) - max(1, math.floor(fraction * len(ticks) + 1e-6))
    if first < 1:
        raise DataError(f"The table: expected more rows, {len(ticks)} leave none to train on.")
    return int(ticks[first])


def learn(
    detector: AnomalyDetector, train: Panel, held: Panel, source: Mapping[str, Any], checkpoints: Checkpointing
) -> Fitted:
    """Learn from the rows of `train`; of `held` the first half chooses the epoch, the second calibrates."""
    scaler = Standardizer(per_series=len(train.ids) > 1).fit(train, np.ones(len(train), dtype=bool))
    rows, other = Rows.of(train, scaler), Rows.of(held, scaler)
    middle = split_ticks(held, 0.5) if len(np.unique(held.tick)) > 1 else int(held.tick.max(initial=0)) + 1
    judged, calibrating = other.part(held.tick < middle), other.part(held.tick >= middle)
    held_out = min(_longest(judged), _longest(calibrating))
    window, season, notes = lengths_of(detector, train.frequency, _longest(rows), held_out)
    needed = window if detector.model not in BASELINES else 1
    for name, part in (("training", rows), ("choosing the epoch", judged), ("calibrating the threshold", calibrating)):
        if not len(starts_of(part, needed)):
            raise DataError(
                f"The rows for {name}: expected a stretch of {needed} rows without a gap (window), the longest has "
                f"{_longest(part)}; give more rows or a shorter window."
            )
    history = None
    model: Model
    if detector.model == "z-score":
        model = RollingZScore(window)
    elif detector.model == "seasonal-residual":
        model = SeasonalResidual.fit(rows, season)
        if season is None:
            notes.append("seasonal-residual: there is no season, so that it is the distance from the training mean.")
    else:
        model, history = _train(detector, rows, judged, window, checkpoints)
    spread = _usual_error(model, rows, window)
    scores = scores_of(errors_of(scoring_of(model), calibrating, window, online=bool(detector.online)), spread)
    threshold, count = _threshold(scores, float(detector.false_alarms), notes)
    return Fitted(
        columns=train.columns,
        scaler=scaler,
        window=window,
        season=season,
        frequency=train.frequency,
        zone=train.zone,
        source=dict(source),
        model=model,
        spread=spread,
        threshold=threshold,
        calibrated=count,
        history=history,
        n_parameters=weights_of(model) if isinstance(model, Autoencoder) else model.n_parameters,
        notes=notes,
    )


def _longest(rows: Rows) -> int:
    return max((end - first for first, end in rows.stretches), default=0)


def _train(
    detector: AnomalyDetector, rows: Rows, judged: Rows, window: int, checkpoints: Checkpointing
) -> tuple[Autoencoder, History]:
    spec, seed = anomaly_spec(detector, rows.values.shape[1], window), int(detector.seed)
    check_memory(spec, detector.optimizer, int(detector.batch_size))
    network = build_autoencoder(spec, derive_seed(seed, spec.name, "weights"))
    batches = WindowBatches(rows, window, int(detector.batch_size), derive_seed(seed, spec.name, "batches"))
    beta = float(detector.beta)

    def loss(module: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        assert isinstance(module, Autoencoder)
        return module.loss(*batch, beta)

    history = checkpoints.train(
        network,
        batches,
        loss,
        settings=fit_settings(detector, len(starts_of(rows, window))),
        validate=_Judge(judged, window, beta),
        signature={
            "network": spec.to_json(),
            "beta": beta,
            "batches": {k: v for k, v in batches.state().items() if k not in ("epoch", "position")},
            "data": fingerprint([[part.values, part.known, part.tick] for part in (rows, judged)]),
        },
    )
    return network.eval(), history


class _Judge:
    """What validation says of a network: its loss on windows of rows that it was not trained on."""

    def __init__(self, rows: Rows, window: int, beta: float) -> None:
        self.batches = [windows_of(rows, starts, window) for starts in in_chunks(starts_of(rows, window, _JUDGED), 256)]
        self.beta = beta

    def __call__(self, module: nn.Module) -> dict[str, float]:
        assert isinstance(module, Autoencoder)
        with torch.no_grad():
            losses = [module.loss(*batch, self.beta).item() for batch in self.batches]
        counts = [float(known.sum()) for _, known in self.batches]
        return {"loss": float(np.average(losses, weights=np.maximum(counts, 1e-9)))}


def _by_torch(model: Autoencoder) -> Any:
    """A network that was registered by a user, called with arrays."""

    def again(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(torch.from_numpy(x)).numpy()

    return again


def scoring_of(model: Model) -> Any:
    """What scores rows, as the runtime has it."""
    if not isinstance(model, Autoencoder):
        return model
    if not has_form("anomalies", model.spec.name):
        return _by_torch(model)
    return predictor_of(model, lambda: runtime.Autoencoder(model.spec.to_json(), network_arrays(model)), model)


def _usual_error(model: Model, rows: Rows, window: int) -> np.ndarray:
    errors = errors_of(scoring_of(model), rows, window, most=_MEASURED)
    known = np.isfinite(errors)
    return np.maximum(np.where(known, errors, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1), _LEAST)


def _threshold(scores: np.ndarray, share: float, notes: list[str]) -> tuple[float, int]:
    """The score that at most `share` of normal rows exceed, and of how many rows: the ⌈(n + 1)(1 − share)⌉th smallest.

    Too few rows for so small a share leave the largest, and a note.
    """
    scores = np.sort(scores[np.isfinite(scores)])
    if not len(scores):
        raise DataError("The rows for calibrating the threshold: none has a value; give more rows.")
    place = math.ceil((len(scores) + 1) * (1 - share) - 1e-9)
    if place > len(scores):
        notes.append(
            f"The threshold is the highest score of the {len(scores):,} rows that calibrate, which are too few for "
            f"false_alarms of {share:g}: that needs {math.ceil(1 / share) - 1:,}."
        )
    return float(scores[min(place, len(scores)) - 1]), len(scores)
