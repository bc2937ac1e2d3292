"""Entities in tagged sentences, as the CoNLL shared tasks count them."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["Span", "are_span_tags", "spans_of"]

Span = tuple[int, int, str]
"""First token, the one after the last, label."""

_TAG = re.compile(r"([BIESLUM])-(.+)", re.DOTALL)


def are_span_tags(tags: Sequence[str]) -> bool:
    """Whether all tags are O, or B-, I-, E-, S-, L-, U- or M- and a label, one of them at least no O."""
    return all(tag == "O" or _TAG.fullmatch(tag) for tag in tags) and any(tag != "O" for tag in tags)


def spans_of(tags: Sequence[str]) -> list[Span]:
    """The spans of a sentence's tags (IOB1, IOB2, IOBES, BILOU, BMES).

    A token goes on with a span where it is I, M, E or L, the token before it is B, I or M, and both have the same
    label; any other tag but O begins one. Source: the rules of conlleval (Tjong Kim Sang & Buchholz, CoNLL-2000). A
    tag without such a prefix is a span of its own.

    >>> spans_of(["B-city", "I-city", "O", "I-city", "I-time"])
    [(0, 2, 'city'), (3, 4, 'city'), (4, 5, 'time')]
    """
    spans: list[Span] = []
    open_before, label_before = False, ""
    for place, tag in enumerate(tags):
        match = _TAG.fullmatch(tag)
        # A plain tag, as in part-of-speech tagging, is one span a token, so that F1 is the accuracy there.
        prefix, label = match.groups() if match else ("S", tag)
        if tag == "O":
            open_before = False
            continue
        # conlleval: I after another label begins a span. Counting it as an error would punish IOB1 files, which begin
        # so.
        if open_before and prefix in "IELM" and label == label_before:
            spans[-1] = (spans[-1][0], place + 1, label)
        else:
            spans.append((place, place + 1, label))
        # E, L, S and U close their span, so an I behind them begins one.
        open_before, label_before = prefix in "BIM", label
    return spans
