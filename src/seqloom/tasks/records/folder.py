"""Saving and loading a fitted `RecordModel` as a model folder."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.errors import FormatError, shown
from seqloom_runtime.saved_fields import (
    array_of,
    field_of,
    implied,
    is_number,
    refuse_stray,
    same_spec,
    texts_of,
)

from ...training import History
from ..saved_fields import load_network, write_estimator
from ..sequences.models import BaselineModel, NetworkModel, SequenceModel
from ..sequences.network import SequenceNetworkSpec, build_sequence_network
from ..sequences.prepared import Scale
from .inputs import RecordScale
from .learning import Fitted
from .network import BASELINES, record_spec

if TYPE_CHECKING:
    from .model import RecordModel

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]


def write_fitted(model: RecordModel, path: str | os.PathLike[str]) -> None:
    """Write the fitted model to the folder `path`."""
    scale, found, network = model.scale_, model.model_, None
    arrays = {"scale.mean": scale.mean, "scale.std": scale.std}
    if isinstance(found, NetworkModel):
        network = (found.spec, found.network)
    else:
        assert isinstance(found, BaselineModel)
        arrays["baseline.values"] = np.asarray(found.values, dtype=np.float64)
    facts = {
        "columns": list(model.columns_),
        "unit": model.unit_,
        "every_step": model.every_step_,
        "horizon": model.horizon_,
        "label": model.label_,
        "labels": list(model.labels_),
        "threshold": model.threshold_,
        "age": scale.age,
    }
    write_estimator(model, path, "records", facts, arrays, network)


def saved_parameters(header: dict[str, Any]) -> dict[str, Any]:
    """The parameters in a model folder's header; there are no older models that lack some."""
    return field_of(header, "parameters", dict)


def read_fitted(model: RecordModel, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    """What the fit of a model had found; raises FormatError where the saved fields and arrays don't fit."""
    columns, labels = tuple(texts_of(header, "columns")), texts_of(header, "labels")
    if not columns or len(set(columns)) != len(columns):
        raise FormatError(f"model.json: expected different names under 'columns', found {shown(list(columns))}.")
    if len(set(labels)) != 2:
        raise FormatError(f"model.json: expected two different names under 'labels', found {shown(labels)}.")
    every_step, unit = field_of(header, "every_step", bool), field_of(header, "unit", str)
    if unit not in ("", "h"):
        raise FormatError(f"model.json: expected h or nothing under 'unit', found {shown(unit)}.")
    horizon, threshold = _number(header, "horizon"), _number(header, "threshold")
    if (horizon is None) == every_step or (horizon is not None and not horizon > 0):
        raise FormatError(f"model.json: expected a horizon above 0 for an event alone, found {shown(horizon)}.")
    if threshold is not None and not every_step:
        raise FormatError("model.json: expected no 'threshold' where the answer is one for each record.")
    scale, known = _scale(header, arrays, len(columns)), {"scale.mean", "scale.std"}
    found: SequenceModel
    if model.model in BASELINES:
        values = array_of(arrays, "baseline.values", np.float64, 1)
        if values.shape != (1,) or not np.isfinite(values).all() or "network" in header:
            raise FormatError("model.safetensors: expected one finite number under 'baseline.values', no network.")
        known.add("baseline.values")
        found = BaselineModel("mean", values.copy(), every_step=every_step, binary=True)
    else:
        spec = SequenceNetworkSpec.from_json(header.get("network"))
        same_spec(spec, record_spec(model, len(columns), every_step))
        known.add("network.")
        found = NetworkModel(load_network(lambda: build_sequence_network(spec, 0), arrays), spec, Scale())
    refuse_stray(arrays, known)
    return Fitted(
        found,
        scale,
        columns,
        unit,
        every_step,
        horizon,
        field_of(header, "label", str),
        (labels[0], labels[1]),
        threshold,
        History.empty(),
        implied(header, "n_parameters", found.n_parameters),
        texts_of(header, "notes"),
    )


def _number(header: dict[str, Any], name: str) -> float | None:
    if name not in header or not (header[name] is None or is_number(header[name])):
        raise FormatError(f"model.json: expected a number or null under {shown(name)}.")
    return None if header[name] is None else float(header[name])


def _scale(header: dict[str, Any], arrays: dict[str, np.ndarray], width: int) -> RecordScale:
    mean, std = (array_of(arrays, f"scale.{part}", np.float64, 1) for part in ("mean", "std"))
    if mean.shape != (width,) or std.shape != (width,) or not np.isfinite(mean).all() or not np.isfinite(std).all():
        raise FormatError(f"model.safetensors: expected {width} finite means and deviations under 'scale'.")
    age = _number(header, "age")
    if (std <= 0).any() or age is None or not 0 < age < math.inf:
        raise FormatError("model.json: expected deviations and an 'age' above 0.")
    return RecordScale(mean.copy(), std.copy(), age)
