"""Text cells as one matrix of bytes, and the few shapes that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["LONGEST", "Cells", "byte_matrix", "shapes_of"]

LONGEST = 80
"""Bytes of a time at most; the bound keeps a column of long texts from becoming a large matrix."""
_MOST_SHAPES = 4096
_FEW = 16


class Cells:
    """The cells of a column: `codes` (N, W) uint8, column by column in memory, their UTF-8 with blanks behind; `odd`
    (N,) bool, those that are empty, too long, or hold what no time holds, whose codes are blanks."""

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
    column = column.fill_null("") if column.null_count() else column
    found = _padded(column)
    first = found.codes[:, 0]
    if ((first == 32) | (first == 9) | (first >= 128)).any() or (found.codes[:, -1] == 9).any():
        column = column.str.strip_chars()  # which costs as much as all of the rest, and few columns need it
        found = _padded(column)
    return found


def _padded(column: Any) -> Cells:
    import polars as pl

    lengths = column.str.len_bytes()
    odd = ((lengths == 0) | (lengths > LONGEST)).to_numpy()
    if odd.any():
        column = column.zip_with(~pl.Series(odd), pl.Series([""], dtype=pl.String))
        lengths = column.str.len_bytes()
    width = max(1, int(lengths.max() or 0))
    if (lengths != width).any():
        if (column.str.len_chars() != lengths).any():  # the padding counts characters, not bytes
            return byte_matrix(column.to_list())
        column = column.str.pad_end(width)
    joined = column.str.join("").cast(pl.Binary).item() if len(column) else b""
    return (
        byte_matrix(column.to_list()) if b"\0" in joined else Cells(_matrix(joined, len(column), width), np.array(odd))
    )


def _matrix(data: bytes, rows: int, width: int) -> np.ndarray:
    # Column by column in memory, as they are read.
    return np.asfortranarray(np.frombuffer(data, np.uint8).reshape(rows, width))


def shapes_of(codes: np.ndarray) -> tuple[list[bytes], np.ndarray]:
    """The distinct shapes of the rows of (N, W) uint8 (digits as 9, letters small, no blanks behind), and each row's
    shape by number (N,) int64; -1 where there are thousands of others, as in a column of free text."""
    if all(_alike(codes[:, column]) for column in range(codes.shape[1])):
        first = np.where((codes[0] - np.uint8(48)) < 10, np.uint8(57), codes[0])
        return [_shape(first)], np.zeros(len(codes), np.int64)
    plain = np.where((codes - np.uint8(48)) < 10, np.uint8(57), codes)
    wide = -(-codes.shape[1] // 8) * 8
    masked = np.zeros((len(codes), wide), np.uint8)
    masked[:, : codes.shape[1]] = plain
    words = masked.view(np.uint64)  # eight bytes at a time
    keys = np.random.default_rng(0).integers(1, 2**63, words.shape[1], dtype=np.uint64) | np.uint64(1)
    sums = words[:, 0] * keys[0]
    for column in range(1, words.shape[1]):
        sums += words[:, column] * keys[column]
    first, which = _distinct(sums)
    if not (words == words[first][which]).all():  # two shapes of one sum: told apart by all their bytes
        _, first, which = np.unique(masked.view(f"V{wide}")[:, 0], return_index=True, return_inverse=True)
        which = which.reshape(-1)
    if len(first) > _MOST_SHAPES:
        common = np.argsort(-np.bincount(which), kind="stable")[:_MOST_SHAPES]
        place = np.full(len(first), -1)
        place[common] = np.arange(_MOST_SHAPES)
        first, which = first[common], place[which]
    same: dict[bytes, int] = {}
    number = np.array([same.setdefault(_shape(masked[row]), len(same)) for row in first.tolist()])
    if len(same) == len(first):
        return list(same), which
    return list(same), np.where(which < 0, -1, number[which])


def _alike(column: np.ndarray) -> bool:
    """Whether a place holds a digit in every row (N,) uint8, or one other character."""
    return bool((column - np.uint8(48)).max() < 10 or (column == column[0]).all())


def _distinct(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each distinct number, and which of them each row (N,) has; few are found without sorting."""
    which = np.zeros(len(sums), np.int64)
    first = [0]
    left = sums != sums[0]
    while left.any():
        if len(first) == _FEW:
            _, found, which = np.unique(sums, return_index=True, return_inverse=True)
            return found, which.reshape(-1)
        row = int(left.argmax())
        same = sums == sums[row]
        which[same] = len(first)
        first.append(row)
        left &= ~same
    return np.array(first), which


def _shape(row: np.ndarray) -> bytes:
    shape = row.tobytes().rstrip(b" \0")
    if shape.isascii():
        return shape.lower()
    small = shape.decode("utf-8", "replace").lower().encode()
    return small if len(small) == len(shape) else shape
