"""What fitting a forecaster sets: its attributes that end in an underscore, with their types."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqloom_runtime.data import Frequency, Panel, WindowSpec

from ...diagnostics import Baseline
from ...training import History
from .ensemble import Mixture
from .features import Features
from .fitting import Learned
from .rolling import Intervals

__all__ = ["LearnedAttributes"]


class LearnedAttributes:
    """The fields of `Fitted`, kept out of the estimator, whose fields are its parameters."""

    features_: Features
    window_spec_: WindowSpec
    frequency_: Frequency
    zone_: str | None
    season_: float | None
    baseline_: Baseline
    learned_: Learned
    members_: Mixture
    anchor_: str
    radii_: dict[str, np.ndarray]
    intervals_: Intervals | None
    floors_: tuple[bool, ...]
    counted_: tuple[bool, ...]
    choosing_mae_: float
    n_parameters_: int
    notes_: list[str]
    source_: dict[str, Any]
    context_: Panel
    train_rows_: np.ndarray

    @property
    def history_(self) -> History | None:
        """What the training of a network recorded; None of a baseline."""
        return self.learned_.history if hasattr(self, "learned_") else None
