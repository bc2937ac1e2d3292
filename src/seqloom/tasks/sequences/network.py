"""The network of a sequence task: a body of the library and a head, for each sequence or for each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqloom_runtime.sequences.network import fields_of

from ...training import derive_seed
from ..networks import HEADS, BodySpec, build_body, build_head

__all__ = ["SequenceNetwork", "SequenceNetworkSpec", "build_sequence_network"]


@dataclass(frozen=True)
class SequenceNetworkSpec:
    """Everything that fixes a network's shape: its body, its outputs O, whether every step has them, its head.

    joined: so many steps that follow each other are read as one, such as the pixels of a row of a picture.
    """

    body: BodySpec
    outputs: int
    every_step: bool
    head: str = "linear"
    joined: int = 1

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; head and joined where they are not those that the first models had alone."""
        found = {"body": self.body.to_json(), "outputs": self.outputs, "every_step": self.every_step}
        found |= {} if self.head == "linear" else {"head": self.head}
        return found if self.joined == 1 else {**found, "joined": self.joined}

    @classmethod
    def from_json(cls, value: Any) -> SequenceNetworkSpec:
        """Rebuild from `to_json`; raises FormatError where a field is missing, unknown or of the wrong type."""
        fields = fields_of(value, HEADS)
        return cls(BodySpec.from_json(value["body"]), **fields)


class SequenceNetwork(nn.Module):
    """The head's reading (the linear one's is o = W f + b) of the body's features of the sequence, or of every step."""

    def __init__(self, spec: SequenceNetworkSpec, seed: int) -> None:
        super().__init__()
        self.every_step, self.joined = spec.every_step, spec.joined
        self.body = build_body(spec.body, derive_seed(seed, "body"))
        # A seed of its own, so that the head's weights don't change with what a body draws.
        generator = torch.Generator().manual_seed(derive_seed(seed, "output"))
        self.output = build_head(spec.head, self.body.output_size, spec.outputs, generator)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, C), mask (B, T) bool or None → (B, O), or (B, T, O) with `every_step`."""
        if self.joined > 1:
            x = x.reshape(len(x), -1, self.joined * x.shape[2])
            mask = None if mask is None else mask[:, :: self.joined]  # what is joined is there whole or not at all
        return self.output(self.body.steps(x, mask) if self.every_step else self.body.summary(x, mask))


def build_sequence_network(spec: SequenceNetworkSpec, seed: int) -> SequenceNetwork:
    """The network that `spec` describes, its weights drawn from `seed` alone."""
    return SequenceNetwork(spec, seed)
