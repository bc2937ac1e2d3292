"""Recurrent autoencoders in evaluation: a window of rows to a short code and back, of a variational one by its mean.

B windows, T rows of a window, F columns, U units, L numbers of a code. The equations stand beside the torch module
(`seqloom.tasks.anomalies.network`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FormatError
from ..forward import Arrays, Linear, body_spec, build_body, build_head, make_recurrent, model_of
from ..saved_fields import spec_from_json

__all__ = ["AnomalyShape", "Autoencoder"]


@dataclass(frozen=True)
class AnomalyShape:
    """The fields of `seqloom.tasks.anomalies.network.AnomalySpec`, as model.json holds them."""

    name: str
    columns: int
    window: int
    code: int = 8
    units: int = 32
    layers: int = 1
    dropout: float = 0.0
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0


class Autoencoder:
    """Called with x (B, T, F), 0 where a value is unknown, it gives the rows drawn again (B, T, F)."""

    def __init__(self, value: Any, arrays: Mapping[str, np.ndarray], prefix: str = "network.") -> None:
        """From what model.json holds of it, and its arrays; raises FormatError where they don't fit together."""
        shape = spec_from_json(AnomalyShape, value)
        if min(shape.columns, shape.window, shape.code, shape.units, shape.layers) < 1:
            raise FormatError("network: expected sizes of at least 1.")
        self.shape, own = shape, Arrays(arrays, prefix)
        layers = {"units": shape.units, "layers": shape.layers}
        encoder = body_spec("anomalies", shape.name, shape.columns, **layers)
        decoder = body_spec("anomalies", shape.name, shape.code, **layers)
        head = model_of("anomalies", shape.name).head
        self.encoder = build_body(encoder, own.at("encoder."))
        self.code = build_head(head, encoder.output_size, shape.code, own.at("code."))
        self.start = Linear(own.at("start."), shape.code, shape.layers * shape.units)
        self.decoder = make_recurrent(decoder.kind, shape.code, decoder, own.at("decoder."))
        self.output = Linear(own.at("output."), shape.units, shape.columns)
        if head == "gaussian":
            own.take("log_noise", shape.columns)  # of the loss alone
        own.finish()

    def __call__(self, x: np.ndarray) -> np.ndarray:
        code = np.ascontiguousarray(self.code(self.encoder.summary(x))[:, : self.shape.code])
        first = np.tanh(self.start(code)).reshape(len(code), self.shape.layers, self.shape.units)
        first = np.ascontiguousarray(first.transpose(1, 0, 2))
        state = (first, np.zeros_like(first)) if self.decoder.cell.pair else first
        again = np.repeat(code[:, None], x.shape[1], axis=1)
        return self.output(self.decoder(again, state)[0])
