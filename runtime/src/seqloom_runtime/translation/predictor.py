"""A fitted model of sequence to sequence: texts in, the texts written for them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.text import LengthSorted, pad_sequences
from ..errors import DataError, FormatError, SettingError, shown
from ..saved_fields import field_of, is_number, refuse_stray, texts_of
from ..untrained import Predictor
from ..writing import Written, searched
from .network import TranslationNetwork, TranslationSpec
from .remembered import Memory
from .texts import checked_texts
from .tokens import Tokens

__all__ = ["LONGER", "TranslationPredictor", "read", "spelled"]

_AT_ONCE = 64  # rows of sources and beams that are written side by side
_MOST_BEAMS, _STRONGEST = 10_000, 10
LONGER = 10  # tokens beyond the longest target of training that a text may have
_END = "⏎"


@dataclass(frozen=True, eq=False, repr=False)
class TranslationPredictor(Predictor):
    """What predicts for a fitted model; its methods take what `seqloom.Seq2Seq`'s take.

    level_: of the tokens. source_, target_: the tokens of both sides. predicts: a network, or a translation memory.
    longest: tokens that a written text may have. max_length: tokens of a source at most. beams, strength: of the
    search.
    """

    level_: str
    source_: Tokens
    target_: Tokens
    predicts: TranslationNetwork | Memory | Any
    longest: int
    max_length: int
    beams: int = 4
    strength: float = 0.6

    def predict(self, sources: Sequence[str]) -> list[str]:
        """The text written for each of `sources`; raises DataError for an empty or a too long one."""
        return [text for text, _ in self.written(self._checked(sources))]

    def attend(self, source: str) -> tuple[list[str], list[str], list[list[float]]]:
        """The tokens of a source, those written for it with the end behind them, and the weights (K, T) that each
        written token gave the source's; raises SettingError where the model has no attention."""
        known = self._checked([source])
        found = self.written(known)[0][1]
        if found is None or found.attention is None:
            raise SettingError("attention: this model has none; fit one with attention='additive' or 'multiplicative'.")
        return self.drawn(known[0], found)

    def written(self, sources: Sequence[str]) -> list[tuple[str, Written | None]]:
        """For each source the text, and what the search found (of the memory None)."""
        if isinstance(self.predicts, Memory):
            return [(text, None) for text in self.predicts.nearest(sources)]
        ids = [self.source_.ids(text) for text in sources]
        found = self._searched(ids)
        return [(spelled(self.source_, self.target_, source, text), text) for source, text in zip(sources, found)]

    def drawn(self, source: str, found: Written) -> tuple[list[str], list[str], list[list[float]]]:
        """The tokens of both sides as they are drawn, and the weights between them."""
        assert found.attention is not None
        tokens = self.source_.plain(self.source_.split(source))
        spelt = self.target_.plain(self.target_.vocabulary.spell(found.ids))
        return tokens, [*spelt, _END][: len(found.attention)], found.attention[:, : len(tokens)].tolist()

    def _searched(self, ids: Sequence[list[int]]) -> list[Written]:
        network: Any = self.predicts
        unknown, found = self.target_.unknown, [Written([], 0.0, None)] * len(ids)
        # An unknown token is only written with attention, which says what of the source stands there.
        barred = [0] if network.attention is not None or unknown is None else [0, unknown]
        for places in LengthSorted([len(row) for row in ids], max(1, _AT_ONCE // self.beams)):
            read = network.encode(*pad_sequences([ids[place] for place in places]))
            texts = searched(network, read, barred, beams=self.beams, strength=self.strength, longest=self.longest)
            for place, text in zip(places, texts):
                found[place] = text
        return found

    def _checked(self, sources: Any) -> list[str]:
        texts = checked_texts(sources, "sources")
        for number, text in enumerate(texts):
            count = 0 if isinstance(self.predicts, Memory) else len(self.source_.ids(text))
            if count > self.max_length:
                raise DataError(
                    f"sources, text {number}: expected at most {self.max_length} tokens (max_length), got {count}; "
                    "split the text."
                )
        return texts


def spelled(source: Tokens, target: Tokens, text: str, found: Written) -> str:
    """What was written for `text`; an unknown token is the source's one with the most attention."""
    unknown = target.unknown
    if unknown is None or unknown not in found.ids or found.attention is None:
        return target.text(found.ids)
    theirs, ours = source.split(text), target.vocabulary.spell(found.ids)
    places = found.attention.argmax(axis=1).tolist()
    return target.joined(
        [theirs[place] if number == unknown else token for number, token, place in zip(found.ids, ours, places)]
    )


def read(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> TranslationPredictor:
    """The predictor of a model folder's fields and arrays; raises FormatError where they don't fit together."""
    parameters = field_of(header, "parameters", dict)
    model = field_of(parameters, "model", str)
    refuse_stray(arrays, [] if model == "memory" else ["network."])
    source, target = Tokens.from_json(header["source"]), Tokens.from_json(header["target"])
    if source.level != target.level:
        raise FormatError("model.json: the tokens of 'source' and of 'target' differ.")
    sizes = {
        "longest": field_of(header, "longest", int),
        **{name: field_of(parameters, name, int) for name in ("max_length", "beams")},
    }
    for name, value in sizes.items():
        most = _MOST_BEAMS if name == "beams" else 10**9
        if isinstance(value, bool) or not 1 <= value <= most:
            raise FormatError(f"model.json: expected a number of at least 1 under {name!r}, found {shown(value)}.")
    strength = parameters.get("length_penalty")
    if not is_number(strength) or not 0 <= strength <= _STRONGEST:
        raise FormatError(f"model.json: expected 0 to {_STRONGEST} under 'length_penalty', found {shown(strength)}.")
    if model != "memory" and sizes["longest"] > sizes["max_length"] + LONGER:
        raise FormatError(f"model.json: its texts are longer than the {sizes['max_length']} tokens that it reads.")
    predicts: Memory | TranslationNetwork
    if model == "memory":
        sides = texts_of(header, "sources"), texts_of(header, "targets")
        if not sides[0] or len(sides[0]) != len(sides[1]) or not all(map(all, sides)):
            raise FormatError("model.json: expected as many 'targets' as 'sources', at least one, none empty.")
        predicts = Memory(*sides)
    else:
        spec = TranslationSpec.from_json(header.get("network"))
        if (spec.name, spec.sources, spec.targets) != (model, len(source.vocabulary), len(target.vocabulary)):
            raise FormatError("model.json: the network differs from what the other fields say.")
        predicts = TranslationNetwork(spec, arrays)
    return TranslationPredictor(source.level, source, target, predicts, strength=float(strength), **sizes)
