"""The language model's networks: token ids in, features of every step out, and one logit for each word of those.

B rows of running text, T steps, V words, E embedding size, F features. A state is whatever the body carries from one
piece of text to the next: h, for the LSTM the pair (h, c), for the TCN what its convolutions still see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ... import nn as seqnn
from ...errors import SettingError, shown
from ...training import derive_seed
from ..saved_fields import spec_from_json

__all__ = ["NETWORKS", "LanguageNetwork", "LanguageSpec", "build_language_network", "count_weights"]

NETWORKS = ("rnn", "gru", "lstm", "tcn")
_CELLS = {"rnn": seqnn.RNN, "gru": seqnn.GRU, "lstm": seqnn.LSTM}
_GATES = {"rnn": 1, "gru": 3, "lstm": 4}
_START = 0.1  # uniform range of the embedding and of the logits' weights, as in the published word models


@dataclass(frozen=True)
class LanguageSpec:
    """Everything that fixes a network's shape: enough to build it again before its weights are loaded.

    layers: recurrent layers, or levels of the TCN with dilations 1, 2, 4, …. tied: the logits' weights are the
    embedding's, which needs embedding_size = units. weight_dropout is over the recurrent matrices; for the TCN
    between_dropout is the dropout inside its blocks, and recurrent_dropout and weight_dropout are none.
    """

    name: str
    words: int
    embedding_size: int
    units: int
    layers: int = 2
    kernel_size: int = 3
    tied: bool = True
    embedding_dropout: float = 0.0
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0
    weight_dropout: float = 0.0
    output_dropout: float = 0.0

    def __post_init__(self) -> None:
        """Raise SettingError for sizes and options that don't go together."""
        if self.name not in NETWORKS:
            raise SettingError(f"model: expected one of {', '.join(NETWORKS)}, got {shown(self.name)}.")
        for name in ("words", "embedding_size", "units", "layers", "kernel_size"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name}: expected a whole number of at least 1, got {getattr(self, name)}.")
        if self.tied and self.embedding_size != self.units:
            raise SettingError(
                f"tied: the logits can share the embedding's weights only where embedding_size ({self.embedding_size}) "
                f"equals units ({self.units}); make them equal, leave embedding_size out, or use tied=False."
            )
        if self.name == "tcn":
            for name in ("recurrent_dropout", "weight_dropout"):
                if getattr(self, name):
                    raise SettingError(f"{name}: a tcn has no recurrent weights; use between_dropout for its blocks.")

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LanguageSpec:
        """Rebuild from `to_json`; raises FormatError where a field is missing, unknown or of the wrong type."""
        return spec_from_json(cls, value)


class LanguageNetwork(nn.Module):
    """Embedding, body, logits. Masks of whole rows and units last a call, drawn from generators of its own."""

    def __init__(self, spec: LanguageSpec, seed: int) -> None:
        super().__init__()
        self.spec = spec
        self.embedding = seqnn.Embedding(
            spec.words,
            spec.embedding_size,
            dropout=spec.embedding_dropout,
            padding=None,
            seed=derive_seed(seed, "embedding"),
        )
        self.generator = torch.Generator().manual_seed(derive_seed(seed, "output"))
        nn.init.uniform_(self.embedding.weight, -_START, _START, generator=self.generator)
        body_seed = derive_seed(seed, "body")
        if spec.name == "tcn":
            self.body: nn.Module = seqnn.TCN(
                spec.embedding_size,
                [spec.units] * spec.layers,
                spec.kernel_size,
                spec.between_dropout,
                seed=body_seed,
            )
        else:
            self.body = _CELLS[spec.name](
                spec.embedding_size,
                spec.units,
                spec.layers,
                input_dropout=spec.input_dropout,
                recurrent_dropout=spec.recurrent_dropout,
                between_dropout=spec.between_dropout,
                weight_dropout=spec.weight_dropout,
                seed=body_seed,
            )
        if spec.tied:
            self.weight = self.embedding.weight
        else:
            start = torch.empty(spec.words, spec.units)
            self.weight = nn.Parameter(start.uniform_(-_START, _START, generator=self.generator))
        self.bias = nn.Parameter(torch.zeros(spec.words))

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """ids (B, T) and a state, None at the start of a text → features (B, T, F) and the state after them."""
        x = self.embedding(ids)
        if self.spec.name == "tcn":
            if self.training and self.spec.input_dropout:
                x = x * self._mask((x.shape[0], 1, x.shape[2]), self.spec.input_dropout)
            features, after = self.body.carry(x, state)  # type: ignore[operator]
        else:
            features, after = self.body(x, state)
        if self.training and self.spec.output_dropout:
            features = features * self._mask((features.shape[0], 1, features.shape[2]), self.spec.output_dropout)
        return features, after

    def logits(self, features: Tensor) -> Tensor:
        """features (…, F) → (…, V)."""
        return nn.functional.linear(features, self.weight, self.bias)

    def initial_state(self, rows: int) -> Any:
        """The state at the start of a text, zeros."""
        if self.spec.name != "tcn":
            return self.body.initial_state(rows)  # type: ignore[operator]
        with torch.no_grad():
            like = self.weight.new_zeros(rows, 1, self.spec.embedding_size)
            return _zeros(self.body.carry(like)[1])  # type: ignore[operator]

    def _mask(self, shape: tuple[int, ...], probability: float) -> Tensor:
        keep = 1.0 - probability
        return torch.empty(shape).bernoulli_(keep, generator=self.generator).div_(keep).to(self.weight)


def _zeros(state: Any) -> Any:
    """A state of the same nesting, all zeros; None stays."""
    if state is None:
        return None
    return torch.zeros_like(state) if isinstance(state, Tensor) else tuple(_zeros(inner) for inner in state)


def build_language_network(spec: LanguageSpec, seed: int) -> LanguageNetwork:
    """The network that `spec` names, weights and masks drawn from `seed` alone."""
    return LanguageNetwork(spec, seed)


def count_weights(spec: LanguageSpec) -> int:
    """How many weights `build_language_network` makes, tied ones once, worked out without building it.

    V words, E embedding, U units, L layers: VE + V (the biases), VU where not tied, and the body: per recurrent layer
    G[U(I' + U) + U] with G = 1 (RNN), 3 (GRU) or 4 (LSTM); per TCN level two convolutions of k taps with weight norm,
    kI'U + 2U and kUU + 2U, and (I' + 1)U for the shortcut where the width changes; I' = E in the first, else U.
    """
    units = spec.units

    def layer(inputs: int) -> int:
        if spec.name != "tcn":
            return _GATES[spec.name] * units * (inputs + units + 1)
        shortcut = (inputs + 1) * units if inputs != units else 0
        return spec.kernel_size * units * (inputs + units) + 4 * units + shortcut

    # No loop over the layers: a damaged file may name 10¹⁰ of them.
    total = layer(spec.embedding_size) + (spec.layers - 1) * layer(units)
    return total + spec.words * (spec.embedding_size + 1) + (0 if spec.tied else spec.words * units)
