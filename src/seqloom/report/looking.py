"""Where a caption's words looked: the picture once for each word, brighter where the network looked; escaped here."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from .films import MOST_SIDE, png
from .markup import per_model
from .saved import SavedRun

__all__ = ["looking_html"]

_MOST_PICTURES, _MOST_WORDS = 4, 24
_WARM = np.array([1.0, 0.55, 0.1])  # what is looked at
_FAINT = 0.45  # of the picture where nothing looks


def looking_html(run: SavedRun) -> str:
    """The pictures of every model, the best model's first."""
    held = run.held("looked")
    return per_model([(name, "".join(map(_looked, looked[:_MOST_PICTURES]))) for name, looked in held.items()])


def _looked(example: Mapping[str, Any]) -> str:
    height, width, channels = (int(example[key]) for key in ("height", "width", "channels"))
    tall, wide = (int(side) for side in example["places"])
    if not (0 < height <= MOST_SIDE and 0 < width <= MOST_SIDE and channels in (1, 3) and tall > 0 and wide > 0):
        raise ValueError("a picture's sizes can't be")
    pixels = np.frombuffer(base64.b64decode(example["pixels"], validate=True), np.uint8)
    picture = pixels.reshape(height, width, channels) / 255
    words = []
    for token, weights in list(zip(example["tokens"], example["weights"], strict=True))[:_MOST_WORDS]:
        drawn = base64.b64encode(png(_lit(picture, np.asarray(weights, dtype=float).reshape(tall, wide)))).decode()
        style = f"background-image:url(data:image/png;base64,{drawn});--r:{width / height:.4f}"
        said = escape(str(token))
        words.append(
            f'<div class="look"><div class="seen" role="img" aria-label="{said}" style="{style}"></div>{said}</div>'
        )
    said = f"row {example.get('row', '')}: actual {example['actual']}, predicted {example['predicted']}"
    return f'<p><b class="said">{escape(said)}</b></p><div class="looks">{"".join(words)}</div>'


def _lit(picture: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A picture (Y, X, C) from 0 to 1 in the light of weights (Y', X'), as (Y, X, 3) bytes."""
    if not np.isfinite(weights).all():
        raise ValueError("weights that are no numbers")
    tall, wide = picture.shape[:2]
    rows, columns = (
        np.minimum(np.arange(size) * count // size, count - 1) for size, count in zip((tall, wide), weights.shape)
    )
    light = np.clip(weights / (weights.max() or 1.0), 0, 1)[rows][:, columns, None]
    grey = np.broadcast_to(picture, (tall, wide, 3))
    return np.round(255 * np.clip(grey * (_FAINT + (1 - _FAINT) * light) + 0.4 * light * _WARM, 0, 1)).astype(np.uint8)
