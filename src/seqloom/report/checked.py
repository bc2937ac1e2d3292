"""Reads JSON files of a run folder and checks their shape, naming the file and the key of whatever is odd."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqloom_runtime.errors import FormatError, shown
from seqloom_runtime.files import read_json

__all__ = ["check_folder", "check_schema", "is_number", "kind_of", "need", "read_object"]

_KINDS = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def check_folder(folder: Path, required: tuple[str, ...]) -> None:
    """Raise FormatError unless `folder` holds the files that a finished run has."""
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise FormatError(f"{folder}: expected a run folder, got {found}: give the folder that a run was written to.")
    missing = [name for name in required if not (folder / name).is_file()]
    # Another folder than was meant is the likelier mistake where none of the files is there.
    if len(missing) == len(required):
        raise FormatError(f"{folder}: not a run folder: none of {', '.join(required)} is in it.")
    if missing:
        raise FormatError(f"{folder / missing[0]}: this file of the run folder is missing: run the command again.")


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object; raises FormatError where it can't be read or holds something else."""
    try:
        value = read_json(path)
    except OSError as error:
        raise FormatError(f"{path}: can't be read ({error.strerror}).") from None
    if not isinstance(value, dict):
        raise FormatError(f"{path}: expected a JSON object, got {kind_of(value)}.")
    return value


def need(mapping: Mapping[str, Any], key: str, kind: type, path: Path, prefix: str = "") -> Any:
    """The value under `key`; raises FormatError where it is missing or of another kind."""
    if key not in mapping:
        raise FormatError(f"{path}: expected the key '{prefix}{key}', which is missing.")
    value = mapping[key]
    # In Python True is an int; in JSON `true` is no number.
    if not isinstance(value, kind) or isinstance(value, bool):
        raise FormatError(f"{path}: expected {_KINDS[kind]} under '{prefix}{key}', got {kind_of(value)}.")
    return value


def check_schema(mapping: Mapping[str, Any], path: Path) -> None:
    """Raise FormatError for a file of another version."""
    if mapping.get("schema") != 1:
        raise FormatError(
            f"{path}: expected schema 1, got {shown(mapping.get('schema'))}: another version wrote this run."
        )


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    return _KINDS.get(type(value), "something else")
