"""The baselines that are formulas of the last rows, in ONNX's operators.

The statistical methods are none: their states are followed through all rows of the table.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqloom_runtime.statistical.baselines import DampedNaive, Drift, Mean, Naive, SeasonalNaive, SeasonalWeek

from ...diagnostics import Baseline
from .onnx_calendar import slot_of
from .onnx_inputs import Given, by_series

__all__ = ["baseline_forecast", "baseline_obstacle", "mixed", "rows_back"]

_MOST_SLOTS = 100_000  # rows of a day


def baseline_obstacle(baseline: Baseline) -> str | None:
    """Why a baseline has no form in ONNX here; None where it has one."""
    if type(baseline) not in _FORMULAS:
        known = ", ".join(kind.name for kind in _FORMULAS)
        return (
            "the states of statistical methods are followed through all rows of the table, which no window holds; fit "
            f"a network, or one of {known}"
        )
    if isinstance(baseline, DampedNaive) and baseline._slots > _MOST_SLOTS:
        return f"a day has {baseline._slots:,} rows, more than a table of them in the file may hold"
    return None


def rows_back(naive: SeasonalNaive, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two rows (K,) around that of the last whole number of seasons before each step, relative to the origin, and
    how far between them it lies."""
    lower, upper, part = naive._rows(np.array([0]), steps)
    return lower[0], upper[0], part


def mixed(given: Given, values: str, rows: list[int], season: tuple[np.ndarray, np.ndarray, np.ndarray]) -> str:
    """values (batch, rows) → what stood the last whole number of seasons before each step: (batch, K)."""
    graph, (lower, upper, part) = given.graph, season
    low, high = (graph.whole(*(rows.index(int(row)) for row in at)) for at in (lower, upper))
    first = graph.node("Mul", graph.node("Gather", values, low, axis=1), graph.array(1.0 - part))
    return graph.node("Add", first, graph.node("Mul", graph.node("Gather", values, high, axis=1), graph.array(part)))


def baseline_forecast(given: Given, baseline: Baseline) -> tuple[str, list[int]]:
    """The forecast (batch, K) in the target's unit, and the rows of the past that it reads."""
    return _FORMULAS[type(baseline)](given, baseline)


def _past(given: Given, rows: list[int | str]) -> str:
    """Declare the target's past: (batch, rows)."""
    target = given.forecaster.features_.roles.target
    about = f"the rows up to the origin, oldest first: {target}"
    raw = given.add("past", ["batch", *rows, 1], about)
    return given.graph.node("Squeeze", raw, given.graph.whole(2))


def _known(levels: np.ndarray | None) -> np.ndarray:
    """The means of a fitted baseline."""
    assert levels is not None
    return levels


def _steps(given: Given) -> np.ndarray:
    return np.asarray(given.forecaster.window_spec_.steps)


def _naive(given: Given, baseline: Naive) -> tuple[str, list[int]]:
    graph, last = given.graph, _past(given, [1])
    return graph.node("Mul", last, graph.array(np.ones((1, len(_steps(given)))))), [0]


def _seasonal(given: Given, baseline: SeasonalNaive) -> tuple[str, list[int]]:
    season = rows_back(baseline, _steps(given))
    rows = sorted({*season[0].tolist(), *season[1].tolist()})
    return mixed(given, _past(given, [len(rows)]), rows, season), rows


def _mean(given: Given, baseline: Mean) -> tuple[str, list[int]]:
    graph, last = given.graph, _past(given, [1])
    level = by_series(graph, _known(baseline._levels)[:-1, None], given.series)
    batch = graph.node("Gather", graph.node("Shape", last), graph.whole(0))  # all that is read of the past
    return graph.node("Expand", level, graph.node("Concat", batch, graph.whole(len(_steps(given))), axis=0)), [0]


def _drift(given: Given, baseline: Drift) -> tuple[str, list[int]]:
    graph, values = given.graph, _past(given, ["time"])
    known = graph.cast(graph.node("Not", graph.node("IsNaN", values)), "INT64")
    first = graph.node("ArgMax", known, axis=1, keepdims=1)
    start = graph.node("GatherElements", values, first, axis=1)
    last = graph.node("Gather", values, graph.whole(-1), axis=1)
    end = graph.node("Sub", graph.node("Gather", graph.node("Shape", values), graph.whole(1)), graph.whole(1))
    distance = graph.node("Max", graph.node("Sub", end, first), graph.whole_number(1))
    slope = graph.node("Div", graph.node("Sub", last, start), graph.cast(distance, "DOUBLE"))
    ahead = graph.node("Mul", slope, graph.array(_steps(given).astype(np.float64)[None]))
    return graph.node("Add", last, ahead), []


def _damped(given: Given, baseline: DampedNaive) -> tuple[str, list[int]]:
    graph, last, steps = given.graph, _past(given, [1]), _steps(given)
    levels = by_series(graph, _known(baseline._levels)[:-1], given.series)  # (batch or 1, columns)
    slopes = by_series(graph, baseline.slopes(steps)[:-1], given.series)
    if baseline._slots == 1:
        usual = then = graph.node("Gather", levels, graph.whole(0), axis=1)
    else:
        slot = slot_of(graph, given.time("past", [1]), baseline._slots)
        column = graph.array(baseline._column(np.arange(baseline._slots)))
        later = graph.node(
            "Mod", graph.node("Add", slot, graph.whole(*steps.tolist())), graph.whole_number(baseline._slots)
        )
        usual, then = (_of_column(given, levels, column, at) for at in (slot, later))
    apart = graph.node("Mul", slopes, graph.node("Sub", last, usual))
    return graph.node("Add", then, apart), [0]


def _of_column(given: Given, levels: str, column: str, slot: str) -> str:
    """levels (batch or 1, columns) at the columns of slots (batch, K): (batch, K)."""
    graph = given.graph
    at = graph.node("Gather", column, slot, axis=0)
    batch = graph.node("Gather", graph.node("Shape", at), graph.whole(0))
    columns = graph.node("Gather", graph.node("Shape", levels), graph.whole(1))
    wide = graph.node("Expand", levels, graph.node("Concat", batch, columns, axis=0))
    return graph.node("GatherElements", wide, at, axis=1)


_FORMULAS: dict[type[Baseline], Any] = {
    Naive: _naive,
    SeasonalNaive: _seasonal,
    SeasonalWeek: _seasonal,
    Mean: _mean,
    Drift: _drift,
    DampedNaive: _damped,
}
