"""Which scheme the tags of named entities follow: IOB1, IOB2, BIOES, BILOU or BMES."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["SCHEMES", "tag_scheme"]

SCHEMES = {
    "IOB1": "B- begins a name only where one of the same kind stands right before it",
    "IOB2": "B- begins every name",
    "IOB": "some names begin with B-, some with I-",
    "IO": "names begin with I- and none with B-",
    "BIOES": "E- ends a name, S- is one of a single word",
    "BILOU": "L- ends a name, U- is one of a single word",
    "BMES": "M- goes on with a name, E- ends it, S- is one of a single word",
}
_TAG = re.compile(r"([BIESLUMW])-(.+)", re.DOTALL)


def tag_scheme(sentences: Sequence[Sequence[str]]) -> str | None:
    """The scheme of the tags of N sentences, one of `SCHEMES`; None where they are no tags of names, such as parts of
    speech.

    >>> tag_scheme([["I-PER", "I-PER", "O"], ["I-LOC", "B-LOC"]]), tag_scheme([["VERB"]])
    ('IOB1', None)
    """
    prefixes: set[str] = set()
    begins = goes_on = after_same = 0  # names that begin with B-, with I-; those with B- right behind one of their kind
    for tags in sentences:
        before = ""
        for tag in tags:
            match = _TAG.fullmatch(tag)
            if match is None:
                if tag != "O":
                    return None
                before = ""
                continue
            prefix, label = match.groups()
            prefixes.add(prefix)
            if prefix == "B":
                begins += 1
                after_same += before == label
            elif prefix == "I" and before != label:
                goes_on += 1
            before = label
    return _named(prefixes, begins, goes_on, after_same)


def _named(prefixes: set[str], begins: int, goes_on: int, after_same: int) -> str | None:
    if not prefixes:
        return None
    if prefixes & {"L", "U"}:
        return "BILOU"
    if prefixes & {"M", "W"}:
        return "BMES"
    if prefixes & {"E", "S"}:
        return "BIOES"
    if not begins:
        return "IO"
    if not goes_on:
        return "IOB2"
    return "IOB1" if after_same == begins else "IOB"
