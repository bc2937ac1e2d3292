"""Convolutional bodies: tcn, causal convolutions, and those that read only where a whole kernel fits."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from .activations import ACTIVATIONS
from .arrays import Arrays
from .bodies import Body, directions_width, ends_of, make_recurrent, read_at_ends
from .conv import Convolution, causal_conv, conv1d, kept_only
from .conv_stack import ConvStream
from .pooling import max_of_steps
from .registry import BodyKind, register_body
from .scan import checked
from .spec import BodySpec
from .tcn import TCN

__all__ = [
    "ConvBody",
    "ConvRecurrentBody",
    "PooledConvBody",
    "PooledConvGruBody",
    "TcnBody",
    "steps_needed",
    "steps_read",
]


class _Pooled(Protocol):
    """What the specification of valid convolutions with pools says."""

    @property
    def channels(self) -> tuple[int, ...]: ...
    @property
    def kernel_size(self) -> int: ...
    @property
    def pool_size(self) -> int: ...


class TcnBody(Body):
    """A temporal convolutional network: see `tcn.TCN`."""

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        super().__init__(spec, arrays)
        activation = spec.activation or "relu"
        own = arrays.at("tcn.")
        self.tcn = TCN(own, spec.inputs, spec.channels, spec.kernel_size, spec.dilations, activation)

    def steps(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T, inputs) → (B, T, channels of the last level)."""
        return self.tcn(x, mask)

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T, inputs) → (B, channels of the last level); "last" of whole rows runs the steps it needs alone."""
        # Rows with a mask end at different steps, so that all steps are needed.
        if self.spec.pooling == "last" and mask is None:
            return self.tcn(x, last_only=True)
        return super().summary(x, mask)

    def carry(self, x: np.ndarray, state: Any = None) -> tuple[np.ndarray, Any]:
        """The features of a piece, and what its convolutions still see."""
        return self.tcn.carry(x, state)

    def initial_state(self, rows: int) -> Any:
        """What they see at the start: zeros."""
        return self.tcn.initial_state(rows)

    def stream(self, batch_size: int = 1) -> ConvStream:
        """One step at a time: see `conv_stack.ConvStream`."""
        return self.tcn.stream(batch_size)


class ConvBody(Body):
    """Causal convolutions one after the other, each with its activation; the largest of every few steps between two.

    With `pool_size` p there are ⌈T / p⌉ steps behind each pooling, and `steps` gives those of the last convolution.
    """

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        super().__init__(spec, arrays)
        sizes = zip((spec.inputs, *spec.channels), spec.channels, spec.dilations)
        self.convolutions = [
            Convolution.taken(
                arrays.at(f"convolutions.{level}."),
                inputs,
                outputs,
                spec.kernel_size,
                dilation=dilation,
                activation=spec.activation or "relu",
            )
            for level, (inputs, outputs, dilation) in enumerate(sizes)
        ]
        self.causal = spec.pool_size == 1  # a pooled step holds the largest of steps that come after its first

    def features(self, x: np.ndarray, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """x (B, T, inputs) → (B, T', channels) and its mask (B, T'), None where all of it counts."""
        x = checked("x", x, (None, None, self.spec.inputs))
        for level, layer in enumerate(self.convolutions):
            if level:
                x, mask = max_of_steps(x, mask, self.spec.pool_size)
            x = causal_conv(kept_only(x, mask), layer)
        return x, mask

    def steps(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T, inputs) → (B, T', F); T' is T where pool_size is 1."""
        return self.both(x, mask)[0]

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T, inputs) → (B, F)."""
        return self.pooling(*self.features(x, mask))

    def both(self, x: np.ndarray, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Both: the features of the steps (B, T', F), and of the sequence (B, F)."""
        features, mask = self.features(x, mask)
        return features, self.pooling(features, mask)


class ConvRecurrentBody(ConvBody):
    """The convolutions of `ConvBody`, then a GRU over what they leave."""

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        super().__init__(spec, arrays)
        self.recurrent = make_recurrent("gru", spec.channels[-1], spec, arrays.at("recurrent."))
        self.causal = self.causal and not spec.bidirectional

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T, inputs) → (B, units · directions)."""
        features, mask = self.features(x, mask)
        if self.spec.pooling == "last":
            return self.recurrent(features, mask=mask, last_only=True)[0]
        return self.pooling(self.recurrent(features, mask=mask)[0], mask)

    def both(self, x: np.ndarray, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Both: the features of the steps (B, T', F), and of the sequence (B, F)."""
        features, mask = self.features(x, mask)
        steps = self.recurrent(features, mask=mask)[0]
        return steps, ends_of(steps, self.spec) if read_at_ends(self.spec) else self.pooling(steps, mask)


class PooledConvBody(Body):
    """Convolution, max-pooling, … convolution, read only where a whole kernel fits; of the sequence the features of the
    last step, or another pooling. Where the pools don't come out even, the oldest steps are left out."""

    causal = False

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        super().__init__(spec, arrays)
        own = arrays.at("pooled.")
        self.convolutions = [
            Convolution.taken(
                own.at(f"convolutions.{level}."),
                inputs,
                outputs,
                spec.kernel_size,
                activation=spec.activation or "relu",
            )
            for level, (inputs, outputs) in enumerate(zip((spec.inputs, *spec.channels), spec.channels))
        ]
        self.unread = spec.length - steps_read(spec, spec.length)

    def pooled(self, x: np.ndarray) -> np.ndarray:
        """x (B, L, I) → (B, L', C)."""
        x = checked("x", x, (None, None, self.spec.inputs))[:, self.unread :]
        for number, layer in enumerate(self.convolutions):
            if number:
                whole = x.shape[1] // self.spec.pool_size * self.spec.pool_size  # steps behind the last pool are cut
                x = max_of_steps(x[:, :whole], None, self.spec.pool_size)[0]
            x = conv1d(x, layer)
        return x

    def steps(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, L, I) → (B, L', C); every row fills all steps."""
        return self.pooled(x)

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, L, I) → (B, C)."""
        return self.pooling(self.pooled(x))


class PooledConvGruBody(PooledConvBody):
    """Convolution, max-pooling, convolution, then a GRU over what is left, of the sequence its last output."""

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        super().__init__(spec, arrays)
        self.recurrent = make_recurrent("gru", spec.channels[-1], spec, arrays.at("recurrent."))

    def steps(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, L, I) → (B, L', units · directions)."""
        return self.recurrent(self.pooled(x))[0]

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, L, I) → (B, units · directions)."""
        return self.recurrent(self.pooled(x), last_only=True)[0]


def steps_read(spec: _Pooled, steps: int) -> int:
    """How many of so many input steps, the newest, come out even with the pools."""
    left = steps - spec.kernel_size + 1
    for _ in spec.channels[1:]:
        left = left // spec.pool_size - spec.kernel_size + 1
    return steps_needed(spec, left)


def steps_needed(spec: _Pooled, outputs: int) -> int:
    """How many input steps valid convolutions with pools read to have `outputs` steps behind the last."""
    steps = outputs + spec.kernel_size - 1
    for _ in spec.channels[1:]:
        steps = steps * spec.pool_size + spec.kernel_size - 1
    return steps


def _tcn_field(spec: BodySpec) -> float:
    """1 + Σ 2(K − 1)·d over the levels, each of two convolutions."""
    return 1 + sum(2 * (spec.kernel_size - 1) * dilation for dilation in spec.dilations)


def _conv_field(spec: BodySpec) -> float:
    """1 + Σ (K − 1)·d·s + Σ (p − 1)·s, with s the steps of the sequence that one step of the level stands for."""
    seen = 1
    for level, dilation in enumerate(spec.dilations):
        seen += (spec.kernel_size - 1) * dilation * spec.pool_size**level
        seen += (spec.pool_size - 1) * spec.pool_size ** (level - 1) if level else 0
    return seen


_CHANNELS = ("channels", "kernel_size", "dilation", "activation", "dropout", "pooling")
_GRU = ("units", "layers", "bidirectional", "input_dropout", "recurrent_dropout", "between_dropout")
_VALID = ("channels", "kernel_size", "pool_size", "activation", "between_dropout", "length")
_PLAIN = tuple(ACTIVATIONS)


def _last_channels(spec: BodySpec) -> int:
    return spec.channels[-1]


for _kind in (
    BodyKind("tcn", TcnBody, options=_CHANNELS, width=_last_channels, activations=_PLAIN, field=_tcn_field),
    BodyKind(
        "conv",
        ConvBody,
        options=(*_CHANNELS, "pool_size"),
        width=_last_channels,
        activations=_PLAIN,
        field=_conv_field,
    ),
    BodyKind(
        "conv-gru",
        ConvRecurrentBody,
        options=(*_CHANNELS, "pool_size", *_GRU),
        width=directions_width,
        activations=_PLAIN,
    ),
    BodyKind("pooled-conv", PooledConvBody, options=(*_VALID, "pooling"), width=_last_channels, activations=_PLAIN),
    BodyKind(
        "pooled-conv-gru",
        PooledConvGruBody,
        options=(*_VALID, *_GRU),
        width=directions_width,
        activations=_PLAIN,
    ),
):
    register_body(_kind)
