"""The fields of saved specifications that say how recurrent layers are made; saved only where they say something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from .errors import FormatError, shown
from .saved_fields import plain, spec_from_json

__all__ = ["LayersSpec", "refuse_layers"]


@dataclass(frozen=True, kw_only=True)
class LayersSpec:
    """What the specifications of all networks of words share, by the names that `seqloom_runtime.forward.BodySpec`
    has."""

    activation: str | None = None
    stack: tuple[int, ...] = ()
    activations: tuple[str, ...] = ()
    layer_norm: bool = False
    zoneout: float = 0.0
    peephole: bool = False
    coupled: bool = False
    weight_dropout: float = 0.0

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """From what a model folder holds; raises FormatError where a field is missing, unknown or of the wrong type."""
        default = {own.name: plain(own.default) for own in fields(LayersSpec)}
        return spec_from_json(cls, {**default, **value} if isinstance(value, Mapping) else value)

    @property
    def layer_values(self) -> dict[str, Any]:
        """The values of these fields by name."""
        return {own.name: getattr(self, own.name) for own in fields(LayersSpec)}


def refuse_layers(layers: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise FormatError for more layers than there are arrays, before anything is made of them."""
    if not 1 <= layers <= len(arrays):
        raise FormatError(f"model.json: the file holds no arrays of {shown(layers)} layers.")
