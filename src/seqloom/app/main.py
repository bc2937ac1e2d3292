"""The `seqloom` command: finds its parser, turns mistakes into one sentence and exit code 2."""

from __future__ import annotations

import os
import re
import sys
from typing import Any, NoReturn

from ..errors import MissingDependencyError, SeqloomError
from ..extras import need
from ..tasks.parameters import ESTIMATORS
from .faults import Stopped, interrupted, of_the_machine, shortened, usage
from .streams import finish, ready_streams, tell

__all__ = ["run"]

_FLAGS = {
    **{name: entry.flag for name, entry in ESTIMATORS["Forecaster"].items() if entry.flag},
    "directory": "--out",
    "resume": "--resume",
    "n_windows": "--windows",
    "step": "--step",
    "gap": "--gap",
    "rows": "--rows",
    "seeds": "--seeds",
    "length": "--length",
    "time_limit": "--time-limit",
}
"""Parameters that are no settings of a command, or whose flag has another name."""

_INTERRUPTED = 130
_TAKE_INPUTS = ("forecast", "backtest")
_GO_ON = r"--out: \1 is not empty; to go on with that run use --resume \1"


def run() -> NoReturn:
    """Entry point of the command line.

    Exit codes: 0 done, 2 a mistake in what was asked or given, or what the machine refused; 130 interrupted. Anything
    else is a fault of this program and ends with its traceback.
    """
    sys.exit(finish(_run()) if ready_streams() else 2)


def _run() -> Any:
    try:
        os.getcwd()
    except OSError:
        tell("error: the folder that you are in is gone or can't be read; change to another one and start again.")
        return 2
    try:
        # Only `commands` needs it: without the app extra this module still loads, and can say so.
        need("typer", "the seqloom command")
    except MissingDependencyError as missing:
        tell(str(missing))
        return 2
    except KeyboardInterrupt:
        tell("Interrupted.")
        return _INTERRUPTED
    try:
        from .commands import application

        code = application()(standalone_mode=False) or 0
        if code == _INTERRUPTED:  # in the parser, which tells nothing
            tell("Interrupted.")
        return code
    except SystemExit as done:
        return done.code
    except BaseException as fault:
        code, text = _ending(fault)
        if text is None:
            raise
        if text:
            tell(shortened(text))
        return code


def _ending(fault: BaseException) -> tuple[int, str | None]:
    """The exit code and the sentence that `fault` ends the program with; no sentence for a fault of our own."""
    if isinstance(fault, Stopped):
        return _INTERRUPTED, str(fault)
    command = sys.argv[1] if len(sys.argv) > 1 else "forecast"
    if isinstance(fault, SeqloomError):
        return 2, f"error: {in_flags(str(fault), command)}"
    # After our own errors: one of those may have Ctrl-C in its chain and still be the better sentence.
    if interrupted(fault):
        return _INTERRUPTED, "Interrupted."
    if (complaint := getattr(fault, "format_message", None)) is not None:  # typer's exceptions, whatever its version
        context = getattr(fault, "ctx", None)
        name = context.info_name if context is not None and context.parent is not None else None
        return 2, f"error: {usage(complaint(), name)}" if complaint() else ""  # nothing asked: the help was shown
    text = of_the_machine(fault, _parameters(command))
    return 2, None if text is None else f"error: {text}"


def _parameters(command: str) -> tuple[str, ...]:
    """The settings that a command has flags for, none where it is no command that trains."""
    try:
        from .commands import settings_of, trains

        return tuple(settings_of(command).defaults()) if trains(command) else ()
    except (ImportError, MemoryError, OSError):  # the machine refuses even that
        return ()


def in_flags(message: str, command: str = "forecast") -> str:
    """A message in the words of a command: its flags where a library user reads the names of parameters.

    >>> in_flags("input_dropout: expected a number below 1, got 1.")
    '--input-dropout: expected a number below 1, got 1.'
    >>> in_flags("name the time zone (zone=), or try encoding='cp1252'.")
    'name the time zone (--time-zone), or try --encoding cp1252.'
    >>> in_flags("weather.csv: the file is empty.")
    'weather.csv: the file is empty.'
    """
    from .commands import settings_of

    # `data` is an argument and has no flag, but for `reproduce`.
    known = set(settings_of(command).defaults()) - {"data"}
    own = dict(_FLAGS)
    if command == "reproduce":
        own["data"] = "--data"  # elsewhere the data is an argument, which has no flag
    if command in _TAKE_INPUTS:
        own["columns"] = "--inputs"
    elif "columns" not in known:  # a command that reads every column
        message = message.replace("Name the columns to use (columns=), or put", "Put").replace(" (columns=)", "")

    def flag(name: str) -> str:
        return own.get(name) or ("--" + name.replace("_", "-") if name in known else name)

    def given(found: re.Match[str]) -> str:
        name, value = flag(found[1]), found[2].strip("'")
        return f"{name} {value}".rstrip() if name != found[1] else found[0]

    message = re.sub(r"^directory: (.*) is not empty; .* give resume=True", _GO_ON, message, flags=re.DOTALL)
    message = re.sub(r"^[a-z_]+(?=: )", lambda found: flag(found[0]), message)
    message = message.replace("header=True", "--header").replace("header=False", "--no-header")
    message = re.sub(r"(?<![\w'/.-])([a-z_]+)=('[^']*'|\d+(?:\.\d+)?|(?=\)))", given, message)
    return re.sub(r"(?<![\w'/.-])[a-z]+(?:_[a-z]+)+(?![\w'/=.])", lambda found: flag(found[0]), message)
