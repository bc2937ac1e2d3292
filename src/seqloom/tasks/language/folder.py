"""Saving and loading a fitted language model as a model folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data.text import Vocabulary
from ...errors import FormatError, shown
from ..memory import weights_of
from ..saved_fields import (
    field_of,
    implied,
    load_network,
    refuse_stray,
    same_spec,
    saved_parameters,
    texts_of,
    write_estimator,
)
from .learning import Fitted, language_spec
from .network import LanguageNetwork, LanguageSpec, build_language_network
from .ngrams import BASELINES, Bigram, Unigram

if TYPE_CHECKING:
    from .model import LanguageModel

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]


def write_fitted(model: LanguageModel, path: str | os.PathLike[str]) -> None:
    """Write the fitted model to the folder `path`."""
    facts = {"vocabulary": model.vocabulary_.to_json(), "start": model.start_}
    found, network, arrays = model.model_, None, {}
    if isinstance(found, LanguageNetwork):
        network = (found.spec, found)
    else:
        arrays = {f"baseline.{name}": array for name, array in found.arrays().items()}
    write_estimator(model, path, "language", facts, arrays, network)


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
