"""What the three estimators of numeric sequences share: parameters, data made ready, fitting, saving."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from seqloom_runtime.data.sequences import Sequences
from seqloom_runtime.errors import SettingError
from seqloom_runtime.sequences.predictors import SequencePredictor
from seqloom_runtime.sequences.reading import check_channels

from ...training import EpochRow, History
from ..cell_parameters import CellParameters
from ..checkpointing import Checkpointing
from ..comparison import Evaluation
from ..estimator import Estimator
from ..layer_fields import ACTIVATION
from ..memory import count_weights, refuse_too_large
from ..training_parameters import TrainingParameters, fit_settings
from .coding import Coding
from .learning import learn, network_spec
from .models import BASELINES, SequenceModel
from .network import SequenceNetworkSpec, build_sequence_network
from .prepared import Examples, Scale, TrainingBatches
from .splitting import hold_out

__all__ = ["ACTIVATION", "SequenceEstimator"]


class _Learned:
    """What `fit` sets."""

    model_: SequenceModel
    coding_: Any
    scale_: Scale
    channels_: tuple[str, ...]
    lengths_: tuple[int, int]
    history_: History
    n_parameters_: int
    notes_: list[str]
    picture_: tuple[int, int] | None


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceEstimator(_Learned, CellParameters, TrainingParameters, Estimator):
    """Base of SequenceClassifier, SequenceRegressor and FrameModel.

    Parameters that all three have
    ------------------------------
    model: rnn, gru or lstm; tcn (a temporal convolutional network); conv (causal convolutions); conv-gru (convolutions,
        then a GRU); or one of the estimator's baselines.
    units, layers, bidirectional, reverse, activation, input_dropout, recurrent_dropout, between_dropout: of the
        recurrent layers, see `seqloom.nn.RecurrentOptions`; units=(32, 64) and activation=("tanh", "relu") are those of
        each layer, and layers is then their number. activation also of tcn and conv.
    levels, channels, kernel_size, dilation, dropout: of the convolutions. There are `levels` of `units` channels (by
        default as many as a tcn needs to see the longest sequence, 4 of conv, 2 of conv-gru), or as many as `channels`
        lists, of those widths. Taps stand dilation⁰, dilation¹, … steps apart, by default 2 for tcn, 1 for the others.
    scaling: "standard" brings each channel to mean 0 and standard deviation 1 over the training sequences, or "none".
    validation_fraction: of the sequences, drawn by the seed, that choose the best epoch where `fit` gets no `valid`;
        with 0 the training loss chooses.
    epochs, steps_per_epoch, batch_size, optimizer, learning_rate, weight_decay, clip_norm, clip_value, schedule,
    warmup_steps, patience, smooth_monitor, average_weights: the training; see `seqloom.training.FitSettings`.
    seed: the same seed gives the same bytes for the same number of threads.

    Attributes after fit
    --------------------
    `model_` (what predicts), `coding_` (what its outputs mean), `scale_`, `channels_` (names), `lengths_` (shortest and
    longest training sequence), `history_`, `n_parameters_`, `notes_` (what was decided, in sentences).
    """

    _fitted: ClassVar[str] = "notes_"
    _task: ClassVar[str]  # as model.json names it
    _predicts: ClassVar[type[SequencePredictor]]
    _every_step: ClassVar[bool] = False

    model: str = "gru"
    units: int | Sequence[int] = 32
    layers: int = 1
    bidirectional: bool = False
    reverse: bool = False
    activation: str | Sequence[str] | None = None
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0
    levels: int | None = None
    channels: Sequence[int] | None = None
    kernel_size: int = 5
    dilation: int | None = None
    dropout: float = 0.0
    scaling: str = "standard"
    validation_fraction: float = 0.2

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        valid: Any = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
        stop: Callable[[EpochRow], bool] | None = None,
    ) -> Self:
        """Fit on sequences: an array (N, T, C), or (N, T) of one channel, a list of arrays (T_n, C), or a `Sequences`.

        `valid`, a pair (X, y), chooses the best epoch in place of `validation_fraction`. With `directory` the training
        can be interrupted, and resumed to the same bytes; `stop(row)` ends it after an epoch, at a goal or when time is
        up. Raises DataError for data that can't be used, SettingError for settings that don't suit it, TrainingError
        where a value becomes NaN.
        """
        self._check_parameters()
        checkpoints = Checkpointing.make(directory, resume, on_event)
        examples = self._raw(self._sequences(X), y)
        if valid is not None:
            train, held = examples, self._held(valid, examples)
        else:
            kept, out = hold_out(
                len(examples.sequences), float(self.validation_fraction), int(self.seed), self._strata(examples)
            )
            train, held = examples.take(kept), examples.take(out) if len(out) else None
        coding, train, held = self._coded(examples, train, held)
        network = None
        if self.model not in BASELINES:
            sequences, longest = examples.sequences, int(train.sequences.lengths.max())
            network = self._network_spec(sequences.width, longest, coding.outputs, sequences.picture)
            fit_settings(self, len(train.sequences))
        self._forget()
        self._take(learn(self, coding, network, (train, held), checkpoints, stop))
        return self

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.model not in BASELINES:
            # The smallest data there can be: what is too large for that is refused before any data is read.
            spec = self._network_spec(1, 1, 1)
            weights = count_weights(lambda: build_sequence_network(spec, 0))
            refuse_too_large(self.model, weights, self.optimizer, grows_with="units")

    @abstractmethod
    def evaluate(self, X: Any, y: Any) -> Evaluation:
        """What the fitted model is worth on sequences and targets like those of `fit`."""

    @abstractmethod
    def _raw(self, sequences: Sequences, y: Any, what: str = "y") -> Examples:
        """Targets as they came, checked, with weight 0 where one doesn't count."""

    @abstractmethod
    def _coded(
        self, examples: Examples, train: Examples, held: Examples | None
    ) -> tuple[Coding, Examples, Examples | None]:
        """What the outputs will mean, learned from the training targets, and both parts in that coding."""

    def _sequences(self, X: Any, what: str = "X") -> Sequences:
        """What `fit` and `predict` are given, as sequences."""
        return Sequences.make(X, what=what)

    def _batches(self, train: Examples, scale: Scale, order: int, per_step: bool) -> TrainingBatches:
        """The training batches, in the order that the seed `order` draws."""
        return TrainingBatches(train, scale, int(self.batch_size), order, per_step=per_step)

    def _told_apart(self) -> dict[str, Any]:
        """Parameters of a subclass that a resumed training must have in common with the one it goes on from."""
        return {}

    def _network_spec(
        self, inputs: int, longest: int, outputs: int, picture: tuple[int, int] | None = None
    ) -> SequenceNetworkSpec:
        return network_spec(self, inputs, longest, outputs, self._every_step)

    def _strata(self, examples: Examples) -> np.ndarray | None:
        """Groups (N,) of sequences that a validation part should take evenly from."""
        return None

    def _held(self, valid: Any, examples: Examples) -> Examples:
        if not isinstance(valid, (tuple, list)) or len(valid) != 2:
            raise SettingError(f"valid: expected a pair (X, y) of sequences and targets, got {type(valid).__name__}.")
        sequences = self._sequences(valid[0], "valid X")
        check_channels(sequences, examples.sequences.channels, "valid X")
        return self._raw(sequences, valid[1], "valid y")

    @property
    def _predictor(self) -> Any:
        """What predicts, as the runtime has it."""
        self._check_fitted()
        picture = getattr(self, "picture_", None)
        return self._predicts(self._task, self.model_, self.coding_, self.channels_, picture, self.notes_)

    def _read(self, X: Any) -> Sequences:
        """New sequences, of the channels that `fit` saw."""
        return self._predictor.read(X)

    def _scored(self, X: Any, y: Any) -> tuple[Examples, np.ndarray]:
        """The examples in the coding of the fit, and the outputs for them."""
        self._check_fitted()
        examples = self._raw(self._read(X), y)
        coded = replace(examples, target=self.coding_.encode(examples.target))
        return coded, self.model_.outputs(coded.sequences)
