"""The predictors of sequences, pictures and films from a model folder; what prediction relies on is checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import FormatError, shown
from ..saved_fields import array_of, field_of, texts_of
from .coding import BinaryCoding, ClassCoding, Coding, NumberCoding
from .models import BASELINES, BaselineModel, NetworkModel, SequenceModel
from .network import SequenceNetwork
from .predictors import ClassPredictor, FramePredictor, NumberPredictor, SequencePredictor
from .scale import scale_from

__all__ = ["KINDS", "OF_PICTURES", "baseline_from", "labels_from", "lengths_from", "picture_from", "read"]

OF_PICTURES = ("picture-classifier", "film-classifier")
_PREDICTORS: Mapping[str, type[SequencePredictor]] = {
    "sequence-classifier": ClassPredictor,
    "picture-classifier": ClassPredictor,
    "film-classifier": ClassPredictor,
    "sequence-regressor": NumberPredictor,
    "frame-model": FramePredictor,
}
_LABELS: Mapping[str, tuple[type, Any]] = {"text": (str, np.str_), "whole": (int, np.int64), "truth": (bool, np.bool_)}
KINDS = {"U": "text", "i": "whole", "b": "truth"}
"""The types of labels as model.json names them, by NumPy's letter."""


def read(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> SequencePredictor:
    """The predictor that a model folder describes; raises FormatError where fields and arrays don't fit together."""
    task, parameters = header["task"], field_of(header, "parameters", dict)
    channels = tuple(texts_of(header, "channels"))
    if not channels or len(set(channels)) != len(channels):
        raise FormatError(f"model.json: expected different names under 'channels', found {shown(list(channels))}.")
    lengths = lengths_from(header)
    picture = picture_from(header, lengths, task) if task in OF_PICTURES else None
    scale = scale_from(arrays, "scale", len(channels), parameters.get("scaling") == "standard")
    coding = _coding(field_of(header, "coding", dict), parameters, arrays)
    name, model = parameters.get("model"), None
    if name in BASELINES:
        made: SequenceModel = baseline_from(name, coding, arrays, task == "frame-model")
    else:
        network = SequenceNetwork.build(header.get("network"), arrays)
        _check(network, coding, len(channels), task == "frame-model")
        model = made = NetworkModel(network, scale)
    if model is not None and picture is not None:
        _check_picture(model.network, picture)
    return _PREDICTORS[task](task, made, coding, channels, picture, tuple(texts_of(header, "notes")))


def lengths_from(header: Mapping[str, Any]) -> tuple[int, int]:
    """The shortest and the longest training sequence."""
    value = field_of(header, "lengths", list)
    if len(value) != 2 or not all(type(item) is int for item in value) or not 1 <= value[0] <= value[1]:
        raise FormatError(
            f"model.json: expected the shortest and longest length under 'lengths', found {shown(value)}."
        )
    return value[0], value[1]


def picture_from(header: Mapping[str, Any], lengths: tuple[int, int], task: str) -> tuple[int, int]:
    """(height, width) of the pictures, or of a film's frames."""
    value = field_of(header, "picture", list)
    good = len(value) == 2 and all(type(item) is int and item > 0 for item in value)
    pixels = value[0] * value[1] if good else 0
    # A film is the pixels of one frame after the other.
    fits = good and (all(n % pixels == 0 for n in lengths) if task == "film-classifier" else lengths == (pixels,) * 2)
    if not fits:
        raise FormatError(
            f"model.json: expected height and width under 'picture', for {lengths[1]} pixels, found {shown(value)}."
        )
    return value[0], value[1]


def labels_from(value: Mapping[str, Any]) -> np.ndarray:
    """The labels of a coding of classes, sorted."""
    labels, name = value["labels"], value["type"]
    if name not in _LABELS or not isinstance(labels, list) or len(labels) < 2:
        raise FormatError(
            f"model.json: expected at least two labels of type {', '.join(_LABELS)}, found {shown(value)}."
        )
    python, numpy = _LABELS[name]
    if not all(type(label) is python for label in labels) or sorted(set(labels)) != labels:
        raise FormatError(f"model.json: expected sorted, different labels of type {name}, found {shown(labels[:10])}.")
    return np.array(labels, dtype=numpy)


def baseline_from(name: str, coding: Coding, arrays: Mapping[str, np.ndarray], every_step: bool) -> BaselineModel:
    """The baseline of that name with its saved values."""
    two = name == "last"
    values = array_of(arrays, "baseline.values", np.float64, 2 if two else 1)
    if values.shape != ((2, coding.outputs) if two else (coding.outputs,)) or not np.isfinite(values).all():
        raise FormatError(f"model.safetensors: 'baseline.values' of shape {values.shape} doesn't fit the model.")
    binary = isinstance(coding, BinaryCoding)
    if two and not binary and (values[1] <= 0).any():
        raise FormatError("model.safetensors: expected deviations above 0 in 'baseline.values'.")
    return BaselineModel(name, values.copy(), every_step=every_step, binary=binary)


def _coding(value: dict[str, Any], parameters: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Coding:
    wanted = {"classes": {"kind", "type", "labels"}, "binary": {"kind", "columns"}}
    wanted["numbers"] = {"kind", "columns", "flat"}
    kind = value.get("kind")
    if not isinstance(kind, str) or set(value) != wanted.get(kind):
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
    scale = scale_from(arrays, "target", columns, parameters.get("target_scaling") == "standard")
    return NumberCoding(columns, flat, scale)


def _check(network: SequenceNetwork, coding: Coding, channels: int, every_step: bool) -> None:
    """Raise FormatError where a network's inputs, outputs or steps are not those of the task."""
    found = (network.body.spec.inputs, network.outputs, network.every_step)
    if found != (channels * network.joined, coding.outputs, every_step):
        raise FormatError("model.json: the network's inputs and outputs are not those of its channels and coding.")


def _check_picture(network: SequenceNetwork, picture: tuple[int, int]) -> None:
    """Raise FormatError where a network reads pictures of another size."""
    own, pixels = network.body.spec.picture, picture[0] * picture[1]
    if (own and tuple(own) != picture) or pixels % network.joined:
        raise FormatError(f"model.json: the network doesn't read pictures of {picture[0]} by {picture[1]} pixels.")
