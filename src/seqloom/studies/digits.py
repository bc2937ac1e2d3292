"""LeNet-5 on the digits of MNIST, looked at as pictures (LeCun et al. 1998), beside the same rows read by a GRU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..tasks import PictureClassifier
from .job import Job
from .pictures import Bars, Picture, Plot
from .results import Results
from .score_charts import scores_and_learning
from .sequential_mnist import mnist_parts
from .study import Column, Outcome, Prepared, Row, Study, StudySettings, rows_of

__all__ = ["STUDY"]

_SIDE, _GOAL = 28, 0.985
_LABELS = {
    "majority": "majority class",
    "gru": "GRU(64), row by row",
    "lenet": "LeNet-5",
    "lenet-shifted": "LeNet-5, shifted by up to 2 pixels",
}
_OWN: dict[str, dict[str, Any]] = {
    "majority": {"model": "majority"},
    "gru": {"model": "gru", "units": 64, "epochs": 6},
    "lenet": {"model": "lenet", "epochs": 10},
    "lenet-shifted": {"model": "lenet", "epochs": 14, "shift": 2},
}
# Figure 9 of the paper: the errors of 0.95 % and, with distorted digits in training, 0.8 %.
_PUBLISHED = {"lenet": 0.9905, "lenet-shifted": 0.992}


@dataclass(frozen=True)
class _Digits:
    """Pictures (N, 28, 28) float32 and their digits (N,) of each part."""

    train: tuple[np.ndarray, np.ndarray]
    valid: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def _prepare(settings: StudySettings) -> Prepared:
    parts, identity, notes = mnist_parts(settings, permuted=False)
    train, valid, test = ((x.reshape(-1, _SIDE, _SIDE), y) for x, y in parts)
    return Prepared(_Digits(train, valid, test), identity, notes)


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    published = {} if settings.quick else _PUBLISHED
    goals = {} if settings.quick else {"lenet": _GOAL}
    return rows_of(_LABELS, "accuracy", published, goals, unseeded=("majority",))


def _work(row: Row, data: _Digits, job: Job) -> Outcome:
    own = dict(_OWN[row.name])
    epochs = own.pop("epochs", 1)
    model = PictureClassifier(
        # The pixels are standardised already, by the figures that are usual for MNIST.
        **{"scaling": "none", **own},
        epochs=job.settings.epochs or (1 if job.settings.quick else epochs),
        batch_size=64,
        learning_rate=0.002,
        schedule="cosine",
        seed=job.seed,
    )
    trained = row.name != "majority"
    model.fit(*data.train, valid=data.valid, **job.checkpoints(kept=trained))
    found = model.evaluate(*data.test).scores
    scores = {name: found[name] for name in ("accuracy", "log_loss")}
    curves = {"wrong": [1 - epoch.valid["accuracy"] for epoch in model.history_.epochs]} if trained else {}
    return Outcome(scores, model.n_parameters_, curves)


def _say(results: Results) -> Iterator[str]:
    plain, shifted = (results.median(row, "accuracy") for row in ("lenet", "lenet-shifted"))
    if plain is not None and shifted is not None:
        yield f"Shifting the training digits changes the accuracy by {100 * (shifted - plain):+.2f} points."


def _draw(results: Results) -> list[Picture]:
    return scores_and_learning(
        results,
        "lenet",
        "Digits as pictures",
        Bars("accuracy", [], [], [], "Accuracy, 10,000 test digits"),
        Plot("epoch", "share of validation digits with an error", []),
        keys=("accuracy", "wrong"),
        baseline="majority",
    )


STUDY = Study(
    name="lenet",
    title="The digits of MNIST as pictures",
    about=(
        "The digit on a picture of 28 by 28 pixels; 55,000 training, 5,000 validation and 10,000 test digits.",
        "LeNet-5 has 61,706 weights: every map is connected to every one, and the output is linear with a softmax. The "
        "published figures are of its first form, on all 60,000 training digits, with distortions of several kinds.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("accuracy", "test accuracy", 2, higher_is_better=True, per_cent=True),
        Column("log_loss", "test loss", 4),
        Column("seconds", "seconds", 0),
    ),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    say=_say,
    draw=_draw,
    takes=frozenset({"data", "epochs"}),
)
