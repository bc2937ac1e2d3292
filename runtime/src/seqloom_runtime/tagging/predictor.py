"""A fitted tagger: sentences in, a tag for every word out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.text import LengthSorted, Vocabulary, mark_digits, pad_sequences
from ..errors import FormatError
from ..saved_fields import array_of, field_of, refuse_stray, texts_of
from ..untrained import Predictor
from .frequent import FrequentTags
from .network import TaggerSpec, TaggingNetwork
from .sentences import sentences_of
from .spans import spans_of

__all__ = ["TagPredictor", "read", "words_read"]

_AT_ONCE = 64  # sentences
_NUMBERS = 1 << 24  # of the embedded windows of a batch: 64 MiB


@dataclass(frozen=True, eq=False, repr=False)
class TagPredictor(Predictor):
    """What predicts for a fitted tagger; its methods take what `seqloom.SequenceTagger`'s take.

    vocabulary_: of the words; tags_: what there is to tell. predicts: a network, or each word's most frequent tag.
    lower, digits: how words are read.
    """

    vocabulary_: Vocabulary
    tags_: tuple[str, ...]
    predicts: FrequentTags | TaggingNetwork | Any
    lower: bool = True
    digits: bool = True

    def predict(self, sentences: Any) -> list[list[str]]:
        """The tag of every word of each sentence."""
        words = sentences_of(sentences, "sentences")
        ids = [self.vocabulary_.ids(words_read(sentence, self.lower, self.digits)) for sentence in words]
        if isinstance(self.predicts, FrequentTags):
            best = [self.predicts.best(sentence) for sentence in ids]
        else:
            best = _of_network(self.predicts, ids)
        return [[self.tags_[number] for number in found] for found in best]

    def spans(self, sentences: Any) -> list[list[tuple[int, int, str, str]]]:
        """The predicted spans of each sentence: first word, the one after the last, label, and the words."""
        words = sentences_of(sentences, "sentences")
        return [
            [(start, stop, label, " ".join(sentence[start:stop])) for start, stop, label in spans_of(tags)]
            for sentence, tags in zip(words, self.predict(words))
        ]


def words_read(sentence: Sequence[str], lower: bool, digits: bool) -> list[str]:
    """The words as they are compared: in lower case, every digit as the same.

    >>> words_read(["At", "10"], True, True) == words_read(["at", "23"], True, True)
    True
    """
    words = [word.lower() for word in sentence] if lower else list(sentence)
    return mark_digits(words) if digits else words


def _of_network(network: Any, ids: Sequence[list[int]]) -> list[list[int]]:
    """The tags' numbers for sentences of word ids; an empty sentence has none."""
    found: list[list[int]] = [[] for _ in ids]
    filled = [place for place, sentence in enumerate(ids) if sentence]
    if not filled:
        return found
    spec = network.spec
    for batch in LengthSorted([len(ids[place]) for place in filled], _AT_ONCE):
        places = [filled[number] for number in batch]
        # A sentence's tags don't depend on those beside it, so long ones may go fewer at a time.
        longest = max(len(ids[place]) for place in places)
        rows = max(1, _NUMBERS // (longest * (2 * spec.context + 1) * spec.embedding_size))
        for first in range(0, len(places), rows):
            part = places[first : first + rows]
            best = network.best(*pad_sequences([ids[place] for place in part])).tolist()
            for place, row in zip(part, best):
                found[place] = row[: len(ids[place])]
    return found


def read(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> TagPredictor:
    """The predictor of a model folder's fields and arrays; raises FormatError where they don't fit together."""
    parameters = field_of(header, "parameters", dict)
    model = field_of(parameters, "model", str)
    refuse_stray(arrays, ["frequent" if model == "frequent" else "network."])
    vocabulary = Vocabulary.from_json(header["vocabulary"])
    tags = tuple(texts_of(header, "tags"))
    if not tags or vocabulary.unknown_id is None or not vocabulary.padding:
        raise FormatError("model.json: expected at least one tag, and a vocabulary with padding and an unknown word.")
    predicts: FrequentTags | TaggingNetwork
    if model == "frequent":
        tag = array_of(arrays, "frequent", np.int64, 1)
        if len(tag) != len(vocabulary) or tag.min() < 0 or tag.max() >= len(tags):
            raise FormatError("model.safetensors: 'frequent' is not one tag for each word.")
        predicts = FrequentTags(tag)
    else:
        spec = TaggerSpec.from_json(header.get("network"))
        if (spec.name, spec.words, spec.tags) != (model, len(vocabulary), len(tags)):
            raise FormatError("model.json: the network differs from what the other fields say.")
        predicts = TaggingNetwork(spec, arrays)
    lower, digits = (field_of(parameters, name, bool) for name in ("lower", "digits"))
    return TagPredictor(vocabulary, tags, predicts, lower, digits)
