"""Text cells as one matrix of bytes, and the few shapes that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["LONGEST", "Cells", "byte_matrix", "shapes_of"]

LONGEST = 80
"""Bytes of a time at most; the bound keeps a column of long texts from becoming a large matrix."""
_MOST_SHAPES = 4096


class Cells:
    """The cells of a column: `codes` (N, W) uint8, their UTF-8 with blanks behind; `odd` (N,) bool, those that are
    empty, too long, or hold what no time holds, whose codes are blanks."""

    def __init__(self, codes: np.ndarray, odd: np.ndarray) -> None:
        self.codes, self.odd = codes, odd

    def text(self, row: int) -> str:
        """A cell as text."""
        return self.codes[row].tobytes().decode("utf-8", "replace").strip()


def byte_matrix(texts: Sequence[str | None] | Any) -> Cells:
    """The cells of a sequence of texts, or of a polars Series of them, which is read without making Python texts."""
    if type(texts).__module__.startswith("polars"):
        return _from_polars(texts)
    cells = [(text or "").strip().encode("utf-8", "replace") for text in texts]
    odd = np.array([not cell or len(cell) > LONGEST or b"\0" in cell for cell in cells], dtype=bool)
    cells = [b"" if bad else cell for cell, bad in zip(cells, odd.tolist())]
    width = max([1, *map(len, cells)])
    return Cells(_matrix(b"".join(cell.ljust(width) for cell in cells), len(cells), width), odd)


def _from_polars(column: Any) -> Cells:
    import polars as pl

    column = column.fill_null("")
    lengths = column.str.len_bytes()
    # One look at the ends: most columns hold no blanks to take away, and doing so costs more than the rest.
    if column.str.contains(r"^\s|\s$").any():
        column = column.str.strip_chars()
        lengths = column.str.len_bytes()
    odd = ((lengths == 0) | (lengths > LONGEST) | column.str.contains("\0", literal=True)).to_numpy()
    if odd.any():
        column = column.zip_with(~pl.Series(odd), pl.Series([""], dtype=pl.String))
        lengths = column.str.len_bytes()
    width = max(1, int(lengths.max() or 0))  # type: ignore[arg-type]
    if (lengths != width).any():
        if (column.str.len_chars() == lengths).all():
            column = column.str.pad_end(width)
        else:  # which counts characters, not bytes
            return Cells(byte_matrix(column.to_list()).codes, np.array(odd))
    joined = column.str.join("").item() if len(column) else ""
    return Cells(_matrix(joined.encode(), len(column), width), np.array(odd))


def _matrix(data: bytes, rows: int, width: int) -> np.ndarray:
    return np.frombuffer(data, np.uint8).reshape(rows, width)


def shapes_of(codes: np.ndarray) -> tuple[list[bytes], np.ndarray]:
    """The distinct shapes of the rows of (N, W) uint8 (digits as 9, letters small, no blanks behind), and each row's
    shape by number (N,) int64; -1 where there are thousands of others, as in a column of free text."""
    small = (
        codes + np.where((codes >= 65) & (codes <= 90), np.uint8(32), np.uint8(0)) if _has_capitals(codes) else codes
    )
    masked = np.where((small - np.uint8(48)) < 10, np.uint8(57), small)
    if (masked == masked[0]).all():
        return [_shape(masked[0])], np.zeros(len(codes), np.int64)
    keys = np.random.default_rng(0).integers(1, 2**63, masked.shape[1], dtype=np.uint64)
    hashed = np.zeros(len(masked), np.uint64)
    for column in range(masked.shape[1]):
        hashed += masked[:, column] * keys[column]
    _, first, which = np.unique(hashed, return_index=True, return_inverse=True)
    which = which.reshape(-1)
    if not (masked == masked[first[which]]).all():  # two shapes of one sum: told apart by all their bytes
        whole = np.ascontiguousarray(masked).view(f"V{masked.shape[1]}")[:, 0]
        _, first, which = np.unique(whole, return_index=True, return_inverse=True)
        which = which.reshape(-1)
    if len(first) > _MOST_SHAPES:
        common = np.argsort(-np.bincount(which), kind="stable")[:_MOST_SHAPES]
        place = np.full(len(first), -1)
        place[common] = np.arange(_MOST_SHAPES)
        first, which = first[common], place[which]
    shapes = [_shape(masked[row]) for row in first.tolist()]
    same: dict[bytes, int] = {}
    number = np.array([same.setdefault(shape, len(same)) for shape in shapes])
    return list(same), np.where(which < 0, -1, number[which])


def _has_capitals(codes: np.ndarray) -> bool:
    return bool(((codes >= 65) & (codes <= 90)).any())


def _shape(row: np.ndarray) -> bytes:
    shape = row.tobytes().rstrip(b" ")
    if shape.isascii():
        return shape
    small = shape.decode("utf-8", "replace").lower().encode()
    return small if len(small) == len(shape) else shape
