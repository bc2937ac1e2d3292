"""torch's layers with weights from a generator that is passed in; its global stream is neither read nor moved."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqloom.nn.initialisers import undrawn
from seqloom_runtime.errors import SettingError
from seqloom_runtime.forward.image_sizes import scaled

__all__ = ["check_picture", "conv", "conv_unit", "dense", "pair_of", "scaled"]


def conv(
    inputs: int,
    outputs: int,
    size: int,
    generator: torch.Generator,
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    bias: bool = True,
    relu: bool = True,
) -> nn.Conv2d:
    """A convolution, N(0, 2 / fan in) where a ReLU follows (He et al., arXiv 1502.01852), else Glorot uniform; bias 0.

    >>> layers = [conv(3, 2, 3, torch.Generator().manual_seed(5)) for _ in range(2)]
    >>> torch.equal(layers[0].weight, layers[1].weight)
    True
    """
    # By way of meta: torch would draw from its global stream when the layer is made.
    layer = undrawn(nn.Conv2d(inputs, outputs, size, stride, padding, groups=groups, bias=bias, device="meta"))
    _draw(layer.weight, layer.bias, generator, relu)
    return layer


def dense(inputs: int, outputs: int, generator: torch.Generator, *, relu: bool = True) -> nn.Linear:
    """A linear layer, drawn as `conv` draws."""
    layer = undrawn(nn.Linear(inputs, outputs, device="meta"))
    _draw(layer.weight, layer.bias, generator, relu)
    return layer


def conv_unit(
    inputs: int,
    outputs: int,
    size: int,
    generator: torch.Generator,
    *,
    stride: int = 1,
    padding: int = 0,
    batch_norm: bool = False,
) -> list[nn.Module]:
    """A convolution and a ReLU; with batch norm in between, whose shift takes the place of the bias.

    Batch norm: Ioffe & Szegedy, arXiv 1502.03167.
    """
    layer = conv(inputs, outputs, size, generator, stride=stride, padding=padding, bias=not batch_norm)
    return [layer, *([nn.BatchNorm2d(outputs)] if batch_norm else []), nn.ReLU()]


def pair_of(name: str, value: object, least: int = 1) -> tuple[int, int]:
    """A height and a width of at least `least`, from one number or a pair; raises SettingError naming the argument."""
    pair: list[Any] = list(value) if isinstance(value, (tuple, list)) else [value, value]
    good = len(pair) == 2 and all(isinstance(side, int) and not isinstance(side, bool) for side in pair)
    if not good or min(pair) < least:
        raise SettingError(f"{name} is a whole number or (height, width), each {least} or more, not {value!r}.")
    return pair[0], pair[1]


def check_picture(name: str, x: Tensor, channels: int, size: tuple[int, int] | None = None) -> None:
    """Raise SettingError unless x is (B, channels, H, W), of that size where one is given."""
    found = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
    if isinstance(x, Tensor) and x.dim() == 4 and x.shape[1] == channels and size in (None, tuple(x.shape[2:])):
        return
    wanted = "height, width" if size is None else f"{size[0]}, {size[1]}"
    hint = ""
    # How pictures lie in files, in NumPy and in Keras.
    if isinstance(x, Tensor) and x.dim() == 4 and x.shape[3] == channels:
        hint = " It looks like (batch, height, width, channels): give x.permute(0, 3, 1, 2)."
    raise SettingError(f"x of {name} must have shape (batch, {channels}, {wanted}), not {found}.{hint}")


def _draw(weight: Tensor, bias: Tensor | None, generator: torch.Generator, relu: bool) -> None:
    if relu:
        nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
    else:
        nn.init.xavier_uniform_(weight, generator=generator)
    if bias is not None:
        nn.init.zeros_(bias)
