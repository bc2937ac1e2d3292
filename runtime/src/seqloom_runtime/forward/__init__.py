"""Forward passes in evaluation, of NumPy and the compiled module alone: what the runtime's predictors are made of.

Built from the specification that a model folder holds and the arrays of its state dict; float32 in and out, shapes as
torch's. Nothing here keeps a state between calls but the streams, so any number of threads may share one model.

>>> from seqloom_runtime.forward import build_body, build_head
"""

from __future__ import annotations

from . import convolutional, decay, films, models, pictures, texts
from .activations import ACTIVATIONS, activation_of, sigmoid, softmax, softplus
from .adaptive import log_softmax
from .arrays import Arrays
from .attention import ATTENTIONS, Attention, make_attention
from .bodies import Body, RecurrentBody, WholeBody, build_body, make_recurrent
from .cell import Cell, CellWeights
from .conv import Convolution, causal_conv, conv1d
from .conv_recurrent import ConvRecurrent
from .embedding import Embedding
from .film_body import FrameEncoder
from .heads import HEADS, build_head
from .linear import Linear, Matrix, product
from .pooling import POOLINGS, AttentionPooling, Pooling, make_pooling
from .recurrent import LayerStack, Recurrent
from .registry import BODIES, MODELS, model_of
from .scan import scan
from .spec import BodySpec, body_spec, spec_of
from .streams import RecurrentStream, StackStream
from .tcn import TCN
from .writer import Encoded, Writer

__all__ = [
    "ACTIVATIONS",
    "ATTENTIONS",
    "BODIES",
    "HEADS",
    "MODELS",
    "POOLINGS",
    "TCN",
    "Arrays",
    "Attention",
    "AttentionPooling",
    "Body",
    "BodySpec",
    "Cell",
    "CellWeights",
    "ConvRecurrent",
    "Convolution",
    "Embedding",
    "Encoded",
    "FrameEncoder",
    "LayerStack",
    "Linear",
    "Matrix",
    "Pooling",
    "Recurrent",
    "RecurrentBody",
    "RecurrentStream",
    "StackStream",
    "WholeBody",
    "Writer",
    "activation_of",
    "body_spec",
    "build_body",
    "build_head",
    "causal_conv",
    "conv1d",
    "convolutional",
    "decay",
    "films",
    "log_softmax",
    "make_attention",
    "make_pooling",
    "make_recurrent",
    "model_of",
    "models",
    "pictures",
    "product",
    "scan",
    "sigmoid",
    "softmax",
    "softplus",
    "spec_of",
    "texts",
]
