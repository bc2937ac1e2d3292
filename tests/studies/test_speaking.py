"""The spoken studies: which voices a part hears, what is said, the noise, and what is told where nothing speaks."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from seqloom.errors import DataError, MissingDependencyError
from seqloom.studies import speaking
from seqloom.studies.speech import _TASKS
from seqloom_runtime.data.speech import Sound
from seqloom_runtime.extras import installed


def test_no_voice_is_in_two_parts() -> None:
    every = [voice for voices in speaking.VOICES.values() for voice in voices]
    assert len(every) == len(set(every)) == 69
    assert [len(voices) for voices in speaking.VOICES.values()] == [52, 6, 11]
    families = {voice.rstrip("0123456789") for voice in speaking.VOICES["test"]} - {"f", "m"}
    assert not families & {voice.rstrip("0123456789") for voice in speaking.VOICES["train"]}
    for part, heard in (("test", "test"), ("heard", "train"), ("train", "train")):
        drawn = speaking.drawn(part, 80, _TASKS["digits"].sentence, "digits")
        assert {one.voice.partition("+")[2] for one in drawn} <= set(speaking.VOICES[heard])
        assert {one.played for one in drawn} == ({1.0} if part != "train" else {0.8, 0.9, 1.0, 1.1, 1.2})
        assert drawn == speaking.drawn(part, 80, _TASKS["digits"].sentence, "digits")


def test_what_is_said() -> None:
    draw = np.random.default_rng(0)
    digits = [_TASKS["digits"].sentence(draw).split() for _ in range(300)]
    assert {len(words) for words in digits} == set(range(1, 8))
    assert len({word for words in digits for word in words}) == 10
    assert any(a == b for words in digits for a, b in pairwise(words))  # CTC's hard case
    commands = {_TASKS["commands"].sentence(draw) for _ in range(500)}
    assert len(commands) > 100
    assert not any("{" in command for command in commands)


@pytest.mark.skipif(not installed("scipy"), reason="needs the extra app")
def test_noise_is_as_loud_as_it_says() -> None:
    tone = Sound((9_000 * np.sin(np.arange(44_100) * 0.1)).astype(np.int16), 22_050)
    found = speaking.heard(tone, 1.1, np.random.default_rng(3))
    assert (found.rate, len(found)) == (speaking.RATE, round(44_100 / 22_050 / 1.1 * speaking.RATE + 0.499))
    again = speaking.heard(tone, 1.1, np.random.default_rng(3))
    np.testing.assert_array_equal(found.samples, again.samples)
    assert not np.array_equal(found.samples, speaking.heard(tone, 1.1, np.random.default_rng(4)).samples)
    for seed in range(6):
        mixed = speaking.heard(tone, 1.0, np.random.default_rng(seed)).floats().astype(np.float64)
        clean = tone.resampled(speaking.RATE).floats().astype(np.float64)
        level = clean @ mixed / (clean @ clean)
        ratio = 20 * np.log10(np.linalg.norm(level * clean) / np.linalg.norm(mixed - level * clean))
        assert 9 < ratio < 31


def test_one_sentence_where_nothing_speaks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"program espeak-ng, .* install the package espeak-ng"):
        speaking.program()
    mute = tmp_path / "espeak-ng"
    mute.write_text("#!/bin/sh\necho 'cannot speak' >&2\nexit 1\n")
    mute.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(mute))
    with pytest.raises(DataError, match=r"expected speech by the voice en-us\+m1, got cannot speak"):
        SPEAK("one", "en-us+m1", 150, 50)
    with pytest.raises(DataError, match="its voices lack 2 of 2, m1 among them"):
        CHECK(["m1", "m2"])


SPEAK, CHECK = speaking.speak, speaking.check_voices  # before the tones stand in for them


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs the program espeak-ng")
def test_a_voice_speaks() -> None:
    sound = SPEAK("one two", "en-us+m1", 150, 50)
    assert sound.rate == 22_050
    assert 0.4 < sound.seconds < 3
    np.testing.assert_array_equal(sound.samples, SPEAK("one two", "en-us+m1", 150, 50).samples)
