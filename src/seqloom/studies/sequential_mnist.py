"""Sequential MNIST: digits read pixel by pixel, in rows or in one fixed permutation (Le, Jaitly and Hinton 2015).

Settings: arXiv 1803.01271. One epoch by default; the published figures took twenty or more.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..data.sequences import load_mnist, pixel_order
from ..data.sequences.mnist import MNIST_FILES
from ..errors import DataError
from .job import Job
from .long_memory import Examples, Model, Task, columns_with, in_parts, rows_for, run_model, training_picture
from .pictures import Picture
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["STUDY"]

KINDS, STEPS, QUICK_SIZES = 10, 784, (96, 64)
_ADAM = {"cell": "tcn", "units": 25, "levels": 8, "kernel": 7, "dropout": 0.05}
_RMSPROP = {"clip": 1.0, "optimizer": "rmsprop", "rate": 1e-3}
_MODELS = {
    "tcn": Model("TCN, 8 levels of 25, kernel 7", **_ADAM, extra=False),
    "tcn-permuted": Model("TCN, permuted pixels", **_ADAM),
    "lstm": Model("LSTM(130)", "lstm", 130, **_RMSPROP),
    "lstm-permuted": Model("LSTM(130), permuted pixels", "lstm", 130, **_RMSPROP, options=(("forget_bias", 10.0),)),
    "gru": Model("GRU(150)", "gru", 150, **_RMSPROP),
    "rnn": Model("SimpleRNN(255)", "rnn", 255, **_RMSPROP),
}
_PUBLISHED = {"tcn": 0.990, "tcn-permuted": 0.972, "lstm": 0.872, "lstm-permuted": 0.857, "gru": 0.962, "rnn": 0.215}


def _prepare(settings: StudySettings) -> Prepared:
    if settings.data is not None and not Path(settings.data).is_dir():
        raise DataError(f"data: expected the folder that holds mnist/, got {settings.data}, which is no folder.")
    for file in (file for files in MNIST_FILES.values() for file in files):
        if file.find(settings.data) is None:
            raise DataError(
                f"data: expected a folder with {file.folder}/{file.name}, found none; set SEQLOOM_DATA to one. "
                f"The original: {file.urls[0]}"
            )
    parts, sizes = [], QUICK_SIZES if settings.quick else (None, None)
    for part, size in zip(("train", "test"), sizes):
        x, y = load_mnist(part, cache=settings.data)
        parts.append((torch.from_numpy(x[:size]), torch.from_numpy(y[:size])))
    return Prepared(Examples(*parts), {"data": "MNIST", "images": [len(y) for _, y in parts]})


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    floor = Row("majority", "majority class", seeded=False)
    return [floor, *rows_for(_MODELS, settings, "accuracy", _PUBLISHED)]


def _work(row: Row, data: Examples, job: Job) -> Outcome:
    if row.name == "majority":
        most = torch.bincount(data.train[1], minlength=KINDS).argmax()
        return Outcome({"accuracy": float((data.test[1] == most).float().mean())}, 0)
    order = torch.from_numpy(pixel_order()) if row.name.endswith("-permuted") else torch.arange(STEPS)
    x, y = data.test[0][:, order], data.test[1]

    def loss(module: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        return functional.cross_entropy(module(batch[0][:, order]), batch[1])

    def score(module: nn.Module) -> dict[str, float]:
        logits = in_parts(module, x)
        right = (logits.argmax(1) == y).float().mean().item()
        return {"loss": functional.cross_entropy(logits, y).item(), "accuracy": right}

    schedule = {"schedule": "step", "schedule_factor": 0.1, "schedule_every": 10}
    task = Task(data.train, 1, KINDS, loss, score, "loss", 64, 1, schedule=schedule)
    return run_model(_MODELS[row.name], task, STEPS, job)


def _draw(results: Results) -> list[Picture]:
    floor = results.median("majority", "accuracy")
    words = "test accuracy"
    return [training_picture(results, "sequential-mnist", "MNIST pixel by pixel", "accuracy", words, floor)]


STUDY = Study(
    name="sequential-mnist",
    title="MNIST pixel by pixel",
    about=(
        "The digit after 784 pixels; 60,000 training and 10,000 test images, batches of 64, Adam 2e-3.",
        "One epoch by default; the learning rate is multiplied by 0.1 after every ten.",
    ),
    columns=columns_with(
        Column("accuracy", "test accuracy", 2, higher_is_better=True, per_cent=True),
        Column("loss", "test loss", 4),
        epoch_decimals=0,
    ),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    draw=_draw,
    takes=frozenset({"data", "epochs", "time_limit"}),
)
