"""Saving and loading a text classifier: model.json and model.safetensors, checked field by field."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data import WordTokenizer, load_tokenizer
from ...data.text.words import MARKS
from ...errors import FormatError, shown
from ...training import History
from ..model_folder import write_model
from ..saved_fields import (
    array_of,
    damage_told,
    field_of,
    implied,
    is_number,
    load_network,
    network_arrays,
    plain,
    same_spec,
    texts_of,
    with_parameters,
)
from .bow import BagClassifier
from .labels import classes_from_json, classes_to_json
from .learning import Learned
from .networks import TextNetworkSpec, build_text_network
from .settings import BAGS, check_settings, network_spec, resolved

if TYPE_CHECKING:
    from .classifier import TextClassifier

__all__ = ["save_text_classifier", "text_classifier_from"]


def save_text_classifier(classifier: TextClassifier, path: str | os.PathLike[str]) -> None:
    """Write a fitted classifier: tokenizer, classes, temperature, and the network's or the bag's arrays.

    Raises SettingError for labels that JSON can't hold.
    """
    parameters = plain(classifier.get_params())
    if classifier.embeddings is not None:
        parameters["embeddings"] = os.fspath(classifier.embeddings)
    if isinstance(classifier.class_weight, dict):
        keys = classes_to_json(list(classifier.class_weight))
        parameters["class_weight"] = [[key, float(classifier.class_weight[key])] for key in keys]
    body: dict[str, Any] = {
        "parameters": parameters,
        "classes": classes_to_json(classifier.classes_),
        "temperature": classifier.temperature_,
        "n_parameters": classifier.n_parameters_,
        "notes": list(classifier.notes_),
    }
    arrays: dict[str, np.ndarray] = {"shares": classifier.shares_}
    if classifier.model != "majority":
        body["tokenizer"] = classifier.tokenizer_.to_json()
    if hasattr(classifier, "bag_"):
        arrays |= classifier.bag_.to_arrays()
    elif hasattr(classifier, "learned_"):
        body["network"] = classifier.learned_.spec.to_json()
        arrays |= network_arrays(classifier.learned_.network)
    write_model(path, "classify", body, arrays)


def text_classifier_from(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> TextClassifier:
    """Rebuild a classifier from a model folder's header and arrays; raises FormatError where they don't fit."""
    with damage_told():
        return _rebuild(header, arrays)


def _rebuild(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> TextClassifier:
    from .classifier import TextClassifier

    parameters = dict(field_of(header, "parameters", dict))
    weight = parameters.get("class_weight")
    if isinstance(weight, list):
        parameters["class_weight"] = {key: float(value) for key, value in weight}
    classifier = with_parameters(TextClassifier, parameters)
    check_settings(classifier)
    classifier.classes_ = classes_from_json(header.get("classes"))
    classes = len(classifier.classes_)
    classifier._positive()
    classifier.notes_ = texts_of(header, "notes")
    classifier.shares_ = array_of(arrays, "shares", np.float64, 1)
    if (
        len(classifier.shares_) != classes
        or not np.isclose(classifier.shares_.sum(), 1)
        or (classifier.shares_ < 0).any()
    ):
        raise FormatError(f"model.safetensors: expected the shares of {classes} classes, which sum to 1.")
    classifier.history_ = History.empty()
    known = {"shares"}
    if classifier.model == "majority":
        classifier.n_parameters_ = implied(header, "n_parameters", classes)
    else:
        tokenizer = load_tokenizer(header.get("tokenizer"))
        marks = MARKS if classifier.model not in BAGS and resolved(classifier, "punctuation") else ""
        if not isinstance(tokenizer, WordTokenizer) or (tokenizer.lower, tokenizer.marks) != (classifier.lower, marks):
            raise FormatError("model.json: expected a tokenizer of words that goes with the parameters.")
        classifier.tokenizer_ = tokenizer
        if classifier.model in BAGS:
            bag = BagClassifier.from_arrays(classifier.model, tokenizer, classifier.weighting, arrays, classes)
            classifier.bag_ = bag
            classifier.n_parameters_ = implied(header, "n_parameters", bag.n_parameters)
            known |= set(bag.to_arrays())
        else:
            _rebuild_network(classifier, header, arrays)
            known |= {name for name in arrays if name.startswith("network.")}
    stray = sorted(set(arrays) - known)
    if stray:
        raise FormatError(f"model.safetensors: {shown(stray[0])} belongs to nothing in model.json.")
    temperature = field_of(header, "temperature", float)
    if not is_number(temperature) or temperature <= 0:
        raise FormatError(f"model.json: expected a temperature above 0, found {shown(temperature)}.")
    classifier.temperature_ = float(temperature)
    return classifier


def _rebuild_network(classifier: TextClassifier, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    spec = TextNetworkSpec.from_json(header.get("network", {}))
    size = spec.embedding_size if classifier.embeddings is not None else None
    wanted = network_spec(classifier, len(classifier.tokenizer_.vocabulary), len(classifier.classes_), size)
    same_spec(spec, wanted)
    network = load_network(lambda: build_text_network(spec, 0), arrays)
    classifier.learned_ = Learned(network, spec)
    classifier.n_parameters_ = implied(header, "n_parameters", sum(p.numel() for p in network.parameters()))
