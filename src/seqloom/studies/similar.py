"""Similar sequences: made curves of kinds that training never sees, and MNIST's digits read row by row."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from seqloom_runtime.data.sequences import load_mnist

from ..tasks import SequenceSimilarity
from ..training import derive_seed
from .job import Job
from .pictures import Bars, Picture, Plot
from .results import Results
from .score_charts import scores_and_learning
from .study import Column, Outcome, Prepared, Row, Study, StudySettings, rows_of

__all__ = ["CURVES", "DIGITS", "made_curves"]

_LABELS = {
    "euclidean": "Euclidean distance",
    "triplet": "Siamese GRU, triplet loss",
    "contrastive": "Siamese GRU, contrastive loss",
}
_STEPS, _KINDS, _EACH, _NEW_KINDS, _NEW_EACH = 64, 300, 10, 30, 20
_DIGITS = {"train": 10_000, "valid": 1_000, "test": 2_000}


def made_curves(kinds: int, each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Curves (N, 64, 1) and their kinds (N,): each kind a sum of waves, each curve of it run faster and slower on its
    way, begun elsewhere, of another height, lifted, tilted, and with noise.

    >>> curves, kinds = made_curves(3, 4, seed=0)
    >>> curves.shape, kinds.tolist()
    ((12, 64, 1), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    """
    draw = np.random.default_rng(derive_seed(seed, "curves"))
    at = np.linspace(0, 1, _STEPS)
    curves = []
    for _ in range(kinds):
        waves = draw.normal(size=5) / np.arange(1, 6) ** 0.5
        phases = draw.uniform(0, 2 * np.pi, 5)
        for _ in range(each):
            # Time that rises all the way, by steps that vary smoothly.
            speed = np.exp(0.5 * np.interp(at, np.linspace(0, 1, 5), draw.normal(size=5)))
            time = np.cumsum(speed) / speed.sum() + draw.uniform(-0.1, 0.1)
            own = sum(w * np.sin(2 * np.pi * (k + 1) * time + p) for k, (w, p) in enumerate(zip(waves, phases)))
            own = own * draw.uniform(0.6, 1.6) + draw.normal(0, 0.7) + draw.normal(0, 0.7) * (at - 0.5)
            curves.append(own + 0.15 * draw.standard_normal(_STEPS))
    return np.stack(curves)[:, :, None].astype(np.float32), np.repeat(np.arange(kinds), each)


def _prepare_curves(settings: StudySettings) -> Prepared:
    if settings.quick:
        parts = {name: made_curves(4, 10, seed) for seed, name in enumerate(("train", "valid", "test"))}
    else:
        parts = {
            "train": made_curves(_KINDS, _EACH, 0),
            "valid": made_curves(_NEW_KINDS, 10, 1),
            "test": made_curves(_NEW_KINDS, _NEW_EACH, 2),
        }
    return Prepared(parts, {name: len(x) for name, (x, _) in parts.items()})


def _prepare_digits(settings: StudySettings) -> Prepared:
    sizes = {name: size // (100 if settings.quick else 1) for name, size in _DIGITS.items()}
    x, y = load_mnist("train")
    order = np.random.default_rng(derive_seed(0, "digits")).permutation(len(x))
    train, valid = order[: sizes["train"]], order[sizes["train"] : sizes["train"] + sizes["valid"]]
    rows = x.reshape(len(x), 28, 28)
    parts = {"train": (rows[train], y[train]), "valid": (rows[valid], y[valid])}
    x, y = load_mnist("test")
    parts["test"] = x.reshape(len(x), 28, 28)[: sizes["test"]], y[: sizes["test"]]
    return Prepared(parts, sizes)


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    return rows_of(_LABELS, "recall_at_1", {}, {}, unseeded=("euclidean",))


def _work(epochs: int, row: Row, data: dict[str, Any], job: Job) -> Outcome:
    plain, quick = row.name == "euclidean", job.settings.quick
    model = SequenceSimilarity(
        model="euclidean" if plain else "gru",
        loss="triplet" if plain else row.name,
        margin=1.0 if row.name == "contrastive" else 0.5,
        units=4 if quick else 64,
        embedding_size=4 if quick else 32,
        epochs=job.settings.epochs or (1 if quick else epochs),
        steps_per_epoch=2 if quick else 100,
        seed=job.seed,
    )
    model.fit(*data["train"], valid=data["valid"], **job.checkpoints(kept=not plain))
    scores = dict(model.evaluate(*data["test"]).scores)
    curves = {} if model.history_ is None else {"error": [1 - epoch.valid["auc"] for epoch in model.history_.epochs]}
    return Outcome(scores, model.n_parameters_, curves)


def _say(results: Results) -> Iterator[str]:
    plain = results.median("euclidean", "recall_at_1")
    for name in ("triplet", "contrastive"):
        own = results.median(name, "recall_at_1")
        if own is not None and plain is not None:
            more = f"{100 * (own - plain):+.1f} points"
            yield f"{_LABELS[name]}: recall at 1 {more} against the Euclidean distance."


def _draw(name: str, title: str, results: Results) -> list[Picture]:
    return scores_and_learning(
        results,
        name,
        title,
        Bars("recall at 1", [], [], [], "Share of the test sequences whose nearest is of their kind"),
        Plot("epoch", "1 − AUC of the validation pairs", []),
        keys=("recall_at_1", "error"),
        baseline="euclidean",
    )


def _study(name: str, title: str, about: tuple[str, ...], prepare: Any, epochs: int) -> Study:
    return Study(
        name=name,
        title=title,
        about=about,
        columns=(
            Column("parameters", "parameters", 0),
            Column("recall_at_1", "recall at 1", 1, higher_is_better=True, per_cent=True),
            Column("recall_at_5", "recall at 5", 1, higher_is_better=True, per_cent=True),
            Column("auc", "AUC of pairs", 3, higher_is_better=True),
            Column("seconds", "seconds", 0),
        ),
        prepare=prepare,
        rows=_rows,
        work=partial(_work, epochs),
        say=_say,
        draw=partial(_draw, name, title),
        takes=frozenset({"epochs"}),
    )


CURVES = _study(
    "similar",
    "Curves of kinds that training never sees",
    (
        f"{_KINDS} kinds of curves train, {_EACH} curves of each; the 600 test curves are of {_NEW_KINDS} others. "
        "Curves of one kind differ in pace, start, height, level, tilt and noise.",
    ),
    _prepare_curves,
    15,
)
DIGITS = _study(
    "similar-digits",
    "MNIST digits read row by row",
    ("10,000 training digits, 2,000 test digits, each a sequence of 28 rows; is the nearest other one the same?",),
    _prepare_digits,
    12,
)
