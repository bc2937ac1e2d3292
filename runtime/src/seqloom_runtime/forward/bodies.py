"""Bodies: steps of numbers in, features of every step or of the whole sequence out, with a mask.

A body is built from its specification and the arrays of its state. It holds them alone and changes nothing, so any
number of threads may use one. It maps x (B, T, inputs) and a mask (B, T) bool, None where all steps count, to features
of every step (B, T, F) with `steps`, or of the whole sequence (B, F) with `summary`, as `seqloom.tasks.networks` in
evaluation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import FormatError, SettingError
from .activations import ACTIVATIONS, activation_of
from .arrays import Arrays
from .cell import Cell
from .linear import Linear
from .pooling import make_pooling
from .recurrent import LayerStack, Recurrent
from .registry import BODIES, BodyKind, register_body
from .scan import checked
from .spec import ACTIVATION_NAMES, CELL, BodySpec, spec_of

__all__ = ["Body", "DenseBody", "FlatBody", "RecurrentBody", "WholeBody", "build_body", "lengthened", "make_recurrent"]

_SMOOTHED = 25  # steps, of the decomposed body


class Body(ABC):
    """Base of the bodies. `causal` says whether the features of a step depend on no later step."""

    causal: bool = True
    state_axis: int = 0  # along which the rows of a batch lie in what `carry` returns

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        """spec: what it is; arrays: of its state, seen from its place among the names."""
        self.spec, self.output_size = spec, spec.output_size
        self.pooling = make_pooling(spec.pooling, spec.output_size, arrays)

    @abstractmethod
    def steps(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T, inputs) → (B, T, F); what a masked step holds means nothing."""

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T, inputs) → (B, F)."""
        return self.pooling(self.steps(x, mask), mask)

    def both(self, x: np.ndarray, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Both: the features of the steps (B, T, F), and of the sequence (B, F)."""
        features = self.steps(x, mask)
        return features, self.pooling(features, mask)

    def carry(self, x: np.ndarray, state: Any = None) -> tuple[np.ndarray, Any]:
        """The features of a piece (B, T, F), and the state for the piece that follows; None at a sequence's start."""
        raise SettingError(f"The body {self.spec.kind!r} carries no state from one piece of a sequence to the next.")

    def initial_state(self, rows: int) -> Any:
        """The state at the start of `rows` sequences, zeros."""
        raise SettingError(f"The body {self.spec.kind!r} carries no state from one piece of a sequence to the next.")

    def stream(self, batch_size: int = 1) -> Any:
        """One step at a time: `step(x, out=None)`, `reset()`, `state()`, `restore(state)`; see `streams`."""
        raise SettingError(f"The body {self.spec.kind!r} doesn't run step by step.")


class RecurrentBody(Body):
    """Stacked RNN, GRU or LSTM, in one or two directions; or a Jordan network.

    The summary with pooling "last" is the state after the whole sequence: of the backward direction, and of a body that
    reads in reverse, that is the one after its first step.
    """

    state_axis = 1

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        super().__init__(spec, arrays)
        own = arrays.at("recurrent.")
        self.recurrent = _stack(spec, own) if spec.stack else make_recurrent(spec.kind, spec.inputs, spec, own)
        self.causal = not (spec.bidirectional or spec.reverse)

    def steps(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T, inputs) → (B, T, units · directions)."""
        return self.recurrent(x, mask=mask)[0]

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T, inputs) → (B, units · directions)."""
        if self.spec.pooling == "last":
            return self.recurrent(x, mask=mask, last_only=True)[0]
        return super().summary(x, mask)

    def both(self, x: np.ndarray, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Both: the features of the steps (B, T, F), and of the sequence (B, F)."""
        features = self.steps(x, mask)
        return features, ends_of(features, self.spec) if read_at_ends(self.spec) else self.pooling(features, mask)

    def carry(self, x: np.ndarray, state: Any = None) -> tuple[np.ndarray, Any]:
        """The features of a piece, and h, of the LSTM the pair (h, c), after it."""
        return self.recurrent(x, state)

    def initial_state(self, rows: int) -> Any:
        """The state at the start of `rows` sequences, zeros."""
        return self.recurrent.initial_state(rows)

    def stream(self, batch_size: int = 1) -> Any:
        """One step at a time: see `streams.RecurrentStream`."""
        return self.recurrent.stream(batch_size)


class DenseBody(Body):
    """`layers` dense layers of `units` over each step alone, which remember nothing."""

    def __init__(self, spec: BodySpec, arrays: Arrays) -> None:
        super().__init__(spec, arrays)
        sizes = pairwise([spec.inputs, *spec.sizes])
        self.hidden = [Linear(arrays.at(f"hidden.{number}."), a, b) for number, (a, b) in enumerate(sizes)]
        self.activations = [activation_of(name or "relu") for name in spec.each_activation]

    def steps(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T, inputs) → (B, T, units)."""
        x = checked("x", x, (None, None, self.spec.inputs))
        for layer, activation in zip(self.hidden, self.activations):
            x = activation(layer(x))
        return x


class WholeBody(Body):
    """Base of the bodies that make features of the whole sequence alone."""

    causal = False

    def steps(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """There are none: raises SettingError."""
        raise SettingError(f"The body {self.spec.kind!r} gives the features of a whole sequence, none of its steps.")


class FlatBody(WholeBody):
    """The steps side by side: place matters, so every sequence is brought to `length` steps with zeros behind."""

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T ≤ length, inputs) → (B, length · inputs)."""
        x = checked("x", x, (None, None, self.spec.inputs))
        return lengthened(x, self.spec.length).reshape(len(x), -1)


class DecomposedBody(WholeBody):
    """A window's moving average and what is left of it, side by side.

    The first `window` inputs are the window, smoothed over 25 steps, its ends repeated.
    """

    def summary(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, 1, inputs) → (B, inputs + window): the average, the rest, and the other inputs as they are."""
        flat = checked("x", x, (None, 1, self.spec.inputs))[:, 0]
        window, other = flat[:, : self.spec.window], flat[:, self.spec.window :]
        ends = np.pad(window, ((0, 0), (_SMOOTHED // 2, _SMOOTHED // 2)), mode="edge")
        around = np.lib.stride_tricks.sliding_window_view(ends, _SMOOTHED, axis=1)
        trend = around.mean(axis=2, dtype=np.float64).astype(np.float32)
        return np.concatenate([trend, window - trend, other], axis=1)


def build_body(spec: Any, arrays: Mapping[str, np.ndarray] | Arrays, prefix: str = "") -> Any:
    """The body that a specification describes, with the arrays of its state.

    spec: a `BodySpec`, the mapping that model.json holds, or an object with its fields. arrays: by the names of the
    state dict, those of the body beginning with `prefix` ("network.body."). Returns a `Body`.

    Raises SettingError for a kind without a forward pass here, FormatError where an array is missing or has another
    shape; arrays that nothing takes are told by `Arrays.finish`.

    >>> names = {"body.recurrent.cells.0.w_x": (3, 6), "body.recurrent.cells.0.w_h": (2, 6)}
    >>> arrays = {name: np.full(shape, 0.1, np.float32) for name, shape in names.items()}
    >>> arrays["body.recurrent.cells.0.bias"] = np.zeros(6, np.float32)
    >>> body = build_body({"kind": "gru", "inputs": 3, "units": 2}, arrays, "body.")
    >>> x, mask = np.ones((2, 5, 3), np.float32), np.array([[True] * 5, [True] * 2 + [False] * 3])
    >>> body.steps(x, mask).shape, body.summary(x, mask).shape, body.stream().step(x[0, 0]).shape
    ((2, 5, 2), (2, 2), (2,))
    """
    made, own = spec_of(spec), Arrays(arrays, prefix)
    if made.layers > max(1, len(own)):  # before so many are made
        raise FormatError(f"model.json: the file holds no arrays of {made.layers} layers.")
    return BODIES[made.kind].build(made, own)


def make_recurrent(kind: str, inputs: int, spec: BodySpec, arrays: Arrays) -> Recurrent:
    """The recurrent layers of a body."""
    if kind == "jordan":
        return Recurrent(Cell("jordan"), arrays, (inputs, spec.units, spec.outputs))
    own = {"rnn": "elman", "gru": "gru", "lstm": "lstm"}
    options: dict[str, Any] = {"layer_norm": spec.layer_norm, "zoneout": float(spec.zoneout)}
    if kind == "lstm":  # one number is for both states, where there are two
        options |= {"peephole": spec.peephole, "coupled": spec.coupled, "zoneout_cell": float(spec.zoneout)}
    if kind == spec.kind and spec.activation is not None:  # that of conv-gru is its convolutions'
        options["activation"] = spec.activation
    if kind not in own:
        raise SettingError(f"body: {kind!r} has no forward pass without torch.")
    sizes = (inputs, spec.units, spec.units)
    common = {"layers": spec.layers, "bidirectional": spec.bidirectional, "reverse": spec.reverse}
    return Recurrent(Cell(own[kind], **options), arrays, sizes, **common)


def _stack(spec: BodySpec, arrays: Arrays) -> LayerStack:
    """Layers that are not alike."""
    layers, inputs = [], spec.inputs
    for number, (units, activation) in enumerate(zip(spec.sizes, spec.each_activation)):
        own = replace(spec, units=units, layers=1, activation=activation, stack=(), activations=())
        layers.append(make_recurrent(spec.kind, inputs, own, arrays.at(f"layers.{number}.")))
        inputs = own.output_size
    return LayerStack(layers)


def read_at_ends(spec: BodySpec) -> bool:
    """Whether a direction has its last state at the beginning of the row."""
    return spec.pooling == "last" and (spec.bidirectional or spec.reverse)


def ends_of(features: np.ndarray, spec: BodySpec) -> np.ndarray:
    """The last state of each direction: a masked step repeats the state, so each ends at its end of the row."""
    if spec.reverse:
        return features[:, 0]
    return np.concatenate([features[:, -1, : spec.units], features[:, 0, spec.units :]], axis=1)


def lengthened(x: np.ndarray, least: int) -> np.ndarray:
    """x (B, T, C) with zeros behind it, so that it has at least `least` steps."""
    return np.pad(x, ((0, 0), (0, least - x.shape[1]), (0, 0))) if x.shape[1] < least else x


def directions_width(spec: BodySpec) -> int:
    """The units of both directions."""
    return spec.units * (2 if spec.bidirectional else 1)


_LAYERS = ("units", "layers", "bidirectional", "activation", "input_dropout", "recurrent_dropout", "between_dropout")
for _name in ("rnn", "gru", "lstm"):
    register_body(
        BodyKind(
            _name,
            RecurrentBody,
            options=(*_LAYERS, *CELL, "pooling", "stack", "activations", "reverse"),
            width=directions_width,
            activations=ACTIVATION_NAMES,
        )
    )
for _kind in (
    BodyKind(
        "jordan",
        RecurrentBody,
        options=("units", "outputs", "input_dropout", "recurrent_dropout"),
        width=lambda spec: spec.outputs,
    ),
    BodyKind(
        "dense",
        DenseBody,
        options=("units", "layers", "activation", "stack", "activations"),
        activations=tuple(ACTIVATIONS),
        field=lambda spec: 1,
    ),
    BodyKind("flat", FlatBody, options=("length",), width=lambda spec: spec.inputs * spec.length),
    BodyKind("decomposed", DecomposedBody, options=("window",), width=lambda spec: spec.inputs + spec.window),
):
    register_body(_kind)
