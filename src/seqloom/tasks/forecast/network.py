"""The forecaster's networks: a window of inputs in, the standardised forecast of every step out.

Every network maps x (B, L, I) and, where columns are known in advance, future (B, K, F) to (B, K): B windows, L input
steps, I inputs, K forecast steps, F known columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from seqloom_runtime.errors import SettingError, shown, suggest
from seqloom_runtime.forecast.spec import ALONE, DECODES, NetworkShape
from seqloom_runtime.forward import MODELS

from ...nn.initialisers import undrawn
from ..cell_parameters import CELL, cell_options
from ..memory import count_weights, refuse_too_large
from ..networks import (
    BODIES,
    BodySpec,
    CellSpec,
    body_spec,
    build_body,
    build_head,
    model_of,
    names_for,
    register_models,
    steps_needed,
)
from .decoder import CELLS, Decoder, StepReadOut
from .families import FAMILIES
from .window_scale import NORMALISATIONS, WindowScale

__all__ = [
    "ALONE",
    "DECODES",
    "NETWORKS",
    "RECURRENT",
    "ForecastNetwork",
    "NetworkSpec",
    "build_network",
    "check_memory",
    "check_network",
    "levelled",
]

register_models("forecast", MODELS["forecast"])
NETWORKS = names_for("forecast")

RECURRENT = ("rnn", "gru", "lstm", "encoder-decoder")
"""The models that read patches."""

_GATES = {"rnn": 1, "gru": 3, "lstm": 4}
_MOST_LEVELS = 30  # a dilation must stay below 2³¹


@dataclass(frozen=True)
class NetworkSpec(NetworkShape, CellSpec):
    """Everything that fixes a network's shape: enough to build it again before its weights are loaded.

    normalise, season, target, flag: of `WindowScale`; relevel: whether the window's level is added to the output, as
    nothing outside the network adds one. patch: how many steps a recurrent network reads as one. skip: a linear path
    beside the network, from the target's window, the last inputs and what is known of each step. pooling: of the conv.
    family: the kind of forecast distribution (`FAMILIES`), "" for a point forecast. cell, attention: of the
    encoder-decoder. stack, activations, reverse: of `BodySpec`.
    """

    _least: ClassVar = {
        **dict.fromkeys(("inputs", "input_steps", "forecast_steps", "units", "layers", "patch"), 1),
        "future": 0,
    }
    _later = ("channels", "kernel_size", "pool_size")
    _left_out = (
        *CELL,
        *("normalise", "relevel", "target", "flag", "season", "patch", "skip", "pooling", "family"),
        *("cell", "attention", "stack", "activations", "reverse"),
    )

    @property
    def convolutional(self) -> bool:
        """Whether it has channels and a kernel."""
        return "channels" in BODIES[model_of("forecast", self.name).body].options

    @property
    def flat(self) -> bool:
        """Whether the body reads the whole window, and what is known of the future, as one long step."""
        return model_of("forecast", self.name).body in ("flat", "dense", "decomposed")

    @property
    def patches(self) -> int:
        """How many steps a recurrent body goes through: ⌈input_steps / patch⌉."""
        return -(-self.input_steps // self.patch)

    @property
    def body(self) -> BodySpec:
        """What reads the window; raises SettingError for what the model doesn't have."""
        size = self.input_steps * self.reads + self.forecast_steps * self.future
        found = body_spec(
            "forecast",
            self.name,
            size if self.flat else self.inputs * self.patch,
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
            pooling=self.pooling if self.name == "conv" else "last",
            window=self.input_steps,
            stack=self.stack,
            activations=self.activations,
            reverse=self.reverse,
            **(cell_options(self) if self.name in _GATES else {}),
            length=1 if self.flat else self.input_steps,
        )
        return replace(found, kind=self.cell, bidirectional=False) if self.decodes else found


class ForecastNetwork(nn.Module):
    """y = W (features of the window, what is known of the future) + b, plus the linear skip; all of it in the units of
    each window, which `WindowScale` takes out and the output puts back."""

    saved_as: ClassVar = {"body.": ""}  # the names of the first models

    def __init__(self, spec: NetworkSpec, seed: int) -> None:
        super().__init__()
        # The read-out, and dense layers before it, start as the recurrent layers do, from a generator of their own.
        generator = torch.Generator().manual_seed(seed)
        self.spec, self.flat = spec, spec.flat
        self.scale = WindowScale(spec.normalise, spec.inputs, spec.target, spec.season, spec.flag)
        self.body: Any = build_body(spec.body, generator if spec.body.kind == "dense" else seed)
        width = self.body.output_size + (0 if self.flat else spec.forecast_steps * spec.future)
        self.family = FAMILIES.get(spec.family)
        each = 1 if self.family is None else self.family.outputs
        self.output: Any
        if spec.decodes:
            self.decoder = Decoder(spec.body, spec.forecast_steps, spec.future, spec.attention, seed)
            self.output = StepReadOut(self.decoder.output_size, spec.forecast_steps, each, generator)
        else:
            head = model_of("forecast", spec.name).head
            self.output = build_head(head, width, spec.forecast_steps * each, generator)
        self.skip = LinearSkip(spec) if spec.skip else None

    def forward(self, x: Tensor, future: Tensor | None = None) -> Tensor:
        """(B, L, I) [and (B, K, F)] → (B, K), or (B, K, P) of a distribution with P parameters."""
        window, level, scale = self.scale(x)
        y = self.output(self.features(window, future))
        shape = None
        if self.family is not None:
            y, raw = y.unflatten(1, (self.spec.forecast_steps, self.family.outputs)).split(
                [1, self.family.outputs - 1], dim=2
            )
            y, shape = y[:, :, 0], self.family.shaped(raw)
        if self.skip is not None:
            y = y + self.skip(window, future)
        if self.scale.kind == "standard":
            y = y * scale
            if self.family is not None and shape is not None and self.family.scaled:
                wide = shape[:, :, : self.family.scaled] * scale[:, :, None]
                shape = torch.cat([wide, shape[:, :, self.family.scaled :]], dim=2)
        if self.spec.relevel:
            y = y + level
        return y if shape is None else torch.cat([y[:, :, None], shape], dim=2)

    def features(self, window: Tensor, future: Tensor | None) -> Tensor:
        """What the read-out reads, of windows (B, L, I) in their own units: (B, width), decoded (B, K, width)."""
        if self.spec.decodes:
            return self.decoder(*self.body.carry(patched(window, self.spec.patch)), future)
        if self.spec.name in ALONE:
            window = window[:, :, self.spec.target :][:, :, :1]
        if self.flat:
            return self.body.summary(_joined(window.flatten(1), future)[:, None])
        return _joined(self.body.summary(patched(window, self.spec.patch)), future)


class LinearSkip(nn.Module):
    """y_k = Σ_t A_kt ỹ_t + Σ_i B_ki x_Li + Σ_f c_f u_kf, all weights 0 at first: ỹ the target's window, x_L the last
    inputs, u_k what is known of step k."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.target = spec.target
        self.window = _zero_linear(spec.input_steps, spec.forecast_steps)
        self.last = _zero_linear(spec.inputs, spec.forecast_steps)
        self.known = _zero_linear(spec.future, 1) if spec.future else None

    def forward(self, window: Tensor, future: Tensor | None) -> Tensor:
        """(B, L, I) [and (B, K, F)] → (B, K)."""
        y = self.window(window[:, :, self.target]) + self.last(window[:, -1])
        return y if self.known is None or future is None else y + self.known(future)[:, :, 0]


def patched(x: Tensor, patch: int) -> Tensor:
    """x (B, L, I) → (B, ⌈L / patch⌉, patch · I): steps side by side, the first repeated before it where it lacks some.

    >>> patched(torch.arange(5.0).reshape(1, 5, 1), 2).tolist()
    [[[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]]]
    """
    if patch == 1:
        return x
    lacking = -x.shape[1] % patch
    if lacking:
        x = torch.cat([x[:, :1].expand(-1, lacking, -1), x], dim=1)
    return x.reshape(x.shape[0], x.shape[1] // patch, patch * x.shape[2])


def _zero_linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, bias=False, device="meta")
    if torch.empty(0).is_meta:  # a network whose weights are counted alone
        return layer
    undrawn(layer)
    nn.init.zeros_(layer.weight)
    return layer


def build_network(spec: NetworkSpec, seed: int) -> ForecastNetwork:
    """Build the network that `spec` names, its weights drawn from `seed` alone; raises as `check_network` does."""
    check_network(spec)
    return ForecastNetwork(spec, seed)


def levelled(spec: NetworkSpec, anchor: str, normalise: str | None) -> NetworkSpec:
    """The specification for an output that is added to `anchor`: without one the network puts its level back, or takes
    none out where the user left that open (`normalise` None)."""
    if anchor == "none" and normalise is None and spec.name != "nlinear":
        return replace(spec, normalise="none", season=0)
    return replace(spec, relevel=anchor == "none" and spec.normalise != "none")


def check_network(spec: NetworkSpec) -> None:
    """Raise SettingError for an unknown network, sizes below 1, a window that is too short for the pooled networks, or
    an activation that this network doesn't have."""
    model_of("forecast", spec.name)
    spec.check_sizes()
    if spec.normalise not in NORMALISATIONS:
        raise SettingError(
            f"normalise: expected one of {', '.join(NORMALISATIONS)}, got {shown(spec.normalise)}."
            f"{suggest(str(spec.normalise), NORMALISATIONS)}"
        )
    if spec.normalise == "seasonal" and not 1 <= spec.season <= spec.input_steps:
        if not spec.season:
            raise SettingError(
                "normalise: 'seasonal' takes the level of the last season, and none is given; give season in rows or "
                "as a duration, or normalise='last'."
            )
        raise SettingError(
            f"normalise: 'seasonal' takes the level of the last season, {spec.season} steps, and the window has "
            f"{spec.input_steps}; give a season of 1 to {spec.input_steps} steps, a longer lookback, or "
            "normalise='last'."
        )
    if spec.family and spec.family not in FAMILIES:
        raise SettingError(
            f"distribution: expected one of {', '.join(FAMILIES)}, got {shown(spec.family)}."
            f"{suggest(spec.family, FAMILIES)}"
        )
    if not 0 <= spec.target < spec.inputs or spec.flag >= spec.inputs:
        raise SettingError(f"target: expected the place of one of {spec.inputs} inputs, got {spec.target}.")
    if spec.cell not in CELLS:
        raise SettingError(f"cell: expected one of {', '.join(CELLS)}, got {shown(spec.cell)}.")
    known = BODIES[model_of("forecast", spec.name).body].activations
    for activation in (spec.activation, *spec.activations):
        if activation is not None and known and activation not in known:
            raise SettingError(
                f"activation: expected one of {', '.join(known)} for the model {spec.name!r}, got {activation!r}."
            )
    if spec.reverse and (spec.convolutional or spec.decodes):
        raise SettingError(f"reverse: {shown(spec.name)} reads forward only; use rnn, gru or lstm, or leave it out.")
    if spec.convolutional:
        _check_convolutions(spec)
    elif spec.stack or spec.reverse:
        _ = spec.body  # which refuses layers that don't go together


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
        steps = spec.patches + (spec.forecast_steps if spec.decodes else 0)
        numbers = sum(body.stack) * (body.output_size // body.units) if body.stack else body.output_size * spec.layers
        row += steps * numbers * _GATES.get(body.kind, 1)
        row += spec.forecast_steps * spec.patches * body.output_size if spec.attention else 0
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
