"""The attack on seqloom: seeded streams of hostile inputs, kills and faults, and the driver that runs them for hours.

A target is a module here with `cases(seed) -> Iterator[tuple[str, Callable[[], Any]]]`: an endless stream of
(description, action), the same for the same seed. A description begins with the name under which it is counted and a
colon. An action may return ("accepted"; a whole number counts as so many), or raise a SeqloomError or an OSError with
a number and a file's name ("refused"); anything else that it raises, `WrongResult` above all, is a finding, and so are
a dead process, more than `SECONDS` (of the module, else 10) and memory beyond a bound. It runs in a process that may
die, in an empty folder of its own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["THREADS", "WrongResult"]

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS")

for _name in THREADS:  # read when the libraries load: a process with threads of theirs can't be forked
    os.environ.setdefault(_name, "1")

_TESTS = str(Path(__file__).resolve().parents[1])
if _TESTS not in sys.path:
    sys.path.append(_TESTS)  # what other tests know how to make (run folders, tables) is used here as well


class WrongResult(AssertionError):
    """Something was accepted, and what came out is wrong."""
