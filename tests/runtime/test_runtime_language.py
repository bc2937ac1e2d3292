"""Language models: the runtime scores and writes what seqloom does, bit for bit."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from runtime_cases import agree, changed, close, imported_alone, three

import seqloom_runtime
from seqloom.tasks.language import LanguageModel
from seqloom.tasks.language.adapting import adapted_losses
from seqloom.tasks.language.network import NETWORKS
from seqloom.tasks.language.scoring import network_losses
from seqloom.tasks.predictor import has_form
from seqloom_runtime.errors import DataError, FormatError, SettingError
from seqloom_runtime.language.scoring import Adaptation

TEXT = "the cat sat on the mat\nthe dog sat on a cat\na dog saw the mat and ran\n" * 6
ASKED = "the dog ran on a mat\nan owl saw the cat\n" * 3
QUICK: dict[str, Any] = {"epochs": 1, "window": 5, "batch_size": 2, "units": 6}
OPTIONS: tuple[dict[str, Any], ...] = (
    {"model": "lstm", "peephole": True, "layer_norm": True, "tied": False, "embedding_size": 4},
    {"model": "gru", "units": (5, 4), "activation": ("relu", "tanh"), "level": "char"},
    {"model": "lstm", "embedding_size": 4, "weight_dropout": 0.5, "hidden_dropout": 0.1},
    {"model": "gru", "softmax": "adaptive", "cutoffs": (3, 6), "units": 16, "tied": False},
    {"model": "rnn", "cache": 9, "cache_weight": 0.3, "cache_flatness": 0.7},
    {"model": "bigram", "level": "char"},
)


def fitted(**parameters: Any) -> LanguageModel:
    """A model whose weights are drawn wide, so that tokens differ."""
    found = LanguageModel(**{**QUICK, **parameters}).fit(TEXT)
    if isinstance(found.model_, torch.nn.Module):
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for weight in found.model_.parameters():
                weight.normal_(0, 0.5, generator=generator)
    return found


def asks() -> list[Callable[[Any], Any]]:
    return [
        lambda model: [loss for _, loss in model.score(ASKED)],
        lambda model: [loss for _, loss in model.score(ASKED, cache=5, cache_weight=0.4)],
        lambda model: model.perplexity(ASKED),
        lambda model: model.generate("the cat", 25, seed=4, top_k=5),
        lambda model: model.generate("", 25, temperature=0.7, top_p=0.9, seed=1),
        lambda model: model.predict(["the", "a dog"], 6),
        lambda model: model.next_tokens("the", 4),
    ]


@pytest.mark.parametrize("parameters", [*({"model": name} for name in ("unigram", *NETWORKS)), *OPTIONS], ids=str)
def test_the_runtime_says_the_same(tmp_path: Path, parameters: dict[str, Any]) -> None:
    estimator = fitted(**parameters)
    if estimator.model in NETWORKS and not has_form("language", estimator.model):
        pytest.skip("the runtime has no such body")
    agree(estimator, tmp_path / "m", *asks())
    if estimator.model not in NETWORKS:
        return
    ids = estimator._corpus(ASKED).encode(estimator.vocabulary_)
    how = Adaptation(5, 0.4, estimator.cache_flatness)
    plain = network_losses(estimator.model_, estimator.start_, ids)
    mixed = adapted_losses(estimator.model_, estimator.start_, ids, how)
    close(-plain, np.array([p for _, p in estimator.score(ASKED, cache=0)]))
    close(-mixed, np.array([p for _, p in estimator.score(ASKED, cache=5, cache_weight=0.4)]))
    with torch.no_grad():  # a weight that went wrong is seen
        estimator.model_.embedding.weight.mul_(-1.5)
    with pytest.raises(AssertionError):
        close(-plain, np.array([p for _, p in estimator.score(ASKED, cache=0)]))


def test_a_long_text_is_read_in_pieces_as_torch_reads_it() -> None:
    estimator = fitted(model="lstm", units=4, layers=1)
    text = "\n".join(" ".join(np.random.default_rng(0).choice(TEXT.split(), 9)) for _ in range(1300))
    ids = estimator._corpus(text).encode(estimator.vocabulary_)
    assert len(ids) > 2 * 4096
    found = np.array([p for _, p in estimator.score(text)])
    close(found, -network_losses(estimator.model_, estimator.start_, ids))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("adaptive", [False, True])
def test_streams_say_what_scoring_says(tmp_path: Path, batch: int, adaptive: bool) -> None:
    own: dict[str, Any] = {"softmax": "adaptive", "cutoffs": (3, 6), "units": 16, "tied": False} if adaptive else {}
    ours, _, model = three(fitted(model="lstm", **own), tmp_path / "m")
    ids = model.corpus(ASKED).encode(model.vocabulary_)
    whole = np.array([p for _, p in model.score(ASKED)])
    stream, other = model.stream(batch), ours.stream(batch)
    for token, after, p in zip([model.start_, *ids[:-1]], ids, whole):
        said = stream.step(np.full(batch, token))
        assert said.shape == (batch, len(model.vocabulary_))
        assert said.tobytes() == other.step([int(token)] * batch).tobytes()
        np.testing.assert_allclose(said[:, after], p, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(np.exp(said).sum(1), 1, rtol=1e-5)
    state = stream.state()
    first = stream.step(ids[:batch]).copy()
    stream.restore(state)
    assert stream.step(ids[:batch]).tobytes() == first.tobytes()
    stream.reset()
    again = model.stream(batch).step(ids[:batch])
    assert stream.step(ids[:batch]).tobytes() == again.tobytes()
    for odd in (np.full(batch, len(model.vocabulary_)), np.zeros(batch), np.zeros(batch + 1, int)):
        with pytest.raises(SettingError, match="ids"):
            stream.step(odd)


def test_threads_with_streams_of_their_own_say_the_same(tmp_path: Path) -> None:
    model = three(fitted(model="gru", units=16), tmp_path / "m")[2]
    alone, found = model.generate("the", 60, seed=2), [""] * 8

    def write(number: int) -> None:
        found[number] = model.generate("the", 60, seed=2)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 8


def test_a_stream_keeps_no_more_with_every_step(tmp_path: Path) -> None:
    stream = three(fitted(model="lstm"), tmp_path / "m")[2].stream()
    ids = np.array([3])
    for _ in range(20):
        stream.step(ids)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(200):
        stream.step(ids)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 4096


def test_what_it_can_not_do_is_said(tmp_path: Path) -> None:
    model = three(fitted(model="gru"), tmp_path / "m")[2]
    with pytest.raises(SettingError, match="dynamic_rate"):
        model.score(ASKED, dynamic_rate=0.1)
    for name, value in (("cache", -1), ("cache_weight", 2.0)):
        with pytest.raises(SettingError, match=name):
            model.score(ASKED, **{name: value})
    for arguments in ({"length": -1}, {"seed": -1}, {"temperature": -1.0}, {"top_k": 0}):
        with pytest.raises(SettingError, match=next(iter(arguments))):
            model.generate("the", **arguments)
    with pytest.raises(DataError, match="no token"):
        model.score("")
    counted = three(fitted(model="bigram"), tmp_path / "b")[2]
    with pytest.raises(SettingError, match="stream"):
        counted.stream()
    assert 1 < counted.perplexity(ASKED) < 20


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    fitted(model="lstm", cache=4).save(tmp_path / "m")
    assert imported_alone(tmp_path / "m", f"model.score({ASKED!r}); model.generate('the', 4); model.stream(2)") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h, a: h.update(start=10**9), "start"),
        (lambda h, a: h["network"].update(layers=10**15), "layers"),
        (lambda h, a: h["network"].update(words=10**9), "differs"),
        (lambda h, a: h["network"].update(units=10**9), "shape"),
        (lambda h, a: h["network"].update(cutoffs=[5, 3]), "cutoffs"),
        (lambda h, a: h["parameters"].update(level="line"), "level"),
        (lambda h, a: h["parameters"].update(cache_weight="x"), "cache"),
        (lambda h, a: a["network.bias"].fill(np.nan), "NaN"),
        (lambda h, a: a.update({"network.body.more": np.zeros(1, np.float32)}), "more"),
    ],
)
def test_damaged_folders_are_refused(tmp_path: Path, change: Any, words: str) -> None:
    fitted(model="lstm").save(tmp_path / "m")
    changed(tmp_path / "m", change)
    with pytest.raises(FormatError, match=words):
        seqloom_runtime.load(tmp_path / "m")
