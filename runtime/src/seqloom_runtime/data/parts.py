"""Examples into training, validation and test parts at random, alike in labels, equal examples always together.

For time series, which are split in order of time, see `splits`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DataError, SettingError

__all__ = ["split_examples"]


def split_examples(
    count: int, valid: float, test: float, *, seed: int, strata: Any = None, groups: Any = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (each ascending) of the training, validation and test examples of `count`.

    valid, test: shares of all examples, from 0. strata: a label per example (count,), whose shares are kept in each
    part as far as whole examples allow; each label has one in the training part, and where there are three or more in
    each. groups: a key per example; examples of equal keys stay in one part (a copy in training and another in test
    would flatter every model).

    Raises SettingError for shares that leave nothing to train on, DataError where a part would be empty.

    >>> train, valid, test = split_examples(10, 0.2, 0.2, seed=0)
    >>> len(train), len(valid), len(test), sorted([*train, *valid, *test]) == list(range(10))
    (6, 2, 2, True)
    """
    if not (valid >= 0 and test >= 0 and valid + test < 1):
        raise SettingError(f"valid, test: expected shares from 0 that leave some to train on, got {valid} and {test}.")
    stratum, group = _codes(strata, count, "strata"), _codes(groups, count, "groups", each=True)
    sizes = np.bincount(group, minlength=int(group.max(initial=-1)) + 1)
    first = np.full(len(sizes), -1)
    first[group[::-1]] = np.arange(count)[::-1]
    part_of = np.zeros(len(sizes), np.int64)  # 0 train, 1 valid, 2 test
    rng, owed = np.random.default_rng(seed), {1: 0.0, 2: 0.0}  # owed: what rounding kept from the labels before
    for label in range(int(stratum.max(initial=-1)) + 1):
        members = rng.permutation(np.flatnonzero(stratum[first] == label))
        total, start = int(sizes[members].sum()), 0
        for part, share in ((2, test), (1, valid)):
            if not share:
                continue
            wanted = share * total + owed[part]
            after = np.cumsum(sizes[members[start:]])
            taken = int(np.sum(after - sizes[members[start:]] / 2 < wanted))
            taken = min(max(taken, len(members) >= 3), max(0, len(members) - start - 1))
            part_of[members[start : start + taken]] = part
            owed[part] = wanted - (after[taken - 1] if taken else 0)
            start += taken
    found = part_of[group]
    parts = tuple(np.flatnonzero(found == part) for part in (0, 1, 2))
    for name, share, rows in zip(("training", "validation", "test"), (1, valid, test), parts):
        if share and not len(rows):
            if len(sizes) < count:
                file = (
                    "" if name == "training" else f", or a file for it ({'valid' if name == 'validation' else name}=)"
                )
                raise DataError(
                    f"{count:,} examples are only {len(sizes):,} different ones, and copies of one stay in one part, "
                    f"so none is left for a {name} part; give more different ones{file}."
                )
            raise DataError(f"{count} examples are too few for a {name} part; give more, or other shares.")
    return parts[0], parts[1], parts[2]


def _codes(keys: Any, count: int, name: str, each: bool = False) -> np.ndarray:
    """Keys as numbers from 0; without keys one for all examples, or one for `each`."""
    if keys is None:
        return np.arange(count) if each else np.zeros(count, np.int64)
    numbers: dict[Any, int] = {}
    try:
        codes = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
    except TypeError:  # rows of labels are lists
        raise DataError(f"{name}: expected one text or number for each example, got several of them.") from None
    if codes.shape != (count,):
        raise DataError(f"{name}: expected one key for each of {count} examples, got {len(codes)}.")
    return codes
