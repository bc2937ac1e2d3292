"""Saving and loading a text classifier: model.json and model.safetensors, checked field by field."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data import WordTokenizer, load_tokenizer
from seqloom_runtime.data.text.words import MARKS
from seqloom_runtime.errors import FormatError, shown
from seqloom_runtime.saved_fields import (
    array_of,
    field_of,
    implied,
    is_number,
    plain,
    refuse_stray,
    same_spec,
    texts_of,
)
from seqloom_runtime.text.bow import BagClassifier
from seqloom_runtime.text.labels import classes_from_json

from .. import saved_fields
from ..memory import weights_of
from ..saved_fields import load_network, write_estimator
from .labels import classes_to_json, positive_number
from .learning import Fitted, Learned
from .networks import TextNetworkSpec, build_text_network
from .settings import BAGS, check_settings, network_spec, resolved

if TYPE_CHECKING:
    from .classifier import TextClassifier

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]


def write_fitted(classifier: TextClassifier, path: str | os.PathLike[str]) -> None:
    """Write a fitted classifier: tokenizer, classes, temperature, and the network's or the bag's arrays.

    Raises SettingError for labels that JSON can't hold.
    """
    parameters = plain(classifier.get_params())
    if classifier.activation is None:  # which the first models were saved without
        del parameters["activation"]
    if classifier.embeddings is not None:
        parameters["embeddings"] = os.fspath(classifier.embeddings)
    if isinstance(classifier.class_weight, dict):
        keys = classes_to_json(list(classifier.class_weight))
        parameters["class_weight"] = [[key, float(classifier.class_weight[key])] for key in keys]
    facts: dict[str, Any] = {
        "parameters": parameters,
        "classes": classes_to_json(classifier.classes_),
        "temperature": classifier.temperature_,
        # Here already: in the file the tokenizer stands behind them.
        "n_parameters": classifier.n_parameters_,
        "notes": list(classifier.notes_),
    }
    if classifier.model != "majority":
        facts["tokenizer"] = classifier.tokenizer_.to_json()
    arrays = {"shares": classifier.shares_, **(classifier.bag_.to_arrays() if hasattr(classifier, "bag_") else {})}
    learned = getattr(classifier, "learned_", None)
    network = None if learned is None else (learned.spec, learned.network)
    write_estimator(classifier, path, "classify", facts, arrays, network)


def saved_parameters(header: dict[str, Any]) -> dict[str, Any]:
    """The classifier's parameters in a model folder's header: JSON's keys are texts, labels need not be."""
    parameters = {"activation": None, **saved_fields.saved_parameters(header)}
    weight = parameters.get("class_weight")
    if isinstance(weight, list):
        parameters["class_weight"] = {key: float(value) for key, value in weight}
    return parameters


def read_fitted(classifier: TextClassifier, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    """What the fit of a classifier had found; raises FormatError where the saved fields and arrays don't fit."""
    check_settings(classifier)
    classes = classes_from_json(header.get("classes"))
    positive_number(classifier.positive, classes)
    temperature = field_of(header, "temperature", float)
    if not is_number(temperature) or temperature <= 0:
        raise FormatError(f"model.json: expected a temperature above 0, found {shown(temperature)}.")
    tokenizer = None if classifier.model == "majority" else _tokenizer(classifier, header)
    bag, learned, count, known = None, None, len(classes), {"shares"}
    if tokenizer is not None and classifier.model in BAGS:
        bag = BagClassifier.from_arrays(classifier.model, tokenizer, classifier.weighting, arrays, len(classes))
        count, known = bag.n_parameters, known | set(bag.to_arrays())
    elif tokenizer is not None:
        spec = TextNetworkSpec.from_json(header.get("network", {}))
        size = spec.embedding_size if classifier.embeddings is not None else None
        same_spec(spec, network_spec(classifier, len(tokenizer.vocabulary), len(classes), size))
        learned = Learned(load_network(lambda: build_text_network(spec, 0), arrays), spec)
        count = weights_of(learned.network)
        known |= {"network."}
    refuse_stray(arrays, known)
    return Fitted(
        classes=classes,
        shares=_shares(arrays, len(classes)),
        n_parameters=implied(header, "n_parameters", count),
        notes=texts_of(header, "notes"),
        temperature=float(temperature),
        tokenizer=tokenizer,
        learned=learned,
        bag=bag,
    )


def _shares(arrays: dict[str, np.ndarray], classes: int) -> np.ndarray:
    shares = array_of(arrays, "shares", np.float64, 1)
    if len(shares) != classes or not np.isclose(shares.sum(), 1) or (shares < 0).any():
        raise FormatError(f"model.safetensors: expected the shares of {classes} classes, which sum to 1.")
    return shares


def _tokenizer(classifier: TextClassifier, header: dict[str, Any]) -> WordTokenizer:
    tokenizer = load_tokenizer(header.get("tokenizer"))
    marks = MARKS if classifier.model not in BAGS and resolved(classifier, "punctuation") else ""
    if not isinstance(tokenizer, WordTokenizer) or (tokenizer.lower, tokenizer.marks) != (classifier.lower, marks):
        raise FormatError("model.json: expected a tokenizer of words that goes with the parameters.")
    return tokenizer
