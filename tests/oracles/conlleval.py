"""The chunk rules of the CoNLL-2000 evaluation, written as its two questions: does a chunk end, does one start here?"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["chunks", "f1"]


def _split(tag: str) -> tuple[str, str]:
    return ("O", "") if tag == "O" else (tag[0], tag[2:])


def _ends(before: tuple[str, str], now: tuple[str, str]) -> bool:
    (p, label), (q, next_label) = before, now
    if p in "ES":
        return True
    if p in "BI" and q in "BSO":
        return True
    return p != "O" and label != next_label


def _starts(before: tuple[str, str], now: tuple[str, str]) -> bool:
    (p, label), (q, next_label) = before, now
    if q in "BS":
        return True
    if p in "ESO" and q in "EI":
        return True
    return q != "O" and label != next_label


def chunks(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """(first, one after the last, label) of every chunk."""
    found, began, before = set(), 0, ("O", "")
    for place, tag in enumerate([*tags, "O"]):
        now = _split(tag)
        if before[0] != "O" and _ends(before, now):
            found.add((began, place, before[1]))
        if now[0] != "O" and _starts(before, now):
            began = place
        before = now
    return found


def f1(actual: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """F1 over the chunks of all sentences."""
    pairs = [(chunks(a), chunks(p)) for a, p in zip(actual, predicted, strict=True)]
    right, gold, ours = (sum(len(v) for v in values) for values in zip(*((a & p, a, p) for a, p in pairs)))
    return 2 * right / (gold + ours) if gold + ours else 0.0
