"""What the long-memory benchmarks share: the published models and their settings, training, table and charts.

Settings: Bai, Kolter and Koltun, arXiv 1803.01271, tables 2 and 3. Sequences apart from the training and the test ones
choose the epoch; its weights are scored on the test ones, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..nn import TCN
from ..training import FitSettings, derive_seed
from .job import Job
from .networks import CELLS, Reader, count
from .pictures import Curve, Picture, Plot, level, styles_for
from .results import Results
from .study import Column, Outcome, Row, StudySettings

__all__ = [
    "Examples",
    "Model",
    "Task",
    "columns_with",
    "generated",
    "in_parts",
    "rows_for",
    "run_model",
    "training_picture",
]


# What the paper gives settings for is held to its figures; the other rows are of about their size, for comparison.
_GOALS = ("tcn", "lstm")


@dataclass(frozen=True)
class Model:
    """A published model: for a TCN units per level, levels and kernel; for a recurrent one units and layers (`levels`).

    dropout: of a TCN's convolutions; of a recurrent network between its layers and before the read-out.
    clip: the norm that the gradient is clipped to, after the backward pass and before the step; None for no clipping.
    sized: no settings are published, so the units are those that give about the size that the paper compares at.
    extra: runs only by name. said: a sentence on what is unlike the other rows.
    """

    label: str
    cell: str
    units: int
    levels: int = 1
    kernel: int = 1
    dropout: float = 0.0
    clip: float | None = None
    optimizer: str = "adam"
    rate: float = 2e-3
    options: tuple[tuple[str, Any], ...] = ()
    sized: bool = False
    extra: bool = False
    said: str = ""

    def sees(self) -> int:
        """The receptive field of a TCN: 1 + 2(K − 1)(2^n − 1)."""
        # Two convolutions a level, with dilations 1, 2, 4, …, which sum to 2^n − 1.
        return 1 + 2 * (self.kernel - 1) * (2**self.levels - 1)

    def suited(self, length: int | None, quick: bool) -> Model:
        """A small model where it should be quick; a TCN with more levels where it would not see `length` steps."""
        model = replace(self, units=min(self.units, 6), levels=min(self.levels, 2)) if quick else self
        while self.cell == "tcn" and not quick and model.sees() < (length or 0):
            model = replace(model, levels=model.levels + 1)
        return model


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs (N, T, C) and targets (N, …): to train on, to choose the epoch by, and to test."""

    train: tuple[Tensor, Tensor]
    valid: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


def generated(
    name: str,
    draw: Callable[..., tuple[np.ndarray, np.ndarray]],
    sizes: Sequence[int],
    length: int,
) -> Examples:
    """`draw(size, length, seed=…)` for each part; `sizes` are those of the training and the other two parts.

    The data is the same whatever seed a row has.
    """
    parts = []
    for size, part in zip((sizes[0], sizes[1], sizes[1]), ("train", "valid", "test")):
        x, y = draw(size, length, seed=derive_seed(0, name, part))
        parts.append((torch.from_numpy(x), torch.from_numpy(y)))
    return Examples(*parts)


def columns_with(*scores: Column, epoch_decimals: int = 1) -> tuple[Column, ...]:
    """The scores of a benchmark between the number of parameters and what training took."""
    return (
        Column("parameters", "parameters", 0),
        *scores,
        Column("epochs", "epochs", 0),
        Column("best_epoch", "best epoch", 0),
        Column("epoch_seconds", "seconds per epoch", epoch_decimals),
        Column("seconds", "seconds", 0),
    )


@dataclass(frozen=True, eq=False)
class Task:
    """Data and scores of a benchmark.

    batches: one pass over what is trained on. score(module, part) gives the numbers of `valid` or `test`, the monitor,
    of which less is better, among them.
    """

    batches: Iterable[Any]
    valid: Any
    test: Any
    inputs: int
    outputs: int
    loss: Callable[[nn.Module, Any], Tensor]
    score: Callable[[nn.Module, Any], Mapping[str, float]]
    monitor: str
    epochs: int
    last: bool = True
    small_output: bool = False  # the output layer starts as N(0, 0.01²), as in the published program
    schedule: Mapping[str, Any] | None = None


def rows_for(
    models: Mapping[str, Model], settings: StudySettings, key: str, published: Mapping[str, float]
) -> list[Row]:
    """A row per model; published figures where the task is as published, those of the TCN and the LSTM as goals."""
    # Published figures are of one length and the whole data; beside others they would mislead.
    plain = not settings.quick and settings.length is None
    rows = []
    for name, model in models.items():
        figures = {key: published[name]} if plain and name in published else {}
        # A quick run's networks have a few units: under the label of the published size they would be another model.
        label = f"{name}, small" if settings.quick else model.label
        held_to = figures if name.partition("-")[0] in _GOALS else {}
        rows.append(Row(name, label, figures, held_to, extra=model.extra))
    return rows


def run_model(model: Model, task: Task, length: int | None, job: Job) -> Outcome:
    """Train a model on the task; what its best epoch scores on the test part.

    length: steps of a sequence that a TCN should see, None where the published one is taken as it is.
    """
    model = model.suited(length, job.settings.quick)
    network = _network(model, task, job)
    settings = FitSettings(
        epochs=job.settings.epochs or (2 if job.settings.quick else task.epochs),
        optimizer=model.optimizer,
        learning_rate=model.rate,
        clip_norm=model.clip,
        monitor=task.monitor,
        checkpoint_every=200,
        seed=job.derived_seed("training"),
        **(task.schedule or {}),
    )
    history = job.train(
        network,
        task.batches,
        task.loss,
        settings,
        lambda module: task.score(module, task.valid),
        signature={"length": length},
    )
    rows = history.epochs
    curves = {"train": [row.train_loss for row in rows]} | {
        name: [row.valid[name] for row in rows] for name in rows[-1].valid
    }
    # Here alone: whatever is chosen during training is chosen by other sequences.
    network.eval()
    with torch.no_grad():
        scores = task.score(network, task.test)
    notes = _notes(model, history.stopped_early, job, len(rows))
    best = history.best_epoch if settings.keep_best else None
    return Outcome({**scores, "best_epoch": best}, count(network), curves, {}, notes)


def training_picture(results: Results, name: str, heading: str, key: str, words: str, floor: float | None) -> Picture:
    """The score on validation sequences by epoch, beside what a model without memory gets."""
    trained = [(row, outcome) for row, outcome in results.first_outcomes() if outcome.curves]
    styles = styles_for([row.label for row, _ in trained])
    accuracy = key == "accuracy"
    curves = [
        Curve(row.label, range(1, len(outcome.curves[key]) + 1), outcome.curves[key], styles[row.label])
        for row, outcome in trained
    ]
    if floor is not None and curves:
        curves.append(level("without memory", floor, max(len(curve.y) for curve in curves)))
    plot = Plot("epoch", words, curves, log=not accuracy, low=0.0 if accuracy else None, high=1.0 if accuracy else None)
    reading = "Measured on the validation sequences after each epoch; the dashed line is a model without memory."
    return Picture(name, heading, reading, [plot], 1, 560, 280)


def in_parts(module: nn.Module, x: Tensor, size: int = 100) -> Tensor:
    """The module's outputs, `size` sequences at a time."""
    return torch.cat([module(part) for part in x.split(size)])


def _network(model: Model, task: Task, job: Job) -> Reader:
    seed, dropout = job.derived_seed("body"), 0.0
    if model.cell == "tcn":
        body: nn.Module = TCN(task.inputs, [model.units] * model.levels, model.kernel, model.dropout, seed=seed)
    else:
        options = {"between_dropout": model.dropout if model.levels > 1 else 0.0, **dict(model.options)}
        body = CELLS[model.cell](task.inputs, model.units, model.levels, seed=seed, **options)
        dropout = model.dropout
    output = job.derived_seed("output")
    network = Reader(body, model.units, task.outputs, seed=output, last=task.last, dropout=dropout)
    if task.small_output:
        nn.init.normal_(network.output.weight, 0.0, 0.01, generator=torch.Generator().manual_seed(output))
    return network


def _notes(model: Model, stopped: bool, job: Job, epochs: int) -> Sequence[str]:
    clipping = "none" if model.clip is None else f"norm {model.clip:g}, between backward pass and step"
    notes = [f"{model.optimizer}, learning rate {model.rate:g}; clipping {clipping}; dropout {model.dropout:g}."]
    notes += [model.said] if model.said else []
    if model.sized:
        notes.append("no settings are published for it: it has about the size that the paper compares at.")
    if stopped:
        limit = f"the time limit of {job.settings.time_limit:g} minutes"
        notes.append(f"seed {job.seed} stopped after {epochs} {'epoch' if epochs == 1 else 'epochs'}, at {limit}.")
    return notes
