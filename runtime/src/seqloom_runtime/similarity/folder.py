"""What finds similar sequences from a model folder; what it relies on is checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import FormatError, shown
from ..saved_fields import array_of, field_of, refuse_stray, texts_of
from ..sequences.scale import Scale, scale_from
from .network import SiameseNetwork
from .predictor import Embedder, Resampled, SimilarityPredictor

__all__ = ["BASELINE", "channels_from", "index_from", "read", "resampled_from"]

BASELINE = "euclidean"
_LONGEST = 10_000_000  # steps: more is damage


def read(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> SimilarityPredictor:
    """The predictor that a model folder describes; raises FormatError where fields and arrays don't fit together."""
    parameters = field_of(header, "parameters", dict)
    plain = parameters.get("model") == BASELINE
    refuse_stray(arrays, ["index", "scale.", *([] if plain else ["network."])])
    channels = channels_from(header)
    scale = scale_from(arrays, "scale", len(channels), parameters.get("scaling") == "standard")
    found: Resampled | Embedder
    if plain:
        found = resampled_from(header, scale)
        size = found.length * len(channels)
    else:
        network = SiameseNetwork(header.get("network"), arrays)
        if network.shape.channels != len(channels):
            raise FormatError(f"model.json: the network doesn't read {len(channels)} channels.")
        found, size = Embedder(network, scale), network.shape.embedding_size
    return SimilarityPredictor(found, channels, index_from(arrays, size), tuple(texts_of(header, "notes")))


def channels_from(header: dict[str, Any]) -> tuple[str, ...]:
    """The names of the channels."""
    channels = tuple(texts_of(header, "channels"))
    if not channels or len(set(channels)) != len(channels):
        raise FormatError(f"model.json: expected different names under 'channels', found {shown(list(channels))}.")
    return channels


def resampled_from(header: dict[str, Any], scale: Scale) -> Resampled:
    """The baseline."""
    length = field_of(header, "length", int)
    if isinstance(length, bool) or not 1 <= length <= _LONGEST:
        raise FormatError(f"model.json: expected 1 to {_LONGEST:,} steps under 'length', found {shown(length)}.")
    return Resampled(length, scale)


def index_from(arrays: dict[str, np.ndarray], size: int) -> np.ndarray:
    """The embeddings of the training sequences."""
    index = array_of(arrays, "index", np.float64, 2)
    if not len(index) or index.shape[1] != size or not np.isfinite(index).all():
        raise FormatError(f"model.safetensors: expected 'index' with rows of {size} finite numbers.")
    return index
