"""What the process that talks to clients knows of a model that another one may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .served import Served, WindowStream
from .tensors import Tensor

__all__ = ["Described"]


@dataclass(frozen=True)
class Described:
    """A model's task, tensors, what a person wants to know of it, and what its streams are made of."""

    task: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    about: Mapping[str, Any]
    notes: tuple[str, ...]
    stream: WindowStream | None

    @classmethod
    def of(cls, served: Served) -> Described:
        """The description of a loaded model."""
        return cls(served.task, served.inputs, served.outputs, served.about(), served.notes, served.open_stream())

    def to_json(self) -> dict[str, Any]:
        """As JSON values, for the way between processes."""
        return {
            "task": self.task,
            "inputs": [tensor.to_json() for tensor in self.inputs],
            "outputs": [tensor.to_json() for tensor in self.outputs],
            "about": dict(self.about),
            "notes": list(self.notes),
            "stream": None if self.stream is None else [self.stream.rows, list(self.stream.columns)],
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Described:
        """What `to_json` gave."""
        tensors = (
            tuple(Tensor(t["name"], t["datatype"], tuple(t["shape"])) for t in told[side])
            for side in ("inputs", "outputs")
        )
        inputs, outputs = tensors
        stream = None if told["stream"] is None else WindowStream(told["stream"][0], tuple(told["stream"][1]))
        return cls(told["task"], inputs, outputs, told["about"], tuple(told["notes"]), stream)
