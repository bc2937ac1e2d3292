"""Which of many models are shown first: by how they stood where the model was selected, and which a chart draws."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from .saved import is_forecast, ordered_models

__all__ = ["MOST_SHOWN", "SIMPLE", "drawn_models", "kind_words", "ranked", "shown_first"]

MOST_SHOWN = 8
"""Models of a table that are in the open; of more, the others are folded."""

_MOST_DRAWN = 6
_BEST_DRAWN = 3
_BESIDE = ("seasonal",)
SIMPLE = frozenset({"naive", "seasonal", "seasonal-week", "drift", "mean", "damped-persistence"})
"""Forecasts that anybody would make by hand; what is fitted beyond these is a statistical method."""


def kind_words(metrics: Mapping[str, Any], name: str) -> str:
    """What a model is called beside its name: a baseline of forecasting that is a method of its own is statistical."""
    kind = str(metrics["models"][name]["kind"])
    return "statistical" if kind == "baseline" and is_forecast(metrics) and name not in SIMPLE else kind


def ranked(metrics: Mapping[str, Any]) -> list[str]:
    """The models, the best first: forecasts by their ratio to naive's error where the model was selected, others by the
    first score on validation; what has none comes last, in the order of `ordered_models`."""
    names = ordered_models(metrics)
    first, down = ("mae", True) if is_forecast(metrics) else (metrics["scores"][0], None)
    if down is None:
        down = first in metrics["lower_is_better"]

    def place(name: str) -> float:
        model = metrics["models"][name]
        choosing = model.get("choosing")
        value = choosing.get("ratio") if isinstance(choosing, Mapping) else None
        value = model["valid"].get(first) if value is None else value
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            return math.inf
        return value if down else -value

    return sorted(names, key=place)


def shown_first(metrics: Mapping[str, Any], most: int = MOST_SHOWN) -> list[str]:
    """The models that a table shows in the open: all of a few, in their usual order; of more the first by rank, the
    selected one, and those that all are held against."""
    names = ordered_models(metrics)
    if len(names) <= MOST_SHOWN + 2:  # a table of ten is read at a glance
        return names
    order = ranked(metrics)
    kept = {*order[:most], *_always(metrics)}
    return [name for name in order if name in kept]


def drawn_models(metrics: Mapping[str, Any], among: Collection[str]) -> list[str]:
    """The models `among` these that a chart of lines draws, in their usual order: all of a few, else the selected one,
    the best by rank, and those that all are held against."""
    names = [name for name in ordered_models(metrics) if name in among]
    if len(names) <= _MOST_DRAWN:
        return names
    always = _always(metrics)
    best = [name for name in ranked(metrics) if name in names and name not in always][:_BEST_DRAWN]
    return [name for name in names if name in {*always, *best}]


def _always(metrics: Mapping[str, Any]) -> set[str]:
    beside = {metrics["best"], str(metrics.get("baseline") or "naive"), *(_BESIDE if is_forecast(metrics) else ())}
    return beside & set(metrics["models"])
