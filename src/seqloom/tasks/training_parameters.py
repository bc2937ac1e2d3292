"""The parameters of training that estimators share, and the training loop's settings made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..training import FitSettings

__all__ = ["TrainingParameters", "fit_settings"]


@dataclass(kw_only=True, eq=False, repr=False)
class TrainingParameters:
    """The parameters of training that an estimator inherits, of `seqloom.training.FitSettings`; it gives those that
    it starts elsewhere a default of its own, and each stands in the table `seqloom.tasks.parameters`."""

    epochs: int = 20
    steps_per_epoch: int | None = None
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    clip_norm: float | None = 1.0
    clip_value: float | None = None
    schedule: str = "constant"
    warmup_steps: int = 0
    patience: int | None = None
    smooth_monitor: float = 0.0
    average_weights: float | None = None
    seed: int = 0


def fit_settings(estimator: Any, examples: int, *, monitor: str = "loss") -> FitSettings:
    """The training loop's settings from an estimator's attributes of the names of `TrainingParameters`.

    examples: how many a pass trains on; an epoch is one pass, ⌈examples / batch_size⌉ steps, unless `steps_per_epoch`
    is set. monitor: the validation number, lower is better, that picks the best weights. NumPy's numbers, as a grid
    search hands them in, become Python's.

    >>> from types import SimpleNamespace
    >>> flat = dict(epochs=3, steps_per_epoch=None, batch_size=32, optimizer="adam", learning_rate=0.01, weight_decay=0,
    ...             clip_norm=1, clip_value=None, schedule="constant", warmup_steps=0, patience=None,
    ...             smooth_monitor=0, average_weights=None, seed=7)
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
        smooth_monitor=number("smooth_monitor"),
        average_weights=number("average_weights"),
        averaging_patience=int(getattr(estimator, "averaging_patience", 5)),
        monitor=monitor,
        seed=int(estimator.seed),
    )
