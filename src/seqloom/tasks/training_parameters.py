"""The flat training parameters that every estimator shares: their ranges, and the loop's settings made of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ..training import FitSettings
from ..training.settings import LARGEST
from .parameters import Constraint, Numeric, OneOf

__all__ = ["BATCH_SIZE", "EPOCHS", "LARGEST", "LEARNING_RATE", "TRAINING_CONSTRAINTS", "fit_settings"]

EPOCHS = Numeric(1, 10**6, whole=True)
BATCH_SIZE = Numeric(1, 10**8, whole=True)
LEARNING_RATE = Numeric(0, LARGEST, open_low=True)

TRAINING_CONSTRAINTS: Mapping[str, Constraint] = MappingProxyType(
    {
        "epochs": EPOCHS,
        "steps_per_epoch": Numeric(1, 10**8, whole=True, optional=True),
        "batch_size": BATCH_SIZE,
        "optimizer": OneOf(("adam", "adamw", "rmsprop", "sgd")),
        "learning_rate": LEARNING_RATE,
        "weight_decay": Numeric(0, LARGEST),
        "clip_norm": Numeric(0, LARGEST, open_low=True, optional=True),
        "clip_value": Numeric(0, LARGEST, open_low=True, optional=True),
        "schedule": OneOf(("constant", "cosine", "step", "plateau")),
        "warmup_steps": Numeric(0, 10**12, whole=True),
        "patience": Numeric(1, 10**6, whole=True, optional=True),
        "seed": Numeric(0, 2**63 - 1, whole=True),
    }
)


def fit_settings(estimator: Any, examples: int, *, monitor: str = "loss") -> FitSettings:
    """The training loop's settings from an estimator's attributes of the names above.

    examples: how many a pass trains on; an epoch is one pass, ⌈examples / batch_size⌉ steps, unless `steps_per_epoch`
    is set. monitor: the validation number, lower is better, that picks the best weights. NumPy's numbers, as a grid
    search hands them in, become Python's.

    >>> from types import SimpleNamespace
    >>> flat = dict(epochs=3, steps_per_epoch=None, batch_size=32, optimizer="adam", learning_rate=0.01, weight_decay=0,
    ...             clip_norm=1, clip_value=None, schedule="constant", warmup_steps=0, patience=None, seed=7)
    >>> settings = fit_settings(SimpleNamespace(**flat), 100)
    >>> settings.steps_per_epoch, settings.clip_norm, settings.seed
    (4, 1.0, 7)
    """

    def whole(name: str) -> int | None:
        value = getattr(estimator, name)
        return None if value is None else int(value)

    def number(name: str) -> Any:
        value = getattr(estimator, name)
        return None if value is None else float(value)

    return FitSettings(
        epochs=int(estimator.epochs),
        steps_per_epoch=whole("steps_per_epoch") or -(-examples // int(estimator.batch_size)),
        optimizer=estimator.optimizer,
        learning_rate=number("learning_rate"),
        weight_decay=number("weight_decay"),
        clip_norm=number("clip_norm"),
        clip_value=number("clip_value"),
        schedule=estimator.schedule,
        warmup_steps=int(estimator.warmup_steps),
        patience=whole("patience"),
        monitor=monitor,
        seed=int(estimator.seed),
    )
