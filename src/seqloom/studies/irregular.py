"""The onset of an event from irregular records: gaps as inputs against carried-forward values, beside the optimum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqloom_runtime.data.irregular import Records, is_physionet, made_records, read_physionet
from seqloom_runtime.data.parts import split_examples
from seqloom_runtime.errors import DataError

from ..diagnostics.alarm_scores import alarm_threshold, alarms_before
from ..diagnostics.detection import average_precision
from ..diagnostics.resampling import auc_draws
from ..tasks import RecordModel
from ..tasks.measuring import measure_classes
from ..training import derive_seed
from .job import Job
from .pictures import Bars, Picture, Plot
from .results import Results
from .score_charts import scores_and_learning
from .study import Column, Outcome, Prepared, Row, Study, StudySettings, rows_of

__all__ = ["STUDY"]

_SIZES, _QUICK = {"train": 4_000, "valid": 1_000, "test": 2_000}, 40
_HORIZON, _FALSE_ALARMS, _DRAWS = 6.0, 0.1, 200
_LABELS = {
    "prevalence": "prevalence",
    "gru-forward": "GRU, carried-forward values",
    "gru": "GRU, gaps as features",
    "gru-d": "GRU-D",
    "optimum": "optimum: the exact risk",
}
_BASE = "gru-forward"
_GOAL = 0.84


@dataclass(frozen=True, eq=False)
class _Data:
    """The parts; `risk`: the exact risks of the made records of "valid" and "test"."""

    parts: Mapping[str, Records]
    risk: Mapping[str, np.ndarray]


def _prepare(settings: StudySettings) -> Prepared:
    if settings.data is not None:
        return _brought(settings.data)
    divisor = _QUICK if settings.quick else 1
    made = {
        part: made_records(size // divisor, seed=derive_seed(0, "records", part), horizon=_HORIZON)
        for part, size in _SIZES.items()
    }
    parts = {part: found.records for part, found in made.items()}
    data = _Data(parts, {part: made[part].risk for part in ("valid", "test")})
    return Prepared(data, {"made": "records", **{part: len(found) for part, found in parts.items()}})


def _brought(path: str) -> Prepared:
    """The records of a folder of the PhysioNet 2012 layout: 64 % train, 16 % validate, 20 % test."""
    if not Path(path).is_dir() or not is_physionet(path):
        raise DataError(
            f"data: expected a folder of records of the PhysioNet 2012 layout (set-a), with Outcomes-a.txt in it or "
            f"beside it; {path} is none. Without it the study makes its records."
        )
    records = read_physionet(path)
    if records.target is None:
        raise DataError(f"data: expected Outcomes-a.txt in {path} or beside it.")
    rows = split_examples(len(records), 0.16, 0.2, seed=0, strata=records.positive().tolist())
    parts = {part: records.take(numbers) for part, numbers in zip(("train", "valid", "test"), rows)}
    said = f"{len(records):,} records of {path}, the label {records.label}: one risk per record, no optimum known."
    return Prepared(_Data(parts, {}), {"records": records.fingerprint()}, notes=[said])


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    own = settings.data is None
    labels = {name: label for name, label in _LABELS.items() if own or name != "optimum"}
    goals = {name: _GOAL for name in ("gru", "gru-d") if own and not settings.quick}
    return rows_of(labels, "auc", {}, goals, unseeded=("prevalence", "optimum"))


def _work(row: Row, data: _Data, job: Job) -> Outcome:
    test = data.parts["test"]
    if row.name == "optimum":
        scores, risk = _exact(data)
        return Outcome(scores, None, details={"auc_draws": _drawn(test, risk)})
    quick = job.settings.quick
    model = RecordModel(
        model=row.name,
        units=8 if quick else 32,
        epochs=job.settings.epochs or (2 if quick else 8),
        batch_size=64,
        learning_rate=0.002,
        false_alarms=_FALSE_ALARMS,
        seed=job.seed,
    )
    trains = row.name != "prevalence"
    model.fit(data.parts["train"], valid=data.parts["valid"], **job.checkpoints(kept=trains))
    found = model.predict(test)
    risk = np.concatenate(found) if test.every_step else found
    curves = {}
    if trains:
        curves["valid_loss"] = [epoch.valid["loss"] for epoch in model.history_.epochs]
    kept = {column.key for column in _COLUMNS}
    scores = {name: value for name, value in model.evaluate(test).scores.items() if name in kept}
    return Outcome(scores, model.n_parameters_, curves, {"auc_draws": _drawn(test, risk)})


def _exact(data: _Data) -> tuple[dict[str, float | None], np.ndarray]:
    """The scores of the exact risk on the test records, its alarms set on the validation records as any model's."""
    test, valid, risk = data.parts["test"], data.parts["valid"], data.risk["test"]
    assert test.target is not None
    assert test.onset is not None
    assert valid.onset is not None
    asked = ~np.isnan(test.target)
    p = risk[asked]
    found = measure_classes(
        (test.target[asked] > 0).astype(int), np.stack([1 - p, p], axis=1), list(test.classes), first="auc"
    )
    scores: dict[str, float | None] = {
        "auc": found.scores["auc"],
        "auprc": average_precision(test.target[asked] > 0, p),
        "calibration_error": found.details["calibration"]["error"],
    }
    threshold = alarm_threshold(data.risk["valid"], valid.offsets, valid.onset, _FALSE_ALARMS)
    if threshold is not None:
        alarms = alarms_before(risk, test.times, test.offsets, test.onset, threshold)
        scores |= {"alarmed": alarms.alarmed, "lead_time": alarms.lead_time}
    return scores, risk


def _drawn(records: Records, risk: np.ndarray) -> list[float | None]:
    """AUROC on test records drawn anew, the same records for every row of the study."""
    assert records.target is not None
    asked = ~np.isnan(records.target)
    groups = records.record_of[asked] if records.every_step else np.arange(len(records))[asked]
    draws = auc_draws(records.target[asked] > 0, risk[asked], groups, draws=_DRAWS)
    return [None if value != value else round(value, 6) for value in draws.tolist()]


def _say(results: Results) -> Iterator[str]:
    best = results.median("optimum", "auc")
    for name in ("gru", "gru-d"):
        pairs = [
            (one.details["auc_draws"], other.details["auc_draws"])
            for one, other in zip(results.outcomes(name), results.outcomes(_BASE))
        ]
        leads = [
            mine - theirs
            for one, other in zip(results.outcomes(name), results.outcomes(_BASE))
            if (mine := one.scores["auc"]) is not None and (theirs := other.scores["auc"]) is not None
        ]
        if not pairs or not leads:
            continue
        gaps = np.mean([np.array(one, dtype=float) - np.array(other, dtype=float) for one, other in pairs], axis=0)
        low, high = np.quantile(gaps[~np.isnan(gaps)], (0.025, 0.975))
        seeds = "" if len(leads) == 1 else f", above it in {sum(lead > 0 for lead in leads)} of {len(leads)} seeds"
        yield (
            f"{_LABELS[name]}: AUROC {np.mean(leads):+.4f} beside carried-forward values (95 % interval {low:+.4f} to "
            f"{high:+.4f}, test records drawn anew{seeds})."
        )
    mine = results.median("gru-d", "auc")
    if best is not None and mine is not None:
        yield f"Of what the optimum ranks better than chance, GRU-D reaches {100 * (mine - 0.5) / (best - 0.5):.0f} %."


def _draw(results: Results) -> list[Picture]:
    return scores_and_learning(
        results,
        "records",
        STUDY.title,
        Bars("AUROC", [], [], [], "AUROC, test rows"),
        Plot("epoch", "validation loss", []),
        keys=("auc", "valid_loss"),
        baseline="prevalence",
    )


_COLUMNS = (
    Column("parameters", "parameters", 0),
    Column("auc", "AUROC", 4, higher_is_better=True),
    Column("auprc", "AUPRC", 4, higher_is_better=True),
    Column("calibration_error", "calibration error", 2, per_cent=True),
    Column("alarmed", "events alarmed", 1, higher_is_better=True, per_cent=True),
    Column("lead_time", "lead time (h)", 2, higher_is_better=True),
    Column("seconds", "seconds", 0),
)
STUDY = Study(
    name="records",
    title="Onset of an event from irregular records",
    about=(
        "7,000 made records of 18 to 54 hours like those of an intensive-care unit, six columns measured at irregular "
        "times: at every row, the risk that the event comes within 6 hours. 4,000 train, 1,000 validate, 2,000 test.",
        "The optimum is the exact probability given the same rows, by the forward algorithm of the process that made "
        "them. Alarms are set so that at most 10 % of the validation records without an event hold one; the lead time "
        "is the median from a record's first alarm to its event.",
    ),
    columns=_COLUMNS,
    prepare=_prepare,
    rows=_rows,
    work=_work,
    seeds=(0, 1, 2),
    say=_say,
    draw=_draw,
    takes=frozenset({"epochs", "data"}),
)
