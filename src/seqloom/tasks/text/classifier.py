"""The text classifier: labelled texts in, a trained, calibrated and checked classifier out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from seqloom_runtime.data import WordTokenizer
from seqloom_runtime.data.parts import split_examples
from seqloom_runtime.errors import DataError, SettingError
from seqloom_runtime.text import TextPredictor
from seqloom_runtime.text.bow import BagClassifier
from seqloom_runtime.text.labels import as_texts
from seqloom_runtime.text.looking import Belief, Sentence

from ...diagnostics import softmax
from ...training import History
from ..cell_parameters import CellParameters
from ..checkpointing import Checkpointing
from ..comparison import Evaluation
from ..constraints import OneOf
from ..estimator import Estimator
from ..layer_fields import ACTIVATION
from ..measuring import measure_classes
from ..parameters import constraints_of
from .labels import as_labels, class_names, class_numbers, classes_of, positive_number, unseen
from .learning import Learned, Part, learn
from .looking import drawings
from .predicting import predictor
from .settings import BAGS, MODELS, check_settings

__all__ = ["TextClassifier"]

_SHOWN = 600  # characters of a text in the list of mistakes


class _Learned:
    """What `fit` sets, kept out of the estimator, whose fields are its parameters."""

    classes_: list[Any]
    tokenizer_: WordTokenizer
    learned_: Learned
    bag_: BagClassifier
    shares_: np.ndarray
    temperature_: float
    history_: History
    n_parameters_: int
    notes_: list[str]


@dataclass(kw_only=True, eq=False, repr=False)
class TextClassifier(_Learned, CellParameters, Estimator):
    """Tell which class a text belongs to, with a network, a bag of words, or the majority.

    Parameters that are None take the model's own value (`seqloom.tasks.text.settings.OWN`).

    Parameters
    ----------
    model: majority; bow (logistic regression over the words), bow-forest, bow-dense; pooled (mean of word vectors),
        flat, conv, inception, conv-lstm, rnn, gru, lstm, bigru, bilstm, han (hierarchical attention).
    max_words, min_count, lower, long_numbers, punctuation: the most frequent words of the training texts that are
        known, their least number, whether upper case counts as lower, whether numbers of three digits and more are told
        apart, not only their lengths, and whether networks read the marks ! ? . : / * $ £ € as words (where None, the
        recurrent ones do).
    max_length, keep: the "last" or "first" words of a longer text that networks read; bags read all.
    embedding_size, embedding_dropout, embeddings, freeze: numbers for each word, share of words dropped in a batch, a
        file of pretrained vectors (GloVe, word2vec), and whether these stay as they are.
    units, layers, activation, kernel_size, pool, hidden, dropout, input_dropout, recurrent_dropout, between_dropout:
        the network; units=(32, 64) and activation=("tanh", "relu") are those of each recurrent layer, and layers is
        then their number; pool is last, mean, max or attention (recurrent models), hidden a dense layer before the
        output.
    weighting, min_df, max_df, strength, trees: of bow and bow-forest: a mode of `seqloom.data.WordMatrix`; in how many
        texts a word may stand (numbers, or up to 1.0 shares); C of the regression; trees of the forest.
    epochs, steps_per_epoch, batch_size, optimizer, learning_rate, weight_decay, clip_norm, clip_value, schedule,
    warmup_steps, patience, smooth_monitor, average_weights: the training; see `seqloom.training.FitSettings`.
    validation_fraction: share of each class that is kept from training, where `fit` gets no `valid`: it picks the best
        epoch and calibrates.
    class_weight: None, "balanced", or {label: weight}.
    calibrate: divide the logits by the temperature that makes the validation texts likeliest (Guo et al. 2017).
    positive: of two classes the one whose F1, precision, recall and ROC are shown; the second in order by default.
    seed: the same seed gives the same bytes for the same number of threads.

    Attributes after fit
    --------------------
    `classes_`, `tokenizer_`, `learned_` (networks) or `bag_`, `shares_` (K,) of the classes in training,
    `temperature_`, `history_`, `n_parameters_`, `notes_`.

    >>> texts = ["win a free prize", "free cash prize", "see you at home", "are you home"] * 8
    >>> model = TextClassifier(model="pooled", epochs=30, learning_rate=0.05, dropout=0.0)
    >>> model.fit(texts, ["spam", "spam", "ham", "ham"] * 8).predict(["a free prize", "you at home"]).tolist()
    ['spam', 'ham']
    """

    _estimator_type: ClassVar[str] = "classifier"
    _fitted: ClassVar[str] = "temperature_"
    _constraints = constraints_of("TextClassifier", model=OneOf(MODELS), activation=ACTIVATION)

    # The model, and the words that it knows.
    model: str = "gru"
    max_words: int | None = None
    min_count: int = 1
    lower: bool = True
    long_numbers: bool = False
    punctuation: bool | None = None
    # What a network reads.
    max_length: int = 400
    keep: str = "last"
    embedding_size: int | None = None
    embedding_dropout: float | None = None
    embeddings: str | os.PathLike[str] | None = None
    freeze: bool = False
    # The shape of the network.
    units: int | Sequence[int] | None = None
    layers: int = 1
    activation: str | Sequence[str] | None = None
    kernel_size: int | None = None
    pool: str | None = None
    hidden: int | None = None
    dropout: float | None = None
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0
    # Bags of words.
    weighting: str = "tfidf"
    min_df: float = 1
    max_df: float = 1.0
    strength: float = 1.0
    trees: int = 100
    # How it trains.
    epochs: int | None = None
    steps_per_epoch: int | None = None
    batch_size: int | None = None
    optimizer: str = "adam"
    learning_rate: float | None = None
    weight_decay: float = 0.0
    clip_norm: float | None = 1.0
    clip_value: float | None = None
    schedule: str = "constant"
    warmup_steps: int = 0
    patience: int | None = 3
    smooth_monitor: float = 0.0
    average_weights: float | None = None
    # What is held back, how classes count, what is shown.
    validation_fraction: float = 0.1
    class_weight: str | Mapping[Any, float] | None = None
    calibrate: bool = True
    positive: Any = None
    seed: int = 0

    def check(self) -> None:
        """Raise SettingError where a parameter is out of range or doesn't go with another."""
        self._check_parameters()
        check_settings(self)

    def _packages(self) -> Mapping[str, str]:
        return {"sklearn": f"model={self.model!r}"} if self.model in BAGS else {}

    def fit(
        self,
        texts: Any,
        labels: Any,
        *,
        valid: Any = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> Self:
        """Fit on N texts and their labels (any hashable kind); `valid`, a pair (texts, labels), is not trained on.

        With `directory` the training of a network can be interrupted and resumed. Raises DataError for texts or labels
        that can't be used, SettingError for parameters that don't suit them, TrainingError where a value becomes NaN.
        """
        self.check()
        known = as_texts(texts)
        given = as_labels(labels, len(known))
        self._forget()
        classes = classes_of(given)
        positive_number(self.positive, classes)  # refuses a label that is none
        train, held, notes = self._parts(known, given, classes, valid)
        empty = sum(not text.strip() for text in known)
        if empty:
            notes.append(
                f"{empty:,} of {len(known):,} training texts {'is' if empty == 1 else 'are'} empty: the model "
                "learns which class is likely where there is nothing to read."
            )
        self._take(learn(self, classes, (train, held), notes, Checkpointing.make(directory, resume, on_event)))
        return self

    def logits(self, texts: Any) -> np.ndarray:
        """Numbers (N, K) before calibration, whose softmax are probabilities."""
        self._check_fitted()
        return self._predictor().logits(texts)

    def predict_proba(self, texts: Any) -> np.ndarray:
        """Calibrated probabilities (N, K), columns as in `classes_`."""
        self._check_fitted()
        return self._predictor().predict_proba(texts)

    def predict(self, texts: Any) -> np.ndarray:
        """The likeliest label of each text, (N,)."""
        self._check_fitted()
        return self._predictor().predict(texts)

    def score(self, texts: Any, labels: Any) -> float:
        """Accuracy, for scikit-learn's `cross_val_score` and `GridSearchCV`."""
        predicted = self.predict_proba(texts).argmax(axis=1)
        return float(np.mean(predicted == class_numbers(as_labels(labels, len(predicted)), self.classes_)))

    def evaluate(self, texts: Any, labels: Any) -> Evaluation:
        """Scores, predictions, and what is worth drawing: confusion, ROC, calibration, mistakes, belief, attention.

        A label that was not among the training texts counts as a class that is never predicted; `facts` says so.
        """
        self._check_fitted()
        known = as_texts(texts)
        given = as_labels(labels, len(known))
        strange = unseen(given, self.classes_)
        classes = [*self.classes_, *strange]
        logits = self.logits(known)
        p = _widened(softmax(logits, self.temperature_), len(classes))
        facts: dict[str, Any] = {"temperature": round(self.temperature_, 4)}
        if strange:
            told = ", ".join(f"{label!r} ({count:,})" for label, count in strange.items())
            facts["labels that training never saw, all counted as mistakes"] = told
        numbers = class_numbers(given, classes)
        return measure_classes(
            numbers,
            p,
            class_names(classes),
            positive=positive_number(self.positive, self.classes_),
            show=lambda row: {"text": _clipped(known[row])},
            uncalibrated=_widened(softmax(logits), len(classes)) if self.temperature_ != 1.0 else None,
            details={"facts": facts, **drawings(self, known, numbers, p, class_names(classes))},
        )

    def belief(self, text: str) -> Belief:
        """The probabilities after each word of a text, for rnn, gru and lstm: the last row is `predict_proba`'s.

        Raises SettingError for a model that reads in both directions or not word by word.
        """
        self._check_fitted()
        return self._predictor().belief(text)

    def attention(self, text: str) -> list[Sentence]:
        """How much each sentence, and each word in it, counted: for the model han alone."""
        self._check_fitted()
        return self._predictor().attention(text)

    def _predictor(self) -> TextPredictor:
        return predictor(self)

    def _parts(
        self, texts: list[str], labels: list[Any], classes: list[Any], valid: Any
    ) -> tuple[Part, Part, list[str]]:
        """The texts to train on, those to validate on, and what to say of these."""
        numbers = class_numbers(labels, classes)
        if valid is None:
            if not self.validation_fraction:
                return Part(texts, numbers), Part([], numbers[:0]), []
            train, held = _drawn(texts, numbers, float(self.validation_fraction), int(self.seed))
            return Part([texts[i] for i in train], numbers[train]), Part([texts[i] for i in held], numbers[held]), []
        if not isinstance(valid, (tuple, list)) or len(valid) != 2:
            raise SettingError(f"valid: expected a pair (texts, labels), got {type(valid).__name__}.")
        others = as_texts(valid[0])
        given = as_labels(valid[1], len(others))
        found = class_numbers(given, classes)
        strange = unseen(given, classes)
        notes = []
        if strange:
            notes.append(
                f"{sum(strange.values()):,} validation texts have labels that training never saw "
                f"({', '.join(map(repr, strange))}): they neither choose nor calibrate."
            )
        kept = np.flatnonzero(found >= 0)
        return Part(texts, numbers), Part([others[i] for i in kept], found[kept]), notes

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks: a classifier of texts."""
        from sklearn.utils import ClassifierTags

        tags = super().__sklearn_tags__()
        tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        tags.target_tags.required = True
        return tags


def _drawn(texts: list[str], numbers: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train and to validate on; equal texts stay together, a few texts are all trained on."""
    try:
        train, held, _ = split_examples(
            len(texts), fraction, 0.0, seed=seed % 2**32, strata=numbers.tolist(), groups=texts
        )
    except DataError:  # too few for a part of their own
        return np.arange(len(texts)), np.arange(0)
    return train, held


def _widened(p: np.ndarray, classes: int) -> np.ndarray:
    """(N, K) with a column of zeros for each class that training never saw."""
    return np.concatenate([p, np.zeros((len(p), classes - p.shape[1]))], axis=1)


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + " …"
