"""Categories as inputs: one 0/1 input for each word, by the words of the training rows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Panel
from ..errors import DataError, FormatError, shown

if TYPE_CHECKING:
    from .features import Features

__all__ = ["MOST_WORDS", "Category", "fit_category", "later_fields", "notes_of", "unknown_words"]

MOST_WORDS = 20
"""Words of a category that have an input of their own."""


@dataclass(frozen=True)
class Category:
    """A column of words as inputs.

    words: those with an input each, most frequent in the training rows first. shares: of each among the training rows
    that hold one of them. other: whether there is one more input, for all that the training rows hold beside them:
    rarer words and missing cells. left: how many rarer words there are.

    A value that no input stands for is the input for others where that was trained, and otherwise takes the shares:
    the inputs' mean over the training rows, where a network is about as far from each word as it can be.
    """

    column: str
    words: tuple[str, ...]
    shares: tuple[float, ...]
    other: bool
    left: int = 0

    @property
    def width(self) -> int:
        """Number of inputs."""
        return len(self.words) + self.other

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs by name."""
        named = (f"{self.column} is {word}" for word in self.words)
        return (*named, *([f"{self.column} is another value"] if self.other else []))

    @property
    def unseen(self) -> str:
        """What a word that the training rows lack is read as."""
        return "another value" if self.other else "the mean of the words there"

    def inputs(self, panel: Panel) -> np.ndarray:
        """The inputs by row: (R, width) float32; NaN where the panel says nothing, as in rows ahead."""
        codes = panel.column(self.column)
        held = _words_of(panel, self.column)
        place = {word: at for at, word in enumerate(self.words)}
        rows = np.zeros((len(held) + 2, self.width), dtype=np.float32)  # by code; then missing, then not known
        rows[-1] = np.nan
        for code, word in enumerate((*held, None)):
            if word in place:
                rows[code, place[word]] = 1
            elif self.other:
                rows[code, -1] = 1
            else:
                rows[code] = self.shares
        known = ~np.isnan(codes)
        code = np.where(known, codes, len(held) + 1).astype(np.int64)
        return rows[np.where(code < 0, len(held), code)]

    def unknown(self, panel: Panel) -> tuple[tuple[str, ...], int]:
        """The words of the panel's rows that have no input of their own, and how many rows hold one of them."""
        codes = panel.column(self.column)
        held = _words_of(panel, self.column)
        present, counts = np.unique(codes[~np.isnan(codes) & (codes >= 0)], return_counts=True)
        other = {
            held[int(code)]: int(count) for code, count in zip(present, counts) if held[int(code)] not in self.words
        }
        return tuple(other), sum(other.values())

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"words": list(self.words), "shares": list(self.shares), "other": self.other, "left": self.left}

    @classmethod
    def from_json(cls, column: str, value: Any) -> Category:
        """Rebuild from `to_json`; raises FormatError where it is not that."""
        words: Any = None
        shares: Any = None
        left: Any = None
        good = isinstance(value, Mapping) and set(value) == {"words", "shares", "other", "left"}
        if good:
            words, shares, left = value["words"], value["shares"], value["left"]
            good = isinstance(words, list) and all(isinstance(word, str) for word in words)
            good = good and len(set(words)) == len(words) <= MOST_WORDS and isinstance(value["other"], bool)
            good = good and isinstance(left, int) and not isinstance(left, bool) and left >= 0
            good = good and isinstance(shares, list) and len(shares) == len(words)
            good = good and all(isinstance(share, float) and 0 < share <= 1 for share in shares)
            good = good and (bool(words) or value["other"]) and (value["other"] or not left)
        if not good:
            raise FormatError(
                f"features: expected the words of the category {shown(column)}, found {shown(value)}, which is not "
                "what this version writes."
            )
        return cls(column, tuple(words), tuple(shares), value["other"], left)


def _words_of(panel: Panel, column: str) -> tuple[str, ...]:
    if column not in panel.words:
        raise DataError(
            f"Column {shown(column)} is a category to the model, and holds numbers in this panel; name it in "
            "categories."
        )
    return panel.words[column]


def fit_category(panel: Panel, column: str, train_rows: np.ndarray) -> Category:
    """The inputs of a column of words, by the training rows (R,) bool; inserted rows don't count.

    Words as frequent as each other stand in the order of their first rows, so that other words make the same inputs.
    """
    held = _words_of(panel, column)
    at = panel.columns.index(column)
    codes = panel.values[train_rows & ~panel.filled[:, at] & ~np.isnan(panel.values[:, at]), at].astype(np.int64)
    found, first, counts = np.unique(codes[codes >= 0], return_index=True, return_counts=True)
    order = np.lexsort((first, -counts))
    kept, rest = order[:MOST_WORDS], order[MOST_WORDS:]
    if not len(found):
        raise DataError(
            f"Column {column!r} has no measured value in the training rows; leave it out or move the split."
        )
    total = int(counts[kept].sum())
    other = bool(len(rest)) or bool((codes < 0).any())
    shares = tuple(float(counts[word] / total) for word in kept)
    return Category(column, tuple(held[found[word]] for word in kept), shares, other, len(rest))


def later_fields(value: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The saved categories by column and the static columns, taken out of `value`, whose other fields every model has.

    Raises FormatError where they are no such thing.
    """
    if not isinstance(value, dict):
        return {}, ()
    words, static = value.pop("categories", {}), value.pop("static", [])
    good = isinstance(words, dict) and isinstance(static, list) and all(isinstance(name, str) for name in static)
    if not good or len(set(static)) != len(static):
        raise FormatError(
            f"features: expected categories by column and a list of static columns, found {shown(words)} and "
            f"{shown(static)}."
        )
    return words, tuple(static)


def unknown_words(features: Features, panel: Panel) -> list[str]:
    """What is to be said of the words of new rows that no input stands for."""
    notes = []
    for category in features.categories:
        words, rows = category.unknown(panel)
        if words and not category.left:  # rarer words of the training rows are nothing new
            listed = ", ".join(map(shown, words[:5])) + (", …" if len(words) > 5 else "")
            notes.append(
                f"{shown(category.column)}: {listed} in {rows:,} {'row' if rows == 1 else 'rows'} was never seen in "
                f"the training rows, so it is read as {category.unseen}."
            )
    return notes


def notes_of(categories: Sequence[Category]) -> list[str]:
    """What is to be said of categories whose rarer words share an input."""
    return [
        f"{shown(category.column)}: the {len(category.words)} most frequent words have an input each, "
        f"{category.left:,} rarer {'one shares' if category.left == 1 else 'ones share'} one."
        for category in categories
        if category.left
    ]
