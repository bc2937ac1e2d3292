"""A `FramePredictor`'s `Evaluation`: errors by frame and by step ahead, and films worth drawing."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data.films import Films
from seqloom_runtime.errors import DataError
from seqloom_runtime.frames.predictor import predicted

from ..comparison import Evaluation
from .learning import ahead_of

if TYPE_CHECKING:
    from .model import FramePredictor

__all__ = ["measure_frames"]

_DRAWN, _MOST_PIXELS, _MOST_FRAMES = 4, 4_096, 16
_WHITE = 255


def measure_frames(model: FramePredictor, films: Films) -> Evaluation:
    """Scores of the frames ahead of every window of `films`."""
    back, ahead = int(model.lookback), int(model.horizon)
    starts = films.starts(back + ahead)
    if not len(starts):
        raise DataError(
            f"films: expected a film of at least {back + ahead} frames (lookback + horizon), the longest has "
            f"{films.lengths.max()}."
        )
    squared, absolute, changes = [], [], []
    for windows, found in predicted(ahead_of(model.model_, model.range_), films, starts, back, ahead):
        error = found.astype(np.float64) - windows[:, back:]
        squared.append(np.square(error).mean(axis=(2, 3, 4)))
        absolute.append(np.abs(error).mean(axis=(2, 3, 4)))
        change = windows[:, back:].astype(np.float64) - windows[:, back - 1 : back]
        changes.append(np.abs(change).mean(axis=(1, 2, 3, 4)))
    mse, mae = np.concatenate(squared), np.concatenate(absolute)
    owner = films.film_of(starts)
    columns = {
        "row": np.repeat(owner, ahead),
        "start": np.repeat(starts - films.offsets[owner], ahead),
        "step": np.tile(np.arange(1, ahead + 1), len(starts)),
        # What is compared between models: there is no single number that a frame is.
        "predicted": np.sqrt(mse).ravel(),
    }
    details = {
        "facts": {
            "frames seen": back,
            "frames ahead": ahead,
            "size of a frame": " × ".join(map(str, films.size)),
            "test windows": len(starts),
        },
        "film": _drawn(model, films, starts, np.concatenate(changes)),
        "tables": [
            {
                "title": "Error by frame ahead",
                "reading": "Root mean squared and mean absolute error of a pixel, in the unit of the frames.",
                "columns": ["frame ahead", "RMSE", "MAE"],
                "rows": [
                    [step + 1, float(np.sqrt(mse[:, step].mean())), float(mae[:, step].mean())] for step in range(ahead)
                ],
            }
        ],
    }
    return Evaluation(
        {"rmse": float(np.sqrt(mse.mean())), "mae": float(mae.mean())}, predictions=columns, details=details
    )


def _drawn(model: FramePredictor, films: Films, starts: np.ndarray, changes: np.ndarray) -> list[dict[str, Any]]:
    """Windows to draw: of those in which more happens than in half of all, from the calmest to the liveliest."""
    order = np.argsort(changes, kind="stable")[len(changes) // 2 :]
    chosen = order[np.linspace(0, len(order) - 1, min(_DRAWN, len(order))).astype(int)]
    parts = predicted(
        ahead_of(model.model_, model.range_), films, starts[chosen], int(model.lookback), int(model.horizon)
    )
    both = [pair for windows, found in parts for pair in zip(windows, found)]
    owner = films.film_of(starts[chosen])
    first = starts[chosen] - films.offsets[owner]
    return [_film(model, (int(row), int(start)), *pair) for row, start, pair in zip(owner, first, both)]


def _film(model: FramePredictor, place: tuple[int, int], window: np.ndarray, found: np.ndarray) -> dict[str, Any]:
    """A window as it is drawn: the last frames seen, those that followed, those predicted; greys or colours of a byte,
    every n-th pixel of large frames, from the least to the largest value of the window."""
    back, size = int(model.lookback), model.size_
    every = max(1, int(np.ceil(np.sqrt(size[0] * size[1] / _MOST_PIXELS))))
    channels = 3 if size[2] in (3, 4) else 1
    parts = window[max(0, back - _MOST_FRAMES) : back], window[back:][:_MOST_FRAMES], found[:_MOST_FRAMES]
    frames = np.concatenate([part[:, ::every, ::every, :channels].astype(np.float64) for part in parts])
    low = float(window[..., :channels].min())
    shades = (frames - low) / (float(window[..., :channels].max()) - low or 1.0)
    pixels = np.round(np.clip(shades, 0, 1) * _WHITE).astype(np.uint8)
    return {
        "row": place[0],
        "start": place[1],
        "seen": len(parts[0]),
        "ahead": len(parts[1]),
        "height": pixels.shape[1],
        "width": pixels.shape[2],
        "channels": channels,
        "pixels": base64.b64encode(pixels.tobytes()).decode(),
    }
