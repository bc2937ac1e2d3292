"""`FramePredictor`: films in, their next frames out."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqloom_runtime.data.films import Films
from seqloom_runtime.frames.predictor import FramesPredictor, refuse_other_size

from ...training import History
from ..checkpointing import Checkpointing
from ..comparison import Evaluation
from ..constraints import OneOf
from ..estimator import Estimator
from ..parameters import constraints_of
from ..training_parameters import TrainingParameters
from .network import NETWORKS
from .simple import BASELINES

__all__ = ["FramePredictor"]


class _Learned:
    """What `fit` sets."""

    size_: tuple[int, int, int]
    plain_: bool
    range_: Any
    model_: Any
    history_: History | None
    n_parameters_: int
    notes_: list[str]


@dataclass(kw_only=True, eq=False, repr=False)
class FramePredictor(_Learned, TrainingParameters, Estimator):
    """Predicts the next frames of a film, such as radar images of rain, from those before.

    model: conv-gru or conv-lstm (recurrent layers whose products are convolutions); or a baseline: persistence, the
        last frame again, or advection, the last frame carried along its motion, matched in blocks.
    lookback, horizon: frames that are seen, and frames that are predicted.
    units, layers, kernel_size: of the recurrent layers. patch_size: side of the squares of pixels that they read as
        one.
    reach: pixels that something moves from a frame to the next, at most: of the network's read-out, and of the
        advection's matching.
    loss: mse or mae. validation_fraction: of the films, drawn at random, where `fit` gets no `valid`; of a single film
        its end.
    The other parameters are those of training (`seqloom.training.FitSettings`).

    >>> square = np.zeros((6, 12, 12)); square[:, 3:6, 3:6] = 1.0
    >>> films = np.stack([np.stack([np.roll(f, n * s, axis=1) for n, f in enumerate(square)]) for s in (0, 1, 1, 1)])
    >>> model = FramePredictor(model="advection", lookback=4, horizon=2, reach=2).fit(films)
    >>> float(np.abs(model.predict(films[1:2, :4]) - films[1:2, 4:]).max()) < 0.1
    True
    """

    _fitted = "model_"
    _constraints = constraints_of("FramePredictor", model=OneOf((*NETWORKS, *BASELINES)))

    model: str = "conv-gru"
    lookback: int = 6
    horizon: int = 3
    units: int = 32
    layers: int = 1
    kernel_size: int = 3
    patch_size: int = 2
    reach: int = 3
    loss: str = "mse"
    validation_fraction: float = 0.1
    batch_size: int = 16
    learning_rate: float = 0.002
    schedule: str = "cosine"

    def fit(
        self,
        films: Any,
        *,
        valid: Any = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> Self:
        """Learn from films: an array (N, T, Y, X) or (N, T, Y, X, C), one film (T, Y, X), a list of films, or `Films`.

        valid: other films, which pick the best epoch. directory, resume, on_event: of `seqloom.training.fit`. Raises
        SettingError for parameters out of range, DataError for films that can't be used.
        """
        from .learning import learn, split_films

        self._check_parameters()
        train = Films.make(films, "films")
        if valid is None:
            span = int(self.lookback) + int(self.horizon)
            train, held = split_films(train, float(self.validation_fraction), int(self.seed), span)
        else:
            held = Films.make(valid, "valid films")
            refuse_other_size(held, train.size, "valid films")
        self._forget()
        self._take(learn(self, train, held, Checkpointing.make(directory, resume, on_event)))
        return self

    def predict(self, films: Any, horizon: int | None = None) -> np.ndarray:
        """The frames that follow each film, (N, K, Y, X) or (N, K, Y, X, C) as in `fit`, float32.

        horizon: K, those of `fit` where None. Raises DataError for a film of fewer than `lookback` frames or of another
        size.
        """
        return self._predictor.predict(films, horizon)

    def evaluate(self, films: Any) -> Evaluation:
        """Root mean squared and mean absolute error of a pixel, over every window of the films."""
        from .measuring import measure_frames

        return measure_frames(self, self._predictor.read(films))

    @property
    def _predictor(self) -> FramesPredictor:
        """What predicts, as the runtime has it."""
        from .learning import ahead_of

        self._check_fitted()
        found = ahead_of(self.model_, self.range_)
        return FramesPredictor(found, self.size_, self.plain_, int(self.lookback), int(self.horizon), self.notes_)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.model in NETWORKS:
            from .learning import check_memory, frame_spec

            check_memory(frame_spec(self, (1, 1, 1)), self.optimizer)  # the shape raises for what doesn't go together
