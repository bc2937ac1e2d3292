"""Entities in tagged sentences, and their scores, as the CoNLL shared tasks count them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from seqloom_runtime.errors import DataError
from seqloom_runtime.tagging.spans import Span, are_span_tags, spans_of

__all__ = ["Span", "SpanScores", "are_span_tags", "score_spans", "spans_of"]


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
