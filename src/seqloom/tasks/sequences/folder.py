"""Saving and loading the estimators of sequences as model folders; what is loaded is checked in every field."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.errors import FormatError, shown
from seqloom_runtime.saved_fields import (
    field_of,
    implied,
    plain,
    refuse_stray,
    same_spec,
    texts_of,
)
from seqloom_runtime.sequences.folder import KINDS, OF_PICTURES, baseline_from, labels_from, lengths_from, picture_from
from seqloom_runtime.sequences.scale import scale_from

from ...training import History
from .. import saved_fields
from ..saved_fields import load_network, write_estimator
from .coding import BinaryCoding, ClassCoding, Coding, NumberCoding
from .learning import Fitted
from .models import BASELINES, BaselineModel, NetworkModel, SequenceModel
from .network import SequenceNetworkSpec, build_sequence_network

if TYPE_CHECKING:
    from .base import SequenceEstimator

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]


def write_fitted(estimator: SequenceEstimator, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator: its weights or its baseline, scales, classes, and what it decided."""
    model, coding = estimator.model_, estimator.coding_
    arrays: dict[str, np.ndarray] = {}
    scales = {"scale": estimator.scale_}
    if isinstance(coding, NumberCoding):
        scales["target"] = coding.scale
    for name, scale in scales.items():
        if scale.mean is not None and scale.std is not None:
            arrays |= {f"{name}.mean": scale.mean, f"{name}.std": scale.std}
    facts = {
        "parameters": _saved_parameters(estimator),
        "channels": list(estimator.channels_),
        "lengths": list(estimator.lengths_),
        "coding": _coding_json(coding),
    }
    if estimator._task in OF_PICTURES:
        assert estimator.picture_ is not None
        facts["picture"] = list(estimator.picture_)
    network = None
    if isinstance(model, NetworkModel):
        network = (model.spec, model.network)
    else:
        assert isinstance(model, BaselineModel)
        arrays["baseline.values"] = np.asarray(model.values, dtype=np.float64)
    write_estimator(estimator, path, estimator._task, facts, arrays, network)


def saved_parameters(header: dict[str, Any]) -> dict[str, Any]:
    """The estimator's parameters in a model folder's header: JSON's keys are texts, labels need not be."""
    parameters = {"reverse": False, **saved_fields.saved_parameters(header)}
    weight = parameters.get("class_weight")
    if isinstance(weight, dict):
        parameters["class_weight"] = dict(weight["pairs"])
    return parameters


def read_fitted(estimator: SequenceEstimator, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    """What the fit of an estimator had found; raises FormatError where the saved fields and arrays don't fit."""
    channels = tuple(texts_of(header, "channels"))
    if not channels or len(set(channels)) != len(channels):
        raise FormatError(f"model.json: expected different names under 'channels', found {shown(list(channels))}.")
    lengths = lengths_from(header)
    picture = picture_from(header, lengths, estimator._task) if estimator._task in OF_PICTURES else None
    scale = scale_from(arrays, "scale", len(channels), estimator.scaling == "standard")
    coding = _coding(estimator, field_of(header, "coding", dict), arrays)
    scaled = ["scale", "target"] if isinstance(coding, NumberCoding) else ["scale"]
    known = {f"{name}.{part}" for name in scaled for part in ("mean", "std")}
    model: SequenceModel
    if estimator.model in BASELINES:
        known.add("baseline.values")
        model = baseline_from(estimator.model, coding, arrays, estimator._every_step)
        if "network" in header:
            raise FormatError(f"model.json: the model {shown(estimator.model)} is no network, but one is described.")
    else:
        spec = SequenceNetworkSpec.from_json(header.get("network"))
        same_spec(spec, estimator._network_spec(len(channels), lengths[1], coding.outputs, picture))
        network = load_network(lambda: build_sequence_network(spec, 0), arrays)
        known.add("network.")
        model = NetworkModel(network, spec, scale)
    refuse_stray(arrays, known)
    count = implied(header, "n_parameters", model.n_parameters)
    return Fitted(model, coding, scale, channels, lengths, History.empty(), count, texts_of(header, "notes"), picture)


def _saved_parameters(estimator: SequenceEstimator) -> dict[str, Any]:
    parameters = estimator.get_params()
    if isinstance(parameters.get("class_weight"), Mapping):  # JSON's keys are texts, labels need not be
        parameters["class_weight"] = {"pairs": [list(pair) for pair in parameters["class_weight"].items()]}
    if isinstance(parameters.get("classes"), np.ndarray):
        parameters["classes"] = parameters["classes"].tolist()
    return plain(parameters)


def _coding_json(coding: Coding) -> dict[str, Any]:
    if isinstance(coding, ClassCoding):
        return {"kind": "classes", "type": KINDS[coding.classes.dtype.kind], "labels": coding.classes.tolist()}
    if isinstance(coding, BinaryCoding):
        return {"kind": "binary", "columns": coding.columns}
    assert isinstance(coding, NumberCoding)
    return {"kind": "numbers", "columns": coding.columns, "flat": coding.flat}


def _coding(estimator: SequenceEstimator, value: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> Coding:
    wanted = {"classes": {"kind", "type", "labels"}, "binary": {"kind", "columns"}}
    kind = value.get("kind")
    own = getattr(estimator, "kind", "label" if hasattr(estimator, "class_weight") else "value")
    if kind != {"label": "classes", "value": "numbers", "binary": "binary", "keys": "binary"}[own]:
        raise FormatError(f"model.json: the coding {shown(kind)} is not that of {type(estimator).__name__}.")
    if set(value) != wanted.get(str(kind), {"kind", "columns", "flat"}):
        raise FormatError(f"model.json: the coding {shown(value)} lacks a field or has one too many.")
    if kind == "classes":
        return ClassCoding(labels_from(value))
    columns = value["columns"]
    if type(columns) is not int or columns < 1:
        raise FormatError(f"model.json: expected a whole number of columns, found {shown(columns)}.")
    if kind == "binary":
        return BinaryCoding(columns)
    flat = value["flat"]
    if type(flat) is not bool or (flat and columns != 1):
        raise FormatError(f"model.json: expected true for 'flat' with one column alone, found {shown(flat)}.")
    scale = scale_from(arrays, "target", columns, getattr(estimator, "target_scaling", "none") == "standard")
    return NumberCoding(columns, flat, scale, getattr(estimator, "loss", "mse"))
