"""Anomaly detection: anomalies of five kinds planted into made seasonal series; and series of NAB with their labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seqloom_runtime.data import Panel, read_table
from seqloom_runtime.data.labelled_windows import read_labelled_windows, with_labels
from seqloom_runtime.data.times import parse_texts

from ..diagnostics.detection import average_precision
from ..diagnostics.planted import KINDS, plant_anomalies
from ..tasks import AnomalyDetector
from ..tasks.anomalies.comparison import parts_of
from ..tasks.anomalies.scoring import labels_of
from ..training import derive_seed
from .job import Job
from .pictures import Bars, Picture, Plot
from .places import data_folder
from .results import Results
from .score_charts import scores_and_learning
from .study import Column, Outcome, Prepared, Row, Study, StudySettings, rows_of

__all__ = ["NAB", "SERIES", "STUDY", "made_series"]

_LABELS = {
    "z-score": "rolling z-score",
    "seasonal-residual": "seasonal residual",
    "gru-autoencoder": "GRU autoencoder",
    "gru-vae": "GRU variational autoencoder",
}
_GOALS = {"gru-autoencoder": 0.4, "gru-vae": 0.4}  # of the made series: above both baselines
_BASELINES = ("z-score", "seasonal-residual")
_ROWS, _EACH, _DAY, _WINDOW, _QUICK = 4_032, 10, 24, 72, 1_400
_LABEL = "anomaly"
SERIES: Mapping[str, tuple[str, str]] = {
    "taxi": ("nyc_taxi.csv", "1w"),
    "ec2": ("ec2_cpu_utilization_24ae8d.csv", "1d"),
    "jumps": ("art_daily_jumpsup.csv", "1d"),
    "speed": ("speed_7578.csv", ""),
}
"""Key of the column → file of NAB, and the season; speeds come at no regular times, so that their rows are counted."""
_ORIGIN = (
    "The series are those of the Numenta Anomaly Benchmark, github.com/numenta/NAB, with windows.json beside them."
)


def made_series(rows: int = _ROWS, series: int = 4) -> Panel:
    """Hourly series with a day, a weekend, a level and an amplitude that wander, and noise; `anomaly` is 1 where one
    was planted, in the last 30 % of each.

    >>> panel = made_series(672, 1)
    >>> panel.columns, int(panel.column("anomaly")[:470].sum())
    (('value', 'anomaly'), 0)
    """
    at = np.arange(rows)
    time = np.datetime64("2024-01-01T00", "us") + at * np.timedelta64(1, "h")
    values, labels = [], []
    for number in range(series):
        draw = np.random.default_rng(derive_seed(0, "made series", str(number)))
        amplitude = 1 + 0.5 * np.sin(2 * np.pi * at / (_DAY * draw.uniform(14, 20)) + draw.uniform(0, 6))
        level = 0.8 * np.sin(2 * np.pi * at / (_DAY * draw.uniform(25, 35)) + draw.uniform(0, 6))
        day = np.sin(2 * np.pi * at / _DAY) + 0.5 * np.sin(4 * np.pi * at / _DAY + draw.uniform(0, 6))
        week = np.where((at // _DAY) % 7 >= 5, 0.55, 1.0)
        own = (amplitude * week * day + level + 0.15 * draw.standard_normal(rows))[:, None]
        first = round(0.7 * rows)
        own[first:], kind = plant_anomalies(
            own[first:], length=_DAY, count=_EACH, seed=derive_seed(0, "anomalies", str(number))
        )
        values.append(own)
        labels.append(np.append(np.zeros(first), kind + 1.0))
    return Panel.from_numpy(
        np.hstack([np.concatenate(values), np.concatenate(labels)[:, None]]),
        ["value", _LABEL],
        time=np.tile(time, series),
        id=np.repeat([f"series {number}" for number in range(series)], rows),
    )


def _prepare_made(settings: StudySettings) -> Prepared:
    panel = made_series(_QUICK, 1) if settings.quick else made_series()
    kind = panel.column(_LABEL).astype(np.int64) - 1
    panel = replace(panel, values=np.hstack([panel.values[:, :1], (kind >= 0)[:, None]]))
    identity = {"rows": len(panel), "fingerprint": panel.fingerprint()}
    return Prepared((panel, kind), identity)


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    goals = {} if settings.quick or prepared.identity.keys() & SERIES.keys() else _GOALS
    return rows_of(_LABELS, "auprc", {}, goals, unseeded=_BASELINES)


def _detector(row: Row, job: Job, **options: Any) -> AnomalyDetector:
    quick = {"units": 4, "steps_per_epoch": 2} if job.settings.quick else {}
    return AnomalyDetector(
        model=row.name,
        epochs=job.settings.epochs or (1 if job.settings.quick else 20),
        seed=job.seed,
        **{"steps_per_epoch": 150, **options, **quick},
    )


def _work_made(row: Row, data: tuple[Panel, np.ndarray], job: Job) -> Outcome:
    panel, kind = data
    cut, parts = parts_of(panel, (0.5, 0.2))
    detector = _detector(row, job, window=_DAY if job.settings.quick else _WINDOW)
    train, valid, test = (parts[name][0] for name in ("train", "valid", "test"))
    detector.fit(train, columns=["value"], valid=valid, **job.checkpoints(kept=row.name not in _BASELINES))
    found = detector.evaluate(test, _LABEL)
    kind, score = kind[panel.tick >= cut.valid_end], found.predictions["predicted"]
    by_kind = {}
    for place, name in enumerate(KINDS):
        own = (kind == place) | (kind < 0)
        by_kind[name] = average_precision(kind[own] == place, score[own])
    kept = ("auprc", "f1", "false_alarm_rate", "events_found", "delay")
    scores = {name: found.scores.get(name) for name in kept} | by_kind
    return Outcome(scores, detector.n_parameters_, _curves(detector))


def _curves(detector: AnomalyDetector) -> dict[str, list[float]]:
    return {} if detector.history_ is None else {"loss": [epoch.valid["loss"] for epoch in detector.history_.epochs]}


def _say_made(results: Results) -> Iterator[str]:
    found = {name: results.median(name, "auprc") for name in _LABELS}
    known = {name: value for name, value in found.items() if value is not None}
    base = max((value for name, value in known.items() if name in _BASELINES), default=None)
    for name, value in known.items():
        if name not in _BASELINES and base is not None:
            word = "above" if value > base else "not above"
            yield f"{_LABELS[name]}: AUPRC {value:.3f}, {word} the better baseline's {base:.3f}."


def _draw(name: str, title: str, key: str, results: Results) -> list[Picture]:
    return scores_and_learning(
        results,
        name,
        title,
        Bars("AUPRC", [], [], [], "Area under the precision-recall curve, test rows"),
        Plot("epoch", "loss on the validation rows", []),
        keys=(key, "loss"),
        baseline="z-score",
    )


STUDY = Study(
    name="anomalies",
    title="Anomalies of five kinds in seasonal series",
    about=(
        "Four hourly series of 24 weeks whose level and amplitude wander; 40 anomalies in the last 30 % of the rows: "
        "spikes, level shifts, stretches at twice the speed, values that stand still, bursts of noise. Nothing is told "
        "of them before the end.",
        f"Windows of {_WINDOW} rows; the threshold is calibrated on rows held out to 1 % of false alarms.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("auprc", "AUPRC", 3, higher_is_better=True),
        *(Column(kind, f"AUPRC {kind}", 3, higher_is_better=True) for kind in KINDS),
        Column("f1", "F1", 1, higher_is_better=True, per_cent=True),
        Column("false_alarm_rate", "false alarms", 2, per_cent=True),
        Column("events_found", "events found", 0, higher_is_better=True, per_cent=True),
        Column("delay", "delay, rows", 1),
        Column("seconds", "seconds", 0),
    ),
    prepare=_prepare_made,
    rows=_rows,
    work=_work_made,
    say=_say_made,
    draw=lambda results: _draw("anomalies", "Planted anomalies", "auprc", results),
    takes=frozenset({"epochs"}),
)


def _prepare_nab(settings: StudySettings) -> Prepared:
    folder = data_folder(settings.data, "anomalies", _ORIGIN)
    found = {key: _read(folder, name) for key, (name, _) in SERIES.items()}
    if settings.quick:
        found = {"jumps": found["jumps"]}
    identity = {key: panel.fingerprint() for key, panel in found.items()}
    notes = ["Labels are NAB's windows, a tenth of the rows and more, most of which look as ever: rows are scored."]
    return Prepared(found, identity, notes)


def _read(folder: Path, name: str) -> Panel:
    path = next((folder / f"{name}{end}" for end in (".gz", "") if (folder / f"{name}{end}").is_file()), folder / name)
    table, timed = read_table(str(path)), name != SERIES["speed"][0]
    panel = Panel.from_frame(table, time="timestamp" if timed else "none", columns=["value"])
    times = None if timed else parse_texts(list(table.cells["timestamp"])).values.astype(np.int64).view("M8[us]")
    return with_labels(panel, read_labelled_windows(folder / "windows.json", name), times)[0]


def _work_nab(row: Row, data: dict[str, Panel], job: Job) -> Outcome:
    scores: dict[str, float | None] = {}
    counts, curves = 0, {}
    for key, panel in data.items():
        _, parts = parts_of(panel, (0.3, 0.03) if key == "speed" else (0.4, 0.15))
        options: dict[str, Any] = {"window": 16} if key == "speed" else {"season": SERIES[key][1]}
        if job.settings.quick:
            options["window"] = 24
        detector = _detector(row, job, **options, steps_per_epoch=60)
        where = job.checkpoints(kept=row.name not in _BASELINES)
        if where["directory"] is not None:
            where["directory"] = Path(where["directory"]) / key
            where["directory"].mkdir(parents=True, exist_ok=True)
        detector.fit(parts["train"][0], columns=["value"], valid=parts["valid"][0], **where)
        test = parts["test"][0]
        label, found = labels_of(test, _LABEL), detector.detect(test.select(["value"]))
        seen = np.isfinite(found.score)
        scores[key] = average_precision(label[seen], found.score[seen])
        scores[f"{key}_guess"] = float(label[seen].mean())
        counts, curves = max(counts, detector.n_parameters_), curves or _curves(detector)
    known = [scores[key] for key in data]
    return Outcome({"auprc": float(np.mean([v for v in known if v is not None])), **scores}, counts, curves)


def _say_nab(results: Results) -> Iterator[str]:
    for key, (name, _) in SERIES.items():
        found = {row: results.median(row, key) for row in _LABELS}
        known = {row: value for row, value in found.items() if value is not None}
        if known:
            best = max(known, key=lambda row: known[row])
            yield f"{name}: {_LABELS[best]} is best, AUPRC {known[best]:.3f}."


NAB = Study(
    name="nab",
    title="Series of the Numenta Anomaly Benchmark",
    about=(
        "AUPRC of the rows behind the first 55 % (speed_7578: 33 %), labelled by NAB's windows; models learn from the "
        "first 40 % (30 %). Guessing has the share of the labelled rows.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("auprc", "mean AUPRC", 3, higher_is_better=True),
        *(
            column
            for key, (name, _) in SERIES.items()
            for column in (
                Column(key, name.removesuffix(".csv"), 3, higher_is_better=True),
                Column(f"{key}_guess", "guessing", 3, higher_is_better=True),
            )
        ),
        Column("seconds", "seconds", 0),
    ),
    prepare=_prepare_nab,
    rows=_rows,
    work=_work_nab,
    say=_say_nab,
    draw=lambda results: _draw("nab", "Mean over the series", "auprc", results),
    takes=frozenset({"epochs", "data"}),
)
