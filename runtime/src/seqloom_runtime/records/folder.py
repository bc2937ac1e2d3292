"""The predictor of records from a model folder; what prediction relies on is checked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import FormatError, shown
from ..saved_fields import array_of, field_of, is_number, refuse_stray, texts_of
from ..sequences.models import BaselineModel, NetworkModel, SequenceModel
from ..sequences.network import SequenceNetwork
from ..sequences.scale import Scale
from .inputs import RecordScale
from .predictor import BASELINES, RecordPredictor, gaps_by

__all__ = ["facts_from", "prevalence_from", "read", "scale_from"]


def read(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> RecordPredictor:
    """The predictor that a model folder describes; raises FormatError where fields and arrays don't fit together."""
    parameters = field_of(header, "parameters", dict)
    facts = facts_from(header)
    columns, every_step = facts["columns"], facts["every_step"]
    scale, known = scale_from(header, arrays, len(columns)), ["scale."]
    name, given = field_of(parameters, "model", str), parameters.get("gaps")
    if name in BASELINES:
        model: SequenceModel = prevalence_from(header, arrays, every_step)
        gaps = gaps_by(name, None, given)
        known.append("baseline.")
    else:
        network = SequenceNetwork.build(header.get("network"), arrays)
        model, body = NetworkModel(network, Scale()), network.body.spec
        gaps = gaps_by(name, body.kind, given)
        inputs = (1 if gaps == "forward" else 3) * len(columns)
        if (body.inputs, network.outputs, network.every_step) != (inputs, 1, every_step):
            raise FormatError("model.json: the network's inputs and outputs are not those of the columns.")
        known.append("network.")
    refuse_stray(arrays, known)
    return RecordPredictor(model, gaps, scale, notes=tuple(texts_of(header, "notes")), **facts)


def facts_from(header: dict[str, Any]) -> dict[str, Any]:
    """What was learned from: columns, unit, every_step, horizon, label, labels, threshold."""
    columns, labels = tuple(texts_of(header, "columns")), texts_of(header, "labels")
    if not columns or len(set(columns)) != len(columns):
        raise FormatError(f"model.json: expected different names under 'columns', found {shown(list(columns))}.")
    if len(labels) != 2 or labels[0] == labels[1]:
        raise FormatError(f"model.json: expected two different names under 'labels', found {shown(labels)}.")
    every_step, unit = field_of(header, "every_step", bool), field_of(header, "unit", str)
    if unit not in ("", "h"):
        raise FormatError(f"model.json: expected h or nothing under 'unit', found {shown(unit)}.")
    horizon, threshold = _number(header, "horizon"), _number(header, "threshold")
    if (horizon is None) == every_step or (horizon is not None and not horizon > 0):
        raise FormatError(f"model.json: expected a horizon above 0 for an event alone, found {shown(horizon)}.")
    if threshold is not None and not every_step:
        raise FormatError("model.json: expected no 'threshold' where the answer is one for each record.")
    return {
        "columns": columns,
        "unit": unit,
        "every_step": every_step,
        "horizon": horizon,
        "label": field_of(header, "label", str),
        "labels": (labels[0], labels[1]),
        "threshold": threshold,
    }


def prevalence_from(header: dict[str, Any], arrays: dict[str, np.ndarray], every_step: bool) -> BaselineModel:
    """The baseline with its saved number."""
    values = array_of(arrays, "baseline.values", np.float64, 1)
    if values.shape != (1,) or not np.isfinite(values).all() or "network" in header:
        raise FormatError("model.safetensors: expected one finite number under 'baseline.values', no network.")
    return BaselineModel("mean", values.copy(), every_step=every_step, binary=True)


def scale_from(header: dict[str, Any], arrays: dict[str, np.ndarray], width: int) -> RecordScale:
    """The scale of the inputs."""
    mean, std = (array_of(arrays, f"scale.{part}", np.float64, 1) for part in ("mean", "std"))
    if mean.shape != (width,) or std.shape != (width,) or not np.isfinite(mean).all() or not np.isfinite(std).all():
        raise FormatError(f"model.safetensors: expected {width} finite means and deviations under 'scale'.")
    age = _number(header, "age")
    if (std <= 0).any() or age is None or not 0 < age < math.inf:
        raise FormatError("model.json: expected deviations and an 'age' above 0.")
    return RecordScale(mean.copy(), std.copy(), age)


def _number(header: dict[str, Any], name: str) -> float | None:
    if name not in header or not (header[name] is None or is_number(header[name])):
        raise FormatError(f"model.json: expected a number or null under {shown(name)}.")
    return None if header[name] is None else float(header[name])
