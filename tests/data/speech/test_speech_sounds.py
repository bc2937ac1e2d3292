"""Sounds: WAV files read and refused in one sentence, and log-mel features against NumPy."""

from __future__ import annotations

import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.speech import Sound, frame_count, log_mel, mixed_down, read_wav
from seqloom_runtime.extras import installed

reads = pytest.mark.skipif(not installed("soundfile"), reason="needs the extra speech")
hears = pytest.mark.skipif(not installed("kaldi_native_fbank"), reason="needs the extra speech")


def tone(hertz: float = 440.0, seconds: float = 0.2, rate: int = 8000) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def write(path: Path, samples: np.ndarray, rate: int = 8000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


@reads
def test_samples_come_as_they_were_written(tmp_path: Path) -> None:
    sound = read_wav(write(tmp_path / "a.wav", tone()))
    assert (sound.rate, sound.seconds, sound.name) == (8000, 0.2, str(tmp_path / "a.wav"))
    np.testing.assert_array_equal(sound.samples, tone())
    assert np.abs(sound.floats()).max() == pytest.approx(8000 / 32768, rel=1e-3)
    again = Sound(sound.samples, 8000)
    assert again.fingerprint() == sound.fingerprint() != Sound(sound.samples, 8001).fingerprint()


@reads
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda b: b[:-100], "truncated, as its header says 3,200 bytes of samples and 3,100 are there"),
        (lambda b: b[:30], "truncated, as no samples"),
        (lambda b: b[:40] + struct.pack("<I", 2**32 - 8) + b[44:], "its header says 4,294,967,288 bytes"),
        (lambda b: b[:16] + struct.pack("<I", 2**31) + b[20:], "truncated, as no samples"),
        (lambda b: b"", "expected a WAV file .* found nothing"),
        (lambda b: b"ID3" + b, "found something else; other sounds are converted with ffmpeg"),
        (lambda b: b[:22] + b"\x00\x00" + b[24:], "WAV file"),
        (lambda b: b[:24] + bytes(4) + b[28:], "WAV file|samples a second"),
        (lambda b: b[:20] + b"\x63\x63" + b[22:], "WAV file"),
        (lambda b: b[:40] + bytes(4), "the sound is empty"),
    ],
)
def test_one_sentence_for_a_broken_file(tmp_path: Path, change: Any, said: str) -> None:
    path = write(tmp_path / "a.wav", tone())
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=said) as caught:
        read_wav(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@reads
def test_several_channels_are_mixed_down_and_that_is_said(tmp_path: Path) -> None:
    both = np.stack([tone(), np.roll(tone(), 5)], axis=1)
    mixed = read_wav(write(tmp_path / "a.wav", both.ravel(), channels=2))
    assert (len(mixed), mixed.channels) == (len(both), 2)
    np.testing.assert_allclose(mixed.floats(), both.astype(np.float64).mean(axis=1) / 32768, atol=1e-7)
    plain = read_wav(write(tmp_path / "b.wav", tone()))
    assert plain.channels == 1
    assert mixed_down([plain]) == ()
    (said,) = mixed_down([plain, mixed])
    assert said.text.startswith(
        f"1 WAV file has several channels, and their mean is read (first: {tmp_path / 'a.wav'}, 2"
    )
    assert "2 WAV files have" in mixed_down([mixed, mixed])[0].text


@reads
def test_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found no such file"):
        read_wav(tmp_path / "b.wav")
    with pytest.raises(DataError, match="line 3: expected a WAV file, found a folder"):
        read_wav(tmp_path, "t.csv, line 3")


@pytest.mark.parametrize(
    ("samples", "rate", "said"),
    [
        (np.zeros((5, 2)), 8000, r"one channel, \(N,\) int16 or float, got shape \(5, 2\)"),
        (np.zeros(5, dtype=np.int32), 8000, "got shape .* of int32"),
        (np.zeros(0), 8000, "the sound is empty"),
        (np.array([0.0, np.nan]), 8000, "found NaN or infinity"),
        (np.zeros(5), 0, "got 0"),
        (np.zeros(5), 8000.5, "expected a whole number of samples a second, got 8000.5"),
    ],
)
def test_one_sentence_for_what_is_no_sound(samples: Any, rate: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Sound(samples, rate)


def mel_by_hand(x: np.ndarray, rate: int, bands: int) -> np.ndarray:
    """Kaldi's log-mel energies, frame by frame."""
    size, step = int(rate * 0.025), int(rate * 0.01)
    fft = 1 << (size - 1).bit_length()
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / (size - 1))) ** 0.85
    lowest, highest = 1127 * np.log(1 + np.array([20, rate / 2]) / 700)
    edges = np.linspace(lowest, highest, bands + 2)
    bins = 1127 * np.log(1 + np.arange(fft // 2) * rate / fft / 700)
    found = []
    for start in range(0, len(x) - size + 1, step):
        frame = x[start : start + size] - x[start : start + size].mean()
        frame = (frame - 0.97 * np.concatenate([frame[:1], frame[:-1]])) * window
        power = np.abs(np.fft.rfft(frame, fft)[:-1]) ** 2
        low, mid, high = (edges[n : n + bands, None] for n in range(3))
        weights = np.maximum(0, np.minimum((bins - low) / (mid - low), (high - bins) / (high - mid)))
        found.append(np.log(np.maximum(weights @ power, 1.1920929e-07)))
    return np.array(found)


@hears
@pytest.mark.parametrize("rate", [8000, 16000])
def test_log_mel_is_the_formula(rate: int) -> None:
    draw = np.random.default_rng(0)
    samples = (3000 * draw.standard_normal(rate // 4)).astype(np.int16)
    found = log_mel(Sound(samples, rate), 20)
    assert found.shape == (frame_count(len(samples), rate, 0.01), 20)
    np.testing.assert_allclose(found, mel_by_hand(samples.astype(np.float64), rate, 20), atol=2e-3)
    np.testing.assert_array_equal(found, log_mel(Sound(samples, rate), 20))
    high, low = (log_mel(Sound(tone(hertz, rate=rate), rate), 20).mean(axis=0).argmax() for hertz in (2000, 300))
    assert high > low


@hears
def test_a_sound_too_short_and_one_at_another_rate() -> None:
    with pytest.raises(DataError, match="too short, 20 ms where a frame takes 25 ms"):
        log_mel(Sound(tone(seconds=0.02), 8000))
    with pytest.raises(SettingError, match="mels: expected fewer bands for 8,000 samples a second, got 300"):
        log_mel(Sound(tone(), 8000), 300)
    half = Sound(tone(300, rate=16000), 16000).resampled(8000)
    assert (half.rate, len(half)) == (8000, 1600)
    np.testing.assert_allclose(half.floats()[100:-100], tone(300)[100:-100] / 32768, atol=2e-3)
