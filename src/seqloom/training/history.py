"""What a training run recorded: one row for each epoch, and which was the best."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, field
from typing import Any

__all__ = ["EpochRow", "History", "finite"]


def finite(value: Any) -> float:
    """A JSON number that a checkpoint can hold again; raises ValueError or TypeError for another."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} where a finite number belongs")
    return number


@dataclass(frozen=True)
class EpochRow:
    """One epoch. `train_loss` is the mean over the epoch's steps, without the penalty, which is reported apart."""

    epoch: int  # from 1
    step: int  # optimizer steps so far, over all epochs
    learning_rate: float  # of the epoch's last step
    train_loss: float
    penalty: float | None = None  # mean over the epoch's steps; None where none was given
    valid: dict[str, float] = field(default_factory=dict)

    def to_row(self) -> dict[str, int | float]:
        """A flat row: epoch, step, learning_rate, train_loss, penalty where there is one, valid_<name> for each metric.

        >>> EpochRow(1, 10, 0.1, 2.5, valid={"mae": 3.0}).to_row()
        {'epoch': 1, 'step': 10, 'learning_rate': 0.1, 'train_loss': 2.5, 'valid_mae': 3.0}
        """
        row: dict[str, int | float] = {
            "epoch": self.epoch,
            "step": self.step,
            "learning_rate": self.learning_rate,
            "train_loss": self.train_loss,
        }
        if self.penalty is not None:
            row["penalty"] = self.penalty
        return row | {f"valid_{name}": value for name, value in self.valid.items()}

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; numbers that JSON can't hold become "nan", "inf" or "-inf"."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "learning_rate": self.learning_rate,
            "train_loss": self.train_loss,
            "penalty": self.penalty,
            "valid": {name: value if math.isfinite(value) else str(value) for name, value in self.valid.items()},
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> EpochRow:
        """The inverse of `to_json`; raises KeyError, TypeError or ValueError for anything else."""
        penalty = value["penalty"]
        return cls(
            int(value["epoch"]),
            int(value["step"]),
            finite(value["learning_rate"]),
            finite(value["train_loss"]),
            None if penalty is None else finite(penalty),
            {str(name): float(number) for name, number in value["valid"].items()},
        )


@dataclass(frozen=True)
class History:
    """The result of `fit`. All but `seconds` is the same for the same settings, data, seed and thread count.

    epochs: one row each. best_epoch, best_value: where `monitor` was lowest; None before the first epoch.
    seconds: how long each epoch took; None for epochs that an earlier process trained, before a resume.
    """

    epochs: tuple[EpochRow, ...] = ()
    monitor: str = "loss"
    best_epoch: int | None = None
    best_value: float | None = None
    stopped_early: bool = False
    seconds: tuple[float | None, ...] = field(default=(), compare=False)

    @classmethod
    def empty(cls) -> History:
        """A history without epochs, of a model that was loaded and not trained here."""
        return cls()

    @property
    def steps(self) -> int:
        """Optimizer steps that were run."""
        return self.epochs[-1].step if self.epochs else 0

    def rows(self) -> list[dict[str, int | float]]:
        """One flat dict for each epoch, see `EpochRow.to_row`."""
        return [row.to_row() for row in self.epochs]

    def to_csv(self) -> str:
        """The rows as CSV text with a header; numbers so that reading them gives the same bits.

        >>> print(History((EpochRow(1, 10, 0.1, 2.5),)).to_csv(), end="")
        epoch,step,learning_rate,train_loss
        1,10,0.1,2.5
        """
        rows = self.rows()
        names = list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names or ["epoch", "step", "learning_rate", "train_loss"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()
