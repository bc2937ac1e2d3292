"""Sequential MNIST: digits read pixel by pixel, in rows or in one fixed permutation (Le, Jaitly and Hinton 2015).

Settings: arXiv 1803.01271.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from seqloom_runtime.data.sequences import load_mnist
from seqloom_runtime.data.sequences.mnist import MNIST_FILES
from seqloom_runtime.errors import DataError

from .job import Job
from .long_memory import Examples, Model, Task, columns_with, in_parts, rows_for, run_model, training_picture
from .networks import Passes
from .pictures import Picture
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["MODELS", "PERMUTED", "STUDY", "mnist_parts"]

KINDS, STEPS, BATCH, EPOCHS = 10, 784, 64, 20
HELD, AVERAGE, QUICK_SIZES = 5_000, 0.998, (96, 64)
_RMSPROP = {"clip": 1.0, "optimizer": "rmsprop", "rate": 1e-3}
_ALL = (
    "trained on all 60,000 images, as published, at a rate that falls as a cosine; the moving average of the weights "
    "over some 500 steps is scored as it is after the last epoch, which nothing chose: its validation figures are of "
    "images that it was trained on."
)
_TCN = Model("TCN, 8 levels of 25, kernel 7", "tcn", 25, 8, 7, 0.05)
MODELS = {
    "tcn": _TCN,
    "tcn-all": replace(_TCN, label="TCN, all 60,000 images, averaged", extra=True, said=_ALL),
    "lstm": Model("LSTM(130)", "lstm", 130, **_RMSPROP),
    "gru": Model("GRU(150)", "gru", 150, **_RMSPROP, sized=True),
    "rnn": Model("SimpleRNN(255)", "rnn", 255, **_RMSPROP, sized=True),
}
_PERMUTED = {
    **{name: model for name, model in MODELS.items() if not model.extra},
    "lstm": replace(MODELS["lstm"], options=(("forget_bias", 10.0),)),
}
_PUBLISHED = {"tcn": 0.990, "tcn-all": 0.990, "lstm": 0.872, "gru": 0.962, "rnn": 0.215}
_PUBLISHED_PERMUTED = {"tcn": 0.972, "lstm": 0.857, "gru": 0.873, "rnn": 0.253}


def mnist_parts(
    settings: StudySettings, permuted: bool
) -> tuple[list[tuple[np.ndarray, np.ndarray]], dict[str, Any], tuple[str, ...]]:
    """The pixels (N, 784, 1) and digits (N,) of the training, validation and test images, what identifies them, and
    what is to be said of them; raises DataError where the files are not there."""
    if settings.data is not None and not Path(settings.data).is_dir():
        raise DataError(f"data: expected the folder that holds mnist/, got {settings.data}, which is no folder.")
    for file in (file for files in MNIST_FILES.values() for file in files):
        if file.find(settings.data) is None:
            raise DataError(
                f"data: expected a folder with {file.folder}/{file.name}, found none; set SEQLOOM_DATA to one. "
                f"The original: {file.urls[0]}"
            )
    (x, y), test = (load_mnist(part, permuted=permuted, cache=settings.data) for part in ("train", "test"))
    # The last ones: the file is in no order of digits.
    held, size = HELD, len(y) - HELD
    if settings.quick:
        (size, held), test = QUICK_SIZES, (test[0][: QUICK_SIZES[1]], test[1][: QUICK_SIZES[1]])
    parts = [(x[:size], y[:size]), (x[len(x) - held :], y[len(y) - held :]), test]
    notes = (f"The last {held:,} training images choose the epoch; the published figures are of all 60,000.",)
    return parts, {"data": "MNIST", "images": [len(part[1]) for part in parts], "permuted": permuted}, notes


def _prepare(permuted: bool, settings: StudySettings) -> Prepared:
    parts, identity, notes = mnist_parts(settings, permuted)
    train, valid, test = ((torch.from_numpy(x), torch.from_numpy(y)) for x, y in parts)
    return Prepared(Examples(train, valid, test), identity, notes)


def _rows(
    models: Mapping[str, Model], published: Mapping[str, float], settings: StudySettings, prepared: Prepared
) -> list[Row]:
    floor = Row("majority", "majority class", seeded=False)
    return [floor, *rows_for(models, settings, "accuracy", published)]


def _work(models: Mapping[str, Model], row: Row, data: Examples, job: Job) -> Outcome:
    if row.name == "majority":
        most = torch.bincount(data.train[1], minlength=KINDS).argmax()
        return Outcome({"accuracy": float((data.test[1] == most).float().mean())}, 0)

    def loss(module: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        return functional.cross_entropy(module(batch[0]), batch[1])

    def score(module: nn.Module, part: tuple[Tensor, Tensor]) -> dict[str, float]:
        logits, y = in_parts(module, part[0]), part[1]
        right = (logits.argmax(1) == y).float().mean().item()
        return {"loss": functional.cross_entropy(logits, y).item(), "accuracy": right}

    schedule: dict[str, Any] = {"schedule": "step", "schedule_factor": 0.1, "schedule_every": 10}
    train = data.train
    if row.name == "tcn-all":
        # Nothing is held out, so nothing may choose: what validation shows is of images that are trained on.
        train = tuple(torch.cat(parts) for parts in zip(data.train, data.valid, strict=True))
        schedule = {"schedule": "cosine", "average_weights": AVERAGE, "keep_best": False}
    batches = Passes(*train, batch_size=BATCH)
    task = Task(batches, data.valid, data.test, 1, KINDS, loss, score, "loss", EPOCHS, schedule=schedule)
    return run_model(models[row.name], task, STEPS, job)


def _draw(name: str, heading: str, results: Results) -> list[Picture]:
    floor = results.median("majority", "accuracy")
    return [training_picture(results, name, heading, "accuracy", "validation accuracy", floor)]


def _study(name: str, title: str, order: str, models: Mapping[str, Model], published: Mapping[str, float]) -> Study:
    return Study(
        name=name,
        title=title,
        about=(
            f"The digit after 784 pixels {order}; 55,000 training, 5,000 validation and 10,000 test images.",
            f"Batches of {BATCH}, {EPOCHS} epochs; the learning rate is multiplied by 0.1 after every ten. The epoch "
            "with the lowest validation loss is scored on the test images.",
        ),
        columns=columns_with(
            Column("accuracy", "test accuracy", 2, higher_is_better=True, per_cent=True),
            Column("loss", "test loss", 4),
            epoch_decimals=0,
        ),
        prepare=partial(_prepare, name == "permuted-mnist"),
        rows=partial(_rows, models, published),
        work=partial(_work, models),
        draw=partial(_draw, name, title),
        takes=frozenset({"data", "epochs", "time_limit"}),
    )


STUDY = _study("sequential-mnist", "MNIST pixel by pixel", "in rows from the top left", MODELS, _PUBLISHED)
PERMUTED = _study(
    "permuted-mnist", "MNIST pixel by pixel, permuted", "in one fixed random order", _PERMUTED, _PUBLISHED_PERMUTED
)
