"""Layers of Keras for the tests of `from_keras`, as (class, options, weights)."""

from __future__ import annotations

from typing import Any

import numpy as np

I, H = 3, 4
RNG = np.random.default_rng(8)


def drawn(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Random unequal weights."""
    return [RNG.normal(0, 0.4, shape).astype(np.float32) for shape in shapes]


def rnn(kind: str, inputs: int = I, units: int = H, **options: Any) -> Any:
    gates = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}[kind]
    bias = (2, gates * units) if options.get("reset_after") else (gates * units,)
    shapes = [(inputs, gates * units), (units, gates * units), *([bias] if options.get("use_bias", True) else [])]
    return kind, {"units": units, "return_sequences": True, **options}, drawn(*shapes)


def both(kind: str, merge: str, **options: Any) -> Any:
    one, other = rnn(kind, **options), rnn(kind, **options)
    inner = {"class_name": kind, "config": {"name": "inner", **one[1]}}
    return "Bidirectional", {"layer": inner, "merge_mode": merge}, one[2] + other[2]


def dense(inputs: int, units: int, **options: Any) -> Any:
    return "Dense", {"units": units, **options}, drawn((inputs, units), (units,))


def conv(width: int = 5, taps: int = 3, **options: Any) -> Any:
    given = {"filters": width, "kernel_size": [taps], **options}
    return "Conv1D", given, drawn((taps, I, width), (width,))


def each(width: int) -> Any:
    inner = {"class_name": "Dense", "config": {"name": "inner", "units": 2, "activation": "relu"}}
    return "TimeDistributed", {"layer": inner}, drawn((width, 2), (2,))


def sequences(seed: int = 1) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(3, 11, I)).astype(np.float32)
    x[0, 8:], x[1, 2] = 0, 0  # for the models that leave such steps out
    return x
