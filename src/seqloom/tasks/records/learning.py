"""Fitting a `RecordModel` once its records are checked: scale, network or baseline, and the threshold of alarms."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import nn

from seqloom_runtime.data.irregular import Records
from seqloom_runtime.data.parts import split_examples
from seqloom_runtime.errors import DataError
from seqloom_runtime.records.inputs import RecordScale, record_inputs
from seqloom_runtime.records.predictor import risk_of

from ...diagnostics import auc
from ...diagnostics.alarm_scores import alarm_threshold
from ...training import History, derive_seed
from ..checkpointing import Checkpointing
from ..comparison.fingerprint import fingerprint
from ..memory import count_weights, refuse_too_large
from ..sequences.coding import BinaryCoding
from ..sequences.models import BaselineModel, NetworkModel, SequenceModel, fit_baseline, run_network
from ..sequences.network import SequenceNetwork, SequenceNetworkSpec, build_sequence_network
from ..sequences.prepared import Examples, Scale, TrainingBatches
from ..training_parameters import fit_settings
from .network import BASELINES, gaps_of, record_spec

if TYPE_CHECKING:
    from .model import RecordModel

__all__ = ["CODING", "Fitted", "examples_of", "learn", "split_records"]

CODING = BinaryCoding(1)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit finds.

    model: what predicts. scale: of the inputs. columns, unit, every_step, horizon, label, labels: those of the
    training records. threshold: the risk to alarm at, None for a label per record and where every validation record
    has the event.
    """

    model: SequenceModel
    scale: RecordScale
    columns: tuple[str, ...]
    unit: str
    every_step: bool
    horizon: float | None
    label: str
    labels: tuple[str, str]
    threshold: float | None
    history: History
    n_parameters: int
    notes: list[str]


def split_records(records: Records, fraction: float, seed: int) -> tuple[Records, Records]:
    """A random `fraction` of the records apart, with equal shares of the positive ones; DataError where too few."""
    seed = derive_seed(seed, "validation records")
    kept, held, _ = split_examples(len(records), fraction, 0.0, seed=seed, strata=records.positive().tolist())
    return records.take(kept), records.take(held)


def examples_of(records: Records, scale: RecordScale, gaps: str) -> Examples:
    """Inputs, targets (M, 1) float32 and weights, 0 for a row that doesn't count."""
    target = np.zeros(len(records.values) if records.every_step else len(records)) * np.nan
    target = target if records.target is None else records.target
    counted = ~np.isnan(target)
    return Examples(
        record_inputs(records, scale, gaps),
        np.nan_to_num(target)[:, None].astype(np.float32),
        counted.astype(np.float32),
        records.every_step,
    )


def learn(estimator: RecordModel, train: Records, held: Records, checkpoints: Checkpointing) -> Fitted:
    """Fit on training and validation records, both of which hold positive and negative ones."""
    for name, part in (("training", train), ("validation", held)):
        _refuse_one_kind(part, name)
    scale = RecordScale.of(train)
    gaps = gaps_of(estimator.model, estimator.gaps)
    history, model = History.empty(), None
    if estimator.model in BASELINES:
        model = fit_baseline("mean", CODING, examples_of(train, scale, gaps))
    else:
        spec = record_spec(estimator, len(train.columns), train.every_step)
        model, history = _trained(estimator, spec, (train, held), scale, gaps, checkpoints)
    assert isinstance(model, (BaselineModel, NetworkModel))
    threshold = None
    if train.every_step and held.onset is not None:
        risk = risk_of(model.outputs(record_inputs(held, scale, gaps)))
        threshold = alarm_threshold(risk, held.offsets, held.onset, float(estimator.false_alarms))
    return Fitted(
        model,
        scale,
        train.columns,
        train.unit,
        train.every_step,
        train.horizon,
        train.label,
        train.classes,
        threshold,
        history,
        int(model.n_parameters),
        _notes(train, held, threshold),
    )


def _trained(
    estimator: RecordModel,
    spec: SequenceNetworkSpec,
    parts: tuple[Records, Records],
    scale: RecordScale,
    gaps: str,
    checkpoints: Checkpointing,
) -> tuple[NetworkModel, History]:
    train, held = (examples_of(part, scale, gaps) for part in parts)
    settings = fit_settings(estimator, len(train.sequences))
    refuse_too_large(
        estimator.model,
        count_weights(lambda: build_sequence_network(spec, 0)),
        settings.optimizer,
        grows_with="units",
        batch_size=min(int(estimator.batch_size), len(train.sequences)),
        row=int(train.sequences.lengths.min()) * (spec.body.inputs + spec.body.output_size),
    )
    network = build_sequence_network(spec, derive_seed(settings.seed, estimator.model, "weights"))
    _start_at(network, train)
    order = derive_seed(settings.seed, estimator.model, "batches")
    batches = TrainingBatches(_alike(train), Scale(), int(estimator.batch_size), order, per_step=False)
    counted = held.weight > 0

    def validate(module: Any) -> dict[str, float]:
        output = run_network(module, held.sequences, Scale(), spec)
        risk = risk_of(output[counted])
        return {
            "loss": CODING.score(output, held.target, held.weight),
            "auc": auc(held.target[counted, 0] > 0, risk),
        }

    history = checkpoints.train(
        network,
        batches,
        CODING.batch_loss,
        settings=settings,
        validate=validate,
        signature=None
        if checkpoints.directory is None
        else {
            "network": spec.to_json(),
            "gaps": gaps,
            "batch_size": int(estimator.batch_size),
            "data": fingerprint(list(parts)),
        },
    )
    return NetworkModel(network, spec, Scale()), history


def _alike(train: Examples) -> Examples:
    """Weights with which every row that counts weighs the same in all batches, and the loss is their mean.

    The mean over each batch's own rows would not do: batches hold records of like length, the short ones are those that
    the event ends, and the risk would come out too high.
    """
    return replace(train, weight=train.weight * np.float32(len(train.sequences) / train.weight.sum(dtype=np.float64)))


def _start_at(network: SequenceNetwork, train: Examples) -> None:
    """The read-out begins at the share of positives, so that no step is spent on finding out that they are rare."""
    share = float(train.target[train.weight > 0].mean(dtype=np.float64))
    with torch.no_grad():
        cast(nn.Linear, network.output).bias.fill_(math.log(share / (1 - share)))


def _refuse_one_kind(records: Records, name: str) -> None:
    """Raise DataError where a part holds positive or negative answers alone."""
    if records.target is None:
        raise DataError(f"The {name} records: nothing says what is to be predicted; name a label or an event.")
    known = records.target[~np.isnan(records.target)]
    kinds = np.unique(known > 0)
    if len(kinds) < 2:
        what = "rows" if records.every_step else "records"
        only = records.classes[int(kinds[0])] if len(kinds) else "none that counts"
        raise DataError(
            f"The {name} records: expected {what} of both kinds, {records.classes[0]} and {records.classes[1]}, found "
            f"{only} alone among {len(known):,} {what}; give more records."
        )


def _notes(train: Records, held: Records, threshold: float | None) -> list[str]:
    lengths, there = train.lengths, float((~np.isnan(train.values)).mean())
    rows = f"{lengths.min():,} to {lengths.max():,}" if lengths.min() < lengths.max() else f"{lengths.min():,}"
    notes = [
        f"{len(train):,} records of {rows} rows and {len(train.columns)} columns train the model, {100 * there:.0f} % "
        f"of their cells are measured; {len(held):,} others choose the best epoch"
        + (" and the threshold of alarms." if threshold is not None else ".")
    ]
    blank = [name for name, count in zip(train.columns, np.isfinite(train.values).sum(axis=0)) if not count]
    if blank:
        notes.append(f"No training record holds a value of {', '.join(blank)}.")
    return notes
