"""`LanguageModel`: running text in, the probability of every next word or character out, and text written by it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from seqloom_runtime.data.decisions import Decision
from seqloom_runtime.data.text import Corpus, Vocabulary
from seqloom_runtime.data.text.spaced import joined_or_kept
from seqloom_runtime.data.text.stored import TextFile
from seqloom_runtime.errors import DataError, SettingError, shown
from seqloom_runtime.language.ngrams import BASELINES
from seqloom_runtime.language.predictor import END
from seqloom_runtime.language.scoring import Adaptation
from seqloom_runtime.language.streams import LanguageStream

from ...training import EpochRow, History
from ..cell_parameters import CellParameters
from ..checkpointing import Checkpointing
from ..comparison import Evaluation
from ..constraints import Numeric, OneOf, check_parameters
from ..estimator import Estimator
from ..language_parameters import ADAPTING, RECIPES
from ..layer_fields import ACTIVATION
from ..networks import names_for
from ..parameters import constraints_of
from ..training_parameters import TrainingParameters
from .adapting import adapted_losses
from .last_words import measure_last_words, read_passages
from .measuring import measure_text
from .network import NETWORKS, LanguageNetwork
from .predicting import predictor

__all__ = ["LanguageModel"]

_LONGEST = 10**7  # tokens that `generate` writes at once


class _Learned:
    """What `fit` sets."""

    vocabulary_: Vocabulary
    start_: int
    model_: Any
    history_: History | None
    n_parameters_: int
    notes_: list[str]


@dataclass(kw_only=True, eq=False, repr=False)
class LanguageModel(_Learned, CellParameters, TrainingParameters, Estimator):
    """A word or character language model.

    model: rnn, gru, lstm or tcn; or a baseline: unigram (how often a word comes) or bigram (interpolated Kneser–Ney).
    level: "word", tokens between white space with `<eos>` after each line, or "char", characters, line ends among them.
    join_spaced: at level "char" leave out the spaces of a text whose characters stand apart (`t h e _ c a t`).
    max_words, min_count: limit the vocabulary to the most frequent tokens; the others become `<unk>`.
    units, layers, activation, kernel_size: of the body; units=(32, 64) and activation=("tanh", "relu") are those of
        each layer. A tcn has `layers` levels with dilations 1, 2, 4, … and one activation.
    embedding_size: None for `units` (the last). tied: the logits share the embedding's weights (arXiv 1608.05859);
        where embedding_size differs from units the last of the layers then has embedding_size units.
    softmax: "full", or "adaptive" for large vocabularies (arXiv 1609.04309; needs tied=False): the most frequent words
        up to the first of `cutoffs` are in its head, those up to each further one in a cluster of its own.
    embedding_dropout: of whole words; input_dropout, recurrent_dropout, output_dropout: one mask for each row and
        batch (variational, arXiv 1512.05287); weight_dropout: of the recurrent matrices (arXiv 1708.02182);
        hidden_dropout: as input_dropout, before each layer but the first; None where that is the same.
        between_dropout: anew at every step between layers, for a tcn inside its blocks.
    activation_penalty, temporal_penalty: of the squared features, and of their squared change from step to step (AR and
        TAR, arXiv 1708.01009), added to the training loss.
    window: steps of a batch. vary_window: lengths are drawn around it for each batch of streams (arXiv 1708.02182).
    scored: None to train on `batch_size` streams side by side, row j of a batch continuing row j of the one before with
        its state carried and its gradient cut; or a number of steps: overlapping windows in random order, scored on
        their last `scored` steps.
    scoring: what `evaluate`, and validation, score: "tokens", all of a text; or "last-word", of each line, a passage of
        its own, the last word given all before it (LAMBADA, arXiv 1606.06031).
    cache: tokens of a neural cache (arXiv 1612.04426) when `evaluate` and `score` read a text with a network, 0 for
        none; cache_weight: its share of the mixture; cache_flatness: what its likenesses are multiplied by.
    dynamic_rate: learning rate of dynamic evaluation (arXiv 1709.07432): each window of a text, once it is scored,
        moves the weights for the rest of it; 0 for none. Validation in training uses neither.
    validation_fraction: of the lines (characters), the last ones, where `fit` gets no `valid`.
    The other parameters are those of training (`seqloom.training.FitSettings`); the weights of the epoch with the
    lowest validation loss are kept.

    >>> text = "the cat sat on the mat\\nthe dog sat on the cat\\n" * 20
    >>> model = LanguageModel(model="bigram").fit(text)
    >>> round(model.evaluate("the cat sat on the mat\\n").scores["perplexity"], 1)
    1.5
    """

    _fitted = "model_"
    _constraints = constraints_of(
        "LanguageModel", model=OneOf(names_for("language", after=BASELINES)), activation=ACTIVATION
    )

    model: str = "lstm"
    level: str = "word"
    join_spaced: bool = True
    max_words: int | None = None
    min_count: int = 1
    units: int | Sequence[int] = 200
    layers: int = 2
    activation: str | Sequence[str] | None = None
    kernel_size: int = 3
    embedding_size: int | None = None
    tied: bool = True
    softmax: str = "full"
    cutoffs: tuple[int, ...] | None = None
    embedding_dropout: float = 0.0
    input_dropout: float = 0.2
    recurrent_dropout: float = 0.2
    between_dropout: float = 0.0
    weight_dropout: float = 0.0
    output_dropout: float = 0.2
    hidden_dropout: float | None = None
    activation_penalty: float = 0.0
    temporal_penalty: float = 0.0
    window: int = 35
    vary_window: bool = False
    scored: int | None = None
    scoring: str = "tokens"
    cache: int = 0
    cache_weight: float = 0.1
    cache_flatness: float = 1.0
    dynamic_rate: float = 0.0
    validation_fraction: float = 0.1
    epochs: int = 10
    batch_size: int = 20
    learning_rate: float = 0.003
    schedule: str = "cosine"
    averaging_patience: int = 5

    @classmethod
    def from_recipe(cls, recipe: str, **parameters: Any) -> Self:
        """A model with a published set of parameters; `parameters` take the place of its own.

        recipe: "awd", AWD-LSTM (arXiv 1708.02182). Raises SettingError for another name.

        >>> LanguageModel.from_recipe("awd", epochs=30).weight_dropout
        0.5
        """
        if recipe not in RECIPES:
            raise SettingError(f"recipe: expected one of {', '.join(RECIPES)}, got {shown(recipe)}.")
        return cls(**{**RECIPES[recipe], **parameters})

    def fit(
        self,
        text: str | TextFile,
        *,
        valid: str | TextFile | None = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
        stop: Callable[[EpochRow], bool] | None = None,
    ) -> Self:
        """Learn from running text; `valid` picks the best epoch (by default the text's last lines).

        A `seqloom.data.text.TextFile` is read a piece at a time, and its tokens stay on disk.
        directory, resume, on_event, stop: of `seqloom.training.fit`. Raises SettingError for parameters out of range,
        DataError for texts without enough tokens.
        """
        from .learning import learn, split_text

        self._check_parameters()
        self._forget()
        if isinstance(text, TextFile) and text.level != self.level:
            raise SettingError(f"level: the text's file is read at level {text.level!r}, the model at {self.level!r}.")
        said: tuple[Decision, ...] = ()
        if isinstance(text, str):  # joined before it is split: a short last part would not show that it is spaced
            text, said = joined_or_kept(text, self.level, self.join_spaced)
        if valid is None:
            text, valid = split_text(text, self.level, self.validation_fraction)
        valid = valid.read() if isinstance(valid, TextFile) else valid
        train = text if isinstance(text, TextFile) else self._corpus(text, "the training text")
        held = self._corpus(valid, "the validation text")
        vocabulary = train.vocabulary(
            max_words=None if self.max_words is None else int(self.max_words), min_count=int(self.min_count)
        )
        ids, valid_ids = train.encode(vocabulary), held.encode(vocabulary)
        passages = None
        if self.scoring == "last-word":
            passages = [vocabulary.ids(words) for words in read_passages(valid, "the validation text").words]
        for name, found in (("training", ids), ("validation", valid_ids)):
            if len(found) < 2:
                raise DataError(f"The {name} text: expected at least two tokens, got {len(found)}.")
        # Before a text stands the end of a line, or where there is none the training text's first token.
        end = END if self.level == "word" else "\n"
        start = vocabulary.id(end) if end in vocabulary else int(ids[0])
        where = Checkpointing.make(directory, resume, on_event, stop)
        self._take(learn(self, vocabulary, start, ids, valid_ids, where, passages))
        if self.level == "char":
            self.notes_ = [*(decision.text for decision in said), *self.notes_]
        return self

    def evaluate(self, text: str) -> Evaluation:
        """Score a text: perplexity (of a char model first bits), loss (nats) and bits for each token; worst lines.

        With scoring="last-word" perplexity and accuracy of the last words. Raises DataError for a text without tokens.
        """
        if self.scoring == "last-word":
            self._check_fitted()
            return measure_last_words(self, text)
        losses, corpus = self._losses(text)
        return measure_text(self, corpus, losses)

    def perplexity(self, text: str) -> float:
        """e to the mean −ln P of the text's tokens: how many tokens the model hesitates between.

        Raises DataError for a text without tokens.
        """
        return float(np.exp(self._losses(text)[0].mean()))

    def score(
        self,
        text: str,
        *,
        cache: int | None = None,
        cache_weight: float | None = None,
        cache_flatness: float | None = None,
        dynamic_rate: float | None = None,
    ) -> list[tuple[str, float]]:
        """Every token of a text with its log-probability (nats) given all before it.

        cache, cache_weight, cache_flatness, dynamic_rate: in place of the parameters of those names, for this call.
        """
        given = {"cache": cache, "cache_weight": cache_weight, "cache_flatness": cache_flatness}
        given |= {"dynamic_rate": dynamic_rate}
        given = {name: value for name, value in given.items() if value is not None}
        check_parameters(given, {name: self._constraints[name] for name in given})
        losses, corpus = self._losses(text, given)
        return [(token, -float(loss)) for token, loss in zip(corpus.tokens(), losses, strict=True)]

    def generate(
        self,
        prompt: str = "",
        length: int = 100,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> str:
        """Write `length` tokens that go on from `prompt`; the same seed writes the same text.

        temperature, top_k, top_p: see `Sampling`. Lines of a word model end where it says `<eos>`; `<unk>` is never
        written. Raises SettingError for values out of range, DataError for a prompt with unknown characters.
        """
        self._check_fitted()
        check_parameters(
            {"length": length, "seed": seed},
            {"length": Numeric(0, _LONGEST, whole=True), "seed": self._constraints["seed"]},
        )
        return predictor(self).generate(prompt, length, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)

    def predict(self, prompts: list[str], length: int = 20, *, temperature: float = 0.0, seed: int = 0) -> list[str]:
        """What follows each prompt: `generate` for each of them."""
        return [self.generate(prompt, length, temperature=temperature, seed=seed) for prompt in prompts]

    def next_tokens(self, prompt: str = "", count: int = 10) -> list[tuple[str, float]]:
        """The `count` likeliest tokens after `prompt` with their probabilities, the likeliest first."""
        self._check_fitted()
        return predictor(self).next_tokens(prompt, count)

    def stream(self, batch_size: int = 1) -> LanguageStream:
        """`batch_size` texts token by token: numbers of tokens (B,) in, ln P (B, V) of every next token out.

        Raises SettingError for a model of counts, which keeps no state.
        """
        self._check_fitted()
        return predictor(self).stream(batch_size)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.model in NETWORKS:
            from .learning import check_memory, language_spec

            least = max(self.cutoffs or (3,)) + 1 if self.softmax == "adaptive" else 1
            check_memory(language_spec(self, least), self.optimizer)  # the shape raises for what doesn't go together
        if self.scored is not None and self.scored > self.window:
            raise SettingError(f"scored: expected at most the window's {self.window} steps, got {self.scored}.")

        if self.vary_window and self.scored is not None:
            raise SettingError("vary_window: overlapping windows have one length; leave vary_window or scored out.")
        if self.cutoffs is not None and self.softmax != "adaptive":
            raise SettingError(
                "cutoffs: only an adaptive softmax has clusters; use softmax='adaptive', or leave it out."
            )
        if self.scoring == "last-word" and (self.cache or self.dynamic_rate):
            name = "cache" if self.cache else "dynamic_rate"
            raise SettingError(
                f"{name}: last words are scored passage by passage, with nothing to adapt to; leave it out."
            )
        if self.scoring == "last-word" and self.level != "word":
            raise SettingError("scoring: the last word is one of a model of words; use level='word', or score tokens.")

    def _corpus(self, text: str, name: str = "the text") -> Corpus:
        if not isinstance(text, str):
            raise DataError(f"{name}: expected one text, got {type(text).__name__}.")
        return Corpus(joined_or_kept(text, self.level, self.join_spaced)[0], self.level, END, name)

    def _losses(self, text: str, given: Mapping[str, Any] | None = None) -> tuple[np.ndarray, Corpus]:
        self._check_fitted()
        corpus = self._corpus(text)
        ids = corpus.encode(self.vocabulary_)
        if not len(ids):
            raise DataError("The text holds no token to score; give a text that is not empty.")
        how = self._adaptation(given or {})
        if how.rate and isinstance(self.model_, LanguageNetwork):
            return adapted_losses(self.model_, self.start_, ids, how), corpus
        return predictor(self).losses(text, replace(how, rate=0.0))

    def _adaptation(self, given: Mapping[str, Any]) -> Adaptation:
        """How a text is adapted to while it is scored; `given` in place of the parameters of those names."""
        value = {name: given.get(name, getattr(self, name)) for name in ADAPTING}
        return Adaptation(
            int(value["cache"]),
            float(value["cache_weight"]),
            float(value["cache_flatness"]),
            float(value["dynamic_rate"]),
            int(self.window),
            None if self.clip_norm is None else float(self.clip_norm),
        )
