"""Columns of words in a panel: each cell is the number of its word among the column's words, −1 where it is missing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError, SettingError, shown
from .cell_forms import MISSING_MARKS, MISSING_WORDS
from .cells import kind_of
from .distinct import distinct
from .numbers_in_text import text_series

if TYPE_CHECKING:
    from .panel import Panel
    from .table import Table

__all__ = ["MISSING", "NO_MISSING", "Words", "categories_of", "check_codes", "coded", "read_categories", "word_of"]

MISSING = -1.0
"""The code of a missing cell: a value like the others, so that no window is lost to it."""

Words = Mapping[str, tuple[str, ...]]
"""The words of each column of words, in the order of their codes."""

NO_MISSING = frozenset({"none"})
"""Words for a missing number that are values among words, as of promotions: none, flyer, tv."""

_WHOLE = re.compile(r"([+-]?\d+)\.0*")
_SHOWN = 4


def word_of(cell: str) -> str:
    """A cell as a word: whole numbers alike, however their decimals are written.

    >>> word_of("3.0"), word_of("03"), word_of("Mon")
    ('3', '03', 'Mon')
    """
    whole = _WHOLE.fullmatch(cell)
    return whole[1] if whole else cell


def categories_of(table: Table, name: str, marks: Sequence[float] = ()) -> tuple[tuple[str, ...], np.ndarray]:
    """The different words of a column, sorted, and each row's position (R,) int64 among them, −1 where it is missing.

    `marks` are numbers that stand for a missing value.
    """
    column = table.texts(name)
    if not isinstance(column, np.ndarray):
        table.require_kind(name, "words", "number", "truth", "text")
    gone = {
        *(word for word in MISSING_WORDS if word not in NO_MISSING),
        *MISSING_MARKS,
        *(mark.lower() for mark in table.missing),
    }
    gone |= {word_of(str(float(mark))) for mark in marks}
    cells, at = distinct(text_series(column))
    kept = [None if cell is None or cell.lower() in gone or word_of(cell) in gone else word_of(cell) for cell in cells]
    ordered = sorted({word for word in kept if word is not None})
    place = {word: number for number, word in enumerate(ordered)}
    return tuple(ordered), np.array([-1 if word is None else place[word] for word in kept], dtype=np.int64)[at]


def read_categories(
    table: Table,
    names: Iterable[str],
    *,
    named: Collection[str] = (),
    asked: Collection[str] = (),
    without: Collection[str] = (),
    marks: Sequence[float] = (),
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """The columns of `names` that hold words, with their words and codes; each is a decision of the table.

    Those of `named` are read as words whatever they hold; others where they hold a few words, those of `asked`, which
    the caller wants to use, where they hold many. Those of `without` are columns of numbers. Raises DataError for a
    named column without a value.
    """
    found = {}
    for name in names:
        if name in without or (name not in named and not _holds_words(table, name, name in asked)):
            continue
        words, codes = categories_of(table, name, marks)
        if not words:
            raise DataError(f"{table.source}: column {shown(name)} holds no value at all; leave it out.")
        found[name] = words, codes
        some = ", ".join(map(shown, words[:_SHOWN])) + (", …" if len(words) > _SHOWN else "")
        if name in named:
            how = "which networks read one-hot, as was asked for (categories=)"
        elif name in asked:
            how = "which networks read one-hot; name other columns to read (inputs=) to leave it out"
        else:
            how = "one-hot for a network that reads it; name it (categories=) to have it read in any case"
        table.decide(
            "category",
            f"Column {shown(name)} is a category of {len(words):,} {'word' if len(words) == 1 else 'words'} ({some}), "
            f"{how}.",
            name,
            "categories" if name in named else "inputs",
        )
    return found


def _holds_words(table: Table, name: str, asked: bool) -> bool:
    column = table.cells[name]
    if isinstance(column, np.ndarray) or kind_of(column) != "text":
        return False
    return table.kind(name) in (("category", "text") if asked else ("category",))


def check_codes(values: np.ndarray, words: Sequence[str], name: str) -> None:
    """Raise DataError where `values` (R,) of a column of words are no codes of them, or words repeat."""
    known = values[~np.isnan(values)]
    if len(set(words)) != len(words) or not all(isinstance(word, str) for word in words):
        raise DataError(f"Panel: expected different texts as the words of column {shown(name)}, got {shown(words)}.")
    if len(known) and ((known % 1 != 0).any() or known.min() < MISSING or known.max() >= len(words)):
        raise DataError(
            f"Panel: column {shown(name)} has {len(words):,} words; expected their numbers from 0, or -1 for a missing "
            "one."
        )


def coded(panel: Panel, names: Iterable[str]) -> Panel:
    """The panel with the columns `names` of numbers as columns of words; those that are ones already stay as they are.

    A missing number is a missing word. Raises DataError for an unknown column.
    """
    names = [name for name in names if name not in panel.words]
    if not names:
        return panel
    values, words = panel.values.copy(), dict(panel.words)
    for name, at in zip(names, panel.positions(names)):
        column = panel.values[:, at]
        levels = np.unique(column[~np.isnan(column)])
        if not len(levels):
            raise SettingError(f"categories: column {shown(name)} holds no value at all; leave it out.")
        words[name] = tuple(word_of(str(float(level))) for level in levels)
        values[:, at] = np.where(np.isnan(column), MISSING, np.searchsorted(levels, column))
    return replace(panel, values=values, words=words)
