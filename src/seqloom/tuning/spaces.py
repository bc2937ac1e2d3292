"""What is searched where nothing is said: for each model the parameters that matter to it, around their defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqloom_runtime.errors import SeqloomError

from .dimensions import Choice, Dimension, Range

__all__ = ["default_space"]

_RECURRENT = ("rnn", "elman", "gru", "lstm", "bilstm", "bigru", "encoder-decoder", "conv-gru")
_CONVOLUTIONAL = ("conv", "tcn", "cnn")
_SOLVED = ("linear", "nlinear", "dlinear")
_DROPOUTS = ("dropout", "input_dropout", "recurrent_dropout", "between_dropout", "embedding_dropout", "output_dropout")

_OF = {
    "recurrent": "learning_rate batch_size units layers input_dropout recurrent_dropout dropout output_dropout",
    "convolutional": "learning_rate batch_size units kernel_size input_dropout dropout",
    "solved": "",
    "bow": "strength weighting min_df",
    "embedding": "learning_rate window negatives subsample",
    "other": "learning_rate batch_size units dropout",
}
"""Parameters by kind of model, of which an estimator takes those that it has; a forecast also its lookback and the
normalisation of its windows."""


def default_space(estimator: Any, suits: Callable[[Any], bool] | None = None) -> dict[str, Dimension]:
    """The space of an estimator's model, around the values that it has; empty for a baseline.

    `suits`: whether the data allows such an estimator, asked of lookbacks, which a short table may not hold.

    >>> from seqloom.tasks import SequenceClassifier
    >>> list(default_space(SequenceClassifier(model="gru")))
    ['learning_rate', 'batch_size', 'units', 'layers', 'input_dropout', 'recurrent_dropout', 'dropout']
    """
    values, model = estimator.get_params(), str(estimator.get_params().get("model", ""))
    names = _OF[_kind_of(estimator, model)].split()
    found = {name: dimension for name in names if (dimension := _around(name, values)) is not None}
    if "anchor" in values and (found or model.removeprefix("log-") in _SOLVED):
        found |= _of_windows(estimator, model, suits)
    return found


def _kind_of(estimator: Any, model: str) -> str:
    bare = model.removeprefix("log-")
    if bare in _SOLVED or _is_baseline(estimator, bare):
        return "solved"
    if type(estimator).__name__ == "WordEmbedder":
        return "embedding"
    if bare == "bow":
        return "bow"
    if bare in _RECURRENT:
        return "recurrent"
    return "convolutional" if bare in _CONVOLUTIONAL else "other"


def _is_baseline(estimator: Any, model: str) -> bool:
    """Whether nothing is trained: the methods and baselines of the forecaster's and the other tasks' tables."""
    from ..diagnostics import BASELINES

    return model in (*BASELINES, "majority", "mean", "last", "ensemble", "memory", "frequent", "unigram", "bigram")


def _around(name: str, values: dict[str, Any]) -> Dimension | None:
    """The values to try of one parameter, None where the estimator has none of that name."""
    if name not in values:
        return None
    usual = values[name]
    if name in _DROPOUTS:
        return Range(0.0, 0.5)
    if name == "learning_rate":
        middle = usual or 0.002
        return Range(middle / 8, middle * 5, log=True)
    if name in ("units", "window"):
        middle = usual if isinstance(usual, int) and not isinstance(usual, bool) else None
        return None if middle is None else Range(max(2, middle // 2), 3 * middle, log=True, whole=True)
    if name == "layers":
        return Choice((1, 2)) if isinstance(usual, int) and usual <= 2 else None
    fixed: dict[str, Dimension] = {
        "batch_size": Choice((16, 32, 64, 128)),
        "kernel_size": Choice((2, 3, 5, 7)),
        "strength": Range(0.05, 50.0, log=True),
        "weighting": Choice(("count", "tfidf")),
        "min_df": Choice((1, 2, 5)),
        "negatives": Choice((5, 10, 15)),
        "subsample": Range(1e-5, 1e-2, log=True),
    }
    return fixed.get(name)


def _of_windows(estimator: Any, model: str, suits: Callable[[Any], bool] | None) -> dict[str, Dimension]:
    """Lookbacks that the table holds, and how a network reads its windows."""
    found: dict[str, Dimension] = {}
    usual = estimator.lookback
    if isinstance(usual, int) and not isinstance(usual, bool):
        every = estimator.every if isinstance(estimator.every, int) else 1
        wanted = [usual, *(n for n in (usual // 2, 2 * usual) if n >= 2 and n % every == 0)]
        held = [usual, *(n for n in wanted[1:] if suits is None or _may(estimator, n, suits))]
        if len(held) > 1:
            found["lookback"] = Choice(tuple(sorted(held)))
    if model.removeprefix("log-") not in ("nlinear", "dlinear") and estimator.normalise is None:
        found["normalise"] = Choice(("last", "standard"))
    return found


def _may(estimator: Any, lookback: int, suits: Callable[[Any], bool]) -> bool:
    try:
        return suits(type(estimator)(**{**estimator.get_params(), "lookback": lookback}))
    except SeqloomError:
        return False
