"""How each layer of Keras becomes layers of seqloom: `rule` registers one by the class's name in Keras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from seqloom.nn.convolution import CausalConv1d, Conv1d
from seqloom.nn.embedding import Embedding
from seqloom.nn.from_keras_config import Layer
from seqloom.nn.from_keras_files import Stored
from seqloom.nn.from_keras_options import Options, activation_layers
from seqloom.nn.imported_layers import Activated, ChannelDropout, FlatSteps, Masking, MaskingEmbedding, Repeat
from seqloom.nn.initialisers import undrawn
from seqloom.nn.pooling import AveragePool, GlobalAverage, GlobalMax, MaxPool
from seqloom.ops.activations import ACTIVATIONS
from seqloom_runtime.errors import FormatError, shown

__all__ = ["RULES", "Reading", "fitting", "put", "rule"]


@dataclass
class Reading:
    """The layers that have been read so far, and what comes out of them.

    steps: whether it is sequences; None where the file hasn't said. width: numbers at each step, None where not known.
    """

    source: str
    weights: Stored
    archive: bool
    backend: str
    modules: list[nn.Module] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    steps: bool | None = None
    width: int | None = None

    def take(self, layer: Layer, parts: list[tuple[str, int]]) -> list[np.ndarray]:
        """The layer's arrays."""
        return self.weights.take(layer.name, layer.place if self.archive else layer.group, parts)

    def read(self, layer: Layer) -> None:
        """Add one layer; raises SettingError for one that has no counterpart, FormatError for arrays that don't fit."""
        found = RULES.get(layer.kind)
        if found is None:
            raise layer.refuse(f"it has no counterpart here; those that have are {', '.join(sorted(RULES))}")
        options = Options(layer)
        made = found(self, layer, options)
        self.notes += options.finish()
        for module in made:
            for parameter in module.parameters():
                parameter.requires_grad_(parameter.requires_grad and layer.trainable)
        self.modules += made

    def check_width(self, layer: Layer, width: int) -> None:
        """Raise FormatError where the layer reads another number of inputs than come out of the one before it."""
        if self.width not in (None, width):
            raise FormatError(
                f"{self.source}: {layer} reads {width} numbers, {self.width} come out of the one before it."
            )

    def check_steps(self, layer: Layer, wanted: bool = True) -> None:
        """Raise FormatError where the layer reads sequences and gets one row of each, or the other way round."""
        if self.steps is not None and self.steps != wanted:
            kinds = ("one row of numbers", "sequences")
            raise FormatError(f"{self.source}: {layer} reads {kinds[wanted]}, {kinds[not wanted]} come out before it.")


_Rule = Callable[[Reading, Layer, Options], list[nn.Module]]
RULES: dict[str, _Rule] = {}


def rule(*kinds: str) -> Callable[[_Rule], _Rule]:
    """Register a function as the rule of classes of Keras."""

    def register(function: _Rule) -> _Rule:
        RULES.update(dict.fromkeys(kinds, function))
        return function

    return register


def fitting(reading: Reading, layer: Layer, array: np.ndarray, *shape: int | None) -> np.ndarray:
    """An array of that shape, None for any number; raises FormatError for another."""
    fits = array.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape))
    if not fits or 0 in array.shape:
        wanted = tuple("any" if n is None else n for n in shape)
        raise FormatError(f"{reading.source}: {layer} has an array of shape {array.shape}, expected {shown(wanted)}.")
    return array


def put(parameter: Any, array: np.ndarray) -> None:
    """Copy an array into a parameter."""
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def like(module: nn.Module, array: np.ndarray) -> Any:
    """A module in an array's type."""
    return module.to(torch.float64 if array.dtype == np.float64 else torch.float32)


@rule("InputLayer")
def _input(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    shape = options.raw("batch_shape") or options.raw("batch_input_shape")
    if isinstance(shape, list) and len(shape) in (2, 3):
        reading.steps = None if len(shape) == 2 else True
        if len(shape) == 3 and isinstance(shape[2], int):
            reading.width = shape[2]
    elif shape is not None:
        raise layer.refuse(f"its shape is {shown(shape)}, and sequences (batch, steps, numbers) or rows are taken")
    return []


@rule("Dense")
def _dense(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    units, biased = options.size("units"), options.flag("use_bias", True)
    for name in ("input_dim", "lora_alpha"):
        options.raw(name)
    arrays = reading.take(layer, [("vars", 1 + biased)])
    kernel = fitting(reading, layer, arrays[0], None, units)
    reading.check_width(layer, kernel.shape[0])
    # On meta nothing is drawn: torch's global generator stays where the program left it.
    dense = undrawn(nn.Linear(*kernel.shape, bias=biased, device="meta"), "cpu")
    dense = like(dense, kernel)
    put(dense.weight, kernel.T)
    if biased:
        put(dense.bias, fitting(reading, layer, arrays[1], units))
    reading.width = units
    return [dense, *activation_layers(options.activation("activation"))]


@rule("Embedding")
def _embedding(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    words, size = options.size("input_dim"), options.size("output_dim")
    (rows,) = reading.take(layer, [("vars", 1)])
    fitting(reading, layer, rows, words, size)
    if reading.steps is True:
        raise FormatError(f"{reading.source}: {layer} reads whole numbers, and has to come first.")
    kind = MaskingEmbedding if options.flag("mask_zero", False) else Embedding
    # Row 0 is a word like others in Keras: it is not kept at zero.
    made = kind(words, size, padding=None, weights=torch.from_numpy(rows), dropout=options.probability("dropout"))
    reading.steps, reading.width = True, size
    return [like(made, rows)]


@rule("Conv1D")
def _convolution(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    reading.check_steps(layer)
    taps, width = options.size("kernel_size"), options.size("filters")
    stride, dilation = options.bounded("strides", 1), options.bounded("dilation_rate", 1)
    padding = options.only("padding", "valid", "same", "causal")
    options.only("data_format", "channels_last", why="channels_last, with the channels behind, is read")
    options.only("groups", 1, why="every output channel reads every input channel here")
    biased, activation = options.flag("use_bias", True), options.activation("activation")
    options.raw("input_dim")
    arrays = reading.take(layer, [("vars", 1 + biased)])
    kernel = _kernel(reading, layer, arrays[0], taps, width)
    reading.check_width(layer, kernel.shape[1])
    inside = activation if activation in ACTIVATIONS and activation != "leaky_relu" else "identity"
    sizes, keywords = (kernel.shape[1], width, taps), {"dilation": dilation, "activation": inside, "bias": biased}
    if padding == "causal" and stride == 1:
        made: nn.Module = CausalConv1d(*sizes, **keywords)
    else:
        made = Conv1d(*sizes, padding=padding, stride=stride, **keywords)
    made = like(made, kernel)
    put(made.weight, kernel.transpose(2, 1, 0))  # (K, C_in, C_out) in Keras
    if biased:
        put(made.bias, fitting(reading, layer, arrays[1], width))
    reading.steps, reading.width = True, width
    return [made, *(activation_layers(activation) if inside != activation else [])]


def _kernel(reading: Reading, layer: Layer, kernel: np.ndarray, taps: int, width: int) -> np.ndarray:
    """A convolution's weights as (K, C_in, C_out)."""
    if layer.version == 1 and kernel.ndim == 4:
        # Keras 1 had an axis of length 1, and in one order of axes (C_out, C_in, K, 1).
        if kernel.shape[:2] != (taps, 1) or kernel.shape[3] != width:
            kernel = kernel.transpose(2, 3, 1, 0)
        kernel = fitting(reading, layer, kernel, taps, 1, None, width)[:, 0]
    # Theano slid the kernel the other way round.
    kernel = kernel[::-1] if reading.backend == "theano" else kernel
    return fitting(reading, layer, kernel, taps, None, width)


@rule("LayerNormalization")
def _layer_norm(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    axis = options.raw("axis", -1)
    last = 1 if reading.steps is False else 2
    if axis not in (-1, last, [-1], [last]):
        raise options.refuse("axis", axis, "the last axis is taken")
    scale, center = options.flag("scale", True), options.flag("center", True)
    arrays = reading.take(layer, [("vars", scale + center)])
    width = arrays[0].shape[0] if arrays and arrays[0].ndim == 1 else reading.width
    if width is None:
        raise layer.refuse("it has neither gain nor offset, and no layer before it says how wide it is")
    reading.check_width(layer, width)
    norm = nn.LayerNorm(width, eps=options.number("epsilon", 1e-3), elementwise_affine=scale or center, bias=center)
    norm = like(norm, arrays[0]) if arrays else norm
    if scale:
        put(norm.weight, fitting(reading, layer, arrays[0], width))
    elif center:
        norm.weight.requires_grad_(False)  # ones, which Keras doesn't have
    if center:
        put(norm.bias, fitting(reading, layer, arrays[-1], width))
    return [norm]


@rule("MaxPooling1D", "AveragePooling1D")
def _pool(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    reading.check_steps(layer)
    size = options.bounded("pool_size", 2)
    stride = options.raw("strides") or size
    options.left["strides"] = stride
    options.only("padding", "valid", why="windows that hang over the ends have no counterpart here")
    options.only("data_format", "channels_last", why="channels_last, with the channels behind, is read")
    return [(MaxPool if layer.kind.startswith("Max") else AveragePool)(size, options.bounded("strides"))]


@rule("GlobalMaxPooling1D", "GlobalAveragePooling1D")
def _global(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    reading.check_steps(layer)
    options.only("data_format", "channels_last", why="channels_last, with the channels behind, is read")
    options.only("keepdims", False)
    reading.steps = False
    return [GlobalMax() if layer.kind == "GlobalMaxPooling1D" else GlobalAverage()]


@rule("Flatten")
def _flatten(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    options.only("data_format", "channels_last", why="channels_last, with the channels behind, is read")
    if reading.steps is not False:
        reading.steps, reading.width = False, None
    return [FlatSteps()]


@rule("RepeatVector")
def _repeat(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    reading.check_steps(layer, wanted=False)
    reading.steps = True
    return [Repeat(options.bounded("n"))]


@rule("Masking")
def _masking(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    reading.check_steps(layer)
    return [Masking(options.number("mask_value", 0.0))]


@rule("Dropout")
def _dropout(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    options.only("noise_shape", None, why="numbers are dropped one by one here")
    return [nn.Dropout(options.probability("rate"))]


@rule("SpatialDropout1D")
def _channels(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    reading.check_steps(layer)
    options.only("noise_shape", None, why="whole channels are dropped here")
    return [ChannelDropout(options.probability("rate"))]


@rule("Activation")
def _activation(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    return list(activation_layers(options.activation("activation")))


@rule("Softmax")
def _softmax(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    axis = options.raw("axis", -1)
    if axis not in (-1, [-1]):
        raise options.refuse("axis", axis, "the last axis is taken")
    return [Activated("softmax")]


@rule("ReLU")
def _relu(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    slope = options.number("negative_slope", 0.0)
    if options.number("threshold", 0.0) or options.raw("max_value") is not None:
        raise layer.refuse("its threshold or max_value has no counterpart here")
    return [Activated("leaky_relu", slope) if slope else Activated("relu")]


@rule("LeakyReLU")
def _leaky(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    # Called alpha before Keras 3.
    slope = options.number("alpha", 0.3) if "alpha" in options.left else options.number("negative_slope", 0.3)
    return [Activated("leaky_relu", slope)]


@rule("ELU")
def _elu(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    return [Activated("elu", options.number("alpha", 1.0))]


_EACH_STEP = ("Dense", "Activation", "Dropout", "LayerNormalization", "Softmax", "ReLU", "LeakyReLU", "ELU")


@rule("TimeDistributed")
def _each_step(reading: Reading, layer: Layer, options: Options) -> list[nn.Module]:
    reading.check_steps(layer)
    inner = layer.inner("layer")
    options.raw("layer")
    if inner.kind not in _EACH_STEP:
        raise layer.refuse(f"it is around a {shown(inner.kind)[1:-1]}; {', '.join(_EACH_STEP)} can be run at each step")
    # These read the last axis alone, so that a whole sequence is as good as its steps.
    given = Options(inner)
    made = RULES[inner.kind](reading, inner, given)
    reading.notes += given.finish()
    if not inner.trainable:
        for module in made:
            module.requires_grad_(False)
    reading.steps = True
    return made
