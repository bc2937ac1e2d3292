"""The commands by name. Nothing heavy is imported here, so that `seqloom --help` answers at once."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from seqloom_runtime.errors import Interrupted

from .. import __version__
from .anomalies import anomalies
from .backtest import backtest
from .caption import caption
from .classify import classify
from .data import data
from .embed import embed
from .export import export
from .faults import LEAST_SPACE, Stopped, need_files, need_space
from .flags import settings_of, trains
from .forecast import forecast
from .frames import frames
from .generate import generate
from .inspecting import inspect
from .lm import lm
from .predict import predict
from .reproduce import reproduce
from .running import TRAINING
from .sequences import sequences
from .serve import serve
from .tag import tag
from .transcribe import transcribe
from .translate import translate
from .tune import TUNE, SearchGroup, tuned
from .update import update
from .zoo import zoo

__all__ = ["application", "settings_of", "trains"]

_COMMANDS: list[Callable[..., None]] = [
    forecast,
    anomalies,
    sequences,
    frames,
    caption,
    classify,
    tag,
    translate,
    transcribe,
    lm,
    embed,
    generate,
    backtest,
    predict,
    update,
    export,
    serve,
    inspect,
    data,
    reproduce,
    zoo,
]
_EPILOG = "Terms, their meaning and their source: docs/glossary.md"
_MODELS = {
    "forecast": ("forecast.forecaster", "Forecaster"),
    "backtest": ("forecast.forecaster", "Forecaster"),
    "anomalies": ("anomalies.detector", "AnomalyDetector"),
    "sequences": ("sequences.classifier", "SequenceClassifier"),
    "frames": ("frames.model", "FramePredictor"),
    "caption": ("captions.model", "Captioner"),
    "classify": ("text.classifier", "TextClassifier"),
    "tag": ("tagging.tagger", "SequenceTagger"),
    "transcribe": ("transcription.model", "Transcriber"),
    "translate": ("translation.model", "Seq2Seq"),
    "lm": ("language.model", "LanguageModel"),
    "embed": ("embedding.model", "WordEmbedder"),
}
"""The estimator, by its module, whose models a command's --model names."""


def application(words: Sequence[str] = ()) -> typer.Typer:
    """The parser of the whole command line, or of the command alone that `words` begin with, where they name one.

    Every command has some fifty options: to build all of their parsers takes as long as to import them.
    """
    tuning = list(words[:1]) == ["tune"]
    commands = [] if tuning else _named(words, _COMMANDS)
    app = typer.Typer(
        name="seqloom",
        help="Sequences in, a trained, checked and deployable model out.",
        epilog=_EPILOG,
        no_args_is_help=True,
        add_completion=False,
        # The one sentence is ours to print; typer would draw a traceback in a box.
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for command in commands:
        app.command(command.__name__, cls=_Command, epilog=_EPILOG)(_interruptible(command))
    if commands and commands is not _COMMANDS:
        return app
    search = typer.Typer(name="tune", cls=SearchGroup, help=TUNE, no_args_is_help=True, epilog=_EPILOG)
    training = [command for command in _COMMANDS if command.__name__ in TRAINING]
    for command in _named(words[1:], training) if tuning else training:
        search.command(command.__name__, cls=_Command, epilog=_EPILOG)(_interruptible(tuned(command.__name__)))
    app.add_typer(search)
    return app


def _named(words: Sequence[str], commands: list[Callable[..., None]]) -> list[Callable[..., None]]:
    """The command that the first of `words` names; all of them where it names none."""
    return [command for command in commands if command.__name__ in words[:1]] or commands


class _Command(TyperCommand):
    """A command whose help also names the models that were registered in this process.

    Those that are always there stand in the option itself (a test holds them to the registry): to ask the registry
    would load torch for every `--help`, and something is registered only where it is loaded already.
    """

    def format_help(self, ctx: Any, formatter: Any) -> None:
        module, name = _MODELS.get(self.name or "", ("", ""))
        loaded = sys.modules.get(f"seqloom.tasks.{module}")
        if loaded is not None and name:
            self._add_to_help(getattr(loaded, name)._constraints["model"].names)
        super().format_help(ctx, formatter)

    def _add_to_help(self, models: Sequence[str]) -> None:
        for option in self.params:
            if option.name == "model" and isinstance(option, TyperOption):
                listed = set(re.findall(r"[\w-]+", option.help or ""))
                others = [model for model in models if model not in listed]
                option.help = f"{option.help} Also: {', '.join(others)}." if others else option.help


def _interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """Carry what Ctrl-C left behind past the parser, which would make a bare exit code of it."""

    @functools.wraps(command)
    def call(*arguments: object, **options: object) -> None:
        try:
            # Inside the command and not before the parser: `--help` must answer on any machine.
            need_files()
            need_space(LEAST_SPACE, "seqloom")
            command(*arguments, **options)
        except KeyboardInterrupt as stopped:
            # From None: nobody who pressed Ctrl-C wants the stack.
            raise Stopped(str(stopped) if isinstance(stopped, Interrupted) else "Interrupted.") from None

    return call


def _version(value: bool) -> None:
    if value:
        from seqloom_runtime.native import flavour

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
