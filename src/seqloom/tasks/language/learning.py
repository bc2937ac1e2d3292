"""What `LanguageModel.fit` does once the text is numbered: count the baseline or train the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from seqloom_runtime.data.text import Vocabulary
from seqloom_runtime.data.text.corpus import split_running
from seqloom_runtime.data.text.stored import TextFile
from seqloom_runtime.data.text.streams import UNSCORED, TokenBatch, TokenStreams, TokenWindows
from seqloom_runtime.data.text.varied import VariedBatch, VariedStreams
from seqloom_runtime.errors import DataError
from seqloom_runtime.language.ngrams import BASELINES, Bigram, Unigram

from ...nn import Stateful
from ...training import History, derive_seed
from ..cell_parameters import cell_options
from ..checkpointing import Checkpointing
from ..layer_fields import layers_of
from ..memory import count_weights, refuse_too_large, weights_of
from ..training_parameters import fit_settings
from .adaptive import usual_cutoffs
from .last_words import last_word_losses
from .network import LanguageNetwork, LanguageSpec, build_language_network
from .penalties import FeaturePenalty, WithFeatures
from .scoring import network_losses

if TYPE_CHECKING:
    from .model import LanguageModel

__all__ = ["Fitted", "check_memory", "language_spec", "learn", "split_text"]

_FLOATS_PER_WEIGHT = 4  # weight, gradient and the optimizer's two moments


def split_text(text: str | TextFile, level: str, fraction: float) -> tuple[str | TextFile, str | TextFile]:
    """A text as its first part and its last `fraction`: by lines at level "word", by characters at level "char"."""
    if isinstance(text, TextFile):
        return text.split(fraction)[:2]
    if not isinstance(text, str):
        raise DataError(f"the training text: expected one text, got {type(text).__name__}.")
    first, last, _ = split_running(text, level, fraction)
    return first, last


def language_spec(model: LanguageModel, words: int) -> LanguageSpec:
    """The network's shape for a vocabulary of `words`; raises SettingError for options that don't go together."""
    tcn = model.model == "tcn"
    cutoffs: tuple[int, ...] = ()
    if model.softmax == "adaptive":
        cutoffs = usual_cutoffs(words) if model.cutoffs is None else tuple(int(cut) for cut in model.cutoffs)
    layers = layers_of(model, "language", "rnn, gru or lstm", usual=2, levels=True)
    embedding = layers["units"] if model.embedding_size is None else int(model.embedding_size)
    if model.tied and "stack" in layers and not isinstance(model.units, (list, tuple)):
        layers["stack"] = (*layers["stack"][:-1], embedding)  # as where the layers differ in nothing else
    return LanguageSpec(
        name=model.model,
        words=words,
        embedding_size=embedding,
        **layers,
        kernel_size=int(model.kernel_size),
        tied=model.tied,
        embedding_dropout=float(model.embedding_dropout),
        input_dropout=float(model.input_dropout),
        recurrent_dropout=0.0 if tcn else float(model.recurrent_dropout),
        between_dropout=float(model.between_dropout),
        weight_dropout=0.0 if tcn else float(model.weight_dropout),
        output_dropout=float(model.output_dropout),
        **cell_options(model, without=("weight_dropout",)),
        cutoffs=cutoffs,
        hidden_dropout=None if model.hidden_dropout is None else float(model.hidden_dropout),
    )


def check_memory(spec: LanguageSpec, optimizer: str, batch_size: int = 0, window: int = 0) -> None:
    """Raise SettingError where training needs more memory than there is."""
    refuse_too_large(
        spec.name,
        count_weights(lambda: build_language_network(spec, 0)),
        optimizer,
        grows_with="embedding_size" if spec.embedding_size > spec.units else "units",
        batch_size=batch_size,
        row=window * (spec.embedding_size + spec.units),
    )


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit finds: the known tokens, the one before a text, what predicts, and how it was trained."""

    vocabulary: Vocabulary
    start: int
    model: Unigram | Bigram | LanguageNetwork
    history: History | None
    n_parameters: int
    notes: list[str] = field(default_factory=list)


def learn(
    model: LanguageModel,
    vocabulary: Vocabulary,
    start: int,
    ids: np.ndarray,
    valid: np.ndarray,
    checkpoints: Checkpointing,
    passages: list[list[int]] | None = None,
) -> Fitted:
    """Count the baseline or train the network on the training and validation tokens (N,) int64.

    passages: of the validation text, where their last words choose the best epoch.
    """
    words = len(vocabulary)
    if model.model in BASELINES:
        counted = (Unigram if model.model == "unigram" else Bigram).fit(ids, words)
        return Fitted(vocabulary, start, counted, None, counted.parameters)
    spec = language_spec(model, words)
    columns = spec.embedding_size + (0 if spec.tied or spec.cutoffs else spec.units)
    # For each word of the vocabulary, three times: the logits, their log-softmax and the gradient.
    logits = int(model.batch_size) * int(model.window) * spec.logits_at_once // words
    vocabulary.refuse_if_too_large(4 * (_FLOATS_PER_WEIGHT * columns + 3 * logits))
    # Tokens of a row, and where the next one starts.
    window, each = int(model.window), int(model.scored or model.window)
    rows = min(int(model.batch_size), max(1, len(ids) // each))
    check_memory(spec, model.optimizer, rows, min(window, len(ids)))
    network = build_language_network(spec, derive_seed(int(model.seed), spec.name, "weights"))
    batches = _batches(model, ids)
    streams = int(model.batch_size)
    # Overlapping windows come in random order, where no state can be carried from one to the next.
    penalty = None
    learned: LanguageNetwork | WithFeatures = network
    if model.activation_penalty or model.temporal_penalty:
        penalty = FeaturePenalty(float(model.activation_penalty), float(model.temporal_penalty))
        learned = WithFeatures(network)
    carried: nn.Module = learned if model.scored is not None else Stateful(learned, streams)

    def held_out() -> np.ndarray:
        if passages is not None:
            return last_word_losses(network, start, passages)[0]
        return network_losses(network, start, valid)

    history = checkpoints.train(
        carried,
        batches,
        _loss,
        settings=fit_settings(model, len(batches) * streams),
        penalty=penalty,
        validate=lambda _: {"loss": float(held_out().mean())},
        signature={
            "network": spec.to_json(),
            "window": int(model.window),
            "scored": None if model.scored is None else int(model.scored),
            "batches": {k: v for k, v in batches.state().items() if k not in ("epoch", "position")},
            "valid": len(valid),
            **({} if passages is None else {"passages": len(passages)}),
            **({} if penalty is None else {"penalty": vars(penalty)}),
        },
    )
    return Fitted(vocabulary, start, network.eval(), history, weights_of(network), _said(model, spec))


def _said(model: LanguageModel, spec: LanguageSpec) -> list[str]:
    """What was decided about the network that its parameters don't say."""
    if spec.cutoffs and model.cutoffs is None:
        first, second = spec.cutoffs
        return [
            f"The adaptive softmax has the {first:,} most frequent words in its head, and clusters of "
            f"{second - first:,} and {spec.words - second:,} rarer ones; name other numbers (cutoffs=)."
        ]
    if spec.features == spec.units:
        return []
    what, units = ("level", "channels") if spec.name == "tcn" else ("layer", "units")
    return [
        f"{spec.name}: the last {what} has {spec.features} {units}, as many as the embedding, whose weights the logits "
        f"share; tied=False gives it {spec.units}."
    ]


def _batches(model: LanguageModel, ids: np.ndarray) -> TokenStreams | TokenWindows:
    size, window = int(model.batch_size), int(model.window)
    if model.scored is None:
        if len(ids) <= size:
            raise DataError(
                f"The training text has {len(ids)} tokens, too few for {size} streams side by side; give more text or "
                "a smaller batch_size."
            )
        if not model.vary_window:
            return TokenStreams(ids, size, window)
    seed = derive_seed(int(model.seed), model.model, "batches")
    if model.scored is None:
        return VariedStreams(ids, size, window, seed=seed)
    return TokenWindows(ids, window, int(model.scored), size, seed=seed)


def _loss(module: nn.Module, batch: TokenBatch | VariedBatch) -> Tensor:
    """Mean −ln P over the scored tokens; features of steps without one are left out before the large product."""
    inputs, targets = torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets).flatten()
    inner = module.module if isinstance(module, Stateful) else module
    network = inner.network if isinstance(inner, WithFeatures) else inner
    assert isinstance(network, LanguageNetwork)
    features = module(inputs, fresh=batch.fresh) if isinstance(module, Stateful) else module(inputs)[0]
    features = features.flatten(0, 1)
    # The product with V words is by far the largest: only what is scored goes through it.
    scored = targets != UNSCORED
    if not bool(scored.all()):
        features, targets = features[scored], targets[scored]
    return network.losses(features, targets, "mean")
