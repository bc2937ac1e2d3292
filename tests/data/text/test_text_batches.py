"""Batches of like length: every sequence once per epoch, little padding, exact resume."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import FormatError, SettingError
from seqloom_runtime.data.text import LengthBuckets, LengthSorted

LENGTHS = st.lists(st.integers(0, 30), min_size=1, max_size=40)


@given(LENGTHS, st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**64 - 1), st.integers(0, 20))
def test_epochs_are_whole_and_resume_is_exact(lengths: list[int], size: int, pool: int, seed: int, skip: int) -> None:
    order = LengthBuckets(lengths, size, seed, pool=pool)
    per_epoch = len(order)
    assert per_epoch == -(-len(lengths) // size)
    batches = [next(order) for _ in range(skip)]
    state = json.loads(json.dumps(order.state()))
    later = [next(order) for _ in range(2 * per_epoch)]
    batches += later
    for epoch in range(len(batches) // per_epoch):
        part = batches[epoch * per_epoch : (epoch + 1) * per_epoch]
        assert sorted(np.concatenate(part).tolist()) == list(range(len(lengths)))
        assert sum(len(batch) < size for batch in part) <= 1
    fresh = LengthBuckets(lengths, size, seed, pool=pool)
    fresh.restore(state)
    assert fresh.state() == state
    for batch in later:
        assert next(fresh).tobytes() == batch.tobytes()


def test_batches_hold_like_lengths_and_come_in_another_order_each_epoch() -> None:
    lengths = np.random.default_rng(0).geometric(0.02, 3000)

    def padding(pool: int) -> float:
        order = LengthBuckets(lengths, 32, 1, pool=pool)
        return sum(lengths[b].max() * len(b) for b in (next(order) for _ in range(len(order)))) / lengths.sum()

    assert padding(50) < 1.15 < 2.5 < padding(1)
    order = LengthBuckets(lengths, 32, 1)
    first, second = ([next(order) for _ in range(len(order))] for _ in range(2))
    assert not any(np.array_equal(a, b) for a, b in zip(first, second))
    means = [lengths[batch].mean() for batch in first]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3
    shortest = {tuple(sorted(lengths[batch].tolist())) for batch in first} & {
        tuple(sorted(lengths[batch].tolist())) for batch in second
    }
    assert len(shortest) < len(first) // 4


def test_batches_are_the_callers_own() -> None:
    order = LengthBuckets([1, 2, 3], 3, 0)
    state = order.state()
    next(order)[:] = 99
    order.restore(state)
    assert sorted(next(order).tolist()) == [0, 1, 2]


def test_refuses_a_foreign_state() -> None:
    state = LengthBuckets([1, 2, 3, 4], 2, 0).state()
    for other, name in (
        (LengthBuckets([1, 2, 3, 4], 2, 1), "seed 0, this one 1"),
        (LengthBuckets([1, 2, 3, 4], 3, 0), "batch_size 2, this one 3"),
        (LengthBuckets([1, 2, 3, 5], 2, 0), "checksum"),
        (LengthBuckets([1, 2, 3, 4], 2, 0, pool=3), "pool 50, this one 3"),
    ):
        with pytest.raises(FormatError, match=name):
            other.restore(state)
    order = LengthBuckets([1, 2, 3, 4], 2, 0)
    for wrong in ({"position": 2}, {"position": -1}, {"epoch": -1}, {"epoch": 0.0}, {"more": 1}):
        with pytest.raises(FormatError):
            order.restore(state | wrong)


@given(LENGTHS, st.integers(1, 9))
def test_sorted_goes_from_long_to_short(lengths: list[int], size: int) -> None:
    batches = LengthSorted(lengths, size)
    for _ in range(2):
        found = np.concatenate(list(batches))
        assert sorted(found.tolist()) == list(range(len(lengths)))
        assert np.array_equal(np.array(lengths)[found], np.sort(lengths)[::-1])
    assert len(list(batches)) == len(batches)
    assert all(len(batch) == size for batch in list(batches)[:-1])


def test_refuses_numbers_out_of_range() -> None:
    for size in (0, -1, 2.0, True):
        with pytest.raises(SettingError, match="batch_size"):
            LengthBuckets([1], size, 0)  # type: ignore[arg-type]
        with pytest.raises(SettingError, match="batch_size"):
            LengthSorted([1], size)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="pool"):
        LengthBuckets([1], 1, 0, pool=0)
    for lengths in ([], [0.5], [[1]]):
        with pytest.raises(SettingError, match="lengths"):
            LengthSorted(lengths, 1)  # type: ignore[arg-type]
    for seed in (-1, 2**64, 1.0):
        with pytest.raises(SettingError, match="seed"):
            LengthBuckets([1], 1, seed)  # type: ignore[arg-type]
