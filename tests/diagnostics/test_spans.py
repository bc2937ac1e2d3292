"""Spans of tags against the rules of conlleval written another way, and scores by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.oracles import conlleval

from seqloom.diagnostics.spans import are_span_tags, score_spans, spans_of
from seqloom.errors import DataError

TAGS = ["O", *(f"{prefix}-{label}" for prefix in "BIES" for label in ("a", "b"))]
SENTENCES = st.lists(st.lists(st.sampled_from(TAGS), min_size=1, max_size=12), min_size=1, max_size=6)


@given(st.lists(st.sampled_from(TAGS), max_size=14))
def test_spans_are_conllevals_chunks(tags: list[str]) -> None:
    found = spans_of(tags)
    assert set(found) == conlleval.chunks(tags)
    assert len(found) == len(set(found))
    assert found == sorted(found)


@given(SENTENCES, st.data())
def test_f1_is_conllevals(actual: list[list[str]], data: st.DataObject) -> None:
    predicted = [data.draw(st.lists(st.sampled_from(TAGS), min_size=len(a), max_size=len(a))) for a in actual]
    total, each = score_spans(actual, predicted)
    assert total.f1 == pytest.approx(conlleval.f1(actual, predicted))
    assert total.correct == sum(s.correct for s in each.values())
    assert total.actual == sum(s.actual for s in each.values())


def test_scores_by_hand() -> None:
    gold = [["B-x", "I-x", "O", "B-y"], ["O", "B-x"]]
    ours = [["B-x", "I-x", "O", "B-x"], ["B-y", "B-x"]]
    total, each = score_spans(gold, ours)
    assert (total.correct, total.actual, total.predicted) == (2, 3, 4)
    assert total.precision == 0.5
    assert total.recall == pytest.approx(2 / 3)
    assert total.f1 == pytest.approx(4 / 7)
    assert each["y"].f1 == 0.0


def test_nothing_to_find_is_zero() -> None:
    assert score_spans([["O"]], [["O"]])[0].f1 == 0.0


def test_other_tags_are_no_spans() -> None:
    assert are_span_tags(["O", "B-a", "I-a"])
    assert not are_span_tags(["NN", "VB", "O"])
    assert not are_span_tags(["O"])


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(DataError, match="Sentence 1"):
        score_spans([["O"], ["O", "O"]], [["O"], ["O"]])
    with pytest.raises(DataError, match="as many"):
        score_spans([["O"]], [])
