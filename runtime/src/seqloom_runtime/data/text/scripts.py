"""Scripts that are written without spaces between words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

__all__ = ["UNSPACED", "unspaced_script"]

_RANGES = {
    "Japanese": "\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f",
    "Chinese": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f",
    "Thai": "\u0e01-\u0e5b",
    "Lao": "\u0e81-\u0eff",
    "Khmer": "\u1780-\u17ff",
    "Burmese": "\u1000-\u109f",
    "Tibetan": "\u0f00-\u0fff",
}
UNSPACED = re.compile(f"[{''.join(_RANGES.values())}]")
"""A character of a script that is written without spaces between words."""
_RUNS = {name: re.compile(f"[{characters}]") for name, characters in _RANGES.items()}
_LOOKED_AT = 200_000  # characters
_LONG = 3.0  # characters of a word on average; texts that are split into words already have fewer


def unspaced_script(texts: Iterable[str]) -> str | None:
    """The language whose script most letters of these texts are of, where it is written without spaces between words
    and the texts hold none; None for other texts, and for those that are split into words already.

    >>> unspaced_script(["我们喜欢在公园里跑步"]), unspaced_script(["我们 喜欢 公园"]), unspaced_script(["we run"])
    ('Chinese', None, None)
    """
    pieces, size = [], 0
    for text in texts:
        pieces.append(text[:_LOOKED_AT])
        size += len(text)
        if size > _LOOKED_AT:
            break
    sample = "\n".join(pieces)
    own = len(UNSPACED.findall(sample))
    letters = sum(character.isalpha() or UNSPACED.match(character) is not None for character in sample)
    if 2 * own <= letters or not own:
        return None
    words = [word for word in sample.split() if UNSPACED.search(word)]
    if own < _LONG * len(words):
        return None
    counts = Counter({name: len(run.findall(sample)) for name, run in _RUNS.items()})
    if counts["Japanese"] > 0.1 * counts["Chinese"] and counts["Japanese"] + counts["Chinese"] > own / 2:
        return "Japanese"
    return counts.most_common(1)[0][0]
