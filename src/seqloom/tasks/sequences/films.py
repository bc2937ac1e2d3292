"""`FilmClassifier`: a label for each film, a sequence of frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from seqloom_runtime.data.pictures import shown_picture
from seqloom_runtime.data.sequences import Sequences
from seqloom_runtime.sequences.reading import check_size, films_of

from ..constraints import OneOf
from ..networks import films as _bodies  # registers the models of films
from ..networks import names_for
from ..parameters import constraints_of
from .base import ACTIVATION
from .classifier import SequenceClassifier
from .learning import network_spec
from .network import SequenceNetworkSpec

__all__ = ["FilmClassifier"]

_USUAL = (8, 8)  # for the checks that come before there is data
assert _bodies


@dataclass(kw_only=True, eq=False, repr=False)
class FilmClassifier(SequenceClassifier):
    """Tell which class a film belongs to: `nn.FrameEncoder` reads each frame, a recurrent network the frames in order.

    Parameters
    ----------
    model: rnn, gru or lstm, which go through the frames, or the baseline majority.
    The other parameters are those of `SequenceClassifier`; those of its convolutions over the steps change nothing.

    `fit(X, y)` takes films (N, T, H, W) or (N, T, H, W, C), or a list of films of unequal length. Attributes after fit:
    `picture_` (height, width of a frame), and those of `SequenceClassifier`.

    >>> films = np.zeros((40, 5, 8, 8), np.uint8)
    >>> for n, film in enumerate(films):
    ...     for t, frame in enumerate(film):
    ...         frame[2 + (t if n % 2 else -t) % 6, 1 + n % 5 : 3 + n % 5] = 255
    >>> model = FilmClassifier(units=12, epochs=2, batch_size=8).fit(films, ["up", "down"] * 20)
    >>> model.picture_, model.predict(films[:3]).shape
    ((8, 8), (3,))
    """

    _task: ClassVar[str] = "film-classifier"
    _constraints = constraints_of(
        "FilmClassifier", model=OneOf(names_for("films", after=("majority",))), activation=ACTIVATION
    )

    def _sequences(self, X: Any, what: str = "X") -> Sequences:
        """Films as their pixels one after the other, frame by frame."""
        found = films_of(X, what)
        known = getattr(self, "picture_", None)
        if known is not None and self.__sklearn_is_fitted__():
            check_size(X, found, known, what, films=True)
        return found

    def _network_spec(
        self, inputs: int, longest: int, outputs: int, picture: tuple[int, int] | None = None
    ) -> SequenceNetworkSpec:
        size = picture or _USUAL
        return network_spec(self, inputs, longest, outputs, False, task="films", joined=size[0] * size[1], picture=size)

    def _shown(self, sequences: Sequences, number: int) -> dict[str, Any]:
        """The frame in the middle."""
        assert sequences.picture is not None
        frames = np.asarray(sequences[number]).reshape(-1, *sequences.picture, sequences.width)
        pixels = frames[len(frames) // 2]
        if pixels.dtype != np.uint8:
            low, high = float(frames.min()), float(frames.max())
            pixels = ((pixels - low) * (255 / ((high - low) or 1.0))).astype(np.uint8)
        return {"picture": shown_picture(pixels if sequences.width in (1, 3) else pixels[:, :, :1])}
