"""A fitted text classifier: texts in, their classes and the classes' probabilities out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import WordTokenizer, load_tokenizer
from ..data.text import LengthSorted
from ..errors import FormatError, shown
from ..probability import softmax
from ..saved_fields import array_of, field_of, is_number, refuse_stray
from ..untrained import Predictor
from .bow import BagClassifier
from .encoding import EncodedTexts, encode_texts, numbers_by_length
from .labels import as_texts, classes_from_json, labels_of, one_text
from .looking import Belief, Sentence, attention_of, belief_of
from .network import TextNetwork, TextSpec

__all__ = ["TextPredictor", "read"]

_BAGS = ("bow", "bow-forest")
_SCORING = 128  # texts in a batch
_NUMBERS = 1 << 24  # of a batch's embedded words: 64 MiB


@dataclass(frozen=True, eq=False, repr=False)
class TextPredictor(Predictor):
    """What predicts for a fitted classifier; `predict` and its like take what `seqloom.TextClassifier`'s take.

    model: its name. classes_: the labels. shares (K,): of the classes in training. temperature: what logits are divided
    by. predicts: a bag of words or a network; with tokenizer None for the majority. max_length, keep, long_numbers: how
    texts are read, see `seqloom.TextClassifier`.
    """

    model: str
    classes_: list[Any]
    shares: np.ndarray
    temperature: float
    tokenizer: WordTokenizer | None = None
    predicts: BagClassifier | TextNetwork | Callable[..., np.ndarray] | None = None
    max_length: int = 400
    keep: str = "last"
    long_numbers: bool = False

    def logits(self, texts: Any) -> np.ndarray:
        """Numbers (N, K) before calibration, whose softmax are probabilities."""
        known = as_texts(texts)
        if self.tokenizer is None or self.predicts is None:
            # A class of which no text was left to train on has the share 0, whose logarithm is −∞.
            return np.tile(np.log(np.maximum(self.shares, 1e-12)), (len(known), 1))
        if isinstance(self.predicts, BagClassifier):
            return self.predicts.logits(self._as_read(known))
        return network_logits(self.predicts, self.encoded(known), 1 if len(self.classes_) == 2 else len(self.classes_))

    def predict_proba(self, texts: Any) -> np.ndarray:
        """Calibrated probabilities (N, K), columns as in `classes_`."""
        return softmax(self.logits(texts), self.temperature)

    def predict(self, texts: Any) -> np.ndarray:
        """The likeliest label of each text, (N,)."""
        return labels_of(self.classes_, self.predict_proba(texts).argmax(axis=1))

    def belief(self, text: str) -> Belief:
        """The probabilities after each word of a text, for rnn, gru and lstm; raises SettingError for other models."""
        return belief_of(self, one_text(text))

    def attention(self, text: str) -> list[Sentence]:
        """How much each sentence, and each word in it, counted: for the model han alone."""
        return attention_of(self, one_text(text))

    def encoded(self, texts: Sequence[str]) -> EncodedTexts:
        """The words that the network reads of each text, as ids."""
        assert self.tokenizer is not None
        # The mean over all words of a text needs no room for each: bow-dense reads as far as a bag does.
        most = None if self.model == "bow-dense" else self.max_length
        return encode_texts(self.tokenizer, self._as_read(texts), most, self.keep, sentences=self.model == "han")

    def _as_read(self, texts: Sequence[str]) -> Sequence[str]:
        return texts if self.long_numbers else numbers_by_length(texts)


def network_logits(network: Any, texts: EncodedTexts, outputs: int) -> np.ndarray:
    """A network's outputs as (N, K) float64, for two classes with a column of zeros before them."""
    found = np.zeros((len(texts), outputs))
    lengths = texts.lengths
    for rows in LengthSorted(lengths, _SCORING):
        # A row's result does not depend on those beside it, so long texts may go fewer at a time.
        most = max(1, int(lengths[rows].max(initial=1))) * network.spec.embedding_size
        at_once = max(1, _NUMBERS // most)
        for first in range(0, len(rows), at_once):
            part = rows[first : first + at_once]
            found[part] = network(*texts.batch(part, network.width))
    return np.concatenate([np.zeros_like(found), found], axis=1) if outputs == 1 else found


def read(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> TextPredictor:
    """The predictor of a model folder's fields and arrays; raises FormatError where they don't fit together."""
    parameters = field_of(header, "parameters", dict)
    model, classes = field_of(parameters, "model", str), classes_from_json(header.get("classes"))
    temperature = field_of(header, "temperature", float)
    if not is_number(temperature) or temperature <= 0:
        raise FormatError(f"model.json: expected a temperature above 0, found {shown(temperature)}.")
    shares = array_of(arrays, "shares", np.float64, 1)
    if len(shares) != len(classes) or not np.isfinite(shares).all() or (shares < 0).any():
        raise FormatError(f"model.safetensors: expected the shares of {len(classes)} classes.")
    tokenizer, predicts, known = None, None, {"shares"}
    if model != "majority":
        tokenizer = load_tokenizer(header.get("tokenizer"))
        if not isinstance(tokenizer, WordTokenizer):
            raise FormatError("model.json: expected a tokenizer of words.")
        if model in _BAGS:
            predicts = BagClassifier.from_arrays(
                model, tokenizer, field_of(parameters, "weighting", str), arrays, len(classes)
            )
            known |= set(predicts.to_arrays())
        else:
            spec = TextSpec.from_json(header.get("network"))
            if (spec.name, spec.words, spec.classes) != (model, len(tokenizer.vocabulary), len(classes)):
                raise FormatError("model.json: the network differs from what the other fields say.")
            predicts = TextNetwork(spec, arrays)
            known |= {"network."}
    refuse_stray(arrays, known)
    keep = field_of(parameters, "keep", str)
    most = field_of(parameters, "max_length", int)
    if keep not in ("last", "first") or most < 1:
        raise FormatError(f"model.json: expected the last or first words of a text, found {shown(keep)}.")
    return TextPredictor(
        model=model,
        classes_=classes,
        shares=shares,
        temperature=float(temperature),
        tokenizer=tokenizer,
        predicts=predicts,
        max_length=most,
        keep=keep,
        long_numbers=field_of(parameters, "long_numbers", bool),
    )
