"""`BodySpec`: everything that fixes the shape of a network's body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...errors import SettingError, suggest
from ...ops.activations import ACTIVATIONS
from ..saved_fields import spec_from_json
from .pooling import POOLINGS

__all__ = ["ACTIVATION_NAMES", "BODIES", "RECURRENT", "BodySpec"]

RECURRENT = ("rnn", "gru", "lstm")
BODIES = RECURRENT
ACTIVATION_NAMES = (*ACTIVATIONS, "prelu")


@dataclass(frozen=True)
class BodySpec:
    """The shape of a body: (B, T, inputs) in, features of every step (B, T, F) or of the sequence (B, F) out.

    kind: one of `BODIES`.
    units, layers, bidirectional, activation, input_dropout, recurrent_dropout, between_dropout: of the recurrent
        layers, see `seqloom.nn.RecurrentOptions`; activation None is the kind's own.
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
    pooling: str = "last"

    def __post_init__(self) -> None:
        """Raise SettingError for unknown names and for sizes below 1."""
        for name, known in (("kind", BODIES), ("pooling", POOLINGS)):
            value = getattr(self, name)
            if value not in known:
                raise SettingError(
                    f"{name}: expected one of {', '.join(known)}, got {value!r}.{suggest(str(value), known)}"
                )
        for name in ("inputs", "units", "layers"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name}: expected a whole number of at least 1, got {getattr(self, name)}.")
        if self.activation is not None and self.activation not in ACTIVATION_NAMES:
            raise SettingError(
                f"activation: expected one of {', '.join(ACTIVATION_NAMES)}, got {self.activation!r}."
                f"{suggest(str(self.activation), ACTIVATION_NAMES)}"
            )

    @property
    def output_size(self) -> int:
        """F: how many features a step, and the sequence, come out with."""
        return self.units * (2 if self.bidirectional else 1)

    @property
    def widest(self) -> int:
        """The most features that any of its layers gives a step."""
        return max(self.inputs, self.output_size)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BodySpec:
        """Rebuild from `to_json`; raises FormatError where a field is missing, unknown or of the wrong type."""
        return spec_from_json(cls, value)
