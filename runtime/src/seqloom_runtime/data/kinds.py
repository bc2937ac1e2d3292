"""What the columns of a table are for: numbers and flags are values, a few words are a category, the rest is left
out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import shown
from .categories import NO_MISSING
from .cell_forms import MISSING_MARKS, MISSING_WORDS, NUMBER, TIME, WORDS, form_of
from .cells import kind_of
from .numbers_in_text import text_series

if TYPE_CHECKING:
    from .table import Table

__all__ = ["MOST_CATEGORIES", "columns_of_values", "kind_of_column"]

MOST_CATEGORIES = 50
_SAMPLE = 2000  # cells that are looked at to tell words from numbers
_COUNTS = "only counts the rows"
_FEW = 0.2  # of the cells: a column of fewer numbers is one of texts, one of more is one of numbers with odd cells
_INDEX_NAMES = re.compile(
    r"|unnamed: ?\d+|index|idx|id|no\.?|nr\.?|n|#|row|rows|rownames|row ?(number|id|no)|rowid"
    r"|column_1|record|obs|lfd\.? ?nr\.?",
    re.IGNORECASE,
)


def kind_of_column(table: Table, name: str) -> str:
    """See `Table.kind`. Several readers ask, each time of all cells, so that the answer is kept for this table."""
    known = table.kinds.get(name)
    if known is None or known[0] is not table:
        known = table.kinds[name] = table, _kind_of_cells(table, name)
    return known[1]


def _kind_of_cells(table: Table, name: str) -> str:
    column = table.cells[name]
    if isinstance(column, np.ndarray):
        return _kind_of_numbers(name, column.astype(np.float64)) if column.dtype.kind in "biuf" else "time"
    kind = kind_of(column)
    if kind == "truth":
        return "flag"
    if kind == "number":
        return _kind_of_numbers(name, table.numbers(name))
    if kind != "text":
        return "time" if kind == "time" else "other"
    texts = text_series(column)
    held = _held(table, texts)
    if not len(held):
        return "empty"
    if table.truths(name) is not None:
        return "flag"
    sample = held if len(held) <= _SAMPLE else held.gather_every(len(held) // _SAMPLE)
    forms = [form_of(cell) for cell in sample.to_list()]
    share = {form: forms.count(form) / len(forms) for form in (NUMBER, TIME, WORDS)}
    if share[TIME] > 0.5:
        return "time"
    if share[NUMBER] >= _FEW:
        read = table._read(name)
        if read.asked is not None or len(read.bad):
            return "number"  # and reading it says which cell is none
        return _kind_of_numbers(name, read.values)
    if share[WORDS] > 0.5:
        held = _held(table, texts, but=NO_MISSING)
    distinct = held.n_unique()
    if distinct == 1:
        return "constant"
    return "category" if distinct <= MOST_CATEGORIES and 2 * distinct <= len(held) else "text"


def _held(table: Table, texts: Any, but: frozenset[str] = frozenset()) -> Any:
    """The cells that hold something; words of `but` do."""
    filled = texts.drop_nulls()
    lower = filled.str.to_lowercase()
    gone = [
        *(word for word in MISSING_WORDS if word not in but),
        *MISSING_MARKS,
        *(mark.lower() for mark in table.missing),
    ]
    return filled.filter(~lower.is_in(gone))


def _kind_of_numbers(name: str, values: np.ndarray) -> str:
    known = values[~np.isnan(values)]
    if not len(known):
        return "empty"
    if (known == known[0]).all():
        return "constant"
    counts = len(known) == len(values) and len(values) > 2 and (np.diff(values) == 1).all() and values[0] in (0, 1)
    return "index" if counts and _INDEX_NAMES.fullmatch(name.strip()) else "number"


def _digits(table: Table, name: str, of: Callable[[Iterable[bool]], bool] = any) -> bool:
    """Whether the words of a column begin with a digit, as numbers with something behind do."""
    return of(
        cell.lstrip("+-(")[:1].isdigit() for cell in _held(table, text_series(table.cells[name])).head(9).to_list()
    )


def columns_of_values(table: Table, time: Any, id: str | None, keep: Sequence[str] = ()) -> list[str] | None:
    """The columns that a panel holds by default, categories of words among them, with a note in the table on each that
    it doesn't: texts, and the numbers of the rows. Those in `keep` are held in any case. None where it holds all of
    them or none is left, which reading them then says."""
    named = {id, *([time] if time is None or isinstance(time, str) else time)}
    kept = []
    for name in table.names:
        if name in named:
            continue
        why = None if name in keep else _no_values(table, name)
        if why is None:
            kept.append(name)
        else:
            way = "name it as an input (inputs=)" if why == _COUNTS else "name it as words (categories=)"
            table.decide("left out", f"Column {shown(name)} {why}: it is left out; to read it, {way}.", name)
    return kept if kept and len(kept) + len(named - {None}) < len(table.names) else None


def _no_values(table: Table, name: str) -> str | None:
    """Why a column is none of numbers that a model could read; None where it is one, or reading it says so."""
    column = table.cells[name]
    if isinstance(column, np.ndarray):
        return None
    kind = kind_of(column)
    if kind == "text" or (kind == "number" and _INDEX_NAMES.fullmatch(name.strip())):
        kind = table.kind(name)
        if kind == "category":
            if _digits(table, name, all):
                return "holds numbers with words behind them, no plain ones"
            return None
        if kind == "text" or (kind == "constant" and not _digits(table, name)):
            return f"holds {'a single word' if kind == 'constant' else 'texts'} and is no column of numbers"
    return _COUNTS if kind == "index" else None
