"""`from_keras`: a model that Keras saved, as layers of seqloom with the same outputs."""

from __future__ import annotations

import os

from torch import nn

from seqloom.nn import from_keras_recurrent as _recurrent  # noqa: F401 - registers its rules
from seqloom.nn.chain import Chain
from seqloom.nn.from_keras_config import Layer, layers_of
from seqloom.nn.from_keras_files import Archive, opened
from seqloom.nn.from_keras_layers import Reading

__all__ = ["from_keras"]


def from_keras(path: str | os.PathLike[str]) -> Chain:
    """Return the model of a `.keras` file, or of an HDF5 file of Keras 1, 2 or 3, as a `Chain` that trains and streams.

    Taken over: Sequential, and Functional models whose layers stand in one line, of SimpleRNN, GRU, LSTM,
    Bidirectional, Conv1D, Embedding, Dense, TimeDistributed, LayerNormalization, pooling, Dropout, Masking, Flatten,
    RepeatVector and activations, with their weights. Outputs are Keras's, to rounding: the slope of hard_sigmoid is
    that of the version that wrote the file, masks go to the same layers. The result's `notes` say what was left behind,
    such as regularisers. It comes in evaluation; frozen layers stay frozen. Dropout inside recurrent layers draws one
    mask for a sequence, the same for all gates.

    Nothing in the file is executed. Raises SettingError, naming layer and option, for what has no counterpart (a
    Lambda, a class of one's own, branches), FormatError for a damaged file, OSError where it can't be opened,
    MissingDependencyError without h5py.
    """
    with opened(path) as file:
        archive = isinstance(file.weights, Archive)
        reading = Reading(file.source, file.weights, archive, file.backend)
        layers = layers_of(file.model, file.version, file.source)
        if not archive:
            _check_order(layers)
        for layer in layers:
            reading.read(layer)
        file.weights.finish()
    chain = Chain(*reading.modules)
    _same_type(chain)
    chain.notes = tuple(reading.notes)
    return chain.eval()


def _check_order(layers: list[Layer]) -> None:
    """Refuse a model within the model that is frozen in part: an HDF5 file has its frozen arrays last, out of order."""
    frozen: dict[str, bool] = {}
    for layer in layers:
        if frozen.setdefault(layer.group, layer.trainable) != layer.trainable:
            raise layer.refuse("the model within the model is frozen in part; save the model as a .keras file")


def _same_type(chain: nn.Module) -> None:
    """Where some arrays are float64, all are."""
    types = {p.dtype for p in chain.parameters()}
    if len(types) > 1:
        chain.double()
