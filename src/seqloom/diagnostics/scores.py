"""The table of scores: each one's name, heading, formula, unit and direction, and how it is computed.

Whatever measures, ranks, prints or draws scores reads this table. A score is added by an entry in `SCORES`; with
`measures` it is computed wherever outcomes of that kind are scored, and appears in metrics.json, tables and reports.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .alarm_scores import ALARM_SCORES
from .classification import accuracy, auc, balanced_accuracy, brier_score, f_score, log_loss
from .detection_scores import DETECTION
from .distributions import crps, mean_quantile_loss
from .metrics import mae, mase, rmse, rmsse, skill, smape
from .outcomes import Classes, Forecasts, Numbers
from .written_scores import WRITTEN

__all__ = ["SCORES", "Score", "lower_is_better", "measured", "score", "score_named"]


@dataclass(frozen=True)
class Score:
    """A number that says how good a model is.

    name: as in metrics.json. heading: of a column. phrase: in a sentence. meaning: one line, with the formula.
    unit: "" (none), "share" (0 to 1, shown in percent), "signed share", "percent" (0 to 100), "target" (the unit of
        what is predicted), "target²", "nats" or "bits".
    source: where it is defined, for the glossary.
    beside: the score without which this one says nothing, as false alarms do of a model that never alarms: the best of
        it is looked for only among models whose share there is at least half of the highest.
    measures: by kind of outcome ("classes", "numbers", "forecasts", "quantiles": the records of outcomes.py; "tokens":
        the mean loss in nats per token) what computes it; None where the outcome leaves it undefined.
    """

    name: str
    heading: str
    phrase: str
    meaning: str
    unit: str = ""
    lower_is_better: bool = False
    source: str = ""
    beside: str = ""
    measures: Mapping[str, Callable[[Any], float | None]] = field(default_factory=dict)


def score_named(name: str) -> Score:
    """The entry of a score; one that isn't in the table is called by its name.

    >>> score_named("log_loss").phrase, score_named("hit_rate").heading
    ('log loss', 'Hit rate')
    """
    plain = name.replace("_", " ")
    return SCORES.get(name) or Score(name, plain[:1].upper() + plain[1:], plain, plain)


def lower_is_better(name: str) -> bool:
    """Whether the score `name` is an error."""
    return name in SCORES and SCORES[name].lower_is_better


def measured(kind: str, outcome: Any) -> dict[str, float | None]:
    """Every score that is computed for outcomes of that kind, in the order of the table; None where it is undefined.

    >>> measured("tokens", math.log(8))["bits"]
    3.0
    """
    return {name: entry.measures[kind](outcome) for name, entry in SCORES.items() if kind in entry.measures}


def score(
    actual: Any,
    forecast: Any,
    *,
    target_scale: Any = None,
    mase_scale: Any = None,
    rmsse_scale: Any = None,
    baseline_mae: float | None = None,
) -> dict[str, float | int | None]:
    """All point errors of one model as a dict: mae, mae_scaled, rmse, rmse_scaled, mase, rmsse, smape, skill, windows.

    actual and forecast: (N,) or (N windows, K steps). target_scale: standard deviation of the target's training rows;
    mase_scale, rmsse_scale: from the functions of those names; each a number or one per window. baseline_mae: MAE of
    the baseline on the same windows. What can't be computed is None: an entry whose scale is not given, mase and rmsse
    where theirs is 0, skill where the baseline's error is 0. Raises DataError for unlike shapes, NaN or infinity.

    >>> score([[1.0], [2.0]], [[2.0], [4.0]], target_scale=3.0, baseline_mae=3.0)["mae_scaled"]
    0.5
    """
    outcome = Forecasts(np.asarray(actual), np.asarray(forecast), target_scale, mase_scale, baseline_mae, rmsse_scale)
    return {**measured("forecasts", outcome), "windows": len(outcome.actual) if outcome.actual.ndim else 1}


def _over(error: Callable[..., float], scale: str) -> Callable[[Forecasts], float | None]:
    """An error divided by that in-sample scale; None where there is none, or it is 0."""

    def measure(f: Forecasts) -> float | None:
        by = getattr(f, scale)
        return None if by is None or np.any(np.asarray(by) == 0) else error(f.actual, f.predicted, by)

    return measure


def _scaled(error: Callable[..., float]) -> Callable[[Forecasts], float | None]:
    return lambda f: None if f.target_scale is None else error(f.actual, f.predicted, scale=f.target_scale)


def _skill(f: Forecasts) -> float | None:
    # 0 as well as None: beside a baseline without error no skill is defined.
    return skill(mae(f.actual, f.predicted), f.baseline_mae) if f.baseline_mae else None


def _area(c: Classes) -> float | None:
    areas = [auc(c.actual == k, c.probabilities[:, k]) for k in c.curves]
    return float(np.mean(areas)) if areas else None


def _f1(c: Classes) -> float:
    return c.mean(c.each.f1) if c.probabilities.shape[1] == 2 else f_score(c.actual, c.predicted)


def _explained(n: Numbers) -> float | None:
    spread = float(np.mean((n.actual - n.actual.mean()) ** 2))
    return 1 - _mse(n) / spread if spread > 0 else None


def _mse(n: Numbers) -> float:
    return float(np.mean((n.predicted - n.actual) ** 2))


def _of_errors(error: Callable[..., float]) -> dict[str, Callable[[Any], float]]:
    """The same error of numbers and of forecasts."""
    return dict.fromkeys(("numbers", "forecasts"), lambda outcome: error(outcome.actual, outcome.predicted))


def _perplexity(nats: float) -> float:
    # Beyond 700 nats, of a model gone wrong, no float holds the perplexity.
    return math.exp(min(nats, 700.0))


_SKLEARN = "scikit-learn: sklearn.metrics.{}"
_HYNDMAN = "Hyndman & Koehler (2006), Another look at measures of forecast accuracy"

SCORES: dict[str, Score] = {
    entry.name: entry
    for entry in (
        Score(
            "accuracy",
            "Accuracy",
            "accuracy",
            "share of examples that are predicted right",
            "share",
            source=_SKLEARN.format("accuracy_score"),
            measures={"classes": lambda c: accuracy(c.actual, c.predicted)},
        ),
        Score(
            "balanced_accuracy",
            "Balanced acc.",
            "balanced accuracy",
            "mean recall over the classes",
            "share",
            source=_SKLEARN.format("balanced_accuracy_score"),
            measures={"classes": lambda c: balanced_accuracy(c.actual, c.predicted)},
        ),
        Score(
            "f1",
            "F1",
            "F1",
            "harmonic mean of precision and recall, 2PR / (P + R); over several classes the mean of each one's (macro)",
            "share",
            source=_SKLEARN.format("f1_score"),
            measures={"classes": _f1},
        ),
        Score(
            "precision",
            "Precision",
            "precision",
            "share of the predicted positives that are right, TP / (TP + FP)",
            "share",
            source=_SKLEARN.format("precision_score"),
            measures={"classes": lambda c: c.mean(c.each.precision)},
        ),
        Score(
            "recall",
            "Recall",
            "recall",
            "share of the actual positives that are found, TP / (TP + FN)",
            "share",
            source=_SKLEARN.format("recall_score"),
            measures={"classes": lambda c: c.mean(c.each.recall)},
        ),
        Score(
            "auc",
            "AUC",
            "area under the ROC curve",
            "probability that a positive example gets a higher score than a negative one",
            source=_SKLEARN.format("roc_auc_score"),
            measures={"classes": _area},
        ),
        Score(
            "context_auc",
            "Context AUC",
            "context AUC",
            "area under the ROC curve that tells words of one window of the text from words drawn by chance, by the "
            "cosine of their centred vectors; 0.5 is chance",
            source="the skip-gram's question (Mikolov et al. 2013), asked of any vectors",
        ),
        *(Score(**entry) for entry in (*WRITTEN, *DETECTION, *ALARM_SCORES)),
        Score(
            "log_loss",
            "Log loss",
            "log loss",
            "mean −log p(true class), natural logarithm",
            "nats",
            lower_is_better=True,
            source=_SKLEARN.format("log_loss"),
            measures={"classes": lambda c: log_loss(c.actual, c.probabilities)},
        ),
        Score(
            "brier",
            "Brier",
            "Brier score",
            "mean of ½ Σ (p − y)² over the classes: 0 perfect, 1 worst",
            lower_is_better=True,
            source="Brier (1950), Verification of forecasts expressed in terms of probability; halved",
            measures={"classes": lambda c: brier_score(c.actual, c.probabilities)},
        ),
        Score(
            "mae",
            "MAE",
            "mean absolute error",
            "mean |y − ŷ|",
            "target",
            lower_is_better=True,
            source=_SKLEARN.format("mean_absolute_error"),
            measures=_of_errors(mae),
        ),
        Score(
            "mae_scaled",
            "MAE (std.)",
            "standardised mean absolute error",
            "MAE divided by the standard deviation of the training rows",
            lower_is_better=True,
            source="MAE of standardised values",
            measures={"forecasts": _scaled(mae)},
        ),
        Score(
            "rmse",
            "RMSE",
            "root mean squared error",
            "√ mean (y − ŷ)²",
            "target",
            lower_is_better=True,
            source=_SKLEARN.format("root_mean_squared_error"),
            measures=_of_errors(rmse),
        ),
        Score(
            "rmse_scaled",
            "RMSE (std.)",
            "standardised root mean squared error",
            "RMSE divided by the standard deviation of the training rows",
            lower_is_better=True,
            source="RMSE of standardised values",
            measures={"forecasts": _scaled(rmse)},
        ),
        Score(
            "mse",
            "MSE",
            "mean squared error",
            "mean (y − ŷ)²",
            "target²",
            lower_is_better=True,
            source=_SKLEARN.format("mean_squared_error"),
            measures={"numbers": _mse},
        ),
        Score(
            "r2",
            "R²",
            "R²",
            "share of the variance that is explained, 1 − Σ(y − ŷ)² / Σ(y − ȳ)²",
            source=_SKLEARN.format("r2_score"),
            measures={"numbers": _explained},
        ),
        Score(
            "mase",
            "MASE",
            "mean absolute scaled error",
            "MAE divided by that of the naive forecast on the training rows",
            lower_is_better=True,
            source=_HYNDMAN,
            measures={"forecasts": _over(mase, "mase_scale")},
        ),
        Score(
            "rmsse",
            "RMSSE",
            "root mean squared scaled error",
            "RMSE divided by that of the naive forecast on the training rows",
            lower_is_better=True,
            source=f"{_HYNDMAN}; as in the M5 competition",
            measures={"forecasts": _over(rmsse, "rmsse_scale")},
        ),
        Score(
            "smape",
            "sMAPE",
            "symmetric mean absolute percentage error",
            "mean 200 |y − ŷ| / (|y| + |ŷ|), from 0 to 200 %",
            "percent",
            lower_is_better=True,
            source="Makridakis (1993), Accuracy measures; as in the M4 competition",
            measures={"forecasts": lambda f: smape(f.actual, f.predicted)},
        ),
        Score(
            "skill",
            "Skill",
            "skill score",
            "1 − MAE / MAE of the naive forecast; negative is worse than naive",
            "signed share",
            source="Murphy (1988), Skill scores based on the mean square error; here of the MAE",
            measures={"forecasts": _skill},
        ),
        Score(
            "coverage",
            "Within",
            "coverage",
            "share of actual values inside the prediction interval; perfectly calibrated where it equals the level",
            "share",
            source="Gneiting & Raftery (2007), Strictly proper scoring rules",
        ),
        Score(
            "width",
            "Width",
            "interval width",
            "mean width of the prediction interval",
            "target",
            lower_is_better=True,
            source="Gneiting & Raftery (2007), Strictly proper scoring rules",
        ),
        Score(
            "winkler",
            "Winkler",
            "Winkler score",
            "mean of the prediction interval's width plus 2 / (1 − level) times what lies outside it",
            "target",
            lower_is_better=True,
            source="Winkler (1972), A decision-theoretic approach to interval estimation",
        ),
        Score(
            "quantile_loss",
            "Quantile loss",
            "quantile loss",
            "mean pinball loss max(q (y − ŷ), (q − 1)(y − ŷ)) of the forecast and the ends of its intervals",
            "target",
            lower_is_better=True,
            source="Koenker & Bassett (1978), Regression quantiles",
            measures={"quantiles": lambda q: mean_quantile_loss(q.actual, q.quantiles, q.levels)},
        ),
        Score(
            "crps",
            "CRPS",
            "continuous ranked probability score",
            "∫ (F(x) − [x ≥ y])² dx, from the forecast and the ends of its intervals",
            "target",
            lower_is_better=True,
            source="Gneiting & Raftery (2007), Strictly proper scoring rules",
            measures={"quantiles": lambda q: crps(q.actual, q.quantiles, q.levels)},
        ),
        Score(
            "perplexity",
            "Perplexity",
            "perplexity",
            "exp(mean −log p(token)): as uncertain as an even choice among that many tokens",
            lower_is_better=True,
            source="Jelinek et al. (1977), Perplexity: a measure of the difficulty of speech recognition tasks",
            measures={"tokens": _perplexity},
        ),
        Score(
            "loss",
            "Loss",
            "loss",
            "mean −log p(token), natural logarithm (cross-entropy)",
            "nats",
            lower_is_better=True,
            source="PyTorch: torch.nn.CrossEntropyLoss",
            measures={"tokens": lambda nats: nats},
        ),
        Score(
            "bits",
            "Bits",
            "bits per token",
            "mean −log₂ p(token)",
            "bits",
            lower_is_better=True,
            source="Shannon (1951), Prediction and entropy of printed English",
            measures={"tokens": lambda nats: nats / math.log(2)},
        ),
        Score(
            "nll",
            "NLL",
            "negative log-likelihood",
            "mean −log p(all answers of a step), natural logarithm",
            "nats",
            lower_is_better=True,
            source="Boulanger-Lewandowski et al. (2012), Modeling temporal dependencies in high-dimensional sequences",
        ),
    )
}
"""Every score by name; ordered as in metrics.json and in tables."""
