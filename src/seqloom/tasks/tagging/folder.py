"""Saving and loading a fitted tagger as a model folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data.text import Vocabulary
from ...errors import FormatError
from ..memory import weights_of
from ..model_folder import write_model
from ..saved_fields import (
    array_of,
    implied,
    load_network,
    network_arrays,
    plain,
    refuse_stray,
    same_spec,
    saved_parameters,
    texts_of,
)
from .frequent import FrequentTags
from .learning import Fitted, tagger_spec
from .network import TaggerSpec, TaggingNetwork, build_tagging_network

if TYPE_CHECKING:
    from .tagger import SequenceTagger

__all__ = ["read_fitted", "save_tagger", "saved_parameters"]

TASK = "tagging"


def save_tagger(tagger: SequenceTagger, path: str | os.PathLike[str]) -> None:
    """Write the fitted tagger to the folder `path`."""
    body: dict[str, Any] = {
        "parameters": plain(tagger.get_params()),
        "vocabulary": tagger.vocabulary_.to_json(),
        "tags": list(tagger.tags_),
        "n_parameters": tagger.n_parameters_,
        "notes": list(tagger.notes_),
    }
    if isinstance(tagger.model_, FrequentTags):
        arrays = {"frequent": tagger.model_.tag}
    else:
        body["network"] = tagger.model_.spec.to_json()
        arrays = network_arrays(tagger.model_)
    write_model(path, TASK, body, arrays)


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
