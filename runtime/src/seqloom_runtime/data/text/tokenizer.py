"""What every tokenizer shares: fitted on training texts, texts to lists of ids and back, itself to and from JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from ...errors import DataError, FormatError, NotFittedError, SettingError, shown
from .vocabulary import Vocabulary

__all__ = ["Tokenizer", "checked_texts", "fields", "known"]


class Tokenizer(ABC):
    """Texts to lists of ids. `fit` sees the training texts alone and sets `vocabulary_`."""

    kind: ClassVar[str]
    vocabulary_: Vocabulary | None = None

    @property
    def vocabulary(self) -> Vocabulary:
        """The fitted vocabulary; raises NotFittedError before `fit`."""
        if self.vocabulary_ is None:
            raise NotFittedError(f"This {type(self).__name__} has no vocabulary yet; call fit(texts) first.")
        return self.vocabulary_

    @abstractmethod
    def fit(self, texts: Iterable[str]) -> Self:
        """Take the vocabulary from `texts`; raises DataError where they hold nothing."""

    @abstractmethod
    def tokens(self, text: str) -> list[str]:
        """The pieces of one text, spelled as in the text, before unknown ones are replaced."""

    @abstractmethod
    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """The ids of each text, none for a text without a known token where there is no unknown id."""

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """A text of these ids; padding is left out."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Everything that `load_tokenizer` needs, as JSON values."""

    @classmethod
    @abstractmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The tokenizer of `to_json`; raises FormatError where `value` is none."""


def checked_texts(texts: Iterable[str]) -> Iterator[str]:
    """`texts` one by one; raises SettingError for a single text, DataError with its place for one that is no text."""
    if isinstance(texts, (str, bytes)):
        raise SettingError("texts: expected a list of texts, got a single one; put it in a list.")
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(
                f"texts: expected text, text {place} (counted from 0) is {shown(text)} of type {type(text).__name__}; "
                "replace missing texts by empty ones or leave them out."
            )
        yield text


def fields(value: Mapping[str, Any], kind: str, types: Mapping[str, type | tuple[type, ...]]) -> list[Any]:
    """The values of exactly these fields and 'kind'; raises FormatError where one is missing, extra or ill-typed."""
    if not isinstance(value, Mapping) or value.get("kind") != kind or set(value) != {"kind", *types}:
        raise FormatError(f"tokenizer: expected the fields 'kind' ({shown(kind)}), {', '.join(map(repr, types))}.")
    for name, wanted in types.items():
        item = value[name]
        if not isinstance(item, wanted) or (isinstance(item, bool) and wanted is not bool):
            raise FormatError(f"tokenizer: field {shown(name)} holds {shown(item)}, which is of the wrong type.")
    return [value[name] for name in types]


def known(ids: Iterable[int], vocabulary: Vocabulary) -> Sequence[str]:
    """The words of `ids` without padding."""
    padding = vocabulary.padding_id
    return vocabulary.spell(number for number in ids if number != padding)
