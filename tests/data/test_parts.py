"""Random parts: disjoint, complete, of the shares asked for, alike in labels, copies together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.parts import split_examples


@given(st.integers(60, 300), st.floats(0.05, 0.4), st.floats(0.05, 0.4), st.integers(0, 99), st.integers(1, 9))
def test_parts_are_disjoint_complete_and_of_the_shares(
    count: int, valid: float, test: float, seed: int, k: int
) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, count)
    parts = split_examples(count, valid, test, seed=seed, strata=labels)
    assert sorted(np.concatenate(parts)) == list(range(count))
    for rows, share in zip(parts[1:], (valid, test)):
        # one example of each label is in each part, even where the share alone would give fewer
        assert abs(len(rows) - share * count) <= 2 or share * count < len(rows) <= k
        assert (np.diff(rows) > 0).all()
    for label in range(k):
        held = [int((labels[rows] == label).sum()) for rows in parts]
        assert held[0] >= 1 or not sum(held)
        assert min(held) >= 1 or sum(held) < 3
        for have, share in zip(held[1:], (valid, test)):
            assert abs(have - share * sum(held)) <= 2.5
    again = split_examples(count, valid, test, seed=seed, strata=labels)
    assert all((a == b).all() for a, b in zip(parts, again))


@given(st.integers(20, 200), st.integers(0, 99))
def test_copies_stay_together(count: int, seed: int) -> None:
    texts = [f"text {n}" for n in np.random.default_rng(seed).integers(0, count // 2, count)]
    parts = split_examples(count, 0.2, 0.2, seed=seed, groups=texts)
    seen = [{texts[n] for n in rows} for rows in parts]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]


def test_copies_of_unlike_labels_go_by_the_first() -> None:
    """Then a label may have no example that it decides for."""
    strata, groups = ["a", "b"] * 10, [f"text {n // 2}" for n in range(20)]
    train, valid, test = split_examples(20, 0.1, 0.1, seed=0, strata=strata, groups=groups)
    assert sorted([*train, *valid, *test]) == list(range(20))


def test_another_seed_gives_other_parts_and_a_share_of_0_none() -> None:
    one, other = (split_examples(200, 0.2, 0.2, seed=seed)[2] for seed in (0, 1))
    assert not np.array_equal(one, other)
    train, valid, test = split_examples(10, 0.3, 0, seed=0)
    assert (len(train), len(valid), len(test)) == (7, 3, 0)


def test_what_is_refused() -> None:
    with pytest.raises(SettingError, match=r"leave some to train on, got 0.5 and 0.5"):
        split_examples(10, 0.5, 0.5, seed=0)
    with pytest.raises(SettingError, match="shares from 0"):
        split_examples(10, -0.1, 0.5, seed=0)
    with pytest.raises(DataError, match="1 examples are too few for a validation part"):
        split_examples(1, 0.2, 0.2, seed=0)
    with pytest.raises(DataError, match="0 examples are too few for a training part"):
        split_examples(0, 0.2, 0.2, seed=0)
    with pytest.raises(DataError, match=r"6 examples are only 2 different ones, .* validation part; .*\(valid=\)"):
        split_examples(6, 0.2, 0.2, seed=0, strata=[0, 1] * 3, groups=["a", "b"] * 3)
    with pytest.raises(DataError, match="strata: expected one key for each of 4 examples, got 3"):
        split_examples(4, 0.2, 0.2, seed=0, strata="abc")
