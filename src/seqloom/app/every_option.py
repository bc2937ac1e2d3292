"""Every parameter of an estimator has a flag: those that a command doesn't list itself stand in `--help-all`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

import typer

from ..tasks.constraints import Boolean
from ..tasks.parameters import ESTIMATORS, Parameter
from .options import Asked, Option, flag_name, from_table

__all__ = ["SAID_OTHERWISE", "HelpAll", "reaches"]

A = TypeVar("A", bound=Asked)
SAID_OTHERWISE: Mapping[str, str] = MappingProxyType(
    {
        "validation_fraction": "--valid names the share or the file that validates",
        "kind": "--predict says what is told at each step",
        "refit": "--refit of a backtest trains anew for every cutoff, and nothing is kept that all rows could train",
    }
)
"""Parameters that a command's own option decides, each with the reason why it has no flag of its name there."""


def reaches(estimators: str) -> Callable[[type[A]], type[A]]:
    """Give settings an option for each parameter of `estimators` that they list none for, in the order of the table.

    These stand in `--help-all` alone, and are left to the estimator unless given. Left out are the parameters that
    `SAID_OTHERWISE` names.
    """

    def add(settings: type[A]) -> type[A]:
        there = {option.name for option in settings.options}
        found: list[Option] = []
        for estimator in estimators.split():
            for name, entry in ESTIMATORS[estimator].items():
                if flag_name(entry) not in there and name not in SAID_OTHERWISE:
                    there.add(flag_name(entry))
                    found.append(_rare(estimator, entry))
        settings.options = (*settings.options, *found)
        return settings

    return add


def _rare(estimator: str, entry: Parameter) -> Option:
    (option,) = from_table(estimator, entry.name)
    if isinstance(entry.constraint, Boolean):
        # None as default, which leaves it to the estimator: a flag that is off must then have a name too.
        flags = entry.flag or "--{0}/--no-{0}".format(entry.name.replace("_", "-"))
        option = replace(option, default=None, flags=flags, shown=entry.shown or _switched(flags, entry.default))
    return replace(option, default=None, rare=True)


def _switched(flags: str, default: Any) -> str:
    """The half of `--x/--no-x` that is the default, without its dashes, as typer shows it."""
    return flags.split("/")[0 if default else 1].removeprefix("--")


def _show_all(context: typer.Context, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        for parameter in context.command.params:
            parameter.hidden = False  # pyright: ignore[reportAttributeAccessIssue]
        typer.echo(context.get_help())
        raise typer.Exit


HelpAll = Annotated[
    bool,
    typer.Option(
        "--help-all",
        is_eager=True,
        callback=_show_all,
        help="Show the rarer options too, and exit.",
        rich_help_panel="Output",
    ),
]
