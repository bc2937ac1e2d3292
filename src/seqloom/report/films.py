"""Films on the page: the frames of a window side by side and as a moving picture, all of it inside the page."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from .markup import per_model
from .saved import SavedRun

__all__ = ["MOST_SIDE", "films_html", "png"]

MOST_SIDE = 4_096  # pixels of a picture
_MOST_FILMS = 4


def films_html(run: SavedRun) -> str:
    """The windows of every model, the best model's first."""
    held = run.held("film")
    return per_model([(name, "".join(map(_film, films[:_MOST_FILMS]))) for name, films in held.items()])


def _film(film: Mapping[str, Any]) -> str:
    seen, ahead, height, width, channels = (int(film[k]) for k in ("seen", "ahead", "height", "width", "channels"))
    if not (0 < height <= MOST_SIDE and 0 < width <= MOST_SIDE and channels in (1, 3) and seen > 0 and ahead > 0):
        raise ValueError("a film's sizes can't be")
    pixels = np.frombuffer(base64.b64decode(film["pixels"], validate=True), np.uint8)
    frames = pixels.reshape(seen + 2 * ahead, height, width, channels)
    where = f"row {film.get('row', '')}, from frame {film.get('start', '')}"
    strips = [("what followed", frames[: seen + ahead])]
    strips.append(("predicted", np.concatenate([frames[:seen], frames[seen + ahead :]])))
    drawn = "".join(_strip(name, own, seen, f"{where}: {name}") for name, own in strips)
    return f'<figure class="film"><figcaption class="note">{escape(where)}</figcaption>{drawn}</figure>'


def _strip(name: str, frames: np.ndarray, seen: int, told: str) -> str:
    """Frames (T, Y, X, C) side by side, and one after the other."""
    count, height, width = frames.shape[:3]
    code = base64.b64encode(png(frames.swapaxes(0, 1).reshape(height, count * width, -1))).decode()
    said = escape(f"{told}; {seen} frames seen, then {count - seen} ahead")
    style = f"--f:url(data:image/png;base64,{code});--n:{count};--s:{seen};--r:{width / height:.4f}"
    return (
        f'<p class="note">{escape(name)}</p><div class="scroll" tabindex="0" role="region" aria-label="{said}">'
        f'<div class="pictures" style="{style}"><div class="strip" role="img" aria-label="{said}"></div>'
        f'<div class="reel" role="img" aria-label="{escape(name)}, moving"></div></div></div>'
    )


def png(pixels: np.ndarray) -> bytes:
    """Pixels (Y, X, 1) or (Y, X, 3) uint8 as a PNG file.

    >>> png(np.zeros((2, 3, 1), np.uint8))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    height, width, channels = pixels.shape
    # Each line begins with its filter, 0: none.
    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, width * channels)], axis=1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
