"""The commands by name. Nothing heavy is imported here, so that `seqloom --help` answers at once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated, Any

import typer

from .. import __version__
from ..errors import Interrupted
from .backtest import backtest
from .classify import ClassifySettings, classify
from .data import data
from .faults import LEAST_SPACE, Stopped, need_files, need_space
from .forecast import forecast
from .generate import generate
from .inspecting import inspect
from .lm import TextSettings, lm
from .predict import predict
from .reproduce import reproduce
from .sequences import SequenceSettings, sequences
from .tables import Settings
from .tag import TagSettings, tag

__all__ = ["application", "settings_of", "trains"]

_COMMANDS: list[Callable[..., None]] = [
    forecast,
    sequences,
    classify,
    tag,
    lm,
    generate,
    backtest,
    predict,
    inspect,
    data,
    reproduce,
]
_EPILOG = "Terms, their meaning and their source: docs/glossary.md"
_SETTINGS: dict[str, Any] = {
    "sequences": SequenceSettings,
    "classify": ClassifySettings,
    "tag": TagSettings,
    "lm": TextSettings,
}
"""The settings of the commands that have others than `forecast`."""


def application() -> typer.Typer:
    """The parser of the whole command line."""
    app = typer.Typer(
        name="seqloom",
        help="Sequences in, a trained, checked and deployable model out.",
        epilog=_EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for command in _COMMANDS:
        app.command(command.__name__, epilog=_EPILOG)(_interruptible(command))
    return app


def settings_of(command: str) -> Any:
    """The dataclass of a command's settings."""
    return _SETTINGS.get(command, Settings)


def trains(command: str) -> bool:
    """Whether the command has settings of models that it trains."""
    return command in _SETTINGS or command in ("forecast", "backtest")


def _interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """Carry what Ctrl-C left behind past the parser, which would make a bare exit code of it."""

    @functools.wraps(command)
    def call(*arguments: object, **options: object) -> None:
        try:
            need_files()
            need_space(LEAST_SPACE, "seqloom")
            command(*arguments, **options)
        except KeyboardInterrupt as stopped:
            raise Stopped(str(stopped) if isinstance(stopped, Interrupted) else "Interrupted.") from None

    return call


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
