"""The `seqloom` command: finds its parser, turns mistakes into one sentence and exit code 2."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any, NoReturn

from seqloom_runtime.errors import MissingDependencyError, SeqloomError
from seqloom_runtime.extras import need

from .faults import Stopped, interrupted, of_the_machine, shortened, taken_for_option, usage
from .flags import in_flags
from .ranks import Lost, told_by_rank_0
from .streams import finish, ready_streams, tell

__all__ = ["run"]

_INTERRUPTED = 130


def run() -> NoReturn:
    """Entry point of the command line.

    Exit codes: 0 done, 2 a mistake in what was asked or given, or what the machine refused; 130 interrupted. Anything
    else is a fault of this program and ends with its traceback.
    """
    # By default all objects that the libraries made once and for good are looked through again with every 70,000 new
    # ones, a twentieth of a small job's time.
    gc.set_threshold(10_000, 20, 20)
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

        code = application(sys.argv[1:])(standalone_mode=False) or 0
        if code == _INTERRUPTED:  # in the parser, which tells nothing
            tell("Interrupted.")
        return code
    except SystemExit as done:
        return done.code
    except BaseException as fault:  # the end of the program, where Ctrl-C and panics too become a sentence and a code
        code, text = _ending(fault)
        if text is None:
            raise
        if text and not told_by_rank_0(fault):
            tell(shortened(text))
        return code


def _ending(fault: BaseException) -> tuple[int, str | None]:
    """The exit code and the sentence that `fault` ends the program with; no sentence for a fault of our own."""
    if isinstance(fault, Stopped):
        return _INTERRUPTED, str(fault)
    words = sys.argv[2:] if sys.argv[1:2] == ["tune"] else sys.argv[1:]
    command = words[0] if words else "forecast"
    if isinstance(fault, Lost) and not str(fault):
        return 2, ""
    if isinstance(fault, SeqloomError):
        return 2, f"error: {in_flags(str(fault), command)}"
    # After our own errors: one of those may have Ctrl-C in its chain and still be the better sentence.
    if interrupted(fault):
        return _INTERRUPTED, "Interrupted."
    if (complaint := getattr(fault, "format_message", None)) is not None:  # typer's exceptions, whatever its version
        context = getattr(fault, "ctx", None)
        name = _typed(context)
        if type(fault).__name__ == "NoSuchOption" and (told := taken_for_option(sys.argv[1:])) is not None:
            return 2, f"error: {told}"
        return 2, f"error: {usage(complaint(), name)}" if complaint() else ""  # nothing asked: the help was shown
    text = of_the_machine(fault, _parameters(command))
    return 2, None if text is None else f"error: {text}"


def _typed(context: Any) -> str | None:
    """The words of a command behind `seqloom`, None where there are none."""
    words: list[str] = []
    while context is not None and context.parent is not None:
        words.insert(0, str(context.info_name))
        context = context.parent
    return " ".join(words) or None


def _parameters(command: str) -> tuple[str, ...]:
    """The settings that a command has flags for, none where it is no command that trains."""
    try:
        from .commands import settings_of, trains  # after the commands told theirs

        return tuple(settings_of(command).defaults()) if trains(command) else ()
    except (ImportError, MemoryError, OSError):  # the machine refuses even that
        return ()
