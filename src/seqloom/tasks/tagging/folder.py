"""Saving and loading a fitted tagger as a model folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data.text import Vocabulary
from ...errors import FormatError, shown
from ..model_folder import write_model
from ..saved_fields import (
    array_of,
    damage_told,
    field_of,
    implied,
    load_network,
    network_arrays,
    plain,
    same_spec,
    texts_of,
    with_parameters,
)
from .frequent import FrequentTags
from .learning import tagger_spec
from .network import TaggerSpec, build_tagging_network

if TYPE_CHECKING:
    from .tagger import SequenceTagger

__all__ = ["save_tagger", "tagger_from"]

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


def tagger_from(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> SequenceTagger:
    """Rebuild a tagger from a model folder's header and arrays; raises FormatError where they don't fit."""
    with damage_told():
        return _rebuild(header, arrays)


def _rebuild(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> SequenceTagger:
    from .tagger import SequenceTagger

    tagger = with_parameters(SequenceTagger, field_of(header, "parameters", dict))
    prefix = "frequent" if tagger.model == "frequent" else "network."
    stray = [name for name in arrays if not name.startswith(prefix)]
    if stray:
        raise FormatError(f"model.safetensors: {shown(stray[0])} belongs to nothing in model.json.")
    vocabulary = tagger.vocabulary_ = Vocabulary.from_json(header["vocabulary"])
    unknown = vocabulary.unknown_id
    if not vocabulary.padding or unknown is None:
        raise FormatError("model.json: a tagger's vocabulary has padding and an unknown word.")
    tagger.tags_ = tuple(texts_of(header, "tags"))
    if not tagger.tags_ or list(tagger.tags_) != sorted(set(tagger.tags_)):
        raise FormatError("model.json: expected at least one tag under 'tags', each once and in order.")
    tagger.notes_ = texts_of(header, "notes")
    tagger.history_ = None
    if tagger.model == "frequent":
        tag = array_of(arrays, "frequent", np.int64, 1)
        if len(tag) != len(vocabulary) or tag.min() < 0 or tag.max() >= len(tagger.tags_):
            raise FormatError("model.safetensors: 'frequent' is not one tag for each word.")
        tagger.n_parameters_ = implied(header, "n_parameters", len(vocabulary))
        tagger.model_ = FrequentTags(tag)
        return tagger
    spec = TaggerSpec.from_json(header["network"])
    same_spec(spec, tagger_spec(tagger, len(vocabulary), len(tagger.tags_)))
    network = tagger.model_ = load_network(lambda: build_tagging_network(spec, unknown, 0), arrays)
    tagger.n_parameters_ = implied(header, "n_parameters", sum(p.numel() for p in network.parameters()))
    return tagger
