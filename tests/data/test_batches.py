"""Batch orders: every window once per epoch, exact batch sizes, exact resume."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import FormatError, SettingError
from seqloom_runtime.data.batches import SequentialOrigins, ShuffledOrigins


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**64 - 1), st.integers(0, 30))
def test_epochs_follow_one_another_and_resume_is_exact(count: int, size: int, seed: int, skip: int) -> None:
    origins = np.arange(count) * 3 + 7
    order = ShuffledOrigins(origins, size, seed)
    stream = np.concatenate([next(order) for _ in range(skip)] or [np.empty(0, np.int64)])
    state = json.loads(json.dumps(order.state()))
    later = [next(order) for _ in range(5)]
    assert {len(batch) for batch in later} == {min(size, count)}
    stream = np.concatenate([stream, *later])
    for epoch in range(len(stream) // count):
        assert np.array_equal(np.sort(stream[epoch * count : (epoch + 1) * count]), origins)

    fresh = ShuffledOrigins(origins, size, seed)
    fresh.restore(state)
    assert fresh.state() == state
    for batch in later:
        assert next(fresh).tobytes() == batch.tobytes()


def test_permutations_differ_by_epoch_and_seed_but_not_by_batch_size() -> None:
    origins = np.arange(100)

    def stream(size: int, seed: int) -> np.ndarray:
        order = ShuffledOrigins(origins, size, seed)
        return np.concatenate([next(order) for _ in range(200 // size)])

    assert np.array_equal(stream(10, 3), stream(25, 3))
    assert not np.array_equal(stream(10, 3)[:100], stream(10, 3)[100:])
    assert not np.array_equal(stream(10, 3), stream(10, 4))
    assert not np.array_equal(stream(10, 3)[:100], origins)


def test_a_late_epoch_is_reached_without_the_ones_before() -> None:
    order = ShuffledOrigins(np.arange(50), 7, 1)
    state = order.state() | {"epoch": 10**12, "position": 46}
    order.restore(state)
    batch = next(order)
    assert len(batch) == 7
    assert order.state()["epoch"] == 10**12 + 1
    assert order.state()["position"] == 3


def test_positions_spread_evenly() -> None:
    """Each window is first in an epoch about equally often: chi-square with 7 degrees below 24.3 (.1 %)."""
    order = ShuffledOrigins(np.arange(8), 8, 11)
    counts = np.bincount([next(order)[0] for _ in range(4000)], minlength=8)
    assert ((counts - 500.0) ** 2 / 500).sum() < 24.3


def test_batches_are_the_callers_own_and_origins_are_copied() -> None:
    origins = np.arange(6)
    order = ShuffledOrigins(origins, 4, 0)
    origins[:] = -1
    first = next(order)
    assert (first >= 0).all()
    first[:] = 99
    order.restore(order.state() | {"epoch": 0, "position": 0})
    assert (next(order) < 6).all()


def test_refuses_a_foreign_state() -> None:
    state = ShuffledOrigins(np.arange(10), 4, 0).state()
    with pytest.raises(FormatError, match="has seed 0, this one 1"):
        ShuffledOrigins(np.arange(10), 4, 1).restore(state)
    with pytest.raises(FormatError, match="batch_size 4, this one 5"):
        ShuffledOrigins(np.arange(10), 5, 0).restore(state)
    with pytest.raises(FormatError, match="checksum"):
        ShuffledOrigins(np.arange(10) + 1, 4, 0).restore(state)
    order = ShuffledOrigins(np.arange(10), 4, 0)
    for wrong in ({"position": 10}, {"position": -1}, {"epoch": -1}, {"position": 1.0}, {"extra": 1}):
        with pytest.raises(FormatError):
            order.restore(state | wrong)
    with pytest.raises(FormatError, match="whole numbers seed, epoch"):
        order.restore({})


@pytest.mark.parametrize("size", [0, -3, 2.0, True, "8"])
def test_refuses_batch_sizes(size: object) -> None:
    for kind in (lambda: ShuffledOrigins(np.arange(3), size, 0), lambda: SequentialOrigins(np.arange(3), size)):  # type: ignore[arg-type]
        with pytest.raises(SettingError, match="batch_size: expected a positive whole number"):
            kind()


def test_refuses_no_origins_and_negative_seeds() -> None:
    with pytest.raises(SettingError, match="origins"):
        ShuffledOrigins(np.empty(0, np.int64), 2, 0)
    with pytest.raises(SettingError, match="origins"):
        ShuffledOrigins(np.array([0.5]), 2, 0)
    with pytest.raises(SettingError, match="seed"):
        ShuffledOrigins(np.arange(3), 2, -1)


def test_sequential_goes_in_order_and_again() -> None:
    batches = SequentialOrigins(np.array([5, 3, 9, 1, 2]), 2)
    assert len(batches) == 3
    for _ in range(2):
        assert [batch.tolist() for batch in batches] == [[5, 3], [9, 1], [2]]
