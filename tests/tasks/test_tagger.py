"""Taggers: the loss by hand, learning beyond the baseline, context, folders, resuming, bad input, ATIS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.oracles import conlleval

import seqloom
from seqloom.errors import DataError, FormatError, SettingError
from seqloom.tasks.memory import count_weights
from seqloom.tasks.tagging import SequenceTagger
from seqloom.tasks.tagging.network import NETWORKS, TaggerSpec, build_tagging_network
from seqloom_runtime.data.text import read_tagged
from seqloom_runtime.model_folder import read_model, write_model

CITIES = ["boston", "denver", "dallas", "oakland"]
QUICK: dict[str, Any] = {"embedding_size": 12, "units": 12, "epochs": 4, "batch_size": 8, "learning_rate": 0.02}
MODELS = ("frequent", *NETWORKS)


def made(count: int, seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """The same city is where from or where to by the word before it; a polite word far ahead changes it all."""
    rng = np.random.default_rng(seed)
    words, tags = [], []
    for _ in range(count):
        swap = bool(rng.integers(2))
        sentence, marks = (["returning"] if swap else ["fly"]), ["O"]
        sentence += ["please"] * int(rng.integers(1, 4))
        marks += ["O"] * (len(sentence) - 1)
        for word, label in (("from", "from"), ("to", "to")):
            city = [CITIES[rng.integers(4)]] + (["city"] if rng.integers(2) else [])
            label = {"from": "to", "to": "from"}[label] if swap else label
            sentence += [word, *city]
            marks += ["O", f"B-{label}", *[f"I-{label}"] * (len(city) - 1)]
        words.append(sentence)
        tags.append(marks)
    return words, tags


TRAIN, HELD = made(160, 0), made(40, 1)


@pytest.fixture(scope="module")
def fitted() -> dict[str, SequenceTagger]:
    return {name: SequenceTagger(model=name, **QUICK).fit(*TRAIN, valid=HELD) for name in MODELS}


@pytest.mark.parametrize(
    "name",
    ["gru", "bilstm", *(pytest.param(name, marks=pytest.mark.deep) for name in ("elman", "lstm", "birnn", "bigru"))],
)
def test_memory_beats_a_window_and_the_baseline(fitted: dict[str, SequenceTagger], name: str) -> None:
    longer = SequenceTagger(model=name, **{**QUICK, "epochs": 15, "dropout": 0.0, "input_dropout": 0.0})
    longer.fit(*TRAIN, valid=HELD)
    scores = {key: model.evaluate(*HELD).scores["f1"] for key, model in fitted.items()}
    found = longer.evaluate(*HELD).scores["f1"]
    assert found > max(scores["memoryless"], scores["frequent"]) + 0.15  # who goes where is said too far ahead


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_conllevals_and_predictions_fit(fitted: dict[str, SequenceTagger], name: str) -> None:
    tagger = fitted[name]
    predicted = tagger.predict(HELD[0])
    assert [len(p) for p in predicted] == [len(w) for w in HELD[0]]
    evaluation = tagger.evaluate(*HELD)
    assert evaluation.first == "f1"
    assert evaluation.scores["f1"] == pytest.approx(conlleval.f1(HELD[1], predicted))
    flat = [a == b for gold, ours in zip(HELD[1], predicted) for a, b in zip(gold, ours)]
    assert evaluation.scores["accuracy"] == pytest.approx(np.mean(flat))
    assert len(evaluation.predictions["word"]) == len(flat)
    for sentence, spans in zip(HELD[0], tagger.spans(HELD[0])):
        assert all(text == " ".join(sentence[start:stop]) for start, stop, _, text in spans)


@pytest.mark.parametrize("name", MODELS)
def test_sentences_are_tagged_alone_or_together(fitted: dict[str, SequenceTagger], name: str) -> None:
    """Padding and neighbours change nothing."""
    tagger = fitted[name]
    sentences = [*HELD[0][:9], ["boston"], []]
    assert tagger.predict(sentences) == [tagger.predict([sentence])[0] for sentence in sentences]


def test_loss_by_hand() -> None:
    """Summed over the words that have a tag, averaged over the sentences; −1 and padding add nothing (C12)."""
    spec = TaggerSpec("lstm", words=9, tags=4, embedding_size=5, units=6)
    network = build_tagging_network(spec, 1, 3)
    ids, lengths = torch.tensor([[2, 3, 4, 5], [6, 7, 0, 0]]), torch.tensor([4, 2])
    mask = torch.arange(4) < lengths[:, None]
    tags = torch.tensor([[0, -1, 3, 1], [2, 2, -1, -1]])
    p = torch.log_softmax(network(ids, mask), dim=2)
    wanted = -(p[0, 0, 0] + p[0, 2, 3] + p[0, 3, 1] + p[1, 0, 2] + p[1, 1, 2]) / 2
    torch.testing.assert_close(network.loss(ids, mask, tags), wanted)


def test_context_reaches_as_far_as_it_says() -> None:
    spec = TaggerSpec("memoryless", words=9, tags=3, embedding_size=5, units=6, context=2)
    network = build_tagging_network(spec, 1, 3).eval()
    ids, mask = torch.arange(1, 9)[None], torch.ones(1, 8, dtype=torch.bool)
    plain = network(ids, mask)
    for place in range(8):
        changed = ids.clone()
        changed[0, place] = 0
        differ = (network(changed, mask) != plain).any(dim=2)[0]
        assert differ.tolist() == [abs(step - place) <= 2 for step in range(8)]


def count_tagger_weights(shape: TaggerSpec) -> int:
    return count_weights(lambda: build_tagging_network(shape, 1, 0))


@pytest.mark.parametrize("crf", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_parameter_count(name: str, crf: bool) -> None:
    spec = TaggerSpec(name, 11, 5, embedding_size=4, units=6, layers=1 if name == "jordan" else 2, crf=crf)
    network = build_tagging_network(spec, 1, 0)
    assert sum(p.numel() for p in network.parameters()) == count_tagger_weights(spec)


def test_crf_forbids_what_it_has_not_seen() -> None:
    """After training on tags where I always follows B, the most likely sequence never has an I after O."""
    tagger = SequenceTagger(model="memoryless", crf=True, **{**QUICK, "context": 0, "epochs": 8}).fit(
        *TRAIN, valid=HELD
    )
    for tags in tagger.predict(HELD[0]):
        for before, after in zip(["O", *tags], tags):
            assert not (after.startswith("I-") and before == "O")


def test_unknown_words_and_digits() -> None:
    words = [["seat", "12", "on", "747"], ["row", "9", "on", "b52"]] * 10
    tags = [["O", "B-n", "O", "B-p"], ["O", "B-n", "O", "B-p"]] * 10
    tagger = SequenceTagger(model="frequent").fit(words, tags)
    assert tagger.predict([["Seat", "34", "ON", "999"]]) == [["O", "B-n", "O", "B-p"]]
    as_is = SequenceTagger(model="frequent", digits=False, lower=False).fit(words, tags)
    assert "34" not in as_is.vocabulary_
    assert "34" not in tagger.vocabulary_
    assert "DIGITDIGIT" in tagger.vocabulary_


def test_word_dropout_trains_the_unknown_word() -> None:
    spec = TaggerSpec("elman", words=9, tags=3, embedding_size=5, units=6, word_dropout=0.5)
    network = build_tagging_network(spec, 1, 3).train()
    ids = torch.full((6, 5), 4)
    network.loss(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids)).backward()
    used = network.embedding.weight.grad
    assert used is not None
    assert used[[1, 4]].abs().sum(dim=1).min() > 0
    assert float(used[[0, 2, 3, 5]].abs().sum()) == 0


@pytest.mark.parametrize("name", ["elman", "jordan"])
def test_plain_labels_score_accuracy(name: str) -> None:
    words, tags = [["a", "dog", "ran"]] * 12, [["DT", "NN", "VB"]] * 12
    evaluation = SequenceTagger(model=name, **{**QUICK, "epochs": 20}).fit(words, tags).evaluate(words, tags)
    assert list(evaluation.scores) == ["accuracy"]
    assert evaluation.scores["accuracy"] == 1.0


def test_tags_only_in_the_test_part_count_as_missed(fitted: dict[str, SequenceTagger]) -> None:
    words, tags = [["fly", "to", "boston"]], [["O", "O", "B-new"]]
    evaluation = fitted["frequent"].evaluate(words, tags)
    assert evaluation.scores["recall"] == 0.0
    assert "new" in str(evaluation.details["facts"])
    noted = SequenceTagger(model="frequent").fit(*TRAIN, valid=(words, tags))
    assert "B-new" in noted.notes_[0]


def test_saved_taggers_are_the_same_in_a_fresh_process(fitted: dict[str, SequenceTagger], tmp_path: Path) -> None:
    with_crf = {**fitted, "crf": SequenceTagger(model="gru", crf=True, **QUICK).fit(*TRAIN, valid=HELD)}
    for name, tagger in with_crf.items():
        tagger.save(tmp_path / name)
    code = (
        "import json, sys, seqloom\n"
        "for path in sys.argv[2:]:\n"
        "    tagger = seqloom.load(path)\n"
        "    print(json.dumps([tagger.predict(json.loads(sys.argv[1])), tagger.n_parameters_]))"
    )
    sentences = [*HELD[0][:12], ["zebra", "to", "Boston"]]
    paths = [str(tmp_path / name) for name in with_crf]
    command = [sys.executable, "-c", code, json.dumps(sentences), *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wanted = [[tagger.predict(sentences), tagger.n_parameters_] for tagger in with_crf.values()]
    assert [json.loads(line) for line in done.stdout.splitlines()] == wanted
    for name in with_crf:
        seqloom.load(tmp_path / name).save(tmp_path / "again")
        for file in ("model.json", "model.safetensors"):
            assert (tmp_path / "again" / file).read_bytes() == (tmp_path / name / file).read_bytes()


@pytest.mark.parametrize("name", ["frequent", "bilstm"])
def test_altered_folders_are_refused(fitted: dict[str, SequenceTagger], name: str, tmp_path: Path) -> None:
    fitted[name].save(tmp_path / "model")
    header, arrays = read_model(tmp_path / "model")
    body = {k: v for k, v in header.items() if k not in ("format", "schema", "task", "files", "checksum")}

    def refused(changed: dict[str, Any], weights: dict[str, Any]) -> None:
        write_model(tmp_path / "bad", "tagging", changed, weights)
        with pytest.raises(FormatError, match=r"model\.(json|safetensors)"):
            seqloom.load(tmp_path / "bad")

    for key in body:
        refused({k: v for k, v in body.items() if k != key}, arrays)
    refused(body | {"tags": body["tags"][:-1]}, arrays)
    refused(body | {"tags": [*body["tags"], body["tags"][0]]}, arrays)
    refused(body | {"n_parameters": 3}, arrays)
    first = sorted(arrays)[0]
    refused(body, arrays | {first: arrays[first][:-1]})
    refused(body, arrays | {"more": np.zeros(3, dtype=np.float32)})


def test_stopped_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    from seqloom.training.events import EpochDone

    class StopHere(Exception):
        pass

    def stop(event: object) -> None:
        if isinstance(event, EpochDone) and event.row.epoch == 2:
            raise StopHere

    def make() -> SequenceTagger:
        return SequenceTagger(model="bigru", **QUICK)

    whole = make().fit(*TRAIN, directory=tmp_path / "whole")
    with pytest.raises(StopHere):
        make().fit(*TRAIN, directory=tmp_path / "cut", on_event=stop)
    resumed = make().fit(*TRAIN, directory=tmp_path / "cut", resume=True)
    for (key, a), (_, b) in zip(whole.model_.state_dict().items(), resumed.model_.state_dict().items(), strict=True):
        assert torch.equal(a, b), key
    assert whole.history_ == resumed.history_


@pytest.mark.parametrize(
    ("sentences", "tags", "said"),
    [
        ([], [], "at least one"),
        ([["a"]], [["O"]], "two sentences"),
        ([["a"], ["b"]], [["O"]], "as many"),
        ([["a", "b"], ["c"]], [["O"], ["O"]], "sentence 0"),
        ([["a"], []], [["O"], []], "sentence 1"),
        (["a b", "c"], [["O"], ["O"]], "split the text"),
        ("a b", [["O"]], "list of sentences"),
        ([["a"], [3]], [["O"], ["O"]], "sentence 1"),
        (None, None, "list of sentences"),
    ],
)
def test_bad_sentences_get_a_sentence(sentences: Any, tags: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        SequenceTagger(model="elman", **QUICK).fit(sentences, tags)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [({"model": "bi-lstm"}, "bilstm"), ({"context": -1}, "context"), ({"model": "jordan", "layers": 2}, "layers")],
)
def test_bad_parameters_are_refused_by_name(parameters: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingError, match=name):
        SequenceTagger(**{**QUICK, **parameters}).fit(*TRAIN)


@pytest.mark.deep  # sentences made here have what it says in the fast selection
def test_real_slots() -> None:
    """ATIS: two epochs of a bidirectional net find more than half again of what the baseline's errors leave."""
    folder = Path(os.environ.get("SEQLOOM_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "atis"
    if not (folder / "atis.train.iob.gz").is_file():
        pytest.skip(f"needs ATIS in {folder}; set SEQLOOM_DATA")
    train, test = read_tagged(folder / "atis.train.iob.gz"), read_tagged(folder / "atis.test.iob.gz")
    assert train.tags is not None
    assert test.tags is not None
    base = SequenceTagger(model="frequent").fit(train.words, train.tags).evaluate(test.words, test.tags)
    net = SequenceTagger(model="bigru", units=50, epochs=2, learning_rate=0.004).fit(train.words, train.tags)
    found = net.evaluate(test.words, test.tags)
    assert base.scores["f1"] == pytest.approx(0.60, abs=0.02)
    assert found.scores["f1"] > 0.85
