"""The `seqloom` command: finds its parser, turns mistakes into one sentence and exit code 2."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from ..errors import Interrupted, SeqloomError

__all__ = ["run"]


def run() -> NoReturn:
    """Entry point of the command line. Exit codes: 0 done, 2 a mistake in what was asked or given, 130 interrupted."""
    try:
        import typer  # noqa: F401  (only to see whether it is there)
    except ImportError:
        print("The seqloom command needs its app extra: pip install 'seqloom[app]'", file=sys.stderr)
        sys.exit(2)
    from .commands import application

    try:
        application()(standalone_mode=True)
    except SeqloomError as error:
        _say(error)
        sys.exit(130 if isinstance(error, Interrupted) else 2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        print(f"error: {error.filename or 'file system'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)


def _say(error: SeqloomError) -> None:
    prefix = "" if isinstance(error, Interrupted) else "error: "
    print(f"{prefix}{error}", file=sys.stderr)
