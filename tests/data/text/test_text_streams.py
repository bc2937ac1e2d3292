"""Running text in batches: rows that continue one another, every token scored once, exact resume."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import FormatError, SettingError
from seqloom_runtime.data.text import StreamOrder, TokenStreams, TokenWindows


def epoch(batches: Any) -> list[Any]:
    return [next(batches) for _ in range(len(batches))]


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 9))
def test_row_j_of_each_batch_continues_row_j_of_the_one_before(rows: int, streams: int, steps: int) -> None:
    streams = min(streams, rows)
    order = StreamOrder(rows, streams, steps)
    for _ in range(2):
        batches = epoch(order)
        assert all(batch.shape[0] == streams for batch in batches)
        assert all(batch.shape[1] == steps for batch in batches[:-1])
        whole = np.concatenate(batches, axis=1)
        for row in whole:
            there = row[row >= 0]
            assert np.array_equal(there, np.arange(len(there)) + (there[0] if len(there) else 0))
            assert (row[len(there) :] == -1).all()
        assert np.array_equal(np.sort(whole[whole >= 0]), np.arange(rows))


@given(st.integers(2, 60), st.integers(1, 9), st.integers(1, 9), st.integers(0, 12))
def test_streams_of_tokens(size: int, streams: int, steps: int, skip: int) -> None:
    streams = min(streams, size - 1)
    ids = np.arange(size) * 7 + 3  # the next token of i is i + 7
    batches = TokenStreams(ids, streams, steps)
    scored: list[int] = []
    for number, (inputs, targets, fresh) in enumerate(epoch(batches)):
        assert inputs.dtype == targets.dtype == np.int64
        assert fresh == (number == 0)
        known = targets >= 0
        assert np.array_equal(targets[known], inputs[known] + 7)
        scored += targets[known].tolist()
    assert sorted(scored) == ids[1:].tolist()
    assert next(batches).fresh
    check_resume(lambda: TokenStreams(ids, streams, steps), skip)


@given(
    st.integers(2, 60),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 5),
    st.sampled_from([None, 0, 2**63]),
    st.integers(0, 12),
)
def test_overlapping_windows(size: int, length: int, scored: int, batch: int, seed: int | None, skip: int) -> None:
    scored = min(scored, length)
    ids = np.arange(size) * 7 + 3

    def make() -> TokenWindows:
        return TokenWindows(ids, length, scored, batch, seed=seed)

    found: list[int] = []
    for inputs, targets, fresh in make().once():
        assert fresh
        assert inputs.shape[1] == min(length, size - 1)
        known = targets >= 0
        assert np.array_equal(targets[known], inputs[known] + 7)
        found += targets[known].tolist()
        context = known.argmax(axis=1)[inputs[:, 0] != 3]  # tokens seen before the first scored one
        assert (context >= min(length, size - 1) - scored).all()
    assert found == ids[1:].tolist()
    if seed is None:
        once = list(make().once())
        assert len(once) == len(make())
        for a, b in zip(epoch(make()), once, strict=True):
            assert all(np.array_equal(x, y) for x, y in zip(a, b))
    check_resume(make, skip)


def check_resume(make: Any, skip: int) -> None:
    batches = make()
    for _ in range(skip):
        next(batches)
    state = json.loads(json.dumps(batches.state()))
    list(batches.once())
    later = [next(batches) for _ in range(8)]
    fresh = make()
    fresh.restore(state)
    assert fresh.state() == state
    for batch in later:
        again = next(fresh)
        assert again.fresh == batch.fresh
        assert again.inputs.tobytes() == batch.inputs.tobytes()
        assert again.targets.tobytes() == batch.targets.tobytes()


def test_windows_come_in_another_order_each_epoch() -> None:
    batches = TokenWindows(np.arange(201), 4, 2, 10, seed=1)
    first, second = (np.concatenate([batch.inputs[:, 0] for batch in epoch(batches)]) for _ in range(2))
    assert sorted(first.tolist())[:3] == [0, 2, 4]
    assert not np.array_equal(first, np.sort(first))
    assert not np.array_equal(first[:90], second[:90])


def test_windows_of_a_numeric_series_that_follow_one_another() -> None:
    """Two-day windows of 50 streams over 20,000 days, as a stateful classifier of series reads them."""
    order = StreamOrder(20_000, streams=50, steps=2)
    days = np.stack(epoch(order))
    assert days.shape == (200, 50, 2)
    assert np.array_equal(days[1:, :, 0], days[:-1, :, 1] + 1)
    assert np.array_equal(np.sort(days.ravel()), np.arange(20_000))


def test_shuffling_streams_is_refused_with_the_reason() -> None:
    for make in (lambda: StreamOrder(9, 3, 2, shuffle=True), lambda: TokenStreams(np.arange(9), 3, 2, shuffle=True)):
        with pytest.raises(SettingError, match="can't be shuffled, because row j of each batch continues row j"):
            make()


def test_refuses_numbers_out_of_range() -> None:
    for wrong in (0, -1, 2.0, True):
        with pytest.raises(SettingError, match="streams"):
            StreamOrder(9, wrong, 2)  # type: ignore[arg-type]
        with pytest.raises(SettingError, match="steps"):
            StreamOrder(9, 2, wrong)  # type: ignore[arg-type]
        with pytest.raises(SettingError, match="length"):
            TokenWindows(np.arange(9), wrong, 1, 1)  # type: ignore[arg-type]
        with pytest.raises(SettingError, match="batch_size"):
            TokenWindows(np.arange(9), 3, 1, wrong)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="8 rows can't be cut into 9 streams"):
        TokenStreams(np.arange(9), 9, 1)
    with pytest.raises(SettingError, match="scored: expected at most the window's length of 3, got 4"):
        TokenWindows(np.arange(9), 3, 4, 1)
    for ids in ([[1, 2]], [0.5, 1.0], [1], []):
        with pytest.raises(SettingError, match="ids"):
            TokenStreams(np.array(ids), 1, 1)


def test_refuses_a_foreign_state() -> None:
    ids = np.arange(40)
    batches = TokenStreams(ids, 4, 3)
    state = batches.state()
    for other, name in (
        (TokenStreams(ids, 5, 3), "streams 4, this one 5"),
        (TokenStreams(ids, 4, 2), "steps 3, this one 2"),
        (TokenStreams(ids + 1, 4, 3), "checksum"),
        (TokenStreams(ids[:-1], 4, 3), "rows 39, this one 38"),
    ):
        with pytest.raises(FormatError, match=name):
            other.restore(state)
    for seed in (None, 1):
        windows = TokenWindows(ids, 6, 3, 4, seed=seed)
        own = windows.state()
        with pytest.raises(FormatError, match="has text"):
            TokenWindows(ids + 1, 6, 3, 4, seed=seed).restore(own)
        with pytest.raises(FormatError, match="scored 3, this one 2"):
            TokenWindows(ids, 6, 2, 4, seed=seed).restore(own)
        for wrong in ({"position": 40}, {"position": -1}, {"epoch": -1}, {"epoch": 0.0}, {"more": 1}):
            with pytest.raises(FormatError):
                windows.restore(own | wrong)
    for wrong in ({"position": 4}, {"position": -1}, {"epoch": -1}, {"more": 1}):
        with pytest.raises(FormatError):
            batches.restore(state | wrong)
