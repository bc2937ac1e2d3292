"""Data of its own to choose by and to be judged by, where a search is given none: drawn from the data by the seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqloom_runtime.data.parts import split_examples
from seqloom_runtime.errors import DataError, SettingError, shown

from ..training import derive_seed

__all__ = ["drawn_parts"]

_USUAL = 0.2
_CLASSES = ("SequenceClassifier", "PictureClassifier", "FilmClassifier", "TextClassifier")
_RUNNING = ("LanguageModel", "WordEmbedder")


def drawn_parts(estimator: Any, data: tuple[Any, ...], valid: Any, test: Any) -> dict[str, tuple[Any, ...]]:
    """The parts of a search, "train", "valid" and "test": those given, and for each of the others a share of the data.

    The share is the estimator's `validation_fraction`, of what is left. Examples are drawn by the seed with equal
    shares of each label, equal texts together; of a running text and of a single film the end is taken, in order.
    Raises DataError where there are too few.
    """
    parts: dict[str, Any] = {"train": data}
    for name, given in (("test", test), ("valid", valid)):
        if given is not None:
            parts[name] = given if isinstance(given, tuple) else (given,)
        else:
            parts["train"], parts[name] = _apart(estimator, parts["train"], name)
    return {name: parts[name] for name in ("train", "valid", "test")}


def _apart(estimator: Any, data: tuple[Any, ...], name: str) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The data without a share, and the share."""
    kind, share = type(estimator).__name__, float(getattr(estimator, "validation_fraction", 0) or _USUAL)
    seed = derive_seed(int(getattr(estimator, "seed", 0)), "part of a search", name)
    if kind in _RUNNING:
        return _of_text(estimator, data, share)
    if kind == "FramePredictor":
        from seqloom_runtime.data.films import Films

        from ..tasks.frames.learning import split_films

        span = int(estimator.lookback) + int(estimator.horizon)
        kept, held = split_films(Films.make(data[0], "data"), share, seed, span)
        return (kept,), (held,)
    counts = [_count(column) for column in data]
    if len(set(counts)) != 1:
        raise DataError(f"data: expected as many of each, got {' and '.join(f'{count:,}' for count in counts)}.")
    texts = data[0] if isinstance(data[0], (list, tuple)) and all(isinstance(each, str) for each in data[0]) else None
    strata = _labels(data[-1]) if kind in _CLASSES else None
    first: Any = data[0]
    if kind == "RecordModel":
        strata = first.positive().tolist()
    kept, held, _ = split_examples(counts[0], share, 0.0, seed=seed, strata=strata, groups=texts)
    return tuple(_take(column, kept) for column in data), tuple(_take(column, held) for column in data)


def _of_text(estimator: Any, data: tuple[Any, ...], share: float) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """A running text, or its lines, in order."""
    from ..tasks.language.learning import split_text

    text = data[0]
    if isinstance(text, (list, tuple)):
        cut = len(text) - round(share * len(text))
        if not 0 < cut < len(text):
            raise DataError(f"data: expected lines to learn from and to hold back, got {len(text)}.")
        return (text[:cut],), (text[cut:],)
    first, last = split_text(text, str(getattr(estimator, "level", "word")), share)
    return (first,), (last,)


def _labels(column: Any) -> list[Any]:
    """A label for each example, as text where it is several."""
    values = column.tolist() if isinstance(column, np.ndarray) else list(column)
    return [value if isinstance(value, (str, int, float)) else str(value) for value in values]


def _count(column: Any) -> int:
    try:
        return len(column)
    except TypeError:
        raise SettingError(
            f"valid, test: of a {shown(type(column).__name__)} no part can be drawn; give data for them."
        ) from None


def _take(column: Any, places: np.ndarray) -> Any:
    """Some of the examples, as what they came in."""
    if isinstance(column, np.ndarray):
        return column[places]
    if hasattr(column, "take"):
        return column.take(places)
    if hasattr(column, "iloc"):
        return column.iloc[places]
    return _listed(column, places)


def _listed(column: Sequence[Any], places: np.ndarray) -> list[Any]:
    return [column[place] for place in places.tolist()]
