"""From a network's output to the forecast in the table's unit, and its intervals, in ONNX's operators.

The intervals are those at the end of the fit: new errors, which `predict` learns from, are not told to the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seqloom_runtime.forecast.families import LEAST, LEVELS, MIDDLE, SCORES_OF_LEVELS, SHARP, student_table
from seqloom_runtime.forecast.rolling import Offsets
from seqloom_runtime.forecast.rolling_ahead import intervals_ahead
from seqloom_runtime.forecast.transforms import Transform

from ...nn.onnx_graph import Graph
from .families import Family
from .onnx_inputs import by_series

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["Ends", "centre", "counts_of", "held_at_0", "inverse", "knots_of", "offsets_of"]

_MOST_COUNTS = 4000  # that the quantiles of a negative binomial distribution are looked for among


def inverse(graph: Graph, values: str, transform: Transform | str | None) -> str:
    """z → y, of any shape: see `transforms.Transform.inverse`."""
    if not isinstance(transform, Transform):
        return values
    low, high = (float(transform.forward(np.array(v))) for v in (transform.least, transform.most))
    z = _clipped(graph, values, low, high)
    if transform.power:
        base = graph.node("Add", graph.node("Mul", z, graph.wide_number(transform.power)), graph.wide_number(1.0))
        y = graph.node("Pow", base, graph.wide_number(1 / transform.power))
    else:
        y = graph.node("Exp", z)
    return _clipped(graph, y, transform.least, transform.most)


def _clipped(graph: Graph, values: str, low: float, high: float) -> str:
    return graph.node("Min", graph.node("Max", values, graph.wide_number(low)), graph.wide_number(high))


def held_at_0(graph: Graph, values: str, forecaster: Forecaster, series: str | None) -> str:
    """Values (batch, K) at 0 or above where the target is held there."""
    floors, wide = forecaster.floors_, forecaster.features_.roles.wide
    if not any(floors):
        return values
    if all(floors):
        return graph.node("Max", values, graph.wide_number(0.0))
    assert wide is not None
    low = [[0.0 if floors[wide.place(name)] else -1e308] for name in forecaster.context_.ids]
    return graph.node("Max", values, by_series(graph, np.array(low), series))


def offsets_of(forecaster: Forecaster) -> Offsets:
    """Low and high (S, K) of each level at the end of the fit, as what is added to the forecasts; of a network that
    forecasts a distribution, its normal scores."""
    ids = forecaster.context_.ids
    if forecaster.intervals_ is not None:
        return intervals_ahead(forecaster, forecaster.context_, forecaster.intervals_.state, None)[0]
    wide = forecaster.features_.roles.wide
    places = np.array([0 if wide is None else wide.place(name) for name in ids])
    radii = {level: np.atleast_2d(found)[places] for level, found in forecaster.radii_.items()}
    return {level: (-radius, radius) for level, radius in radii.items()}


def knots_of(graph: Graph, family: Family, output: str) -> str:
    """The quantiles (batch, K, J) of a network's output (batch, K, P), standardised, float64: see `families`."""
    location, *shape = _parts(graph, output, family.outputs)
    if family.name == "quantiles":
        steps = graph.node("Concat", *shape, axis=2)
        gaps = np.diff(SCORES_OF_LEVELS)
        # Each quantile is the median and the sum of the steps between the two.
        sums = np.zeros((len(gaps), len(LEVELS)))
        for level in range(len(LEVELS)):
            sums[min(level, MIDDLE) : max(level, MIDDLE), level] = 1.0 if level > MIDDLE else -1.0
        return graph.node("Add", location, graph.node("MatMul", steps, graph.array(gaps[:, None] * sums)))
    if family.name == "normal":
        scores: str = graph.array(SCORES_OF_LEVELS)
    else:
        scores = _student_scores(graph, shape[1])
    return graph.node("Add", location, graph.node("Mul", shape[0], scores))


def _parts(graph: Graph, output: str, count: int) -> list[str]:
    """The numbers of each step, (batch, K, 1) each."""
    return list(graph.node("Split", output, graph.whole(*[1] * count), outputs=count, axis=2))


def _student_scores(graph: Graph, degrees: str) -> str:
    """The t distribution's quantiles (batch, K, J) by a table over 1 / ν, linear between its rows."""
    at, table = student_table()
    ends = [graph.wide_number(float(v)) for v in (at[0], at[-1])]
    wanted = graph.node("Div", graph.wide_number(1.0), graph.node("Add", degrees, graph.wide_number(2.0)))
    wanted = graph.node("Min", graph.node("Max", wanted, ends[0]), ends[1])
    step = float(at[-1] - at[0]) / (len(at) - 1)
    place = graph.node("Div", graph.node("Sub", wanted, ends[0]), graph.wide_number(step))
    lower = graph.node("Min", graph.node("Floor", place), graph.wide_number(len(at) - 2))
    part = graph.node("Sub", place, lower)
    rows = graph.array(table)
    number = graph.node("Squeeze", graph.cast(lower, "INT64"), graph.whole(2))
    low = graph.node("Gather", rows, number, axis=0)
    high = graph.node("Gather", rows, graph.node("Add", number, graph.whole_number(1)), axis=0)
    return graph.node("Add", low, graph.node("Mul", graph.node("Sub", high, low), part))


def centre(graph: Graph, family: Family, output: str, offset: str) -> str:
    """The forecast (batch, K) of an output (batch, K, P): its location, of counted values the mean."""
    location = graph.node("Gather", output, graph.whole_number(0), axis=2)
    if not family.counted:
        return location
    return graph.node("Sub", _mean(graph, location, offset), offset)


def _mean(graph: Graph, location: str, offset: str) -> str:
    """The mean of counted values over their unit: softplus(4 (m + a)) / 4 + 1e-4, whose exp doesn't overflow."""
    sharp = graph.node("Mul", graph.wide_number(SHARP), graph.node("Add", location, offset))
    near = graph.node("Exp", graph.node("Neg", graph.node("Abs", sharp)))
    log = graph.node("Log", graph.node("Add", graph.wide_number(1.0), near))
    soft = graph.node("Add", graph.node("Max", sharp, graph.wide_number(0.0)), log)
    return graph.node("Add", graph.node("Div", soft, graph.wide_number(SHARP)), graph.wide_number(LEAST))


def counts_of(graph: Graph, output: str, offset: str, unit: str) -> str:
    """The quantiles (batch, K, J) of negative binomial outputs (batch, K, 2), in the target's unit: counts, of which so
    many as lie below each level."""
    location, spread = (graph.node("Gather", output, graph.whole_number(at), axis=2) for at in (0, 1))
    mean = graph.node("Unsqueeze", graph.node("Mul", unit, _mean(graph, location, offset)), graph.whole(2))
    size = graph.node("Unsqueeze", graph.node("Div", graph.wide_number(1.0), spread), graph.whole(2))
    both = graph.node("Add", size, mean)
    none = graph.node("Mul", size, graph.node("Log", graph.node("Div", size, both)))
    numbers = np.arange(_MOST_COUNTS - 1, dtype=np.float64)
    grows = graph.node("Div", graph.node("Add", graph.array(numbers), size), graph.array(numbers + 1))
    steps = graph.node("Add", graph.node("Log", grows), graph.node("Log", graph.node("Div", mean, both)))
    axis = graph.whole_number(2)
    mass = graph.node("Exp", graph.node("CumSum", graph.node("Concat", none, steps, axis=2), axis))
    share = graph.node("CumSum", mass, axis)
    found = []
    for level in LEVELS:  # one after another, as all at once would take 15 times the memory
        below = graph.cast(graph.node("Less", share, graph.wide_number(level)), "DOUBLE")
        found.append(graph.node("ReduceSum", below, graph.whole(2), keepdims=1))
    return graph.node("Concat", *found, axis=2)


class Ends:
    """Values at normal scores of quantiles (batch, K, J) in the target's unit: see `families.ends_of`."""

    def __init__(self, graph: Graph, knots: str) -> None:
        self.graph = graph
        first, last = (graph.node("Gather", knots, graph.whole(at), axis=2) for at in (0, len(LEVELS) - 1))
        least = graph.node("Max", graph.node("Abs", last), graph.wide_number(1e-3))
        span = graph.node("Max", graph.node("Sub", last, first), graph.node("Mul", least, graph.wide_number(1e-9)))
        rise = graph.array(1e-6 * (np.arange(len(LEVELS)) - MIDDLE))
        self.rising = graph.node("Add", knots, graph.node("Mul", span, rise))

    def at(self, scores: np.ndarray, series: str | None) -> str:
        """scores (S, K) by series → values (batch, K)."""
        graph, known = self.graph, np.nan_to_num(scores)
        place = np.clip(np.searchsorted(SCORES_OF_LEVELS, known, side="right"), 1, len(LEVELS) - 1)
        start, gap = SCORES_OF_LEVELS[place - 1], np.diff(SCORES_OF_LEVELS)[place - 1]
        share = by_series(graph, np.where(np.isnan(scores), np.nan, (known - start) / gap), series)
        low, high = (self._picked(by_series(graph, np.eye(len(LEVELS))[at], series)) for at in (place - 1, place))
        return graph.node("Add", low, graph.node("Mul", graph.node("Sub", high, low), share))

    def _picked(self, ones: str) -> str:
        """The quantiles at whose places stand ones, (·, K, J): (batch, K)."""
        graph = self.graph
        return graph.node("ReduceSum", graph.node("Mul", self.rising, ones), graph.whole(2), keepdims=0)
