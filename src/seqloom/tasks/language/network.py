"""The language model's networks: token ids in, features of every step out, and one logit for each word of those.

B rows of running text, T steps, V words, E embedding size, F features. A state is whatever the body carries from one
piece of text to the next: h, for the LSTM the pair (h, c), for the TCN what its convolutions still see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from seqloom_runtime.errors import SettingError
from seqloom_runtime.forward import MODELS

from ... import nn as seqnn
from ...training import derive_seed
from ..cell_parameters import CELL, cell_options
from ..layer_fields import LAYER_FIELDS, LayersSpec
from ..networks import (
    BODIES,
    BodySpec,
    body_spec,
    build_body,
    dropped,
    model_of,
    names_for,
    register_models,
)
from .adaptive import AdaptiveSoftmax, check_cutoffs
from .stack import RecurrentStack

__all__ = ["NETWORKS", "LanguageNetwork", "LanguageSpec", "build_language_network"]

register_models("language", MODELS["language"])
NETWORKS = names_for("language")
_MOST_LEVELS = 31  # the taps of another would stand 2³¹ steps apart, beyond any sequence
_START = 0.1  # uniform range of the embedding and of the logits' weights, as in the published word models


@dataclass(frozen=True)
class LanguageSpec(LayersSpec):
    """Everything that fixes a network's shape: enough to build it again before its weights are loaded.

    layers: recurrent layers, or levels of the TCN with dilations 1, 2, 4, …. tied: the logits' weights are the
    embedding's; where embedding_size differs from units, the last layer (level) then has embedding_size units, as in
    the published TCN (arXiv 1803.01271) and AWD-LSTM (arXiv 1708.02182). weight_dropout is over the recurrent
    matrices; for the TCN between_dropout is the dropout inside its blocks, and recurrent_dropout and weight_dropout
    are none. hidden_dropout: as input_dropout, before each recurrent layer but the first, None where it is the same.
    cutoffs: of an adaptive softmax, none for a full one.
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
    output_dropout: float = 0.0
    cutoffs: tuple[int, ...] = ()
    hidden_dropout: float | None = None

    _left_out = (*CELL[:-1], *LAYER_FIELDS, "cutoffs", "hidden_dropout")
    _least: ClassVar = dict.fromkeys(("words", "embedding_size", "units", "layers", "kernel_size"), 1)

    def __post_init__(self) -> None:
        """Raise SettingError for sizes and options that don't go together."""
        model_of("language", self.name)
        self.check_sizes()
        if self.cutoffs:
            if self.tied:
                raise SettingError(
                    "tied: an adaptive softmax has fewer numbers for rare words than the embedding, whose weights it "
                    "can't share; use tied=False."
                )
            check_cutoffs(self.cutoffs, self.words, self.features)
        if self.stack and self.tied and self.embedding_size != self.features:
            listed = ", ".join(map(str, self.stack))
            raise SettingError(
                f"units: the logits share the embedding's weights, so the last layer has embedding_size "
                f"({self.embedding_size}) units, got {listed}; make the last one equal, or use tied=False."
            )
        if self.features != self.units and self.layers == 1:
            raise SettingError(
                f"tied: the last layer has embedding_size ({self.embedding_size}) units, so that the logits share the "
                f"embedding's weights, and the only layer would have none of its {self.units} units; make them equal, "
                "use two layers or more, or tied=False."
            )
        if self.name == "tcn":
            if self.layers > _MOST_LEVELS:
                raise SettingError(
                    f"layers: expected at most {_MOST_LEVELS} levels of a tcn, whose dilation doubles at each, got "
                    f"{self.layers}; use fewer."
                )
            for name in ("recurrent_dropout", "weight_dropout"):
                if getattr(self, name):
                    raise SettingError(f"{name}: a tcn has no recurrent weights; use between_dropout for its blocks.")
            if self.hidden_dropout is not None:
                raise SettingError("hidden_dropout: a tcn has no recurrent layers; use between_dropout for its blocks.")

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
    def each_activation(self) -> tuple[str | None, ...]:
        """The activation of each layer, None for the model's own."""
        return self.activations or (self.activation,) * self.layers

    @property
    def logits_at_once(self) -> int:
        """How many of the words' logits a token takes at least."""
        return self.cutoffs[0] + len(self.cutoffs) if self.cutoffs else self.words

    @property
    def body(self) -> BodySpec:
        """What reads the embedded tokens, of recurrent layers where they are alike."""
        return body_spec(
            "language",
            self.name,
            self.embedding_size,
            units=self.units,
            layers=self.layers,
            activation=self.activation,
            input_dropout=self.input_dropout,
            recurrent_dropout=self.recurrent_dropout,
            between_dropout=self.between_dropout,
            **cell_options(self),
            channels=self.widths,
            kernel_size=self.kernel_size,
            dilation=2,
            dropout=self.between_dropout,
        )


class LanguageNetwork(nn.Module):
    """Embedding, body, logits. Masks of whole rows and units last a call, drawn from generators of its own."""

    saved_as: ClassVar = {"body.recurrent.": "body.", "body.tcn.": "body."}  # the names of the first models

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
        self.body = _body(spec, derive_seed(seed, "body"))
        # A body without masks of its own for its inputs gets them here.
        self.input_dropout = 0.0 if "input_dropout" in BODIES[spec.body.kind].options else spec.input_dropout
        if spec.cutoffs:
            self.softmax = AdaptiveSoftmax(spec.features, spec.words, spec.cutoffs, derive_seed(seed, "softmax"))
            return
        self.softmax = None
        if spec.tied:
            self.weight = self.embedding.weight
        else:
            start = torch.empty(spec.words, spec.units)
            self.weight = nn.Parameter(start.uniform_(-_START, _START, generator=self.generator))
        self.bias = nn.Parameter(torch.zeros(spec.words))

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """ids (B, T) and a state, None at the start of a text → features (B, T, F) and the state after them."""
        features, after = self.features(ids, state)
        return self.dropped(features), after

    def features(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """As `forward`, before the output dropout."""
        return self.body.carry(self._masked(self.embedding(ids), self.input_dropout), state)

    def dropped(self, features: Tensor) -> Tensor:
        """features (B, T, F) after the output dropout."""
        return self._masked(features, self.spec.output_dropout)

    def logits(self, features: Tensor) -> Tensor:
        """features (…, F) → (…, V): logits, of an adaptive softmax log-probabilities."""
        if self.softmax is not None:
            return self.softmax.log_probabilities(features)
        return nn.functional.linear(features, self.weight, self.bias)

    def losses(self, features: Tensor, targets: Tensor, reduction: str = "none") -> Tensor:
        """−ln P (N,) of the words `targets` (N,) after features (N, F), or with reduction "mean" their mean."""
        if self.softmax is not None:
            found = self.softmax.losses(features, targets)
            return found.mean() if reduction == "mean" else found
        return nn.functional.cross_entropy(self.logits(features), targets, reduction=reduction)

    def initial_state(self, rows: int) -> Any:
        """The state at the start of a text, zeros."""
        return self.body.initial_state(rows)

    def _masked(self, x: Tensor, probability: float) -> Tensor:
        """x (B, T, F) with one mask for each row over all its steps, in training."""
        shape = (x.shape[0], 1, x.shape[2])
        return dropped(x, probability, self.generator, shape) if self.training else x


def _body(spec: LanguageSpec, seed: int) -> Any:
    """The layers: a body of the library, or, where they are not alike, a stack of them."""
    inner = spec.input_dropout if spec.hidden_dropout is None else spec.hidden_dropout
    alike = len({*zip(spec.widths, spec.each_activation)}) == 1 and (inner == spec.input_dropout or spec.layers == 1)
    if spec.name == "tcn" or alike:
        return build_body(spec.body, seed)
    return RecurrentStack(
        spec.name,
        spec.embedding_size,
        spec.widths,
        input_dropouts=(spec.input_dropout, *(inner,) * (spec.layers - 1)),
        between_dropout=spec.between_dropout,
        activations=spec.each_activation,
        options={"recurrent_dropout": spec.recurrent_dropout, **cell_options(spec)},
        seed=seed,
    )


def build_language_network(spec: LanguageSpec, seed: int) -> LanguageNetwork:
    """The network that `spec` names, weights and masks drawn from `seed` alone."""
    return LanguageNetwork(spec, seed)
