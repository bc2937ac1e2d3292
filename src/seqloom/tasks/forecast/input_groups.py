"""The inputs of a network by the column that they come from: its values, flags of missing ones, its words."""

from __future__ import annotations

from dataclasses import dataclass

from seqloom_runtime.forecast.features import Features

from .network import ALONE

__all__ = ["TARGET", "InputGroup", "groups_of"]

TARGET = "target"
"""What the inputs of several targets' own past are called together."""


@dataclass(frozen=True)
class InputGroup:
    """A column as a network reads it.

    past: its places among the I inputs of a window; ahead: its places among the F inputs that are known of the rows
    forecast. by_date: made from the date of the row alone, so that it is the same in every season.
    """

    name: str
    past: tuple[int, ...] = ()
    ahead: tuple[int, ...] = ()
    by_date: bool = False


def groups_of(features: Features, model: str) -> list[InputGroup]:
    """The columns that the network `model` reads, the target first, then in the order of the table."""
    roles = features.roles
    words = {category.column: category for category in features.categories}
    past, ahead = _places_past(features), _places_ahead(features)
    if model in ALONE:
        past = {roles.target: past[roles.target][:1]}
    names = dict.fromkeys((roles.target, *roles.inputs, *roles.future, *past, *ahead))
    dated = {name for name in names if name not in roles.columns and name not in words}
    label = {roles.target: roles.target if roles.wide is None else TARGET}
    found = [
        InputGroup(label.get(name, name), past.get(name, ()), ahead.get(name, ()), by_date=name in dated)
        for name in names
    ]
    return [group for group in found if group.past or group.ahead]


def _places_past(features: Features) -> dict[str, tuple[int, ...]]:
    """Where the inputs of each column stand in a window, in the order of `Features.names`."""
    roles = features.roles
    places = {name: (at, *features.told_of(name)) for at, name in enumerate(roles.numeric_inputs)}
    first = len(roles.numeric_inputs) + (1 + features.since) * len(features.flagged)
    for cycle in features.cycles:
        places[f"time of {cycle}"] = (first, first + 1)
        first += 2
    return places | _days_and_words(features, first, roles.inputs)


def _places_ahead(features: Features) -> dict[str, tuple[int, ...]]:
    """Where the inputs of each column stand among those known ahead, in the order of `Features.future`."""
    numbers = [name for name in features.roles.future if name not in features.roles.categories]
    places = {name: (at,) for at, name in enumerate(numbers)}
    places |= _days_and_words(features, len(numbers), features.roles.future)
    if features.calendar_ahead:
        first = features.future_width - 2 * len(features.cycles)
        places |= {f"time of {cycle}": (first + 2 * n, first + 2 * n + 1) for n, cycle in enumerate(features.cycles)}
    return places


def _days_and_words(features: Features, first: int, columns: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    places: dict[str, tuple[int, ...]] = {}
    if features.holidays is not None:
        width = len(features.holidays.names)
        places["holidays"] = tuple(range(first, first + width))
        first += width
    found = {category.column: category for category in features.categories}
    for name in columns:
        if name in found:
            places[name] = tuple(range(first, first + found[name].width))
            first += found[name].width
    return places
