"""Sentences and charts of the Jena table: which rows beat the last value, and the learning curves."""

from __future__ import annotations

from collections.abc import Iterator

from ..report.style import Style
from .pictures import Bars, Curve, Picture, Plot, curve_of, level
from .results import Results

__all__ = ["draw", "say"]

_PARTS = {"valid": "validation", "test": "test"}


def say(results: Results) -> Iterator[str]:
    """Who beats the last value on validation and on test, and that the test rows chose nothing."""
    naive = {part: results.median("naive", part) for part in _PARTS}
    for part, word in _PARTS.items():
        floor = naive[part]
        scored = [(results.median(row, part), row.label) for row, _ in results.done() if row.name != "naive"]
        known = sorted((value, label) for value, label in scored if value is not None)
        if floor is None or not known:
            continue
        better = [f"{label} ({(1 - value / floor) * 100:.0f} %)" for value, label in known if value < floor]
        if better:
            yield f"Better than the last value on {word}: {', '.join(better)}."
        else:
            yield f"Nothing is better than the last value on {word}."


def draw(results: Results) -> list[Picture]:
    """Errors of all rows beside the last value's, and the curves of each network's training."""
    done = results.first_outcomes()
    if not done:
        return []
    labels = [row.label for row, _ in done]
    panels = []
    for part, word in _PARTS.items():
        values = [results.median(row, part) for row, _ in done]
        colours = ["var(--naive)" if not outcome.curves else "var(--c1)" for _, outcome in done]
        panels.append(Bars(f"{word} MAE", labels, values, colours, rule=results.median("naive", part)))
    reading = "MAE in standard deviations of the training rows; the dashed line is the last value's."
    pictures = [Picture("jena", "Temperature a day ahead", reading, panels, columns=1, width=560)]
    plots = []
    for row, outcome in done:
        if outcome.curves:
            train, valid = outcome.curves["train"], outcome.curves["valid"]
            curves = [
                curve_of("training", train, Style("var(--c1)", (5, 3))),
                curve_of("validation", valid, Style("var(--c2)", (1, 0))),
            ]
            floor = results.median("naive", "valid")
            curves += [] if floor is None else [level("last value, validation", floor, len(valid))]
            best = outcome.details["best_epoch"]
            plots.append(Plot("epoch", "MAE", [*curves, _mark(best, curves)], row.label))
    if plots:
        reading = (
            "Training and validation MAE by epoch. Where they diverge, the network overfits; the weights of the marked "
            "epoch were kept, whose error on the model-selection rows is lowest."
        )
        pictures.append(Picture("jena-training", "Learning curves", reading, plots, columns=3, width=270))
    return pictures


def _mark(epoch: int, curves: list[Curve]) -> Curve:
    """A vertical line at an epoch, as high as the curves."""
    sizes = [value for curve in curves for value in curve.y if value is not None]
    return Curve("kept epoch", [epoch, epoch], [min(sizes), max(sizes)], Style("var(--c3)", (2, 2)), 1.4)
