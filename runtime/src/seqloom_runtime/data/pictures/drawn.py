"""A picture as the report draws it: small, as text that JSON can hold."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

__all__ = ["shown_picture"]

_SIDE = 96


def shown_picture(pixels: np.ndarray) -> dict[str, Any]:
    """{"height", "width", "colours" (1 or 3), "pixels"} of (H, W, C) uint8, of at most 96 pixels a side.

    The pixels are base64 of the bytes, row by row; a larger picture is thinned to every N-th row and column.

    >>> shown_picture(np.zeros((2, 3, 1), np.uint8))
    {'height': 2, 'width': 3, 'colours': 1, 'pixels': 'AAAAAAAA'}
    """
    step = max(1, -(-max(pixels.shape[:2]) // _SIDE))
    small = np.ascontiguousarray(pixels[::step, ::step])
    height, width, colours = small.shape
    return {
        "height": height,
        "width": width,
        "colours": colours,
        "pixels": base64.b64encode(small.tobytes()).decode("ascii"),
    }
