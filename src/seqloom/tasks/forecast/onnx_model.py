"""A fitted forecaster as an ONNX file: rows in the table's units in, the forecast in the target's unit out.

Scaling, window normalisation, network and anchor are inside. In float64 outside the network, as `predict` has it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.errors import SettingError, shown

from ...nn.onnx_graph import Graph
from ...nn.onnx_rules import Export
from ..exporting import save_graph
from .network import ForecastNetwork
from .onnx_network import written

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["save_onnx"]


def save_onnx(forecaster: Forecaster, path: str | os.PathLike[str], graph: Graph, stateful: bool) -> dict[str, Any]:
    """Write the file; returns its record. Raises SettingError, with the reason, for a model that has no form there."""
    why = _obstacle(forecaster)
    if why is None and stateful:
        why = "a forecast reads a whole window at once, relative to it, so it has no state to carry"
    if why is not None:
        raise SettingError(f"The model {forecaster.model!r} can't be exported to ONNX: {why}.")
    features, spec = forecaster.features_, forecaster.window_spec_
    network, steps = forecaster.learned_.network, len(spec.steps)
    assert isinstance(network, ForecastNetwork)
    past: list[int | str] = ["batch", len(spec.input_offsets), features.width]
    about = "the last rows before the forecast, oldest first, columns as named, numbers in the units of the table"
    raw = graph.input("past", past, about, "DOUBLE")
    columns = _names_ahead(forecaster)
    ahead = None
    if features.future_width:
        known: list[int | str] = ["batch", steps, features.future_width]
        ahead = graph.input("future", known, "what is known of each row that is forecast, columns as named", "DOUBLE")
    x = _standardised(graph, raw, forecaster, features.roles.numeric_inputs, features.width)
    numeric = [name for name in features.roles.future if name in features.roles.numeric]
    known_ahead = None if ahead is None else _standardised(graph, ahead, forecaster, numeric, features.future_width)
    y = graph.node("Cast", written(Export(graph), network, x, known_ahead), to=graph.onnx.TensorProto.DOUBLE)
    graph.output(_in_units(graph, y, raw, forecaster), "forecast", ["batch", steps], "in the target's unit", "DOUBLE")
    graph.metadata |= {
        "target": features.roles.target,
        "past": {"columns": list(features.names), "rows": spec.input_offsets.tolist()},
        "forecast": {"rows": spec.steps.tolist(), "one_row": forecaster.frequency_.label},
        **({"future": {"columns": columns}} if columns else {}),
    }
    told = [
        f"Input past: windows of {len(spec.input_offsets)} rows by {features.width} columns: "
        f"{', '.join(features.names)}.",
        f"Output forecast: {steps} steps of {features.roles.target}. Intervals are not in the file.",
    ]
    if features.future_width:
        told.insert(1, f"Input future: {steps} rows by {features.future_width} columns known in advance.")
    return save_graph(graph, path, forecaster, "forecast", told)


def _obstacle(forecaster: Forecaster) -> str | None:
    """Why the model has no form in ONNX here; None where it has one."""
    if not hasattr(forecaster, "learned_"):
        return "only networks are; fit one of linear, nlinear, dlinear, dense, rnn, gru, lstm or tcn"
    features = forecaster.features_
    network: Any = forecaster.learned_.network
    if features.roles.wide is not None:
        return "it forecasts several targets, each with a scale of its own; fit one for each"
    if features.per_series and len(forecaster.context_.ids) > 1:
        return "each of its series has a scale of its own; fit with scaling='pooled', or one model for each series"
    if features.flagged:
        return f"it reads where {shown(features.flagged[0])} was missing, which rows alone don't tell; fill the table"
    if features.transform is not None:
        return "its target is transformed (transform); fit without"
    if forecaster.anchor_ == "seasonal":
        return "its anchor is the value a season ago; fit with anchor='last' or 'none'"
    if network.spec.decodes:
        return "its decoder has no form there"
    if network.family is not None:
        return "it forecasts a distribution; fit with distribution=None"
    return None


def _names_ahead(forecaster: Forecaster) -> list[str]:
    """The columns of what is known in advance, in their order."""
    features = forecaster.features_
    words = [c for c in features.categories if c.column in features.roles.future]
    own = [name for name in features.roles.future if name in features.roles.numeric]
    days = () if features.holidays is None else features.holidays.names
    waves = [f"{wave} of {cycle}" for cycle in features.cycles for wave in ("sine", "cosine")]
    order = {name: at for at, name in enumerate(features.roles.future)}
    words.sort(key=lambda category: order[category.column])
    coded = [name for category in words for name in category.names]
    return [*own, *days, *coded, *(waves if features.calendar_ahead else [])]


def _moments(forecaster: Forecaster, names: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of columns of numbers: (columns,) float64 each."""
    scaler, numeric = forecaster.features_.scaler, forecaster.features_.roles.numeric
    assert scaler is not None
    at = [numeric.index(name) for name in names]
    mean, std = (np.asarray(v, dtype=np.float64).reshape(-1, len(numeric))[0] for v in (scaler.mean, scaler.std))
    return mean[at], std[at]


def _standardised(graph: Graph, raw: str, forecaster: Forecaster, names: Any, width: int) -> str:
    """(…, width) float64 → float32 as the network reads it; the columns of numbers come first, the rest stay."""
    mean, std = np.zeros(width), np.ones(width)
    mean[: len(names)], std[: len(names)] = _moments(forecaster, names)
    centred = graph.node("Sub", raw, graph.weight(f"{raw}_mean", mean))
    scaled = graph.node("Div", centred, graph.weight(f"{raw}_std", std))
    return graph.node("Cast", scaled, to=graph.onnx.TensorProto.FLOAT)


def _in_units(graph: Graph, y: str, raw: str, forecaster: Forecaster) -> str:
    """The network's output times the target's scale, plus its anchor, at 0 or above where forecasts are held there."""
    roles = forecaster.features_.roles
    mean, std = _moments(forecaster, [roles.target])
    wide = graph.node("Mul", y, graph.weight("target_std", std))
    if forecaster.anchor_ == "last":
        row = graph.node("Gather", raw, graph.whole_number(-1), axis=1)
        anchor = graph.node("Gather", row, graph.whole(roles.numeric_inputs.index(roles.target)), axis=1)
    else:
        anchor = graph.weight("target_mean", mean)
    found = graph.node("Add", wide, anchor)
    return graph.node("Max", found, graph.weight("least", np.zeros(1))) if forecaster.floors_[0] else found
