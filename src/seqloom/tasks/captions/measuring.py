"""What a `Captioner` writes, and its `Evaluation`: scores, texts picture by picture, and where it looked."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.extras import installed
from seqloom_runtime.translation.texts import same

from ...diagnostics.edit_distance import edit_distance, error_rate
from ..comparison import Evaluation
from ..translation.measuring import bleu
from .predicting import predictor

if TYPE_CHECKING:
    from .model import Captioner

__all__ = ["measure_captions"]

_MISTAKES, _DRAWN, _TOKENS, _MOST_PIXELS, _WHITE = 40, 4, 24, 4_096, 255


def measure_captions(model: Captioner, pictures: np.ndarray, actual: list[str]) -> Evaluation:
    """Scores of the texts written of `pictures` against the `actual` ones."""
    found = predictor(model).written(pictures)
    predicted = [text for text, _ in found]
    exact = np.array([same(a, b) for a, b in zip(actual, predicted)])
    rate = error_rate(actual, predicted)
    scores = {"exact_match": float(exact.mean()), "cer": rate}
    if installed("sacrebleu"):
        scores["bleu"] = bleu(actual, predicted)
    rates = [edit_distance(a, b) / len(a) for a, b in zip(actual, predicted)]
    wrong = sorted(np.flatnonzero(~exact).tolist(), key=lambda n: (-rates[n], n))[:_MISTAKES]
    details = {
        "facts": {"pictures": len(pictures), "size of a picture": " × ".join(map(str, pictures.shape[1:]))},
        "mistakes": [{"row": n, "actual": actual[n], "predicted": predicted[n], "loss": rates[n]} for n in wrong],
        "looked": _looked(model, pictures, actual, found),
    }
    columns = {
        "row": np.arange(len(pictures)),
        "actual": np.array(actual, dtype=object),
        "predicted": np.array(predicted, dtype=object),
    }
    # Where none is exact, the nearer ones are better.
    rank = 1 - scores["exact_match"] + 1e-3 * min(rate, 1.0)
    return Evaluation(scores, predictions=columns, details=details, rank=rank)


def _looked(
    model: Captioner, pictures: np.ndarray, actual: list[str], found: list[tuple[str, Any]]
) -> list[dict[str, Any]]:
    """The attention of the first few texts on their pictures, the longest of the first twenty first."""
    if not found or found[0][1] is None or found[0][1].attention is None:
        return []
    order = sorted(range(min(20, len(found))), key=lambda n: (-len(found[n][1].ids), n))[:_DRAWN]
    every = max(1, int(np.ceil(np.sqrt(pictures.shape[1] * pictures.shape[2] / _MOST_PIXELS))))
    channels = 3 if pictures.shape[3] in (3, 4) else 1
    drawn = []
    for n in order:
        text, search = found[n]
        tokens = predictor(model).tokens_drawn(search)[:_TOKENS]
        shades = np.clip(model.range_.scaled(pictures[n, ::every, ::every, :channels]), 0, 1)
        pixels = np.round(shades * _WHITE).astype(np.uint8)
        drawn.append(
            {
                "row": n,
                "height": pixels.shape[0],
                "width": pixels.shape[1],
                "channels": channels,
                "pixels": base64.b64encode(pixels.tobytes()).decode(),
                "places": list(model.model_.spec.places),
                "tokens": tokens,
                "weights": np.round(search.attention[: len(tokens)].astype(float), 4).tolist(),
                "actual": actual[n],
                "predicted": text,
            }
        )
    return drawn
