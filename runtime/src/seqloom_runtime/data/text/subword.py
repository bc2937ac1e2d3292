"""SubwordTokenizer: byte-pair encoding, trained and run by the tokenizers library."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from ...errors import DataError, FormatError, SettingError, shown
from ...extras import need
from .lines import refuse_surrogates
from .tokenizer import Tokenizer, checked_texts, fields
from .vocabulary import Vocabulary

__all__ = ["SubwordTokenizer"]

_BYTES = 256


class SubwordTokenizer(Tokenizer):
    """Byte-level byte-pair encoding (Sennrich et al. 2016; bytes as in GPT-2): no text is unknown, none is altered.

    `size` is the number of tokens besides padding, at least the 256 bytes; `min_count` the occurrences of a pair that
    is merged. Needs the tokenizers package (`pip install '.[text]'`).

    >>> tokenizer = SubwordTokenizer(size=258).fit(["the cat, the mat"])
    >>> tokenizer.decode(tokenizer.encode(["the émigré"])[0])
    'the émigré'
    """

    kind = "subwords"

    def __init__(self, *, size: int = 8000, lower: bool = False, min_count: int = 2) -> None:
        for name, value, least in (("size", size, _BYTES), ("min_count", min_count, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise SettingError(f"{name}: expected a whole number of at least {least}, got {shown(value)}.")
        self.size, self.lower, self.min_count = size, bool(lower), min_count
        self._merges: list[tuple[int, int]] = []
        self._engine: Any = None

    def fit(self, texts: Iterable[str]) -> Self:
        """Learn the merges from `texts`; raises DataError where they hold nothing."""
        library = _library()
        lengths: list[int] = []

        def counted() -> Iterator[str]:
            for text in self._prepared(texts):
                lengths.append(len(text))
                yield text

        engine = library.Tokenizer(library.models.BPE())
        engine.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = library.trainers.BpeTrainer(
            vocab_size=self.size,
            min_frequency=self.min_count,
            show_progress=False,
            initial_alphabet=sorted(library.pre_tokenizers.ByteLevel.alphabet()),
        )
        engine.train_from_iterator(counted(), trainer)
        if not any(lengths):
            raise DataError("The texts hold no character; give texts that are not empty.")
        numbers = engine.get_vocab()
        tokens = sorted(numbers, key=numbers.__getitem__)
        merges = _merges_of(engine, numbers)
        self._install(tokens, merges)
        return self

    def tokens(self, text: str) -> list[str]:
        """The subwords of one text, each byte written as one character (a space as "Ġ")."""
        self.vocabulary  # noqa: B018 - raises before fit
        return self._engine.encode(next(self._prepared([text]))).tokens

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """The subword ids of each text; an empty text gives an empty list."""
        self.vocabulary  # noqa: B018 - raises before fit
        found = self._engine.encode_batch_fast(list(self._prepared(texts)))
        return [[number + 1 for number in row.ids] for row in found]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; bytes that are no character become "\ufffd"."""
        size = len(self.vocabulary)
        numbers = list(ids)
        for number in numbers:
            if not 0 <= number < size:
                raise DataError(f"Expected ids from 0 to {size - 1}, got {number}.")
        return self._engine.decode([number - 1 for number in numbers if number])

    def to_json(self) -> dict[str, Any]:
        """Settings, tokens and merges (pairs of token positions) as JSON values."""
        return {
            "kind": self.kind,
            "lower": self.lower,
            "tokens": list(self.vocabulary.words[1:]),
            "merges": [list(pair) for pair in self._merges],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The tokenizer of `to_json`; raises FormatError."""
        lower, tokens, merges = fields(value, cls.kind, {"lower": bool, "tokens": list, "merges": list})
        known = set(tokens) if all(isinstance(token, str) and token for token in tokens) else set()
        if len(known) != len(tokens) or len(tokens) < _BYTES:
            raise FormatError(f"tokenizer: expected at least {_BYTES} different subwords.")
        alphabet = {token for token in known if len(token) == 1}
        if alphabet != set(_library().pre_tokenizers.ByteLevel.alphabet()):
            raise FormatError("tokenizer: expected a subword for each byte.")
        for pair in merges:
            if not (
                isinstance(pair, list)
                and len(pair) == 2
                and all(type(place) is int and 0 <= place < len(tokens) for place in pair)
                and tokens[pair[0]] + tokens[pair[1]] in known
            ):
                raise FormatError(f"tokenizer: expected merges of two subwords into a third, got {shown(pair, 60)}.")
        if known - alphabet != {tokens[first] + tokens[second] for first, second in merges}:
            raise FormatError("tokenizer: expected a merge for each subword that is longer than a byte.")
        tokenizer = cls(size=len(tokens), lower=lower)
        tokenizer._install(tokens, [(first, second) for first, second in merges])
        return tokenizer

    def _install(self, tokens: list[str], merges: list[tuple[int, int]]) -> None:
        """An engine without special tokens, so that no text can spell padding; its ids are ours less one."""
        library = _library()
        numbers = {token: number for number, token in enumerate(tokens)}
        engine = library.Tokenizer(library.models.BPE(numbers, [(tokens[a], tokens[b]) for a, b in merges]))
        engine.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        engine.decoder = library.decoders.ByteLevel()
        self._engine, self._merges = engine, merges
        self.vocabulary_ = Vocabulary(tokens, unknown=None)

    def _prepared(self, texts: Iterable[str]) -> Iterator[str]:
        for place, text in enumerate(checked_texts(texts)):
            yield refuse_surrogates(text.lower() if self.lower else text, f"text {place} (counted from 0)")


def _library() -> Any:
    for part in ("decoders", "models", "pre_tokenizers", "trainers"):  # not imported by the package itself
        need(f"tokenizers.{part}", "a tokenizer of subwords")
    return need("tokenizers", "a tokenizer of subwords")


def _merges_of(engine: Any, numbers: Mapping[str, int]) -> list[tuple[int, int]]:
    """The merges of a trained engine, in order, as token positions."""
    found = json.loads(engine.to_str())["model"]["merges"]
    return [(numbers[first], numbers[second]) for first, second in found]
