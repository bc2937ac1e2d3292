"""`TCN`: the forward pass of `seqloom.nn.TCN`, the temporal convolutional network of Bai, Kolter & Koltun 2018."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import SettingError
from .arrays import Arrays
from .conv import Convolution, causal_conv, kept_only
from .conv_stack import ConvStack, ConvStream, Wired
from .last_output import parts_for_last
from .scan import checked

__all__ = ["TCN"]


class _Block:
    """One level: y = φ(h₂ + R(x)), h₂ = φ(conv₂(h₁)), h₁ = φ(conv₁(x)); R a 1×1 convolution where the channels change,
    else the identity."""

    def __init__(
        self, arrays: Arrays, inputs: int, outputs: int, taps: int, dilation: int, activation: str, weight_norm: bool
    ) -> None:
        rule: dict[str, Any] = {"dilation": dilation, "activation": activation, "weight_norm": weight_norm}
        self.first = Convolution.taken(arrays.at("conv1."), inputs, outputs, taps, **rule)
        own = arrays.at("conv2.")
        # Shortcut and last activation in the same call: one pass over the outputs instead of three.
        self.second = Convolution.taken(own, outputs, outputs, taps, final_activation=activation, **rule)
        self.shortcut = Convolution.taken(arrays.at("downsample."), inputs, outputs, 1) if inputs != outputs else None

    def run(self, x: np.ndarray, mask: np.ndarray | None, context: Any) -> tuple[np.ndarray, Any]:
        """The block's output, and the context that follows."""
        first, second = (None, None) if context is None else context
        x = kept_only(x, mask)
        # Again, as a bias turns the zeros of masked steps into numbers that the second one would see.
        h = kept_only(causal_conv(x, self.first, context=first), mask)
        added = x if self.shortcut is None else causal_conv(x, self.shortcut)
        y = causal_conv(h, self.second, residual=added, context=second)
        return y, (self.first.next_context(x, first), self.second.next_context(h, second))

    def wire(self, layers: list[Wired], source: int, every: int = 1) -> tuple[int, tuple[int, int]]:
        """Append the block to a stack, on every so many-th step of the sequence; its output's number, and the places
        of its two convolutions."""
        shortcut = source
        if self.shortcut is not None:
            layers.append(Wired(self.shortcut, source))
            shortcut = len(layers)
        layers.append(Wired(_thinned(self.first, every), source))
        first = len(layers)
        layers.append(Wired(_thinned(self.second, every), first, shortcut))
        return len(layers), (first - 1, first)


class TCN:
    """A stack of temporal blocks, called as the module; an output sees 1 + Σ 2(K − 1)·d steps."""

    def __init__(
        self,
        arrays: Arrays,
        inputs: int,
        channels: Sequence[int],
        taps: int,
        dilations: Sequence[int],
        activation: str = "relu",
        *,
        weight_norm: bool = True,
    ) -> None:
        """Takes "network.0.conv1.weight_g", "network.0.conv1.weight_v", "network.0.conv1.bias", …"""
        self.inputs, self.output_size, self.dilations = inputs, channels[-1], tuple(dilations)
        widths = zip([inputs, *channels], channels, dilations)
        self.blocks = [
            _Block(arrays.at(f"network.{level}."), before, after, taps, dilation, activation, weight_norm)
            for level, (before, after, dilation) in enumerate(widths)
        ]
        self._stack, self._places = self._wired(0, len(self.blocks), 1)

    def __call__(self, x: np.ndarray, mask: np.ndarray | None = None, *, last_only: bool = False) -> np.ndarray:
        """x (B, T, C_in) → (B, T, C_out), or with last_only (B, C_out), the output at T − 1.

        mask: (B, T) bool; masked steps are zeros to every convolution, and their own outputs mean nothing. last_only
        without a mask runs each level on the steps that reach that output alone.
        """
        x = checked("x", x, (None, None, self.inputs))
        if last_only and not x.shape[1]:
            raise SettingError(f"x: the last output needs at least one step, got the shape {x.shape}.")
        if mask is None:
            return self._last(x) if last_only else self._stack(x)
        for block in self.blocks:
            x = block.run(x, mask, None)[0]
        return x[:, -1] if last_only else x

    def carry(self, x: np.ndarray, context: Any = None) -> tuple[np.ndarray, Any]:
        """The outputs of one piece of a long sequence, and the context of the piece that follows: a tuple of pairs, one
        for each level, the last (K − 1)·d inputs of its two convolutions."""
        x = checked("x", x, (None, None, self.inputs))
        if context is not None and (not isinstance(context, (tuple, list)) or len(context) != len(self.blocks)):
            raise SettingError(f"state: expected a tuple of {len(self.blocks)} pairs, as from carry.")
        after = []
        for level, block in enumerate(self.blocks):
            x, last = block.run(x, None, None if context is None else context[level])
            after.append(last)
        return x, tuple(after)

    def initial_state(self, rows: int) -> Any:
        """The context at the start of sequences, zeros."""
        return tuple(
            tuple(np.zeros((rows, layer.reach, layer.inputs), np.float32) for layer in (block.first, block.second))
            for block in self.blocks
        )

    def stream(self, batch_size: int = 1) -> ConvStream:
        """One step at a time; the state is `carry`'s context."""
        return self._stack.stream(self._places, batch_size)

    def _wired(self, first: int, stop: int, every: int) -> tuple[ConvStack, Any]:
        """Levels as a stack, and the places of their contexts."""
        layers: list[Wired] = []
        node, places = 0, []
        for block in self.blocks[first:stop]:
            node, own = block.wire(layers, node, every)
            places.append(own)
        return ConvStack(layers), tuple(places)

    def _last(self, x: np.ndarray) -> np.ndarray:
        reaches = [block.first.reach + block.second.reach for block in self.blocks]
        for part in parts_for_last(self.dilations, reaches, x.shape[1]):
            whole = (part.first, part.stop, part.every) == (0, len(self.blocks), 1)
            stack = self._stack if whole else self._wired(part.first, part.stop, part.every)[0]
            x = stack(x[:, part.start :: part.thin])
        return x[:, -1].copy()


def _thinned(layer: Convolution, every: int) -> Convolution:
    """On every n-th step a dilation is an n-th of itself."""
    return layer if every == 1 else layer.with_rule(dilation=max(layer.dilation // every, 1))
