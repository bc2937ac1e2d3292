"""The language model's networks: token ids in, features of every step out, and one logit for each word of those.

B rows of running text, T steps, V words, E embedding size, F features. A state is whatever the body carries from one
piece of text to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import FormatError, shown
from ..forward import Arrays, Embedding, StackStream, body_spec, build_body
from ..forward.adaptive import AdaptiveSoftmax, log_softmax
from ..forward.linear import Matrix
from ..layer_fields import LayersSpec, refuse_layers

__all__ = ["LanguageNetwork", "LanguageSpec"]

_NUMBERS = 1 << 19  # logits that are made at once where each word's loss is asked for: 2 MiB


@dataclass(frozen=True)
class LanguageSpec(LayersSpec):
    """The shape of a network, as `seqloom.tasks.language.network.LanguageSpec`, which says what each field means."""

    name: str
    words: int
    embedding_size: int
    units: int
    layers: int
    kernel_size: int
    tied: bool
    embedding_dropout: float
    input_dropout: float
    recurrent_dropout: float
    between_dropout: float
    output_dropout: float
    cutoffs: tuple[int, ...] = ()
    hidden_dropout: float | None = None

    @classmethod
    def from_json(cls, value: Any) -> LanguageSpec:
        """From what a model folder holds; raises FormatError where a field is missing, unknown or of the wrong type."""
        known = {"cutoffs": [], "hidden_dropout": None, **value} if isinstance(value, Mapping) else value
        return super().from_json(known)

    @property
    def features(self) -> int:
        """F: units of the last layer."""
        if self.stack:
            return self.stack[-1]
        return self.embedding_size if self.tied else self.units

    @property
    def widths(self) -> tuple[int, ...]:
        """The units of each layer."""
        return self.stack or (self.units,) * (self.layers - 1) + (self.features,)

    @property
    def logits_at_once(self) -> int:
        """How many of the words' logits a token takes at least."""
        return self.cutoffs[0] + len(self.cutoffs) if self.cutoffs else self.words


class LanguageNetwork:
    """Embedding, body, logits; built from the arrays of a model folder."""

    def __init__(self, spec: LanguageSpec, arrays: Mapping[str, np.ndarray]) -> None:
        """Raises FormatError where the arrays don't fit the specification, SettingError for one that there isn't."""
        refuse_layers(spec.layers, arrays)
        bounds = (0, *spec.cutoffs, spec.words)
        if min(spec.words, spec.embedding_size, spec.units) < 1 or any(a >= b for a, b in pairwise(bounds)):
            raise FormatError(f"model.json: no network has {shown(spec.words)} words and those cutoffs.")
        self.spec = spec
        own, self.body = _body(spec, arrays)
        # Where they are tied, the embedding has the weights of the logits, which are saved once.
        self.embedding = Embedding(own if spec.tied else own.at("embedding."), spec.words, spec.embedding_size)
        self.softmax: AdaptiveSoftmax | None = None
        if spec.cutoffs:
            self.softmax = AdaptiveSoftmax(own.at("softmax."), spec.features, spec.words, spec.cutoffs)
        else:
            self.weight, self.bias = own.take("weight", spec.words, spec.features), own.take("bias", spec.words)
            self._matrix = Matrix(self.weight)
        own.finish()

    def features(self, ids: np.ndarray, state: Any = None) -> tuple[np.ndarray, Any]:
        """ids (B, T) and a state, None at the start of a text → features (B, T, F) and the state after them."""
        return self.body.carry(self.embedding(ids), state)

    def logits(self, features: np.ndarray) -> np.ndarray:
        """features (…, F) → (…, V): logits, of an adaptive softmax log-probabilities."""
        if self.softmax is not None:
            return self.softmax.log_probabilities(features)
        return self._matrix.of(features) + self.bias

    def log_probabilities(self, features: np.ndarray) -> np.ndarray:
        """features (…, F) → (…, V) of every word."""
        logits = self.logits(features)
        return logits if self.softmax is not None else log_softmax(logits)

    def losses(self, features: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """−ln P (N,) of the words `targets` (N,) after features (N, F)."""
        if self.softmax is not None:
            return self.softmax.losses(features, targets)
        found = np.empty(len(targets), dtype=np.float32)
        rows = max(1, _NUMBERS // self.spec.words)
        for first in range(0, len(targets), rows):
            wanted = targets[first : first + rows]
            logits = self._matrix.of(features[first : first + rows])
            logits += self.bias
            highest = logits.max(axis=1, keepdims=True)
            own = logits[np.arange(len(wanted)), wanted]
            # In place and few rows at a time: what is passed over several times stays in the cache.
            np.exp(np.subtract(logits, highest, out=logits), out=logits)
            found[first : first + rows] = highest[:, 0] + np.log(logits.sum(axis=1)) - own
        return found

    def initial_state(self, rows: int) -> Any:
        """The state at the start of `rows` texts, zeros."""
        return self.body.initial_state(rows)

    @property
    def state_axis(self) -> int:
        """Along which the rows of a batch lie in the parts of a state."""
        return self.body.state_axis

    def stream(self, batch_size: int = 1) -> Any:
        """The body one step at a time: embedded tokens in, features out."""
        return self.body.stream(batch_size)


class _Stack:
    """Layers of different widths, each a body of its own; carries a tuple of their states."""

    state_axis = 1

    def __init__(self, bodies: list[Any]) -> None:
        self.bodies = bodies

    def carry(self, x: np.ndarray, state: Any = None) -> tuple[np.ndarray, Any]:
        """x (B, T, E) and the layers' states, None at a start → (B, T, F), and the states after it."""
        after = []
        for number, body in enumerate(self.bodies):
            x, own = body.carry(x, None if state is None else state[number])
            after.append(own)
        return x, tuple(after)

    def initial_state(self, rows: int) -> Any:
        """The state at the start of `rows` texts, zeros."""
        return tuple(body.initial_state(rows) for body in self.bodies)

    def stream(self, batch_size: int = 1) -> StackStream:
        """One step at a time."""
        return StackStream([body.stream(batch_size) for body in self.bodies])


def _body(spec: LanguageSpec, arrays: Mapping[str, np.ndarray]) -> tuple[Arrays, Any]:
    """The network's arrays, and the layers: a body of the library, or where they are not alike one body for each."""
    values = {**spec.layer_values, "stack": (), "activations": ()}
    each = spec.activations or (spec.activation,) * spec.layers
    inner = spec.input_dropout if spec.hidden_dropout is None else spec.hidden_dropout
    alike = len({*zip(spec.widths, each)}) == 1 and (inner == spec.input_dropout or spec.layers == 1)
    if spec.name != "tcn" and not alike:
        own, bodies, inputs = Arrays(arrays, "network."), [], spec.embedding_size
        for number, (width, activation) in enumerate(zip(spec.widths, each)):
            layer = {**values, "units": width, "activation": activation, "layers": 1}
            bodies.append(build_body(body_spec("language", spec.name, inputs, **layer), own, f"body.layers.{number}."))
            inputs = width
        return own, _Stack(bodies)
    body = body_spec(
        "language",
        spec.name,
        spec.embedding_size,
        **values,
        units=spec.units,
        layers=spec.layers,
        channels=spec.widths,
        kernel_size=spec.kernel_size,
        dilation=2,
    )
    # In the first models the body's layers had no name of their own.
    place = "network.body.tcn." if spec.name == "tcn" else "network.body.recurrent."
    renamed = {
        place + name.removeprefix("network.body.") if name.startswith("network.body.") else name: array
        for name, array in arrays.items()
    }
    own = Arrays(renamed, "network.")
    return own, build_body(body, own, "body.")
