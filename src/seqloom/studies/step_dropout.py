"""Dropout of the recurrent state drawn anew at every step, against one mask per sequence, against none.

Gal & Ghahramani (arXiv 1512.05287): noise that changes from step to step adds up over a sequence and drowns what was to
be remembered; one mask for the whole sequence trains a thinned network that can remember. Either mask stands on the
state's way into the recurrent product, as `recurrent_dropout` has it. The task is that of `compare-cells`: do two
marked numbers, one in each half, sum to more than 1?
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..nn import GRU, Recurrent
from ..training import FitSettings, derive_seed
from .compare_cells import Questions, questions
from .job import Job
from .networks import Passes, Reader, count
from .pictures import Curve, Picture, Plot, curve_of, level, styles_for
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["STUDY", "EveryStep"]

LENGTH, TRAIN, TEST, EPOCHS, BATCH, UNITS, DROPOUT = 20, 4_000, 1_000, 10, 50, 32, 0.3
QUICK = {"length": 8, "train": 200, "test": 100, "epochs": 2}
_LABELS = {
    "none": "no dropout",
    "sequence": f"{DROPOUT:g}, one mask per sequence",
    "step": f"{DROPOUT:g}, a new mask at every step",
}
_SHOWN, _STEPS = 6, 20  # units and steps of the picture of masks


class EveryStep(nn.Module):
    """A recurrent layer read one step at a time, so that its dropouts draw new masks at every step; the state goes on.

    x (B, T, I) → (B, T, F).
    """

    def __init__(self, body: Recurrent) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """All steps; in evaluation, without dropout, the same as the layer itself."""
        state, outputs = None, []
        for t in range(x.shape[1]):
            y, state = self.body(x[:, t : t + 1], state)
            outputs.append(y)
        return torch.cat(outputs, dim=1)


def _prepare(settings: StudySettings) -> Prepared:
    length = settings.length or (QUICK["length"] if settings.quick else LENGTH)
    sizes = (QUICK["train"], QUICK["test"]) if settings.quick else (TRAIN, TEST)
    parts = [questions(size, length, derive_seed(0, "dropout", part)) for size, part in zip(sizes, ("a", "b"))]
    return Prepared(parts, {"length": length, "train": sizes[0], "test": sizes[1]})


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    return [Row("majority", "majority class", seeded=False), *(Row(name, label) for name, label in _LABELS.items())]


def _work(row: Row, data: Sequence[Questions], job: Job) -> Outcome:
    train, test = data
    if row.name == "majority":
        answer = float(train.y.mean() > 0.5)
        return Outcome({"accuracy": float((test.y == answer).float().mean())}, 0)
    # The same start and order for every row: what differs is the dropout alone.
    seed = derive_seed(job.seed, "dropout")
    network = Reader(_body(row.name, seed), UNITS, 1, seed=seed + 1)
    settings = FitSettings(
        epochs=job.settings.epochs or (QUICK["epochs"] if job.settings.quick else EPOCHS),
        learning_rate=3e-3,
        clip_norm=1.0,
        keep_best=False,
        seed=derive_seed(job.seed, "dropout", "training"),
    )

    def validate(module: Reader) -> dict[str, float]:
        logits = module(test.x)
        loss = functional.binary_cross_entropy_with_logits(logits, test.y)
        return {"loss": loss.item(), "accuracy": ((logits > 0) == (test.y > 0.5)).float().mean().item()}

    history = job.train(
        network,
        Passes(train.x, train.y, batch_size=BATCH),
        lambda module, batch: functional.binary_cross_entropy_with_logits(module(batch[0]), batch[1]),
        settings,
        validate,
    )
    curves = {name: [epoch.valid[name] for epoch in history.epochs] for name in ("accuracy", "loss")}
    curves["train_loss"] = [epoch.train_loss for epoch in history.epochs]
    scores = {"accuracy": curves["accuracy"][-1], "loss": curves["loss"][-1], "train_loss": curves["train_loss"][-1]}
    return Outcome(scores, count(network), curves)


def _body(name: str, seed: int) -> nn.Module:
    layer = GRU(2, UNITS, recurrent_dropout=0.0 if name == "none" else DROPOUT, seed=seed)
    return EveryStep(layer) if name == "step" else layer


def _say(results: Results) -> Iterator[str]:
    fixed, anew = (results.median(name, "accuracy") for name in ("sequence", "step"))
    if fixed is not None and anew is not None:
        word = "better" if fixed > anew else "no better"
        yield (
            f"One mask per sequence is {word} than a new one at every step: test accuracy {100 * fixed:.1f} % against "
            f"{100 * anew:.1f} %."
        )


def _draw(results: Results) -> list[Picture]:
    rows = results.first_outcomes("majority")
    if not rows:
        return []
    styles = styles_for([row.label for row, _ in rows])
    accuracy, loss = (
        [curve_of(row.label, outcome.curves[key], styles[row.label]) for row, outcome in rows]
        for key in ("accuracy", "train_loss")
    )
    floor = results.median("majority", "accuracy")
    accuracy += [] if floor is None else [level("majority class", floor, max(len(curve.y) for curve in accuracy))]
    picture = Picture(
        "dropout",
        "Dropout at every step and per sequence",
        "Above: which of six units are kept (high) and dropped (low) at each step of one sequence. Below: learning.",
        [
            Plot("step", "unit", _masks(every=False), "One mask per sequence"),
            Plot("step", "unit", _masks(every=True), "A new mask at every step"),
            Plot("epoch", "test accuracy", accuracy, low=0.4, high=1.0),
            Plot("epoch", "training loss", loss),
        ],
    )
    return [picture]


def _masks(*, every: bool) -> list[Curve]:
    """A line for each unit: half a row up where it is kept."""
    random = torch.Generator().manual_seed(0)
    kept = torch.rand(_STEPS if every else 1, _SHOWN, generator=random) >= DROPOUT
    kept = kept.expand(_STEPS, _SHOWN)
    styles = styles_for([f"unit {unit + 1}" for unit in range(_SHOWN)])
    return [
        curve_of(name, [unit + 1 + 0.5 * float(on) for on in kept[:, unit]], style)
        for unit, (name, style) in enumerate(styles.items())
    ]


STUDY = Study(
    name="dropout",
    title="Dropout of the recurrent state: a mask per step, or one per sequence",
    about=(
        "Two numbers of a sequence are marked, one in each half: do they sum to more than 1?",
        f"A GRU({UNITS}) whose recurrent product misses 30 % of the units: others at every step, or the same.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("accuracy", "test accuracy", 1, higher_is_better=True, per_cent=True),
        Column("loss", "test loss", 3),
        Column("train_loss", "training loss", 3),
        Column("epoch_seconds", "seconds per epoch", 2),
        Column("seconds", "seconds", 1),
    ),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    say=_say,
    draw=_draw,
    takes=frozenset({"epochs", "length", "time_limit"}),
)
