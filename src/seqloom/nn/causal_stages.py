"""Causal layers one step at a time: each stage takes the inputs of one step, (B, I), and gives its outputs, (B, O).

Convolutions run as `ops.conv_stream.ConvStack`, as many of them in one stack as follow each other; what stands between
and around them runs in NumPy. A stage's result is a buffer that its next step writes over. A state is a copy: an array,
or a tuple of states, built as the `carry` of the layer returns its context.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqloom.ops.activations import Activation
from seqloom.ops.conv_stream import ConvLayer, ConvStack
from seqloom.ops.stream import in_place

__all__ = [
    "ChainStage",
    "HighwayStage",
    "LinearStage",
    "ParallelStage",
    "PassStage",
    "Places",
    "StackStage",
    "Stage",
    "State",
    "SumStage",
    "TorchStage",
]

State = Any  # an array, or a tuple of states
Places = Any  # the number of a layer of a stack, or a tuple of places


class Stage:
    """The base: a stage without a state."""

    inputs: int
    outputs: int
    dtype: np.dtype[Any] | None = None  # of its weights, None where it has none
    backend: str | None = None  # what runs its convolutions, None where it has none

    def step(self, x: np.ndarray) -> np.ndarray:
        """x (B, I) → (B, O)."""
        raise NotImplementedError

    def get_state(self) -> State:
        """A copy of the state."""
        return ()

    def set_state(self, state: State) -> None:
        """Put what `get_state` returned in its place."""


class PassStage(Stage):
    """Nothing happens, as with dropout in evaluation."""

    def __init__(self, size: int):
        self.inputs = self.outputs = size

    def step(self, x: np.ndarray) -> np.ndarray:
        return x


class StackStage(Stage):
    """Convolutions as one `ConvStack`; places say which layer's context stands where in the state."""

    def __init__(self, layers: Sequence[ConvLayer], places: Places, batch: int, backend: str):
        self.stack, self.places = ConvStack(layers, batch, backend), places
        self.inputs, self.outputs, self.dtype = self.stack.input_size, self.stack.output_size, self.stack.dtype
        self.backend = self.stack.backend

    def step(self, x: np.ndarray) -> np.ndarray:
        return self.stack.step(x)

    def get_state(self) -> State:
        return _pick(self.stack.state(), self.places)

    def set_state(self, state: State) -> None:
        contexts = self.stack.state()
        _put(contexts, self.places, state)
        self.stack.restore(contexts)


class LinearStage(Stage):
    """φ(x W + b)."""

    def __init__(self, weight: Tensor, bias: Tensor | None, batch: int, activation: Activation):
        """Copy weight (O, I), as nn.Linear has it, and bias (O)."""
        self.outputs, self.inputs = weight.shape
        # A copy in the order in which rows are multiplied.
        self.w = np.ascontiguousarray(weight.detach().cpu().numpy().T)
        self.dtype = self.w.dtype
        self.bias = np.zeros(self.outputs, self.dtype) if bias is None else bias.detach().cpu().numpy().copy()
        self.a = np.zeros((batch, self.outputs), dtype=self.dtype)
        self.phi = in_place(activation)

    def step(self, x: np.ndarray) -> np.ndarray:
        np.dot(x, self.w, out=self.a)
        np.add(self.a, self.bias, out=self.a)
        self.phi(self.a)
        return self.a


class TorchStage(Stage):
    """A point-wise layer of torch, run by torch."""

    def __init__(self, module: nn.Module, size: int):
        """Copy the module."""
        self.inputs = self.outputs = size
        # A stream keeps the weights of its moment, and drops nothing.
        self.module = copy.deepcopy(module).eval()

    def step(self, x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self.module(torch.from_numpy(x)).numpy()


class ChainStage(Stage):
    """One stage after the other."""

    def __init__(self, stages: Sequence[Stage]):
        self.stages = tuple(stages)
        self.inputs, self.outputs = stages[0].inputs, stages[-1].outputs
        self.dtype = next((stage.dtype for stage in stages if stage.dtype is not None), None)
        engines = {stage.backend for stage in stages} - {None}
        # The slower of the two names the chain, as it sets the pace.
        self.backend = "numpy" if "numpy" in engines else "native" if engines else None

    def step(self, x: np.ndarray) -> np.ndarray:
        for stage in self.stages:
            x = stage.step(x)
        return x

    def get_state(self) -> State:
        return tuple(stage.get_state() for stage in self.stages)

    def set_state(self, state: State) -> None:
        for stage, part in zip(self.stages, state, strict=True):
            stage.set_state(part)


class ParallelStage(ChainStage):
    """Stages side by side on the same input, their outputs one after the other."""

    def __init__(self, stages: Sequence[Stage], batch: int):
        super().__init__(stages)
        self.outputs = sum(stage.outputs for stage in stages)
        self.a = np.zeros((batch, self.outputs), dtype=self.dtype)
        # Views of one array: each stage's outputs land where they belong, without joining.
        self.parts = np.split(self.a, np.cumsum([stage.outputs for stage in stages])[:-1], axis=1)

    def step(self, x: np.ndarray) -> np.ndarray:
        for stage, part in zip(self.stages, self.parts, strict=True):
            part[...] = stage.step(x)
        return self.a


class SumStage(Stage):
    """x + F(x); the state is F's."""

    def __init__(self, function: Stage, batch: int):
        self.function, self.backend = function, function.backend
        self.inputs, self.outputs, self.dtype = function.inputs, function.outputs, function.dtype
        self.a = np.zeros((batch, self.outputs), dtype=self.dtype)
        # A sum remembers nothing itself.
        self.get_state, self.set_state = function.get_state, function.set_state

    def step(self, x: np.ndarray) -> np.ndarray:
        np.add(x, self.function.step(x), out=self.a)
        return self.a


class HighwayStage(Stage):
    """H(x)⊙T(x) + x⊙(1 − T(x)) for two stages H and T without a state."""

    def __init__(self, transform: Stage, gate: Stage, batch: int):
        self.transform, self.gate = transform, gate
        self.inputs, self.outputs, self.dtype = transform.inputs, transform.outputs, transform.dtype
        self.a = np.zeros((batch, self.outputs), dtype=self.dtype)

    def step(self, x: np.ndarray) -> np.ndarray:
        # x + T⊙(H − x): one product fewer than H⊙T + x⊙(1 − T).
        np.subtract(self.transform.step(x), x, out=self.a)
        np.multiply(self.a, self.gate.step(x), out=self.a)
        np.add(self.a, x, out=self.a)
        return self.a


def _pick(contexts: Sequence[np.ndarray], places: Places) -> State:
    return tuple(_pick(contexts, part) for part in places) if isinstance(places, tuple) else contexts[places]


def _put(contexts: list[np.ndarray], places: Places, state: State) -> None:
    if isinstance(places, tuple):
        for part, value in zip(places, state, strict=True):
            _put(contexts, part, value)
    else:
        contexts[places] = state
