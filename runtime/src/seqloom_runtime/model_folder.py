"""A model on disk: `model.safetensors` (arrays) and `model.json` (everything else, with a checksum of each file).

The JSON is data, never code: names in it are looked up in fixed tables, and nothing is imported by a name found in it.
The checksums show damage and accidental change; they are no proof of who wrote the folder.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from .errors import FormatError, SeqloomError, SettingError, brief, printable, shown
from .files import read_json, read_whole, sha256_bytes, write_bytes, write_json
from .limits import reading

__all__ = ["SCHEMA", "is_model_folder", "read_model", "write_model"]

SCHEMA = 1
_HEADER, _ARRAYS, _FORMAT = "model.json", "model.safetensors", "seqloom model"


def is_model_folder(path: str | os.PathLike[str]) -> bool:
    """Whether `path` holds a `model.json`."""
    return (Path(path) / _HEADER).is_file()


def write_model(
    path: str | os.PathLike[str], task: str, body: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write a model folder, whole or not at all: into a temporary folder beside it, then renamed.

    An existing model folder is replaced; anything else at `path` but an empty folder is refused with SettingError.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise SettingError(f"{path} is a file; give the path of a new folder for the model.")
    if path.is_dir() and any(path.iterdir()) and not is_model_folder(path):
        raise SettingError(f"{path} is not empty and holds no model; give the path of a new folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    blob = save_arrays({name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())})
    header = {
        "format": _FORMAT,
        "schema": SCHEMA,
        "task": task,
        "files": {_ARRAYS: {"bytes": len(blob), "sha256": sha256_bytes(blob)}},
        **body,
    }
    # Raises ValueError for NaN and infinity, which JSON can't hold.
    header["checksum"] = _checksum(header, path, SettingError)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        write_bytes(temporary / _ARRAYS, blob)
        write_json(temporary / _HEADER, header)
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o777 & ~mask)
        if path.is_dir():
            retired = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
            os.replace(path, retired / path.name)
            os.replace(temporary, path)
            shutil.rmtree(retired)
        else:
            os.replace(temporary, path)
    except BaseException:  # Ctrl-C too must leave no half-written folder behind
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _hint(path: Path) -> str:
    """What a folder without a model may be."""
    run = next((folder for folder in (path, path.parent) if (folder / "run.json").is_file()), None)
    return "" if run is None else f" The run is not finished: 'seqloom inspect {run}' says how to go on."


def read_model(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a model folder: (header, arrays).

    Raises FormatError, naming the file, where it is missing, damaged, altered, of a newer schema, or not a model.
    """
    path = Path(path)
    if str(path).startswith("zoo:"):
        name = str(path).removeprefix("zoo:")
        raise FormatError(f"{path}: expected a model folder; seqloom.zoo.load({name!r}) opens a model of the zoo.")
    wanted = f"{path}: expected a model folder with {_HEADER} and {_ARRAYS}"
    if not path.is_dir():
        raise FormatError(f"{wanted}, found {'a file' if path.exists() else 'no such folder'}.")
    for name in (_HEADER, _ARRAYS):
        if not (path / name).exists():
            raise FormatError(f"{wanted}; {name} is missing.{_hint(path)}")
    with reading(printable(str(path)), "model folder", error=FormatError):
        header = _header(path)
        return header, _arrays(path, header)


def _header(path: Path) -> dict[str, Any]:
    """The contents of model.json, checked against their own checksum."""
    header = read_json(path / _HEADER)
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise FormatError(f"{path / _HEADER}: this is not a seqloom model (its 'format' is not {_FORMAT!r}).")
    if header.get("schema") != SCHEMA:
        raise FormatError(
            f"{path / _HEADER}: expected schema {SCHEMA}, found {shown(header.get('schema'))}; load it with the "
            "version that wrote it."
        )
    try:
        intact = header.get("checksum") == _checksum(header, path)
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(f"{path / _HEADER}: expected plain JSON values ({error}).") from None
    if not intact:
        raise FormatError(
            f"{path / _HEADER}: the contents don't match their checksum, so the file was altered or damaged."
        )
    return header


def _arrays(path: Path, header: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of model.safetensors, checked against the size and checksum that the header gives."""
    files = header.get("files")
    expected = files.get(_ARRAYS) if isinstance(files, dict) else None
    if not isinstance(expected, dict) or not {"bytes", "sha256"} <= set(expected):
        raise FormatError(f"{path / _HEADER}: expected the size and checksum of {_ARRAYS} under 'files'.")
    size = (path / _ARRAYS).stat().st_size  # before it is read: a wrong one needs no reading
    blob = read_whole(path / _ARRAYS, 2) if size == expected["bytes"] else b""
    if size != expected["bytes"] or sha256_bytes(blob) != expected["sha256"]:
        raise FormatError(
            f"{path / _ARRAYS}: expected {shown(expected['bytes'])} bytes with the checksum that {_HEADER} records, "
            f"found {size} bytes that differ; the file was truncated or altered, so save or copy the model again."
        )
    try:
        return load_arrays(blob)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:  # the others for number types of no NumPy kind
        raise FormatError(
            f"{path / _ARRAYS}: not a valid safetensors file ({brief(str(error), 160)}); save or copy the model again."
        ) from None


def _checksum(header: Mapping[str, Any], path: Path = Path(), error: type[SeqloomError] = FormatError) -> str:
    body = {key: value for key, value in header.items() if key != "checksum"}
    try:
        text = json.dumps(body, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except RecursionError:
        raise FormatError(f"{path / _HEADER}: expected JSON, found brackets nested too deeply.") from None
    try:
        return sha256_bytes(text.encode("utf-8"))
    except UnicodeEncodeError as fault:  # no text file, table or terminal takes it
        near = shown(text[max(0, fault.start - 20) : fault.end + 20])
        raise error(f"{path / _HEADER}: the text near {near} holds half of a surrogate pair; repair it.") from None
