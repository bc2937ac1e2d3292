"""The next frames of made films: MNIST digits that bounce off the walls, and rain as a radar sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from seqloom_runtime.data.sequences import read_idx
from seqloom_runtime.errors import DataError

from ..tasks import FramePredictor
from ..tasks.frames.network import NETWORKS
from ..training import derive_seed
from .job import Job
from .made_films import moving_digits, rain
from .pictures import Bars, Picture, Plot
from .places import data_file
from .results import Results
from .score_charts import scores_and_learning
from .study import Column, Outcome, Prepared, Row, Study, StudySettings, rows_of

__all__ = ["MOVING_DIGITS", "RAIN"]

_SIZES, _QUICK = {"train": 2_000, "valid": 100, "test": 500}, 100
_LABELS = {
    "persistence": "the last frame again",
    "advection": "advection",
    "conv-gru": "ConvGRU",
    "conv-lstm": "ConvLSTM",
}
_BASELINES = ("persistence", "advection")
_LOOKBACK = 6
_ORIGIN = "The originals: https://ossci-datasets.s3.amazonaws.com/mnist/"
_IMAGES = {"train": "mnist/train-images-idx3-ubyte.gz", "test": "mnist/t10k-images-idx3-ubyte.gz"}


@dataclass(frozen=True)
class _Task:
    """What is made and how it is trained. steps: frames ahead by the column of their error. beside: the baseline whose
    error at `counted` frames ahead the goal is a share of."""

    make: Callable[[Mapping[str, int], StudySettings], dict[str, np.ndarray]]
    horizon: int
    steps: Mapping[str, int]
    beside: str
    counted: int
    goal: float
    error: str
    epochs: int


def _digits(sizes: Mapping[str, int], settings: StudySettings) -> dict[str, np.ndarray]:
    """Films of digits; those of the test are of MNIST's test images."""
    images = {}
    for part, name in _IMAGES.items():
        path = data_file(settings.data, (name,), _ORIGIN)
        images[part] = read_idx(path)
        if images[part].ndim != 3 or images[part].shape[1:] != (28, 28) or images[part].dtype != np.uint8:
            raise DataError(f"{path}: expected (N, 28, 28) images of bytes, got {images[part].shape}.")
    return {
        part: moving_digits(
            images["test" if part == "test" else "train"], size, 10, seed=derive_seed(0, "digits", part)
        )
        for part, size in sizes.items()
    }


def _radar(sizes: Mapping[str, int], settings: StudySettings) -> dict[str, np.ndarray]:
    return {part: rain(size, 12, seed=derive_seed(0, "rain", part)) for part, size in sizes.items()}


_TASKS = {
    "moving-digits": _Task(_digits, 4, {"next": 1, "fourth": 4}, "persistence", 1, 0.5, "mse", 8),
    "rain": _Task(_radar, 6, {"ten": 1, "thirty": 3, "sixty": 6}, "advection", 3, 1.0, "rmse", 8),
}


def _prepare(name: str, settings: StudySettings) -> Prepared:
    divisor = _QUICK if settings.quick else 1
    sizes = {part: max(6, size // divisor) for part, size in _SIZES.items()}
    data = _TASKS[name].make(sizes, settings)
    return Prepared(data, {"made": name, **{part: list(films.shape) for part, films in data.items()}})


def _rows(name: str, settings: StudySettings, prepared: Prepared) -> list[Row]:
    goal: dict[str, float] = {}
    if not settings.quick:
        goal = dict.fromkeys(NETWORKS, _TASKS[name].goal)
    return rows_of(_LABELS, "share", {}, goal, unseeded=_BASELINES, extra=("conv-lstm",))


def _work(name: str, row: Row, data: dict[str, np.ndarray], job: Job) -> Outcome:
    task, quick = _TASKS[name], job.settings.quick
    model = _model(row.name, task.horizon)
    model.set_params(
        units=6 if quick else 32,
        epochs=job.settings.epochs or (2 if quick else task.epochs),
        learning_rate=0.003,
        warmup_steps=0 if quick or job.settings.epochs else 50,
        seed=job.seed,
    )
    model.fit(data["train"], valid=data["valid"], **job.checkpoints(kept=row.name not in _BASELINES))
    beside = _model(task.beside, task.horizon).fit(data["train"], valid=data["valid"])
    errors, theirs = _by_frame(model, data["test"]), _by_frame(beside, data["test"])
    power = 2 if task.error == "mse" else 1
    scores = {key: errors[step - 1] for key, step in task.steps.items()}
    scores["share"] = (errors[task.counted - 1] / theirs[task.counted - 1]) ** power
    curves = {}
    if model.history_ is not None:
        curves["rmse"] = [epoch.valid["rmse"] for epoch in model.history_.epochs]
    return Outcome(scores, model.n_parameters_, curves)


def _model(name: str, horizon: int) -> FramePredictor:
    return FramePredictor(model=name, lookback=_LOOKBACK, horizon=horizon, reach=3)


def _by_frame(model: FramePredictor, films: np.ndarray) -> list[float]:
    """The root mean squared error of each frame ahead."""
    return [row[1] for row in model.evaluate(films).details["tables"][0]["rows"]]


def _say(name: str, results: Results) -> Iterator[str]:
    task = _TASKS[name]
    what = "mean squared error" if task.error == "mse" else "error"
    where = {"next": "of the next frame", "thirty": "at 30 minutes"}[
        next(key for key, step in task.steps.items() if step == task.counted)
    ]
    for row in NETWORKS:
        share = results.median(row, "share")
        if share is not None:
            yield f"{_LABELS[row]}: the {what} {where} is {share:.2f} times that of {task.beside}."


def _draw(name: str, title: str, results: Results) -> list[Picture]:
    key = next(key for key, step in _TASKS[name].steps.items() if step == _TASKS[name].counted)
    return scores_and_learning(
        results,
        name,
        title,
        Bars("RMSE", [], [], [], "RMSE on test films"),
        Plot("epoch", "RMSE on validation films", []),
        keys=(key, "rmse"),
        baseline="persistence",
    )


def _study(name: str, title: str, about: tuple[str, ...], takes: frozenset[str], **columns: Any) -> Study:
    share = {"moving-digits": "MSE / persistence's", "rain": "at 30 min / advection's"}[name]
    return Study(
        name=name,
        title=title,
        about=about,
        columns=(
            Column("parameters", "parameters", 0),
            *(Column(key, heading, 3) for key, heading in columns.items()),
            Column("share", share, 3),
            Column("seconds", "seconds", 0),
        ),
        prepare=partial(_prepare, name),
        rows=partial(_rows, name),
        work=partial(_work, name),
        say=partial(_say, name),
        draw=partial(_draw, name, title),
        takes=takes,
    )


MOVING_DIGITS = _study(
    "moving-digits",
    "The next frames of two digits that bounce off the walls",
    (
        "2,000 training films of ten frames of 32 × 32 pixels: two MNIST digits of 14 × 14, 1 to 3 pixels a frame; six "
        "frames are seen, four predicted. The 500 test films show digits of MNIST's test images.",
        "Root mean squared errors of brightness, 0 to 255; the share is of mean squared errors of the next frame.",
    ),
    frozenset({"data", "epochs"}),
    next="RMSE, next frame",
    fourth="RMSE, fourth frame",
)
RAIN = _study(
    "rain",
    "Rain on a radar, up to an hour ahead",
    (
        "2,000 training films of made radar images, 32 × 32 pixels, one every ten minutes: showers that a turning wind "
        "carries, that grow and fade, and rain harder over hills. An hour is seen, the next one predicted.",
        "Root mean squared errors in mm/h; the share is of those at 30 minutes.",
    ),
    frozenset({"epochs"}),
    ten="RMSE, 10 min",
    thirty="RMSE, 30 min",
    sixty="RMSE, 60 min",
)
