"""Models of texts and sounds that a user registered: seqloom runs them by torch, the runtime refuses them by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runtime_cases import close, same

import seqloom
import seqloom_runtime
from seqloom.tasks.networks import Model, register_models, registry
from seqloom.tasks.predictor import has_form
from seqloom_runtime.errors import FormatError

TASKS = ("text", "tagging", "language", "translation", "transcription")
TEXT = "the cat sat on the mat\nthe dog sat on a cat\na dog saw the mat and ran\n" * 4
LINES = TEXT.splitlines()
WORDS, TAGS = [line.split() for line in LINES], [["O"] * len(line.split()) for line in LINES]
SOUNDS = [np.random.default_rng(n).normal(size=(30 + n, 3)).astype(np.float32) for n in range(len(LINES))]
SMALL: dict[str, Any] = {"units": 5, "epochs": 1, "batch_size": 4}


@pytest.fixture
def mine() -> Iterator[None]:
    """A model of the name `mine` in each task: what it computes is known, and the runtime knows no such name."""
    for task in TASKS:
        register_models(task, {"mine": Model("gru")})
    yield
    for task in TASKS:
        del registry._models[task]["mine"]


def fitted(task: str, model: str) -> tuple[Any, Any]:
    """A fitted estimator, and what it says."""
    if task == "text":
        found = seqloom.TextClassifier(model=model, embedding_size=4, pool="last", **SMALL)
        found.fit(LINES, ["a", "b", "c"] * 4)
        return found, found.logits(LINES)
    if task == "tagging":
        tags = [[*row[:-1], "B-x"] for row in TAGS]
        found = seqloom.SequenceTagger(model=model, embedding_size=4, **SMALL).fit(WORDS, tags)
        return found, found.predict(WORDS)
    if task == "language":
        found = seqloom.LanguageModel(model=model, window=5, **SMALL).fit(TEXT)
        said = [np.array([p for _, p in found.score(TEXT, cache=size)]) for size in (0, 4)]
        stream = found.stream(2)
        return found, [*said, stream.step([1, 2]).copy(), found.generate("the", 9, seed=1)]
    if task == "translation":
        found = seqloom.Seq2Seq(model=model, embedding_size=4, level="char", **SMALL).fit(LINES, LINES[::-1])
        return found, found.predict(LINES[:3])
    found = seqloom.Transcriber(model=model, level="char", **SMALL).fit(SOUNDS, LINES)
    return found, found.predict(SOUNDS[:3])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.usefixtures("mine")
def test_it_says_what_the_same_network_says_here(tmp_path: Path, task: str) -> None:
    found, said = fitted(task, "mine")
    assert not has_form(task, "mine")
    found.save(tmp_path / "m")
    if task == "text":
        same(seqloom.load(tmp_path / "m").logits(LINES), said)
    with pytest.raises(FormatError, match="mine"):
        seqloom_runtime.load(tmp_path / "m")
    # The draws hang on the model's name: the weights are brought over.
    other = fitted(task, "gru")[0]
    network, theirs = (m.learned_.network if task == "text" else m.model_ for m in (other, found))
    network.load_state_dict(theirs.state_dict())
    assert has_form(task, "gru")
    if task == "text":
        close(other.logits(LINES), said)
    elif task == "tagging":
        assert other.predict(WORDS) == said
    elif task == "language":
        close([np.array([p for _, p in other.score(TEXT, cache=size)]) for size in (0, 4)], said[:2])
        close(other.stream(2).step([1, 2]), said[2])
    elif task == "translation":
        assert other.predict(LINES[:3]) == said
    else:
        assert other.predict(SOUNDS[:3]) == said
