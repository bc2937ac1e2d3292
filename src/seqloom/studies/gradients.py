"""Vanishing and exploding gradients, and their cures side by side (Pascanu et al., arXiv 1211.5063).

The first of `length` inputs is +1 or −1, the others are noise; after the last one the network says which it was, so
the gradient has to reach back over all steps. Every network is looked at before training (how much of the gradient is
left k steps back: with a factor below 1 for each step it vanishes, above 1 it explodes), then trained, and looked at
again. In a linear network whose W_h is σ times an orthogonal matrix the factor is σ exactly. The exploding networks are
trained by plain SGD, whose steps are as long as the gradient; the others by Adam. The loss is the mean squared error,
which leaves nothing to luck where the gain is too large; guessing 0 has one of 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from seqloom_runtime.errors import SettingError, TrainingError
from seqloom_runtime.limits import need_memory

from ..diagnostics.gradients import decay_rate, gradient_by_lag, recurrent_spectrum
from ..nn import Recurrent, WeightPenalty
from ..training import FitSettings, derive_seed
from .job import Job
from .networks import CELLS, Passes, Reader, count
from .pictures import Curve, Picture, Plot, curve_of, level, styles_for
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["STUDY", "FirstSign", "first_sign"]

LENGTH, TRAIN, TEST, EPOCHS, BATCH, UNITS = 40, 1280, 512, 25, 64, 24
QUICK = {"length": 10, "train": 256, "test": 128, "epochs": 2}
LOOKED_AT = 64  # test sequences over which the norms are averaged
GUESSING = 1.0


@dataclass(frozen=True)
class _Kind:
    label: str
    cell: str = "rnn"
    scale: float = 1.0  # W_h starts as this times its initialisation
    options: Mapping[str, Any] = field(default_factory=dict)
    clip: float | None = None  # largest norm of the gradient
    sgd: bool = False
    penalty: float = 0.0  # L2 on W_h
    open_gate: float | None = None  # bias of the GRU's update gate


_LINEAR, _IDENTITY = {"activation": "identity"}, {"recurrent_init": "identity"}
_KINDS = {
    "tanh": _Kind("tanh, σ = 0.5", scale=0.5),
    "linear": _Kind("linear, σ = 1.25", scale=1.25, options=_LINEAR, sgd=True),
    "clipping": _Kind("clipping (linear, σ = 1.25)", scale=1.25, options=_LINEAR, clip=1.0, sgd=True),
    "l2": _Kind("L2 of W_h, 0.01 (linear, σ = 1.25)", scale=1.25, options=_LINEAR, sgd=True, penalty=0.01),
    "orthogonal": _Kind("orthogonal start (tanh, σ = 1)"),
    "relu": _Kind("ReLU, identity start, clipped", options=_IDENTITY | {"activation": "relu"}, clip=0.2),
    "leaky-relu": _Kind(
        "leaky ReLU, identity start, clipped", options=_IDENTITY | {"activation": "leaky_relu"}, clip=0.2
    ),
    "layer-norm": _Kind("layer norm (tanh, σ = 0.5)", scale=0.5, options={"layer_norm": True}),
    # Open to the past, z about 0.88, as the LSTM's forget gate beside it.
    "gru": _Kind("gates (GRU)", "gru", open_gate=2.0),
    "lstm": _Kind("gates (LSTM)", "lstm", options={"forget_bias": 2.0}),
}


@dataclass(frozen=True, eq=False)
class FirstSign:
    """x (N, T, 2): a value, and 0 where it counts and 1 where it is noise; y (N, 1): the first value."""

    x: Tensor
    y: Tensor


def first_sign(count: int, length: int, seed: int) -> FirstSign:
    """Draw `count` sequences of `length` steps.

    >>> made = first_sign(50, 6, seed=1)
    >>> bool((made.x[:, :1, 0] == made.y).all()), made.x[0, :, 1].tolist()
    (True, [0.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    """
    if length < 2:
        raise SettingError(f"length: expected at least 2 steps, of which the first is to be told, got {length}.")
    need_memory(24 * count * length, f"length: {count:,} sequences of {length:,} steps", "Choose a shorter one.")
    random = torch.Generator().manual_seed(seed)
    x = 0.2 * torch.randn(count, length, 2, generator=random)
    sign = 2 * torch.randint(0, 2, (count,), generator=random).float() - 1
    x[..., 1] = 1.0
    x[:, 0, 0], x[:, 0, 1] = sign, 0.0
    return FirstSign(x, sign[:, None])


def _prepare(settings: StudySettings) -> Prepared:
    length = settings.length or (QUICK["length"] if settings.quick else LENGTH)
    sizes = (QUICK["train"], QUICK["test"]) if settings.quick else (TRAIN, TEST)
    parts = [first_sign(size, length, derive_seed(0, "gradients", part)) for size, part in zip(sizes, ("a", "b"))]
    return Prepared(parts, {"length": length, "train": sizes[0], "test": sizes[1]})


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    return [Row("guess", "guessing 0", seeded=False), *(Row(name, kind.label) for name, kind in _KINDS.items())]


def _work(row: Row, data: Sequence[FirstSign], job: Job) -> Outcome:
    train, test = data
    if row.name == "guess":
        return Outcome({"loss": GUESSING, "accuracy": 0.5}, 0)
    kind = _KINDS[row.name]
    network = Reader(_body(kind, job.derived_seed("body")), UNITS, 1, seed=job.derived_seed("output"))
    before = _norms(network, test)
    scores = {"rate": _finite(decay_rate(before)), "left": _finite(before[-1]), "singular": _singular(network)}

    def validate(module: Reader) -> dict[str, float]:
        found = module(test.x)
        loss = functional.mse_loss(found, test.y)
        right = ((found > 0) == (test.y > 0)).float().mean()
        # Here, as what validation returns is kept in checkpoints: a resumed run has the singular values of all epochs.
        return {"loss": loss.item(), "accuracy": right.item(), "singular": _singular(module)}

    penalty = WeightPenalty(l2_recurrent=kind.penalty) if kind.penalty else None
    details: dict[str, Any] = {"before": [_finite(norm) for norm in before], "steps": len(before)}
    try:
        history = job.train(
            network,
            Passes(train.x, train.y, batch_size=BATCH),
            lambda module, batch: functional.mse_loss(module(batch[0]), batch[1]),
            _settings(kind, job),
            validate,
            penalty=None if penalty is None else lambda module: penalty(module.body),
        )
    except TrainingError as error:
        # What this row is there to show; its gradient before training is the result.
        return Outcome(scores, count(network), details=details, notes=[f"training exploded. {error}"])
    after = _norms(network, test)
    curves = {name: [epoch.valid[name] for epoch in history.epochs] for name in ("loss", "accuracy", "singular")}
    scores |= {"left_after": _finite(after[-1]), "loss": curves["loss"][-1], "accuracy": curves["accuracy"][-1]}
    return Outcome(scores, count(network), curves, {**details, "after": [_finite(norm) for norm in after]})


def _settings(kind: _Kind, job: Job) -> FitSettings:
    return FitSettings(
        epochs=job.settings.epochs or (QUICK["epochs"] if job.settings.quick else EPOCHS),
        optimizer="sgd" if kind.sgd else "adam",
        learning_rate=0.02 if kind.sgd else 0.005,
        momentum=0.9 if kind.sgd else 0.0,
        clip_norm=kind.clip,
        keep_best=False,
        seed=job.derived_seed("training"),
    )


def _body(kind: _Kind, seed: int) -> Recurrent:
    """The recurrent layer as it starts: W_h scaled, the GRU's update gate open."""
    body = CELLS[kind.cell](2, UNITS, seed=seed, **kind.options)
    with torch.no_grad():
        for name, parameter in body.named_parameters():
            if name.endswith("w_h"):
                parameter.mul_(kind.scale)
            elif name.endswith("bias") and kind.open_gate is not None:
                parameter[UNITS : 2 * UNITS] = kind.open_gate  # gates r, z, n
    return body


def _norms(network: Reader, data: FirstSign) -> Any:
    """(T,) norms of the gradient by lag over that of lag 0."""
    return gradient_by_lag(network.body, data.x[:LOOKED_AT]).relative()[0]


def _singular(network: Reader) -> float:
    """The largest singular value of W_h, of the first gate of a cell that has several."""
    spectrum = recurrent_spectrum(network.body)["layer 0"]
    return float(next(values for name, values in spectrum.items() if name.startswith("singular")).max())


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _say(results: Results) -> Iterator[str]:
    for row, outcome in results.first_outcomes("guess"):
        rate, left, loss = (outcome.scores.get(key) for key in ("rate", "left", "loss"))
        if rate is None:
            continue
        word = "lasts" if 0.97 <= rate <= 1.03 else ("vanishes" if rate < 1 else "explodes")
        far = "" if left is None else f", {left:.1e} of it left after {outcome.details['steps'] - 1}"
        end = "training explodes" if loss is None else f"{_verdict(loss)} (test MSE {loss:.2g}, guessing {GUESSING:g})"
        yield f"{row.label}: before training the gradient {word} ({rate:.2f} per step back{far}); {end}."


def _verdict(loss: float) -> str:
    return "it learns the task" if loss < GUESSING / 2 else "it does not learn the task"


def _draw(results: Results) -> list[Picture]:
    rows = results.first_outcomes("guess")
    if not rows:
        return []
    # The two that fail are dashed in every panel; a cure is a solid line.
    styles = styles_for([row.label for row, _ in rows])
    plain = {_KINDS[name].label for name in ("tanh", "linear")}
    dashes = {label: (5, 4) if label in plain else (1, 0) for label in styles}

    def lags(key: str) -> list[Curve]:
        found = []
        for row, outcome in rows:
            # The axis is logarithmic: what is 0 in float32 has no place on it.
            norms = [norm if norm and norm > 1e-30 else None for norm in outcome.details.get(key, ())]
            if any(norm is not None for norm in norms):
                found.append(_dashed(row.label, range(len(norms)), norms))
        return found

    def _dashed(label: str, x: Sequence[float], y: Sequence[float | None]) -> Curve:
        drawn = curve_of(label, y, styles[label], dash=dashes[label])
        return Curve(label, x, y, drawn.style)

    def by_epoch(key: str) -> list[Curve]:
        trained = [(row.label, outcome.curves[key]) for row, outcome in rows if key in outcome.curves]
        return [_dashed(label, range(1, len(values) + 1), values) for label, values in trained]

    loss, singular, after = by_epoch("loss"), by_epoch("singular"), lags("after")
    panels = [Plot("steps back", "share of the gradient that is left", lags("before"), "Before training", log=True)]
    if after:
        panels.append(Plot("steps back", "share of the gradient that is left", after, "After training", log=True))
    if loss:
        loss.append(level("guessing 0", GUESSING, max(len(curve.y) for curve in loss)))
        panels.append(Plot("epoch", "test MSE", loss, "Training", log=True))
        panels.append(Plot("epoch", "largest singular value of W_h", singular, "Recurrent weights"))
    picture = Picture(
        "gradients",
        "Vanishing and exploding gradients, and their cures",
        "Above: the norm of the gradient k steps back, relative to that of the last step. Below: what training makes "
        "of it. Dashed: the networks without a cure; one that explodes has no line where training ended.",
        panels,
    )
    return [picture]


STUDY = Study(
    name="gradients",
    title="Vanishing and exploding gradients, and their cures",
    about=(
        "The sign of the first input is asked for after the last one; all inputs between are noise.",
        "The gradient by steps back, before and after training, and whether the network learns the task.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("rate", "gradient per step back", 3),
        Column("left", "left at the first step", None),
        Column("left_after", "left after training", None),
        Column("singular", "largest singular value of W_h", 2),
        Column("loss", "test MSE", None),
        Column("accuracy", "test accuracy", 1, higher_is_better=True, per_cent=True),
        Column("epochs", "epochs", 0),
        Column("seconds", "seconds", 1),
    ),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    say=_say,
    draw=_draw,
    takes=frozenset({"epochs", "length", "time_limit"}),
)
