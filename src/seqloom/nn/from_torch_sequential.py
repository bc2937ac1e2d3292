"""`from_torch` of a whole nn.Sequential: torch's layers one after the other, batch first, channels last."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from seqloom.nn.chain import Chain
from seqloom.nn.convolution import Convolution
from seqloom.nn.embedding import Embedding
from seqloom.nn.from_onnx_layers import ConvLayer
from seqloom.nn.imported_layers import FlatSteps
from seqloom.nn.outputs import Outputs
from seqloom.nn.pooling import AveragePool, GlobalAverage, GlobalMax, MaxPool
from seqloom.nn.receptive_field import POINTWISE
from seqloom.nn.recurrent import Recurrent
from seqloom_runtime.errors import SettingError

__all__ = ["chained"]

_SOFT = (nn.Softmax, nn.LogSoftmax)
_SAME = (*POINTWISE, nn.SELU, nn.CELU, nn.Mish, nn.ReLU6, nn.Hardshrink, nn.Softshrink, nn.LogSigmoid)


@dataclass
class _Reading:
    """The layers so far; channels: whether values are (batch, channels, time) in torch; flat: whether time is gone."""

    convert: Callable[[nn.RNNBase], Recurrent]
    layers: list[nn.Module] = field(default_factory=list)
    channels: bool = False
    flat: bool = False
    pads: tuple[int, int] = (0, 0)


def chained(module: nn.Sequential, convert: Callable[[nn.RNNBase], Recurrent]) -> Chain:
    """The layers of an nn.Sequential as a `Chain`; convert: of its recurrent layers. Raises as `from_torch`."""
    for name, part in module.named_modules():
        if parametrize.is_parametrized(part):
            raise SettingError(
                f"from_torch copies plain weights, but those of layer {name} are parametrized: call "
                "torch.nn.utils.parametrize.remove_parametrizations first."
            )
    reading = _Reading(convert)
    _sequential(reading, module, "")
    if reading.pads != (0, 0):
        raise SettingError("from_torch reads zeros around the steps before a Conv1d alone.")
    chain = Chain(*reading.layers).train(module.training)
    if reading.channels and not reading.flat:
        chain.notes = ("The model gave (batch, channels, time); the module takes and gives (batch, time, channels).",)
    elif any(isinstance(part, Convolution) for part in reading.layers):
        chain.notes = ("The model took (batch, channels, time); the module takes (batch, time, channels).",)
    return chain


def _sequential(reading: _Reading, module: nn.Sequential, prefix: str) -> None:
    parts = list(module.named_children())
    for name, part in parts:
        where = f"layer {prefix}{name} ({type(part).__name__})"
        if isinstance(part, nn.Sequential):
            _sequential(reading, part, f"{prefix}{name}.")
            continue
        if reading.pads != (0, 0) and not isinstance(part, nn.Conv1d):
            raise _refused(where, "zeros around the steps are read before a Conv1d alone")
        made = _layer(reading, part, where, last=not prefix and part is parts[-1][1])
        if made is not None:
            reading.layers.append(made.train(part.training))


def _refused(where: str, why: str) -> SettingError:
    return SettingError(f"from_torch: {where} can't be taken over: {why}.")


def _layer(reading: _Reading, part: Any, where: str, *, last: bool) -> nn.Module | None:
    """One layer; None for one of which nothing is left."""
    if isinstance(part, nn.RNNBase) and not last:
        raise _refused(where, "it returns a pair (output, state): put seqloom.nn.Outputs around it")
    if isinstance(part, (nn.RNNBase, Outputs, Recurrent)):
        _steps(reading, where)
        inner = part.module if isinstance(part, Outputs) else part
        made = reading.convert(inner) if isinstance(inner, nn.RNNBase) else copy.deepcopy(inner)
        reading.flat = isinstance(part, Outputs) and part.last_only
        return Outputs(made, last_only=reading.flat)
    if isinstance(part, nn.Conv1d):
        return _convolution(reading, part, where)
    if isinstance(part, (nn.ZeroPad1d, nn.ConstantPad1d)) and not getattr(part, "value", 0):
        before, after = part.padding
        reading.pads = (int(before), int(after))
        return None
    if isinstance(part, (nn.MaxPool1d, nn.AvgPool1d)):
        return _pool(reading, part, where)
    if isinstance(part, (nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d)) and part.output_size in (1, (1,)):
        _channels(reading, where)
        reading.flat = True
        return GlobalAverage() if isinstance(part, nn.AdaptiveAvgPool1d) else GlobalMax()
    if isinstance(part, nn.Flatten) and part.start_dim == 1 and part.end_dim == -1:
        already, reading.flat = reading.flat, True
        return None if already else FlatSteps(reading.channels)
    return _pointwise(reading, part, where)


def _pointwise(reading: _Reading, part: Any, where: str) -> nn.Module:
    ahead = reading.channels and not reading.flat
    if isinstance(part, nn.Embedding):
        return _embedding(reading, part, where)
    if isinstance(part, (nn.Linear, nn.LayerNorm)) and ahead:
        raise _refused(where, "behind a convolution it would act along time, as the last axis is time there")
    if isinstance(part, _SOFT):
        if part.dim not in ((1,) if ahead else (-1, 1) if reading.flat else (-1,)):
            raise _refused(where, f"dim={part.dim} is not known to be the axis of the numbers")
        return type(part)(dim=-1)
    if isinstance(part, (*_SAME, nn.LayerNorm)) or type(part).__module__.startswith("seqloom.nn"):
        return copy.deepcopy(part)
    raise _refused(
        where,
        "it has no counterpart; those that have are recurrent layers (in seqloom.nn.Outputs), Conv1d, pools, "
        "Embedding, Linear, LayerNorm, Flatten, Dropout and activations",
    )


def _steps(reading: _Reading, where: str) -> None:
    if reading.channels:
        raise _refused(where, "it reads (batch, time, numbers), the layers before it give (batch, channels, time)")
    if reading.flat:
        raise _refused(where, "it reads sequences, and the layers before it leave one row of each")


def _channels(reading: _Reading, where: str) -> None:
    # A layer before the first convolution has to mean the same along either axis.
    settled = [part for part in reading.layers if not isinstance(part, (nn.Dropout, nn.Identity, *POINTWISE[4:]))]
    if settled and not reading.channels:
        raise _refused(where, "it reads (batch, channels, time), the layers before it give (batch, time, numbers)")
    if reading.flat:
        raise _refused(where, "it reads sequences, and the layers before it leave one row of each")
    reading.channels = True


def _copied(made: Any, part: Any) -> nn.Module:
    """The module with the place of the original, frozen where it was."""
    made.to(device=part.weight.device)
    for name in ("weight", "bias"):
        if getattr(part, name, None) is not None:
            getattr(made, name).requires_grad_(getattr(part, name).requires_grad)
    return made


def _array(value: Tensor, where: str) -> Any:
    if value.dtype not in (torch.float32, torch.float64):
        raise _refused(where, f"its weights are {value.dtype}; float32 and float64 are taken")
    return value.detach().cpu().numpy()


def _convolution(reading: _Reading, part: nn.Conv1d, where: str) -> nn.Module:
    _channels(reading, where)
    if part.groups != 1 or part.padding_mode != "zeros":
        raise _refused(where, f"groups={part.groups}, padding_mode={part.padding_mode!r}; 1 and 'zeros' are taken")
    weight = _array(part.weight, where)
    dilation, stride = int(part.dilation[0]), int(part.stride[0])
    reach = (weight.shape[2] - 1) * dilation
    if part.padding == "same":
        pads = (reach // 2, reach - reach // 2)
    else:
        pads = (0, 0) if part.padding == "valid" else (int(part.padding[0]),) * 2
    pads = (pads[0] + reading.pads[0], pads[1] + reading.pads[1])
    reading.pads = (0, 0)
    layer = ConvLayer(weight, None if part.bias is None else _array(part.bias, where), dilation, stride, pads)
    if layer.padding() is None:
        raise _refused(
            where, f"it puts {pads[0]} zeros before and {pads[1]} behind; valid, same, causal and full exist"
        )
    return _copied(layer.build(), part)


def _pool(reading: _Reading, part: Any, where: str) -> nn.Module:
    _channels(reading, where)
    size, stride, pad, dilation = (
        value[0] if isinstance(value, tuple) else value
        for value in (part.kernel_size, part.stride, part.padding, getattr(part, "dilation", 1))
    )
    if pad or dilation != 1 or part.ceil_mode or getattr(part, "return_indices", False):
        raise _refused(where, "windows without padding, dilation, ceil_mode and return_indices are taken")
    return (MaxPool if isinstance(part, nn.MaxPool1d) else AveragePool)(int(size), int(stride))


def _embedding(reading: _Reading, part: nn.Embedding, where: str) -> nn.Module:
    if reading.layers or part.max_norm is not None or part.scale_grad_by_freq or part.sparse:
        raise _refused(where, "it has to come first, without max_norm, scale_grad_by_freq and sparse")
    weight, padding = part.weight.detach(), part.padding_idx
    _array(weight, where)
    # Ours holds that row at zero; one that was trained away from it is a word like others.
    if padding is not None and weight[padding].any():
        padding = None
    made = Embedding(part.num_embeddings, part.embedding_dim, padding=padding, weights=weight)
    return _copied(made.to(weight.dtype), part)
