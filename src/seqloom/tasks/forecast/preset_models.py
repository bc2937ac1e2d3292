"""The models of a preset for one table, with the parameters that go with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqloom_runtime.data import Panel, Split
from seqloom_runtime.errors import SettingError, shown
from seqloom_runtime.forecast.known_rows import observed_part
from seqloom_runtime.forecast.roles import Inputs, Roles

from ...diagnostics import BASELINES
from .chosen_lengths import with_lengths
from .defaults import lengths_for
from .forecaster import Forecaster
from .presets import PRESETS, Candidates, candidates_for, models_of, work_allowed
from .seasons import found_season
from .settings import season_rows

__all__ = ["of_preset"]

_BASELINE = "naive"


def of_preset(
    preset: str,
    panel: Panel,
    parameters: Mapping[str, Any],
    target: str,
    inputs: Inputs,
    future: Sequence[str],
) -> tuple[tuple[str, ...], dict[str, Any], Candidates, tuple[str, ...]]:
    """The models of a preset for this table; the parameters with the lengths and the usual season of its rows."""
    if preset not in PRESETS:
        raise SettingError(f"preset: expected one of {', '.join(PRESETS)}, got {shown(preset)}.")
    reference = Forecaster(**{**parameters, "model": _BASELINE})
    reference.check_parameters()
    roles = Roles.choose(panel, target, inputs, future, reference.static, reference.categories)
    ahead = bool(future) or parameters.get("holidays") is not None
    wanted = [
        name for name in models_of(preset, ahead) if name not in BASELINES or BASELINES[name].season != "required"
    ]
    suited, _ = with_lengths(reference, panel, roles, wanted)
    season = season_rows(reference, panel.frequency)
    if "season" not in parameters:
        season = lengths_for(panel.frequency).season
        if season is None:
            table = observed_part(panel.select(roles.columns), roles.target)
            season = found_season(table, roles.target, Split.make(table, suited.split).train_end)
    tried = candidates_for(preset, panel, suited.split, season, target, ahead=ahead)
    return tried.models, {**work_allowed(preset), **parameters, "season": season}, tried, tried.models
