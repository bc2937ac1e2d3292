"""Taggers and language models written as ONNX: the best tags, and the log-probabilities step by step."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx_cases import exported, redraw, twin_of, within

import seqloom
from seqloom_runtime.errors import SettingError

SENTENCES = [["fly", "to", "Boston", "7"], ["to", "denver"], ["please"], ["to", "Boston", "from", "denver", "now"]] * 3
TAGS = [["O", "O", "B-city", "O"], ["O", "B-city"], ["O"], ["O", "B-city", "O", "B-city", "O"]] * 3
TEXT = "the cat sat on the mat\nthe dog sat on a cat\na dog saw the cat\n" * 6
BRIEF: dict[str, Any] = {"epochs": 1, "steps_per_epoch": 1, "embedding_size": 6, "units": 6}


def fed(sentences: list[list[str]], recipe: dict[str, Any]) -> dict[str, np.ndarray]:
    """Sentences as the JSON beside the file says."""
    ids = {word: n for n, word in enumerate(recipe["words"])}
    lengths = np.array([len(sentence) for sentence in sentences])
    rows = np.zeros((len(sentences), lengths.max()), np.int64)
    for sentence, row in zip(sentences, rows):
        for at, word in enumerate(sentence):
            word = word.lower() if recipe["lower"] else word
            word = "".join("0" if c.isdigit() else c for c in word) if recipe["digits"] else word
            row[at] = ids[word] if word in ids else int(recipe["unknown"])
    return {"ids": rows, "lengths": lengths}


@pytest.mark.parametrize(
    ("options", "opset"),
    [
        ({"model": "bilstm", "crf": True}, 17),
        ({"model": "gru", "crf": True, "context": 2, "lower": False}, 23),
        ({"model": "memoryless", "context": 0, "digits": False}, 20),
        ({"model": "jordan"}, 18),
        ({"model": "elman", "units": (4, 3)}, 21),
        ({"model": "bigru", "layers": 2, "crf": True}, 22),
        ({"model": "frequent"}, 19),
    ],
)
def test_taggers(options: dict[str, Any], opset: int, tmp_path: Path) -> None:
    model = seqloom.SequenceTagger(**{**BRIEF, **options}).fit(SENTENCES, TAGS)
    known = [*SENTENCES[:4], ["from", "nowhere", "to", "Denver", "7", "7", "fly"]]
    if options["model"] != "frequent":
        redraw(model.model_, opset)
        model.model_.embedding.weight.data[0] = 0.0
    file = exported(model, tmp_path, opset=opset)
    recipe = json.loads((tmp_path / "m.vocabulary.json").read_text("utf-8"))
    feed = fed(known, recipe)
    example = recipe["example"]
    assert fed([example["words"]], recipe)["ids"].tolist() == [example["ids"]]
    if options["model"] == "frequent":
        del feed["lengths"]
    got = file(**feed)
    for n, (sentence, best) in enumerate(zip(known, model.predict(known))):
        assert [file.record["tags"][k] for k in got["tags"][n, : len(sentence)]] == best
    if options["model"] == "frequent":
        return
    mask = torch.from_numpy(np.arange(feed["ids"].shape[1]) < feed["lengths"][:, None])
    with torch.no_grad():
        both = [net(torch.from_numpy(feed["ids"]), mask)[mask].numpy() for net in (model.model_, twin_of(model.model_))]
    within(got["scores"][mask.numpy()], *both)


def test_words_tagged_one_by_one(tmp_path: Path) -> None:
    model = seqloom.SequenceTagger(model="lstm", context=0, **BRIEF).fit(SENTENCES, TAGS)
    redraw(model.model_, 3)
    file = exported(model, tmp_path, stateful=True)
    feed, state = fed(SENTENCES[3:4], json.loads((tmp_path / "m.vocabulary.json").read_text("utf-8"))), file.state(1)
    found = []
    for at in range(feed["ids"].shape[1]):
        got = file(ids=feed["ids"][:, at : at + 1], **state)
        state = file.after(got)
        found.append(file.record["tags"][got["tags"][0, 0]])
    assert found == model.predict(SENTENCES[3:4])[0]


@pytest.mark.parametrize(
    ("options", "opset"),
    [
        ({"model": "lstm", "layers": 2, "peephole": True}, 17),
        ({"model": "gru", "layers": 2, "units": 8, "level": "char"}, 20),
        ({"model": "rnn", "units": (8, 6), "activation": ("relu", "tanh"), "tied": False}, 21),
        ({"model": "tcn", "layers": 3, "kernel_size": 2}, 22),
        ({"model": "gru", "softmax": "adaptive", "cutoffs": (2, 4), "units": 16, "tied": False}, 23),
    ],
)
def test_language_models(options: dict[str, Any], opset: int, tmp_path: Path) -> None:
    model = seqloom.LanguageModel(**{**BRIEF, "window": 5, "batch_size": 2, **options}).fit(TEXT)
    network = model.model_
    redraw(network, opset)
    file = exported(model, tmp_path, opset=opset)
    recipe = json.loads((tmp_path / "m.vocabulary.json").read_text("utf-8"))
    assert recipe["words"] == list(model.vocabulary_.words)
    text, level = recipe["example"]["text"], recipe["level"]
    parts = list(text) if level == "char" else text.replace("\n", " <eos>").split()
    assert [recipe["words"].index(part) for part in parts] == recipe["example"]["ids"] != []
    ids = np.random.default_rng(opset).integers(0, len(recipe["words"]), (2, 9))
    state, parts = file.state(2), []
    for start, stop in ((0, 1), (1, 2), (2, 9)):
        got = file(ids=ids[:, start:stop], **state)
        parts.append(got["log_probabilities"])
        state = file.after(got)
    both, nets = [], [network.eval(), copy.deepcopy(network).double()]
    with torch.no_grad():
        for net in nets:
            logits = net.logits(net(torch.from_numpy(ids))[0])
            both.append(torch.log_softmax(logits, dim=2).numpy())
    within(np.concatenate(parts, axis=1), *both)


def test_what_cannot_be_exported_says_why(tmp_path: Path) -> None:
    tagger: Any = lambda **options: seqloom.SequenceTagger(**{**BRIEF, **options}).fit(SENTENCES, TAGS)  # noqa: E731
    told = {
        "tables of counts": (seqloom.LanguageModel(model="bigram").fit(TEXT), {}),
        "a step sees words ahead": (tagger(model="lstm"), {"stateful": True}),
        "its CRF looks at whole sentences": (tagger(model="lstm", crf=True, context=0), {"stateful": True}),
        "it reads in both directions": (tagger(model="bigru", context=0), {"stateful": True}),
        "it looks at each word alone": (tagger(model="frequent"), {"stateful": True}),
    }
    for sentence, (model, options) in told.items():
        with pytest.raises(SettingError, match=sentence):
            model.to_onnx(tmp_path / "m.onnx", **options)
    assert not list(tmp_path.iterdir())
