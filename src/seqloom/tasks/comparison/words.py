"""The comparison in sentences: who won on the validation part, what the test part says to that, and chance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...diagnostics import score_named, sign_test
from .evaluation import Evaluation

__all__ = ["statements"]

_RARE = 0.05  # the usual level of significance


def statements(valid: Mapping[str, Evaluation], test: Mapping[str, Evaluation], baseline: str, best: str) -> list[str]:
    """One sentence on the winner, one per model against the baseline, and one where chance could explain the lead."""
    score = score_named(valid[baseline].first).phrase
    told = []
    if best == baseline:
        told.append(f"No model did better than {baseline} on validation, by {score}.")
    elif not _better(test, best, baseline):
        told.append(f"{best} won on validation, but did no better than {baseline} on test, by {score}.")
    told += [
        f"{model}: {score} {_judged(valid, model, baseline)} on validation, {_judged(test, model, baseline)} on test."
        for model in valid
        if model != baseline
    ]
    rivals = [model for model in valid if model != best and _chance(test[best], test[model]) is not None]
    if rivals:
        rival = rivals[0]
        for model in rivals[1:]:
            rival = model if _better(test, model, rival) else rival
        odds = _chance(test[best], test[rival])
        if odds is not None and odds > _RARE:
            told.append(
                f"On test there is no significant difference between {best} and {rival} "
                f"(paired sign test, p = {odds:.2f})."
            )
    return told


def _better(part: Mapping[str, Evaluation], model: str, than: str) -> bool:
    first = part[than].first
    return part[than].better(part[model].scores[first], part[than].scores[first])


def _judged(part: Mapping[str, Evaluation], model: str, baseline: str) -> str:
    first = part[model].first
    mine, theirs = (part[name].scores[first] for name in (model, baseline))
    if mine == theirs:
        return f"the same as {baseline} ({_figure(first, mine)})"
    word = "better" if _better(part, model, baseline) else "worse"
    return f"{word} than {baseline} ({_figure(first, mine)} against {_figure(first, theirs)})"


def _figure(score: str, value: float) -> str:
    """A score's value as its column shows it: shares in percent."""
    return f"{100 * value:.2f} %" if score_named(score).unit == "share" else f"{value:.4g}"


def _chance(one: Evaluation, other: Evaluation) -> float | None:
    """The sign test over examples, right against wrong or the smaller error; None where rows can't be paired."""
    mine, theirs = _penalties(one), _penalties(other)
    if mine is None or theirs is None or mine.shape != theirs.shape:
        return None
    return sign_test(int((mine < theirs).sum()), int((mine > theirs).sum()))


def _penalties(evaluation: Evaluation) -> np.ndarray | None:
    actual, predicted = (evaluation.predictions.get(name) for name in ("actual", "predicted"))
    if actual is None or predicted is None:
        return None
    if actual.dtype.kind in "fiu" and predicted.dtype.kind == "f":
        return np.abs(actual - predicted)
    return (actual != predicted).astype(np.float64)
