"""Torch modules that own parameters and call `seqloom.ops`."""

from __future__ import annotations

from seqloom.nn.bridge import from_torch, to_torch
from seqloom.nn.embedding import Embedding
from seqloom.nn.initialisers import initialise_blocks
from seqloom.nn.options import RecurrentOptions
from seqloom.nn.recurrent import GRU, LSTM, RNN, Jordan, Recurrent, detach, mask_from_lengths
from seqloom.nn.regularisers import WeightPenalty, weight_groups
from seqloom.nn.streaming import Stream
from seqloom.nn.truncated import Chunk, truncated_bptt
from seqloom.nn.weight_dropout import WeightDropout

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Chunk",
    "Embedding",
    "Jordan",
    "Recurrent",
    "RecurrentOptions",
    "Stream",
    "WeightDropout",
    "WeightPenalty",
    "detach",
    "from_torch",
    "initialise_blocks",
    "mask_from_lengths",
    "to_torch",
    "truncated_bptt",
    "weight_groups",
]
