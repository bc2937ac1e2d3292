"""`BodySpec`, everything that fixes the shape of a body, from the JSON that a saved model holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..errors import SettingError, shown, suggest
from ..saved_fields import plain, spec_from_json
from .activations import ACTIVATIONS
from .pooling import POOLINGS
from .registry import BODIES, model_of

__all__ = ["ACTIVATION_NAMES", "CELL", "BodyShape", "BodySpec", "body_spec", "spec_of"]

ACTIVATION_NAMES = (*ACTIVATIONS, "prelu")
"""What `activation` of a recurrent layer may name; a convolution or a dense layer has no prelu."""

CELL = ("layer_norm", "zoneout", "peephole", "coupled", "weight_dropout")
"""The parameters of recurrent cells."""

_SIZES = ("inputs", "units", "layers", "kernel_size", "dilation", "pool_size", "outputs", "length", "window")


@dataclass(frozen=True)
class BodyShape:
    """The fields of a body's specification but those of `CELL`, and what follows from them.

    What each one means is said where it is chosen, in `seqloom.tasks.networks.BodySpec`.
    """

    kind: str
    inputs: int
    units: int = 32
    layers: int = 1
    bidirectional: bool = False
    activation: str | None = None
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0
    channels: tuple[int, ...] = ()
    kernel_size: int = 1
    dilation: int = 1
    dropout: float = 0.0
    pool_size: int = 1
    pooling: str = "last"
    outputs: int = 1
    length: int = 1
    window: int = 1
    stack: tuple[int, ...] = ()
    activations: tuple[str, ...] = ()
    reverse: bool = False
    picture: tuple[int, ...] = ()
    width_multiplier: float = 1.0

    def check(self: Any, bodies: Mapping[str, Any]) -> None:
        """Raise SettingError for unknown names, sizes below 1, and what the kind, a row of `bodies`, doesn't have."""
        for name, known in (("kind", tuple(bodies)), ("pooling", POOLINGS)):
            value = getattr(self, name)
            if value not in known:
                raise SettingError(
                    f"{name}: expected one of {', '.join(known)}, got {shown(value)}.{suggest(str(value), known)}"
                )
        for name in _SIZES:
            if getattr(self, name) < 1:
                raise SettingError(f"{name}: expected a whole number of at least 1, got {getattr(self, name)}.")
        kind = bodies[self.kind]
        for name in (self.activation, *self.activations):
            if name is not None and kind.activations and name not in kind.activations:
                raise SettingError(
                    f"activation: expected one of {', '.join(kind.activations)} for {shown(self.kind)}, got "
                    f"{shown(name)}.{suggest(str(name), kind.activations)}"
                )
        self._check_layers(kind.options)
        if self.bidirectional and "bidirectional" not in kind.options:
            raise SettingError(f"bidirectional: {shown(self.kind)} reads forward only; use rnn, gru, lstm or conv-gru.")
        if ("picture" in kind.options) != bool(self.picture) or (self.picture and len(self.picture) != 2):
            raise SettingError(f"picture: expected height and width for a network of pictures, got {self.picture}.")
        if min(self.picture, default=1) < 1:
            raise SettingError(f"picture: expected a height and width of at least 1, got {self.picture}.")
        if "channels" not in kind.options:
            return
        if not self.channels or min(self.channels) < 1:
            raise SettingError(f"channels: expected a number of at least 1 for each level, got {list(self.channels)}.")
        if self.pool_size > 1 and "pool_size" not in kind.options:
            raise SettingError("pool_size: a tcn keeps every step; use conv or conv-gru, or leave it at 1.")
        if self.dilation ** (len(self.channels) - 1) >= 2**31:
            raise SettingError(
                f"dilation: {self.dilation} over {len(self.channels)} levels spreads the taps beyond any sequence; use "
                "fewer levels."
            )

    def _check_layers(self: Any, options: tuple[str, ...]) -> None:
        """Raise SettingError for layers of other sizes or directions than the kind has, or than they add up to."""
        if self.reverse and "reverse" not in options:
            raise SettingError(f"reverse: {shown(self.kind)} reads forward only; use rnn, gru or lstm.")
        if self.reverse and self.bidirectional:
            raise SettingError("reverse: bidirectional already reads both ways; leave one of them out.")
        if not self.stack and not self.activations:
            return
        if "stack" not in options:
            raise SettingError(f"units: {shown(self.kind)} has layers that are all alike; give one number.")
        if min(self.stack, default=0) < 1 or self.units != self.stack[-1] or self.layers != len(self.stack):
            raise SettingError(f"units: expected those of {self.layers} layers, got {list(self.stack)}.")
        if self.activations and (len(self.activations) != self.layers or self.activation is not None):
            raise SettingError(f"activation: expected one for each layer, got {list(self.activations)}.")

    @property
    def sizes(self: Any) -> tuple[int, ...]:
        """The units of each layer."""
        return self.stack or (self.units,) * self.layers

    @property
    def each_activation(self: Any) -> tuple[str | None, ...]:
        """The activation of each layer, None for the kind's own."""
        return self.activations or (self.activation,) * self.layers

    @property
    def dilations(self: Any) -> tuple[int, ...]:
        """The distance between taps at each level."""
        return tuple(self.dilation**level for level in range(len(self.channels)))

    @property
    def widest(self: Any) -> int:
        """The most features that any of its layers gives a step."""
        return max(self.inputs, self.output_size, *self.channels, *self.stack, 1)


@dataclass(frozen=True)
class BodySpec(BodyShape):
    """The shape of a body: (B, T, inputs) in, features of every step (B, T, F) or of the sequence (B, F) out.

    Raises SettingError for unknown names and sizes below 1.

    >>> BodySpec("gru", inputs=3, units=8, bidirectional=True).output_size
    16
    """

    layer_norm: bool = False
    zoneout: float = 0.0
    peephole: bool = False
    coupled: bool = False
    weight_dropout: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no body could be built of."""
        self.check(BODIES)

    @classmethod
    def from_json(cls, value: Any) -> BodySpec:
        """Rebuild from what a saved model holds; raises FormatError where a field is unknown or of the wrong type."""
        usual = {own.name: plain(own.default) for own in fields(cls) if own.name not in ("kind", "inputs")}
        return spec_from_json(cls, {**usual, **plain(value)} if isinstance(value, Mapping) else value, "body")

    @property
    def output_size(self) -> int:
        """F: how many features a step, and the sequence, come out with."""
        return BODIES[self.kind].width(self)


def body_spec(task: str, name: str, inputs: int, **values: Any) -> BodySpec:
    """The body behind a task's model; of `values` those that it reads, beside what its name fixes.

    Raises SettingError for an unknown model.

    >>> body_spec("text", "bilstm", 4, units=3, kernel_size=9).kernel_size
    1
    """
    model = model_of(task, name)
    own = {key: value for key, value in values.items() if key in BODIES[model.body].options}
    return BodySpec(model.body, inputs, **{**own, **model.fixed})


def spec_of(value: Any) -> BodySpec:
    """A specification as it is, as the mapping that model.json holds, or as an object with the same fields."""
    if isinstance(value, BodySpec):
        return value
    if isinstance(value, Mapping):
        return BodySpec.from_json(value)
    return BodySpec(**{one.name: getattr(value, one.name) for one in fields(BodySpec) if hasattr(value, one.name)})
