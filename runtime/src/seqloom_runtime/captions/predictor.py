"""`CaptionPredictor`: pictures in, a text for each out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..data.captioned import checked_pictures
from ..errors import DataError, SettingError
from ..pixel_range import Range
from ..translation.tokens import Tokens
from ..untrained import Predictor
from ..writing import Written, searched
from .nearest import Nearest

__all__ = ["AT_ONCE", "BARRED", "CaptionPredictor", "refuse_other_size"]

AT_ONCE = 64  # pictures that are written of side by side
BARRED = (0, 1)
"""The ids that are never written: padding and the unknown word."""
_END = "⏎"


@dataclass(frozen=True, eq=False, repr=False)
class CaptionPredictor(Predictor):
    """Writes what a picture shows. model: a network, or the nearest training picture. size: (height, width, channels).
    longest: tokens that a text may have, its end among them. beams, strength: of the search, one beam is greedy."""

    model: Any
    size: tuple[int, int, int]
    range: Range
    target: Tokens
    longest: int
    beams: int
    strength: float
    notes: Sequence[str] = field(default=())

    def predict(self, pictures: Any) -> list[str]:
        """The text written of each picture; raises DataError for pictures of another size."""
        return [text for text, _ in self.written(self.read(pictures))]

    def attend(self, picture: Any) -> tuple[list[str], np.ndarray]:
        """The tokens written of one picture, the end behind them, and the weights (K, Y', X') that each gave the
        places; raises SettingError where the model has no attention."""
        found = self.written(self.read([picture]))[0][1]
        if found is None or found.attention is None:
            raise SettingError("attention: this model has none; fit one with attention='additive' or 'multiplicative'.")
        return self.tokens_drawn(found), found.attention.reshape(-1, *self.model.shape.places)

    def read(self, pictures: Any) -> np.ndarray:
        """Pictures (N, Y, X, C), of the size that `fit` saw."""
        found = checked_pictures(pictures, "pictures")[0]
        refuse_other_size(found, self.size, "pictures")
        return found

    def written(self, pictures: np.ndarray) -> list[tuple[str, Written | None]]:
        """For each picture (N, Y, X, C) the text, and what the search found (of the nearest picture None)."""
        if isinstance(self.model, Nearest):
            return [(text, None) for text in self.model.texts_for(self.range.scaled(pictures))]
        found: list[tuple[str, Written | None]] = []
        size = max(1, AT_ONCE // self.beams)
        for first in range(0, len(pictures), size):
            read = self.model.encode(self.range.scaled(pictures[first : first + size]))
            how: dict[str, Any] = {"beams": self.beams, "strength": self.strength, "longest": self.longest}
            found += [(self.target.text(text.ids), text) for text in searched(self.model, read, BARRED, **how)]
        return found

    def tokens_drawn(self, found: Written) -> list[str]:
        """The tokens of a text as they are drawn, the end behind them, as many as have weights."""
        assert found.attention is not None
        return [*self.target.plain(self.target.vocabulary.spell(found.ids)), _END][: len(found.attention)]


def refuse_other_size(pictures: np.ndarray, size: tuple[int, ...], what: str) -> None:
    """Raise DataError for pictures of another size."""
    if pictures.shape[1:] != tuple(size):
        sides = [" × ".join(map(str, each)) for each in (size, pictures.shape[1:])]
        raise DataError(f"{what}: expected {sides[0]} (height, width, channels) as in fit, got {sides[1]}.")
