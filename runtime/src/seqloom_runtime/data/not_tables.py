"""What is no table: one sentence for each thing that people pass in place of a frame, with what to write instead."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import shown

__all__ = ["no_array_of_numbers", "no_frame", "no_path"]

_EXPECTED = "Expected a pandas, polars or arrow frame, or a NumPy array of numbers, got "


def no_frame(data: Any) -> str:
    """Why `data` is no table, and what to give in its place."""
    kind, home = type(data).__name__, type(data).__module__.split(".")[0]
    what = f"a {home} {kind}" if home in ("pandas", "polars", "pyarrow") else _what(data)
    return f"{_EXPECTED}{what}; {_instead(data, kind, home)}."


def no_array_of_numbers(values: np.ndarray) -> str:
    """Why an array whose cells are no numbers is no table, and what to give in its place."""
    kind = values.dtype.kind
    if values.dtype.names is not None:
        way = "give pd.DataFrame(data), which keeps the names of its fields"
    elif kind == "M":
        way = "times are a column of a frame, named with time="
    elif kind == "m":
        way = "turn durations into numbers: data / np.timedelta64(1, 's')"
    elif kind == "c":
        way = "give the real and the imaginary part as two columns"
    elif _all_numbers(values):
        way = "its cells are numbers, so say data.astype(float)"
    else:
        way = (
            "an array has one type for all cells: give a frame, such as pd.DataFrame(data, columns=[…]), and name its "
            "columns (target=, time=)"
        )
    return f"Expected an array of numbers, got one of type {values.dtype}; {way}."


def no_path(path: Any) -> str | None:
    """What to do where `read_table` is given something that has no path; None where it may be one, or several."""
    if isinstance(path, (str, os.PathLike)):
        return None
    expected = "path: expected the path of a file, a URL or a list of these, got"
    if isinstance(path, (bytes, bytearray)):
        return f"{expected} {len(path):,} bytes; write them to a file and give its path."
    if hasattr(path, "read"):
        return f"{expected} an open file; give its path."
    kind = type(path).__name__
    if kind == "Table" or hasattr(path, "columns") or hasattr(path, "to_frame") or isinstance(path, np.ndarray):
        return f"{expected} a {kind}; what is in memory needs no reading: give it to fit or Panel.from_frame as it is."
    if isinstance(path, Mapping):
        return f"{expected} a dict; make it a frame, pd.DataFrame(data), and give that to fit or Panel.from_frame."
    paths = list(path) if isinstance(path, (list, tuple, set)) or hasattr(path, "__next__") else None
    if paths is None:
        return None if hasattr(path, "__iter__") else f"{expected} {shown(path)}; give one of these."
    wrong = next((one for one in paths if not isinstance(one, (str, os.PathLike))), None)
    return None if wrong is None else f"{expected} one with a value of type {type(wrong).__name__}; give paths."


def _what(data: Any) -> str:
    if data is None:
        return "None"
    kind = type(data).__name__
    return f"the text {shown(data)}" if isinstance(data, str) else f"a {kind}"


def _instead(data: Any, kind: str, home: str) -> str:
    if isinstance(data, (str, os.PathLike)):
        return f"read the file first: seqloom.read_table({str(data)!r})"
    if kind == "LazyFrame" or (hasattr(data, "collect") and hasattr(data, "lazy")):
        return "collect it first: data.collect()"
    if home in ("pandas", "polars") and kind == "Series":
        return _of_series(data, home)
    if "GroupBy" in kind:
        return "give the frame itself, and name the column that it is grouped by with id="
    if kind == "Index" or kind.endswith("Index"):
        return "give the frame that it is the index of"
    if kind == "Tensor":
        return "give data.numpy()"
    if isinstance(data, Mapping):
        return "make a frame of its columns: pd.DataFrame(data) or pl.DataFrame(data)"
    if isinstance(data, (list, tuple)) and data:
        if isinstance(data[0], Mapping):
            return "make a frame of its rows: pd.DataFrame(data) or pl.DataFrame(data)"
        if isinstance(data, tuple) and len(data) == 2 and all(hasattr(part, "__len__") for part in data):
            return "inputs and target are columns of one frame, and target= names the target"
        return "give np.array(data), a row for each time, or a frame with a column of times"
    return "give one of these"


def _of_series(data: Any, home: str) -> str:
    name = data.name if isinstance(data.name, str) and data.name else "value"
    if home == "polars":
        return "say data.to_frame(), with a column of times beside it if there is one"
    frame = f"data.to_frame({name!r})"
    if type(data.index).__name__ not in ("DatetimeIndex", "PeriodIndex"):
        return f"say {frame} and target={name!r}, with a column of times if there is one"
    time = data.index.name if isinstance(data.index.name, str) else None
    renamed = frame if time else f"{frame}.rename_axis('time')"
    return f"say {renamed}, target={name!r} and time={time or 'time'!r}"


def _all_numbers(values: np.ndarray) -> bool:
    if values.dtype.kind == "O" and not all(isinstance(cell, (int, float, np.number, str)) for cell in values.flat):
        return False
    try:
        values.astype(np.float64)
    except (TypeError, ValueError):
        return False
    return True
