"""Files of sequences: NumPy .npy and .npz, and tables (CSV, Parquet, Arrow) in long form or with list columns."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...errors import DataError, SettingError, shown, suggest
from ...limits import reading
from ..decisions import Decision
from ..moments import Moments
from ..sources import STDIN, packed_bytes, source_name
from ..table import Table
from ..time_columns import named_time
from .arrays import Archive, is_numpy, opened_arrays
from .columns import exploded, is_list, label_cells, measured
from .files import is_table, piped, said, table_from
from .labels import frame_targets
from .left_out import without_missing
from .ragged import Sequences

__all__ = ["LabelledSequences", "read_sequences"]

_KINDS = "NumPy, CSV, Parquet or Arrow"
_NAMES = {"sequences": ("X", "x", "sequences", "data"), "labels": ("y", "Y", "label", "labels", "target", "targets")}


@dataclass(frozen=True, eq=False)
class LabelledSequences:
    """What a file of sequences holds.

    `target` is None, a label or number for each sequence (N,) or (N, K), or with `every_step` one at each step, (rows,)
    or (rows, K) in the order of `sequences.values`. `ids` (N,) names the sequences; `labels` the columns of `target`;
    `decisions` say what was decided where the file could be read in several ways.
    """

    sequences: Sequences
    target: np.ndarray | None
    every_step: bool
    ids: tuple[str, ...]
    labels: tuple[str, ...] = ()
    decisions: list[Decision] = field(default_factory=list)

    def y(self) -> Any:
        """The target as an estimator's `fit` takes it: (N,), or a list of (T_n,) arrays where every step has one."""
        if self.target is None or not self.every_step:
            return self.target
        return np.split(self.target, self.sequences.offsets[1:-1])


def read_sequences(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    label: str | Sequence[str] | None = None,
    id: str | None = None,
    time: str | None = None,
    columns: Sequence[str] | None = None,
    every_step: bool | None = None,
    time_format: str | None = None,
    missing: Sequence[str] = (),
    **form: Any,
) -> LabelledSequences:
    """Sequences and their labels from a file, several files of rows, or a database.

    A table in long form has one row for each step: `id` names the column that says which sequence, `time` the one that
    orders the steps (else they stand in order), `columns` the channels (else all others). A table with list columns has
    one row for each sequence; a channel is a column of lists, or one column of lists of lists (steps, channels).
    An .npz holds X (N, T, C) and y, or `values` (rows, C) with `lengths` (N,) and y; an .npy holds X, and `label` names
    another .npy. `label` names the column, or several, to be learned; `every_step` says that it is one at each step
    (found out where it is None). `time_format` is the form of the times, `time` may name several columns with commas
    between; `form` says how a table is written, as for `read_table` (encoding, separator, header, sheet, query, …); a
    `file_column` may be the `id` where each file is a sequence. `missing` are marks of a missing cell, texts or numbers
    in text: a sequence that holds one, or an empty cell, is left out, and it is said; without marks it is refused.
    Raises DataError for what can't be used, with its line where it has one, and SettingError where `form` asks for what
    NumPy arrays don't have.
    """
    labels: tuple[str, ...] = (label,) if isinstance(label, str) else tuple(label or ())
    form, named, marks = said(form), (id, *labels, *(columns or ())), tuple(map(str, missing))
    form |= {"missing": marks} if marks else {}
    if marks and id is None:
        raise SettingError("missing: marks of missing cells are for a table with a row for each step; name its id.")
    if is_table(path, form):
        return _from_table(table_from(path, form, named), labels, id, time, columns, every_step, time_format, marks)
    assert isinstance(path, (str, os.PathLike))
    source = source_name(path)
    with reading(source, "file of sequences (NumPy, CSV, Parquet or Arrow)"):
        data = packed_bytes(path, "sequences", _KINDS) if not _is_file(path) else None
        head = _head(path) if data is None else data[:8]
        if is_numpy(path, head):
            given = {"id": id, "time": time, "columns": columns, "time_format": time_format, **form}
            for name, value in given.items():
                if value is not None and value != ():
                    raise SettingError(f"{name}: {source} holds NumPy arrays, which have no columns; leave {name} out.")
            with opened_arrays(path, data) as found:
                return _from_numpy(source, found, labels, every_step)
        table = table_from(path, form, named) if data is None else piped(data, source, form, named)
        return _from_table(table, labels, id, time, columns, every_step, time_format, marks)


def _from_table(
    table: Table,
    labels: tuple[str, ...],
    id: str | None,
    time: str | None,
    columns: Sequence[str] | None,
    every_step: bool | None,
    time_format: str | None = None,
    marks: tuple[str, ...] = (),
) -> LabelledSequences:
    for name in (*labels, *(columns or ())):
        table.require(name)
    if id is not None:
        chosen = named_time(table, time, time_format)
        if marks:
            parts = {id, chosen.time, *labels}
            channels = list(columns or [name for name in chosen.table.names if name not in parts])
            table = without_missing(chosen.table if chosen.moments is None else table, id, channels, labels, marks)
            chosen = named_time(table, time, time_format)
        moments = None
        if chosen.time is not None:
            moments = chosen.moments or chosen.table.moments(chosen.time, time_format)
            for what, text in moments.decisions:
                chosen.table.decide(what, f"Column {shown(chosen.time)}: {text}.", chosen.time, "time_format")
        found = _from_long(chosen.table, id, chosen.time, moments, labels, columns, every_step)
        return replace(found, decisions=_used(chosen.table.decisions, found, chosen.time))
    lists = [name for name in table.names if is_list(table.cells[name])]
    if not lists:
        raise DataError(
            f"{table.source}: expected the column that says which sequence a row belongs to (id=), or columns of "
            f"lists; there are {', '.join(map(shown, table.names[:12]))}."
        )
    found = _from_lists(table, lists, labels, columns, every_step)
    return replace(found, decisions=_used(table.decisions, found, None))


def _used(decisions: Sequence[Decision], found: LabelledSequences, time: str | None) -> list[Decision]:
    """What was decided of the file, and of the columns that are read."""
    read = {*found.sequences.channels, *found.labels, time, None}
    return [decision for decision in decisions if decision.column in read]


def _is_file(path: str | os.PathLike[str]) -> bool:
    try:
        return os.fspath(path) != STDIN and stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False  # `packed_bytes` says why


def _head(path: str | os.PathLike[str]) -> bytes:
    with open(path, "rb") as file:
        return file.read(8)


# -- NumPy ----------------------------------------------------------------------------------------------------------


def _from_numpy(
    source: str, found: np.ndarray | Archive, labels: tuple[str, ...], every_step: bool | None
) -> LabelledSequences:
    label = labels[0] if labels else None
    if len(labels) > 1:
        raise SettingError(f"label: {source} holds NumPy arrays; name one of them, got {', '.join(labels)}.")
    if isinstance(found, np.ndarray):
        sequences = Sequences.make(found, what=source)
        target = None if label is None else _labels_beside(label, source)
    else:
        sequences = _named_sequences(source, found)
        target = _named_labels(source, found, labels)
    if target is not None and target.dtype.kind in "mMc":
        raise DataError(
            f"{source}, labels: expected numbers, truth values or texts, got an array of type {target.dtype}; save the "
            "labels as one of these."
        )
    if target is None:
        return LabelledSequences(sequences, None, False, _numbered(len(sequences)))
    if every_step is None:
        every_step = _looks_stepwise(sequences, target)
    if every_step:
        if target.ndim >= 1 and len(target) == len(sequences.values) and not sequences.equal:
            target = np.split(target, sequences.offsets[1:-1])
        target = frame_targets(target, sequences, what=f"{source}, labels")
    elif target.ndim == 0 or len(target) != len(sequences):
        raise DataError(
            f"{source}: expected {len(sequences):,} labels, one for each sequence, got an array of shape "
            f"{target.shape}."
        )
    return LabelledSequences(sequences, target, every_step, _numbered(len(sequences)), labels or ("y",))


def _labels_beside(label: str, source: str) -> np.ndarray:
    with opened_arrays(label) as found:
        if isinstance(found, np.ndarray):
            return found
    raise DataError(f"{source_name(label)}: expected a .npy file with the labels of {source}, found an .npz.")


def _named_sequences(source: str, found: Mapping[str, np.ndarray]) -> Sequences:
    if "values" in found and "lengths" in found:
        values, lengths = found["values"], found["lengths"]
        wide = values[:, None] if values.ndim == 1 else values
        good = wide.ndim == 2 and wide.dtype.kind in "biuf" and lengths.ndim == 1 and lengths.dtype.kind in "iu"
        good = good and len(lengths) > 0 and not (lengths < 1).any() and not (lengths > len(wide)).any()
        if not good or int(lengths.sum()) != len(wide):
            raise DataError(
                f"{source}: expected `values` (rows, channels) and `lengths` (N,) above 0 that add up to the rows, got "
                f"{values.shape} and {lengths.shape}{_sum_of(lengths)}."
            )
        made = Sequences(wide, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
        made.check_finite(source)
        return made
    known = [name for name in _NAMES["sequences"] if name in found]
    if not known and len(found) == 1:
        known = list(found)
    if not known:
        raise DataError(
            f"{source}: expected an array named X, or `values` with `lengths`; found {_listed(found) or 'none'}."
        )
    return Sequences.make(found[known[0]], what=f"{source}, {known[0]}")


def _named_labels(source: str, found: Mapping[str, np.ndarray], labels: tuple[str, ...]) -> np.ndarray | None:
    if labels and labels[0] not in found:
        raise DataError(
            f"{source}: there is no array {shown(labels[0])}.{suggest(labels[0], found)} There are {_listed(found)}."
        )
    return next((found[name] for name in labels or _NAMES["labels"] if name in found), None)


def _listed(names: Iterable[str]) -> str:
    return shown(", ".join(names))[1:-1]


def _sum_of(lengths: np.ndarray) -> str:
    return f" with the sum {sum(lengths.ravel().tolist())}" if lengths.dtype.kind in "iu" else ""


def _looks_stepwise(sequences: Sequences, target: np.ndarray) -> bool:
    if not target.ndim:
        return False
    if target.ndim >= 2 and sequences.equal:
        return target.shape[:2] == (len(sequences), int(sequences.lengths[0])) and target.shape[1] > 1
    return len(target) == len(sequences.values) != len(sequences)


# -- tables ---------------------------------------------------------------------------------------------------------


def _from_long(
    table: Table,
    id: str,
    time: str | None,
    times: Moments | None,
    labels: tuple[str, ...],
    columns: Sequence[str] | None,
    every_step: bool | None,
) -> LabelledSequences:
    names, series = table.labels(id)
    nameless = [n for n, name in enumerate(names) if not name.strip()]
    if nameless:
        row = int(np.flatnonzero(series == nameless[0])[0])
        raise DataError(f"{table.where(row, id)}: expected a name, the cell is empty.")
    if times is None:
        order = np.argsort(series, kind="stable")
    else:
        moments = times.values
        order = np.lexsort((np.arange(table.rows), moments, series))
        same = np.flatnonzero((np.diff(series[order]) == 0) & (np.diff(moments[order]) == 0))
        if len(same):
            row = int(order[same[0] + 1])
            raise DataError(
                f"{table.source}, {table.place(row)}: sequence {shown(names[series[row]])} has two rows at the same "
                f"{shown(time)}; remove one."
            )
    channels = list(columns or [name for name in table.names if name not in (id, time, *labels)])
    _some_channel(table, channels)
    values = np.stack([measured(table, name) for name in channels], axis=1)[order]
    lengths = np.bincount(series, minlength=len(names))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    sequences = Sequences(values, offsets, tuple(channels))
    if not labels:
        return LabelledSequences(sequences, None, False, names)
    targets = [label_cells(table, name)[order] for name in labels]
    first = offsets[:-1]
    changed = [np.flatnonzero(target != np.repeat(target[first], lengths)) for target in targets]
    constant = not any(len(places) for places in changed)
    if every_step is False and not constant:
        number = next(n for n, places in enumerate(changed) if len(places))
        row = int(order[changed[number][0]])
        raise DataError(
            f"{table.where(row, labels[number])}: expected one label for the whole of sequence "
            f"{shown(names[series[row]])}, it changes here; to learn a label at every step, say so (every_step)."
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
        raise DataError(f"{table.source}: expected lists in the channel {shown(plain[0])}, one sequence in each row.")
    blocks, lengths = [], None
    for name in channels:
        block, counts = exploded(table, name)
        if block.dtype.kind != "f":
            raise DataError(f"{table.source}: expected numbers in the channel {shown(name)}, its lists hold texts.")
        lengths = counts if lengths is None else lengths
        odd = np.flatnonzero(counts != lengths)
        if len(odd):
            raise DataError(
                f"{table.where(int(odd[0]), name)}: expected {lengths[odd[0]]} steps, as in "
                f"{shown(channels[0])}, got {counts[odd[0]]}."
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
            f"{shown(labels[0])}, as every_step={every_step} says."
        )
    if not stepwise:
        return LabelledSequences(
            sequences, _joined(table, labels, [label_cells(table, n) for n in labels]), False, ids, labels
        )
    targets = []
    for name in labels:
        block, counts = exploded(table, name)
        odd = np.flatnonzero(counts != lengths)
        if len(odd):
            raise DataError(
                f"{table.where(int(odd[0]), name)}: expected {lengths[odd[0]]} labels, one "
                f"at each step, got {counts[odd[0]]}."
            )
        targets.append(block[:, 0] if block.shape[1] == 1 else block)
    return LabelledSequences(
        sequences, targets[0] if len(targets) == 1 else np.column_stack(targets), True, ids, labels
    )


def _some_channel(table: Table, channels: Sequence[str]) -> None:
    if not channels:
        raise DataError(f"{table.source}: expected at least one channel beside the id, time and label columns.")


def _joined(table: Table, labels: tuple[str, ...], targets: list[np.ndarray]) -> np.ndarray:
    if len(targets) == 1:
        return targets[0]
    text = [name for name, target in zip(labels, targets) if target.dtype.kind not in "biuf"]
    if text:
        raise DataError(
            f"{table.source}, column {shown(text[0])}: several label columns must hold numbers, this has texts."
        )
    return np.stack(targets, axis=1)


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))
