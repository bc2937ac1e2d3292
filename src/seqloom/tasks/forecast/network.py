"""The forecaster's networks: a window of inputs in, the standardised forecast of every step out.

Every network maps x (B, L, I) and, where columns are known in advance, future (B, K, F) to (B, K): B windows, L input
steps, I inputs, K forecast steps, F known columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...errors import SettingError
from ..memory import count_weights, refuse_too_large
from ..networks import (
    BODIES,
    BodySpec,
    Model,
    Spec,
    body_spec,
    build_body,
    build_head,
    model_of,
    names_for,
    register_models,
    steps_needed,
)

__all__ = ["NETWORKS", "ForecastNetwork", "NetworkSpec", "build_network", "check_memory", "check_network"]

register_models(
    "forecast",
    {
        "linear": Model("flat"),
        "dense": Model("dense"),
        **{name: Model(name) for name in ("rnn", "gru", "lstm")},
        "conv": Model("pooled-conv"),
        "conv-gru": Model("pooled-conv-gru"),
        "tcn": Model("tcn", {"dilation": 2}),
    },
)
NETWORKS = names_for("forecast")

_GATES = {"rnn": 1, "gru": 3, "lstm": 4}
_MOST_LEVELS = 30  # a dilation must stay below 2³¹


@dataclass(frozen=True)
class NetworkSpec(Spec):
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

    _least: ClassVar = {**dict.fromkeys(("inputs", "input_steps", "forecast_steps", "units", "layers"), 1), "future": 0}
    _later = ("channels", "kernel_size", "pool_size")

    @property
    def convolutional(self) -> bool:
        """Whether it has channels and a kernel."""
        return "channels" in BODIES[model_of("forecast", self.name).body].options

    @property
    def flat(self) -> bool:
        """Whether the body reads the whole window, and what is known of the future, as one long step."""
        return model_of("forecast", self.name).body in ("flat", "dense")

    @property
    def body(self) -> BodySpec:
        """What reads the window; raises SettingError for what the model doesn't have."""
        size = self.input_steps * self.inputs + self.forecast_steps * self.future
        return body_spec(
            "forecast",
            self.name,
            size if self.flat else self.inputs,
            units=self.units,
            layers=self.layers,
            bidirectional=self.bidirectional,
            activation=self.activation,
            input_dropout=self.input_dropout,
            recurrent_dropout=self.recurrent_dropout,
            between_dropout=self.between_dropout,
            channels=self.channels,
            kernel_size=self.kernel_size,
            dropout=self.between_dropout,
            pool_size=self.pool_size,
            length=1 if self.flat else self.input_steps,
        )


class ForecastNetwork(nn.Module):
    """y = W (features of the window, what is known of the future) + b."""

    saved_as: ClassVar = {"body.": ""}  # the names of the first models

    def __init__(self, spec: NetworkSpec, seed: int) -> None:
        super().__init__()
        # The read-out, and dense layers before it, start as the recurrent layers do, from a generator of their own.
        generator = torch.Generator().manual_seed(seed)
        self.flat = spec.flat
        self.body: Any = build_body(spec.body, generator if spec.body.kind == "dense" else seed)
        width = self.body.output_size + (0 if self.flat else spec.forecast_steps * spec.future)
        self.output: Any = build_head(model_of("forecast", spec.name).head, width, spec.forecast_steps, generator)

    def forward(self, x: Tensor, future: Tensor | None = None) -> Tensor:
        """(B, L, I) [and (B, K, F)] → (B, K)."""
        if self.flat:
            return self.output(self.body.summary(_joined(x.flatten(1), future)[:, None]))
        return self.output(_joined(self.body.summary(x), future))


def build_network(spec: NetworkSpec, seed: int) -> ForecastNetwork:
    """Build the network that `spec` names, its weights drawn from `seed` alone; raises as `check_network` does."""
    check_network(spec)
    return ForecastNetwork(spec, seed)


def check_network(spec: NetworkSpec) -> None:
    """Raise SettingError for an unknown network, sizes below 1, a window that is too short for the pooled networks, or
    an activation that this network doesn't have."""
    model_of("forecast", spec.name)
    spec.check_sizes()
    known = BODIES[model_of("forecast", spec.name).body].activations
    if spec.activation is not None and known and spec.activation not in known:
        raise SettingError(
            f"activation: expected one of {', '.join(known)} for the model {spec.name!r}, got {spec.activation!r}."
        )
    if spec.convolutional:
        _check_convolutions(spec)


def check_memory(spec: NetworkSpec, optimizer: str, batch: int = 0) -> None:
    """Raise SettingError where training such a network needs more memory than there is; batch: windows of one."""
    row = spec.input_steps * spec.inputs + spec.forecast_steps * (1 + spec.future)
    body = spec.body
    if spec.convolutional:
        if "pool_size" in BODIES[body.kind].options:  # a tcn works out no more than what its last step sees
            row += (spec.input_steps - spec.kernel_size + 1) * spec.channels[0]
        grows_with = "kernel_size" if spec.kernel_size > max(spec.channels) else "channels"
    elif spec.flat:
        grows_with = "lookback" if body.kind == "flat" or spec.input_steps > spec.units else "units"
    else:  # the backward pass reads every gate of every step
        row += spec.input_steps * body.output_size * _GATES.get(body.kind, 1) * spec.layers
        grows_with = "units"
    weights = count_weights(lambda: build_network(spec, 0))
    refuse_too_large(spec.name, weights, optimizer, grows_with=grows_with, batch_size=batch, row=row)


def _check_convolutions(spec: NetworkSpec) -> None:
    """Raise SettingError for sizes below 1, and for a window that is too short for the pooled networks."""
    for name, values in (("channels", spec.channels), ("kernel_size", [spec.kernel_size])):
        if not values or min(values) < 1:
            raise SettingError(f"{name}: expected whole numbers of at least 1, got {getattr(spec, name)}.")
    if spec.name == "tcn":
        if len(spec.channels) > _MOST_LEVELS:
            raise SettingError(
                f"channels: expected at most {_MOST_LEVELS} levels, whose dilations double, got {len(spec.channels)}."
            )
        return
    if spec.pool_size < 1:
        raise SettingError(f"pool_size: expected a whole number of at least 1, got {spec.pool_size}.")
    needed = steps_needed(spec.body, 1)
    if spec.input_steps < needed:
        raise SettingError(
            f"lookback: the model {spec.name!r} with {len(spec.channels)} convolutions of {spec.kernel_size} taps and "
            f"pools of {spec.pool_size} between them needs at least {needed} input steps, got {spec.input_steps}; give "
            "a longer lookback, a smaller kernel_size or pool_size, or fewer channels."
        )


def _joined(features: Tensor, future: Tensor | None) -> Tensor:
    return features if future is None else torch.cat([features, future.flatten(1)], dim=1)
