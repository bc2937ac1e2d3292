"""Text classifiers written as ONNX: the ids that the JSON beside the file makes give what `predict_proba` does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_cases import exported, redraw, twin_of, within

import seqloom
from seqloom.tasks.text.learning import Learned, logits_of
from seqloom_runtime.errors import SettingError
from seqloom_runtime.probability import softmax

WORDS = ["good", "bad", "fine", "dull", "film", "plot", "end", "start", "very", "not", "quite", "1234", "never"]
BRIEF: dict[str, Any] = {
    "epochs": 1, "steps_per_epoch": 1, "embedding_size": 5, "units": 4, "max_length": 30, "validation_fraction": 0.3,
}  # fmt: skip


def texts(count: int, seed: int) -> list[str]:
    """Sentences of words, some of them unknown or with marks, and a text without any."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count - 1):
        said = [" ".join(rng.choice(WORDS, rng.integers(1, 9))) for _ in range(rng.integers(1, 4))]
        found.append(". ".join(said) + rng.choice(["!", "?", " 4444 £7", ""]))
    return [*found, "..."]


def numbered(text: str, recipe: dict[str, Any]) -> list[list[int]]:
    """A text's ids by the steps that the JSON says, sentence by sentence."""
    told = recipe["tokenizer"]
    if not recipe["long_numbers"]:
        text = re.sub(r"\d{3,}", lambda found: "0" * len(found[0]), text)
    parts = [text]
    if recipe["sentences"]:
        parts = [p for p in re.split(recipe["sentences"]["pattern"], text, flags=re.IGNORECASE) if p.strip()]
    ids = {word: n for n, word in enumerate(told["vocabulary"]["words"], recipe["first"])}
    rows = []
    for part in parts:
        part = part.lower() if told["lower"] else part
        spaced = "".join(f" {c} " if c in told["marks"] else " " if c in told["filters"] else c for c in part)
        found = [ids.get(word, recipe["unknown"]) for word in spaced.split()]
        rows.append([n for n in found if n is not None])
    if recipe["max_length"] is not None:
        left = recipe["max_length"]
        for at in range(len(rows) - 1, -1, -1):
            rows[at], left = rows[at][max(0, len(rows[at]) - left) :], max(0, left - len(rows[at]))
    return [row for row in rows if row] if recipe["sentences"] else rows


def fed(known: list[str], recipe: dict[str, Any]) -> dict[str, np.ndarray]:
    """ids and lengths of texts."""
    rows = [numbered(text, recipe) for text in known]
    if not recipe["sentences"]:
        rows = [row[0] for row in rows]
        lengths = np.array([len(row) for row in rows])
        ids = np.zeros((len(rows), max(1, lengths.max())), np.int64)
        for row, to in zip(rows, ids):
            to[: len(row)] = row
        return {"ids": ids, "lengths": lengths}
    sentences = max(1, *(len(row) for row in rows))
    words = max(len(part) for row in rows for part in row)
    ids, lengths = np.zeros((len(rows), sentences, words), np.int64), np.zeros((len(rows), sentences), np.int64)
    for n, row in enumerate(rows):
        for s, part in enumerate(row):
            ids[n, s, : len(part)], lengths[n, s] = part, len(part)
    return {"ids": ids, "lengths": lengths}


def compare(model: Any, folder: Path, seed: int, **options: Any) -> None:
    network = model.learned_.network
    redraw(network, seed)
    network.embedding.weight.data[0] = 0.0  # the row of the padding, which training leaves at zero
    file = exported(model, folder, **options)
    recipe = json.loads((folder / file.record["tokenizer"]).read_text("utf-8"))
    known = texts(9, seed + 50)
    example = recipe["example"]
    assert fed([example["text"]], recipe)["ids"].tolist() == [example["ids"]]
    got = file(**fed(known, recipe))["probabilities"]
    both = []
    for of in (network, twin_of(network)):  # torch's float32, whose noise is what is allowed, and float64
        learned = Learned(of, model.learned_.spec)
        both.append(softmax(logits_of(model, model.tokenizer_, learned, known), model.temperature_))
    within(got, *both)


@pytest.mark.parametrize(
    ("options", "opset"),
    [
        ({"model": "bow-dense"}, 17),
        ({"model": "pooled"}, 18),
        ({"model": "flat", "hidden": 3}, 19),
        ({"model": "conv", "kernel_size": 3}, 20),
        ({"model": "inception"}, 21),
        ({"model": "conv-lstm", "kernel_size": 4}, 22),
        ({"model": "rnn", "pool": "mean", "lower": False}, 23),
        ({"model": "bilstm", "pool": "max", "max_length": 7, "keep": "last"}, 17),
        ({"model": "gru", "units": (4, 3), "punctuation": True, "long_numbers": True}, 17),
        ({"model": "han", "max_length": 20}, 17),
    ],
)
@pytest.mark.parametrize("classes", [2, 3])
def test_networks(options: dict[str, Any], opset: int, classes: int, tmp_path: Path) -> None:
    known = texts(18, 1)
    model = seqloom.TextClassifier(**{**BRIEF, **options}).fit(known, (["yes", "no", "so"][:classes] * 18)[:18])
    compare(model, tmp_path, opset, opset=opset)


@pytest.mark.parametrize("weighting", ["binary", "count", "frequency", "tfidf", "tfidf-log"])
def test_bags_of_words(weighting: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    known = texts(40, 2)
    labels = (["yes", "no", "so"][: 2 + (weighting != "count")] * 40)[:40]
    model = seqloom.TextClassifier(model="bow", weighting=weighting, validation_fraction=0.2).fit(known, labels)
    file = exported(model, tmp_path)
    recipe = json.loads((tmp_path / "m.tokenizer.json").read_text("utf-8"))
    shown = texts(7, 3)
    np.testing.assert_allclose(file(**fed(shown, recipe))["probabilities"], model.predict_proba(shown), atol=1e-6)


def test_words_piece_by_piece(tmp_path: Path) -> None:
    known = texts(18, 1)
    model = seqloom.TextClassifier(**{**BRIEF, "model": "lstm"}).fit(known, ["yes", "no"] * 9)
    file = exported(model, tmp_path, stateful=True)
    recipe = json.loads((tmp_path / "m.tokenizer.json").read_text("utf-8"))
    ids, state, got = fed(known[:1], recipe)["ids"], file.state(1), {}
    for at in range(ids.shape[1]):
        got = file(ids=ids[:, at : at + 1], **state)
        state = file.after(got)
    np.testing.assert_allclose(got["probabilities"], model.predict_proba(known[:1]), atol=1e-6)


def test_what_cannot_be_exported_says_why(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    known, labels = texts(18, 1), ["yes", "no"] * 9
    fit: Any = lambda **options: seqloom.TextClassifier(**options).fit(known, labels)  # noqa: E731
    told = {
        "the baseline reads nothing": (fit(model="majority"), {}),
        "a forest of decision trees": (fit(model="bow-forest", trees=2), {}),
        "it needs a text's words at once": (fit(**{**BRIEF, "model": "conv"}), {"stateful": True}),
    }
    for sentence, (model, options) in told.items():
        with pytest.raises(SettingError, match=sentence):
            model.to_onnx(tmp_path / "m.onnx", **options)
    assert not list(tmp_path.iterdir())
