"""Entities in tagged sentences, and their scores, as the CoNLL shared tasks count them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from seqloom_runtime.errors import DataError

__all__ = ["Span", "SpanScores", "are_span_tags", "score_spans", "spans_of"]

Span = tuple[int, int, str]
"""First token, the one after the last, label."""

_TAG = re.compile(r"([BIESLUM])-(.+)", re.DOTALL)


@dataclass(frozen=True)
class SpanScores:
    """Counts of spans and what follows from them; a ratio with nothing below its line counts as 0."""

    correct: int
    actual: int
    predicted: int

    @property
    def precision(self) -> float:
        """Share of the predicted spans that are right."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the actual spans that were found."""
        return self.correct / self.actual if self.actual else 0.0

    @property
    def f1(self) -> float:
        """2PR/(P + R)."""
        total = self.actual + self.predicted
        return 2 * self.correct / total if total else 0.0


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


def score_spans(
    actual: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> tuple[SpanScores, dict[str, SpanScores]]:
    """Over all spans, and by label: a span is right where place and label are. Tags of N sentences each.

    Raises DataError where sentences or tags don't agree in number.

    >>> score_spans([["B-a", "I-a", "B-b"]], [["B-a", "O", "B-b"]])[0].f1
    0.5
    """
    if len(actual) != len(predicted):
        raise DataError(f"Expected as many predicted sentences as actual ones, got {len(predicted)} and {len(actual)}.")
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("correct", "actual", "predicted")}
    for number, (gold, found) in enumerate(zip(actual, predicted)):
        if len(gold) != len(found):
            raise DataError(f"Sentence {number}: expected {len(gold)} predicted tags, got {len(found)}.")
        # Both are read by the same rules, so a malformed prediction is scored as what it marks.
        right, ours = spans_of(gold), spans_of(found)
        for name, spans in (("correct", set(right) & set(ours)), ("actual", right), ("predicted", ours)):
            counts[name].update(label for _, _, label in spans)
    labels = sorted({label for counter in counts.values() for label in counter})
    each = {label: SpanScores(*(counts[name][label] for name in counts)) for label in labels}
    return SpanScores(*(sum(counter.values()) for counter in counts.values())), each
