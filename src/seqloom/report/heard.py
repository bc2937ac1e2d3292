"""What was read off sounds, over their frames: a picture of each as a PNG inside an SVG, and the tokens where they
stand; all of it escaped here."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from unicodedata import east_asian_width

from .markup import per_model
from .saved import SavedRun
from .wording import fixed

__all__ = ["heard_html", "png"]

_WIDE, _HIGH, _HEAD, _FOOT = 4, 4, 18, 16  # of a frame and a band; of the tokens above and the seconds below
_EM, _LETTER = 12, 8  # font size, and about the width of a letter with the space behind it
_MOST = 4


def heard_html(run: SavedRun) -> str:
    """The sounds of every model that reads frames, the best model's first."""
    held = run.held("heard")
    return per_model([(name, "".join(map(_sound, sounds[:_MOST]))) for name, sounds in held.items() if sounds])


def png(rows: Sequence[Sequence[int]]) -> bytes:
    """A picture of shades from 0, black, to 255 as a PNG file; rows from the top.

    >>> png([[0, 255]])[:4]
    b'\\x89PNG'
    """

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    body = b"".join(b"\0" + bytes(row) for row in rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(body, 9)) + chunk(b"IEND", b"")


def _sound(sound: Mapping[str, Any]) -> str:
    frames = [[min(255, max(0, int(value))) for value in frame] for frame in sound["shades"]]
    bands = [list(band) for band in zip(*frames, strict=True)][::-1]  # the lowest band at the bottom
    wide, tall = len(frames) * _WIDE, len(bands) * _HIGH
    picture = base64.b64encode(png(bands)).decode()
    each = float(sound["seconds"])
    each = each if math.isfinite(each) and each > 0 else 0.0
    written = _room_for(sound["spans"])
    spans = "".join(_span(span, tall, each, label) for span, label in zip(sound["spans"], written))
    said = f"row {sound.get('row', '')}: actual {sound['actual']}, predicted {sound['predicted']}"
    heard = ", ".join(f"{span['token']} {_where(span, each)}" for span in sound["spans"])
    label = escape(f"{len(frames)} frames of {len(bands)} bands; {heard or 'nothing was heard'}.")
    return (
        f'<p><b class="said">{escape(said)}</b></p><div class="scroll" tabindex="0" role="region" '
        f'aria-label="{label}"><svg role="img" aria-label="{label}" width="{wide}" height="{_HEAD + tall + _FOOT}" '
        f'viewBox="0 0 {wide} {_HEAD + tall + _FOOT}"><image x="0" y="{_HEAD}" width="{wide}" height="{tall}" '
        f'preserveAspectRatio="none" style="image-rendering:pixelated" href="data:image/png;base64,{picture}"/>'
        f"{spans}{_seconds(len(frames), each, _HEAD + tall)}</svg></div>"
    )


def _room_for(spans: Sequence[Mapping[str, Any]]) -> list[str]:
    """The label of each token, empty where it would stand over the one before: the frames still say it on hovering."""
    labels, free = [], 0.0
    for span in spans:
        token = "␣" if str(span["token"]) == " " else str(span["token"])
        x = int(span["first"]) * _WIDE
        labels.append(token if x >= free else "")
        if x >= free:
            free = x + sum(_EM if east_asian_width(letter) in "WF" else _LETTER for letter in token)
    return labels


def _span(span: Mapping[str, Any], tall: int, each: float, label: str) -> str:
    first, last = int(span["first"]), int(span["last"])
    x, wide = first * _WIDE, max(1, last - first) * _WIDE
    title = escape(f"{span['token']}: {_where(span, each)}")
    text = (
        f'<text x="{x}" y="{_HEAD - 5}" fill="currentColor" font-size="{_EM}">{escape(label)}</text>' if label else ""
    )
    return (
        f'<g><title>{title}</title><rect x="{x}" y="{_HEAD}" width="{wide}" height="{tall}" fill="var(--c1)" '
        f'fill-opacity="0.35" stroke="var(--c1)"/>{text}</g>'
    )


def _where(span: Mapping[str, Any], each: float) -> str:
    first, last = int(span["first"]), int(span["last"])
    if each:
        return f"{fixed(first * each, 2)} to {fixed(last * each, 2)} s"
    return f"frames {first} to {last}"


def _seconds(frames: int, each: float, y: int) -> str:
    """A mark at every half second, of frames at every 50."""
    step = 0.5 if each else 50
    count = int(frames * (each or 1) / step)
    return "".join(
        f'<text x="{n * step / (each or 1) * _WIDE:.0f}" y="{y + 12}" fill="currentColor" font-size="11">'
        f"{fixed(n * step, 1) + ' s' if each else n * 50}</text>"
        for n in range(count + 1)
    )
