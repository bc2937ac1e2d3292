"""Text files as lines and JSON lines as objects, each with its place for messages."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import DataError, shown, suggest
from ..delimited import utf8_text
from ..reading import file_bytes

__all__ = ["field_of", "json_lines", "read_text"]


def read_text(path: str | os.PathLike[str], encoding: str = "utf-8", kinds: str = "text") -> str:
    """The text of a file, plain or gzip; line ends stay as they are.

    Raises DataError for a file that can't be read, with the line and byte where it is not in `encoding`.
    """
    return utf8_text(file_bytes(path, "text", kinds), str(path), encoding, kinds).decode("utf-8")


def json_lines(text: str, source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, object) of each line that isn't empty; raises DataError with the line of anything but an object."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{source}, line {number}: expected one JSON object, found something else at column {error.colno}."
            ) from None
        except (RecursionError, ValueError) as error:
            raise DataError(f"{source}, line {number}: expected one plain JSON object ({error}).") from None
        if not isinstance(value, dict):
            raise DataError(f"{source}, line {number}: expected a JSON object, found {type(value).__name__}.")
        yield number, value


def field_of(value: Mapping[str, Any], name: str, where: str) -> Any:
    """A field of a JSON object; raises DataError, naming those there are, where it is missing."""
    if name not in value:
        names = ", ".join(map(repr, list(value)[:8])) or "none"
        raise DataError(f"{where}: the field {shown(name)} is missing; there are {names}.{suggest(name, value)}")
    return value[name]


def refuse_surrogates(text: str, where: str) -> str:
    """`text`; raises DataError where it holds half of a surrogate pair, as a JSON escape can."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: character {error.start + 1} is half of a surrogate pair, which is no character."
        ) from None
    return text
