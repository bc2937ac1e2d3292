"""A score per row as bars, and the learning curves beside them: the charts of studies that compare estimators."""

from __future__ import annotations

from dataclasses import replace

from .pictures import Bars, Picture, Plot, curve_of, styles_for
from .results import Results

__all__ = ["scores_and_learning"]


def scores_and_learning(
    results: Results, name: str, heading: str, bars: Bars, learning: Plot, *, keys: tuple[str, str], baseline: str
) -> list[Picture]:
    """One picture of both panels, filled from the first seed's outcomes; none where no row has one.

    bars, learning: the panels without their data. keys: the column of the bars and the curve of the learning.
    baseline: the row that is drawn in grey.
    """
    done = results.first_outcomes()
    if not done:
        return []
    score, curve = keys
    labels = [row.label for row, _ in done]
    grey = next((row.label for row in results.rows if row.name == baseline), None)
    styles = styles_for(labels, grey=grey)
    filled = replace(
        bars,
        labels=labels,
        values=[results.median(row, score) for row, _ in done],
        colours=[styles[label].colour for label in labels],
    )
    curves = [curve_of(row.label, out.curves[curve], styles[row.label]) for row, out in done if curve in out.curves]
    if not curves:  # only baselines ran
        return [Picture(name, heading, "The score of each row.", [filled])]
    reading = "Left: the score of each row. Right: its learning curve; the weights of the lowest point are kept."
    return [Picture(name, heading, reading, [filled, replace(learning, curves=curves)])]
