"""`WordEmbedder`: what it learns, that it resumes and loads to the same bytes, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqloom
from seqloom.errors import DataError, FormatError, SettingError
from seqloom.tasks.embedding.examples import Sampler, Tokens, cooccurrences, pairs_within
from seqloom.training import EpochDone, Saved
from seqloom_runtime.data.text import read_vectors

MODELS = ("skip-gram", "cbow", "glove")
# Two topics that never meet: words of one are neighbours of one another.
ANIMALS, METALS = ["cat", "dog", "cow", "hen", "fox"], ["iron", "zinc", "gold", "lead", "tin"]


def made_text(lines: int = 300, seed: int = 0) -> str:
    random = np.random.default_rng(seed)
    return "\n".join(" ".join(random.choice(ANIMALS if n % 2 else METALS, 6)) for n in range(lines)) + "\n"


TEXT, HELD = made_text(), made_text(40, seed=1)
SMALL: dict[str, Any] = {"embedding_size": 8, "window": 3, "min_count": 1, "subsample": 0.0, "learning_rate": 0.1}


@pytest.mark.parametrize("model", MODELS)
def test_words_of_a_topic_become_neighbours(model: str) -> None:
    losses = []
    found = seqloom.WordEmbedder(model=model, epochs=8, **SMALL).fit(
        TEXT, valid=HELD, on_event=lambda e: losses.append(e.row.train_loss) if isinstance(e, EpochDone) else None
    )
    for word in ("dog", "zinc"):
        own = set(ANIMALS if word in ANIMALS else METALS)
        assert {near for near, _ in found.nearest(word, 4)} == own - {word}
    assert losses[-1] < losses[0]
    score = found.evaluate(HELD).scores["context_auc"]
    assert score > 0.7  # words of the same topic are drawn by chance half of the time
    assert found.history_ is not None
    assert found.history_.epochs[-1].valid["context_auc"] == pytest.approx(score)
    chance = seqloom.WordEmbedder(model="random", **SMALL).fit(TEXT).evaluate(HELD)
    assert abs(chance.scores["context_auc"] - 0.5) < 0.15
    assert chance.details["tables"][0]["title"] == "Nearest words"


@pytest.mark.parametrize("model", MODELS)
def test_saved_loaded_and_the_same_by_seed(model: str, tmp_path: Path) -> None:
    options = {**SMALL, "epochs": 2}
    one, same = (seqloom.WordEmbedder(model=model, **options).fit(TEXT) for _ in range(2))
    other = seqloom.WordEmbedder(model=model, **options, seed=1).fit(TEXT)
    assert one.vectors_.vectors.tobytes() == same.vectors_.vectors.tobytes()
    assert one.vectors_.vectors.tobytes() != other.vectors_.vectors.tobytes()
    one.save(tmp_path / "model")
    again = seqloom.load(tmp_path / "model")
    assert again.get_params() == one.get_params()
    assert again.vectors_.words == one.vectors_.words
    assert again.vectors_.vectors.tobytes() == one.vectors_.vectors.tobytes()
    assert again.analogy("cat", "dog", "iron", 2) == one.analogy("cat", "dog", "iron", 2)
    assert again.evaluate(HELD).scores == one.evaluate(HELD).scores
    one.vectors_.write(tmp_path / "vectors.txt")
    read = read_vectors(tmp_path / "vectors.txt")
    assert isinstance(read, seqloom.WordVectors)
    assert read.words == one.vectors_.words
    assert read.vectors.tobytes() == one.vectors_.vectors.tobytes()
    (tmp_path / "model" / "model.json").write_text("{}")
    with pytest.raises(FormatError):
        seqloom.load(tmp_path / "model")


class Killed(Exception):
    """Stands for the end of a process right after a checkpoint."""


def kill_at(save: int) -> Callable[[Any], None]:
    left = save

    def handle(event: Any) -> None:
        nonlocal left
        left -= isinstance(event, Saved)
        if not left:
            raise Killed

    return handle


@pytest.mark.parametrize("model", MODELS)
def test_resumed_to_the_same_bytes(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seqloom.tasks.embedding import learning

    monkeypatch.setattr(learning, "_TOKENS", 500)
    monkeypatch.setattr(learning, "_ENTRIES", 20)
    monkeypatch.setattr(learning, "_TELL_EVERY", 0.0)
    options = {**SMALL, "model": model, "epochs": 3}
    whole = seqloom.WordEmbedder(**options).fit(TEXT, valid=HELD)
    for save, every in ((1, 1e9), (3, 0.0)):  # after an epoch, and within one
        monkeypatch.setattr(learning, "_SAVE_EVERY", every)
        place = tmp_path / f"{save}"
        with pytest.raises(Killed):
            seqloom.WordEmbedder(**options).fit(TEXT, valid=HELD, directory=place, on_event=kill_at(save))
        with pytest.raises(SettingError, match="is not empty"):
            seqloom.WordEmbedder(**options).fit(TEXT, valid=HELD, directory=place)
        with pytest.raises(SettingError, match=r"resume: .* other parameters or another text"):
            seqloom.WordEmbedder(**{**options, "window": 2}).fit(TEXT, directory=place, resume=True)
        found = seqloom.WordEmbedder(**options).fit(TEXT, valid=HELD, directory=place, resume=True)
        assert found.vectors_.vectors.tobytes() == whole.vectors_.vectors.tobytes()
        assert found.history_ == whole.history_


def test_windows_and_counts_by_hand() -> None:
    tokens = Tokens(np.array([0, 1, 2, 0, 3], np.int32), np.array([0, 0, 0, 1, 1], np.int32))
    centres, contexts = pairs_within(tokens, np.array([2, 1, 1, 2, 2]))
    assert list(zip(centres.tolist(), contexts.tolist())) == [(0, 1), (0, 2), (1, 2), (1, 0), (2, 1), (3, 4), (4, 3)]
    found = cooccurrences(tokens, 4, 2)
    table = np.zeros((4, 4))
    table[found.left, found.right] = found.values
    expected = np.zeros((4, 4))
    for i, j, value in ((0, 1, 1.0), (1, 2, 1.0), (0, 2, 0.5), (0, 3, 1.0)):
        expected[i, j] = expected[j, i] = value
    np.testing.assert_allclose(table, expected)
    twice = cooccurrences(Tokens(np.array([1, 1], np.int32), np.zeros(2, np.int32)), 2, 1)
    assert twice.values.tolist() == [2.0]  # either word stands beside the other


def test_counts_do_not_hang_on_where_the_text_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    from seqloom.tasks.embedding import examples

    random = np.random.default_rng(3)
    tokens = Tokens(random.integers(0, 5, 200).astype(np.int32), np.sort(random.integers(0, 9, 200)).astype(np.int32))
    whole = cooccurrences(tokens, 5, 4)
    monkeypatch.setattr(examples, "_CHUNK", 7)
    cut = cooccurrences(tokens, 5, 4)
    assert cut.left.tolist() == whole.left.tolist()
    np.testing.assert_allclose(cut.values, whole.values, rtol=1e-6)


def test_draws_have_the_frequencies_of_the_paper() -> None:
    counts = np.array([600.0, 300.0, 100.0])
    random = np.random.default_rng(0)
    sampler = Sampler(counts, 2, 3, 0.1)
    drawn = np.bincount(sampler.draw_words((20_000,), random)) / 20_000
    np.testing.assert_allclose(drawn, counts**0.75 / (counts**0.75).sum(), atol=0.02)
    tokens = Tokens(np.repeat(np.arange(3, dtype=np.int32), 4000), np.zeros(12_000, np.int32))
    share = counts / 1000
    kept = np.minimum(1, np.sqrt(0.1 / share) + 0.1 / share)
    assert sampler.expected(tokens) == pytest.approx(4000 * kept.sum())
    inputs, starts, targets = sampler.examples(tokens, random, join=True)
    assert len(targets) == pytest.approx(4000 * kept.sum(), rel=0.02)
    assert targets.shape[1] == 4
    assert starts[-1] == len(inputs)


@pytest.mark.parametrize(
    ("options", "text", "said"),
    [
        ({"model": "word2vec"}, TEXT, "model: expected one of skip-gram, cbow, glove, random"),
        ({"window": 0}, TEXT, "window: expected"),
        ({}, "", "at least two different words that occur 1 times"),
        ({"min_count": 10**6}, TEXT, "at least two different words"),
        ({}, 5, "the training text: expected a text or its lines, got int"),
        ({}, ["a b", 3], "the training text: expected lines of text, got int"),
        ({"model": "glove"}, "a\nb\n", "no two words of the vocabulary in one line"),
    ],
)
def test_what_can_not_be_learned_is_refused(options: dict[str, Any], text: Any, said: str) -> None:
    with pytest.raises((SettingError, DataError), match=said):
        seqloom.WordEmbedder(**{**SMALL, **options}).fit(text)


def test_words_without_a_vector_and_texts_without_pairs_are_refused() -> None:
    model = seqloom.WordEmbedder(epochs=1, **SMALL).fit(TEXT)
    with pytest.raises(DataError, match="'horse' has no vector"):
        model.nearest("horse")
    with pytest.raises(DataError, match="no two different words"):
        model.evaluate("cat\ncat\n")
    with pytest.raises(DataError, match="'horse' has no vector"):
        model.evaluate(HELD, near=["horse"])


def test_a_text_without_spaces_is_read_by_character() -> None:
    model = seqloom.WordEmbedder(epochs=1, **SMALL).fit("我爱北京天安门\n" * 30)
    assert "北" in model.vectors_
    assert "each character is a word" in model.notes_[0]
