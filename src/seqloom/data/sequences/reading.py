"""Files of sequences: NumPy .npy and .npz, and tables (CSV, Parquet, Arrow) in long form or with list columns."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, SettingError, suggest
from ..reading import read_table
from ..table import MISSING_WORDS, Table
from .labels import frame_targets
from .ragged import Sequences

__all__ = ["LabelledSequences", "read_sequences"]

_NAMES = {"sequences": ("X", "x", "sequences", "data"), "labels": ("y", "Y", "label", "labels", "target", "targets")}


@dataclass(frozen=True, eq=False)
class LabelledSequences:
    """What a file of sequences holds.

    `target` is None, a label or number for each sequence (N,) or (N, K), or with `every_step` one at each step, (rows,)
    or (rows, K) in the order of `sequences.values`. `ids` (N,) names the sequences; `labels` the columns of `target`.
    """

    sequences: Sequences
    target: np.ndarray | None
    every_step: bool
    ids: tuple[str, ...]
    labels: tuple[str, ...] = ()

    def y(self) -> Any:
        """The target as an estimator's `fit` takes it: (N,), or a list of (T_n,) arrays where every step has one."""
        if self.target is None or not self.every_step:
            return self.target
        return np.split(self.target, self.sequences.offsets[1:-1])


def read_sequences(
    path: str | os.PathLike[str],
    *,
    label: str | Sequence[str] | None = None,
    id: str | None = None,
    time: str | None = None,
    columns: Sequence[str] | None = None,
    every_step: bool | None = None,
) -> LabelledSequences:
    """Sequences and their labels from a file.

    A table in long form has one row for each step: `id` names the column that says which sequence, `time` the one that
    orders the steps (else they stand in order), `columns` the channels (else all others). A table with list columns has
    one row for each sequence; a channel is a column of lists, or one column of lists of lists (steps, channels).
    An .npz holds X (N, T, C) and y, or `values` (rows, C) with `lengths` (N,) and y; an .npy holds X, and `label` names
    another .npy. `label` names the column, or several, to be learned; `every_step` says that it is one at each step
    (found out where it is None). Raises DataError for what can't be used, with its line where it has one.
    """
    path = Path(path)
    labels: tuple[str, ...] = (label,) if isinstance(label, str) else tuple(label or ())
    head = _head(path)
    if head[:6] == b"\x93NUMPY" or head[:4] == b"PK\x03\x04" or path.suffix in (".npy", ".npz"):
        for name, value in (("id", id), ("time", time), ("columns", columns)):
            if value:
                raise SettingError(f"{name}: {path} holds NumPy arrays, which have no columns; leave {name} out.")
        return _from_numpy(path, labels, every_step)
    table = read_table(path)
    for name in (*labels, *(columns or ())):
        table.require(name)
    if id is not None:
        return _from_long(table, id, time, labels, columns, every_step)
    lists = [name for name in table.names if _is_list(table.cells[name])]
    if not lists:
        raise DataError(
            f"{path}: expected the column that says which sequence a row belongs to (id, --id), or columns of lists; "
            f"there are {', '.join(map(repr, table.names[:12]))}."
        )
    return _from_lists(table, lists, labels, columns, every_step)


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(8)
    except FileNotFoundError:
        near = suggest(path.name, sorted(p.name for p in path.parent.iterdir())) if path.parent.is_dir() else ""
        raise DataError(f"{path}: there is no such file.{near}") from None
    except OSError as error:
        raise DataError(f"{path}: the file can't be read: {error.strerror}.") from None


# -- NumPy ----------------------------------------------------------------------------------------------------------


def _from_numpy(path: Path, labels: tuple[str, ...], every_step: bool | None) -> LabelledSequences:
    found = _arrays(path)
    label = labels[0] if labels else None
    if len(labels) > 1:
        raise SettingError(f"label: {path} holds NumPy arrays; name one of them, got {', '.join(labels)}.")
    if isinstance(found, np.ndarray):
        sequences = Sequences.make(found, what=str(path))
        target = None if label is None else _arrays(Path(label))
        if not isinstance(target, (np.ndarray, type(None))):
            raise DataError(f"{label}: expected a .npy file with the labels of {path}, found an .npz.")
    else:
        sequences = _named_sequences(path, found)
        target = _named_labels(path, found, labels)
    if target is None:
        return LabelledSequences(sequences, None, False, _numbered(len(sequences)))
    if every_step is None:
        every_step = _looks_stepwise(sequences, target)
    if every_step:
        if target.ndim >= 1 and len(target) == len(sequences.values) and not sequences.equal:
            target = np.split(target, sequences.offsets[1:-1])
        target = frame_targets(target, sequences, what=f"{path}, labels")
    elif target.ndim == 0 or len(target) != len(sequences):
        raise DataError(
            f"{path}: expected {len(sequences):,} labels, one for each sequence, got an array of shape {target.shape}."
        )
    return LabelledSequences(sequences, target, every_step, _numbered(len(sequences)), labels or ("y",))


def _arrays(path: Path) -> np.ndarray | dict[str, np.ndarray]:
    try:
        with open(path, "rb") as file:
            loaded = np.load(file, allow_pickle=False)
            return loaded if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).split(".")[0]
        hint = ""
        if "allow_pickle" in str(error):
            reason = "it holds Python objects, which could run code"
            hint = " Save sequences of unequal length as arrays `values` (rows, channels) and `lengths` (N,)."
        raise DataError(f"{path}: expected a NumPy file of numbers; {reason}.{hint}") from None


def _named_sequences(path: Path, found: Mapping[str, np.ndarray]) -> Sequences:
    if "values" in found and "lengths" in found:
        values, lengths = found["values"], found["lengths"]
        wide = values[:, None] if values.ndim == 1 else values
        good = wide.ndim == 2 and wide.dtype.kind in "biuf" and lengths.ndim == 1 and lengths.dtype.kind in "iu"
        if not good or not len(lengths) or (lengths < 1).any() or int(lengths.sum()) != len(wide):
            raise DataError(
                f"{path}: expected `values` (rows, channels) and `lengths` (N,) above 0 that add up to the rows, got "
                f"{values.shape} and {lengths.shape} with the sum {lengths.sum() if lengths.size else 0}."
            )
        made = Sequences(wide.copy(), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
        made.check_finite(str(path))
        return made
    known = [name for name in _NAMES["sequences"] if name in found]
    if not known and len(found) == 1:
        known = list(found)
    if not known:
        raise DataError(
            f"{path}: expected an array named X, or `values` with `lengths`; found {', '.join(found) or 'none'}."
        )
    return Sequences.make(found[known[0]], what=f"{path}, {known[0]}")


def _named_labels(path: Path, found: Mapping[str, np.ndarray], labels: tuple[str, ...]) -> np.ndarray | None:
    if labels and labels[0] not in found:
        raise DataError(
            f"{path}: there is no array {labels[0]!r}.{suggest(labels[0], found)} There are {', '.join(found)}."
        )
    return next((found[name] for name in labels or _NAMES["labels"] if name in found), None)


def _looks_stepwise(sequences: Sequences, target: np.ndarray) -> bool:
    if target.ndim >= 2 and sequences.equal:
        return target.shape[:2] == (len(sequences), int(sequences.lengths[0])) and target.shape[1] > 1
    return len(target) == len(sequences.values) != len(sequences)


# -- tables ---------------------------------------------------------------------------------------------------------


def _from_long(
    table: Table,
    id: str,
    time: str | None,
    labels: tuple[str, ...],
    columns: Sequence[str] | None,
    every_step: bool | None,
) -> LabelledSequences:
    names, series = table.labels(id)
    nameless = [n for n, name in enumerate(names) if not name.strip()]
    if nameless:
        row = int(np.flatnonzero(series == nameless[0])[0])
        raise DataError(f"{table.source}, {table.place(row)}, column {id!r}: expected a name, the cell is empty.")
    if time is None:
        order = np.argsort(series, kind="stable")
    else:
        moments = table.moments(time).values
        order = np.lexsort((np.arange(table.rows), moments, series))
        same = np.flatnonzero((np.diff(series[order]) == 0) & (np.diff(moments[order]) == 0))
        if len(same):
            row = int(order[same[0] + 1])
            raise DataError(
                f"{table.source}, {table.place(row)}: sequence {names[series[row]]!r} has two rows at the same "
                f"{time!r}; remove one."
            )
    channels = list(columns or [name for name in table.names if name not in (id, time, *labels)])
    _some_channel(table, channels)
    values = np.stack([_measured(table, name) for name in channels], axis=1)[order]
    lengths = np.bincount(series, minlength=len(names))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    sequences = Sequences(values, offsets, tuple(channels))
    if not labels:
        return LabelledSequences(sequences, None, False, names)
    targets = [_cells(table, name)[order] for name in labels]
    first = offsets[:-1]
    changed = [np.flatnonzero(target != np.repeat(target[first], lengths)) for target in targets]
    constant = not any(len(places) for places in changed)
    if every_step is False and not constant:
        number = next(n for n, places in enumerate(changed) if len(places))
        row = int(order[changed[number][0]])
        raise DataError(
            f"{table.source}, {table.place(row)}, column {labels[number]!r}: expected one label for the whole of "
            f"sequence {names[series[row]]!r}, it changes here; to learn a label at every step, say so (every_step)."
        )
    stepwise = bool(every_step) or not constant
    if not stepwise:
        targets = [target[first] for target in targets]
    return LabelledSequences(sequences, _joined(table, labels, targets), stepwise, names, labels)


def _from_lists(
    table: Table, lists: list[str], labels: tuple[str, ...], columns: Sequence[str] | None, every_step: bool | None
) -> LabelledSequences:
    channels = list(columns or [name for name in lists if name not in labels])
    _some_channel(table, channels)
    plain = [name for name in channels if name not in lists]
    if plain:
        raise DataError(f"{table.source}: expected lists in the channel {plain[0]!r}, one sequence in each row.")
    blocks, lengths = [], None
    for name in channels:
        block, counts = _exploded(table, name)
        if block.dtype.kind != "f":
            raise DataError(f"{table.source}: expected numbers in the channel {name!r}, its lists hold texts.")
        lengths = counts if lengths is None else lengths
        odd = np.flatnonzero(counts != lengths)
        if len(odd):
            raise DataError(
                f"{table.source}, {table.place(int(odd[0]))}, column {name!r}: expected {lengths[odd[0]]} steps, as in "
                f"{channels[0]!r}, got {counts[odd[0]]}."
            )
        blocks.append(block)
    assert lengths is not None
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    names = tuple(channels) if all(block.shape[1] == 1 for block in blocks) else ()
    sequences = Sequences(np.concatenate(blocks, axis=1), offsets, names)
    sequences.check_finite(table.source)
    ids = _numbered(table.rows)
    if not labels:
        return LabelledSequences(sequences, None, False, ids)
    stepwise = all(name in lists for name in labels)
    if every_step is not None and every_step != stepwise:
        raise DataError(
            f"{table.source}: expected {'lists' if every_step else 'one value in each row'} in the label "
            f"{labels[0]!r}, as every_step={every_step} says."
        )
    if not stepwise:
        return LabelledSequences(
            sequences, _joined(table, labels, [_cells(table, n) for n in labels]), False, ids, labels
        )
    targets = []
    for name in labels:
        block, counts = _exploded(table, name)
        odd = np.flatnonzero(counts != lengths)
        if len(odd):
            raise DataError(
                f"{table.source}, {table.place(int(odd[0]))}, column {name!r}: expected {lengths[odd[0]]} labels, one "
                f"at each step, got {counts[odd[0]]}."
            )
        targets.append(block[:, 0] if block.shape[1] == 1 else block)
    return LabelledSequences(
        sequences, targets[0] if len(targets) == 1 else np.column_stack(targets), True, ids, labels
    )


def _some_channel(table: Table, channels: Sequence[str]) -> None:
    if not channels:
        raise DataError(f"{table.source}: expected at least one channel beside the id, time and label columns.")


def _measured(table: Table, name: str) -> np.ndarray:
    """A column of numbers without gaps."""
    values = table.numbers(name)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(
            f"{table.source}, {table.place(int(bad[0]))}, column {name!r}: expected a number, the cell is empty or not "
            f"finite ({len(bad):,} such cells); fill them or leave the sequence out."
        )
    return values


def _cells(table: Table, name: str) -> np.ndarray:
    """A label column as texts, or as float64 where all cells are numbers; none may be missing."""
    column = table.cells[name]
    cells = column.tolist() if isinstance(column, np.ndarray) else column.to_list()
    for row, cell in enumerate(cells):
        if cell is None or cell != cell or (isinstance(cell, str) and cell.strip().lower() in MISSING_WORDS):
            raise DataError(
                f"{table.source}, {table.place(row)}, column {name!r}: expected a label, the cell is empty; leave the "
                "sequence out."
            )
    if not any(isinstance(cell, str) for cell in cells):
        return np.asarray(cells)
    try:
        return np.array([float(str(cell)) for cell in cells])
    except ValueError:
        return np.array([str(cell).strip() for cell in cells])


def _joined(table: Table, labels: tuple[str, ...], targets: list[np.ndarray]) -> np.ndarray:
    if len(targets) == 1:
        return targets[0]
    text = [name for name, target in zip(labels, targets) if target.dtype.kind not in "biuf"]
    if text:
        raise DataError(f"{table.source}, column {text[0]!r}: several label columns must hold numbers, this has texts.")
    return np.stack(targets, axis=1)


def _is_list(column: Any) -> bool:
    import narwhals as nw

    return not isinstance(column, np.ndarray) and column.dtype in (nw.List, nw.Array)


def _exploded(table: Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A column of lists as values (rows, C) float64, or as they are where they are texts; and steps by row (N,)."""
    import polars as pl

    column = pl.Series(table.cells[name].to_native())
    steps, counts = _opened(column)
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        raise DataError(
            f"{table.source}, {table.place(int(empty[0]))}, column {name!r}: expected a list with at least one step, "
            "the cell is empty."
        )
    width = 1
    if isinstance(steps.dtype, (pl.List, pl.Array)):
        steps, widths = _opened(steps)
        odd = np.flatnonzero(widths != widths[0])
        if len(odd) or widths[0] == 0:
            step = int(odd[0]) if len(odd) else 0
            row = int(np.searchsorted(np.cumsum(counts), step, side="right"))
            raise DataError(
                f"{table.source}, {table.place(row)}, column {name!r}: expected {max(int(widths[0]), 1)} channels at "
                f"every step, got {widths[step]}."
            )
        width = int(widths[0])
    if steps.dtype == pl.String:
        return steps.to_numpy().astype(str).reshape(-1, width), counts
    if not (steps.dtype.is_numeric() or steps.dtype == pl.Boolean):
        raise DataError(f"{table.source}, column {name!r}: expected lists of numbers, got {column.dtype}.")
    return steps.cast(pl.Float64).to_numpy().reshape(-1, width), counts


def _opened(column: Any) -> tuple[Any, np.ndarray]:
    """A list column's items, one after the other, and how many each row has; a missing list counts as empty."""
    import polars as pl

    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    counts = column.list.len().fill_null(0).to_numpy().astype(np.int64)
    return column.filter(column.list.len() > 0).explode(), counts


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))
