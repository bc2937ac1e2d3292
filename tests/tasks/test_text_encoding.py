"""Texts as ids: truncation, sentences and batches against plain lists."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqloom.data import WordTokenizer
from seqloom.errors import FormatError
from seqloom.tasks.text.batches import TextBatches, tensors
from seqloom_runtime.text.encoding import encode_texts, sentences_of, words_read

WORDS = [f"w{number}" for number in range(9)]
TOKENIZER = WordTokenizer().fit([" ".join(WORDS)])
SENTENCES = st.lists(st.sampled_from([*WORDS, "other"]), max_size=70).map(" ".join)
TEXTS = st.lists(st.lists(SENTENCES, max_size=4).map(lambda parts: "".join(part + ". " for part in parts)), min_size=1)


def ids_of(words: list[str]) -> list[int]:
    return [WORDS.index(word) + 2 if word in WORDS else 1 for word in words]


@given(texts=TEXTS, most=st.none() | st.integers(1, 100), keep=st.sampled_from(["last", "first"]), data=st.data())
def test_a_batch_holds_the_kept_words_and_zeros(
    texts: list[str], most: int | None, keep: str, data: st.DataObject
) -> None:
    encoded = encode_texts(TOKENIZER, texts, most, keep)
    rows = np.array(data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, max_size=5)))
    ids, lengths = encoded.batch(rows)
    for place, row in enumerate(rows):
        words = texts[row].replace(".", " ").split()
        kept = words if most is None else words[-most:] if keep == "last" else words[:most]
        assert lengths[place] == len(kept)
        assert ids[place].tolist() == ids_of(kept) + [0] * (ids.shape[1] - len(kept))
        assert words_read(TOKENIZER, texts[row], most, keep) == [kept]
    assert ids.shape[1] == max(1, int(lengths.max()))


@given(texts=TEXTS, most=st.none() | st.integers(1, 100), keep=st.sampled_from(["last", "first"]), data=st.data())
def test_a_batch_of_sentences_holds_the_same_words_sentence_by_sentence(
    texts: list[str], most: int | None, keep: str, data: st.DataObject
) -> None:
    encoded = encode_texts(TOKENIZER, texts, most, keep, sentences=True)
    rows = np.array(data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, max_size=5)))
    ids, lengths = encoded.batch(rows)
    for place, row in enumerate(rows):
        spelled = words_read(TOKENIZER, texts[row], most, keep, sentences=True)
        assert [ids_of(words) for words in spelled] == [
            ids[place, s, : lengths[place, s]].tolist() for s in range(ids.shape[1]) if lengths[place, s]
        ]
        assert not any(ids[place, s, lengths[place, s] :].any() for s in range(ids.shape[1]))
        flat = words_read(TOKENIZER, texts[row], most, keep)[0]
        assert [word for words in spelled for word in words] == flat
        # Whole sentences, up to the one that the cut went through, and pieces of sixty words.
        whole = [part.split() for part in texts[row].split(". ") if part.strip()]
        pieces = [part[start : start + 60] for part in whole for start in range(0, len(part), 60)]
        if most is None:
            assert spelled == pieces
        assert max(map(len, spelled), default=0) <= 60


def test_sentences_end_at_marks_and_breaks() -> None:
    text = 'He said "no!" Then left... It cost 3.50 in all.<br /><br />End\n\nof it'
    assert sentences_of(text) == ['He said "no!', "Then left...", "It cost 3.50 in all.", "End", "of it"]
    assert sentences_of("  \n ") == []


def test_batches_cover_each_epoch_once_and_go_on_from_their_state() -> None:
    texts = [" ".join(WORDS[: 1 + number % 7]) for number in range(23)]
    encoded, classes = encode_texts(TOKENIZER, texts, 5, "last"), np.arange(23)

    def batches(seed: int = 4) -> TextBatches:
        return TextBatches(encoded, classes, 4, seed)

    one = batches()
    first = [next(one) for _ in range(6)]
    assert sorted(torch.cat([labels for _, labels in first]).tolist()) == list(range(23))
    for (ids, lengths), labels in first:
        expected, counts = tensors(encoded, labels.numpy())
        assert torch.equal(ids, expected)
        assert torch.equal(lengths, counts)
    state, again = one.state(), batches()
    again.restore(state)
    for _ in range(9):
        (ids, _), labels = next(one)
        (others, _), same = next(again)
        assert torch.equal(ids, others)
        assert torch.equal(labels, same)
    with pytest.raises(FormatError, match="seed"):
        batches(5).restore(state)
    assert TextBatches(encoded, classes, 4, 1, width=9).__next__()[0][0].shape[1] == 9
