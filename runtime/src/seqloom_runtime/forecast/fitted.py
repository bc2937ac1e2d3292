"""What a forecast reads of a fitted forecaster, whether it was just fitted or loaded from a folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..data import Frequency, Panel, WindowSpec
    from ..statistical.target_history import Baseline
    from .features import Features
    from .mixture import Mixture
    from .roles import Roles
    from .rolling import Intervals

__all__ = ["FittedForecaster", "columns_read"]


class FittedForecaster:
    """The attributes that a fit sets, and the parameters that predictions depend on.

    One of `learned_` (a network, which `network_` runs), `baseline_` and `members_` (an ensemble) is there. `network_`
    maps x (B, L, I) and future (B, K, F) or None to (B, K), or (B, K, P) where its `family` is no None, in NumPy.
    """

    model: str
    distribution: str | None
    non_negative: bool | None
    fill_future: str | None
    time_format: str | None
    seed: int
    levels: Sequence[float]

    features_: Features
    window_spec_: WindowSpec
    frequency_: Frequency
    zone_: str | None
    season_: float | None
    baseline_: Baseline
    learned_: Any
    members_: Mixture
    anchor_: str
    radii_: dict[str, np.ndarray]
    intervals_: Intervals | None
    floors_: tuple[bool, ...]
    counted_: tuple[bool, ...]
    n_parameters_: int
    source_: dict[str, Any]
    context_: Panel

    @property
    def network_(self) -> Any:
        """The fitted network in evaluation, without torch where it can be."""
        raise NotImplementedError

    @property
    def columns_read_(self) -> tuple[str, ...]:
        """The columns that a forecast reads."""
        alone = hasattr(self, "baseline_") or (hasattr(self, "members_") and not self.members_.reads_columns)
        return columns_read(self.features_.roles, alone)


def columns_read(roles: Roles, alone: bool) -> tuple[str, ...]:
    """The columns that a forecast needs: all that a network uses, or the target `alone` for a baseline."""
    return (roles.target,) if alone else roles.columns
