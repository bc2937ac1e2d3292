"""Spoken sentences for the studies, made by the program espeak-ng: voices, accents, speeds, pitches, and noise."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from seqloom_runtime.data.speech import Sound
from seqloom_runtime.errors import DataError, MissingDependencyError, brief

from ..training import derive_seed

__all__ = ["ACCENTS", "RATE", "VOICES", "Utterance", "heard", "speak", "spoken", "version"]

RATE = 11_025
"""Samples a second of every sound: half of what espeak-ng makes."""
ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-029")
_NUMBERED = (
    "m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5",
    "edward edward2 Gene Gene2 iven iven2 iven3 iven4 steph steph2 steph3",
)
_NAMED = (
    "adam Alex Alicia Andrea Andy anika Annie antonio aunty belinda benjamin boris caleb david Denis Diogo ed gustave"
    " Henrique Hugo Jacky john kaukovalta Lee linda Marco marcelo Mario max Michael michel miguel Mike norbert pablo"
    " paul pedro quincy rob robert sandro shelby travis victor zac"
)
_PLAYED = (0.8, 0.9, 1.0, 1.1, 1.2)  # training sounds run so much faster: Ko et al. 2015, audio augmentation
_PATIENCE = 60  # seconds for one sentence


def _parts() -> dict[str, tuple[str, ...]]:
    """Which voice variants of espeak-ng 1.51 each part hears: by the alphabet, never by how well they are understood.

    Every fifth of the numbered and of the named voices tests and every tenth validates; families of alike ones (steph,
    steph2, …) train, and what is meant as an effect (croak, whisper, robots) is left out.
    """
    found: dict[str, list[str]] = {"train": list[str](_NUMBERED[1].split()), "valid": [], "test": []}
    for place, name in enumerate([*sorted(_NUMBERED[0].split()), *sorted(_NAMED.split(), key=str.casefold)]):
        found["test" if place % 5 == 4 else "valid" if place % 10 == 2 else "train"].append(name)
    return {part: tuple(names) for part, names in found.items()}


VOICES = _parts()
"""Voice variants by part; no voice is in two."""


@dataclass(frozen=True)
class Utterance:
    """One sentence as it is said: words a minute, pitch from 0 to 99, how much faster it is played, and its noise."""

    text: str
    voice: str
    speed: int
    pitch: int
    played: float
    noise: int


def program() -> str:
    """The path of espeak-ng; raises MissingDependencyError where it is not there."""
    found = shutil.which("espeak-ng")
    if found is None:
        raise MissingDependencyError(
            "spoken studies need the program espeak-ng, which is not on the PATH; install the package espeak-ng, such "
            "as with apt-get install espeak-ng."
        )
    return found


def version() -> str:
    """What espeak-ng says of its version: the sounds are its own."""
    told = subprocess.run([program(), "--version"], capture_output=True, text=True, timeout=_PATIENCE, check=False)
    return told.stdout.split(" Data at")[0].strip()


def check_voices(voices: Sequence[str]) -> None:
    """Raise DataError for a variant that espeak-ng lacks, in whose place it would speak with its usual voice."""
    command = [program(), "--voices=variant"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False).stdout
    there = set(re.findall(r"!v/(.+?)\s*$", told, flags=re.MULTILINE))
    lacking = [voice for voice in voices if voice not in there]
    if lacking:
        raise DataError(
            f"espeak-ng: its voices lack {len(lacking)} of {len(voices)}, {lacking[0]} among them; this version is "
            f"{version()}, 1.51 or later is needed."
        )


def speak(text: str, voice: str, speed: int, pitch: int) -> Sound:
    """What espeak-ng makes of a text; raises DataError where it makes nothing."""
    command = [program(), "--stdout", "-v", voice, "-s", str(speed), "-p", str(pitch), "--", text]
    done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)
    start = done.stdout.find(b"data") + 8
    if done.returncode or start < 44 or len(done.stdout) < start + 2:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = brief(said[0], 200) if said else f"nothing, exit code {done.returncode}"
        raise DataError(f"espeak-ng: expected speech by the voice {voice}, got {why}; try what it says by hand.")
    # Not read as a file: written to a pipe, its header can't know how long the sound becomes.
    body = done.stdout[start : start + (len(done.stdout) - start) // 2 * 2]
    return Sound(np.frombuffer(body, dtype="<i2").astype(np.int16), int.from_bytes(done.stdout[24:28], "little"))


def heard(sound: Sound, played: float, draw: np.random.Generator) -> Sound:
    """A sound played faster, which shifts its formants, with white or pink noise 10 to 30 dB below it."""
    fast = Sound(sound.samples, round(sound.rate * played)).resampled(RATE)
    voice = fast.floats().astype(np.float64)
    noise = draw.standard_normal(len(voice))
    if draw.random() < 0.5:
        spectrum = np.fft.rfft(noise)
        noise = np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)) + 1), len(voice))
    level = np.sqrt(np.square(voice).mean()) / 10 ** (draw.uniform(10, 30) / 20)
    mixed = (voice + noise * level / noise.std()) * draw.uniform(0.3, 1.0)
    return Sound(np.round(np.clip(mixed, -1, 1) * 32_767).astype(np.int16), RATE)


def drawn(part: str, count: int, sentence: Callable[[np.random.Generator], str], *names: str) -> list[Utterance]:
    """`count` sentences by the voices of a part ("heard": of training, in sentences of their own)."""
    draw = np.random.default_rng(derive_seed(0, "spoken", *names, part))
    voices = VOICES["train" if part == "heard" else part]
    found = []
    for _ in range(count):
        text, accent = sentence(draw), ACCENTS[draw.integers(len(ACCENTS))]
        voice, speed = voices[draw.integers(len(voices))], int(draw.integers(120, 220))
        played = float(draw.choice(_PLAYED)) if part == "train" else 1.0
        noise = int(draw.integers(2**31))
        found.append(Utterance(text, f"{accent}+{voice}", speed, int(draw.integers(15, 85)), played, noise))
    return found


def spoken(
    part: str, count: int, sentence: Callable[[np.random.Generator], str], *names: str
) -> tuple[list[Sound], list[str]]:
    """The sounds and texts of `drawn`, the same ones every time."""
    check_voices(VOICES["train" if part == "heard" else part])
    wanted: Sequence[Utterance] = drawn(part, count, sentence, *names)

    def make(one: Utterance) -> Sound:
        sound = speak(one.text, one.voice, one.speed, one.pitch)
        return heard(sound, one.played, np.random.default_rng(one.noise))

    with ThreadPoolExecutor(2) as pool:  # each waits for a process of its own
        return list(pool.map(make, wanted)), [one.text for one in wanted]
