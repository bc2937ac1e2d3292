"""The settings of one training run, checked when they are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from seqloom_runtime.errors import SettingError, shown, suggest
from seqloom_runtime.limits import LARGEST

__all__ = ["OPTIMIZERS", "SCHEDULES", "FitSettings"]

OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd", "nt-asgd")
SCHEDULES = ("constant", "cosine", "step", "plateau")


@dataclass(frozen=True)
class FitSettings:
    """How `fit` trains.

    epochs: how often the epoch's steps are run, at most. 0 trains nothing.
    steps_per_epoch: optimizer steps in an epoch; None for one pass over batches that have an end.
    optimizer: the `torch.optim` class, with learning_rate, weight_decay and (rmsprop, sgd) momentum; or "nt-asgd": SGD,
        and once the monitor rises above its lowest value of all but the last `averaging_patience` epochs, the mean of
        the weights over the steps from there on, which is validated and kept (arXiv 1708.02182).
    clip_norm: largest L2 norm of the whole gradient; clip_value: largest |g| of each element. With both, the norm
        comes first.
    schedule: "constant"; "cosine" (½(1 + cos πt/T) over all steps after the warm-up, Loshchilov and Hutter 2017);
        "step" (times schedule_factor after every schedule_every epochs); "plateau" (times schedule_factor after
        schedule_every epochs without improvement of the monitor). warmup_steps: steps over which the rate first rises
        in a straight line.
    patience: stop after so many epochs without the monitor falling by more than min_delta; None to run all epochs.
        smooth_monitor: what patience looks at is s ← βs + (1 − β)·monitor with this β, 0 for the monitor itself.
    average_weights: the decay of an exponential moving average of the weights over the steps, which is evaluated and
        kept in place of the last ones; None for no average.
    keep_best: give the module the weights of its best epoch at the end.
    monitor: the number that decides, lower is better: a name that `validate` returns, or "loss", which without
        `validate` is the mean training loss.
    checkpoint_every: steps between saves; the end of every epoch is saved in any case.
    seed: of torch's global stream while `fit` runs (nn.Dropout, DataLoader draw from it). The caller's own stream is
        put back.

    >>> FitSettings(epochs=3, optimizer="sgd", learning_rate=0.1).steps_per_epoch is None
    True
    >>> FitSettings(epochs=-1)
    Traceback (most recent call last):
    seqloom_runtime.errors.SettingError: epochs: expected a whole number of at least 0, got -1.
    """

    epochs: int = 20
    steps_per_epoch: int | None = None
    optimizer: Literal["adam", "adamw", "rmsprop", "sgd", "nt-asgd"] | str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    momentum: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    schedule: Literal["constant", "cosine", "step", "plateau"] | str = "constant"
    schedule_factor: float = 0.5
    schedule_every: int = 5
    warmup_steps: int = 0
    patience: int | None = None
    smooth_monitor: float = 0.0
    average_weights: float | None = None
    min_delta: float = 0.0
    keep_best: bool = True
    monitor: str = "loss"
    checkpoint_every: int | None = None
    seed: int = 0
    averaging_patience: int = 5

    def __post_init__(self) -> None:
        """Check every field; raises SettingError naming the first that can't be used."""
        for name, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            value = getattr(self, name)
            if value not in known:
                hint = suggest(value, known) if isinstance(value, str) else ""
                raise SettingError(f"{name}: expected one of {', '.join(known)}, got {shown(value)}.{hint}")
        for name in ("epochs", "warmup_steps", "seed", "averaging_patience"):
            _whole(name, getattr(self, name), 0)
        _whole("schedule_every", self.schedule_every, 1)
        for name in ("steps_per_epoch", "patience", "checkpoint_every"):
            if getattr(self, name) is not None:
                _whole(name, getattr(self, name), 1)
        if self.seed >= 2**63:
            raise SettingError(f"seed: expected a number below 2**63, got {shown(self.seed)}.")
        for name in ("weight_decay", "momentum", "min_delta", "smooth_monitor"):
            _number(name, getattr(self, name), zero=True)
        _number("learning_rate", self.learning_rate)
        _number("schedule_factor", self.schedule_factor)
        for name in ("clip_norm", "clip_value", "average_weights"):
            if getattr(self, name) is not None:
                _number(name, getattr(self, name))
        if self.average_weights is not None and self.optimizer == "nt-asgd":
            raise SettingError("average_weights: nt-asgd averages the weights itself; leave it out, or use sgd.")
        if self.momentum and self.optimizer not in ("rmsprop", "sgd"):
            raise SettingError(
                f"momentum: expected 0, as {self.optimizer} has its own, got {shown(self.momentum)}; only rmsprop and "
                "sgd take it."
            )
        self._check_shares()
        if not isinstance(self.monitor, str) or not self.monitor:
            raise SettingError(f'monitor: expected the name of a metric such as "loss", got {shown(self.monitor)}.')
        if not isinstance(self.keep_best, bool):
            raise SettingError(f"keep_best: expected True or False, got {shown(self.keep_best)}.")

    def _check_shares(self) -> None:
        for name in ("momentum", "smooth_monitor", "average_weights", "schedule_factor"):
            value, whole = getattr(self, name) or 0, name == "schedule_factor"
            if value > 1 or (value == 1 and not whole):
                most = "of at most 1" if whole else "below 1"
                raise SettingError(f"{name}: expected a number {most}, got {shown(value)}.")

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values, of the later ones those that differ from the default, as older runs lack them."""
        left_out = {"smooth_monitor": 0.0, "average_weights": None, "averaging_patience": 5}
        return {name: value for name, value in asdict(self).items() if name not in left_out or value != left_out[name]}


def _whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SettingError(f"{name}: expected a whole number of at least {least}, got {shown(value)}.")


def _number(name: str, value: Any, *, zero: bool = False) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value <= LARGEST or (value == 0 and not zero):
        most = f" and up to {LARGEST:g}" if number and LARGEST < value < float("inf") else ""
        raise SettingError(
            f"{name}: expected a finite number {'of at least' if zero else 'above'} 0{most}, got {shown(value)}."
        )
