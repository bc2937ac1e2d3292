"""`BodySpec`: everything that fixes the shape of a network's body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...errors import SettingError, shown, suggest
from ...ops.activations import ACTIVATIONS
from ..saved_fields import spec_from_json
from .pooling import POOLINGS

__all__ = ["ACTIVATION_NAMES", "BODIES", "CONVOLUTIONAL", "RECURRENT", "BodySpec"]

RECURRENT = ("rnn", "gru", "lstm")
CONVOLUTIONAL = ("tcn", "conv", "conv-gru")
BODIES = (*RECURRENT, *CONVOLUTIONAL)
ACTIVATION_NAMES = (*ACTIVATIONS, "prelu")


@dataclass(frozen=True)
class BodySpec:
    """The shape of a body: (B, T, inputs) in, features of every step (B, T, F) or of the sequence (B, F) out.

    kind: one of `BODIES`.
    units, layers, bidirectional, input_dropout, recurrent_dropout, between_dropout: of the recurrent layers, see
        `seqloom.nn.RecurrentOptions`; conv-gru's GRU among them.
    activation: of the recurrent layers (not conv-gru's) or of the convolutions; None is the kind's own.
    channels: of each level of tcn, of each convolution of conv and conv-gru. kernel_size: taps of each. dilation: by
        how much the distance between taps grows from one level to the next: 1, d, d², … dropout: behind each
        convolution. pool_size: the largest number of so many steps goes on, between two convolutions of conv and
        conv-gru; 1 for none.
    pooling: what makes the sequence's features of the steps': one of `POOLINGS`.
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

    def __post_init__(self) -> None:
        """Raise SettingError for unknown names, sizes below 1, and what the kind doesn't have."""
        for name, known in (("kind", BODIES), ("pooling", POOLINGS)):
            value = getattr(self, name)
            if value not in known:
                raise SettingError(
                    f"{name}: expected one of {', '.join(known)}, got {shown(value)}.{suggest(str(value), known)}"
                )
        for name in ("inputs", "units", "layers", "kernel_size", "dilation", "pool_size"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name}: expected a whole number of at least 1, got {getattr(self, name)}.")
        known = ACTIVATION_NAMES if self.kind in RECURRENT else tuple(ACTIVATIONS)
        if self.activation is not None and self.activation not in known:
            raise SettingError(
                f"activation: expected one of {', '.join(known)} for {shown(self.kind)}, got {shown(self.activation)}."
                f"{suggest(str(self.activation), known)}"
            )
        if self.kind in CONVOLUTIONAL and (not self.channels or min(self.channels) < 1):
            raise SettingError(f"channels: expected a number of at least 1 for each level, got {list(self.channels)}.")
        if self.bidirectional and self.kind in ("tcn", "conv"):
            raise SettingError(f"bidirectional: {shown(self.kind)} reads forward only; use rnn, gru, lstm or conv-gru.")
        if self.pool_size > 1 and self.kind == "tcn":
            raise SettingError("pool_size: a tcn keeps every step; use conv or conv-gru, or leave it at 1.")
        if self.kind in CONVOLUTIONAL and self.dilation ** (len(self.channels) - 1) >= 2**31:
            raise SettingError(
                f"dilation: {self.dilation} over {len(self.channels)} levels spreads the taps beyond any sequence; use "
                "fewer levels."
            )

    @property
    def dilations(self) -> tuple[int, ...]:
        """The distance between taps at each level."""
        return tuple(self.dilation**level for level in range(len(self.channels)))

    @property
    def output_size(self) -> int:
        """F: how many features a step, and the sequence, come out with."""
        if self.kind in ("tcn", "conv"):
            return self.channels[-1]
        return self.units * (2 if self.bidirectional else 1)

    @property
    def widest(self) -> int:
        """The most features that any of its layers gives a step."""
        return max(self.inputs, self.output_size, *self.channels, 1)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {**asdict(self), "channels": list(self.channels)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BodySpec:
        """Rebuild from `to_json`; raises FormatError where a field is missing, unknown or of the wrong type."""
        return spec_from_json(cls, value)
