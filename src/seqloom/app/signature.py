"""Builds a command's signature from the option groups that it takes, so that no option is written twice."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from typer.models import OptionInfo

__all__ = ["takes"]


def takes(group: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make `command(settings, …)` a function of the fields of the dataclass `group` and the rest of its own parameters.

    typer reads a command's options from `__signature__` and `__annotations__`; both are set here. Options are shown
    under the `panel` of the class that declares them.
    """

    def attach(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(command, include_extras=True)
        own = [p.replace(annotation=hints[p.name]) for p in inspect.signature(command).parameters.values()][1:]
        shared = _parameters(group)
        names = [parameter.name for parameter in shared]

        def call(**values: Any) -> None:
            command(group(**{name: values.pop(name) for name in names}), **values)

        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*shared, *own)]
        call.__signature__ = inspect.Signature(parameters, return_annotation=None)  # pyright: ignore[reportFunctionMemberAccess]
        call.__annotations__ = {p.name: p.annotation for p in parameters}
        call.__doc__, call.__name__, call.__module__ = command.__doc__, command.__name__, command.__module__
        return call

    return attach


def _parameters(group: type) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=_in_panel(hints[field.name], _home(group, field)),
        )
        for field in fields(group)
    ]


def _home(group: type, field: Field[Any]) -> type:
    """The class of `group`'s ancestry that declares the field."""
    return next(kind for kind in group.__mro__ if field.name in vars(kind).get("__annotations__", {}))


def _in_panel(hint: Any, home: type) -> Any:
    if get_origin(hint) is not Annotated:
        return hint
    kind, info = get_args(hint)
    if isinstance(info, OptionInfo) and info.rich_help_panel is None:
        info = copy(info)
        info.rich_help_panel = vars(home)["panel"]
    return Annotated[kind, info]
