"""Labels as `fit` takes them: of any hashable kind as class numbers, and what each class counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from seqloom_runtime.errors import DataError, SettingError, shown

__all__ = [
    "as_labels",
    "class_names",
    "class_numbers",
    "classes_of",
    "classes_to_json",
    "positive_number",
    "unseen",
]


def as_labels(labels: Any, count: int) -> list[Hashable]:
    """A list of `count` labels; raises DataError for another number, or the first that is missing or not hashable."""
    if isinstance(labels, (str, bytes)) or not isinstance(labels, Iterable):
        raise DataError(f"labels: expected a list with a label for each text, got {type(labels).__name__}.")
    found = [item.item() if isinstance(item, np.generic) else item for item in labels]
    if len(found) != count:
        raise DataError(f"labels: expected one for each of the {count:,} texts, got {len(found):,}.")
    for place, label in enumerate(found):
        if label is None or label != label:  # NaN alone differs from itself
            raise DataError(f"labels: the label of text {place} (counted from 0) is missing; give it, or leave it out.")
        if not isinstance(label, Hashable):
            raise DataError(
                f"labels: expected one label for each text, text {place} (counted from 0) has {shown(label, 60)}."
            )
    return found


def classes_of(labels: Sequence[Hashable]) -> list[Any]:
    """The different labels, sorted where they can be, else as they appear; raises DataError for fewer than 2."""
    found: list[Any] = list(dict.fromkeys(labels))
    if not found:
        raise DataError("labels: expected at least two classes to tell apart, there is no text with a label.")
    if len(found) < 2:
        raise DataError(
            f"labels: expected at least two classes to tell apart, all {len(labels):,} texts have the label "
            f"{shown(found[0])}."
        )
    try:  # labels of several kinds, as 1 and "a", have no order
        return sorted(found)
    except TypeError:
        return found


def class_numbers(labels: Sequence[Hashable], classes: Sequence[Any]) -> np.ndarray:
    """The position of each label in `classes`, (N,) int64; −1 for one that is not there."""
    number = {label: place for place, label in enumerate(classes)}
    return np.fromiter((number.get(label, -1) for label in labels), dtype=np.int64, count=len(labels))


def class_names(classes: Sequence[Any]) -> list[str]:
    """The classes as different texts: 1 and "1" become "1" and "'1'"."""
    plain = [str(label) for label in classes]
    if len(set(plain)) == len(plain):
        return plain
    return [str(label) if plain.count(str(label)) == 1 else repr(label) for label in classes]


def classes_to_json(classes: Sequence[Any]) -> list[Any]:
    """The classes as JSON values; raises SettingError for a kind that JSON doesn't have."""
    for label in classes:
        if not isinstance(label, (str, int, float, bool)):
            raise SettingError(
                f"A model folder holds labels that are text, numbers or truth values, not {shown(label, 60)} of type "
                f"{type(label).__name__}; use their names as labels."
            )
    return list(classes)


def positive_number(positive: Any, classes: Sequence[Any]) -> int:
    """The number of the class `positive`, of None the second; raises SettingError for a label that is no class."""
    if positive is None:
        return 1
    if positive not in classes:
        raise SettingError(f"positive: expected one of the labels {', '.join(map(repr, classes))}, got {positive!r}.")
    return classes.index(positive)


def unseen(labels: Sequence[Hashable], classes: Sequence[Any]) -> dict[Any, int]:
    """How often each label that is no class occurs."""
    known = set(classes)
    return dict(Counter(label for label in labels if label not in known))
