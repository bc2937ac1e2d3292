"""The columns of the table of models of sequences and texts: what each score is called, means and looks like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .saved import ordered_models
from .score_cells import Cell, Column, best_of, decimals_of
from .wording import decimals_for, fixed, per_cent, whole

__all__ = ["ScoreWords", "chosen_by", "score_text", "score_words", "task_columns"]


@dataclass(frozen=True)
class ScoreWords:
    """How a score is told: as a heading, in a sentence, what it means, and whether it is a share."""

    heading: str
    name: str
    meaning: str
    share: bool = False


_WORDS: Mapping[str, ScoreWords] = {
    "accuracy": ScoreWords("Accuracy", "accuracy", "share of examples that were predicted right", True),
    "balanced_accuracy": ScoreWords(
        "Balanced acc.", "balanced accuracy", "mean over classes of the share that was found", True
    ),
    "f1": ScoreWords("F1", "F1", "harmonic mean of precision and recall", True),
    "precision": ScoreWords("Precision", "precision", "share of what was predicted that is right", True),
    "recall": ScoreWords("Recall", "recall", "share of what is there that was found", True),
    "auc": ScoreWords("AUC", "area under the ROC curve", "how often a positive example ranks above a negative one"),
    "log_loss": ScoreWords("Log loss", "log loss", "mean −ln of the probability of what was the case"),
    "brier": ScoreWords("Brier", "Brier score", "mean squared error of the probabilities, halved"),
    "mae": ScoreWords("MAE", "mean absolute error", "mean absolute error"),
    "rmse": ScoreWords("RMSE", "root mean squared error", "root of the mean squared error"),
    "mse": ScoreWords("MSE", "mean squared error", "mean squared error"),
    "r2": ScoreWords("R²", "R²", "share of the variance that is explained"),
    "perplexity": ScoreWords("Perplexity", "perplexity", "guessing evenly among that many words does as well"),
    "bits": ScoreWords("Bits", "number of bits per token", "mean −log2 of the probability of each token"),
    "nll": ScoreWords("NLL", "negative log likelihood", "mean −ln of the probability of all answers of a step"),
    "loss": ScoreWords("Loss", "loss", "mean −ln of the probability of each token"),
    "bits_per_character": ScoreWords("Bits/char.", "bits per character", "bits that a character costs"),
}


def score_words(name: str) -> ScoreWords:
    """The words of a score; one that is not known is called by its name."""
    plain = name.replace("_", " ")
    return _WORDS.get(name) or ScoreWords(plain[:1].upper() + plain[1:], plain, plain)


def score_text(name: str, value: float | None) -> str:
    """One value of a score for a sentence.

    >>> score_text("accuracy", 0.9187), score_text("perplexity", 114.731)
    ('91.87 %', '114.7')
    """
    return per_cent(value, 2) if score_words(name).share else fixed(value, decimals_for([value]))


def task_columns(metrics: Mapping[str, Any]) -> list[Column]:
    """Parameters, then each score on validation and on test, models in the order of `ordered_models`."""
    names = ordered_models(metrics)
    models = [metrics["models"][name] for name in names]
    columns = [
        Column(
            "", "Parameters", "numbers that were fitted", tuple(Cell(whole(model["parameters"])) for model in models)
        )
    ]
    for split in ("valid", "test"):
        for score in metrics["scores"]:
            values = [model[split].get(score) for model in models]
            if all(value is None for value in values):
                continue
            words = score_words(score)
            best = best_of(values, min if score in metrics["lower_is_better"] else max)
            decimals = decimals_of(values)
            cells = tuple(
                Cell(per_cent(v, 2) if words.share else fixed(v, decimals), i in best) for i, v in enumerate(values)
            )
            columns.append(Column(split, words.heading, words.meaning, cells))
    return columns


def chosen_by(metrics: Mapping[str, Any]) -> str:
    """What the chosen model is best at."""
    return f"chosen by {score_words(metrics['scores'][0]).name} on the validation part"
