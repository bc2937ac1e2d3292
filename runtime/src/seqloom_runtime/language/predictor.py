"""A fitted language model: the probability of every token of a text, and text written by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from ..data.text import Corpus, Vocabulary
from ..data.text.spaced import joined_or_kept
from ..errors import DataError, FormatError, SettingError, shown
from ..saved_fields import field_of, is_number, refuse_stray
from ..settings import check_whole
from ..untrained import Predictor
from .network import LanguageNetwork, LanguageSpec
from .ngrams import BASELINES, Bigram, Unigram
from .sampling import Sampling, sample, stepper
from .scoring import Adaptation, cached_losses, network_losses
from .streams import LanguageStream

__all__ = ["END", "LanguagePredictor", "read"]

END = "<eos>"
_LONGEST = 10**7  # tokens that `generate` writes at once
_MOST_ROWS = 10**5  # texts side by side in a stream
_MOST_SEED = 2**63 - 1
_LEVELS = ("word", "char")


@dataclass(frozen=True, eq=False, repr=False)
class LanguagePredictor(Predictor):
    """What predicts for a fitted language model; its methods take what `seqloom.LanguageModel`'s take.

    level: "word" or "char". vocabulary_: of the tokens; start_: the token before any text. predicts: a network, or
    counts. join_spaced: whether spaces between characters are left out. adapting: how a text is adapted to.
    """

    level: str
    vocabulary_: Vocabulary
    start_: int
    predicts: LanguageNetwork | Unigram | Bigram | Any
    join_spaced: bool = True
    adapting: Adaptation = field(default_factory=Adaptation)

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

        cache, cache_weight, cache_flatness: in place of what the model was made with. Raises SettingError for values
        out of range and for a dynamic_rate above 0, which takes gradients; DataError for a text without tokens.
        """
        given = {"size": cache, "weight": cache_weight, "flatness": cache_flatness, "rate": dynamic_rate}
        how = replace(self.adapting, **{name: value for name, value in given.items() if value is not None})
        losses, corpus = self.losses(text, how)
        return [(token, -float(loss)) for token, loss in zip(corpus.tokens(), losses, strict=True)]

    def losses(self, text: str, how: Adaptation | None = None) -> tuple[np.ndarray, Corpus]:
        """−ln P of each token (N,), and the text as it was cut into tokens."""
        how = self.adapting if how is None else how
        corpus = self.corpus(text)
        ids = corpus.encode(self.vocabulary_)
        if not len(ids):
            raise DataError("The text holds no token to score; give a text that is not empty.")
        if isinstance(self.predicts, (Unigram, Bigram)):
            return self.predicts.losses(np.concatenate([[self.start_], ids[:-1]]), ids), corpus
        _check_adapting(how)
        if how.size:
            return cached_losses(self.predicts, self.start_, ids, how), corpus
        return network_losses(self.predicts, self.start_, ids), corpus

    def perplexity(self, text: str) -> float:
        """e to the mean −ln P of the text's tokens: how many tokens the model hesitates between."""
        return float(np.exp(self.losses(text)[0].mean()))

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
        check_whole("length", length, 0, _LONGEST)
        check_whole("seed", seed, 0, _MOST_SEED)
        sampling = Sampling(temperature, top_k, top_p)
        unknown = self.vocabulary_.unknown_id
        barred = () if unknown is None else (unknown,)
        drawn = sample(stepper(self.predicts), self.ids_of(prompt), sampling, int(seed), barred)
        tokens = self.vocabulary_.spell(islice(drawn, int(length)))
        if self.level == "char":
            return "".join(tokens)
        return " ".join("\n" if token == END else token for token in tokens).replace(" \n ", "\n").replace(" \n", "\n")

    def predict(self, prompts: list[str], length: int = 20, *, temperature: float = 0.0, seed: int = 0) -> list[str]:
        """What follows each prompt: `generate` for each of them."""
        return [self.generate(prompt, length, temperature=temperature, seed=seed) for prompt in prompts]

    def next_tokens(self, prompt: str = "", count: int = 10) -> list[tuple[str, float]]:
        """The `count` likeliest tokens after `prompt` with their probabilities, the likeliest first."""
        check_whole("count", count, 1, _LONGEST)
        step, logits = stepper(self.predicts), np.empty(0)
        for token in self.ids_of(prompt):
            logits = step(token)
        p = Sampling().probabilities(np.asarray(logits))
        best = np.argsort(-p, kind="stable")[:count]
        return list(zip(self.vocabulary_.spell(best.tolist()), p[best].tolist(), strict=True))

    def stream(self, batch_size: int = 1) -> LanguageStream:
        """`batch_size` texts token by token: numbers of tokens in, ln P of every next token out.

        Raises SettingError for a model of counts, which keeps no state.
        """
        check_whole("batch_size", batch_size, 1, _MOST_ROWS)
        if isinstance(self.predicts, (Unigram, Bigram)):
            raise SettingError(
                "A model of counts looks at one token alone and has no stream; use rnn, gru, lstm or tcn."
            )
        return LanguageStream(self.predicts, len(self.vocabulary_), int(batch_size))

    def corpus(self, text: str, name: str = "the text") -> Corpus:
        """A text as it is cut into tokens; raises DataError for what is none."""
        if not isinstance(text, str):
            raise DataError(f"{name}: expected one text, got {type(text).__name__}.")
        return Corpus(joined_or_kept(text, self.level, self.join_spaced)[0], self.level, END, name)

    def ids_of(self, prompt: str) -> list[int]:
        """The numbers of a prompt's tokens, behind that which stands before any text."""
        if not isinstance(prompt, str):
            raise DataError(f"prompt: expected a text, got {type(prompt).__name__}.")
        tokens = list(prompt) if self.level == "char" else prompt.replace("\n", f" {END} ").split()
        unknown = [token for token in tokens if token not in self.vocabulary_]
        if unknown and self.level == "char":
            known = "".join(sorted(self.vocabulary_.words[self.vocabulary_.first :]))[:100]
            raise DataError(
                f"prompt, character {tokens.index(unknown[0]) + 1}: {unknown[0]!r} is not among the characters of the "
                f"training text ({known!r}); leave it out or replace it."
            )
        return [self.start_, *self.vocabulary_.ids(tokens)]


def _check_adapting(how: Adaptation) -> None:
    """Raise SettingError for what a text can't be adapted to with."""
    check_whole("cache", how.size, 0, 10**9)
    for name, value, most in (("cache_weight", how.weight, 1.0), ("cache_flatness", how.flatness, np.inf)):
        if not is_number(value) or not 0 <= value <= most:
            raise SettingError(f"{name}: expected a number from 0 to {most}, got {shown(value)}.")
    if how.rate:
        raise SettingError(
            "dynamic_rate: dynamic evaluation moves the weights along gradients, which only seqloom's own "
            "LanguageModel.score can; use dynamic_rate=0."
        )


def read(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> LanguagePredictor:
    """The predictor of a model folder's fields and arrays; raises FormatError where they don't fit together."""
    # Parameters that the first models were saved without.
    later = {"join_spaced": True, "cache": 0, "cache_weight": 0.1, "cache_flatness": 1.0, "dynamic_rate": 0.0}
    parameters = {**later, **field_of(header, "parameters", dict)}
    model, level = field_of(parameters, "model", str), field_of(parameters, "level", str)
    if level not in _LEVELS:
        raise FormatError(f"model.json: expected the level word or char, found {shown(level)}.")
    refuse_stray(arrays, ["baseline." if model in BASELINES else "network."])
    vocabulary = Vocabulary.from_json(header["vocabulary"])
    words, start = len(vocabulary), field_of(header, "start", int)
    if isinstance(start, bool) or not 0 <= start < words:
        raise FormatError(f"model.json: 'start' is {shown(start)}, expected a token's number below {words}.")
    predicts: LanguageNetwork | Unigram | Bigram
    if model in BASELINES:
        own = {name.removeprefix("baseline."): array for name, array in arrays.items()}
        predicts = (Unigram if model == "unigram" else Bigram).from_arrays(own, words)
    else:
        spec = LanguageSpec.from_json(header.get("network"))
        if (spec.name, spec.words) != (model, words):
            raise FormatError("model.json: the network differs from what the other fields say.")
        predicts = LanguageNetwork(spec, arrays)
    weight, flatness, rate = (parameters[name] for name in ("cache_weight", "cache_flatness", "dynamic_rate"))
    if not all(is_number(value) and value >= 0 for value in (weight, flatness, rate)):
        raise FormatError("model.json: expected numbers of at least 0 for the cache and the dynamic rate.")
    how = Adaptation(field_of(parameters, "cache", int), float(weight), float(flatness), float(rate))
    return LanguagePredictor(level, vocabulary, start, predicts, field_of(parameters, "join_spaced", bool), how)
