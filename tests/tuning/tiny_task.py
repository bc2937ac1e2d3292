"""A task whose models train in milliseconds, for searches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from seqloom.errors import TrainingError
from seqloom.tasks.checkpointing import Checkpointing
from seqloom.tasks.comparison import Evaluation
from seqloom.tasks.constraints import Constraint, Numeric, OneOf
from seqloom.tasks.estimator import Estimator
from seqloom.training import FitSettings

__all__ = ["PARTS", "Line"]

_X = torch.linspace(-1, 1, 32)[:, None]
PARTS = {"train": (_X, 3 * _X + 1), "valid": (_X + 0.05, 3 * _X + 1.15), "test": (_X - 0.05, 3 * _X + 0.85)}


class Line(Estimator):
    """y = ax + b by gradient descent, which fails where `units` is 13."""

    _constraints: ClassVar[Mapping[str, Constraint]] = {
        "model": OneOf(("line",)),
        "learning_rate": Numeric(0, 10, open_low=True),
        "units": Numeric(1, 100, whole=True),
        "epochs": Numeric(0, 100, whole=True),
        "layers": Numeric(1, 9, whole=True),
        "seed": Numeric(0, 2**63, whole=True),
    }
    _fitted = "notes_"

    def __init__(
        self,
        *,
        model: str = "line",
        learning_rate: float = 0.02,
        units: int = 8,
        layers: int = 1,
        epochs: int = 9,
        seed: int = 0,
    ) -> None:
        self.model, self.learning_rate, self.units = model, learning_rate, units
        self.layers, self.epochs, self.seed = layers, epochs, seed

    def fit(
        self, x: Any, y: Any, *, valid: Any = None, directory: Any = None, resume: bool = False, on_event: Any = None
    ) -> Line:
        if self.units == 13:
            raise TrainingError("units: 13 brings bad luck.")
        torch.manual_seed(self.seed % 2**31)
        self.net = nn.Sequential(nn.Linear(1, self.units), nn.Tanh(), nn.Linear(self.units, 1))
        self.history_ = Checkpointing.make(directory, resume, on_event).train(
            self.net,
            [(x[i : i + 8], y[i : i + 8]) for i in range(0, 32, 8)],
            lambda net, batch: (net(batch[0]) - batch[1]).square().mean(),
            settings=FitSettings(epochs=self.epochs, learning_rate=self.learning_rate, seed=self.seed),
            validate=lambda net: {"loss": (net(valid[0]) - valid[1]).square().mean().item()},
            signature={"units": self.units, "rate": self.learning_rate},
        )
        self.n_parameters_, self.notes_ = 3 * self.units + 1, []
        return self

    def evaluate(self, x: Any, y: Any) -> Evaluation:
        with torch.no_grad():
            error = (self.net(x) - y).abs().mean().item()
        return Evaluation({"mae": error}, lower_is_better=frozenset({"mae"}))

    def save(self, path: Any) -> None:
        raise NotImplementedError
