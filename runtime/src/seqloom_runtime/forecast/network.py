"""The forecaster's networks in evaluation: a window of inputs in, the standardised forecast of every step out.

Every network maps x (B, L, I) and, where columns are known in advance, future (B, K, F) to (B, K): B windows, L input
steps, I inputs, K forecast steps, F known columns; all float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..forward import Arrays, Linear, Matrix, build_body, build_head, model_of
from .decoder import Decoder
from .families import FAMILIES
from .spec import ALONE, NetworkSpec
from .window_scale import WindowScale

__all__ = ["ForecastNetwork", "patched"]


class ForecastNetwork:
    """y = W (features of the window, what is known of the future) + b, plus the linear skip; all of it in the units of
    each window, which `WindowScale` takes out and the output puts back."""

    def __init__(self, spec: NetworkSpec, arrays: Mapping[str, np.ndarray]) -> None:
        """arrays: those of a model folder, of which the network's begin with "network."; raises FormatError where one
        doesn't fit or is left."""
        own = Arrays(arrays, "network.")
        self.spec, self.flat = spec, spec.flat
        self.scale = WindowScale(spec.normalise, spec.target, spec.season, spec.flag)
        self.body: Any = build_body(spec.body, own)
        width = self.body.output_size + (0 if self.flat else spec.forecast_steps * spec.future)
        self.family = FAMILIES.get(spec.family)
        each = 1 if self.family is None else self.family.outputs
        self.output: Any
        if spec.decodes:
            self.decoder = Decoder(spec, own.at("decoder."))
            self.output = StepReadOut(own.at("output."), self.decoder.output_size, spec.forecast_steps, each)
        else:
            head = model_of("forecast", spec.name).head
            self.output = build_head(head, width, spec.forecast_steps * each, own.at("output."))
        self.skip = LinearSkip(spec, own.at("skip.")) if spec.skip else None
        own.finish()

    def __call__(self, x: np.ndarray, future: np.ndarray | None = None) -> np.ndarray:
        """(B, L, I) [and (B, K, F)] → (B, K), or (B, K, P) of a distribution with P parameters."""
        window, level, scale = self.scale(x)
        y, shape = self.output(self.features(window, future)), None
        if self.family is not None:
            y = y.reshape(len(y), self.spec.forecast_steps, self.family.outputs)
            y, shape = y[:, :, 0], self.family.shaped(y[:, :, 1:])
        if self.skip is not None:
            y = y + self.skip(window, future)
        if self.scale.kind == "standard":
            y = y * scale
            if self.family is not None and shape is not None:
                shape[:, :, : self.family.scaled] *= scale[:, :, None]
        if self.spec.relevel:
            y = y + level
        return y if shape is None else np.concatenate([y[:, :, None], shape], axis=2)

    def features(self, window: np.ndarray, future: np.ndarray | None) -> np.ndarray:
        """What the read-out reads, of windows (B, L, I) in their own units: (B, width), decoded (B, K, width)."""
        if self.spec.decodes:
            encoded, state = self.body.carry(patched(window, self.spec.patch))
            return self.decoder(encoded, state, future)
        if self.spec.name in ALONE:
            window = window[:, :, self.spec.target :][:, :, :1]
        if self.flat:
            return self.body.summary(_joined(window.reshape(len(window), -1), future)[:, None])
        return _joined(self.body.summary(patched(window, self.spec.patch)), future)


class LinearSkip:
    """y_k = Σ_t A_kt ỹ_t + Σ_i B_ki x_Li + Σ_f c_f u_kf: ỹ the target's window, x_L the last inputs, u_k what is known
    of step k."""

    def __init__(self, spec: NetworkSpec, arrays: Arrays) -> None:
        self.target = spec.target
        self.window = Linear(arrays.at("window."), spec.input_steps, spec.forecast_steps, bias=False)
        self.last = Linear(arrays.at("last."), spec.inputs, spec.forecast_steps, bias=False)
        self.known = Linear(arrays.at("known."), spec.future, 1, bias=False) if spec.future else None

    def __call__(self, window: np.ndarray, future: np.ndarray | None) -> np.ndarray:
        """(B, L, I) [and (B, K, F)] → (B, K)."""
        y = self.window(window[:, :, self.target]) + self.last(window[:, -1])
        return y if self.known is None or future is None else y + self.known(future)[:, :, 0]


class StepReadOut:
    """o_k = V f_k + b_k: one matrix for all steps, a bias for each. (B, K, F) → (B, K · P)."""

    def __init__(self, arrays: Arrays, features: int, steps: int, numbers: int) -> None:
        """numbers: P of each step."""
        self.matrix = Matrix(arrays.take("weight", numbers, features))
        self.bias = arrays.take("bias", steps * numbers)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return self.matrix.of(features).reshape(len(features), -1) + self.bias


def patched(x: np.ndarray, patch: int) -> np.ndarray:
    """x (B, L, I) → (B, ⌈L / patch⌉, patch · I): steps side by side, the first repeated before it where it lacks some.

    >>> patched(np.arange(5.0).reshape(1, 5, 1), 2).tolist()
    [[[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]]]
    """
    if patch == 1:
        return x
    lacking = -x.shape[1] % patch
    if lacking:
        x = np.concatenate([np.repeat(x[:, :1], lacking, axis=1), x], axis=1)
    return x.reshape(x.shape[0], x.shape[1] // patch, patch * x.shape[2])


def _joined(features: np.ndarray, future: np.ndarray | None) -> np.ndarray:
    return features if future is None else np.concatenate([features, future.reshape(len(future), -1)], axis=1)
