"""Saving and loading a fitted language model as a model folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data.text import Vocabulary
from seqloom_runtime.errors import FormatError, shown
from seqloom_runtime.language.ngrams import BASELINES, Bigram, Unigram
from seqloom_runtime.saved_fields import (
    field_of,
    implied,
    plain,
    refuse_stray,
    same_spec,
    texts_of,
)

from .. import saved_fields
from ..memory import weights_of
from ..saved_fields import load_network, write_estimator
from .learning import Fitted, language_spec
from .network import LanguageNetwork, LanguageSpec, build_language_network

if TYPE_CHECKING:
    from .model import LanguageModel

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]

# Parameters that the first models were saved without; they are written where they differ.
_LATER = {
    "activation": None,
    "join_spaced": True,
    "scoring": "tokens",
    "softmax": "full",
    "cutoffs": None,
    "hidden_dropout": None,
    "activation_penalty": 0.0,
    "temporal_penalty": 0.0,
    "vary_window": False,
    "averaging_patience": 5,
    "cache": 0,
    "cache_weight": 0.1,
    "cache_flatness": 1.0,
    "dynamic_rate": 0.0,
}


def write_fitted(model: LanguageModel, path: str | os.PathLike[str]) -> None:
    """Write the fitted model to the folder `path`."""
    facts = {"parameters": _parameters(model), "vocabulary": model.vocabulary_.to_json(), "start": model.start_}
    found, network, arrays = model.model_, None, {}
    if isinstance(found, LanguageNetwork):
        network = (found.spec, found)
    else:
        arrays = {f"baseline.{name}": array for name, array in found.arrays().items()}
    write_estimator(model, path, "language", facts, arrays, network)


def _parameters(model: LanguageModel) -> dict[str, Any]:
    found = plain(model.get_params())
    return {name: value for name, value in found.items() if name not in _LATER or value != _LATER[name]}


def saved_parameters(header: dict[str, Any]) -> dict[str, Any]:
    """A language model's parameters in a model folder's header."""
    return {**_LATER, **saved_fields.saved_parameters(header)}


def read_fitted(model: LanguageModel, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    """What the fit of a model had found; raises FormatError where the saved fields and arrays don't fit."""
    refuse_stray(arrays, ["baseline." if model.model in BASELINES else "network."])
    vocabulary = Vocabulary.from_json(header["vocabulary"])
    words, start = len(vocabulary), field_of(header, "start", int)
    if isinstance(start, bool) or not 0 <= start < words:
        raise FormatError(f"model.json: 'start' is {shown(start)}, expected a token's number below {words}.")
    predicts: Unigram | Bigram | LanguageNetwork
    if model.model in BASELINES:
        own = {name.removeprefix("baseline."): array for name, array in arrays.items()}
        predicts = (Unigram if model.model == "unigram" else Bigram).from_arrays(own, words)
        count = predicts.parameters
    else:
        spec = LanguageSpec.from_json(header["network"])
        same_spec(spec, language_spec(model, words))
        predicts = load_network(lambda: build_language_network(spec, 0), arrays)
        count = weights_of(predicts)
    count = implied(header, "n_parameters", count)
    return Fitted(vocabulary, start, predicts, None, count, texts_of(header, "notes"))
