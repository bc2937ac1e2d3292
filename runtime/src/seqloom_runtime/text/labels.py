"""Texts as a classifier takes them, and its classes: from a model folder, and as labels of class numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import DataError, FormatError, shown

__all__ = ["as_texts", "classes_from_json", "labels_of", "one_text"]


def as_texts(texts: Any) -> list[str]:
    """A list of texts; raises DataError naming the first that is none (NaN and None too), or where there are none."""
    if isinstance(texts, (str, bytes)):
        raise DataError("texts: expected a list of texts, got a single one; put it into a list.")
    if not isinstance(texts, Iterable):
        raise DataError(f"texts: expected a list of texts, got {type(texts).__name__}.")
    found = [item.item() if isinstance(item, np.generic) else item for item in texts]
    if not found:
        raise DataError("texts: expected at least one text, got an empty list.")
    for place, text in enumerate(found):
        if not isinstance(text, str):
            raise DataError(
                f"texts: expected text, text {place} (counted from 0) is {shown(text, 60)} of type "
                f"{type(text).__name__}; replace missing texts by empty ones or leave them out."
            )
    return found


def one_text(text: Any) -> str:
    """A single text; raises DataError in those words where it is none."""
    if not isinstance(text, str):
        raise DataError(f"text: expected one text, got {shown(text, 60)} of type {type(text).__name__}.")
    return text


def classes_from_json(value: Any) -> list[Any]:
    """The inverse; raises FormatError."""
    good = isinstance(value, list) and len(value) >= 2
    good = good and all(isinstance(label, (str, int, float, bool)) for label in value)
    if not good or len(set(value)) != len(value):
        raise FormatError(
            f"model.json: expected at least two different labels under 'classes', found {shown(value, 100)}."
        )
    return value


def labels_of(classes: list[Any], numbers: np.ndarray) -> np.ndarray:
    """The labels of class numbers, in an array of their own kind."""
    kinds = {type(label) for label in classes}
    if len(kinds) == 1 and kinds <= {str, int, float, bool}:
        return np.array(classes)[numbers]
    found = np.empty(len(numbers), dtype=object)
    found[:] = [classes[number] for number in numbers]
    return found
