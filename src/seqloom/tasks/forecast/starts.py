"""Closed-form solutions beside training: what a linear network starts from, and what a network must be better than."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from ...training import FitSettings, History
from .objective import Validation
from .ridge import closed_form, solve_ridge
from .skip_ridge import has_path, solve_path
from .windowed import ForecastData

if TYPE_CHECKING:
    from .fitting import TrainingPlan

__all__ = ["Solution", "solved_before", "surpassed"]

_FEW_HORIZONS = 10


@dataclass(frozen=True, eq=False)
class Solution:
    """The weights of a closed form, their monitored error, and that of each window that chooses; `ends`: whether they
    are what the loss asks for, so that no step follows."""

    weights: dict[str, torch.Tensor]
    error: float
    by_window: np.ndarray | None
    ends: bool


def solved_before(
    network: nn.Module, data: ForecastData, plan: TrainingPlan, anchor: str, validate: Validation | None
) -> Solution | None:
    """Solve a linear network, or the linear path beside another, by ridge regression where the plan says so.

    A linear network begins its training there; one with a path begins as it is, as its path is found anew beside what
    is not linear. The solution stands where training finds none better. None where nothing was solved.
    """
    linear = closed_form(network)
    if not plan.ridge or not (linear or has_path(network)):
        return None
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    if (solve_ridge if linear else solve_path)(network, data, anchor) is None:
        return None
    error, each = float("inf"), None
    if validate is not None:
        with torch.no_grad():
            error, each = validate(network)[plan.settings.monitor], validate.by_window(network)
    weights = {name: weight.clone() for name, weight in network.state_dict().items()}
    if not linear:
        network.load_state_dict(before)
    return Solution(weights, error, each, linear and plan.loss.name == "mse")


def surpassed(
    solution: Solution, network: nn.Module, validate: Validation | None, history: History, settings: FitSettings
) -> bool:
    """Whether the best weights of the training are better than the solution.

    Where few windows choose, by more than chance: by two standard errors of the difference, of which the windows of one
    horizon count as one, as they share targets.
    """
    if settings.epochs == 0 or solution.error <= (history.best_value or 0.0):
        return False
    if validate is None or solution.by_window is None or settings.monitor == "loss":
        return True
    horizons = len(solution.by_window) / validate.reach
    if horizons >= _FEW_HORIZONS:
        return True
    gain = solution.by_window - validate.by_window(network)
    return float(gain.mean()) > 2 * float(gain.std()) / np.sqrt(max(1.0, horizons))
