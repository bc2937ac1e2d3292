"""`FramesPredictor`: the frames that follow those of films, and what predicts them: a network or a baseline.

Each has `ahead(frames, count)`: frames (B, L, Y, X, C) in their unit → the next `count`, (B, count, Y, X, C) float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..data.films import Films
from ..errors import DataError, SettingError, shown
from ..pixel_range import Range
from ..untrained import Predictor
from .advection import advected
from .network import FrameNetwork

__all__ = [
    "Advection",
    "Ahead",
    "FramesPredictor",
    "NetworkAhead",
    "Persistence",
    "predicted",
    "refuse_other_size",
    "windows_of",
]

_AT_ONCE = 32
_MOST = 10_000  # frames ahead


class Ahead(Protocol):
    """What predicts frames."""

    def ahead(self, frames: np.ndarray, count: int) -> np.ndarray:
        """Frames (B, L, Y, X, C) → the next `count`, (B, count, Y, X, C)."""
        ...


class Persistence:
    """The last frame, again and again."""

    def ahead(self, frames: np.ndarray, count: int) -> np.ndarray:
        """Frames (B, L, Y, X, C) → the next `count`, (B, count, Y, X, C)."""
        return np.repeat(frames[:, -1:].astype(np.float32), count, axis=1)


@dataclass(frozen=True)
class Advection:
    """The last frame carried along the motion of blocks × blocks parts, each matched up to `reach` pixels."""

    blocks: int
    reach: int

    def ahead(self, frames: np.ndarray, count: int) -> np.ndarray:
        """Frames (B, L, Y, X, C) → the next `count`, (B, count, Y, X, C)."""
        return advected(frames.astype(np.float32), count, blocks=self.blocks, reach=self.reach)


@dataclass(frozen=True, eq=False)
class NetworkAhead:
    """A network, whose frames go from 0 to 1 by `range`."""

    network: FrameNetwork
    range: Range

    def ahead(self, frames: np.ndarray, count: int) -> np.ndarray:
        """Frames (B, L, Y, X, C) → the next `count`, (B, count, Y, X, C)."""
        return self.range.restored(self.network(self.range.scaled(frames), count))


@dataclass(frozen=True, eq=False, repr=False)
class FramesPredictor(Predictor):
    """Predicts the next frames of a film. size: (height, width, channels). plain: whether frames came without an axis
    of channels. lookback, horizon: frames that are seen, and that are predicted where nothing else is asked."""

    model: Ahead
    size: tuple[int, int, int]
    plain: bool
    lookback: int
    horizon: int
    notes: Sequence[str] = field(default=())

    def predict(self, films: object, horizon: int | None = None) -> np.ndarray:
        """The frames that follow each film, (N, K, Y, X) or (N, K, Y, X, C) as in `fit`, float32.

        horizon: K, those of `fit` where None. Raises DataError for a film of fewer than `lookback` frames or of another
        size.
        """
        found = self.read(films)
        ahead = self.horizon if horizon is None else horizon
        if isinstance(ahead, bool) or not isinstance(ahead, int) or not 1 <= ahead <= _MOST:
            raise SettingError(f"horizon: expected a number of frames of at least 1, got {shown(horizon)}.")
        back = self.lookback
        for number, length in enumerate(found.lengths):
            if length < back:
                raise DataError(f"films, film {number}: expected at least {back} frames (lookback), got {length}.")
        parts = predicted(self.model, found, found.offsets[1:] - back, back, ahead, back)
        frames = np.concatenate([ahead for _, ahead in parts])
        return frames[..., 0] if self.plain else frames

    def read(self, films: object) -> Films:
        """Films of the size that `fit` saw; raises DataError for others."""
        found = Films.make(films, "films")
        refuse_other_size(found, self.size, "films")
        return found


def predicted(
    model: Ahead, films: Films, starts: np.ndarray, lookback: int, ahead: int, known: int | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Windows of L + K frames (of `known` where the later ones are not there) and the K frames predicted, by part."""
    span = lookback + ahead if known is None else known
    for first in range(0, len(starts), _AT_ONCE):
        windows = windows_of(films, starts[first : first + _AT_ONCE], span)
        yield windows, model.ahead(windows[:, :lookback], ahead)


def windows_of(films: Films, starts: np.ndarray, span: int) -> np.ndarray:
    """The frames (W, span, Y, X, C) from the rows `starts` on."""
    return films.frames[starts[:, None] + np.arange(span)]


def refuse_other_size(films: Films, size: tuple[int, int, int], what: str) -> None:
    """Raise DataError for frames of another size."""
    if films.size != size:
        sides = [" × ".join(map(str, each)) for each in (size, films.size)]
        raise DataError(f"{what}: expected frames of {sides[0]} (height, width, channels) as in fit, got {sides[1]}.")
