"""Predicted frames as files: a NumPy array, or a picture of all of them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from seqloom_runtime.errors import SettingError

__all__ = ["as_npy", "as_png"]


def as_npy(frames: np.ndarray) -> bytes:
    """The bytes of a .npy file with the array as it is."""
    file = io.BytesIO()
    np.save(file, frames, allow_pickle=False)
    return file.getvalue()


def as_png(frames: np.ndarray, pixels: Any) -> tuple[bytes, list[str]]:
    """Frames (N, K, Y, X, C) as one picture, a line for each film and its frames from left to right; what to say of it.

    pixels: the range of the training frames, black to white. Raises SettingError for colours that a PNG hasn't, and
    for frames that are too large.
    """
    from ..report.films import MOST_SIDE, png

    films, ahead, height, width, channels = frames.shape
    if channels not in (1, 3):
        raise SettingError(f"--out: a PNG has 1 or 3 channels, these frames have {channels}; name a .npy file.")
    shown = min(films, (MOST_SIDE + 1) // (height + 1))
    across = ahead * (width + 1) - 1
    if not shown or across > MOST_SIDE:
        raise SettingError(
            f"--out: {ahead} frames of {height} × {width} pixels are more than a PNG of {MOST_SIDE:,} × {MOST_SIDE:,} "
            "shows; name a .npy file."
        )
    shades = np.round(255 * np.clip(pixels.scaled(frames[:shown]), 0, 1)).astype(np.uint8)
    sheet = np.full((shown, ahead, height + 1, width + 1, channels), 128, np.uint8)  # a grey line between them
    sheet[:, :, :height, :width] = shades
    sheet = sheet.transpose(0, 2, 1, 3, 4).reshape(shown * (height + 1), ahead * (width + 1), channels)
    ends = f"black is {pixels.low:.4g}, white {pixels.high:.4g}"
    told = [f"A line for each film, {ahead} frames from left to right; {ends}."]
    if shown < films:
        told.append(f"The picture shows the first {shown:,} of {films:,} films; a .npy file holds all.")
    return png(np.ascontiguousarray(sheet[:-1, :-1])), told
