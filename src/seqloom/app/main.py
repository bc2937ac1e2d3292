"""The `seqloom` command: finds its parser, turns mistakes into one sentence and exit code 2."""

from __future__ import annotations

import os
import re
import sys
from typing import NoReturn

from ..errors import SeqloomError

__all__ = ["run"]

_FLAGS = {
    "levels": "--level",
    "zone": "--time-zone",
    "n_windows": "--windows",
    "step": "--step",
    "gap": "--gap",
    "rows": "--rows",
    "seeds": "--seeds",
    "length": "--length",
    "time_limit": "--time-limit",
}
"""Parameters that are no settings of a forecast, or whose flag has another name."""


def run() -> NoReturn:
    """Entry point of the command line.

    Exit codes: 0 done, 2 a mistake in what was asked or given, 130 interrupted. Anything else is a fault of this
    program and ends with its traceback.
    """
    code = _run()
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _run() -> int | str | None:
    try:
        import typer  # noqa: F401  (only to see whether it is there)
    except ImportError:
        print("The seqloom command needs its app extra: pip install 'seqloom[app]'", file=sys.stderr)
        return 2
    try:
        from .commands import application

        application()()
    except SystemExit as done:
        return done.code
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except SeqloomError as error:
        print(f"error: {in_flags(str(error), *sys.argv[1:2])}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno is None:
            raise
        place = f"{error.filename}: " if error.filename is not None else ""
        print(f"error: {place}{error.strerror}.", file=sys.stderr)
        return 2
    return 0


def in_flags(message: str, command: str = "forecast") -> str:
    """A message in the words of a command: its flags where a library user reads the names of parameters.

    >>> in_flags("input_dropout: expected a number below 1, got 1.")
    '--input-dropout: expected a number below 1, got 1.'
    >>> in_flags("weather.csv: the file is empty.")
    'weather.csv: the file is empty.'
    """
    from .commands import settings_of

    known = set(settings_of(command).__dataclass_fields__) - {"data"}

    def flag(name: str) -> str:
        return _FLAGS.get(name) or ("--" + name.replace("_", "-") if name in known else name)

    if "inputs" not in known and "columns" in known:  # what the readers of tables call by the forecast's flag
        message = message.replace("--inputs", "--columns")
    message = re.sub(r"^[a-z_]+(?=: )", lambda found: flag(found[0]), message)
    message = re.sub(r"\bat='(path|last)'", r"--at \1", message)
    return re.sub(r"(?<![\w'/.-])[a-z]+(?:_[a-z]+)+(?![\w'/=.])", lambda found: flag(found[0]), message)
