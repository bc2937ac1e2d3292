"""The table of parameters: each one's constraint, default, one-line help, panel, unit, and where its name comes from.

The estimators check their parameters against it, the command line makes its options and their help of it, and
docs/glossary.md lists it; a test holds signatures to it. Nothing heavy is imported, so that `--help` answers at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, cast

from .anomaly_parameters import ANOMALIES, DETECTOR, DETECTOR_CHANGES
from .caption_parameters import CAPTIONER, CAPTIONER_CHANGES
from .cell_parameters import CELL
from .common_parameters import COMMON
from .constraints import (
    WIDTH,
    AnyOf,
    Anything,
    Constraint,
    Numeric,
    OneOf,
    OneOrMore,
)
from .embedding_parameters import EMBEDDING
from .frame_parameters import FRAME_PREDICTOR, FRAMES, FRAMES_CHANGES
from .language_parameters import LANGUAGE
from .parameter import Parameter
from .picture_parameters import PICTURE, PICTURES
from .records_parameters import RECORD_MODEL, RECORD_MODEL_CHANGES, RECORDS
from .similarity_parameters import SIAMESE, SIAMESE_CHANGES, SIMILARITY
from .transcription_parameters import TRANSCRIBER, TRANSCRIBER_CHANGES, TRANSCRIPTION
from .translation_parameters import SEQ2SEQ, SEQ2SEQ_CHANGES, TRANSLATION

__all__ = ["ESTIMATORS", "PARAMETERS", "TRAINING", "Parameter", "constraints_of"]


PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        p.name: p
        for p in (
            *COMMON,
            *LANGUAGE,
            *EMBEDDING,
            *TRANSLATION,
            *ANOMALIES,
            *SIMILARITY,
            *FRAMES,
            *RECORDS,
            *TRANSCRIPTION,
            *PICTURES,
        )
    }
)
"""Every parameter by name, as most estimators have it."""

_TRAINING = (
    "epochs steps_per_epoch batch_size optimizer learning_rate weight_decay clip_norm clip_value schedule warmup_steps"
    " patience smooth_monitor average_weights"
)
TRAINING = (*_TRAINING.split(), "seed")
"""What every estimator that trains has."""

_CELL = " ".join(CELL)
_RECURRENT = f"units layers bidirectional reverse activation input_dropout recurrent_dropout between_dropout {_CELL}"
_BODY = f"{_RECURRENT} levels channels kernel_size dilation dropout"
_EACH_LAYER = {"constraint": OneOrMore(WIDTH), "help": "Hidden units per layer, or of each: 32,64", "unit": "N[,M,…]"}
_LEVELS = Parameter(
    "levels", Numeric(1, 30, whole=True, optional=True), None, "Convolutional levels", shown="as many as needed"
)


def _table(names: str, optional: str = "", **changes: Any) -> Mapping[str, Parameter]:
    """The parameters `names` in order; changes are defaults or fields of an entry; those of `optional` may be None."""
    found = {}
    for name in names.split():
        change = changes.pop(name, {})
        entry = change if isinstance(change, Parameter) else PARAMETERS[name]
        if name in optional.split():
            entry = replace(
                entry,
                constraint=replace(cast(Any, entry.constraint), optional=True),
                default=None,
                shown="the model's own",
            )
        if isinstance(change, dict):
            found[name] = replace(entry, **change)
        else:
            found[name] = entry if isinstance(change, Parameter) else replace(entry, default=change)
    return MappingProxyType(found)


def _sequence_table(names: str, own: str = "") -> Mapping[str, Parameter]:
    return _table(
        f"{names} scaling {own} validation_fraction {_TRAINING} seed",
        levels=_LEVELS,
        units=_EACH_LAYER,
        scaling={"constraint": OneOf(("standard", "none")), "default": "standard"},
        validation_fraction=0.2,
        channels={"constraint": AnyOf(WIDTH, "a list of widths, one for each level", optional=True, least=1)},
    )


_HELD_OUT = Numeric(0, 1, open_low=True, open_high=True)

ESTIMATORS: Mapping[str, Mapping[str, Parameter]] = MappingProxyType(
    {
        "Forecaster": _table(
            f"model members lookback horizon every at anchor normalise transform season calendar holidays missing_flags"
            f" scaling {_RECURRENT} channels"
            " kernel_size pool_size pooling patch linear_skip cell attention"
            " input_l1 input_l2 recurrent_l1 recurrent_l2 bias_l1 bias_l2 loss quantile distribution"
            f" {_TRAINING} solver split levels refit missing max_fill zone time_format resample aggregate duplicates"
            " fill non_negative fill_future categories static time_limit seed",
            optional="kernel_size epochs batch_size learning_rate schedule warmup_steps",
            units=_EACH_LAYER,
            pool_size=3,
            loss={"constraint": OneOf(("mae", "mse", "huber", "quantile", "quantiles")), "default": "mae"},
            levels=Parameter(
                "levels",
                AnyOf(Numeric(0, 100, open_low=True, open_high=True), "a list of percentages"),
                (80, 95),
                "Prediction intervals: their nominal coverage, in percent",
                "Task",
                "P,Q,…",
                flag="--level",
                source="Vovk et al. (2005), conformal prediction",
            ),
        ),
        "SequenceClassifier": _sequence_table(f"model {_BODY} pool_size pooling class_weight"),
        "PictureClassifier": _sequence_table(f"model {_BODY} pool_size pooling class_weight {PICTURE}"),
        "FilmClassifier": _sequence_table(f"model {_BODY} pool_size pooling class_weight"),
        "SequenceRegressor": _sequence_table(f"model {_BODY} pool_size pooling loss", "target_scaling"),
        "FrameModel": _sequence_table(f"model kind {_BODY} loss reduction score_last classes", "target_scaling"),
        "TextClassifier": _table(
            "model max_words min_count lower long_numbers punctuation max_length keep embedding_size embedding_dropout"
            " embeddings freeze units layers activation kernel_size pool hidden dropout input_dropout recurrent_dropout"
            f" between_dropout {_CELL} weighting min_df max_df strength trees {_TRAINING} validation_fraction"
            " class_weight calibrate positive seed",
            optional="embedding_size embedding_dropout kernel_size pool hidden dropout epochs batch_size learning_rate",
            units={
                **_EACH_LAYER,
                "constraint": OneOrMore(replace(WIDTH, optional=True)),
                "default": None,
                "shown": "the model's own",
            },
            max_words={"shown": "the model's own"},
            patience=3,
            class_weight={"constraint": Anything(), "unit": "balanced|L=W,…"},
        ),
        "SequenceTagger": _table(
            "model context crf embedding_size units layers activation word_dropout dropout input_dropout"
            f" recurrent_dropout {_CELL} lower digits min_count validation_fraction {_TRAINING} seed",
            model="bilstm",
            units={**_EACH_LAYER, "default": 100},
            word_dropout=0.05,
            dropout=0.3,
            input_dropout=0.3,
            validation_fraction={"constraint": _HELD_OUT},
            epochs=30,
            batch_size=16,
            learning_rate=0.002,
            clip_norm=5.0,
            schedule="cosine",
        ),
        "LanguageModel": _table(
            "model level join_spaced max_words min_count units layers activation kernel_size embedding_size tied"
            " softmax cutoffs embedding_dropout input_dropout recurrent_dropout between_dropout"
            f" {_CELL} output_dropout hidden_dropout activation_penalty temporal_penalty window vary_window scored"
            " scoring cache cache_weight cache_flatness dynamic_rate"
            f" validation_fraction {_TRAINING} averaging_patience seed",
            model="lstm",
            max_words={"panel": "Data"},
            min_count={"panel": "Data"},
            units={**_EACH_LAYER, "default": 200},
            layers=2,
            kernel_size=3,
            embedding_size={"constraint": replace(WIDTH, optional=True), "default": None, "shown": "as --units"},
            input_dropout=0.2,
            recurrent_dropout=0.2,
            output_dropout=0.2,
            validation_fraction={"constraint": _HELD_OUT},
            epochs=10,
            batch_size=20,
            learning_rate=0.003,
            schedule="cosine",
        ),
        "WordEmbedder": _table(
            "model embedding_size window negatives subsample x_max max_words min_count lower epochs learning_rate seed",
            optional="epochs learning_rate",
            model="skip-gram",
            window={
                "default": 5,
                "constraint": Numeric(1, 1000, whole=True),
                "help": "Window of word vectors: words on each side, at most",
                "source": "gensim: Word2Vec(window=)",
            },
            max_words={"panel": "Data"},
            min_count={"panel": "Data", "default": 5},
            lower={"panel": "Data"},
            epochs={"shown": "5, glove 25"},
            learning_rate={"shown": "0.025, cbow and glove 0.05"},
        ),
        "Captioner": _table(f"{CAPTIONER} {_TRAINING} seed", **CAPTIONER_CHANGES),
        "FramePredictor": _table(f"{FRAME_PREDICTOR} {_TRAINING} seed", **FRAMES_CHANGES),
        "Transcriber": _table(f"{TRANSCRIBER} {_TRAINING} seed", **TRANSCRIBER_CHANGES),
        "Seq2Seq": _table(f"{SEQ2SEQ} {_TRAINING} seed", **SEQ2SEQ_CHANGES),
        "SequenceSimilarity": _table(f"{SIAMESE} {_TRAINING} seed", **SIAMESE_CHANGES),
        "AnomalyDetector": _table(f"{DETECTOR} {_TRAINING} seed", **DETECTOR_CHANGES),
        "RecordModel": _table(f"{RECORD_MODEL} {_TRAINING} seed", **RECORD_MODEL_CHANGES),
    }
)
"""The parameters of each estimator by the name of its class, in the order of its signature."""


def constraints_of(estimator: str, **own: Constraint) -> dict[str, Constraint]:
    """The constraints of an estimator's parameters; `own` are those whose values a registry lists.

    >>> constraints_of("LanguageModel")["level"].words
    'one of word, char'
    """
    return {name: own.get(name, entry.constraint) for name, entry in ESTIMATORS[estimator].items()}
