"""How much an example of each class counts in training, so that a rare class is not lost among the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqloom_runtime.errors import SettingError, shown

__all__ = ["class_weights"]


def class_weights(wanted: Any, numbers: np.ndarray, classes: Sequence[Any]) -> np.ndarray:
    """What an example of each class counts in training, (K,) float64, 1 on average over the examples.

    numbers: the class number of each example.

    wanted: None, "balanced" (all classes count the same together), or {label: weight}. Raises SettingError.
    """
    counts = np.bincount(numbers, minlength=len(classes))
    if wanted is None:
        return np.ones(len(classes))
    if isinstance(wanted, Mapping):
        unknown = [label for label in wanted if label not in classes]
        if unknown:
            raise SettingError(
                f"class_weight: {shown(unknown[0])} is none of the classes {', '.join(map(repr, classes))}."
            )
        weights = np.array([float(wanted.get(label, 1.0)) for label in classes])
        if not (np.isfinite(weights).all() and (weights >= 0).all() and (weights @ counts) > 0):
            raise SettingError(
                f"class_weight: expected numbers of at least 0, not all of them 0, got {shown(dict(wanted))}."
            )
    else:
        weights = 1.0 / np.maximum(counts, 1)
    return weights * (len(numbers) / float(weights @ counts))
