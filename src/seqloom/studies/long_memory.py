"""What the long-memory benchmarks share: the published models and their settings, training, table and charts.

Settings: Bai, Kolter and Koltun, arXiv 1803.01271, tables 2 and 3. A run ends at the task's goal, or after as many
epochs as it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..nn import TCN
from ..training import FitSettings, derive_seed
from .job import Job
from .networks import CELLS, Passes, Reader, count
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


@dataclass(frozen=True)
class Model:
    """A published model: for a TCN units per level, levels and kernel, for a recurrent one units of its one layer.

    clip: the norm that the gradient is clipped to, after the backward pass and before the step; None for no clipping.
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
    extra: bool = True

    def sees(self) -> int:
        """The receptive field of a TCN: 1 + 2(K − 1)(2^n − 1)."""
        # Two convolutions a level, with dilations 1, 2, 4, …, which sum to 2^n − 1.
        return 1 + 2 * (self.kernel - 1) * (2**self.levels - 1)

    def suited(self, length: int, quick: bool) -> Model:
        """A small model where it should be quick; a TCN with more levels where it would not see `length` steps."""
        model = replace(self, units=min(self.units, 6), levels=min(self.levels, 2)) if quick else self
        while self.cell == "tcn" and not quick and model.sees() < length:
            model = replace(model, levels=model.levels + 1)
        return model


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs (N, T, C) and targets (N, …), to train on and to test."""

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


def generated(
    name: str,
    draw: Callable[..., tuple[np.ndarray, np.ndarray]],
    sizes: Sequence[int],
    length: int,
) -> Examples:
    """`draw(size, length, seed=…)` for the training and the test part; the data is the same whatever seed a row has."""
    parts = []
    for size, part in zip(sizes, ("train", "test")):
        x, y = draw(size, length, seed=derive_seed(0, name, part))
        parts.append((torch.from_numpy(x), torch.from_numpy(y)))
    return Examples(*parts)


def columns_with(*scores: Column, epoch_decimals: int = 1) -> tuple[Column, ...]:
    """The scores of a benchmark between the number of parameters and what training took."""
    return (
        Column("parameters", "parameters", 0),
        *scores,
        Column("epochs", "epochs", 0),
        Column("epoch_seconds", "seconds per epoch", epoch_decimals),
        Column("seconds", "seconds", 0),
    )


@dataclass(frozen=True, eq=False)
class Task:
    """Data and scores of a benchmark. `score(module)` gives the numbers of the test part, the monitor among them."""

    train: tuple[Tensor, ...]
    inputs: int
    outputs: int
    loss: Callable[[nn.Module, tuple[Tensor, ...]], Tensor]
    score: Callable[[nn.Module], Mapping[str, float]]
    monitor: str
    batch_size: int
    epochs: int
    goal: float | None = None
    last: bool = True
    small_output: bool = False  # the output layer starts as N(0, 0.01²), as in the published program
    schedule: Mapping[str, Any] | None = None


def rows_for(
    models: Mapping[str, Model],
    settings: StudySettings,
    key: str,
    published: Mapping[str, float],
    goal: float | None = None,
) -> list[Row]:
    """A row per model; published figures where the task is as published."""
    # Published figures are of one length and the whole data; beside others they would mislead.
    plain = not settings.quick and settings.length is None
    rows = []
    for name, model in models.items():
        goals = {key: goal} if goal is not None and model.cell == "tcn" else {}
        figures = {key: published[name]} if plain and name in published else {}
        rows.append(Row(name, model.label, figures, goals, extra=model.extra))
    return rows


def run_model(model: Model, task: Task, length: int, job: Job) -> Outcome:
    """Train a model on the task, and what it scores after its last epoch."""
    model = model.suited(length, job.settings.quick)
    network = _network(model, task, job)
    asked = job.settings.epochs
    settings = FitSettings(
        epochs=asked or (2 if job.settings.quick else task.epochs),
        optimizer=model.optimizer,
        learning_rate=model.rate,
        clip_norm=model.clip,
        # The published programs score after the last epoch; choosing the best one here would choose it on test
        # sequences.
        keep_best=False,
        monitor=task.monitor,
        checkpoint_every=200,
        seed=job.derived_seed("training"),
        **(task.schedule or {}),
    )
    history = job.train(
        network,
        Passes(*task.train, batch_size=task.batch_size),
        task.loss,
        settings,
        task.score,
        # Whoever asks for a number of epochs wants that many, for a curve or a comparison of times.
        goal=task.goal if asked is None else None,
        signature={"length": length},
    )
    rows = history.epochs
    curves = {"train": [row.train_loss for row in rows]} | {
        name: [row.valid[name] for row in rows] for name in rows[-1].valid
    }
    return Outcome(rows[-1].valid, count(network), curves, {}, _notes(model, history.stopped_early, job, len(rows)))


def training_picture(results: Results, name: str, heading: str, key: str, words: str, floor: float | None) -> Picture:
    """The score on test sequences by epoch, beside what a model without memory gets."""
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
    reading = "Measured on the test sequences after each epoch; the dashed line is a model without memory."
    return Picture(name, heading, reading, [plot], 1, 560, 280)


def in_parts(module: nn.Module, x: Tensor, size: int = 100) -> Tensor:
    """The module's outputs, `size` sequences at a time."""
    return torch.cat([module(part) for part in x.split(size)])


def _network(model: Model, task: Task, job: Job) -> Reader:
    seed = job.derived_seed("body")
    if model.cell == "tcn":
        body: nn.Module = TCN(task.inputs, [model.units] * model.levels, model.kernel, model.dropout, seed=seed)
    else:
        body = CELLS[model.cell](task.inputs, model.units, seed=seed, **dict(model.options))
    network = Reader(body, model.units, task.outputs, seed=job.derived_seed("output"), last=task.last)
    if task.small_output:
        random = torch.Generator().manual_seed(job.derived_seed("output"))
        nn.init.normal_(network.output.weight, 0.0, 0.01, generator=random)
    return network


def _notes(model: Model, stopped: bool, job: Job, epochs: int) -> Sequence[str]:
    clipping = "none" if model.clip is None else f"norm {model.clip}, between backward pass and step"
    notes = [f"gradient clipping: {clipping}; dropout {model.dropout:g}."]
    if stopped:
        reason = f"the time limit of {job.settings.time_limit:g} minutes" if job.out_of_time() else "the goal"
        notes.append(f"seed {job.seed} stopped after {epochs} {'epoch' if epochs == 1 else 'epochs'}, at {reason}.")
    return notes
