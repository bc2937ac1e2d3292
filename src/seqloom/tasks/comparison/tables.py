"""history.csv and predictions.csv of a comparison."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqloom_runtime.tables import ROWS_WRITTEN, write_columns, write_csv

from .evaluation import Evaluation

__all__ = ["history_csv", "predictions_csv"]

_BOUNDS = ("low_", "high_")
"""A prediction interval belongs to the model that gave it, and stands behind the predictions, even where all agree."""


def history_csv(
    path: str | os.PathLike[str], estimators: Mapping[str, Any], columns: Sequence[str] | None = None
) -> None:
    """One row per trained model and epoch, with all that any of them recorded or the `columns` named.

    A model without some column leaves its cells empty.
    """
    rows = [
        {"model": name, **row}
        for name, estimator in estimators.items()
        for row in (() if getattr(estimator, "history_", None) is None else estimator.history_.rows())
    ]
    every = ["model", "epoch", "step", "learning_rate", "train_loss", *(name for row in rows for name in row)]
    header = list(dict.fromkeys(every)) if columns is None else columns
    write_csv(path, header, ([row.get(name) for name in header] for row in rows))


def predictions_csv(
    path: str | os.PathLike[str], evaluations: Mapping[str, Mapping[str, Evaluation]], best: str
) -> None:
    """The rows of each part: what all models share, each model's `predicted` under its name, the best model's rest.

    Where that would be over 200,000 rows, every n-th row only, unless the evaluations hold every n-th example already.
    """
    tables = {part: _columns(by_model, best) for part, by_model in evaluations.items()}
    lengths = {part: len(next(iter(columns.values()), ())) for part, columns in tables.items()}
    thinned = any(evaluation.every > 1 for by_model in evaluations.values() for evaluation in by_model.values())
    thin = 1 if thinned else max(1, -(-sum(lengths.values()) // ROWS_WRITTEN))
    header = list(dict.fromkeys(name for columns in tables.values() for name in columns))
    counts = {part: len(range(0, lengths[part], thin)) for part in tables}
    split = np.concatenate([np.full(count, part, dtype=object) for part, count in counts.items()])
    cut = {
        name: [own[name][::thin] if name in own else np.full(counts[part], np.nan) for part, own in tables.items()]
        for name in header
    }
    # By column, as making rows of Python's took as long as a thousand training steps.
    write_columns(path, {"split": split, **{name: _whole(pieces) for name, pieces in cut.items()}})


def _whole(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """The pieces of a column behind each other; where their kinds differ, as whole numbers and none do, as texts."""
    some = [piece for piece in pieces if len(piece)] or list(pieces)
    if len({piece.dtype if piece.dtype.kind == "M" else piece.dtype.kind for piece in some}) > 1:
        some = [np.array([None if _lacks(v) else str(v) for v in piece.tolist()], dtype=object) for piece in some]
    return np.concatenate(some)


def _lacks(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _columns(by_model: Mapping[str, Evaluation], best: str) -> dict[str, np.ndarray]:
    own = by_model[best].predictions
    others = [evaluation.predictions for evaluation in by_model.values()]
    columns = {
        name: values
        for name, values in own.items()
        if name != "predicted"
        and not name.startswith(_BOUNDS)
        and all(name in other and _same(other[name], values) for other in others)
    }
    lengths = {len(values) for values in own.values()}
    for model, evaluation in by_model.items():
        values = evaluation.predictions.get("predicted")
        if values is not None and lengths == {len(values)}:
            columns[model if model not in own else f"predicted_{model}"] = values
    return columns | {name: values for name, values in own.items() if name != "predicted" and name not in columns}


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two columns hold the same values; a missing number is like another."""
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f" and other.dtype.kind == "f")
