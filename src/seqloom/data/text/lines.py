"""Text files as lines and JSON lines as objects, each with its place for messages."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from ...errors import DataError, shown, suggest
from ...limits import reading
from ..delimited import utf8_text
from ..sources import file_bytes, source_name

__all__ = ["field_of", "json_lines", "read_text", "refuse_surrogates", "written"]


def read_text(path: str | os.PathLike[str], encoding: str = "utf-8", kinds: str = "text") -> str:
    """The text of a file (plain or gzip), a pipe, or standard input ("-"); line ends stay as they are.

    Raises DataError for a file that can't be read, with the line and byte where it is not in `encoding`.
    """
    source = source_name(path)
    with reading(source, f"{kinds} file"):
        return utf8_text(file_bytes(path, "text", kinds), source, encoding, kinds).decode("utf-8")


def json_lines(text: str, source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, object) of each line that isn't empty; raises DataError with the line of anything but an object.

    A field that comes twice is refused, and so are NaN and Infinity, which JSON doesn't know.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = _READER.decode(line)
            if isinstance(value, dict) and line.count('":') + line.count('" :') > len(value):
                json.loads(line, object_pairs_hook=_each_once)  # fields inside fields, or one that comes twice
        except json.JSONDecodeError as error:
            raise DataError(
                f"{source}, line {number}: expected one JSON object, found something else at column {error.colno}."
            ) from None
        except DataError as error:
            raise DataError(f"{source}, line {number}: {error}") from None
        except RecursionError:
            raise DataError(
                f"{source}, line {number}: expected one plain JSON object, it is nested too deeply."
            ) from None
        except ValueError:  # beyond the digits that Python reads
            raise DataError(f"{source}, line {number}: expected ordinary numbers, one has too many digits.") from None
        if not isinstance(value, dict):
            raise DataError(f"{source}, line {number}: expected a JSON object, found {type(value).__name__}.")
        yield number, value


def field_of(value: Mapping[str, Any], name: str, where: str) -> Any:
    """A field of a JSON object; raises DataError, naming those there are, where it is missing."""
    if name not in value:
        names = ", ".join(shown(known, 40) for known in list(value)[:8]) or "none"
        raise DataError(f"{where}: the field {shown(name)} is missing; there are {names}.{suggest(name, value)}")
    return value[name]


def written(value: Any) -> str | None:
    """A label that is a whole number, a truth value or a finite number, as text; None for anything else."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value.is_integer() else str(value)
    return str(value) if isinstance(value, int) else None


def _no_number(word: str) -> NoReturn:
    raise DataError(f"expected JSON, found {word}, which is no number there; leave the field out.")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"the field {shown(twice)} comes twice in one object; keep one of them.")
    return value


# Made once: json.loads makes a new one for every line that is read with an option.
_READER = json.JSONDecoder(parse_constant=_no_number)


def refuse_surrogates(text: str, where: str) -> str:
    """`text`; raises DataError where it holds half of a surrogate pair, as a JSON escape can."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: character {error.start + 1} is half of a surrogate pair, which is no character."
        ) from None
    return text
