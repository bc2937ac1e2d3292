"""JSON as records: one object a line, or one array of objects, each with its place for messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from ..errors import DataError, shown
from ..limits import need_memory

__all__ = ["is_json_array", "json_array", "json_lines", "json_records"]

_PARSED = 12  # bytes of memory for one of text, while an array is parsed


def is_json_array(text: str | bytes) -> bool:
    """Whether a text begins as an array of JSON objects, or an empty one, does."""
    head = (text[:65536] if isinstance(text, str) else text[:65536].decode("utf-8", "ignore")).lstrip()
    return head.startswith("[") and head[1:].lstrip()[:1] in ("{", "]", "")


def json_records(text: str, source: str) -> tuple[str, Iterator[tuple[int, dict[str, Any]]]]:
    """What records are counted in ("line" or "item"), and (number from 1, object) of each."""
    return ("item", json_array(text, source)) if is_json_array(text) else ("line", json_lines(text, source))


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


def json_array(text: str, source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(item, object) of each item of an array; raises DataError with the line where it is no JSON, with the item that
    is no object."""
    value = parsed(text, source)
    if not isinstance(value, list):
        raise DataError(f"{source}: expected an array of JSON objects, found {type(value).__name__}.")
    for number, item in enumerate(value, 1):
        if not isinstance(item, dict):
            raise DataError(f"{source}, item {number}: expected a JSON object, found {shown(item, 60)}.")
        yield number, item


def parsed(text: str, source: str) -> Any:
    """The one JSON value of a text; raises DataError with the line where it is none."""
    need_memory(_PARSED * len(text), f"{source}: its JSON", "Write one object a line.", error=DataError)
    try:
        return json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{source}, line {error.lineno}: expected JSON, found something else at column {error.colno} "
            f"({error.msg.lower()})."
        ) from None
    except DataError as error:
        raise DataError(f"{source}: {error}") from None
    except RecursionError:
        raise DataError(f"{source}: expected plain JSON objects, it is nested too deeply.") from None
    except ValueError:
        raise DataError(f"{source}: expected ordinary numbers, one has too many digits.") from None


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
