"""Saving and loading a fitted tagger as a model folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data.text import Vocabulary
from seqloom_runtime.errors import FormatError
from seqloom_runtime.saved_fields import (
    array_of,
    implied,
    plain,
    refuse_stray,
    same_spec,
    texts_of,
)
from seqloom_runtime.tagging.frequent import FrequentTags

from .. import saved_fields
from ..memory import weights_of
from ..saved_fields import load_network, write_estimator
from .learning import Fitted, tagger_spec
from .network import TaggerSpec, TaggingNetwork, build_tagging_network

if TYPE_CHECKING:
    from .tagger import SequenceTagger

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]


def write_fitted(tagger: SequenceTagger, path: str | os.PathLike[str]) -> None:
    """Write the fitted tagger to the folder `path`."""
    parameters = plain(tagger.get_params())
    if tagger.activation is None:  # which the first models were saved without
        del parameters["activation"]
    facts = {"parameters": parameters, "vocabulary": tagger.vocabulary_.to_json(), "tags": list(tagger.tags_)}
    found, network, arrays = tagger.model_, None, {}
    if isinstance(found, FrequentTags):
        arrays = {"frequent": found.tag}
    else:
        network = (found.spec, found)
    write_estimator(tagger, path, "tagging", facts, arrays, network)


def saved_parameters(header: dict[str, Any]) -> dict[str, Any]:
    """A tagger's parameters in a model folder's header."""
    return {"activation": None, **saved_fields.saved_parameters(header)}


def read_fitted(tagger: SequenceTagger, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    """What the fit of a tagger had found; raises FormatError where the saved fields and arrays don't fit."""
    refuse_stray(arrays, ["frequent" if tagger.model == "frequent" else "network."])
    vocabulary = Vocabulary.from_json(header["vocabulary"])
    unknown = vocabulary.unknown_id
    if not vocabulary.padding or unknown is None:
        raise FormatError("model.json: a tagger's vocabulary has padding and an unknown word.")
    tags = tuple(texts_of(header, "tags"))
    if not tags or list(tags) != sorted(set(tags)):
        raise FormatError("model.json: expected at least one tag under 'tags', each once and in order.")
    model: FrequentTags | TaggingNetwork
    if tagger.model == "frequent":
        tag = array_of(arrays, "frequent", np.int64, 1)
        if len(tag) != len(vocabulary) or tag.min() < 0 or tag.max() >= len(tags):
            raise FormatError("model.safetensors: 'frequent' is not one tag for each word.")
        model, count = FrequentTags(tag), len(vocabulary)
    else:
        spec = TaggerSpec.from_json(header["network"])
        same_spec(spec, tagger_spec(tagger, len(vocabulary), len(tags)))
        model = load_network(lambda: build_tagging_network(spec, unknown, 0), arrays)
        count = weights_of(model)
    return Fitted(
        vocabulary, tags, model, None, implied(header, "n_parameters", count), notes=texts_of(header, "notes")
    )
