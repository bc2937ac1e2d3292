"""Generated music on the page: each piece as a piano roll, and as sound that is inside the page."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from .markup import per_model
from .saved import SavedRun

__all__ = ["music_html", "piano_roll", "sound"]

_KEYS, _MOST_PIECES, _MOST_STEPS = 88, 4, 400
_A4 = 48  # the key of 440 Hz
_RATE, _STEP = 8_000, 0.2  # samples a second; seconds of a step
_PALE = ' fill-opacity="0.45"'
_WIDE, _HIGH = 7, 5  # of a step and a key in the picture
_NAMES = ("A", "A♯", "B", "C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯")


def music_html(run: SavedRun) -> str:
    """The pieces of every model, the best model's first."""
    parts = []
    for name, pieces in run.held("music").items():
        parts.append((name, "".join(_piece(piece) for piece in pieces[:_MOST_PIECES])))
    return per_model(parts)


def _piece(piece: Mapping[str, Any]) -> str:
    how = ", ".join(f"{key} {value}" for key, value in (piece.get("settings") or {}).items())
    steps = [[int(key) for key in keys if 0 <= int(key) < _KEYS] for keys in piece["steps"][:_MOST_STEPS]]
    given = int(piece.get("given") or 0)
    sounding = base64.b64encode(sound(steps)).decode()
    return (
        f'<figure><figcaption class="note">{escape(how)}</figcaption>{piano_roll(steps, given)}'
        f'<audio controls preload="none" src="data:audio/wav;base64,{sounding}">{escape(how)}</audio></figure>'
    )


def piano_roll(steps: Sequence[Sequence[int]], given: int = 0) -> str:
    """The keys that sound at each step as an SVG picture, the first `given` steps pale; the outer keys are named.

    >>> piano_roll([[60], [60], [64]]).count("<rect")
    2
    """
    used = [key for keys in steps for key in keys]
    low, high = (min(used), max(used)) if used else (_A4, _A4)
    wide, tall = max(1, len(steps)) * _WIDE, (high - low + 1) * _HIGH
    bars = "".join(
        f'<rect x="{first * _WIDE}" y="{(high - key) * _HIGH}" width="{(last - first) * _WIDE - 1}" '
        f'height="{_HIGH - 1}"{_PALE if first < given else ""}/>'
        for first, last, key in _notes(steps)
    )
    text = f"Piano roll of {len(steps)} steps, keys {_name(low)} to {_name(high)}."
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(text)}"><svg role="img" '
        f'aria-label="{escape(text)}" width="{wide}" height="{tall}" viewBox="0 0 {wide} {tall}" fill="var(--c1)">'
        f'{bars}</svg></div><p class="note">{_name(high)} above, {_name(low)} below</p>'
    )


def sound(steps: Sequence[Sequence[int]]) -> bytes:
    """The steps as a WAV file, 8,000 samples of a byte each second; a held key is one fading tone.

    >>> len(sound([[48]] * 5))
    8044
    """
    each = round(_RATE * _STEP)
    samples = np.zeros(len(steps) * each)
    for first, last, key in _notes(steps):
        time = np.arange((last - first) * each) / _RATE
        pitch = 440.0 * 2.0 ** ((key - _A4) / 12)
        # Overtones above half the rate would come back as wrong tones.
        tones = [(n, 0.5 ** (n - 1)) for n in (1, 2, 3) if n * pitch < _RATE / 2]
        tone = sum((loud * np.sin(2 * np.pi * n * pitch * time) for n, loud in tones), np.zeros(len(time)))
        # A short rise and end keep the tone from clicking.
        edge = np.minimum(1.0, np.minimum(time, time[-1] - time + 1 / _RATE) / 0.005)
        samples[first * each : last * each] += tone * np.exp(-2.0 * time) * edge
    loudest = float(np.abs(samples).max(initial=0.0))
    written = np.round(128 + 120 * samples / (loudest or 1.0)).astype(np.uint8)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(1)
        out.setframerate(_RATE)
        out.writeframes(written.tobytes())
    return file.getvalue()


def _notes(steps: Sequence[Sequence[int]]) -> list[tuple[int, int, int]]:
    """(first step, step after the last, key) of each tone."""
    found: list[tuple[int, int, int]] = []
    began: dict[int, int] = {}
    for number, keys in enumerate([*steps, []]):
        found += [(began.pop(key), number, key) for key in list(began) if key not in keys]
        for key in keys:
            began.setdefault(key, number)
    return sorted(found)


def _name(key: int) -> str:
    """A0 for 0, C4 for 39."""
    return f"{_NAMES[key % 12]}{(key + 9) // 12}"
