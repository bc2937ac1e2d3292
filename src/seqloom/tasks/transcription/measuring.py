"""The `Evaluation` of a `Transcriber`: scores, texts row by row, and what is worth drawing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.extras import need
from seqloom_runtime.transcription.predictor import Heard

from ...diagnostics.edit_distance import edit_distance
from ..comparison import Evaluation
from .network import TranscriptionNetwork
from .predicting import predictor

if TYPE_CHECKING:
    from .model import Transcriber

__all__ = ["error_rates", "measure_sounds"]

_MISTAKES, _DRAWN, _FRAMES, _BANDS = 40, 4, 800, 128


def error_rates(actual: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """Word and character error rate over all texts, by jiwer; raises MissingDependencyError without it.

    >>> error_rates(["one two", "three"], ["one", "three"])["wer"] == 1 / 3
    True
    """
    jiwer: Any = need("jiwer", "the word error rate")
    return {
        "wer": float(jiwer.wer(list(actual), list(predicted))),
        "cer": float(jiwer.cer(list(actual), list(predicted))),
    }


def measure_sounds(model: Transcriber, sounds: list[Any], actual: list[str]) -> Evaluation:
    """Scores of the texts read off `sounds` against the `actual` ones."""
    reads = predictor(model)
    frames = reads.frames(sounds)
    heard = reads.read(frames)
    predicted = [one.text for one in heard]
    exact = np.array([a == b for a, b in zip(actual, predicted)])
    scores = {**error_rates(actual, predicted), "exact_match": float(exact.mean())}
    details: dict[str, Any] = {
        "facts": _facts(model, sounds, actual),
        "mistakes": _mistakes(sounds, actual, predicted),
        "heard": _drawn(model, frames, heard, actual),
    }
    columns = {
        "row": np.arange(len(sounds)),
        "actual": np.array(actual, dtype=object),
        "predicted": np.array(predicted, dtype=object),
    }
    return Evaluation(scores, predictions=columns, details=details)


def _facts(model: Transcriber, sounds: list[Any], actual: list[str]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "sounds": len(sounds),
        "tokens": model.level_,
        "words": sum(len(t.split()) for t in actual),
    }
    if model.rate_ is not None:
        facts["seconds"] = round(sum(sound.seconds for sound in sounds), 1)
        facts["samples a second"] = model.rate_
    unknown = model.symbols_.unknown
    facts["tokens not met in training, which can't be written"] = sum(
        sum(one == unknown for one in model.symbols_.ids(text)) for text in actual
    )
    return facts


def _mistakes(sounds: list[Any], actual: list[str], predicted: list[str]) -> list[dict[str, Any]]:
    """The texts that are furthest from what was said, by their character error rate."""
    rates = [edit_distance(a, b) / len(a) for a, b in zip(actual, predicted)]
    order = sorted((n for n in range(len(rates)) if rates[n]), key=lambda n: (-rates[n], n))[:_MISTAKES]
    return [
        {
            "row": n,
            "actual": actual[n],
            "predicted": predicted[n],
            "loss": rates[n],
            "text": getattr(sounds[n], "name", "") or f"{len(sounds[n])} frames",
        }
        for n in order
    ]


def _drawn(model: Transcriber, frames: Sequence[np.ndarray], heard: list[Heard], actual: list[str]) -> list[Any]:
    """The frames of the first few sounds that aren't too long to draw, and which of them gave which token.

    Numbers of a frame are brought to 0 to 255 over the picture.
    """
    drawn: list[Any] = []
    if not isinstance(model.model_, TranscriptionNetwork):
        return drawn
    for n, (one, found) in enumerate(zip(frames, heard)):
        if len(one) > _FRAMES or one.shape[1] > _BANDS:
            continue
        low, high = np.percentile(one, [2, 99.5])
        shades = np.clip((one - low) / max(high - low, 1e-6), 0, 1) * 255
        spans = [
            {"token": token, "first": a, "last": min(b, len(one))} for token, a, b in predictor(model).spans(found)
        ]
        drawn.append(
            {
                "row": n,
                "shades": np.round(shades).astype(int).tolist(),
                "seconds": 0.0 if model.rate_ is None else float(model.frame_shift),
                "spans": spans,
                "actual": actual[n],
                "predicted": found.text,
            }
        )
        if len(drawn) == _DRAWN:
            break
    return drawn
