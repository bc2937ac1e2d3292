"""Bodies: steps of numbers in, features of every step or of the whole sequence out, with a mask.

A body maps x (B, T, inputs) and a mask (B, T) bool, None where all steps count, to features of every step (B, T, F)
with `steps`, or of the whole sequence (B, F) with `summary`. Masked steps before and behind a row's own are as if they
were not there, and nothing that stands there, NaN included, reaches the others. A masked step between two others is
left out of a recurrent body, and is a zero to a convolution.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn

from seqloom_runtime.errors import SettingError

from ... import nn as seqnn
from ...ops.activations import activation_function
from ...training import derive_seed
from ..cell_parameters import cell_options
from .heads import seeded_linear
from .pooling import make_pooling
from .registry import BODIES, body_kind, register_body
from .spec import BodySpec
from .stacked import LayerStack

__all__ = [
    "SMOOTHED",
    "Body",
    "DenseBody",
    "FlatBody",
    "RecurrentBody",
    "WholeBody",
    "build_body",
    "make_recurrent",
    "receptive_field",
]

Seed = int | torch.Generator
SMOOTHED = 25
"""Steps over which the decomposed body smoothes."""


class Body(nn.Module, ABC):
    """Base of the bodies. `causal` says whether the features of a step depend on no later step."""

    causal: bool = True
    state_axis: int = 0  # along which the rows of a batch lie in what `carry` returns

    def __init__(self, spec: BodySpec, seed: Seed) -> None:
        super().__init__()
        self.spec = spec
        self.output_size = spec.output_size
        # Only attention has weights, and every body that can be pooled so is given a whole number.
        pooling_seed = derive_seed(seed, "pooling") if isinstance(seed, int) else 0
        self.pooling = make_pooling(spec.pooling, spec.output_size, pooling_seed)

    @abstractmethod
    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, T, F); what a masked step holds means nothing."""

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, F)."""
        return self.pooling(self.steps(x, mask), mask)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Both: the features of the steps (B, T, F), and of the sequence (B, F)."""
        features = self.steps(x, mask)
        return features, self.pooling(features, mask)

    def carry(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """The features of a piece (B, T, F), and the state for the piece that follows; None at a sequence's start."""
        raise SettingError(f"The body {self.spec.kind!r} carries no state from one piece of a sequence to the next.")

    def initial_state(self, rows: int) -> Any:
        """The state at the start of `rows` sequences, zeros."""
        with torch.no_grad():
            # A body knows the shape of its state alone: one step tells it.
            like = next(self.parameters()).new_zeros(rows, 1, self.spec.inputs)
            return _zeros(self.carry(like)[1])

    def stream(self, batch_size: int = 1) -> Any:
        """One step at a time: see `seqloom.nn`."""
        raise SettingError(f"The body {self.spec.kind!r} doesn't run step by step.")


class RecurrentBody(Body):
    """Stacked RNN, GRU or LSTM, in one or two directions; or a Jordan network.

    The summary with pooling "last" is the state after the whole sequence: of the backward direction, and of a body that
    reads in reverse, that is the one after its first step.
    """

    state_axis = 1

    def __init__(self, spec: BodySpec, seed: Seed) -> None:
        super().__init__(spec, seed)
        self.recurrent = _stack(spec, seed) if spec.stack else make_recurrent(spec.kind, spec.inputs, spec, seed)
        self.causal = not (spec.bidirectional or spec.reverse)

    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, T, units · directions)."""
        return self.recurrent(x, mask=mask)[0]

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, units · directions)."""
        if self.spec.pooling == "last":
            return self.recurrent(x, mask=mask, last_only=True)[0]
        return super().summary(x, mask)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Both: the features of the steps (B, T, F), and of the sequence (B, F)."""
        features = self.steps(x, mask)
        return features, ends_of(features, self.spec) if read_at_ends(self.spec) else self.pooling(features, mask)

    def carry(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """The features of a piece, and h, of the LSTM the pair (h, c), after it."""
        return self.recurrent(x, state)

    def initial_state(self, rows: int) -> Any:
        """The state at the start of `rows` sequences, zeros."""
        return self.recurrent.initial_state(rows)

    def stream(self, batch_size: int = 1) -> Any:
        """One step at a time: see `seqloom.nn.Stream`."""
        return self.recurrent.stream(batch_size)


class DenseBody(Body):
    """`layers` dense layers of `units` over each step alone, which remember nothing."""

    def __init__(self, spec: BodySpec, seed: Seed) -> None:
        super().__init__(spec, seed)
        generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
        sizes = [spec.inputs, *spec.sizes]
        self.hidden = nn.ModuleList(seeded_linear(a, b, generator) for a, b in pairwise(sizes))
        self.activations = [activation_function(name or "relu") for name in spec.each_activation]

    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, inputs) → (B, T, units)."""
        for layer, activation in zip(self.hidden, self.activations):
            x = activation(layer(x))
        return x


class WholeBody(Body):
    """Base of the bodies that make features of the whole sequence alone."""

    causal = False

    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """There are none: raises SettingError."""
        raise SettingError(f"The body {self.spec.kind!r} gives the features of a whole sequence, none of its steps.")


class FlatBody(WholeBody):
    """The steps side by side: place matters, so every sequence is brought to `length` steps with zeros behind."""

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T ≤ length, inputs) → (B, length · inputs)."""
        return lengthened(x, self.spec.length).flatten(1)


class DecomposedBody(WholeBody):
    """A window's moving average and what is left of it, side by side, so that DLinear's (Zeng et al. 2023) two linear
    layers are one read-out. The first `window` inputs are the window, smoothed over 25 steps, its ends repeated."""

    def summary(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, 1, inputs) → (B, inputs + window): the average, the rest, and the other inputs as they are."""
        flat = x[:, 0]
        window, other = flat[:, : self.spec.window], flat[:, self.spec.window :]
        ends = nn.functional.pad(window[:, None], (SMOOTHED // 2, SMOOTHED // 2), mode="replicate")
        trend = nn.functional.avg_pool1d(ends, SMOOTHED, stride=1)[:, 0]
        return torch.cat([trend, window - trend, other], dim=1)


def build_body(spec: BodySpec, seed: Seed) -> Body:
    """The body that `spec` names, its weights and dropout masks drawn from `seed` alone.

    >>> body = build_body(BodySpec("gru", inputs=3, units=8), seed=1)
    >>> x, mask = torch.zeros(2, 5, 3), torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    >>> body.steps(x, mask).shape, body.summary(x, mask).shape
    (torch.Size([2, 5, 8]), torch.Size([2, 8]))
    """
    return cast(Body, BODIES[spec.kind].build(spec, seed))


def receptive_field(spec: BodySpec) -> float:
    """How many steps the features of one step see, its own among them; infinity where it is all of them.

    >>> receptive_field(BodySpec("tcn", inputs=1, channels=(25,) * 8, kernel_size=7, dilation=2))
    3061
    """
    return BODIES[spec.kind].field(spec)


def make_recurrent(kind: str, inputs: int, spec: BodySpec, seed: Seed, **options: Any) -> seqnn.Recurrent:
    """The recurrent layers of a body; options beside those of `spec` go to the module."""
    common: dict[str, Any] = {"input_dropout": spec.input_dropout, "recurrent_dropout": spec.recurrent_dropout}
    common |= {"seed": seed, **options}
    if kind == "jordan":
        return seqnn.Jordan(inputs, spec.units, spec.outputs, **common)
    if kind == spec.kind and spec.activation is not None:  # that of conv-gru is its convolutions'
        common["activation"] = spec.activation
    # Jordan's network, above, has one layer and one direction, and none of these.
    common |= {"bidirectional": spec.bidirectional, "between_dropout": spec.between_dropout, "reverse": spec.reverse}
    common |= cell_options(spec)
    own = {"rnn": seqnn.RNN, "gru": seqnn.GRU, "lstm": seqnn.LSTM}
    if kind in own:
        return own[kind](inputs, spec.units, spec.layers, **common)
    return seqnn.Recurrent(kind, inputs, spec.units, spec.layers, common)  # a cell of `ops.kinds.KINDS`


def _stack(spec: BodySpec, seed: Seed) -> LayerStack:
    """Layers that are not alike, each with weights and masks of its own; of a generator as they come."""
    layers, inputs = [], spec.inputs
    for number, (units, activation) in enumerate(zip(spec.sizes, spec.each_activation)):
        own = replace(spec, units=units, layers=1, activation=activation, stack=(), activations=())
        drawn = derive_seed(seed, f"layer {number}") if isinstance(seed, int) else seed
        layers.append(make_recurrent(spec.kind, inputs, own, drawn))
        inputs = own.output_size
    between = torch.Generator().manual_seed(derive_seed(seed, "between")) if isinstance(seed, int) else seed
    return LayerStack(layers, spec.between_dropout, between)


def read_at_ends(spec: BodySpec) -> bool:
    """Whether a direction has its last state at the beginning of the row."""
    return spec.pooling == "last" and (spec.bidirectional or spec.reverse)


def ends_of(features: Tensor, spec: BodySpec) -> Tensor:
    """The last state of each direction: a masked step repeats the state, so each ends at its end of the row."""
    if spec.reverse:
        return features[:, 0]
    return torch.cat([features[:, -1, : spec.units], features[:, 0, spec.units :]], dim=1)


def lengthened(x: Tensor, least: int) -> Tensor:
    """x (B, T, C) with zeros behind it, so that it has at least `least` steps."""
    return nn.functional.pad(x, (0, 0, 0, least - x.shape[1])) if x.shape[1] < least else x


def _zeros(state: Any) -> Any:
    """A state of the same nesting, all zeros; None stays."""
    if state is None:
        return None
    return torch.zeros_like(state) if isinstance(state, Tensor) else tuple(_zeros(inner) for inner in state)


for _kind in (
    body_kind("rnn", "Elman's recurrent network", "short memories, few weights", RecurrentBody),
    body_kind(
        "gru",
        "a recurrent network of gated units",
        "most sequences: learns what to keep, with fewer weights than lstm",
        RecurrentBody,
    ),
    body_kind("lstm", "a recurrent network of long short-term memory cells", "long memories", RecurrentBody),
    body_kind(
        "jordan",
        "Jordan's network, which feeds its sigmoid outputs back",
        "labels whose neighbours say much",
        RecurrentBody,
    ),
    body_kind("dense", "dense layers over each step alone", "what needs no memory", DenseBody),
    body_kind(
        "flat",
        "all steps side by side, with no weights of its own",
        "sequences of one length, where the place of a step matters",
        FlatBody,
    ),
    body_kind(
        "decomposed",
        "a window's moving average and what is left of it, with no weights of its own",
        "one linear layer for the trend and one for the rest",
        DecomposedBody,
    ),
):
    register_body(_kind)
