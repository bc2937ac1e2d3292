"""What an estimator says of `y`, or of text 3 of its sources, in the words of someone who named a file: file, line,
column."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seqloom_runtime.errors import DataError, shown

__all__ = ["Origin", "column", "in_files", "placed"]

_PARTS = {"training": "train", "train": "train", "validation": "valid", "valid": "valid", "test": "test"}
_WHAT = re.compile(
    r"(?:(?P<part>training|train|validation|valid|test) )?(?P<what>X|y|sources|targets|pictures|texts)"
    r"(?:(?P<index>\[\d+\])|, (?P<unit>text|picture|sequence) (?P<number>\d+))?: "
)


class Origin:
    """Where the examples of a part come from: the file as it was named, and the place of each example in it, such as
    'line 5'."""

    def __init__(self, source: str, places: Sequence[str]) -> None:
        self.source, self.places = source, places


def placed(message: str, origins: Mapping[str, Origin], columns: Mapping[str, str]) -> str:
    """The message with file, place and column in front, in place of the name of an argument and a number from 0.

    columns: name of the argument → what it is in the file. Messages of another form are left as they are.

    >>> origins = {"train": Origin("pairs.csv", ["line 2", "line 9"])}
    >>> placed("training sources, text 1: expected a text.", origins, {"sources": "column 'en'"})
    "pairs.csv, line 9, column 'en': expected a text."
    >>> placed("y: expected two classes.", origins, {"y": "column 'label'"})
    "pairs.csv, column 'label': expected two classes."
    """
    found = _WHAT.match(message)
    if found is None or found["what"] not in columns:
        return message
    origin = origins.get(_PARTS.get(found["part"] or "train", ""))
    if origin is None:
        return message
    place = ""
    if found["number"] is not None and int(found["number"]) < len(origin.places):
        place = f", {origin.places[int(found['number'])]}"
    elif found["index"] is not None and found["part"] is not None:
        # Without its part a number could be one of any of them.
        number = int(found["index"][1:-1])
        place = f", {origin.places[number]}" if number < len(origin.places) else ""
    named = columns[found["what"]]
    return f"{origin.source}{place}{f', {named}' if named else ''}: {message[found.end() :]}"


def in_files(
    compute: Callable[..., Any], origins: Mapping[str, Origin], columns: Mapping[str, str]
) -> Callable[..., Any]:
    """The same function, whose DataErrors name the file."""

    @functools.wraps(compute)
    def computed(*arguments: Any, **named: Any) -> Any:
        try:
            return compute(*arguments, **named)
        except DataError as error:
            message = placed(str(error), origins, columns)
            if message == str(error):
                raise
            raise DataError(message) from error

    return computed


def column(name: str | None, otherwise: str = "") -> str:
    """A column in words."""
    return f"column {shown(name)}" if name else otherwise
