"""What fitting a forecaster sets: its attributes that end in an underscore, with their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqloom_runtime.forecast.fitted import FittedForecaster

from ...diagnostics import BASELINES
from ...training import History
from .fitting import Learned

__all__ = ["LearnedAttributes"]


class LearnedAttributes(FittedForecaster):
    """The fields of `Fitted`, kept out of the estimator, whose fields are its parameters, and what they need."""

    learned_: Learned
    choosing_mae_: float
    notes_: list[str]
    train_rows_: np.ndarray

    @property
    def network_(self) -> Any:
        """The network as predictions run it; see `running.running_network`."""
        from .running import running_network

        return running_network(self)  # pyright: ignore[reportArgumentType]  # which the estimator is

    @property
    def history_(self) -> History | None:
        """What the training of a network recorded; None of a baseline."""
        return self.learned_.history if hasattr(self, "learned_") else None

    def _packages(self) -> Mapping[str, str]:
        by_statsmodels = self.model in BASELINES and BASELINES[self.model].statsmodels
        return {"statsmodels": f"the baseline {self.model!r}"} if by_statsmodels else {}
