"""The library of networks: bodies, poolings and heads by name, and of which of them each task's models are made.

A task's models are rows of a table: the name that a user gives as `model=`, the body behind it, the values that the
name fixes ("bilstm" is the body lstm with bidirectional=True) and the head that reads its features out. The estimators'
constraints, their error sentences and the command line list what stands there, so a registered model is found by all
of them, and a saved one is loaded where the same registration has been made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, overload

from torch import nn

from seqloom_runtime.errors import SettingError, shown, suggest
from seqloom_runtime.forward import BODIES as FORWARD
from seqloom_runtime.forward.registry import Model

__all__ = [
    "BODIES",
    "HEADS",
    "BodyKind",
    "HeadKind",
    "Model",
    "Names",
    "body_kind",
    "model_of",
    "names_for",
    "register_body",
    "register_head",
    "register_models",
]


@dataclass(frozen=True)
class BodyKind:
    """One row of the table of bodies.

    summary: what it is, in a line; use: what it is for.
    build: a `BodySpec` and a seed in, a `Body` out, all its weights drawn from the seed.
    options: the fields of `BodySpec`, beside kind and inputs, that it reads.
    width: F, how many features a step or a sequence comes out with. activations: what `activation` may name.
    field: how many steps the features of a step see, itself among them; infinity where it is all before it.
    """

    name: str
    summary: str
    use: str
    build: Callable[[Any, Any], nn.Module]
    options: tuple[str, ...] = ()
    width: Callable[[Any], int] = lambda spec: spec.units
    activations: tuple[str, ...] = ()
    field: Callable[[Any], float] = lambda spec: math.inf


@dataclass(frozen=True)
class HeadKind:
    """One row of the table of heads: features (…, F) in, O numbers (…, O) out.

    build: F, O, a generator that draws the weights, and the options that the task has (`hidden`, `dropout`).
    """

    name: str
    summary: str
    build: Callable[..., nn.Module]


_bodies: dict[str, BodyKind] = {}
_heads: dict[str, HeadKind] = {}
_TASKS = (
    "forecast",
    "sequences",
    "pictures",
    "films",
    "text",
    "tagging",
    "language",
    "translation",
    "captions",
    "anomalies",
    "similarity",
    "records",
    "transcription",
)
_models: dict[str, dict[str, Model]] = {task: {} for task in _TASKS}

BODIES: Mapping[str, BodyKind] = MappingProxyType(_bodies)
HEADS: Mapping[str, HeadKind] = MappingProxyType(_heads)


def body_kind(name: str, summary: str, use: str, build: Callable[[Any, Any], nn.Module]) -> BodyKind:
    """The row of a body that the runtime runs too: what it reads, its width and its field are told there, once."""
    told = FORWARD[name]
    return BodyKind(name, summary, use, build, told.options, told.width, told.activations, told.field)


def register_body(kind: BodyKind, *, tasks: Sequence[str] = ()) -> None:
    """Add a body to the library, and to each of `tasks` a model of its name.

    Raises SettingError for a name that is taken and for a task that there isn't.
    """
    _refuse_taken("body", kind.name, _bodies)
    for task in tasks:
        _refuse_taken("model", kind.name, _table(task))
    _bodies[kind.name] = kind
    for task in tasks:
        register_models(task, {kind.name: Model(kind.name)})


def register_head(kind: HeadKind) -> None:
    """Add a head to the library; raises SettingError for a name that is taken."""
    _refuse_taken("head", kind.name, _heads)
    _heads[kind.name] = kind


def register_models(task: str, models: Mapping[str, Model]) -> None:
    """Add models to a task, by the names that a user gives.

    Raises SettingError for a name that is taken, and for a task, a body or a head that there isn't.
    """
    table = _table(task)
    for name, model in models.items():
        _refuse_taken("model", name, table)
        for what, wanted, known in (("body", model.body, _bodies), ("head", model.head, _heads)):
            if wanted not in known:
                raise SettingError(f"{what}: expected one of {', '.join(known)}, got {shown(wanted)}.")
    table.update(models)


def model_of(task: str, name: str) -> Model:
    """What a task's model is made of; raises SettingError for a name that is not in its table."""
    table = _table(task)
    if name not in table:
        raise SettingError(
            f"model: expected one of {', '.join(table)}, got {shown(name)}.{suggest(str(name), list(table))}"
        )
    return table[name]


class Names(Sequence[str]):
    """The names of a task's models, others before and after them; what is registered later is there too."""

    def __init__(self, task: str, before: Collection[str] = (), after: Collection[str] = ()) -> None:
        self._task, self._before, self._after = task, before, after

    def _all(self) -> tuple[str, ...]:
        return (*self._before, *_table(self._task), *self._after)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...

    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return repr(self._all())


def names_for(task: str, *, before: Collection[str] = (), after: Collection[str] = ()) -> Names:
    """What `model=` may name in a task: its networks, with its baselines before or after them, which may grow too.

    >>> list(names_for("sequences", after=("majority",)))
    ['rnn', 'gru', 'lstm', 'tcn', 'conv', 'conv-gru', 'majority']
    """
    _table(task)
    return Names(task, before, after)


def _table(task: str) -> dict[str, Model]:
    if task not in _models:
        raise SettingError(f"task: expected one of {', '.join(_models)}, got {shown(task)}.")
    return _models[task]


def _refuse_taken(what: str, name: str, known: Mapping[str, Any]) -> None:
    if name in known:
        raise SettingError(f"{what}: expected a name that is free, got {shown(name)}, which is registered already.")
