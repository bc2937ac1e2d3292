"""The commands by name. Nothing heavy is imported here, so that `seqloom --help` answers at once."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from .backtest import backtest
from .data import data
from .forecast import forecast
from .inspecting import inspect
from .predict import predict

__all__ = ["application"]


def application() -> typer.Typer:
    """The parser of the whole command line."""
    app = typer.Typer(
        name="seqloom",
        help="Sequences in, a trained, checked and deployable model out.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    app.command("forecast")(forecast)
    app.command("backtest")(backtest)
    app.command("predict")(predict)
    app.command("inspect")(inspect)
    app.command("data")(data)
    return app


def _version(value: bool) -> None:
    if value:
        from ..ops.native import flavour

        typer.echo(f"seqloom {__version__}, {flavour()}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and which engine is installed."
        ),
    ] = False,
) -> None:
    pass
