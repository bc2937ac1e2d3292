"""The adding problem at length 600: the sum of two marked numbers among many (Hochreiter and Schmidhuber 1997).

Settings: arXiv 1803.01271. Answering 1 throughout has a mean squared error of 1/6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..data.sequences import adding_floor, adding_problem
from ..training import derive_seed
from .job import Job
from .long_memory import Model, Task, in_parts, rows_for, run_model, training_picture
from .pictures import Picture
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["STUDY"]

LENGTH, SIZES, QUICK = 600, (50_000, 1_000), {"length": 16, "sizes": (96, 64)}
GOAL = 1e-3
_MODELS = {
    "tcn": Model("TCN, 8 levels of 24, kernel 8", "tcn", 24, 8, 8, extra=False),
    "lstm": Model("LSTM(130)", "lstm", 130, clip=5.0),
    "gru": Model("GRU(150)", "gru", 150, clip=5.0),
    "rnn": Model("SimpleRNN(260)", "rnn", 260, clip=5.0),
}
_PUBLISHED = {"tcn": 5.8e-5, "lstm": 0.164, "gru": 5.3e-5, "rnn": 0.177}


@dataclass(frozen=True, eq=False)
class Sums:
    """Sequences (N, T, 2) and their sums (N, 1), to train on and to test."""

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


def _prepare(settings: StudySettings) -> Prepared:
    length = settings.length or (QUICK["length"] if settings.quick else LENGTH)
    sizes = QUICK["sizes"] if settings.quick else SIZES
    parts = []
    for size, part in zip(sizes, ("train", "test")):
        x, y = adding_problem(size, length, seed=derive_seed(0, "adding", part))
        parts.append((torch.from_numpy(x), torch.from_numpy(y)[:, None]))
    return Prepared(Sums(*parts), {"made": "adding problem", "length": length, "sequences": list(sizes)})


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    floor = Row("one", "answering 1", seeded=False)
    return [floor, *rows_for(_MODELS, settings, "mse", _PUBLISHED, GOAL)]


def _work(row: Row, data: Sums, job: Job) -> Outcome:
    x, y = data.test
    if row.name == "one":
        return Outcome({"mse": float(np.square(y.double().numpy() - 1).mean())}, 0)

    def loss(module: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        return (module(batch[0]) - batch[1]).square().mean()

    def score(module: nn.Module) -> dict[str, float]:
        return {"mse": (in_parts(module, x) - y).square().mean().item()}

    task = Task(data.train, 2, 1, loss, score, "mse", 32, 10, GOAL, small_output=True)
    return run_model(_MODELS[row.name], task, x.shape[1], job)


def _draw(results: Results) -> list[Picture]:
    words = "mean squared error on test sequences"
    return [training_picture(results, "adding", "The adding problem", "mse", words, adding_floor())]


STUDY = Study(
    name="adding",
    title="The adding problem",
    about=(
        "The sum of the two numbers that are marked among 600 (or --length); 50,000 sequences train, 1,000 test.",
        "Batches of 32, Adam 2e-3. A row ends at a test error of 1e-3, or after --epochs.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("mse", "test MSE", None),
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
