"""One picture on the page, its pixels inside the page."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from .films import png

__all__ = ["picture_html"]

_MOST_SIDE = 4_096


def picture_html(picture: Mapping[str, Any], said: str) -> str:
    """A picture of a run's details, each pixel a square; raises ValueError where its sizes can't be.

    >>> picture_html({"height": 1, "width": 1, "colours": 1, "pixels": "AA=="}, "a dot")[:36]
    '<img class="picture" alt="a dot" src'
    """
    height, width, colours = (int(picture[key]) for key in ("height", "width", "colours"))
    if not (0 < height <= _MOST_SIDE and 0 < width <= _MOST_SIDE and colours in (1, 3)):
        raise ValueError("a picture's sizes can't be")
    pixels = np.frombuffer(base64.b64decode(picture["pixels"], validate=True), np.uint8)
    code = base64.b64encode(png(pixels.reshape(height, width, colours))).decode("ascii")
    return f'<img class="picture" alt="{escape(said)}" src="data:image/png;base64,{code}">'
