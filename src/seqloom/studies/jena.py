"""The Jena temperature table: naive and damped persistence forecasts, dense, recurrent and convolutional networks.

The temperature a day ahead from 14 columns of 10-minute rows (Chollet, "Deep Learning with Python", 2018, section 6.3).
The generator of the original ends its inputs one step before the present, so that its 144 rows ahead are 150 (147 at
step 3): on the original file these horizons are used, and its figures stand beside ours. Theirs are the best epoch of a
single run; ours are of the weights that were best on the first two thirds of the validation rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqloom_runtime.data import Panel, read_table

from ..tasks.checkpointing import Checkpointing
from ..tasks.forecast import Forecaster
from ..tasks.forecast.fitting import TrainingPlan, train_network
from ..tasks.forecast.masking import mean_known
from ..tasks.forecast.network import NetworkSpec
from ..tasks.forecast.objective import LossSpec, forecast_with
from ..tasks.forecast.settings import fit_settings, network_spec
from ..tasks.forecast.windowed import ForecastData
from ..tasks.networks import Body, build_body
from ..training import History
from .jena_drawing import draw, say
from .job import Job
from .networks import count, glorot_linear
from .places import data_file
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["STUDY"]

_FILES = ("jena/jena_climate_2009_2016.csv", "jena/jena_climate_2009_2016.csv.gz", "jena/jena_climate_2020.csv.gz")
_ORIGIN = (
    "The original is jena_climate_2009_2016.csv in https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
    "jena_climate_2009_2016.csv.zip; any year of the same station in that layout will do."
)
# The number of rows tells the original file, whatever it is called.
_TARGET, _TIME, _ORIGINAL_ROWS = "T (degC)", "Date Time", 420_551

# Validation MAE of single published runs on the original file; validation and test MAE of Keras 3 on JAX on 2020.
_PUBLISHED = {
    "naive": 0.2897,
    "dense": 0.2994,
    "gru": 0.2644,
    "gru-dropout": 0.2619,
    "gru-stacked": 0.2633,
    "gru-reversed": 0.3990,
    "gru-bidirectional": 0.2615,
    "conv": 0.4521,
    "conv-gru": 0.2730,
}
_KERAS_2020 = {
    "naive": (0.4421, 0.3184),
    "gru": (0.4792, 0.3896),
    "gru-dropout": (0.4434, 0.3569),
    "gru-anchored": (0.4286, 0.3560),
    "gru-anchored-dropout": (0.4098, 0.3497),
}


@dataclass(frozen=True)
class _Kind:
    """A row: its label, what it sets beside the common parameters, and whether the study starts its network itself."""

    label: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    on_original: Mapping[str, Any] = field(default_factory=dict)  # on the original file beside them
    started_here: bool = False  # from the seeds that its figures were first made with
    extra: bool = False


_DROPOUT = {"input_dropout": 0.2, "recurrent_dropout": 0.2}
_ANCHORED = {"model": "gru", "anchor": "last", "calendar": True}
_KINDS = {
    "naive": _Kind("last value", {"model": "naive"}),
    "damped-persistence": _Kind("damped persistence", {"model": "damped-persistence"}),
    "dense": _Kind("dense", {"model": "dense"}),
    "gru": _Kind("GRU(32)", {"model": "gru"}),
    "gru-dropout": _Kind("GRU(32), dropout 0.2 / 0.2", {"model": "gru", **_DROPOUT}),
    "gru-stacked": _Kind(
        "GRU(32)→GRU(64, ReLU), dropout 0.1 / 0.5",
        {
            "model": "gru",
            "units": (32, 64),
            "activation": ("tanh", "relu"),
            "input_dropout": 0.1,
            "recurrent_dropout": 0.5,
        },
        started_here=True,
    ),
    "gru-reversed": _Kind("GRU(32), time reversed", {"model": "gru", "reverse": True}, started_here=True),
    "gru-bidirectional": _Kind("bidirectional GRU(32)", {"model": "gru", "bidirectional": True}),
    "conv": _Kind("convnet", {"model": "conv"}),
    "conv-gru": _Kind(
        "convnet and GRU(32), step 3, dropout 0.1 / 0.5",
        {"model": "conv-gru", "every": 3, "input_dropout": 0.1, "recurrent_dropout": 0.5},
        {"lookback": 720, "horizon": 147},
    ),
    "tcn": _Kind("TCN, levels of 32, kernel 3, dropout 0.1", {"model": "tcn", "between_dropout": 0.1}),
    "gru-anchored": _Kind("GRU(32), anchored on the last value, time of day", _ANCHORED, extra=True),
    "gru-anchored-dropout": _Kind(
        "GRU(32), anchored on the last value, time of day, dropout 0.2 / 0.2", {**_ANCHORED, **_DROPOUT}, extra=True
    ),
}


class Composed(nn.Module):
    """Recurrent layers, then a linear layer on the step that ran last: (B, L, I) → (B, 1)."""

    def __init__(self, body: Body, seed: int) -> None:
        super().__init__()
        self.body = body
        self.output = glorot_linear(body.output_size, 1, seed)

    def forward(self, x: Tensor, future: Tensor | None = None) -> Tensor:
        """(B, L, I) → (B, 1); no column is known in advance here."""
        return self.output(self.body.summary(x))


@dataclass(eq=False)
class JenaData:
    """The table, what all rows share, and the windows by the settings that change them."""

    panel: Panel
    common: Mapping[str, Any]
    original: bool
    prepared: dict[tuple[Any, ...], ForecastData] = field(default_factory=dict)

    def windows(self, forecaster: Forecaster) -> ForecastData:
        """The windows for a forecaster, made once."""
        key = tuple(getattr(forecaster, name) for name in ("lookback", "horizon", "every", "calendar"))
        if key not in self.prepared:
            self.prepared.clear()  # one at a time: the arrays are large
            self.prepared[key] = forecaster.prepare(self.panel, target=_TARGET, inputs="*")
        return self.prepared[key]


def _prepare(settings: StudySettings) -> Prepared:
    path = data_file(settings.data, _FILES, _ORIGIN)
    table = read_table(path)
    # The station writes −9999 for what it did not measure; as a wind speed it would ruin mean and deviation.
    panel = Panel.from_frame(table, time=_TIME, missing=(-9999,))
    panel.column(_TARGET)
    original = table.rows == _ORIGINAL_ROWS
    common: dict[str, Any] = {
        "lookback": 1440 if original else 720,
        "horizon": 150 if original else 144,
        "every": 6,
        "at": "last",
        # Published networks read and forecast the temperature itself; ours by default read and add to what is relative
        # to the last value, beside a linear path, which is a head start.
        "anchor": "none",
        "linear_skip": False,
        "patch": 1,
        "pooling": "max",
        "split": "200000,100000" if original else "26000,13000",
        "optimizer": "rmsprop",
        "clip_norm": None,
        "epochs": settings.epochs or 20,
        "steps_per_epoch": 500,
    }
    if settings.quick:
        panel = panel.take(np.arange(len(panel.values)) < 3000)
        small = {"lookback": 72, "horizon": 36, "every": 1, "split": "1500,800", "epochs": settings.epochs or 2}
        common |= {**small, "steps_per_epoch": 3, "batch_size": 16}
    note = (
        "The original file: horizons are 150 rows (147 at step 3), where the original generator's 144 lie. Rows "
        "are counted after repairs, so the splits may differ from the original's by a few rows."
        if original
        else f"{path.name} is not the original file of 2009 to 2016, so its published figures are not shown."
    )
    notes = [note]
    if path.name == "jena_climate_2020.csv.gz" and not settings.quick:
        notes.append("Keras 3 figures: this file without repairs (gap and duplicate row included), JAX, seed 0.")
    identity = {"file": path.name, "rows": table.rows, "fingerprint": panel.fingerprint()}
    beside = "published" if original else "Keras 3"
    return Prepared(JenaData(panel, common, original), identity, notes, beside)


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    rows = []
    for name, kind in _KINDS.items():
        figures: dict[str, float] = {}
        if settings.quick:
            pass  # on a part of the rows nothing can be compared
        elif prepared.data.original:
            figures = {"valid": _PUBLISHED[name]} if name in _PUBLISHED else {}
        elif prepared.identity["file"] == "jena_climate_2020.csv.gz" and name in _KERAS_2020:
            figures = dict(zip(("valid", "test"), _KERAS_2020[name]))
        seeded = kind.parameters.get("model") not in ("naive", "damped-persistence")
        rows.append(Row(name, kind.label, figures, seeded=seeded, extra=kind.extra))
    return rows


def _work(row: Row, data: JenaData, job: Job) -> Outcome:
    kind = _KINDS[row.name]
    own = {**kind.parameters, **(kind.on_original if data.original else {})}
    forecaster = Forecaster(**{**data.common, "model": "gru", **own, "seed": job.seed})
    windows = data.windows(forecaster)
    if kind.started_here:
        found = _composed(windows, forecaster, job)
    else:
        forecaster.fit_prepared(windows, **job.checkpoints())
        history = forecaster.learned_.history if hasattr(forecaster, "learned_") else None
        forecasts = [forecaster.forecast_windows(windows, part) for part in (windows.valid, windows.test)]
        found = forecasts, history, forecaster.n_parameters_
    return _outcome(windows, *found)


def _composed(windows: ForecastData, forecaster: Forecaster, job: Job) -> tuple[list[np.ndarray], History, int]:
    """Train the forecaster's body, started from seeds of the study, on the same windows, in the same way."""
    random = torch.Generator().manual_seed(job.derived_seed("weights"))
    body = build_body(network_spec(forecaster, windows.features, windows.spec).body, random)
    network = Composed(body, job.derived_seed("output"))
    steps = len(windows.spec.input_offsets)
    spec = NetworkSpec(job.row.name, inputs=windows.features.width, input_steps=steps, forecast_steps=1)
    plan = TrainingPlan(
        spec, LossSpec("mae"), fit_settings(forecaster, len(windows.train)), int(forecaster.batch_size or 128)
    )
    checkpoints = Checkpointing(job.directory, job.resume and job.directory is not None, job.on_event)
    learned = train_network(windows, plan, "none", checkpoints, network)
    forecasts = [forecast_with(learned.network, windows, "none", part) for part in (windows.valid, windows.test)]
    return forecasts, learned.history, count(network)


def _outcome(windows: ForecastData, forecasts: list[np.ndarray], history: History | None, parameters: int) -> Outcome:
    """Mean absolute errors in standard deviations of the training rows and in degrees, and the curves of training."""
    scale, scores = float(windows.std[0]), {}
    for part, origins, forecast in zip(("valid", "test"), (windows.valid, windows.test), forecasts):
        truth = windows.truth(origins)
        error = float(mean_known(np.abs(forecast - truth), truth))
        scores |= {part: error / scale, f"{part}_degrees": error}
    curves, details = {}, {"scale": scale, "windows": [len(windows.valid), len(windows.test)]}
    if history is not None:
        curves = {
            "train": [row.train_loss for row in history.epochs],
            "valid": [row.valid["mae"] / scale for row in history.epochs],
        }
        details["best_epoch"] = history.best_epoch or 0
    return Outcome(scores, parameters, curves, details)


STUDY = Study(
    name="jena",
    title="Temperature in Jena, a day ahead",
    about=(
        "Inputs: 14 columns at 10-minute steps, every 6th row of the lookback; target: the temperature 24 hours ahead.",
        "MAE in standard deviations of the training rows, and in °C; batches of 128 windows, RMSprop 1e-3.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("valid", "validation MAE"),
        Column("test", "test MAE"),
        Column("valid_degrees", "validation MAE (°C)", 2),
        Column("test_degrees", "test MAE (°C)", 2),
        Column("seconds", "seconds", 0),
    ),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    say=say,
    draw=draw,
    takes=frozenset({"data", "epochs"}),
)
