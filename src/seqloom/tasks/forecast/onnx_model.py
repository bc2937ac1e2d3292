"""A fitted forecaster as an ONNX file: rows in the table's units in, the forecast and its intervals in its unit out.

Scaling, transform, calendar, words, window normalisation, anchor and intervals are inside; in float64 outside the
network, as `predict` has it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.errors import SettingError, shown
from seqloom_runtime.forecast.transforms import Transform
from seqloom_runtime.statistical.baselines import SeasonalNaive

from ...diagnostics import make_baseline
from ...nn.onnx_graph import Graph
from ...nn.onnx_rules import Export
from ..exporting import save_graph
from .families import Family
from .network import ForecastNetwork
from .onnx_baselines import baseline_forecast, baseline_obstacle, mixed, rows_back
from .onnx_inputs import Given, by_series, forward
from .onnx_network import written
from .onnx_outputs import Ends, centre, counts_of, held_at_0, inverse, knots_of, offsets_of

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["save_onnx"]


def save_onnx(forecaster: Forecaster, path: str | os.PathLike[str], graph: Graph, stateful: bool) -> dict[str, Any]:
    """Write the file; returns its record. Raises SettingError, with the reason, for a model that has no form there."""
    why = _obstacle(forecaster) or (_no_state(forecaster) if stateful else None)
    if why is not None:
        raise SettingError(f"The model {forecaster.model!r} can't be exported to ONNX: {why}.")
    spec, roles, ids = forecaster.window_spec_, forecaster.features_.roles, forecaster.context_.ids
    given = Given(graph, forecaster, ["time"] if stateful else [1])
    if len(ids) > 1:
        about = "the number of the series as the metadata's series list them"
        given.series = given.add("series", ["batch"], about, "INT64")
    steps = [int(step) for step in spec.steps]
    if hasattr(forecaster, "baseline_"):
        forecast, rows = baseline_forecast(given, forecaster.baseline_)
        ends = None
    else:
        forecast, ends, rows = _by_network(Export(graph, stateful), given)
    offsets = offsets_of(forecaster) if ends is not _NONE else {}
    forecast = held_at_0(graph, forecast, forecaster, given.series)
    graph.output(forecast, "forecast", ["batch", len(steps)], "in the target's unit", "DOUBLE")
    for level, (low, high) in offsets.items():
        for side, offset in (("low", low), ("high", high)):
            end = _end(given, forecast, ends, f"{side}_{level}", offset)
            end = held_at_0(graph, end, forecaster, given.series) if side == "low" else end
            about = f"the {'lower' if side == 'low' else 'upper'} end of the {level} % interval"
            graph.output(end, f"{side}_{level}", ["batch", len(steps)], about, "DOUBLE")
    told = [*given.about, f"Output forecast: {len(steps)} steps of {shown(roles.target)}, in its unit."]
    if offsets:
        levels = ", ".join(f"{level} %" for level in offsets)
        said = f"Outputs low_… and high_…: the ends of the intervals of {levels}, as they were at the end of the fit; "
        told.append(said + "predict also learns from errors that came later.")
    elif ends is _NONE:
        name = forecaster.distribution
        told.append(f"Intervals are not in the file: the quantiles of a {name} distribution have no operator in ONNX.")
    graph.metadata |= {
        "target": roles.target,
        **({"targets": list(roles.wide.targets)} if roles.wide is not None else {}),
        **({"series": list(ids)} if len(ids) > 1 else {}),
        "past": {"columns": list(_columns(forecaster)), "rows": rows},
        "forecast": {"rows": steps, "one_row": forecaster.frequency_.label},
        **({"future": {"columns": _ahead(forecaster)}} if _ahead(forecaster) else {}),
        "levels": list(offsets),
    }
    return save_graph(graph, path, forecaster, "forecast", told)


_NONE = "no intervals"


def _columns(forecaster: Forecaster) -> tuple[str, ...]:
    roles = forecaster.features_.roles
    return (roles.target,) if hasattr(forecaster, "baseline_") else roles.numeric_inputs


def _ahead(forecaster: Forecaster) -> list[str]:
    """The columns of numbers that are known in advance."""
    roles = forecaster.features_.roles
    return [] if hasattr(forecaster, "baseline_") else [n for n in roles.future if n in roles.numeric]


def _obstacle(forecaster: Forecaster) -> str | None:
    """Why the model has no form in ONNX here; None where it has one."""
    if hasattr(forecaster, "members_"):
        members = forecaster.members_.members
        # It leaves out members that lead out of the range of all rows read, which a window doesn't tell.
        one = next((member.name for member in members if _obstacle(member.forecaster) is None), None)
        if one is None:
            return "neither an ensemble nor any of its members has a form there; train another (model='gru')"
        return f"an ensemble has no form there; train again with one of its members alone (model={one!r})"
    if hasattr(forecaster, "baseline_"):
        return baseline_obstacle(forecaster.baseline_)
    return None


def _no_state(forecaster: Forecaster) -> str | None:
    """Why a forecaster has no state to carry from row to row; None where it has one."""
    if not hasattr(forecaster, "learned_"):
        return "it has no state to carry (stateful)"
    network: Any = forecaster.learned_.network
    spec = network.spec
    if network.flat or spec.decodes or not network.body.causal:
        return "it reads a window at once, so it has no state to carry (stateful); fit rnn, gru, lstm or tcn"
    if network.scale.kind != "none" or network.skip is not None or spec.patch > 1:
        return (
            "it reads each window relative to its own level, so it has no state to carry (stateful); fit with "
            "normalise='none', linear_skip=False and patch=1"
        )
    if forecaster.anchor_ == "seasonal":
        return "its anchor is the value a season ago, which no state holds (stateful); fit with anchor='last' or 'none'"
    return None


def _by_network(export: Export, given: Given) -> tuple[str, Any, list[int]]:
    """The forecast (batch, K) in the target's unit, what ends of intervals are made of, and the rows of the past."""
    graph, forecaster, features = export.graph, given.forecaster, given.forecaster.features_
    network, spec = forecaster.learned_.network, forecaster.window_spec_
    assert isinstance(network, ForecastNetwork)
    window = [int(row) for row in spec.input_offsets]
    season = _season_rows(forecaster)
    around = [] if season is None else [int(row) for row in (*season[0], *season[1])]
    rows: list[int] = sorted({*window, *around})
    if not export.stateful:
        given.rows = [len(rows)]
    x = given.past()
    if rows != window:
        x = graph.node("Gather", x, graph.whole(*(rows.index(at) for at in window)), axis=1)
    output = graph.cast(written(export, network, x, given.future()), "DOUBLE")
    mean, std = (_flat(graph, v, features.per_series) for v in given.moments([features.roles.target]))
    anchor = _anchor(given, mean, rows, season)
    family = network.family
    if family is None:
        return inverse(graph, _scaled(graph, output, std, anchor), features.transform), None, rows
    offset = graph.node("Div", anchor, std)
    point = _scaled(graph, centre(graph, family, output, offset), std, anchor)
    return inverse(graph, point, features.transform), _ends(given, family, output, std, anchor), rows


def _ends(given: Given, family: Family, output: str, std: str, anchor: str) -> Any:
    """What gives the ends of intervals of a distribution; `_NONE` where no operator does."""
    graph = given.graph
    features = given.forecaster.features_
    if family.name == "negative-binomial":
        counts = counts_of(graph, output, graph.node("Div", anchor, std), std)
        return Ends(graph, inverse(graph, counts, features.transform))
    if family.counted:
        return _NONE
    anchor = graph.node("Unsqueeze", anchor, graph.whole(2))
    std = graph.node("Unsqueeze", std, graph.whole(2)) if features.per_series else std
    return Ends(graph, inverse(graph, _scaled(graph, knots_of(graph, family, output), std, anchor), features.transform))


def _end(given: Given, forecast: str, ends: Any, name: str, offset: np.ndarray) -> str:
    """One end of an interval (batch, K), of offsets (S, K) or of normal scores."""
    graph = given.graph
    if ends is None:
        return graph.node("Add", forecast, by_series(graph, offset, given.series))
    value = ends.at(offset, given.series)
    return graph.node("Min" if name.startswith("low") else "Max", value, forecast)


def _flat(graph: Graph, value: str, per_series: bool) -> str:
    """Moments of the target as (batch, 1), or (1) for all."""
    return graph.node("Squeeze", value, graph.whole(1)) if per_series else value


def _scaled(graph: Graph, output: str, std: str, anchor: str) -> str:
    return graph.node("Add", graph.node("Mul", output, std), anchor)


def _season_rows(forecaster: Forecaster) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """For the seasonal anchor the two rows around each step's, relative to the origin, and how far between them."""
    if forecaster.anchor_ != "seasonal":
        return None
    naive = make_baseline("seasonal", season=forecaster.season_)
    assert isinstance(naive, SeasonalNaive)
    return rows_back(naive, forecaster.window_spec_.steps)


def _anchor(given: Given, mean: str, rows: list[int], season: Any) -> str:
    """What the output is added to before it is scaled back: (batch, K) or (batch, 1)."""
    graph, forecaster = given.graph, given.forecaster
    target = forecaster.features_.roles.numeric_inputs.index(forecaster.features_.roles.target)
    if forecaster.anchor_ == "none":
        batch = graph.node("Gather", graph.node("Shape", given.numbers), graph.whole(0))
        return graph.node("Expand", mean, graph.node("Concat", batch, graph.whole(1), axis=0))
    values = graph.node("Gather", given.numbers, graph.whole_number(target), axis=2)
    if season is None:
        return graph.node("Gather", values, graph.whole(-1), axis=1)
    transform = forecaster.features_.transform
    values = inverse(graph, values, transform)  # between two rows the values themselves are mixed
    found = mixed(given, values, rows, season)
    return forward(graph, found, transform) if isinstance(transform, Transform) else found
