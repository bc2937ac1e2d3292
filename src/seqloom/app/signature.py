"""Builds a command's signature from the options that it takes, so that no option is written twice."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from .every_option import HelpAll
from .options import Asked

__all__ = ["takes"]


def takes(kind: type[Asked]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make `command(settings, …)` a function of the options of `kind` and the rest of its own parameters.

    typer reads a command's options from `__signature__` and `__annotations__`; both are set here.
    """

    def attach(command: Callable[..., None]) -> Callable[..., None]:
        # With the extras: the options stand in Annotated.
        hints = get_type_hints(command, include_extras=True)
        own = [p.replace(annotation=hints[p.name]) for p in inspect.signature(command).parameters.values()][1:]
        keyword = inspect.Parameter.KEYWORD_ONLY
        shared = [
            inspect.Parameter(option.name, keyword, default=option.default, annotation=option.annotation)
            for option in kind.options
        ]

        rare = any(option.rare for option in kind.options)
        if rare:
            own.append(inspect.Parameter("help_all", keyword, default=False, annotation=HelpAll))

        def call(**values: Any) -> None:
            values.pop("help_all", None)  # it has shown the help and ended the command, or was not given
            command(kind(**{option.name: values.pop(option.name) for option in kind.options}), **values)

        parameters = [*shared, *(p.replace(kind=keyword) for p in own)]
        call.__signature__ = inspect.Signature(parameters, return_annotation=None)  # pyright: ignore[reportFunctionMemberAccess]
        # typer reads hints by get_type_hints, which looks here and not into the signature.
        call.__annotations__ = {p.name: p.annotation for p in parameters}
        call.__doc__, call.__name__, call.__module__ = command.__doc__, command.__name__, command.__module__
        return call

    return attach
