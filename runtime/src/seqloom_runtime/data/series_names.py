"""The names of series where several columns make them together, such as shop and article."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import DataError, SettingError, shown
from .cells import is_missing
from .table import Table, repeated

__all__ = ["id_columns", "join_parts", "split_names", "split_parts", "with_series_names"]

_BETWEEN = " / "
_ALONE = re.compile(r" (?<!/)/(?!/) ")


def join_parts(parts: Sequence[str]) -> str:
    """Several names as one, with " / " between them.

    A "/" inside a name is doubled, so that `split_parts` gives them back whatever they are.

    >>> join_parts(["shop1", "north"]), join_parts(["a / b", "T/h"])
    ('shop1 / north', 'a // b / T//h')
    """
    return _BETWEEN.join(part.replace("/", "//") for part in parts)


def split_parts(name: str, count: int) -> list[str]:
    """The `count` names that `join_parts` joined; raises DataError where the name is none of its making.

    >>> split_parts("a // b / T//h", 2)
    ['a / b', 'T/h']
    """
    parts = _ALONE.split(name)
    if len(parts) != count or any(part.replace("//", "").count("/") for part in parts):
        raise DataError(
            f"Expected {count} names with ' / ' between them and '/' doubled inside each, got {shown(name)}."
        )
    return [part.replace("//", "/") for part in parts]


def id_columns(id: str | Sequence[str] | None) -> list[str]:
    """The names of the columns in `id`: a list, or a text with commas between.

    >>> id_columns("shop, article")
    ['shop', 'article']
    """
    if isinstance(id, str):
        return [name.strip() for name in id.split(",")]
    names: list[Any] = [] if id is None else [*id] if isinstance(id, Sequence) else [id]
    if not all(isinstance(name, str) for name in names) or (id is not None and not names):
        raise SettingError(f"id: expected the name of a column or names of several, got {shown(id)}.")
    return names


def with_series_names(table: Table, id: str | Sequence[str] | None) -> tuple[Table, str | None]:
    """The table with one column of series names, and that column's name: the named one, or several joined.

    Joined columns leave the table; theirs is called "shop,article" and holds "12 / milk". Raises DataError for a name
    that the table lacks or an empty cell, SettingError for a column that is named twice.
    """
    if id is None or (isinstance(id, str) and id in table.cells):
        return table, id if id is None else str(id)
    names = id_columns(id)
    for name in names:
        table.require(name, "id column")
    if len(names) == 1:
        return table, names[0]
    if (twice := repeated(names)) is not None:
        raise SettingError(f"id: {shown(twice)} is named twice.")
    parts = [_texts(table, name) for name in names]
    together, joined = ",".join(names), np.array([join_parts(part) for part in zip(*parts)], dtype=str)
    cells: dict[str, Any] = {}
    for name, values in table.cells.items():
        if name == names[0]:
            cells[together] = joined
        elif name not in names:
            cells[name] = values
    listed = " and ".join(map(shown, names))
    example = f", such as {shown(str(joined[0]), 40)}" if len(joined) else ""
    table.decide("joined", f"{listed} name the series together{example}.", together, "id")
    return replace(table, cells=cells), together


def split_names(id: str, ids: np.ndarray) -> dict[str, np.ndarray]:
    """The columns that `with_series_names` joined, each (N,) of texts; the one column where none were.

    >>> split_names("shop,article", np.array(["12 / milk", "7 / tea"], dtype=object))["article"].tolist()
    ['milk', 'tea']
    """
    names = id_columns(id)
    try:
        parts = [split_parts(str(name), len(names)) for name in ids.tolist()] if len(names) > 1 else []
    except DataError:  # a single column whose name holds a comma
        parts = []
    if not parts:
        return {id: ids}
    return {name: np.array([part[at] for part in parts], dtype=object) for at, name in enumerate(names)}


def _texts(table: Table, name: str) -> list[str]:
    texts = []
    for row, cell in enumerate(table.texts(name).tolist() if _is_array(table, name) else table.texts(name).to_list()):
        if is_missing(cell):
            raise DataError(f"{table.where(row, name)}: expected a part of the series' name, the cell is empty.")
        texts.append(str(cell))
    return texts


def _is_array(table: Table, name: str) -> bool:
    return isinstance(table.texts(name), np.ndarray)
