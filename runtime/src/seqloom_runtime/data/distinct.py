"""The different cells of a column and where each row's stands among them, without a Python step for each row."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["distinct", "texts_as_they_are"]


def texts_as_they_are(column: Any) -> Any | None:
    """A column's cells as a polars Series of texts, each what `str` makes of it and None where it is missing; None for
    a column whose cells have to be asked one by one."""
    import polars as pl

    native = column.to_native() if hasattr(column, "to_native") else None
    if isinstance(native, pl.Series) and (native.dtype in (pl.String, pl.Categorical, pl.Enum)):
        return native.cast(pl.String)
    if isinstance(native, pl.Series) and native.dtype.is_integer():
        return native.cast(pl.String)
    if isinstance(column, np.ndarray) and column.dtype.kind in "iu":
        return pl.Series(column).cast(pl.String)
    return None


def distinct(texts: Any) -> tuple[list[str | None], np.ndarray]:
    """The different cells of a polars Series of R texts, and the place (R,) int64 of each row's cell among them.

    Rows of a series mostly lie together, so that runs of equal cells are found first.

    >>> import polars as pl
    >>> cells, places = distinct(pl.Series(["b", "b", None, "a", "b"]))
    >>> [cells[place] for place in places]
    ['b', 'b', None, 'a', 'b']
    """
    import polars as pl

    if not len(texts):
        return [], np.empty(0, dtype=np.int64)
    first = np.flatnonzero(texts.ne_missing(texts.shift(1)).to_numpy())
    first = first if len(first) and first[0] == 0 else np.concatenate([[0], first])  # a missing cell comes first
    heads = texts.gather(first)
    known = heads.drop_nulls().unique(maintain_order=True)
    places = heads.cast(pl.Enum(known)).to_physical().fill_null(len(known)).to_numpy().astype(np.int64)
    cells: list[str | None] = [*known.to_list(), *([None] if heads.null_count() else [])]
    return cells, np.repeat(places, np.diff(first, append=len(texts)))
