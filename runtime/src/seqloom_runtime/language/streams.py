"""`LanguageStream`: texts token by token, and how likely each token is to come next."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import SettingError
from ..forward import Matrix
from ..forward.adaptive import log_softmax
from .sampling import one_row

__all__ = ["LanguageStream"]


class LanguageStream:
    """The state of `batch_size` running texts, each at its start: nothing is read but what `step` is given.

    One stream belongs to one thread at a time; any number of streams may share a model.
    """

    def __init__(self, network: Any, words: int, batch_size: int) -> None:
        """network: as `LanguageNetwork`. words: V."""
        self.batch_size, self.words = batch_size, words
        self._network, self._stream = network, network.stream(batch_size)
        self._matrix = None if network.softmax is not None else Matrix(network.weight)

    def step(self, ids: Any) -> np.ndarray:
        """The token that each text goes on with, (B,) whole numbers: ln P (B, V) of the token after it.

        Raises SettingError for numbers that are no tokens.
        """
        found = np.asarray(ids)
        if found.shape != (self.batch_size,) or found.dtype.kind not in "iu":
            raise SettingError(f"ids: expected {self.batch_size} whole numbers, got {found.dtype} of {found.shape}.")
        embedded = self._network.embedding(found)
        features = np.asarray(self._stream.step(embedded[0] if self.batch_size == 1 else embedded))
        if self._matrix is None:
            return self._network.logits(features.reshape(self.batch_size, -1))
        if self.batch_size == 1:
            logits = one_row(self._network.weight, features.ravel())[None]
        else:
            logits = self._matrix.of(features)
        return log_softmax(logits + self._network.bias)

    def reset(self) -> None:
        """Start new texts."""
        self._stream.reset()

    def state(self) -> Any:
        """A copy of the state, for `restore`."""
        return self._stream.state()

    def restore(self, state: Any) -> None:
        """Go on from a state of `state()`; raises SettingError where it doesn't fit."""
        self._stream.restore(state)
