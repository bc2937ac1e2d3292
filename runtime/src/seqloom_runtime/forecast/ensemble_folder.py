"""The members of an ensemble in its model folder: one folder, one checksum, each as if it were saved alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import FormatError, shown
from ..saved_fields import array_of, field_of, is_number, texts_of
from .fitted import FittedForecaster
from .mixture import ENSEMBLE, MOST_MEMBERS, RENAMED, Member, Mixture
from .stand_in import FALLBACKS

__all__ = ["MEMBERS", "add_members", "read_members"]

MEMBERS = ("member.", "range.")
"""Beginnings of the names of an ensemble's own arrays."""

_LONGEST_NAME = 200

_SHARED = ("windows", "frequency", "zone", "season", "source")
"""What every member has in common with its ensemble."""


def add_members(
    mixture: Mixture,
    contents: Callable[[Any], tuple[dict[str, Any], dict[str, np.ndarray]]],
    body: dict[str, Any],
    arrays: dict[str, np.ndarray],
) -> None:
    """Put the members into what is to be saved; `contents` gives those of one forecaster."""
    arrays |= {"range.low": mixture.low, "range.high": mixture.high}
    body["range_ids"] = list(mixture.ids)
    if mixture.fallback != "naive":
        body["fallback"] = mixture.fallback
    body["members"] = []
    for number, member in enumerate(mixture.members):
        inner, own = contents(member.forecaster)
        inner.pop("intervals", None)  # those of the ensemble count
        own = {name: array for name, array in own.items() if not name.startswith("intervals.")}
        body["members"].append({"name": member.name, "weight": member.weight, "model": inner})
        arrays |= {f"member.{number}.{name}": array for name, array in own.items()}


def read_members(
    header: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    read: Callable[[dict[str, Any], dict[str, np.ndarray]], FittedForecaster],
) -> Mixture:
    """The members that were saved: `read` makes one of its header and arrays.

    Raises FormatError where they can't be so.
    """
    saved = field_of(header, "members", list)
    if not 1 <= len(saved) <= MOST_MEMBERS:
        raise FormatError(f"model.json: expected 1 to {MOST_MEMBERS} members of an ensemble, found {len(saved)}.")
    numbers = {name.split(".")[1] for name in arrays if name.startswith("member.")}
    if numbers != {str(number) for number in range(len(saved))}:
        raise FormatError("model.safetensors: the arrays are not those of the members that model.json names.")
    members = []
    for number, entry in enumerate(saved):
        name, weight, inner = (
            field_of(entry, "name", str),
            field_of(entry, "weight", float),
            field_of(entry, "model", dict),
        )
        if not (is_number(weight) and 0 < weight <= 1):
            raise FormatError(
                f"model.json: expected a weight above 0 of the member {shown(name)}, found {shown(weight)}."
            )
        if len(name) > _LONGEST_NAME or any(member.name == name for member in members):
            raise FormatError(
                f"model.json: expected members of different names of at most {_LONGEST_NAME} characters, found "
                f"{shown(name)}."
            )
        for what in _SHARED:
            if inner.get(what) != header.get(what):
                raise FormatError(f"model.json: {shown(what)} of the member {shown(name)} is not that of the ensemble.")
        if field_of(inner, "parameters", dict).get("model") == ENSEMBLE:
            raise FormatError(f"model.json: the member {shown(name)} is an ensemble itself, which none can be.")
        own = f"member.{number}."
        member = read(inner, {k.removeprefix(own): v for k, v in arrays.items() if k.startswith(own)})
        members.append(Member(RENAMED.get(str(name), str(name)), float(weight), member))
    total = sum(member.weight for member in members)
    if abs(total - 1) > 1e-9:
        raise FormatError(f"model.json: expected weights of the members that add up to 1, found {total:.6g}.")
    ids = texts_of(header, "range_ids")
    low, high = (array_of(arrays, f"range.{side}", np.float64, 1) for side in ("low", "high"))
    if not len(low) == len(high) == len(ids) or np.isnan(low).any() or np.isnan(high).any() or (low > high).any():
        raise FormatError("model.safetensors: expected a range of each series under range.low and range.high.")
    fallback = header.get("fallback", "naive")
    if fallback not in FALLBACKS:
        raise FormatError(
            f"model.json: expected 'fallback' to be one of {', '.join(FALLBACKS)}, got {shown(fallback)}."
        )
    return Mixture(tuple(members), tuple(ids), low, high, fallback=fallback)
