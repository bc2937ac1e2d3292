"""Recordings without a voice: each word is a tone of its own, so that tests need no speech synthesis."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

__all__ = ["RATE", "WORDS", "recordings", "say", "write_wav"]

RATE = 8_000
WORDS = {"go": 440.0, "up": 900.0, "stop": 1_700.0}


def say(words: list[str], draw: np.random.Generator) -> np.ndarray:
    """The samples (N,) int16 of some words, silence around each, and a little noise over all."""
    pieces = [np.zeros(600)]
    for word in words:
        time = np.arange(int(draw.integers(900, 1_500))) / RATE
        pieces += [6_000 * np.sin(2 * np.pi * WORDS[word] * time), np.zeros(int(draw.integers(400, 800)))]
    found = np.concatenate(pieces)
    return (found + 30 * draw.standard_normal(len(found))).astype(np.int16)


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE, channels: int = 1) -> Path:
    """A WAV file of 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def recordings(path: Path, count: int = 60, seed: int = 0) -> Path:
    """A table of `count` recordings of one to three words by ten speakers, and the WAV files beside it."""
    draw = np.random.default_rng(seed)
    lines = ["path,text,speaker"]
    for number in range(count):
        words = [str(word) for word in draw.choice(list(WORDS), draw.integers(1, 4))]
        write_wav(path.with_name(f"sound{number}.wav"), say(words, draw))
        lines.append(f"sound{number}.wav,{' '.join(words)},s{number % 10}")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
