"""Edit distance: how many insertions, deletions and substitutions make one sequence of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["edit_distance", "error_rate"]


def edit_distance(one: Sequence[Any], other: Sequence[Any]) -> int:
    """The Levenshtein distance of two sequences of comparable things, characters or words.

    >>> edit_distance("kitten", "sitting"), edit_distance([], ["a"])
    (3, 1)
    """
    if one == other:
        return 0
    row = list(range(len(other) + 1))
    for number, item in enumerate(one, 1):
        corner, row[0] = row[0], number
        for place, found in enumerate(other, 1):
            corner, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, corner + (item != found)),
            )
    return row[-1]


def error_rate(actual: Sequence[Sequence[Any]], predicted: Sequence[Sequence[Any]]) -> float:
    """The edit distances of all pairs over the lengths of `actual`; of characters CER, of words WER. May exceed 1.

    >>> error_rate(["abcd", "ef"], ["abce", "ef"]) == 1 / 6
    True
    """
    wrong = sum(edit_distance(a, b) for a, b in zip(actual, predicted, strict=True))
    return wrong / max(1, sum(map(len, actual)))
