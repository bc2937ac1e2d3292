"""Text files as one text, and the fields of records as texts."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from ...errors import DataError, shown, suggest
from ...limits import reading
from ..decisions import Decision
from ..encodings import utf8_text
from ..json_records import json_lines, json_records
from ..sources import file_bytes, source_name

__all__ = ["field_of", "json_lines", "json_records", "read_text", "refuse_surrogates", "written"]


def read_text(
    path: str | os.PathLike[str],
    encoding: str = "utf-8",
    kinds: str = "text",
    said: list[Decision] | None = None,
) -> str:
    """The text of a file (plain or gzip), a pipe, or standard input ("-"); line ends stay as they are.

    UTF-16 that begins with a byte order mark is read as such, which is appended to `said`. Raises DataError for a file
    that can't be read, with the line and byte where it is not in `encoding`.
    """
    source = source_name(path)
    with reading(source, f"{kinds} file"):
        return utf8_text(
            file_bytes(path, "text", kinds), source, encoding, kinds, [] if said is None else said
        ).decode()


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


def refuse_surrogates(text: str, where: str) -> str:
    """`text`; raises DataError where it holds half of a surrogate pair, as a JSON escape can."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: character {error.start + 1} is half of a surrogate pair, which is no character."
        ) from None
    return text
