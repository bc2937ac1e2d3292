"""The adding problem at length 600: the sum of two marked numbers among many (Hochreiter and Schmidhuber 1997).

Settings: arXiv 1803.01271. A constant forecast of 1 has a mean squared error of 1/6.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from seqloom_runtime.data.sequences import adding_floor, adding_problem

from .job import Job
from .long_memory import (
    Examples,
    Model,
    Task,
    columns_with,
    generated,
    in_parts,
    rows_for,
    run_model,
    training_picture,
)
from .networks import Passes
from .pictures import Picture
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["MODELS", "STUDY"]

LENGTH, SIZES, QUICK = 600, (50_000, 1_000), {"length": 16, "sizes": (96, 64)}
BATCH, EPOCHS = 32, 20
MODELS = {
    "tcn": Model("TCN, 8 levels of 24, kernel 8", "tcn", 24, 8, 8),
    "lstm": Model("LSTM(130)", "lstm", 130, clip=5.0),
    "gru": Model("GRU(150)", "gru", 150, clip=5.0, sized=True),
    "rnn": Model("SimpleRNN(260)", "rnn", 260, clip=5.0, sized=True),
}
_PUBLISHED = {"tcn": 5.8e-5, "lstm": 0.164, "gru": 5.3e-5, "rnn": 0.177}


def _prepare(settings: StudySettings) -> Prepared:
    length = settings.length or (QUICK["length"] if settings.quick else LENGTH)
    sizes = QUICK["sizes"] if settings.quick else SIZES
    examples = generated("adding", adding_problem, sizes, length)  # x (N, T, 2), y (N)
    return Prepared(examples, {"made": "adding problem", "length": length, "sequences": list(sizes)})


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    floor = Row("one", "constant 1", seeded=False)
    return [floor, *rows_for(MODELS, settings, "mse", _PUBLISHED)]


def _work(row: Row, data: Examples, job: Job) -> Outcome:
    if row.name == "one":
        return Outcome({"mse": float(np.square(data.test[1].double().numpy() - 1).mean())}, 0)

    def loss(module: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        return (module(batch[0])[:, 0] - batch[1]).square().mean()

    def score(module: nn.Module, part: tuple[Tensor, Tensor]) -> dict[str, float]:
        return {"mse": (in_parts(module, part[0])[:, 0] - part[1]).square().mean().item()}

    batches = Passes(*data.train, batch_size=BATCH)
    task = Task(batches, data.valid, data.test, 2, 1, loss, score, "mse", EPOCHS, small_output=True)
    return run_model(MODELS[row.name], task, data.test[0].shape[1], job)


def _draw(results: Results) -> list[Picture]:
    words = "validation MSE"
    return [training_picture(results, "adding", "The adding problem", "mse", words, adding_floor())]


STUDY = Study(
    name="adding",
    title="The adding problem",
    about=(
        "The sum of the two marked numbers among 600; 50,000 training, 1,000 validation and 1,000 test sequences.",
        f"Batches of {BATCH}, {EPOCHS} epochs; the epoch with the lowest validation MSE is scored on the test ones.",
    ),
    columns=columns_with(Column("mse", "test MSE", None)),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    draw=_draw,
    takes=frozenset({"epochs", "length", "time_limit"}),
)
