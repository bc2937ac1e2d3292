"""Piano rolls as MIDI files: the keys of a piano that sound at each step, written as notes."""

from __future__ import annotations

import io
import os

import numpy as np

from ...errors import DataError, SettingError, shown
from ...extras import need
from ...files import write_bytes
from .music import KEYS

__all__ = ["LOWEST_NOTE", "midi_bytes", "notes_of", "write_midi"]

LOWEST_NOTE = 21  # MIDI's number of the lowest of 88 keys, A0
_TICKS = 480  # of a quarter note
_VELOCITY = 72
_MOST_STEPS = 10**6


def notes_of(roll: np.ndarray) -> list[tuple[int, int, int]]:
    """The notes of a roll (T, 88) of 0 and 1: (first step, step after the last, key), by first step and key.

    A key that sounds at consecutive steps is one note: a roll doesn't say where it is struck again.

    >>> roll = np.zeros((4, 88)); roll[1:3, 60] = 1
    >>> notes_of(roll)
    [(1, 3, 60)]
    """
    held = np.asarray(roll) > 0.5
    edges = np.diff(np.concatenate([np.zeros((1, held.shape[1])), held, np.zeros((1, held.shape[1]))]), axis=0)
    # By key first, so that the n-th start belongs to the n-th end.
    starts, ends = np.argwhere(edges.T == 1), np.argwhere(edges.T == -1)
    return sorted((int(first), int(last), int(key)) for (key, first), (_, last) in zip(starts, ends, strict=True))


def midi_bytes(roll: np.ndarray, *, steps_per_minute: float = 240.0) -> bytes:
    """A roll (T, 88) of 0 and 1 as a MIDI file of one piano track, two steps to a quarter note.

    Raises DataError for another shape, SettingError for a speed out of range, MissingDependencyError without mido.
    """
    mido = need("mido", "a MIDI file")
    roll = np.asarray(roll)
    if roll.ndim != 2 or roll.shape[1] != KEYS or len(roll) > _MOST_STEPS:
        raise DataError(f"roll: expected the {KEYS} keys of up to {_MOST_STEPS:,} steps, got shape {roll.shape}.")
    if not 1 <= steps_per_minute <= 10_000:
        raise SettingError(f"steps_per_minute: expected a number from 1 to 10,000, got {shown(steps_per_minute)}.")
    step = _TICKS // 2
    events = []
    for first, last, key in notes_of(roll):
        events += [(first * step, 1, key), (last * step, 0, key)]
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=round(2 * 60e6 / steps_per_minute))])
    at = 0
    # Ends before starts of the same moment: a key may be let go and struck at once.
    for when, on, key in sorted(events):
        track.append(
            mido.Message(
                "note_on" if on else "note_off", note=LOWEST_NOTE + key, velocity=on * _VELOCITY, time=when - at
            )
        )
        at = when
    # The silence at the end belongs to the piece.
    track.append(mido.MetaMessage("end_of_track", time=len(roll) * step - at))
    file = mido.MidiFile(type=0, ticks_per_beat=_TICKS, tracks=[track])
    written = io.BytesIO()
    file.save(file=written)
    return written.getvalue()


def write_midi(path: str | os.PathLike[str], roll: np.ndarray, *, steps_per_minute: float = 240.0) -> None:
    """Write `midi_bytes` to a file, replacing one that is there in one go."""
    write_bytes(path, midi_bytes(roll, steps_per_minute=steps_per_minute))
