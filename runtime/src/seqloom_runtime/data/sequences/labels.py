"""What sequences are labelled with: a class or a number each, or one at every step."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import DataError
from .ragged import Sequences

__all__ = ["class_codes", "class_labels", "frame_targets", "number_targets"]

_SHOWN = 5


def class_labels(y: Any, count: int, *, what: str = "y") -> np.ndarray:
    """Labels (N,) as an array of texts, whole numbers or truth values; raises DataError where they are not that.

    Whole numbers that came as float become int64.

    >>> class_labels([1.0, 2.0], 2)
    array([1, 2])
    """
    labels = _column(y, count, what, "label")
    if labels.dtype == object:
        if not all(isinstance(label, str) for label in labels):
            n = next(n for n, label in enumerate(labels) if not isinstance(label, str))
            raise DataError(f"{what}[{n}]: expected a text, as the other labels, got {labels[n]!r}.")
        labels = labels.astype(str)
    if labels.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(labels) | (labels != np.round(labels)))
        if len(bad):
            raise DataError(
                f"{what}[{int(bad[0])}]: expected a label, a text or a whole number, got {labels[bad[0]]}; to learn "
                "numbers use SequenceRegressor."
            )
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "biuU":
        raise DataError(f"{what}: expected texts or whole numbers as labels, got values of type {labels.dtype}.")
    return labels.astype(np.int64) if labels.dtype.kind in "iu" else labels


def class_codes(labels: np.ndarray, classes: np.ndarray, *, what: str = "y") -> np.ndarray:
    """The position (N,) int64 of each label in the sorted `classes`; raises DataError for a label that isn't there."""
    places, odd = np.zeros(len(labels), dtype=np.int64), np.arange(len(labels))
    if (labels.dtype.kind == "U") == (classes.dtype.kind == "U"):
        places = np.clip(np.searchsorted(classes, labels), 0, len(classes) - 1).astype(np.int64)
        odd = np.flatnonzero(classes[places] != labels)
    if len(odd):
        n = int(odd[0])
        known = ", ".join(repr(name) for name in classes[:_SHOWN].tolist()) + (", …" if len(classes) > _SHOWN else "")
        raise DataError(
            f"{what}[{n}]: the label {labels[n].item()!r} is not among the {len(classes)} classes that were learned "
            f"({known})."
        )
    return places


def number_targets(y: Any, count: int, *, what: str = "y") -> np.ndarray:
    """Targets (N,) or (N, K) float64; raises DataError where they are no finite numbers or not one row each."""
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1]:
        _check_count(len(values), count, what, "target")
    else:
        values = _column(y, count, what, "target")
    if values.dtype.kind not in "biuf":
        raise DataError(f"{what}: expected numbers, got values of type {values.dtype}; for labels use a classifier.")
    values = values.astype(np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        raise DataError(f"{what}[{place[0]}]: expected a finite number, got {values[place]}; leave the sequence out.")
    return values


def frame_targets(y: Any, sequences: Sequences, *, what: str = "y") -> np.ndarray:
    """Targets of all steps, (rows,) or (rows, K), in the order of the sequences' values.

    y: (N, T), (N, T, K), or a list of arrays (T_n,) or (T_n, K). Raises DataError where a sequence's steps and targets
    don't match in number.
    """
    items = list(y) if isinstance(y, (list, tuple)) or (isinstance(y, np.ndarray) and y.dtype.kind == "O") else None
    if items is None:
        array = np.asarray(y)
        _check_count(len(array) if array.ndim else 0, len(sequences), what, "row of targets", "rows of targets")
        if array.ndim not in (2, 3):
            raise DataError(
                f"{what}: expected one target at every step, (sequences, steps) or (sequences, steps, targets), got "
                f"shape {array.shape}."
            )
        items = list(array)
    _check_count(len(items), len(sequences), what, "row of targets", "rows of targets")
    arrays = [np.asarray(item) for item in items]
    for n, (array, length) in enumerate(zip(arrays, sequences.lengths)):
        if array.ndim != arrays[0].ndim or array.ndim not in (1, 2) or len(array) != length:
            raise DataError(
                f"{what}[{n}]: expected {length} targets, one for each step of its sequence, as in {what}[0] "
                f"({arrays[0].ndim} axes), got shape {array.shape}."
            )
        if array.ndim == 2 and array.shape[1] != arrays[0].shape[1]:
            raise DataError(f"{what}[{n}]: expected {arrays[0].shape[1]} targets at each step, got {array.shape[1]}.")
    return np.concatenate(arrays)


def _column(y: Any, count: int, what: str, noun: str) -> np.ndarray:
    """(N,) from anything that is one value for each sequence."""
    values = np.asarray(y, dtype=object) if _is_mixed(y) else np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(f"{what}: expected one {noun} for each sequence, ({count},), got shape {values.shape}.")
    _check_count(len(values), count, what, noun)
    if not len(values):
        raise DataError(f"{what}: expected at least one {noun}.")
    return values


def _is_mixed(y: Any) -> bool:
    """Whether a list holds texts beside other things, which NumPy would turn into texts."""
    return isinstance(y, (list, tuple)) and 0 < sum(isinstance(item, str) for item in y) < len(y)


def _check_count(found: int, expected: int, what: str, noun: str, nouns: str = "") -> None:
    if found != expected:
        raise DataError(
            f"{what}: expected {expected:,} {nouns or noun + 's'}, one for each sequence and in the same order, got "
            f"{found:,}."
        )
