"""RNN, GRU and LSTM on one task: parameters, seconds per epoch, accuracy, in one chart.

The task is the adding problem asked as a question: of `length` numbers drawn from [0, 1] two are marked, one in each
half; do they sum to more than 1? The answer can be given only by keeping the first marked number until the second has
come. The majority class has an accuracy of about 0.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from seqloom_runtime.errors import SettingError
from seqloom_runtime.limits import need_memory

from ..training import FitSettings, derive_seed
from .job import Job
from .networks import CELLS, Passes, Reader, count
from .pictures import Bars, Picture, Plot, curve_of, level, styles_for
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["STUDY", "Questions", "questions"]

LENGTH, TRAIN, TEST, EPOCHS, BATCH = 60, 10_000, 2_000, 40, 100
QUICK = {"length": 12, "train": 400, "test": 200, "epochs": 2}
# row: cell, units. The last has about as many parameters as the LSTM.
_CELLS = {"rnn": ("rnn", 32), "gru": ("gru", 32), "lstm": ("lstm", 32), "rnn-large": ("rnn", 66)}
_LABELS = {"rnn": "SimpleRNN(32)", "gru": "GRU(32)", "lstm": "LSTM(32)", "rnn-large": "SimpleRNN(66)"}


@dataclass(frozen=True, eq=False)
class Questions:
    """x (N, T, 2): numbers and marks; y (N, 1): 1 where the marked numbers sum to more than 1."""

    x: Tensor
    y: Tensor


def questions(count: int, length: int, seed: int) -> Questions:
    """Draw questions of `length` steps; marks are one in each half.

    >>> made = questions(50, 10, seed=1)
    >>> sums = (made.x[..., 0] * made.x[..., 1]).sum(1)
    >>> bool(((sums > 1) == (made.y[:, 0] > 0)).all()), made.x[..., 1].sum(1).unique().tolist()
    (True, [2.0])
    """
    random = torch.Generator().manual_seed(seed)
    if length < 2:
        raise SettingError(f"length: expected at least 2 steps, one in each half to be marked, got {length}.")
    need_memory(12 * count * length, f"length: {count:,} questions of {length:,} steps", "Choose a shorter one.")
    values = torch.rand(count, length, generator=random)
    # One mark in each half, so that the distance between them is long on average.
    half = length // 2
    first = torch.randint(half, (count,), generator=random)
    second = torch.randint(half, length, (count,), generator=random)
    marks = torch.zeros(count, length)
    rows = torch.arange(count)
    marks[rows, first] = marks[rows, second] = 1.0
    answer = (values[rows, first] + values[rows, second] > 1).float()
    return Questions(torch.stack([values, marks], dim=2), answer[:, None])


def _prepare(settings: StudySettings) -> Prepared:
    length = settings.length or (QUICK["length"] if settings.quick else LENGTH)
    sizes = (QUICK["train"], QUICK["test"]) if settings.quick else (TRAIN, TEST)
    parts = [questions(size, length, derive_seed(0, "compare-cells", part)) for size, part in zip(sizes, ("a", "b"))]
    return Prepared(parts, {"length": length, "train": sizes[0], "test": sizes[1]})


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    return [Row("majority", "majority class", seeded=False), *(Row(name, _LABELS[name]) for name in _CELLS)]


def _work(row: Row, data: list[Questions], job: Job) -> Outcome:
    train, test = data
    if row.name == "majority":
        answer = float(train.y.mean() > 0.5)
        return Outcome({"accuracy": float((test.y == answer).float().mean())}, 0)
    cell, units = _CELLS[row.name]
    body = CELLS[cell](2, units, seed=job.derived_seed("body"))
    network = Reader(body, units, 1, seed=job.derived_seed("output"))
    settings = FitSettings(
        epochs=job.settings.epochs or (QUICK["epochs"] if job.settings.quick else EPOCHS),
        learning_rate=3e-3,
        clip_norm=1.0,
        keep_best=False,
        seed=job.derived_seed("training"),
    )

    def validate(module: Reader) -> dict[str, float]:
        logits = torch.cat([module(x) for x in test.x.split(500)])
        right = (logits > 0) == (test.y > 0.5)
        loss = functional.binary_cross_entropy_with_logits(logits, test.y)
        return {"loss": loss.item(), "accuracy": right.float().mean().item()}

    history = job.train(
        network,
        Passes(train.x, train.y, batch_size=BATCH),
        lambda module, batch: functional.binary_cross_entropy_with_logits(module(batch[0]), batch[1]),
        settings,
        validate,
    )
    curves = {
        "accuracy": [epoch.valid["accuracy"] for epoch in history.epochs],
        "loss": [epoch.valid["loss"] for epoch in history.epochs],
        "train_loss": [epoch.train_loss for epoch in history.epochs],
    }
    scores = {"accuracy": curves["accuracy"][-1], "best_accuracy": max(curves["accuracy"])}
    return Outcome(scores, count(network), curves)


def _say(results: Results) -> Iterator[str]:
    floor = results.median("majority", "accuracy")
    for row, _ in results.done():
        accuracy = results.median(row, "accuracy")
        if row.name != "majority" and accuracy is not None and floor is not None and accuracy < floor + 0.05:
            yield f"{row.label} is no better than the majority class: it has not learned to remember a number so long."


def _draw(results: Results) -> list[Picture]:
    cells = results.first_outcomes("majority")
    if not cells:
        return []
    labels = [row.label for row, _ in cells]
    styles = styles_for(labels)
    colours = [styles[label].colour for label in labels]
    curves = [curve_of(row.label, outcome.curves["accuracy"], styles[row.label]) for row, outcome in cells]
    last = max(len(curve.y) for curve in curves)
    floor = results.median("majority", "accuracy")
    curves += [] if floor is None else [level("majority class", floor, last)]
    seconds = [results.median(row, "epoch_seconds") for row, _ in cells]
    picture = Picture(
        "compare-cells",
        "RNN, GRU and LSTM on one task",
        "Test accuracy by epoch, seconds per epoch and number of parameters.",
        [
            Plot("epoch", "test accuracy", curves, low=0.4, high=1.0),
            Bars("seconds per epoch", labels, seconds, colours, "Seconds per epoch"),
            Bars("parameters", labels, [outcome.parameters for _, outcome in cells], colours, "Parameters"),
        ],
        columns=3,
        width=320,
    )
    return [picture]


STUDY = Study(
    name="compare-cells",
    title="RNN, GRU and LSTM on one task",
    about=(
        "Two numbers of a sequence are marked, one in each half: do they sum to more than 1?",
        "The first has to be remembered until the second comes; half of the answers are yes.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("epoch_seconds", "seconds per epoch", 2),
        Column("accuracy", "test accuracy", 1, higher_is_better=True, per_cent=True),
        Column("best_accuracy", "best epoch's test accuracy", 1, higher_is_better=True, per_cent=True),
        Column("seconds", "seconds", 1),
    ),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    say=_say,
    draw=_draw,
    takes=frozenset({"epochs", "length", "time_limit"}),
)
