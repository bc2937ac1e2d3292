"""The evaluation of what is predicted at every step: labels, values, or yes-or-no answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..comparison import Evaluation
from ..measuring import measure_classes
from .coding import BinaryCoding, ClassCoding, Coding, NumberCoding
from .prepared import Examples
from .scoring import measure_values
from .shown import series_of, shown_steps

__all__ = ["evaluate_frames"]

_MOST_ROWS = 200_000  # of predictions.csv: there are many more steps than sequences
_MOST_SHOWN = 12


def evaluate_frames(coding: Coding, examples: Examples, outputs: np.ndarray) -> Evaluation:
    """Scores over the steps that count; `predictions` has `row` (the sequence) and `step`, both from 0.

    labels: the scores of classifiers. values: mae first, and mse, in the targets' unit. binary: `nll`, the negative log
    likelihood summed over the answers and averaged over the steps; `f1` of yes; `accuracy`, the share of right answers.
    """
    sequences = examples.sequences
    counted = np.flatnonzero(examples.weight > 0)
    row = np.repeat(np.arange(len(sequences)), sequences.lengths)[counted]
    step = counted - sequences.offsets[row]
    target, outputs = examples.target[counted], outputs[counted]
    if isinstance(coding, ClassCoding):
        names = [str(label) for label in coding.classes.tolist()]
        evaluation = measure_classes(
            target, coding.probabilities(outputs), names, rows=row, show=lambda n: {"text": f"at step {step[n]}"}
        )
        drawn: tuple[Any, ...] = (np.array(names)[target], np.array(names)[outputs.argmax(axis=1)])
    elif isinstance(coding, BinaryCoding):
        evaluation = _answers(coding, target, outputs, row)
        drawn = (target.sum(axis=1), coding.probabilities(outputs).sum(axis=1))
    else:
        assert isinstance(coding, NumberCoding)
        actual, predicted = coding.values(target), coding.values(outputs)
        evaluation = measure_values(actual, predicted, rows=row, show=lambda n: {"text": f"at step {step[n]}"})
        drawn = tuple(values if values.ndim == 1 else values[:, 0] for values in (actual, predicted))
    columns = evaluation.predictions
    each = len(columns["row"]) // len(row)
    columns = {"row": columns["row"], "step": np.repeat(step, each), **columns}
    most = max(1, _MOST_ROWS // each)
    if len(row) > most:  # whole stretches of the first sequences
        columns = {name: values[: most * each] for name, values in columns.items()}
    details = {**evaluation.details, "frames": _frames(examples, row, step, *drawn)}
    return replace(evaluation, predictions=columns, details=details)


def _answers(coding: BinaryCoding, target: np.ndarray, outputs: np.ndarray, row: np.ndarray) -> Evaluation:
    # log(1 + e^o) − o·y, for each answer.
    each = (np.logaddexp(0.0, outputs) - outputs * target).sum(axis=1)
    said, yes = outputs > 0, target > 0.5
    both = float((said & yes).sum())
    scores = {
        "nll": float(each.mean()),
        "f1": 2 * both / max(float(said.sum() + yes.sum()), 1.0),
        "accuracy": float((said == yes).mean()),
    }
    columns = {"row": row, "nll": each, "actual": yes.sum(axis=1), "predicted": said.sum(axis=1)}
    return Evaluation(scores, predictions=columns)


def _frames(
    examples: Examples, row: np.ndarray, step: np.ndarray, actual: np.ndarray, predicted: np.ndarray
) -> list[dict[str, Any]]:
    """Up to twelve sequences, evenly spread: what stands at the steps that count, in truth and as predicted."""
    numbers = np.unique(row)
    shown = []
    for number in numbers[:: -(-len(numbers) // _MOST_SHOWN)]:
        places = np.flatnonzero(row == number)
        places = places[shown_steps(len(places))]
        found = {"row": int(number), "actual": actual[places].tolist(), "predicted": predicted[places].tolist()}
        whole = len(places) == int(examples.sequences.lengths[number])
        shown.append(found | ({"series": series_of(examples.sequences, int(number))} if whole else {}))
    return shown
