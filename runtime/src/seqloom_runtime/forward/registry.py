"""The library of networks without torch: bodies by name, and of which of them, and which head, each task's models are
made.

A task's models are rows of a table: the name that a user gives as `model=`, the body behind it, the values that the
name fixes ("bilstm" is the body lstm with bidirectional=True) and the head that reads its features out. A saved
specification names them, so a saved model is built from these tables and its arrays alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..errors import SettingError, shown, suggest

__all__ = ["BODIES", "MODELS", "BodyKind", "Model", "model_of", "register_body", "register_models"]


@dataclass(frozen=True)
class BodyKind:
    """One row of the table of bodies.

    build: a `BodySpec` and its `Arrays` in, a `Body` out. options: the fields of `BodySpec`, beside kind and inputs,
    that it reads. width: F, how many features a step or a sequence comes out with. activations: what `activation` may
    name. field: how many steps the features of a step see, itself among them; infinity where it is all before it.
    """

    name: str
    build: Callable[[Any, Any], Any]
    options: tuple[str, ...] = ()
    width: Callable[[Any], int] = lambda spec: spec.units
    activations: tuple[str, ...] = ()
    field: Callable[[Any], float] = lambda spec: math.inf


@dataclass(frozen=True)
class Model:
    """What stands behind a task's model name: a body, the values of its `BodySpec` that the name fixes, and a head."""

    body: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    head: str = "linear"


_bodies: dict[str, BodyKind] = {}
_models: dict[str, dict[str, Model]] = {}

BODIES: Mapping[str, BodyKind] = MappingProxyType(_bodies)
MODELS: Mapping[str, Mapping[str, Model]] = MappingProxyType(_models)


def register_body(kind: BodyKind) -> None:
    """Add a body; raises SettingError for a name that is taken."""
    if kind.name in _bodies:
        raise SettingError(f"body: expected a name that is free, got {shown(kind.name)}.")
    _bodies[kind.name] = kind


def register_models(task: str, models: Mapping[str, Model]) -> None:
    """Add models to a task, by the names that a user gives; raises SettingError for a name that is taken."""
    table = _models.setdefault(task, {})
    for name, model in models.items():
        if name in table:
            raise SettingError(f"model: expected a name that is free, got {shown(name)}.")
        table[name] = model


def model_of(task: str, name: str) -> Model:
    """The task's model of that name; raises SettingError for an unknown one.

    >>> model_of("text", "bilstm")
    Model(body='lstm', fixed={'bidirectional': True}, head='linear')
    """
    table = _models.get(task, {})
    if name not in table:
        raise SettingError(
            f"model: expected one of {', '.join(table)}, got {shown(name)}.{suggest(str(name), list(table))}"
        )
    return table[name]
