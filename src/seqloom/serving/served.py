"""What the server knows of a model: the tensors that it takes and gives, and how requests are answered together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqloom_runtime.errors import shown, suggest

from .problem import Problem, problem_of
from .tensors import Tensor

__all__ = ["Ask", "Reply", "Served", "WindowStream", "refusal"]


@dataclass(frozen=True)
class Ask:
    """A plain request to predict: what was sent beside its options, and in which form.

    kind: "table" (`table`, bytes of a file or of JSON records), "texts" (`texts`), "sequences" (`sequences`, JSON
    lists) or "nothing".
    """

    kind: str
    table: bytes = b""
    texts: tuple[str, ...] = ()
    sequences: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """What is said in return: JSON values, and where it is a table, its columns and rows for CSV."""

    body: Mapping[str, Any]
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()


@dataclass(frozen=True)
class WindowStream:
    """A stream whose answer is made of the last `rows` steps, each of the columns named; its state is these steps.

    Of a model that remembers by itself (`Served.stepper`) rows is 0.
    """

    rows: int
    columns: tuple[str, ...]


class Served(ABC):
    """A loaded model as the server asks it; its heirs keep nothing from one request to the next."""

    task: str
    estimator: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    takes: tuple[str, ...] = ()
    """The kinds of `Ask` that it answers."""
    options: tuple[str, ...] = ()
    """The options of an ask that it understands."""
    notes: tuple[str, ...] = ()
    text_column: str = "text"
    """The column of a table of texts that it reads."""
    settings: Mapping[str, Any] = {}
    """The settings of the run that it comes from."""

    @abstractmethod
    def run(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Outputs (N, …) for inputs (N, …) that have passed `checked`."""

    @abstractmethod
    def predict(self, ask: Ask) -> Reply:
        """Answer a plain request of a kind in `takes`; raises Problem or SeqloomError for what can't be answered."""

    def open_stream(self) -> Any:
        """What the model's streams are made of, a `WindowStream`; None where it has none."""
        return None

    def stepper(self) -> Any:
        """A new stream of a model that remembers: `step` takes a row (C,), `state` and `restore` its state."""
        raise NotImplementedError

    def told_step(self, outputs: np.ndarray) -> dict[str, Any]:
        """What `stepper` said of a step, by name."""
        raise NotImplementedError

    def checked(self, inputs: Mapping[str, np.ndarray], datatypes: Mapping[str, str]) -> dict[str, np.ndarray]:
        """The inputs as the model takes them; raises Problem for other names, datatypes, shapes or values."""
        names = [tensor.name for tensor in self.inputs]
        for name in inputs:
            if name not in names:
                hint = suggest(name, names)
                raise Problem(400, f"inputs: expected {', '.join(names)}, got {shown(name)}.{hint}")
        found: dict[str, np.ndarray] = {}
        for tensor in self.inputs:
            if tensor.name not in inputs:
                raise Problem(400, f"inputs: {tensor.name} is missing; send {', '.join(names)}.")
            values = inputs[tensor.name]
            found[tensor.name] = _fitting(tensor, values, datatypes[tensor.name])
        lengths = {len(values) for values in found.values()}
        if len(lengths) != 1:
            raise Problem(
                400, f"inputs: {', '.join(names)} have different first axes, {sorted(lengths)}; give as many of each."
            )
        return found

    def infer(self, asked: Sequence[Mapping[str, np.ndarray]]) -> list[Mapping[str, np.ndarray] | Problem]:
        """Answers to checked requests of like shapes, computed as one batch; where that fails, each by itself."""
        if len(asked) == 1 or self.inputs[0].shape[0] != -1:
            return [self._alone(inputs) for inputs in asked]
        together = {name: np.concatenate([inputs[name] for inputs in asked]) for name in asked[0]}
        try:
            outputs = self.run(together)
        except Exception:  # noqa: BLE001 - one request may be at fault: alone each gets its own sentence
            return [self._alone(inputs) for inputs in asked]
        ends = np.cumsum([len(next(iter(inputs.values()))) for inputs in asked])[:-1]
        parts = {name: np.split(values, ends) for name, values in outputs.items()}
        return [{name: pieces[at] for name, pieces in parts.items()} for at in range(len(asked))]

    def _alone(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray] | Problem:
        try:
            return self.run(inputs)
        except Exception as fault:
            problem = problem_of(fault)
            if problem is None:
                raise
            return problem

    def about(self) -> dict[str, Any]:
        """What a person wants to know of it, as JSON values."""
        return {"task": self.task, "estimator": self.estimator, "takes": list(self.takes), "notes": list(self.notes)}


def _fitting(tensor: Tensor, values: np.ndarray, datatype: str) -> np.ndarray:
    texts = tensor.datatype == "BYTES"
    numbers = ("FP64", "FP32", "FP16", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32")
    if (datatype == "BYTES") != texts or (not texts and datatype not in numbers):
        raise Problem(400, f"{tensor.name}: expected {tensor.datatype}, got {datatype}.")
    want = tensor.shape
    fits = values.ndim == len(want) and all(w in (-1, n) for w, n in zip(want, values.shape))
    if not fits:
        axes = ", ".join("any" if w < 0 else str(w) for w in want)
        raise Problem(400, f"{tensor.name}: expected the shape ({axes}), got {values.shape}.")
    if not values.size:
        raise Problem(400, f"{tensor.name}: expected at least one value, got the shape {values.shape}.")
    if texts:
        return values
    values = values.astype(np.float64, copy=False)
    finite = np.isfinite(values)
    if not finite.all():
        at = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise Problem(400, f"{tensor.name}: expected finite numbers, the value at {list(at)} is none.")
    return values


def refusal(served: Served, kind: str) -> Problem:
    """The answer to a plain request of a kind that the model doesn't take."""
    words = {
        "table": "a table (CSV, or JSON rows)",
        "texts": 'texts, as {"texts": ["…"]} or plain text',
        "sequences": 'sequences, as {"sequences": [[[…], …], …]}',
        "nothing": "an empty body",
    }
    known = " or ".join(words[each] for each in served.takes) or "no plain requests"
    return Problem(400, f"This model ({served.estimator}) takes {known}; got {words[kind]}.")
