"""Padding and truncation on either side, beside a loop over rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import SettingError
from seqloom_runtime.data.text import pad_sequences

SIDES = st.sampled_from(["before", "after"])


@given(
    st.lists(st.lists(st.integers(0, 99), max_size=7), max_size=6),
    st.one_of(st.none(), st.integers(1, 9)),
    SIDES,
    SIDES,
    st.booleans(),
)
def test_against_a_loop(rows: list[list[int]], length: int | None, padding: Any, truncation: Any, arrays: bool) -> None:
    given = [np.array(row, dtype=np.int32) for row in rows] if arrays else rows
    ids, mask = pad_sequences(given, length, padding=padding, truncation=truncation, value=-5)
    width = length or max([1, *map(len, rows)])
    assert ids.shape == mask.shape == (len(rows), width)
    assert ids.dtype == np.int64
    assert mask.dtype == bool
    for row, numbers, kept in zip(rows, ids.tolist(), mask.tolist()):
        row = row[max(0, len(row) - width) :] if truncation == "before" else row[:width]
        fill = width - len(row)
        after = padding == "after"
        assert numbers == (row + [-5] * fill if after else [-5] * fill + row)
        assert kept == ([True] * len(row) + [False] * fill if after else [False] * fill + [True] * len(row))


def test_the_last_tokens_are_kept_by_default() -> None:
    ids, mask = pad_sequences([[1, 2, 3, 4], [], [5]], 3)
    assert ids.tolist() == [[2, 3, 4], [0, 0, 0], [5, 0, 0]]
    assert mask.sum(axis=1).tolist() == [3, 0, 1]
    assert pad_sequences([[], []])[0].tolist() == [[0], [0]]


def test_refuses_other_settings() -> None:
    for length in (0, -1, 2.0, True):
        with pytest.raises(SettingError, match="length"):
            pad_sequences([[1]], length)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="padding: expected 'before' or 'after', got 'left'"):
        pad_sequences([[1]], padding="left")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="truncation"):
        pad_sequences([[1]], truncation="pre")  # type: ignore[arg-type]
