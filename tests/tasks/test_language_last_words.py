"""Last words of passages (LAMBADA): losses passage by passage against the running score, accuracy by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqloom
from seqloom.errors import DataError, SettingError
from seqloom.tasks.language import LanguageModel
from seqloom.tasks.language.last_words import last_word_losses, read_passages

QUICK: dict[str, Any] = {
    "units": 24,
    "layers": 1,
    "epochs": 4,
    "batch_size": 4,
    "window": 12,
    "learning_rate": 0.03,
    "tied": False,
    "input_dropout": 0.0,
    "recurrent_dropout": 0.0,
    "output_dropout": 0.0,
}
NAMES = ["anna", "ben", "carl", "dora"]


def passages(count: int, seed: int) -> str:
    """Lines of several lengths that end with the name that they begin with."""
    rng = np.random.default_rng(seed)
    fill = ["went", "home", "and", "then"]
    return "".join(
        f"{name} {' '.join(fill[: rng.integers(1, 3)])} called {name}\n" for name in rng.choice(NAMES, count).tolist()
    )


TRAIN, HELD = passages(400, 0), passages(30, 1)


@pytest.fixture(scope="module")
def fitted() -> dict[str, LanguageModel]:
    return {
        name: LanguageModel(model=name, scoring="last-word", **QUICK).fit(TRAIN, valid=HELD)
        for name in ("unigram", "bigram", "gru", "tcn")
    }


@pytest.mark.parametrize("name", ["unigram", "bigram", "gru", "tcn"])
def test_losses_are_those_of_each_passage_alone(fitted: dict[str, LanguageModel], name: str) -> None:
    model = fitted[name]
    lines = ["anna went home anna", "ben went home and then zebra", "carl dora"]
    evaluation = model.evaluate("\n\n".join(lines))
    alone = [-model.score(line)[-2][1] for line in lines]  # before <eos>
    np.testing.assert_allclose(evaluation.predictions["loss"], alone, rtol=1e-5)
    assert evaluation.predictions["row"].tolist() == [1, 3, 5]
    assert evaluation.predictions["word"].tolist() == ["anna", "zebra", "dora"]
    assert evaluation.details["facts"]["last words outside the vocabulary"] == 1
    assert evaluation.scores["perplexity"] == pytest.approx(math.exp(np.mean(alone)), rel=1e-5)
    for line, guess in zip(lines, evaluation.predictions["most_likely"].tolist(), strict=True):
        before = line.rpartition(" ")[0]
        words = [word for word in model.vocabulary_.words if word != "<unk>"]
        by_hand = {word: model.score(f"{before} {word}")[len(before.split())][1] for word in words if word != "<eos>"}
        by_hand["<eos>"] = model.score(f"{before}\n")[-1][1]
        assert guess == max(by_hand, key=by_hand.__getitem__)
    right = evaluation.predictions["most_likely"] == evaluation.predictions["word"]
    assert evaluation.scores["accuracy"] == right.mean()


def test_a_network_remembers_and_validation_is_of_last_words(fitted: dict[str, LanguageModel]) -> None:
    model = fitted["tcn"]
    found = model.evaluate(HELD)
    assert found.first == "perplexity"
    assert found.scores["accuracy"] > fitted["bigram"].evaluate(HELD).scores["accuracy"] + 0.3
    assert model.history_ is not None
    assert model.history_.best_value == pytest.approx(found.scores["loss"])


def test_batches_don_t_matter(fitted: dict[str, LanguageModel], monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted["tcn"]
    ids = [model.vocabulary_.ids(words) for words in read_passages(HELD).words]
    whole = last_word_losses(model.model_, model.start_, ids)
    monkeypatch.setattr("seqloom.tasks.language.last_words._NUMBERS", 300)
    parts = last_word_losses(model.model_, model.start_, ids)
    np.testing.assert_allclose(whole[0], parts[0], rtol=1e-5)
    assert whole[1].tolist() == parts[1].tolist()


def test_saved_resumed_and_refused(fitted: dict[str, LanguageModel], tmp_path: Path) -> None:
    fitted["gru"].save(tmp_path / "model")
    loaded = seqloom.load(tmp_path / "model")
    assert loaded.evaluate(HELD).scores == fitted["gru"].evaluate(HELD).scores
    with pytest.raises(DataError, match=r"line 2: expected a passage.*'one'"):
        loaded.evaluate("two words\none\n")
    with pytest.raises(DataError, match="found none"):
        loaded.evaluate("\n \n")
    with pytest.raises(SettingError, match=r"^scoring: .*level='word'"):
        LanguageModel(scoring="last-word", level="char").fit(TRAIN)

    def make() -> LanguageModel:
        return LanguageModel(model="gru", scoring="last-word", **{**QUICK, "epochs": 2})

    class Stop(Exception):
        pass

    def stop(event: object) -> None:
        if type(event).__name__ == "EpochDone":
            raise Stop

    with pytest.raises(Stop):
        make().fit(TRAIN, valid=HELD, directory=tmp_path / "cut", on_event=stop)
    resumed = make().fit(TRAIN, valid=HELD, directory=tmp_path / "cut", resume=True)
    whole = make().fit(TRAIN, valid=HELD)
    assert whole.history_ == resumed.history_
    for a, b in zip(whole.model_.parameters(), resumed.model_.parameters(), strict=True):
        assert torch.equal(a, b)
