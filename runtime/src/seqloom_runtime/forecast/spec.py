"""`NetworkSpec`: what a saved forecaster's network is, as model.json holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ..errors import FormatError, SettingError, shown
from ..forward import BODIES, MODELS, BodySpec, body_spec
from ..saved_fields import plain, spec_from_json
from .families import FAMILIES
from .window_scale import NORMALISATIONS

__all__ = ["ALONE", "DECODES", "NetworkShape", "NetworkSpec"]

ALONE = ("nlinear", "dlinear")
"""The models that read the target's past alone, and what is known in advance."""

DECODES = "encoder-decoder"
"""The model whose steps ahead are read out of a state of their own each."""

_FLAT = ("flat", "dense", "decomposed")
_CELLS = ("rnn", "gru", "lstm")
_LEAST = {**dict.fromkeys(("inputs", "input_steps", "forecast_steps", "units", "layers", "patch"), 1), "future": 0}
_REQUIRED = ("name", "inputs", "input_steps", "forecast_steps")


@dataclass(frozen=True)
class NetworkShape:
    """The fields of a forecaster's network but those of its cells.

    What each one means is said where it is chosen, in `seqloom.tasks.forecast.network.NetworkSpec`.
    """

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
    normalise: str = "none"
    relevel: bool = False
    target: int = 0
    flag: int = -1
    season: int = 0
    patch: int = 1
    skip: bool = False
    pooling: str = "max"
    family: str = ""
    cell: str = "gru"
    attention: bool = False
    stack: tuple[int, ...] = ()
    activations: tuple[str, ...] = ()
    reverse: bool = False

    @property
    def decodes(self) -> bool:
        """Whether a decoder goes through the steps ahead."""
        return self.name == DECODES

    @property
    def reads(self) -> int:
        """How many of the inputs the network reads at each step."""
        return 1 if self.name in ALONE else self.inputs


@dataclass(frozen=True)
class NetworkSpec(NetworkShape):
    """A forecaster's network, as the runtime reads it."""

    layer_norm: bool = False
    zoneout: float = 0.0
    peephole: bool = False
    coupled: bool = False
    weight_dropout: float = 0.0

    @classmethod
    def from_json(cls, value: Any) -> NetworkSpec:
        """Rebuild from a saved model; raises FormatError where a field is missing, unknown or can't be that."""
        usual = {own.name: plain(own.default) for own in fields(cls) if own.name not in _REQUIRED}
        spec = spec_from_json(cls, {**usual, **value} if isinstance(value, Mapping) else value)
        for name, least in _LEAST.items():
            if getattr(spec, name) < least:
                raise FormatError(f"network: expected {name} of at least {least}, found {getattr(spec, name)}.")
        known = {"normalise": NORMALISATIONS, "family": ("", *FAMILIES), "cell": _CELLS}
        for name, names in known.items():
            if getattr(spec, name) not in names:
                raise FormatError(f"network: {shown(getattr(spec, name))} under {shown(name)} is unknown here.")
        if not 0 <= spec.target < spec.inputs or spec.flag >= spec.inputs:
            raise FormatError(f"network: expected the place of one of {spec.inputs} inputs, found {spec.target}.")
        if spec.normalise == "seasonal" and not 1 <= spec.season <= spec.input_steps:
            raise FormatError(f"network: expected a season of 1 to {spec.input_steps} steps, found {spec.season}.")
        _ = spec.body  # which refuses what no body is built of
        return spec

    @property
    def flat(self) -> bool:
        """Whether the body reads the whole window, and what is known of the future, as one long step."""
        return self.body.kind in _FLAT

    @property
    def body(self) -> BodySpec:
        """What reads the window."""
        values = {own.name: getattr(self, own.name) for own in fields(self) if own.name not in _REQUIRED}
        values |= {"dropout": self.between_dropout, "window": self.input_steps}
        values["pooling"] = self.pooling if self.name == "conv" else "last"
        model = MODELS["forecast"].get(self.name)
        if model is None or model.body not in BODIES:
            raise FormatError(f"The network {shown(self.name)} has no form without torch: use seqloom predict.")
        try:
            found = body_spec("forecast", self.name, self.inputs * self.patch, **values, length=self.input_steps)
        except SettingError as error:
            raise FormatError(f"network: {error}") from error
        if found.kind in _FLAT:
            size = self.input_steps * self.reads + self.forecast_steps * self.future
            return replace(found, inputs=size, length=1)
        return replace(found, kind=self.cell, bidirectional=False) if self.decodes else found
