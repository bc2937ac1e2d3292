"""The exceptions of seqloom. A message says what was expected, what came and where, and what to do."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable
from typing import Any

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
    "brief",
    "printable",
    "shown",
    "suggest",
    "without_long_words",
]


_LONGEST = 2000  # characters of a message; the longest honest ones name a dozen columns
_LONG_WORD = 400
# A number of a thousand digits or a path in a hostile file is one word, which no terminal can wrap.
_LONG_WORDS = re.compile(rf"\S{{{_LONG_WORD},}}")
_UNSHOWABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"  # control characters, line separators, lone surrogates
    "\u202a-\u202e\u2066-\u2069\ufeff\ufdd0-\ufdef"  # marks that reorder a line; code points that are no characters:
    + "".join(
        chr(plane + end) for plane in range(0, 0x110000, 0x10000) for end in (0xFFFE, 0xFFFF)
    )  # XML has no U+FFFE
    + "]"
)

_MOST_LETTERS, _MOST_NAMES = 200, 20_000  # that are compared to find the name that was meant


class SeqloomError(Exception):
    """Base of every exception that seqloom raises on purpose.

    Its text is fit for a terminal: whatever a file or an argument put into it, control characters are shown escaped
    and words of hundreds of letters cut.
    """

    def __str__(self) -> str:
        return _cut(without_long_words(printable(super().__str__(), keep="\n")), _LONGEST)


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
    if len(name) > _MOST_LETTERS:  # the comparison takes quadratic time
        return ""
    # A hostile file may have a million columns: the nearest of the first ones is help enough.
    known = [k for k in itertools.islice(known, _MOST_NAMES) if len(k) <= _MOST_LETTERS]
    # Reversed, so that of two names that differ only in case the first one wins.
    folded = {k.casefold().strip(): k for k in reversed(known)}
    # Below difflib's default of 0.6, so that short names with one wrong letter are still found.
    near = difflib.get_close_matches(name.casefold().strip(), list(folded), n=1, cutoff=0.55)
    return f" Did you mean {shown(folded[near[0]])}?" if near else ""


def printable(text: str, keep: str = "") -> str:
    """Return `text` fit for a terminal, a chart or a page: control characters, lone surrogates, line separators and
    marks that reverse the writing direction are written as escapes; characters in `keep` stay.

    >>> print(printable("wind" + chr(27) + "[31m speed"))
    wind\\x1b[31m speed
    """
    # Nearly every text; the pattern costs more than this look.
    if text.isprintable():
        return text
    return _UNSHOWABLE.sub(lambda c: c[0] if c[0] in keep else c[0].encode("unicode_escape").decode("ascii"), text)


def without_long_words(text: str) -> str:
    """Return `text` with words of 400 characters or more cut in the middle.

    >>> len(without_long_words("got " + "9" * 5000))
    165
    """
    return text if len(text) < _LONG_WORD else _LONG_WORDS.sub(lambda word: f"{word[0][:80]}…{word[0][-80:]}", text)


def shown(value: Any, longest: int = 80) -> str:
    """Return how `value` is written in a message: its `repr`, escaped, and cut in the middle where it is long.

    >>> shown("T (degC)")
    "'T (degC)'"
    >>> shown("x" * 1000, longest=20)
    "'xxxxxxxx … xxxxxxx'"
    """
    try:
        text = repr(
            # The repr of a string of gigabytes would be made whole only to be cut.
            value[: 2 * longest] + value[-2 * longest :]
            if isinstance(value, str) and len(value) > 4 * longest
            else value
        )
    except (ValueError, RecursionError):  # a number of thousands of digits; a list that holds itself
        text = f"a {type(value).__name__} too long to show"
    return _cut(printable(text), longest)


def brief(text: str, longest: int = 80, keep: str = "") -> str:
    """Return `text` fit to be shown in a table, a heading or a chart: `printable`, and cut in the middle where long.

    >>> brief("a" + chr(9) + "b"), brief("x" * 100_000, longest=20)
    ('a\\\\tb', 'xxxxxxxxx … xxxxxxxx')
    """
    if len(text) > 4 * longest:  # what falls away is not worth escaping
        text = text[: 2 * longest] + text[-2 * longest :]
    return _cut(printable(text, keep), longest)


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    head = (longest - 2) // 2
    return f"{text[:head]} … {text[len(text) - (longest - 3 - head) :]}"
