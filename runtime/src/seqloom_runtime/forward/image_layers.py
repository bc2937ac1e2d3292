"""Layers of pictures (B, C, H, W) in evaluation: convolution in two dimensions, pools, batch norm, response norm.

Names and shapes of weights are torch's. What a place of a picture comes to hangs on that picture alone, whatever others
are asked with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import FormatError
from .arrays import Arrays
from .linear import Matrix

__all__ = ["AveragePool2d", "BatchNorm2d", "Conv2d", "Layers", "MaxPool2d", "flat", "mean_of_places", "response_norm"]

_AT_ONCE = 1 << 22  # numbers of unfolded pictures that lie in memory at a time, 16 MiB
_EPSILON = 1e-5  # of torch's batch norm
Layer = Callable[[np.ndarray], np.ndarray]
Size = tuple[int, int]


class Conv2d:
    """y[o] = Σ_c w[o, c] ∗ x[c] + b[o], with zeros around; (B, I, H, W) → (B, O, H', W')."""

    def __init__(
        self,
        arrays: Arrays,
        inputs: int,
        outputs: int,
        size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        """Takes "weight" (O, I / groups, size, size) and "bias" (O)."""
        weight = arrays.take("weight", outputs, inputs // groups, size, size)
        self.bias = arrays.take("bias", outputs) if bias else None
        self.outputs, self.size, self.stride, self.padding = outputs, size, stride, padding
        self.matrices = [Matrix(part.reshape(len(part), -1)) for part in np.split(weight, groups)]

    def places(self, height: int, width: int) -> Size:
        """The height and width of what it gives for pictures of that size."""
        return tuple((n + 2 * self.padding - self.size) // self.stride + 1 for n in (height, width))  # type: ignore[return-value]  # two

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return conv2d(x, self.matrices, self.bias, self.size, self.stride, self.padding)


def conv2d(
    x: np.ndarray, matrices: list[Matrix], bias: np.ndarray | None, size: int, stride: int = 1, padding: int = 0
) -> np.ndarray:
    """x (B, I, H, W) → (B, O, H', W'); matrices: of each group of channels, (O / groups, I / groups · size²)."""
    batch, channels = x.shape[:2]
    around = padding and ((0, 0), (0, 0), (padding, padding), (padding, padding))
    padded = np.pad(x, around) if around else x
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]
    tall, wide = windows.shape[2:4]
    outputs, each = sum(matrix.outputs for matrix in matrices), channels // len(matrices)
    y = np.empty((batch, outputs, tall, wide), dtype=np.float32)
    row = max(1, channels * size * size * wide)  # numbers of a row of places
    lines = max(1, min(tall, _AT_ONCE // row))
    pictures = max(1, _AT_ONCE // (row * tall)) if lines == tall else 1
    for first in range(0, batch, pictures):
        for top in range(0, tall, lines):
            part = windows[first : first + pictures, :, top : top + lines]
            made, at = y[first : first + pictures, :, top : top + lines], 0
            for number, matrix in enumerate(matrices):
                own = part[:, number * each : (number + 1) * each].transpose(0, 2, 3, 1, 4, 5)
                found = matrix.of(own.reshape(*own.shape[:3], -1))
                made[:, at : at + matrix.outputs] = found.transpose(0, 3, 1, 2)
                at += matrix.outputs
    return y if bias is None else np.add(y, bias[:, None, None], out=y)


class BatchNorm2d:
    """(x − μ) / √(σ² + ε) · w + b by channel, with the running mean and variance: Ioffe & Szegedy, arXiv 1502.03167."""

    def __init__(self, arrays: Arrays, channels: int) -> None:
        """Takes "weight", "bias", "running_mean" and "running_var" (C), the last at least 0."""
        weight, bias, mean, variance = (
            arrays.take(name, channels).astype(np.float64) for name in ("weight", "bias", "running_mean", "running_var")
        )
        if (variance < 0).any():
            raise FormatError(f"model.safetensors: '{arrays.prefix}running_var' holds variances below 0.")
        gain = weight / np.sqrt(variance + _EPSILON)
        self.gain, self.shift = gain.astype(np.float32), (bias - mean * gain).astype(np.float32)

    def places(self, height: int, width: int) -> Size:
        """As large as the picture."""
        return height, width

    def __call__(self, x: np.ndarray) -> np.ndarray:
        y = x * self.gain[:, None, None]
        return np.add(y, self.shift[:, None, None], out=y)


class MaxPool2d:
    """The largest of size × size places, every `stride` places; rounded up: a last one that is cut off counts too."""

    def __init__(self, size: int, stride: int, padding: int = 0, *, rounded_up: bool = False) -> None:
        self.size, self.stride, self.padding, self.rounded_up = size, stride, padding, rounded_up

    def places(self, height: int, width: int) -> Size:
        """The height and width of what it gives for pictures of that size."""
        return self._count(height), self._count(width)

    def _count(self, length: int) -> int:
        over = length + 2 * self.padding - self.size
        count = (-(-over // self.stride) if self.rounded_up else over // self.stride) + 1
        # The last window begins within the picture or before it, as torch has it.
        return count - 1 if self.rounded_up and (count - 1) * self.stride >= length + self.padding else count

    def __call__(self, x: np.ndarray) -> np.ndarray:
        found = self.places(*x.shape[2:])
        ends = [
            max(0, (count - 1) * self.stride + self.size - n - self.padding) for count, n in zip(found, x.shape[2:])
        ]
        beyond = ((0, 0), (0, 0), (self.padding, ends[0]), (self.padding, ends[1]))
        windows = _windows(np.pad(x, beyond, constant_values=-np.inf), self.size, self.stride)
        # One place of the windows after the other: far quicker than the maximum over two strided axes.
        y = windows[:, :, : found[0], : found[1], 0, 0].copy()
        for place in range(1, self.size**2):
            row, column = divmod(place, self.size)
            np.maximum(y, windows[:, :, : found[0], : found[1], row, column], out=y)
        return y


class AveragePool2d:
    """The mean of size × size places that lie side by side."""

    def __init__(self, size: int) -> None:
        self.size = size

    def places(self, height: int, width: int) -> Size:
        """The height and width of what it gives for pictures of that size."""
        return height // self.size, width // self.size

    def __call__(self, x: np.ndarray) -> np.ndarray:
        windows = _windows(x, self.size, self.size)
        return windows.mean(axis=(4, 5), dtype=np.float64).astype(np.float32)


class Layers:
    """Layers one after the other, numbered as in torch's Sequential: `add` takes the next number."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays, self._layers, self._number = arrays, list[Any](), 0

    def add(self, kind: Callable[..., Any], *sizes: Any, **options: Any) -> Layers:
        """A layer with weights, made by kind(arrays, …)."""
        self._layers.append(kind(self._arrays.at(f"{self._number}."), *sizes, **options))
        self._number += 1
        return self

    def plain(self, *layers: Layer | None) -> Layers:
        """Layers without weights; None for one that does nothing in evaluation."""
        self._layers += [layer for layer in layers if layer is not None]
        self._number += len(layers)
        return self

    def places(self, height: int, width: int) -> Size:
        """The height and width behind the last layer."""
        for layer in self._layers:
            if hasattr(layer, "places"):
                height, width = layer.places(height, width)
        return height, width

    def __call__(self, x: np.ndarray) -> np.ndarray:
        for layer in self._layers:
            x = layer(x)
        return x


def flat(x: np.ndarray) -> np.ndarray:
    """(B, …) → (B, all the rest)."""
    return x.reshape(len(x), -1)


def mean_of_places(x: np.ndarray) -> np.ndarray:
    """(B, C, H, W) → (B, C), added up in float64."""
    return x.mean(axis=(2, 3), dtype=np.float64).astype(np.float32)


def response_norm(x: np.ndarray) -> np.ndarray:
    """x / (2 + 5·10⁻⁴ · mean of the squares of five channels around)^0.75: Krizhevsky et al. (2012)."""
    squares = np.pad(np.square(x), ((0, 0), (2, 2), (0, 0), (0, 0)))
    around = np.lib.stride_tricks.sliding_window_view(squares, 5, axis=1).mean(axis=-1, dtype=np.float64)
    return (x / (2.0 + 5e-4 * around) ** 0.75).astype(np.float32)


def _windows(x: np.ndarray, size: int, stride: int) -> np.ndarray:
    """(B, C, H', W', size, size), a view."""
    return np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]
