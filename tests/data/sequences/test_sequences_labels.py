"""Labels and targets: one for each sequence or each step, and what doesn't fit is refused by place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seqloom.errors import DataError
from seqloom_runtime.data.sequences import Sequences, class_codes, class_labels, frame_targets, number_targets


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["b", "a", "c"], "U"),
        (np.array(["b", "a", "c"], dtype=object), "U"),
        ([3, 1, 2], "i"),
        (np.array([3.0, 1.0, 2.0]), "i"),
        (np.array([3, 1, 2], dtype=np.uint8), "i"),
        ([True, False, True], "b"),
        (np.array([[3], [1], [2]]), "i"),
    ],
)
def test_labels_become_codes_and_back(labels: Any, kind: str) -> None:
    made = class_labels(labels, 3)
    assert made.dtype.kind == kind
    classes = np.unique(made)
    assert np.array_equal(classes[class_codes(made, classes)], made)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([1, 2], "y: expected 3 labels, one for each sequence and in the same order, got 2"),
        ([1, 2, 3, 4], "got 4"),
        ([1.0, 2.5, 3.0], r"y\[1\]: expected a label, a text or a whole number, got 2\.5; to learn numbers use Seq"),
        ([1.0, np.nan, 3.0], r"y\[1\]"),
        (["a", 1, "b"], r"y\[1\]: expected a text, as the other labels, got 1"),
        (["a", None, "b"], r"y\[1\]: expected a text, as the other labels, got None"),
        (np.zeros((3, 2)), r"expected one label for each sequence, \(3,\), got shape \(3, 2\)"),
        (np.array(["2020-01-01"] * 3, dtype="M8[D]"), "datetime64"),
        ([], "got 0"),
    ],
)
def test_labels_that_do_not_match(labels: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        class_labels(labels, 3)


def test_an_unknown_label_is_named() -> None:
    classes = np.array(["ham", "spam"])
    with pytest.raises(DataError, match=r"y\[1\]: the label 'eggs' is not among the 2 classes .*'ham', 'spam'"):
        class_codes(np.array(["ham", "eggs"]), classes)
    with pytest.raises(DataError, match=r"valid y\[0\]: the label 1 is not among"):
        class_codes(np.array([1, 2]), classes, what="valid y")
    with pytest.raises(DataError, match="the label 9"):
        class_codes(np.array([9]), np.array([1, 2]))


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([1.0, 2.0], "y: expected 3 targets, one for each sequence"),
        ([1.0, np.nan, 2.0], r"y\[1\]: expected a finite number, got nan"),
        ([[1.0, 2.0]] * 2 + [[np.inf, 0.0]], r"y\[2\]: expected a finite number, got inf"),
        (["a", "b", "c"], "y: expected numbers, got values of type .*; for labels use a classifier"),
        (np.zeros((3, 2, 2)), "expected one target for each sequence"),
    ],
)
def test_targets_that_do_not_match(targets: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        number_targets(targets, 3)


def test_targets_come_as_float64() -> None:
    assert number_targets([1, 2, 3], 3).dtype == np.float64
    assert number_targets([[1, 2], [3, 4], [5, 6]], 3).shape == (3, 2)
    assert number_targets([[1], [3], [5]], 3).shape == (3, 1)


def test_targets_of_every_step() -> None:
    sequences = Sequences.make([np.zeros((2, 1)), np.zeros((3, 1))])
    assert frame_targets([[1, 2], [3, 4, 5]], sequences).tolist() == [1, 2, 3, 4, 5]
    assert frame_targets([np.ones((2, 4)), np.ones((3, 4))], sequences).shape == (5, 4)
    equal = Sequences.make(np.zeros((2, 3, 1)))
    assert frame_targets(np.arange(6).reshape(2, 3), equal).tolist() == [0, 1, 2, 3, 4, 5]
    assert frame_targets(np.zeros((2, 3, 4)), equal).shape == (6, 4)
    for y, words in (
        ([[1, 2]], "y: expected 2 rows of targets, one for each sequence"),
        ([[1, 2], [3, 4]], r"y\[1\]: expected 3 targets, one for each step of its sequence"),
        ([[1, 2], 3], r"y\[1\]"),
        ([np.ones((2, 4)), np.ones((3, 5))], r"y\[1\]: expected 4 targets at each step, got 5"),
        ([np.ones((2, 4)), np.ones(3)], r"y\[1\]"),
        (np.zeros(2), "expected one target at every step"),
    ):
        with pytest.raises(DataError, match=words):
            frame_targets(y, sequences)
