"""The columns of the table of models of sequences and texts: what each score looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..diagnostics import score_named
from .saved import ordered_models
from .score_cells import Cell, Column, best_of, cell_text, decimals_of
from .wording import decimals_for, whole

__all__ = ["chosen_by", "score_text", "task_columns"]


def score_text(name: str, value: float | None) -> str:
    """One value of a score for a sentence.

    >>> score_text("accuracy", 0.9187), score_text("perplexity", 114.731)
    ('91.87 %', '114.7')
    """
    return cell_text(name, value, decimals_for([value]))


def task_columns(metrics: Mapping[str, Any]) -> list[Column]:
    """Parameters, then each score on validation and on test, models in the order of `ordered_models`."""
    names = ordered_models(metrics)
    models = [metrics["models"][name] for name in names]
    columns = [
        Column(
            "", "Parameters", "numbers that were fitted", tuple(Cell(whole(model["parameters"])) for model in models)
        )
    ]
    for split in ("valid", "test"):
        for score in metrics["scores"]:
            values = [model[split].get(score) for model in models]
            if all(value is None for value in values):
                continue
            words = score_named(score)
            best = best_of(values, min if score in metrics["lower_is_better"] else max)
            decimals = decimals_of(values)
            cells = tuple(Cell(cell_text(score, v, decimals), i in best) for i, v in enumerate(values))
            columns.append(Column(split, words.heading, words.meaning, cells))
    return columns


def chosen_by(metrics: Mapping[str, Any]) -> str:
    """What the chosen model is best at."""
    return f"chosen by {score_named(metrics['scores'][0]).phrase} on the validation part"
