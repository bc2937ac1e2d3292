"""Labels of anomalies as windows of time, in the layout of the Numenta Anomaly Benchmark: a JSON object of files, each
with a list of [start, end], both of them in the window."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import numpy as np

from ..errors import DataError, FormatError, printable, shown, suggest
from ..files import read_json
from .panel import Panel
from .times import parse_texts
from .zones import wall_to_instants

__all__ = ["LABEL", "read_labelled_windows", "with_labels"]

LABEL = "anomaly"
"""The column that `with_labels` adds, unless the table has one of that name."""
_PACKED = (".gz", ".zip", ".csv", ".txt", ".tsv", ".parquet", ".xlsx")


def read_labelled_windows(path: str | os.PathLike[str], data: str) -> np.ndarray:
    """The windows (N, 2) datetime64[us] of the file that `data` names, by the end of its path: `nyc_taxi.csv.gz` is
    "realKnownCause/nyc_taxi.csv" too.

    Raises FormatError where the file is not of that layout, DataError where it has no windows for `data`, or two.
    """
    name, found = printable(os.fspath(path)), read_json(path)
    if not isinstance(found, dict):
        raise FormatError(f"{name}: expected an object of files, each with a list of [start, end], found no object.")
    wanted = _plain(data)
    keys = [key for key in found if _plain(key) == wanted]
    if len(keys) != 1:
        what = f"names {len(keys)} files" if keys else "names no file"
        listed = ", ".join(map(shown, list(found)[:6])) + (", …" if len(found) > 6 else "")
        raise DataError(
            f"{name}: {what} called {shown(wanted)}, as the data is.{suggest(wanted, list(map(_plain, found)))} It has "
            f"{listed or 'none'}."
        )
    return _windows(found[keys[0]], f"{name}: {shown(keys[0])}")


def with_labels(panel: Panel, windows: np.ndarray, times: np.ndarray | None = None) -> tuple[Panel, str]:
    """The panel with a column of 1 inside the windows (N, 2) and 0 elsewhere, and its name.

    times: (R,) datetime64[us] of the rows, where the panel has none. Windows are wall clock, as the times of the table
    are. Raises DataError where the rows have no times, or windows lie where no row is.
    """
    times = panel.time if times is None else times
    if times is None:
        raise DataError("labels: windows of time need rows with times; name the column that holds them (time=).")
    ends = windows.astype("M8[us]").astype(np.int64)
    if panel.zone is not None:
        ends = wall_to_instants(ends.ravel(), panel.zone).reshape(-1, 2)
    at = times.astype("M8[us]").astype(np.int64)
    inside = (at[:, None] >= ends[:, 0]) & (at[:, None] <= ends[:, 1])
    empty = np.flatnonzero(~inside.any(axis=0))
    if len(empty):
        start, end = (np.datetime_as_string(windows[int(empty[0]), side], unit="s") for side in (0, 1))
        raise DataError(f"labels: no row lies in the window from {start} to {end}; are these windows of other data?")
    name = LABEL
    while name in panel.columns:
        name += "_"
    label = np.asarray(inside.any(axis=1), dtype=np.float64)[:, None]
    values, filled = np.hstack([panel.values, label]), np.hstack([panel.filled, np.zeros((len(panel), 1), dtype=bool)])
    return replace(panel, values=values, filled=filled, columns=(*panel.columns, name)), name


def _plain(path: str) -> str:
    """The name of a file without folders and what says how it is written."""
    name = PurePath(path.replace("\\", "/")).name
    while name.endswith(_PACKED):
        name = name.rpartition(".")[0]
    return name


def _windows(value: Any, where: str) -> np.ndarray:
    good = isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(end, str) for end in pair) for pair in value
    )
    if not good:
        raise FormatError(f"{where}: expected a list of [start, end], found {shown(value)}.")
    texts: Sequence[str] = [end for pair in value for end in pair]
    moments = parse_texts(texts)
    if len(moments.bad):
        raise FormatError(
            f"{where}: expected times such as 2014-10-30 15:30:00, found {shown(texts[int(moments.bad[0])])}."
        )
    found = moments.values.astype(np.int64).view("M8[us]").reshape(-1, 2)
    late = np.flatnonzero(found[:, 1] < found[:, 0])
    if len(late):
        raise FormatError(f"{where}: expected the end of a window after its start, found {shown(value[int(late[0])])}.")
    return found
