"""The copy memory task at delay 1,000: repeat ten digits after a long wait (Arjovsky, Shah and Bengio 2016).

Settings: arXiv 1803.01271, with dropout .05 and clipping to 1. The published program clipped before the backward pass,
which does nothing, and dropped nothing: the row `tcn-unclipped` does as it did. A model without memory has the
cross-entropy 10·ln 8 / (T + 20), .0204 at T = 1,000, over all T + 20 positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..data.sequences import copy_floor, copy_memory
from ..training import derive_seed
from .job import Job
from .long_memory import Model, Task, in_parts, rows_for, run_model, training_picture
from .pictures import Picture
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["STUDY"]

DELAY, SIZES, QUICK = 1000, (10_000, 1_000), {"length": 8, "sizes": (96, 64)}
GOAL, KINDS, DIGITS = 1e-3, 10, 10
_RMSPROP = {"optimizer": "rmsprop", "rate": 5e-4}
_MODELS = {
    "tcn": Model("TCN, 8 levels of 10, kernel 8", "tcn", 10, 8, 8, 0.05, 1.0, **_RMSPROP, extra=False),
    "tcn-unclipped": Model("TCN, unclipped, no dropout", "tcn", 10, 8, 8, **_RMSPROP, extra=False),
    "lstm": Model("LSTM(50)", "lstm", 50, clip=1.0, **_RMSPROP),
    "gru": Model("GRU(70)", "gru", 70, clip=1.0, **_RMSPROP),
    "rnn": Model("SimpleRNN(120)", "rnn", 120, clip=1.0, **_RMSPROP),
}
_PUBLISHED = {"tcn": 3.5e-5, "lstm": 0.0204, "gru": 0.0197, "rnn": 0.0202}


@dataclass(frozen=True, eq=False)
class Copies:
    """Sequences (N, T + 20, 1) and their labels (N, T + 20), to train on and to test."""

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    delay: int


def _prepare(settings: StudySettings) -> Prepared:
    delay = settings.length or (QUICK["length"] if settings.quick else DELAY)
    sizes = QUICK["sizes"] if settings.quick else SIZES
    parts = []
    for size, part in zip(sizes, ("train", "test")):
        x, y = copy_memory(size, delay, seed=derive_seed(0, "copy-memory", part))
        parts.append((torch.from_numpy(x), torch.from_numpy(y)))
    identity = {"made": "copy memory", "delay": delay, "sequences": list(sizes)}
    return Prepared(Copies(parts[0], parts[1], delay), identity)


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    floor = Row("guess", "guessing the digits", seeded=False)
    return [floor, *rows_for(_MODELS, settings, "loss", _PUBLISHED, GOAL)]


def _work(row: Row, data: Copies, job: Job) -> Outcome:
    if row.name == "guess":
        return Outcome({"loss": copy_floor(data.delay), "digits": 1 / 8}, 0)
    x, y = data.test

    def loss(module: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        return functional.cross_entropy(module(batch[0]).flatten(0, 1), batch[1].flatten())

    def score(module: nn.Module) -> dict[str, float]:
        logits = in_parts(module, x)
        right = (logits[:, -DIGITS:].argmax(2) == y[:, -DIGITS:]).float().mean().item()
        return {"loss": functional.cross_entropy(logits.flatten(0, 1), y.flatten()).item(), "digits": right}

    task = Task(data.train, 1, KINDS, loss, score, "loss", 32, 200, GOAL, last=False, small_output=True)
    return run_model(_MODELS[row.name], task, data.delay + 2 * DIGITS, job)


def _draw(results: Results) -> list[Picture]:
    words, floor = "cross-entropy on test sequences", copy_floor(results.data.delay)
    return [training_picture(results, "copy-memory", "The copy memory task", "loss", words, floor)]


STUDY = Study(
    name="copy-memory",
    title="The copy memory task",
    about=(
        "Repeat ten digits after 1,000 steps (or --length); 10,000 sequences train, 1,000 test.",
        "Batches of 32, RMSprop 5e-4; cross-entropy over all positions. A row ends at 1e-3, or after --epochs.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("loss", "test loss", None),
        Column("digits", "digits right", 1, higher_is_better=True, per_cent=True),
        Column("epochs", "epochs", 0),
        Column("epoch_seconds", "seconds per epoch", 1),
        Column("seconds", "seconds", 0),
    ),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    draw=_draw,
    takes=frozenset({"epochs", "length", "time_limit"}),
)
