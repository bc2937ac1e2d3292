"""Torch modules that own parameters and call `seqloom.ops`."""

from __future__ import annotations

from seqloom.nn.options import RecurrentOptions
from seqloom.nn.recurrent import GRU, LSTM, RNN, Jordan, Recurrent, detach, mask_from_lengths

__all__ = ["GRU", "LSTM", "RNN", "Jordan", "Recurrent", "RecurrentOptions", "detach", "mask_from_lengths"]
