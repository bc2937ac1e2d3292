"""Saving and loading a fitted `SequenceSimilarity` as a model folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.saved_fields import (
    field_of,
    implied,
    refuse_stray,
    same_spec,
    texts_of,
)
from seqloom_runtime.sequences.scale import scale_from
from seqloom_runtime.similarity.folder import channels_from, index_from, resampled_from

from ..saved_fields import load_network, write_estimator
from .learning import Embedder, Fitted, Resampled, siamese_spec
from .network import SiameseSpec, build_siamese

if TYPE_CHECKING:
    from .model import SequenceSimilarity

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]


def write_fitted(model: SequenceSimilarity, path: str | os.PathLike[str]) -> None:
    """Write the fitted model to the folder `path`."""
    found = model.model_
    facts: dict[str, Any] = {"channels": list(model.channels_)}
    arrays = {"index": model.index_}
    if found.scale.mean is not None and found.scale.std is not None:
        arrays |= {"scale.mean": found.scale.mean, "scale.std": found.scale.std}
    network = None
    if isinstance(found, Embedder):
        network = (found.network.spec, found.network)
    else:
        facts["length"] = found.length
    write_estimator(model, path, "similarity", facts, arrays, network)


def saved_parameters(header: dict[str, Any]) -> dict[str, Any]:
    """The parameters in a model folder's header; there are no older models that lack some."""
    return field_of(header, "parameters", dict)


def read_fitted(model: SequenceSimilarity, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    """What the fit of a model had found; raises FormatError where the saved fields and arrays don't fit."""
    refuse_stray(arrays, ["index", "scale.", *([] if model.model == "euclidean" else ["network."])])
    channels = channels_from(header)
    scale = scale_from(arrays, "scale", len(channels), model.scaling == "standard")
    found: Resampled | Embedder
    if model.model == "euclidean":
        found = resampled_from(header, scale)
        size = found.length * len(channels)
    else:
        spec = SiameseSpec.from_json(header["network"])
        same_spec(spec, siamese_spec(model, len(channels)))
        found, size = Embedder(load_network(lambda: build_siamese(spec, 0), arrays), scale), spec.embedding_size
    index = index_from(arrays, size)
    count = implied(header, "n_parameters", found.n_parameters)
    return Fitted(found, channels, index, None, count, texts_of(header, "notes"))
