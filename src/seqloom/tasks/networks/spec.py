"""`BodySpec`, everything that fixes the shape of a body; and the base of the specifications that are saved."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

from seqloom_runtime.errors import SettingError, shown
from seqloom_runtime.forward.spec import ACTIVATION_NAMES, BodyShape
from seqloom_runtime.saved_fields import plain, spec_from_json

from ..cell_parameters import CELL
from .registry import BODIES, model_of

__all__ = ["ACTIVATION_NAMES", "BodySpec", "CellSpec", "Spec", "body_spec", "refuse_cell"]


@dataclass(frozen=True)
class Spec:
    """Base of the frozen specifications of networks: checked sizes, and a JSON form that a saved model holds."""

    _least: ClassVar[Mapping[str, int]] = {}
    _later: ClassVar[tuple[str, ...]] = ()  # fields that the first models were saved without
    _left_out: ClassVar[tuple[str, ...]] = ()  # fields that are saved only where they differ from the default

    def check_sizes(self) -> None:
        """Raise SettingError for a size below its least value."""
        for name, least in self._least.items():
            if getattr(self, name) < least:
                raise SettingError(f"{name}: expected a whole number of at least {least}, got {getattr(self, name)}.")

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        default = self._defaults()
        found = plain(asdict(self))
        return {name: v for name, v in found.items() if name not in self._left_out or v != default[name]}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Rebuild from `to_json`; raises FormatError where a field is missing, unknown or of the wrong type."""
        default = cls._defaults()
        absent = {name: default[name] for name in (*cls._later, *cls._left_out)}
        return spec_from_json(cls, {**absent, **value} if isinstance(value, Mapping) else value)

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        return {own.name: plain(own.default) for own in fields(cls)}


@dataclass(frozen=True, kw_only=True)
class CellSpec(Spec):
    """What `seqloom.tasks.cell_parameters.CELL` names, for specifications with recurrent layers."""

    layer_norm: bool = False
    zoneout: float = 0.0
    peephole: bool = False
    coupled: bool = False
    weight_dropout: float = 0.0

    _left_out: ClassVar[tuple[str, ...]] = CELL


@dataclass(frozen=True)
class BodySpec(BodyShape, CellSpec):
    """The shape of a body: (B, T, inputs) in, features of every step (B, T, F) or of the sequence (B, F) out.

    kind: one of `BODIES`, whose entry says which of the other fields it reads.
    units, layers, bidirectional, input_dropout, recurrent_dropout, between_dropout, those of `CELL`: of the recurrent
        layers, see `seqloom.nn.RecurrentOptions`; conv-gru's GRU among them. units, layers: also of the dense ones.
    activation: of the recurrent layers (not conv-gru's), the convolutions or the dense layers; None is the kind's own.
    channels: of each level of tcn, of each convolution of conv and conv-gru. kernel_size: taps of each. dilation: by
        how much the distance between taps grows from one level to the next: 1, d, d², … dropout: behind each
        convolution. pool_size: the largest number of so many steps goes on, between two convolutions of conv and
        conv-gru; 1 for none.
    pooling: what makes the sequence's features of the steps': one of `POOLINGS`.
    outputs: numbers that a jordan network gives, and feeds back. length: steps of every sequence, where it is fixed.
    window: of decomposed, how many of the first inputs are the window that is smoothed.
    stack: the units of each recurrent or dense layer, where layers differ; `units` is then the last one's, `layers`
        their number. activations: of each of them, where these differ. reverse: the recurrent layers read from the end.
    picture: of the networks of pictures, height and width; the steps are its pixels, row by row. width_multiplier: of
        the channels of their layers.
    """

    _left_out = (*CELL, "outputs", "length", "window", "stack", "activations", "reverse", "picture", "width_multiplier")

    def __post_init__(self) -> None:
        """Raise SettingError for unknown names, sizes below 1, and what the kind doesn't have."""
        self.check(BODIES)

    @property
    def output_size(self) -> int:
        """F: how many features a step, and the sequence, come out with."""
        return BODIES[self.kind].width(self)


def body_spec(task: str, name: str, inputs: int, **values: Any) -> BodySpec:
    """The body behind a task's model; of `values` those that it reads, beside what its name fixes.

    Raises SettingError for an unknown model and for values that the body can't have.
    """
    model = model_of(task, name)
    refuse_cell(name, values, BODIES[model.body].options)
    own = {key: value for key, value in values.items() if key in BODIES[model.body].options}
    return BodySpec(model.body, inputs, **{**own, **model.fixed})


def refuse_cell(name: str, values: Mapping[str, Any], options: Collection[str]) -> None:
    """Raise SettingError where an option of recurrent cells is given to a model without them."""
    for key in CELL:
        if values.get(key) and key not in options:
            raise SettingError(f"{key}: {shown(name)} has no such cell; use rnn, gru or lstm alone, or leave it out.")
