"""Saving and loading word vectors as a model folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data.text import WordVectors
from seqloom_runtime.errors import FormatError
from seqloom_runtime.saved_fields import (
    array_of,
    field_of,
    implied,
    refuse_stray,
    texts_of,
)

from ..saved_fields import write_estimator

if TYPE_CHECKING:
    from .model import Fitted, WordEmbedder

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]


def write_fitted(model: WordEmbedder, path: str | os.PathLike[str]) -> None:
    """Write the fitted model to the folder `path`."""
    words = list(model.vectors_.words)
    facts = {"vocabulary": words, "counts": [model.counts_[word] for word in words]}
    write_estimator(model, path, "embedding", facts, {"vectors": model.vectors_.vectors})


def saved_parameters(header: dict[str, Any]) -> dict[str, Any]:
    """The parameters in a model folder's header."""
    return field_of(header, "parameters", dict)


def read_fitted(model: WordEmbedder, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    """What the fit of a model had found; raises FormatError where the saved fields and arrays don't fit."""
    from .model import Fitted

    refuse_stray(arrays, ["vectors"])
    vectors = array_of(arrays, "vectors", np.float32, 2)
    words, counts = texts_of(header, "vocabulary"), field_of(header, "counts", list)
    if len(counts) != len(words) or any(type(count) is not int or count < 1 for count in counts):
        raise FormatError("model.json: expected a whole number above 0 for each word under 'counts'.")
    if vectors.shape != (len(words), int(model.embedding_size)):
        raise FormatError(
            f"model.safetensors: expected vectors of shape ({len(words)}, {model.embedding_size}), found "
            f"{vectors.shape}."
        )
    found = WordVectors(words, vectors)
    count = implied(header, "n_parameters", int(vectors.size))
    return Fitted(found, dict(zip(words, counts)), None, count, texts_of(header, "notes"))
