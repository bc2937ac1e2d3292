"""The `seqloom` command, also as `python -m seqloom`: Ctrl-C while it is still being loaded ends it as later on."""

from __future__ import annotations

import sys
from collections import namedtuple
from typing import NoReturn

_INTERRUPTED = 130


def run() -> NoReturn:
    """Entry point of the command line: `app.main.run`, whose import is a part of what Ctrl-C may end."""
    try:
        from .app.main import run as begin

        begin()
    except KeyboardInterrupt:
        if sys.stderr is not None:  # where it was closed before the start
            sys.stderr.write("Interrupted.\n")
        sys.exit(_INTERRUPTED)
    finally:
        # Where Ctrl-C fell into a text that some import executed (those of dataclasses are), CPython 3.11 ends by
        # killing itself, whatever the exit code; executing another text, as this does, makes it forget that.
        namedtuple("_", "")


if __name__ == "__main__":
    run()
