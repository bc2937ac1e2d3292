"""What a model is worth on some data: scores, predictions row by row, and what is worth drawing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from seqloom_runtime.errors import DataError

from ...diagnostics import lower_is_better

__all__ = ["Evaluation"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of an estimator's `evaluate`.

    scores: finite numbers by name; the first ranks the models of a comparison.
    lower_is_better: the names of the scores that are errors; by default those that `diagnostics.SCORES` calls so.
    predictions: columns of predictions.csv by name, equally long (N,): numbers, truth values or texts. `actual` and
        `predicted` are known to the comparison; a column `row` tells which example it is.
    details: JSON values for drawings; the keys are those of docs/files.md.
    rank: what ranks in place of the first score, the lowest first; there may then be no scores at all.
    every: the predictions are those of every n-th example only.
    by_series: of forecasts of several series, sums (S,) of their errors; in no file as they are.

    Raises DataError where any of it is not so.

    >>> evaluation = Evaluation({"accuracy": 0.5}, predictions={"predicted": np.array(["a", "b"])})
    >>> evaluation.first, evaluation.better(0.6, 0.5)
    ('accuracy', True)
    """

    scores: Mapping[str, float]
    lower_is_better: frozenset[str] | None = None
    predictions: Mapping[str, np.ndarray] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    rank: float | None = None
    every: int = 1
    by_series: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scores = {name: _number(name, value) for name, value in self.scores.items()}
        if not scores and self.rank is None:
            raise DataError("scores: expected at least one, the one that ranks the models.")
        named = filter(lower_is_better, scores) if self.lower_is_better is None else self.lower_is_better
        errors = frozenset(named)
        unknown = sorted(errors - set(scores))
        if unknown:
            raise DataError(f"lower_is_better: {unknown[0]!r} is not among the scores {', '.join(scores)}.")
        columns = {name: _column(name, values) for name, values in self.predictions.items()}
        if len({len(column) for column in columns.values()}) > 1:
            lengths = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
            raise DataError(f"predictions: expected columns of one length, got {lengths}.")
        object.__setattr__(self, "scores", MappingProxyType(scores))
        object.__setattr__(self, "lower_is_better", errors)
        object.__setattr__(self, "predictions", MappingProxyType(columns))
        object.__setattr__(self, "details", MappingProxyType(_json(self.details)))

    def with_rows(self, names: Sequence[Any]) -> Evaluation:
        """The same with names in place of the numbers, from 0, in every `row`: of `predictions` and of `details`."""
        columns = dict(self.predictions)
        if "row" in columns:
            columns["row"] = np.asarray(names)[columns["row"]]
        details = {
            key: [
                {**item, "row": names[item["row"]]} if isinstance(item, dict) and "row" in item else item
                for item in value
            ]
            if isinstance(value, list)
            else value
            for key, value in self.details.items()
        }
        return replace(self, predictions=columns, details=details)

    @property
    def first(self) -> str:
        """The name of the score that ranks."""
        return next(iter(self.scores))

    def beats(self, other: Evaluation) -> bool:
        """Whether this ranks strictly before `other`."""
        if self.rank is not None and other.rank is not None:
            return self.rank < other.rank
        return self.better(self.scores[self.first], other.scores[self.first])

    def better(self, one: float, other: float) -> bool:
        """Whether the value `one` of the ranking score is strictly better than `other`."""
        return one < other if self.first in (self.lower_is_better or ()) else one > other


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise DataError(f"scores: expected a number for {name!r}, got {value!r}.") from None
    if not math.isfinite(number):
        raise DataError(f"scores: expected a finite number for {name!r}, got {number}; leave out what is undefined.")
    return number


def _column(name: str, values: Any) -> np.ndarray:
    column = np.asarray(values)
    if column.ndim != 1:
        raise DataError(f"predictions: expected the column {name!r} as (N,), got shape {column.shape}.")
    return column


def _json(details: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return json.loads(json.dumps(dict(details), default=_plain, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise DataError(f"details: expected values that JSON can hold ({error}).") from None


def _plain(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r}")
