"""Captions of made scenes: one to three MNIST digits and shapes, named from left to right."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seqloom_runtime.data.sequences import read_idx
from seqloom_runtime.errors import DataError

from ..tasks import Captioner
from ..training import derive_seed
from .job import Job
from .made_scenes import scenes
from .pictures import Bars, Picture, Plot
from .places import data_file
from .results import Results
from .score_charts import scores_and_learning
from .study import Column, Outcome, Prepared, Row, Study, StudySettings, rows_of

__all__ = ["STUDY"]

_SIZES, _QUICK = {"train": 20_000, "valid": 500, "test": 2_000}, 250
_LABELS = {
    "nearest": "the most alike training picture's",
    "none": "GRU, no attention",
    "additive": "GRU, additive attention over places",
}
_GOAL = 0.95
_TITLE = "Captions of scenes of digits and shapes"
_ORIGIN = "The originals: https://ossci-datasets.s3.amazonaws.com/mnist/"
_FILES = {
    "train": ("mnist/train-images-idx3-ubyte.gz", "mnist/train-labels-idx1-ubyte.gz"),
    "test": ("mnist/t10k-images-idx3-ubyte.gz", "mnist/t10k-labels-idx1-ubyte.gz"),
}

Pictures = tuple[np.ndarray, list[str]]


def _prepare(settings: StudySettings) -> Prepared:
    digits = {}
    for part, names in _FILES.items():
        paths = [data_file(settings.data, (name,), _ORIGIN) for name in names]
        images, labels = (read_idx(path) for path in paths)
        if images.shape[1:] != (28, 28) or images.dtype != np.uint8 or labels.shape != images.shape[:1]:
            raise DataError(f"{paths[0]}: expected (N, 28, 28) images of bytes with labels, got {images.shape}.")
        digits[part] = images, labels
    divisor = _QUICK if settings.quick else 1
    data: dict[str, Pictures] = {}
    for part, size in _SIZES.items():
        images, labels = digits["test" if part == "test" else "train"]
        data[part] = scenes(images, labels, max(8, size // divisor), seed=derive_seed(0, "scenes", part))
    return Prepared(data, {"made": "scenes of MNIST digits", **{part: len(found[1]) for part, found in data.items()}})


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    goals = {} if settings.quick else {"additive": _GOAL}
    return rows_of(_LABELS, "exact_match", {}, goals, unseeded=("nearest",), extra=("none",))


def _work(row: Row, data: dict[str, Pictures], job: Job) -> Outcome:
    keeps, quick = row.name == "nearest", job.settings.quick
    model = Captioner(
        model="nearest" if keeps else "gru",
        attention="additive" if keeps else row.name,
        channels=(4, 8) if quick else (16, 32, 64),
        units=8 if quick else 96,
        dropout=0.2,
        beams=1,
        epochs=job.settings.epochs or (2 if quick else 10),
        batch_size=16 if quick else 64,
        learning_rate=0.003,
        warmup_steps=0 if quick or job.settings.epochs else 100,
        seed=job.seed,
    )
    model.fit(*data["train"], valid=data["valid"], **job.checkpoints(kept=not keeps))
    found = model.evaluate(*data["test"])
    curves = {}
    if model.history_ is not None:
        curves["wrong"] = [1 - epoch.valid["exact_match"] for epoch in model.history_.epochs]
    scores = {key: found.scores.get(key) for key in ("exact_match", "bleu", "cer")}
    return Outcome(scores, model.n_parameters_, curves)


def _say(results: Results) -> Iterator[str]:
    found, plain = (results.median(row, "exact_match") for row in ("additive", "none"))
    if found is not None and plain is not None:
        yield f"Attention changes the exact match by {100 * (found - plain):+.1f} points."


def _draw(results: Results) -> list[Picture]:
    return scores_and_learning(
        results,
        "captions",
        _TITLE,
        Bars("exact match", [], [], [], "Exact match, test pictures"),
        Plot("epoch", "share of validation captions with an error", []),
        keys=("exact_match", "wrong"),
        baseline="nearest",
    )


STUDY = Study(
    name="captions",
    title=_TITLE,
    about=(
        "20,000 training pictures of 40 × 72 pixels: one to three MNIST digits and shapes, named from left to right as "
        "in 'a three, a circle and a seven'. The 2,000 test pictures show digits of MNIST's test images.",
        "Exact match is the share of captions that are right in every word.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("exact_match", "exact match", 2, higher_is_better=True, per_cent=True),
        Column("bleu", "BLEU", 1, higher_is_better=True),
        Column("cer", "character error rate", 2, per_cent=True),
        Column("seconds", "seconds", 0),
    ),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    say=_say,
    draw=_draw,
    takes=frozenset({"data", "epochs"}),
)
