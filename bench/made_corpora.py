"""Corpora made in the layout of text8, WikiText-103 and LAMBADA, with as many kinds of characters or words.

Words are drawn by Zipf's law, each at least once. How much of the original's length there is, `share` says; the parts
that validate and test are short, as every row reads them.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

__all__ = ["LENGTHS", "make_corpus"]

LENGTHS = {"text8": 100_000_000, "wikitext-103": 103_227_021, "lambada": 202_744_022}  # characters, tokens, tokens
_WORDS = {"text8": 50_000, "wikitext-103": 267_733, "lambada": 93_213}  # and an end of line, and <unk>
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_HELD, _PASSAGES, _NOVEL = 4_000, 60, 2_000_000


def make_corpus(name: str, folder: Path, share: float) -> None:
    """Write the corpus below `folder`, under the names of the original's files; what is there already stays."""
    place = folder / name
    if place.exists():
        return
    place.mkdir(parents=True)
    random, words = np.random.default_rng(0), np.array([_spelled(n) for n in range(_WORDS[name])], dtype=object)
    tokens = int(LENGTHS[name] * share)
    if name == "text8":
        # One line without its end; a word and the space behind it are two characters or more.
        (place / "text8").write_text(_joined(_drawn(random, words, tokens // 2), 1 << 62)[:tokens])
    elif name == "wikitext-103":
        # A part's lines are paragraphs that begin and end with a space; some are empty.
        for part, size in (("train", tokens), ("valid", _HELD), ("test", _HELD)):
            every = words if part == "train" else words[:1000]
            (place / f"wiki.{part}.tokens").write_text(_joined(_drawn(random, every, size), 90, " ", " \n \n"))
    else:
        text = _joined(_drawn(random, words, tokens), 15)
        novels = place / "train-novels" / "Made"
        novels.mkdir(parents=True)
        for number, at in enumerate(range(0, len(text), _NOVEL)):
            (novels / f"novel{number}.txt").write_text(text[at : at + _NOVEL])
        for part in ("development", "test"):
            passages = _joined(_drawn(random, words[:5000], 75 * _PASSAGES)[: 75 * _PASSAGES], 75)
            (place / f"lambada_{part}_plain_text.txt").write_text(passages)


def _spelled(number: int) -> str:
    """A, b, …, z, aa, ab, …: another word for each number."""
    letters = _LETTERS[number % 26]
    while number := number // 26:
        letters = _LETTERS[(number := number - 1) % 26] + letters
    return letters


def _drawn(random: np.random.Generator, words: np.ndarray, tokens: int) -> np.ndarray:
    """So many words by Zipf's law, every one of them among these."""
    share = np.cumsum(1 / np.arange(1, len(words) + 1))
    ids = np.searchsorted(share, random.random(max(tokens, len(words))) * share[-1])
    ids[random.permutation(len(ids))[: len(words)]] = np.arange(len(words))
    return words[ids]


def _joined(words: np.ndarray, each: int, before: str = "", after: str = "\n") -> str:
    """Lines of so many words."""
    lines = math.ceil(len(words) / each)
    if lines == 1:
        return " ".join(words)
    return "".join(f"{before}{' '.join(words[n * each : (n + 1) * each])}{after}" for n in range(lines))
