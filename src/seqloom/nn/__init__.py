"""Torch modules that own parameters and call `seqloom.ops`."""

from __future__ import annotations

from seqloom.nn.accelerated import Accelerated, accelerate
from seqloom.nn.bridge import from_torch, to_torch
from seqloom.nn.causal_stream import CausalStream, carry, open_stream
from seqloom.nn.chain import Chain
from seqloom.nn.conv_recurrent import ConvGRU, ConvLSTM, ConvRecurrent
from seqloom.nn.convolution import CausalConv1d, Conv1d
from seqloom.nn.crf import CRF
from seqloom.nn.embedding import Embedding
from seqloom.nn.frame_encoder import FrameEncoder
from seqloom.nn.from_keras import from_keras
from seqloom.nn.from_onnx import from_onnx
from seqloom.nn.highway import Highway, Residual
from seqloom.nn.inception import Inception1d
from seqloom.nn.initialisers import initialise_blocks
from seqloom.nn.onnx_export import to_onnx
from seqloom.nn.options import RecurrentOptions
from seqloom.nn.outputs import Outputs
from seqloom.nn.pooling import AveragePool, GlobalAverage, GlobalMax, MaxPool
from seqloom.nn.receptive_field import Field, output_length, receptive_field
from seqloom.nn.recurrent import GRU, LSTM, RNN, Jordan, Recurrent, detach, mask_from_lengths
from seqloom.nn.regularisers import WeightPenalty, weight_groups
from seqloom.nn.stateful import Stateful
from seqloom.nn.streaming import Stream
from seqloom.nn.tcn import TCN, TemporalBlock
from seqloom.nn.truncated import Chunk, truncated_bptt
from seqloom.nn.weight_dropout import WeightDropout

__all__ = [
    "CRF",
    "GRU",
    "LSTM",
    "RNN",
    "TCN",
    "Accelerated",
    "AveragePool",
    "CausalConv1d",
    "CausalStream",
    "Chain",
    "Chunk",
    "Conv1d",
    "ConvGRU",
    "ConvLSTM",
    "ConvRecurrent",
    "Embedding",
    "Field",
    "FrameEncoder",
    "GlobalAverage",
    "GlobalMax",
    "Highway",
    "Inception1d",
    "Jordan",
    "MaxPool",
    "Outputs",
    "Recurrent",
    "RecurrentOptions",
    "Residual",
    "Stateful",
    "Stream",
    "TemporalBlock",
    "WeightDropout",
    "WeightPenalty",
    "accelerate",
    "carry",
    "detach",
    "from_keras",
    "from_onnx",
    "from_torch",
    "initialise_blocks",
    "mask_from_lengths",
    "open_stream",
    "output_length",
    "receptive_field",
    "to_onnx",
    "to_torch",
    "truncated_bptt",
    "weight_groups",
]
