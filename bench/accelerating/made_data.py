"""The data that the programs are fitted on, made from a seed: a series, words, names, tagged sentences."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["names", "sentences", "series", "words"]

_STARTS = ("ab", "ka", "mi", "so", "tre", "ul", "vor", "zi", "pe", "no")
_ENDS = ("a", "ev", "ini", "ko", "mann", "os", "poulos", "son", "ura", "wicz")


def series(length: int = 2000) -> Any:
    """float32 (length,): two seasons, a slow walk and noise, scaled to about one."""
    rng = np.random.default_rng(1)
    t = np.arange(length)
    walk = np.cumsum(rng.normal(0, 0.02, length))
    values = np.sin(2 * np.pi * t / 24) + 0.5 * np.sin(2 * np.pi * t / 168) + walk + rng.normal(0, 0.1, length)
    return ((values - values.mean()) / values.std()).astype(np.float32)


def names(count: int = 2000) -> list[tuple[str, int]]:
    """Names of 3 to 14 letters, each with its class, which its ending tells."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(count):
        kind = int(rng.integers(len(_ENDS)))
        parts = rng.choice(_STARTS, size=int(rng.integers(1, 4)))
        found.append(("".join(parts) + _ENDS[kind], kind))
    return found


def words(count: int = 60_000, vocabulary: int = 1000) -> Any:
    """int64 (count,): numbers of words, frequent ones as in a language, each leaning on the word before it."""
    rng = np.random.default_rng(3)
    share = 1 / np.arange(1, vocabulary + 1)
    drawn = rng.choice(vocabulary, size=count, p=share / share.sum())
    follows = rng.integers(0, vocabulary, vocabulary)
    leans = rng.random(count) < 0.4
    for n in range(1, count):
        if leans[n]:
            drawn[n] = follows[drawn[n - 1]]
    return drawn.astype(np.int64)


def sentences(count: int = 600) -> list[tuple[list[str], list[str]]]:
    """Words and a tag for each, in sentences of 5 to 40 words as those of a treebank are."""
    rng = np.random.default_rng(4)
    kinds = {kind: [f"{kind.lower()}{n}" for n in range(60)] for kind in ("DET", "ADJ", "NOUN", "VERB", "ADP")}
    after = {"DET": ("ADJ", "NOUN"), "ADJ": ("NOUN",), "NOUN": ("VERB", "ADP"), "VERB": ("DET", "ADP"), "ADP": ("DET",)}
    found = []
    for _ in range(count):
        tags = ["DET"]
        for _ in range(int(rng.integers(4, 40))):
            tags.append(str(rng.choice(after[tags[-1]])))
        found.append(([str(rng.choice(kinds[tag])) for tag in tags], tags))
    return found
