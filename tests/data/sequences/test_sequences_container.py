"""`Sequences`: what is taken, what is refused and where, batches with masks, statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import DataError
from seqloom_runtime.data.sequences import Sequences


def ragged(lengths: list[int], channels: int = 3, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(5, 3, (length, channels)) for length in lengths]


def test_what_is_taken() -> None:
    cube = np.arange(24.0).reshape(2, 4, 3)
    made = Sequences.make(cube)
    assert (len(made), made.width, made.lengths.tolist(), made.equal) == (2, 3, [4, 4], True)
    assert np.array_equal(made[1], cube[1])
    assert Sequences.make(made) is made
    flat = Sequences.make(np.ones((5, 7)))
    assert (len(flat), flat.width) == (5, 1)
    items = ragged([2, 5, 1])
    made = Sequences.make(items)
    assert not made.equal
    assert all(np.array_equal(one, other) for one, other in zip(made, items, strict=True))
    boxed = np.empty(3, dtype=object)
    boxed[:] = items
    assert np.array_equal(Sequences.make(boxed).values, made.values)
    assert Sequences.make([torch.ones(2, 3), torch.zeros(4, 3)]).lengths.tolist() == [2, 4]
    assert Sequences.make([[1, 2], [3, 4, 5]]).values.tolist() == [[1], [2], [3], [4], [5]]
    assert Sequences.make(np.ones((2, 3, 1), dtype=bool)).values.dtype == np.uint8


def test_the_caller_s_array_stays_writable() -> None:
    cube = np.zeros((2, 4, 3))
    made = Sequences.make(cube)
    cube[0, 0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        made.values[0, 0] = 2.0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], r"X: expected at least one sequence, got an empty list"),
        (np.zeros((0, 3, 2)), r"X: expected at least one sequence, step and channel, got shape \(0, 3, 2\)"),
        (np.zeros((3, 0, 2)), r"shape \(3, 0, 2\)"),
        ([np.zeros((3, 2)), np.zeros((0, 2))], r"X\[1\]: the sequence is empty"),
        ([np.zeros((3, 2)), np.zeros((4, 3))], r"X\[1\]: expected 2 channels, as in X\[0\], got 3; every sequence is"),
        ([np.zeros((2, 9)), np.zeros((2, 7))], r"All have 2 rows: if channels stand first, pass the transposed"),
        (np.zeros((4, 1, 784)), r"If channels stand first, pass X\.transpose\(0, 2, 1\)"),
        (np.zeros((2, 3, 4, 5)), r"got shape \(2, 3, 4, 5\)"),
        (np.zeros(5), r"got shape \(5,\)"),
        (3.0, "got shape"),
        (np.array([["a", "b"]]), "X: expected an array of numbers, got ndarray of <U1"),
        ([[[1.0, 2.0], [3.0]]], r"X\[0\]: expected an array of numbers, got list of steps of unequal width"),
        ([np.zeros((2, 2, 2))], r"X\[0\]: expected an array \(steps, channels\), got shape"),
        (np.array([[1 + 2j, 0]]), "complex128"),
        (None, "X: expected"),
    ],
)
def test_what_is_refused(data: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Sequences.make(data)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named_by_its_place(value: float) -> None:
    items = ragged([2, 5, 4])
    items[1][3, 2] = value
    with pytest.raises(DataError, match=rf"got {value} in sequence 1, step 3, channel 'c' \(1 such values"):
        Sequences.make(items, channels=("a", "b", "c"))


def test_channel_names_and_offsets_are_checked() -> None:
    with pytest.raises(DataError, match="channels: expected 3 different names"):
        Sequences.make(ragged([2]), channels=("a", "b"))
    with pytest.raises(DataError, match="channels"):
        Sequences.make(ragged([2]), channels=("a", "b", "a"))
    for offsets in ([0, 2, 2, 4], [0, 3], [1, 4], [0, 5, 4]):
        with pytest.raises(DataError, match="offsets that rise"):
            Sequences(np.zeros((4, 2)), np.array(offsets))


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=7),
    st.integers(1, 3),
    st.data(),
)
def test_a_batch_is_its_sequences_padded(lengths: list[int], channels: int, data: st.DataObject) -> None:
    items = ragged(lengths, channels)
    made = Sequences.make(items)
    numbers = np.array(data.draw(st.lists(st.integers(0, len(items) - 1), min_size=1, max_size=9)))
    batch, mask = made.padded(numbers)
    longest = max(lengths[n] for n in numbers)
    assert batch.shape == (len(numbers), longest, channels)
    assert (mask is None) == (len({lengths[n] for n in numbers}) == 1)
    for row, n in enumerate(numbers):
        assert np.array_equal(batch[row, : lengths[n]], items[n])
        assert (batch[row, lengths[n] :] == 0).all()
        assert mask is None or mask[row].tolist() == [t < lengths[n] for t in range(longest)]
    taken = made.take(numbers)
    assert all(np.array_equal(one, items[n]) for one, n in zip(taken, numbers, strict=True))
    steps, _ = made.padded(numbers, np.arange(len(made.values)))
    assert np.array_equal(steps[mask] if mask is not None else steps.ravel(), made.rows(numbers))


def test_moments_are_numpy_s() -> None:
    items = [item + 1e6 for item in ragged([2, 50, 7])]
    items = [np.concatenate([item, np.full((len(item), 1), 4.25)], axis=1) for item in items]
    mean, std = Sequences.make(items).moments()
    whole = np.concatenate(items)
    np.testing.assert_allclose(mean, whole.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(std[:3], whole.std(axis=0)[:3], rtol=1e-9)
    assert std[3] == 1.0
    with pytest.raises(DataError, match="'channel_0' holds values too large"):
        Sequences.make(np.array([[1e308, -1e308]])).moments()


def test_fingerprints_tell_values_lengths_and_types_apart() -> None:
    base = Sequences.make([[1.0, 2.0], [3.0]])
    others = [[[1.0], [2.0, 3.0]], [[1.0, 2.0], [4.0]], [np.array([1, 2], np.float32), np.array([3], np.float32)]]
    assert base.fingerprint() == Sequences.make([[1.0, 2.0], [3.0]]).fingerprint()
    assert len({base.fingerprint(), *(Sequences.make(other).fingerprint() for other in others)}) == 4


def test_many_channels_and_few_steps_look_turned_round() -> None:
    assert Sequences.make(np.zeros((4, 3, 500))).turned_round()
    assert not Sequences.make(np.zeros((4, 500, 3))).turned_round()
    assert not Sequences.make(np.zeros((4, 100, 88))).turned_round()
