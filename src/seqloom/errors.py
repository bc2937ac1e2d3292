"""The exceptions of seqloom. A message says what was expected, what came and where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BackendError",
    "DataError",
    "FormatError",
    "Interrupted",
    "MissingDependencyError",
    "NotFittedError",
    "RunLockedError",
    "SeqloomError",
    "SettingError",
    "TrainingError",
    "suggest",
]


class SeqloomError(Exception):
    """Base of every exception that seqloom raises on purpose."""


class DataError(SeqloomError, ValueError):
    """A file or frame holds something that can't be used: says the file, line or row, and column."""


class SettingError(SeqloomError, ValueError):
    """An argument or a combination of arguments makes no sense: says the name, the value and what is allowed."""


class FormatError(SeqloomError, ValueError):
    """A model folder, checkpoint or run folder is damaged, altered, foreign or of another version."""


class RunLockedError(SeqloomError, RuntimeError):
    """Another live process is writing the folder."""


class TrainingError(SeqloomError, RuntimeError):
    """Training can't go on, for example because a value became NaN: says which, at which step."""


class Interrupted(SeqloomError, KeyboardInterrupt):
    """Training was stopped by Ctrl-C after its state was saved: the message says how to go on."""


class BackendError(SeqloomError, RuntimeError):
    """An engine was asked for by name and can't do what was asked."""


class NotFittedError(SeqloomError, ValueError, AttributeError):
    """`predict` or `save` was called before `fit`."""


class MissingDependencyError(SeqloomError, ImportError):
    """An optional package is needed and not installed: the message is the command that installs it."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the nearest of `known`, or an empty string where nothing is near.

    >>> suggest("Temprature", ["Temperature", "Wind"])
    " Did you mean 'Temperature'?"
    >>> suggest("zzz", ["Temperature", "Wind"])
    ''
    """
    known = list(known)
    folded = {k.casefold().strip(): k for k in reversed(known)}
    near = difflib.get_close_matches(name.casefold().strip(), list(folded), n=1, cutoff=0.55)
    return f" Did you mean {folded[near[0]]!r}?" if near else ""
