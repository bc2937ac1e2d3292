"""The layout of the PhysioNet/Computing in Cardiology Challenge 2012: a folder of records as `Time,Parameter,Value`.

Each file is one stay: its times are HH:MM since admission, its first rows descriptors (RecordID, Age, Gender, Height,
ICUType, Weight), of which −1 is unknown. Outcomes-a.txt holds a row for each RecordID.
Source: Silva et al. (2012), Predicting in-hospital mortality of ICU patients, Computing in Cardiology 39.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, SettingError, shown, suggest
from ...limits import over_limit, read_limit, reading
from ..decisions import Decision
from .record_times import clock_hours
from .records import Records

__all__ = ["is_physionet", "read_physionet"]

_HEAD = "Time,Parameter,Value"
_ID = "RecordID"
_LABEL = "In-hospital_death"
_UNKNOWN = -1.0
_MOST_NAMES = 1000
_NAMED = 5


def is_physionet(path: Any) -> bool:
    """Whether a path is a folder that holds a record of the layout."""
    if not isinstance(path, (str, os.PathLike)) or not os.path.isdir(path):
        return False
    first = next((file for file in sorted(Path(path).glob("*.txt")) if not _is_outcomes(file)), None)
    if first is None:
        return False
    try:
        with open(first, "rb") as file:
            return file.read(len(_HEAD)).decode("ascii", "replace") == _HEAD
    except OSError:
        return False


def read_physionet(
    folder: str | os.PathLike[str],
    *,
    outcomes: str | os.PathLike[str] | None = None,
    label: str | None = None,
    value_columns: Sequence[str] | None = None,
) -> Records:
    """The records of a folder of that layout, by RecordID, with their labels where there is an outcomes file.

    outcomes: the file; without it the one in the folder or beside it (Outcomes-a.txt for set-a). label: one of its
    columns of two values, In-hospital_death by default. value_columns: the parameters to read, by default all.
    Raises DataError with file and line for what can't be used: an id on one side alone, a time that is none or goes
    back, a label that is none.
    """
    root = Path(folder)
    files = [file for file in sorted(root.glob("*.txt")) if not _is_outcomes(file)]
    if not files:
        raise DataError(f"{root}: expected records as .txt files of the form {_HEAD}, found none.")
    parsed = [_record(file) for file in files]
    ids = [record[0] for record in parsed]
    twice = next((n for n, name in enumerate(ids) if name in ids[:n]), None) if len(set(ids)) < len(ids) else None
    if twice is not None:
        raise DataError(f"{files[twice]}: the {_ID} {shown(ids[twice])} is that of {files[ids.index(ids[twice])]} too.")
    known = sorted({name for _, rows in parsed for _, cells in rows for name in cells})
    columns = _columns(root, known, value_columns)
    place = {name: at for at, name in enumerate(columns)}
    values, times, lengths = [], [], []
    for file, (name, rows) in zip(files, parsed):
        block = np.full((len(rows), len(columns)), np.nan)
        for row, (_, cells) in enumerate(rows):
            for parameter, value in cells.items():
                if parameter in place:
                    block[row, place[parameter]] = value
        kept = ~np.isnan(block).all(axis=1)
        if not kept.any():
            raise DataError(
                f"{file}: record {shown(name)} has no value in any of {', '.join(columns[:_NAMED])}"
                f"{', …' if len(columns) > _NAMED else ''}; remove the file."
            )
        values.append(block[kept])
        times.append(np.array([time for time, _ in rows])[kept])
        lengths.append(int(kept.sum()))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    what = f"{root} holds {len(files):,} records of the PhysioNet 2012 layout; times are hours since admission, "
    decisions = [Decision("layout", f"{what}−1 in a descriptor is a gap, and of one parameter twice the last counts.")]
    labels = _labels(root, outcomes, label, ids, decisions)
    return Records(
        np.concatenate(values),
        np.concatenate(times),
        offsets,
        columns,
        tuple(ids),
        target=None if labels is None else labels[1],
        label="" if labels is None else labels[0],
        unit="h",
        decisions=decisions,
    )


def _is_outcomes(file: Path) -> bool:
    return file.name.lower().startswith("outcomes")


def _columns(root: Path, known: list[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    if len(known) > _MOST_NAMES:
        raise DataError(f"{root}: expected at most {_MOST_NAMES} different parameters, found {len(known):,}.")
    for name in wanted or ():
        if name not in known:
            raise DataError(f"{root}: no parameter is named {shown(name)}.{suggest(name, known)}")
    return tuple(dict.fromkeys(wanted or known))


def _record(file: Path) -> tuple[str, list[tuple[float, dict[str, float]]]]:
    """A record's id, and its times with the parameters that were measured there."""
    lines = _lines(file)
    if lines[0].strip() != _HEAD:
        raise DataError(f"{file}, line 1: expected {_HEAD}, got {shown(lines[0].strip())}.")
    name, rows, last = "", [], -1.0
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        parts = [part.strip() for part in line.split(",")]
        if len(parts) != 3:
            raise DataError(f"{file}, line {number}: expected {_HEAD}, got {shown(line.strip())}.")
        time, value = clock_hours(parts[0]), _number(parts[2])
        if time is None:
            raise DataError(
                f"{file}, line {number}, column 'Time': expected hours and minutes since admission such as 31:07, got "
                f"{shown(parts[0])}."
            )
        if value is None:
            raise DataError(f"{file}, line {number}, column 'Value': expected a number, got {shown(parts[2])}.")
        if time < last:
            raise DataError(
                f"{file}, line {number}: the times of record {shown(name or file.stem)} go back, {parts[0]} comes "
                "after a later one; sort its rows by time."
            )
        if time > last:
            rows.append((time, {}))
            last = time
        if parts[1] == _ID:
            name = str(int(value)) if value.is_integer() else parts[2]
        elif parts[1] and not (value == _UNKNOWN and time == 0):
            rows[-1][1][parts[1]] = value
    if not rows:
        raise DataError(f"{file}: expected rows of measurements under {_HEAD}, found none; remove the file.")
    return name or file.stem, rows


def _labels(
    root: Path,
    outcomes: str | os.PathLike[str] | None,
    label: str | None,
    ids: Sequence[str],
    decisions: list[Decision],
) -> tuple[str, np.ndarray] | None:
    """The name of the label and its values (N,), or None where there is no outcomes file and none is asked for."""
    file = Path(outcomes) if outcomes is not None else _beside(root)
    if file is None:
        if label is not None:
            raise DataError(
                f"{root}: expected its outcomes, Outcomes-a.txt for set-a, in the folder or beside it; found none."
            )
        return None
    lines = _lines(file)
    names = [name.strip() for name in lines[0].split(",")]
    wanted = label or _LABEL
    for name in (_ID, wanted):
        if name not in names:
            raise DataError(f"{file}: no column is named {shown(name)}.{suggest(name, names)} There are {names}.")
    found: dict[str, float] = {}
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        parts = [part.strip() for part in line.split(",")]
        own = parts[names.index(_ID)] if len(parts) == len(names) else ""
        value = _number(parts[names.index(wanted)]) if own else None
        if value not in (0.0, 1.0):
            raise DataError(f"{file}, line {number}, column {shown(wanted)}: expected 0 or 1, got {shown(line)}.")
        if found.setdefault(own, value) != value:
            raise DataError(f"{file}, line {number}: record {shown(own)} has another label above.")
    unknown = [name for name in ids if name not in found]
    if unknown:
        listed = ", ".join(unknown[:_NAMED]) + (", …" if len(unknown) > _NAMED else "")
        raise DataError(f"{file}: no row is of the record {listed}, which {root} holds; add its outcome or remove it.")
    extra = len(found) - len(ids)
    text = f"The label is {wanted} of {file}"
    decisions.append(Decision("label", text + (f"; {extra:,} of its rows have no record here." if extra else ".")))
    return wanted, np.array([found[name] for name in ids])


def _beside(root: Path) -> Path | None:
    letter = root.resolve().name.rpartition("-")[2]
    for place in (root, root.resolve().parent):
        files = [file for file in sorted(place.glob("*.txt")) if _is_outcomes(file)]
        exact = [file for file in files if file.stem.lower() == f"outcomes-{letter}".lower()]
        if exact or len(files) == 1:
            return (exact or files)[0]
        if files:
            listed = ", ".join(file.name for file in files[:_NAMED])
            raise SettingError(f"label: {place} holds several outcomes files ({listed}); name one of them.")
    return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _lines(file: Path) -> list[str]:
    with reading(str(file), "record of the PhysioNet 2012 layout"):
        limit = read_limit()
        if file.stat().st_size > limit:
            raise over_limit(str(file), limit)
        lines = file.read_text("utf-8-sig").splitlines()
    if not lines:
        raise DataError(f"{file}: the file is empty.")
    return lines
