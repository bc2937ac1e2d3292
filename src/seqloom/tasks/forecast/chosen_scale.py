"""Whether a network reads levels as they are, or relative to the last value of its window, where nobody said so.

The last value is a poor level where columns known in advance drive the target; without them a level that drifts would
leave the range that was trained on. A linear model, solved in closed form, tells which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from ...training import derive_seed
from .network import NetworkSpec, build_network, check_memory, levelled
from .objective import Validation
from .skip_ridge import has_path, solve_path
from .windowed import ForecastData

if TYPE_CHECKING:
    from .fitting import Learned, TrainingPlan

__all__ = ["as_learned", "as_saved", "chosen_scale"]

_BETTER = 0.9
"""Of the error relative to the last value: levels are read as they are where they are better by so much."""


def chosen_scale(plan: TrainingPlan, data: ForecastData, anchor: str) -> tuple[TrainingPlan, list[str]]:
    """The plan with the window normalisation that suits the table where it was left open, and what to say about it.

    Both are compared by the linear path beside the network, solved on the training windows, on those that choose.
    """
    left_open = plan.normalise is None and plan.spec.normalise == "last" and anchor != "none"
    if not (plan.ridge and left_open and data.features.roles.future):
        return plan, []
    check_memory(plan.spec, plan.settings.optimizer, min(plan.batch_size, len(data.train)))
    plain = replace(plan, spec=replace(plan.spec, normalise="none"))
    errors = [_linear_error(each, data, anchor) for each in (plan, plain)]
    if errors[0] is None or errors[1] is None or not errors[1] < _BETTER * errors[0]:
        return plan, []
    gain = 100 * (1 - errors[1] / errors[0])
    return plain, [
        f"{plan.spec.name}: reads levels as they are (normalise='none'), as a linear model that does so is "
        f"{gain:.0f} % better on the windows that choose than one that reads them relative to the last value "
        "(normalise='last')."
    ]


def as_learned(plan: TrainingPlan, learned: Learned) -> TrainingPlan:
    """The plan with the normalisation that was chosen before, where it was left open."""
    if plan.normalise is not None:
        return plan
    return replace(plan, spec=replace(plan.spec, normalise=learned.spec.normalise))


def as_saved(described: NetworkSpec, normalise: str | None, saved: Any) -> NetworkSpec:
    """What the parameters say of a network, with the normalisation that was chosen for it, where it was left open.

    `saved`: the network's fields as they stand in a model's file, which are checked against the result.
    """
    open_ = normalise is None and described.skip and described.normalise == "last" and isinstance(saved, Mapping)
    return replace(described, normalise="none") if open_ and "normalise" not in saved else described


def _linear_error(plan: TrainingPlan, data: ForecastData, anchor: str) -> float | None:
    """The error on the choosing windows of the linear path alone; None where it can't be solved."""
    spec = levelled(plan.spec, anchor, plan.normalise)
    network = build_network(spec, derive_seed(plan.settings.seed, spec.name, "weights"))
    if not has_path(network) or solve_path(network, data, anchor) is None:
        return None
    with torch.no_grad():
        return Validation(data, plan.loss, anchor)(network)[plan.settings.monitor]
