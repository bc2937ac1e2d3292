"""Where studies find their data, and what speaks in place of espeak-ng."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from seqloom_runtime.data.speech import Sound


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    """The data folder where a study looks for it."""
    monkeypatch.setenv("SEQLOOM_DATA", str(data_dir))


@pytest.fixture(scope="module", autouse=True)
def no_waiting() -> Iterator[None]:
    """Studies of tests: the disk needs not be waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def tones() -> Iterator[None]:
    """Each word is a tone of its own, so that the spoken studies run without the program that speaks."""

    def speak(text: str, voice: str, speed: int, pitch: int) -> Sound:
        time = np.arange(3_000) / 22_050
        pitches = [200 + zlib.crc32(word.encode()) % 3_000 for word in text.split()]
        pieces = [np.append(np.sin(2 * np.pi * each * time), np.zeros(900)) for each in pitches]
        return Sound(np.round(8_000 * np.concatenate(pieces)).astype(np.int16), 22_050)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqloom.studies.speaking.speak", speak)
        patch.setattr("seqloom.studies.speaking.check_voices", lambda voices: None)
        patch.setattr("seqloom.studies.speech.version", lambda: "tones")
        yield
