"""Targets that are never negative, such as counts: found in the training rows, and kept in forecasts and intervals."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from ..data import Panel
from ..data.wide import Wide
from .families import FAMILIES
from .roles import Roles
from .targets import listed

if TYPE_CHECKING:
    from .fitted import FittedForecaster

__all__ = ["below_zero", "dropped", "family_holds", "floors_of_series", "lost_floors", "unfloored"]


def floors_of_series(floors: Sequence[bool], wide: Wide | None, names: Sequence[str]) -> np.ndarray:
    """The lowest forecast of each series, (N, 1): 0 or without bound."""
    held = [floors[0 if wide is None else wide.place(name)] for name in names]
    return np.where(held, 0.0, -np.inf)[:, None]


def below_zero(panel: Panel, roles: Roles) -> tuple[bool, ...]:
    """Which of the targets have a measured value below 0 in these rows."""
    at = panel.columns.index(roles.target)
    below = (panel.values[:, at] < 0) & ~panel.filled[:, at]
    if roles.wide is None:
        return (bool(below.any()),)
    places = roles.wide.places(panel)
    return tuple(bool(below[places == place].any()) for place in range(len(roles.wide.targets)))


def unfloored(forecaster: FittedForecaster, panel: Panel) -> tuple[FittedForecaster, list[str]]:
    """The fitted forecaster as it forecasts on from the rows of `panel`, without the floors that they contradict, its
    members too, and a sentence on it. It is only read."""
    roles = forecaster.features_.roles
    lost = lost_floors(forecaster, forecaster.floors_, forecaster.counted_, below_zero(panel, roles))
    if not any(lost):
        return forecaster, []
    changed = SimpleNamespace(
        floors=tuple(held and not gone for held, gone in zip(forecaster.floors_, lost)),
        counted=tuple(held and not gone for held, gone in zip(forecaster.counted_, lost)),
    )
    if hasattr(forecaster, "members_"):
        mixture = forecaster.members_
        members = [replace(member, forecaster=unfloored(member.forecaster, panel)[0]) for member in mixture.members]
        changed.members = replace(mixture, members=tuple(members))
    made = copy.copy(forecaster)
    for name, value in vars(changed).items():
        setattr(made, f"{name}_", value)
    return made, [dropped(roles, lost)]


def lost_floors(
    forecaster: FittedForecaster, floors: Sequence[bool], counted: Sequence[bool], below: Sequence[bool]
) -> list[bool]:
    """Which floors of targets the values `below` 0 contradict, where nobody asked for them."""
    if forecaster.non_negative is not None or family_holds(forecaster):
        return [False] * len(floors)
    return [(held or whole) and under for held, whole, under in zip(floors, counted, below)]


def family_holds(forecaster: FittedForecaster) -> bool:
    """Whether the distribution that was asked for lives on values from 0 on alone."""
    return forecaster.distribution is not None and FAMILIES[forecaster.distribution].counted


def dropped(roles: Roles, lost: Sequence[bool]) -> str:
    """What is said of targets whose floors are no more."""
    names = (roles.target,) if roles.wide is None else roles.wide.targets
    which = [name for name, gone in zip(names, lost) if gone]
    return (
        f"{listed(which)} held counts in the training rows, and later rows lie below 0: forecasts and intervals are no "
        "longer held at 0 (non_negative=True holds them)."
    )
