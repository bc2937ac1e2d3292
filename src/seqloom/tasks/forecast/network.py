"""The forecaster's networks: a window of inputs in, the standardised forecast of every step out.

Every network maps x (B, L, I) and, where columns are known in advance, future (B, K, F) to (B, K): B windows, L input
steps, I inputs, K forecast steps, F known columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ... import nn as seqnn
from ...errors import SettingError
from ...ops.activations import ACTIVATIONS, activation_function
from ..memory import refuse_too_large
from ..saved_fields import plain, spec_from_json
from .convolutional import (
    CONVOLUTIONAL,
    ConvForecast,
    ConvGruForecast,
    TcnForecast,
    check_convolutions,
    convolution_weights,
)

__all__ = [
    "ACTIVATION_NAMES",
    "NETWORKS",
    "DenseForecast",
    "LinearForecast",
    "NetworkSpec",
    "RecurrentForecast",
    "build_network",
    "check_memory",
    "check_network",
    "count_parameters",
]

NETWORKS = ("linear", "dense", "rnn", "gru", "lstm", *CONVOLUTIONAL)
ACTIVATION_NAMES = (*ACTIVATIONS, "prelu")

_CELLS = {"rnn": seqnn.RNN, "gru": seqnn.GRU, "lstm": seqnn.LSTM}
_GATES = {"rnn": 1, "gru": 3, "lstm": 4, "conv-gru": 3}
_CONVOLUTIONAL = {"conv": ConvForecast, "conv-gru": ConvGruForecast, "tcn": TcnForecast}
_LATER = ("channels", "kernel_size", "pool_size")  # fields that the first models were saved without


@dataclass(frozen=True)
class NetworkSpec:
    """Everything that fixes a network's shape: enough to build it again before its weights are loaded."""

    name: str
    inputs: int
    input_steps: int
    forecast_steps: int
    future: int = 0
    units: int = 32
    layers: int = 1
    bidirectional: bool = False
    activation: str | None = None
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0
    channels: tuple[int, ...] = ()
    kernel_size: int = 0
    pool_size: int = 0

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return plain(asdict(self))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> NetworkSpec:
        """Rebuild from `to_json`; raises FormatError where a field is missing, unknown or of the wrong type."""
        later = {name: plain(getattr(cls, name)) for name in _LATER}
        return spec_from_json(cls, {**later, **value} if isinstance(value, Mapping) else value)


class LinearForecast(nn.Module):
    """y = W·flatten(x, future) + b: a linear regression on the whole window."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        size = spec.input_steps * spec.inputs + spec.forecast_steps * spec.future
        self.output = nn.Linear(size, spec.forecast_steps)

    def forward(self, x: Tensor, future: Tensor | None = None) -> Tensor:
        """(B, L, I) [and (B, K, F)] → (B, K)."""
        return self.output(_flat(x, future))


class DenseForecast(nn.Module):
    """The window flattened, `layers` hidden layers of `units` (relu by default), then a linear layer."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        size = spec.input_steps * spec.inputs + spec.forecast_steps * spec.future
        self.activation = activation_function(spec.activation or "relu")
        self.hidden = nn.ModuleList(nn.Linear(size if i == 0 else spec.units, spec.units) for i in range(spec.layers))
        self.output = nn.Linear(spec.units, spec.forecast_steps)

    def forward(self, x: Tensor, future: Tensor | None = None) -> Tensor:
        """(B, L, I) [and (B, K, F)] → (B, K)."""
        hidden = _flat(x, future)
        for layer in self.hidden:
            hidden = self.activation(layer(hidden))
        return self.output(hidden)


class RecurrentForecast(nn.Module):
    """Stacked RNN, GRU or LSTM over the window; its last output of each direction, then a linear layer."""

    def __init__(self, spec: NetworkSpec, seed: int) -> None:
        super().__init__()
        options: dict[str, Any] = {} if spec.activation is None else {"activation": spec.activation}
        self.recurrent = _CELLS[spec.name](
            spec.inputs,
            spec.units,
            spec.layers,
            bidirectional=spec.bidirectional,
            input_dropout=spec.input_dropout,
            recurrent_dropout=spec.recurrent_dropout,
            between_dropout=spec.between_dropout,
            seed=seed,
            **options,
        )
        self.units = spec.units
        self.bidirectional = spec.bidirectional
        width = spec.units * (2 if spec.bidirectional else 1) + spec.forecast_steps * spec.future
        self.output = nn.Linear(width, spec.forecast_steps)

    def forward(self, x: Tensor, future: Tensor | None = None) -> Tensor:
        """(B, L, I) [and (B, K, F)] → (B, K)."""
        y, _ = self.recurrent(x)
        if self.bidirectional:  # the backward direction has read the whole window at the first step
            last = torch.cat([y[:, -1, : self.units], y[:, 0, self.units :]], dim=1)
        else:
            last = y[:, -1]
        return self.output(last if future is None else torch.cat([last, future.flatten(1)], dim=1))


def build_network(spec: NetworkSpec, seed: int) -> nn.Module:
    """Build the network that `spec` names, its weights drawn from `seed` alone; raises as `check_network` does."""
    check_network(spec)
    network: nn.Module
    if spec.name == "linear":
        network = LinearForecast(spec)
    elif spec.name == "dense":
        network = DenseForecast(spec)
    elif spec.name in CONVOLUTIONAL:
        network = _CONVOLUTIONAL[spec.name](spec, seed)
    else:
        network = RecurrentForecast(spec, seed)
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            # Glorot uniform with zero bias, as the recurrent layers start: Glorot & Bengio 2010, eq. 16.
            nn.init.xavier_uniform_(module.weight, generator=generator)
            nn.init.zeros_(module.bias)
    return network


def check_network(spec: NetworkSpec) -> None:
    """Raise SettingError for an unknown network, sizes below 1, or an activation that this network doesn't have."""
    if spec.name not in NETWORKS:
        raise SettingError(f"model: expected one of {', '.join(NETWORKS)}, got {spec.name!r}.")
    for name, least in (("inputs", 1), ("input_steps", 1), ("forecast_steps", 1), ("future", 0), ("units", 1)):
        if getattr(spec, name) < least:
            raise SettingError(f"{name}: expected a whole number of at least {least}, got {getattr(spec, name)}.")
    if spec.layers < 1:
        raise SettingError(f"layers: expected a whole number of at least 1, got {spec.layers}.")
    if spec.name in CONVOLUTIONAL:
        check_convolutions(spec)
    known = ACTIVATION_NAMES if spec.name in _CELLS else tuple(ACTIVATIONS)
    if spec.activation is not None and spec.name != "linear" and spec.activation not in known:
        raise SettingError(
            f"activation: expected one of {', '.join(known)} for the model {spec.name!r}, got {spec.activation!r}."
        )


def count_parameters(spec: NetworkSpec) -> int:
    """How many weights `build_network` makes, worked out without building it.

    With I inputs, L input steps, K forecast steps, F known columns, U units and D directions: linear (LI + KF)K + K;
    dense (LI + KF)U + U + (layers − 1)(U² + U) + UK + K; recurrent per layer and direction G[U(I' + U) + U] with G = 1
    (RNN), 3 (GRU) or 4 (LSTM) and I' = I in the first layer, DU in the others, then (DU + KF)K + K; prelu has U more
    per layer and direction; the convolutional ones `convolution_weights` and, from the last channels C, a GRU with
    I' = C, or (C + KF)K + K.
    """
    steps, units = spec.forecast_steps, spec.units
    flat = spec.input_steps * spec.inputs + steps * spec.future
    if spec.name == "linear":
        return flat * steps + steps
    if spec.name == "dense":
        return (flat + 1) * units + (spec.layers - 1) * (units + 1) * units + (units + 1) * steps
    known = steps * spec.future
    if spec.name in ("conv", "tcn"):
        return convolution_weights(spec) + (spec.channels[-1] + known + 1) * steps
    readout = ((2 if spec.bidirectional else 1) * units + known + 1) * steps
    if spec.name == "conv-gru":
        return convolution_weights(spec) + _recurrent_weights(spec, spec.channels[-1], 0) + readout
    return _recurrent_weights(spec, spec.inputs, units if spec.activation == "prelu" else 0) + readout


def check_memory(spec: NetworkSpec, optimizer: str, batch: int = 0) -> None:
    """Raise SettingError where training such a network needs more memory than there is; batch: windows of one."""
    row = spec.input_steps * spec.inputs + spec.forecast_steps * (1 + spec.future)
    if spec.name in _CELLS:  # the backward pass reads every gate of every step
        row += spec.input_steps * spec.units * _GATES[spec.name] * spec.layers * (2 if spec.bidirectional else 1)
        grows_with = "units"
    elif spec.name in CONVOLUTIONAL:
        if spec.name != "tcn":  # which works out no more than what its last step sees
            row += (spec.input_steps - spec.kernel_size + 1) * spec.channels[0]
        grows_with = "kernel_size" if spec.kernel_size > max(spec.channels) else "channels"
    else:
        grows_with = "lookback" if spec.name == "linear" or spec.input_steps > spec.units else "units"
    refuse_too_large(spec.name, count_parameters(spec), optimizer, grows_with=grows_with, batch_size=batch, row=row)


def _recurrent_weights(spec: NetworkSpec, inputs: int, slopes: int) -> int:
    """The weights of a recurrent stack, all directions; slopes: those of prelu for each layer and direction."""
    units, gates, directions = spec.units, _GATES[spec.name], 2 if spec.bidirectional else 1
    first = gates * units * (inputs + units + 1) + slopes
    later = gates * units * (directions * units + units + 1) + slopes
    return directions * (first + (spec.layers - 1) * later)


def _flat(x: Tensor, future: Tensor | None) -> Tensor:
    return x.flatten(1) if future is None else torch.cat([x.flatten(1), future.flatten(1)], dim=1)
