"""Taggers: the runtime predicts what seqloom does, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from runtime_cases import agree, changed, imported_alone

import seqloom_runtime
from seqloom.tasks.tagging import SequenceTagger
from seqloom.tasks.tagging.learning import _network_tags
from seqloom.tasks.tagging.network import NETWORKS
from seqloom_runtime.errors import DataError, FormatError
from seqloom_runtime.forward import Arrays
from seqloom_runtime.forward.crf import CRF

WORDS = [["fly", "from", "Boston", "to", "Denver"], ["returning", "to", "new", "york", "at", "10"], ["please"]] * 12
TAGS = [["O", "O", "B-from", "O", "B-to"], ["O", "O", "B-to", "I-to", "O", "B-time"], ["O"]] * 12
ASKED = [*WORDS[:3], [], ["Denver", "please", "20", "strange"] * 7, ["to"]]
QUICK: dict[str, Any] = {"embedding_size": 5, "units": 6, "epochs": 1, "batch_size": 8}
OPTIONS: tuple[dict[str, Any], ...] = (
    {"model": "bilstm", "crf": True, "layers": 2, "peephole": True},
    {"model": "gru", "units": (5, 3), "activation": ("relu", "tanh"), "context": 0},
    {"model": "memoryless", "crf": True, "context": 3, "lower": False, "digits": False, "units": (4, 3)},
    {"model": "jordan", "context": 2},
)


def fitted(**parameters: Any) -> SequenceTagger:
    """A tagger whose weights are drawn wide, so that tags differ."""
    found = SequenceTagger(**{**QUICK, **parameters}).fit(WORDS, TAGS)
    if found.model != "frequent":
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for weight in found.model_.parameters():
                weight.normal_(0, 0.7, generator=generator)
            found.model_.embedding.weight[0] = 0  # as padding is
    return found


def asks() -> list[Callable[[Any], Any]]:
    return [lambda model: model.predict(ASKED), lambda model: model.spans(ASKED)]


@pytest.mark.parametrize("parameters", [*({"model": name} for name in ("frequent", *NETWORKS)), *OPTIONS], ids=str)
def test_the_runtime_predicts_the_same_tags(tmp_path: Path, parameters: dict[str, Any]) -> None:
    estimator = fitted(**parameters)
    agree(estimator, tmp_path / "m", *asks())
    if estimator.model == "frequent":
        return
    words = [estimator.vocabulary_.ids(estimator._words(sentence)) for sentence in ASKED]
    of_torch = [[estimator.tags_[k] for k in found] for found in _network_tags(estimator.model_, words)]
    assert estimator.predict(ASKED) == of_torch == [estimator.predict([sentence])[0] for sentence in ASKED]
    with torch.no_grad():  # a weight that went wrong is seen
        estimator.model_.output.bias[estimator.tags_.index("B-time")] += 1e6
    assert estimator.predict(ASKED)[4] == ["B-time"] * len(ASKED[4])


def test_viterbi_finds_the_best_of_all_sequences() -> None:
    draw = np.random.default_rng(0)
    names = {"transitions": (3, 3), "start": (3,), "end": (3,)}
    arrays = {name: draw.normal(size=shape).astype(np.float32) for name, shape in names.items()}
    emissions = draw.normal(size=(6, 4, 3)).astype(np.float32)
    lengths = np.array([4, 4, 3, 2, 1, 4])
    found = CRF(Arrays(arrays), 3).decode(emissions, np.arange(4) < lengths[:, None])
    for row, length in enumerate(lengths):
        paths = np.stack(np.meshgrid(*[range(3)] * length, indexing="ij"), -1).reshape(-1, length)
        scores = emissions[row, np.arange(length), paths].sum(1) + arrays["start"][paths[:, 0]]
        scores += arrays["transitions"][paths[:, :-1], paths[:, 1:]].sum(1) + arrays["end"][paths[:, -1]]
        assert found[row].tolist() == [*paths[scores.argmax()], *[0] * (4 - length)]


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    fitted(model="bigru", crf=True).save(tmp_path / "m")
    assert imported_alone(tmp_path / "m", f"model.spans({ASKED!r})") == []


def test_bad_input_is_refused_in_the_same_words(tmp_path: Path) -> None:
    fitted(model="frequent").save(tmp_path / "m")
    model = seqloom_runtime.load(tmp_path / "m")
    for odd in ("a text", [["a"], "b"], [["a", 3]]):
        with pytest.raises(DataError, match="expected"):
            model.predict(odd)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h, a: h["tags"].append("x"), "differs"),
        (lambda h, a: h["network"].update(layers=10**12), "layers"),
        (lambda h, a: h["network"].update(context=10**9), "shape"),
        (lambda h, a: h["network"].update(units=0), "units"),
        (lambda h, a: a["network.crf.end"].fill(np.inf), "infinite"),
        (lambda h, a: a.pop("network.body.cells.0.w_x"), "w_x"),
        (lambda h, a: h["parameters"].pop("lower"), "lower"),
    ],
)
def test_damaged_folders_are_refused(tmp_path: Path, change: Any, words: str) -> None:
    fitted(model="lstm", crf=True).save(tmp_path / "m")
    changed(tmp_path / "m", change)
    with pytest.raises(FormatError, match=words):
        seqloom_runtime.load(tmp_path / "m")
