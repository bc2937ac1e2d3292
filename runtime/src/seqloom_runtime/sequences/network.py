"""The network of a sequence task: a body of the library and a head, for each sequence or for each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FormatError, shown
from ..forward import Arrays, Body, build_body, build_head, spec_of
from ..forward.heads import HEADS

__all__ = ["SequenceNetwork", "fields_of"]


def fields_of(value: Any, heads: Any = HEADS) -> dict[str, Any]:
    """The fields of a saved network beside its body: outputs, every_step, head, joined.

    joined: so many steps that follow each other are read as one, such as the pixels of a row of a picture.
    Raises FormatError where a field is missing, unknown or of the wrong type.
    """
    good = isinstance(value, Mapping) and set(value) - {"head", "joined"} == {"body", "outputs", "every_step"}
    good = good and type(value["outputs"]) is int and value["outputs"] > 0 and type(value["every_step"]) is bool
    good = good and value.get("head", "linear") in heads
    joined = value.get("joined", 1) if good else 1
    good = good and type(joined) is int and joined > 0
    if not good:
        raise FormatError(f"network: expected body, outputs and every_step, found {shown(value)}.")
    plain = {name: value[name] for name in ("outputs", "every_step")}
    return {**plain, "head": value.get("head", "linear"), "joined": joined}


@dataclass(frozen=True, eq=False)
class SequenceNetwork:
    """The head's reading of the body's features of the sequence, or of every step."""

    body: Body
    output: Any
    outputs: int
    every_step: bool
    joined: int

    @classmethod
    def build(cls, value: Any, arrays: Mapping[str, np.ndarray], prefix: str = "network.") -> SequenceNetwork:
        """From what model.json holds of it, and its arrays; raises FormatError where they don't fit together."""
        fields = fields_of(value)
        spec, own = spec_of(value["body"]), Arrays(arrays, prefix)
        if fields["every_step"] and (fields["joined"] > 1 or spec.pool_size > 1):
            raise FormatError("network: expected outputs at every step from layers that keep every step.")
        body = build_body(spec, own.at("body."))
        output = build_head(fields.pop("head"), spec.output_size, fields["outputs"], own.at("output."))
        own.finish()
        return cls(body, output, **fields)

    @property
    def width(self) -> int:
        """The most numbers that a layer holds of one step of the sequences."""
        spec = self.body.spec
        widest = max(spec.inputs, spec.output_size, *spec.channels, *spec.stack, 1)
        # Of films the steps are pixels, the inputs of the body whole frames.
        return -(-widest // self.joined) if spec.picture else widest

    def __call__(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """x (B, T, C), mask (B, T) bool or None → (B, O), or (B, T, O) with `every_step`."""
        if self.joined > 1:
            x = x.reshape(len(x), -1, self.joined * x.shape[2])
            mask = None if mask is None else mask[:, :: self.joined]  # what is joined is there whole or not at all
        return self.output(self.body.steps(x, mask) if self.every_step else self.body.summary(x, mask))
