"""Language models: probabilities against counting and torch.nn by hand, carried state, sampling, folders, bad input."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import seqloom
from seqloom.errors import DataError, FormatError, SeqloomError, SettingError
from seqloom.nn import Stateful
from seqloom.tasks.language import LanguageModel, Sampling
from seqloom.tasks.language.learning import language_spec
from seqloom.tasks.language.network import (
    LanguageSpec,
    build_language_network,
)
from seqloom.tasks.language.scoring import network_losses
from seqloom.tasks.memory import count_weights
from seqloom_runtime.language.ngrams import Bigram, Unigram
from seqloom_runtime.language.scoring import streams_for
from seqloom_runtime.model_folder import read_model, write_model

WORDS = ["the", "a", "cat", "dog", "sat", "ran", "on", "under", "mat", "table", "and", "then", "it", "saw"]
QUICK: dict[str, Any] = {"units": 12, "layers": 2, "epochs": 3, "batch_size": 4, "window": 8, "learning_rate": 0.02}


def made_text(lines: int, seed: int = 0) -> str:
    """Lines whose next word depends on the word two before it, so that a bigram can't know it."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(lines):
        words = [WORDS[i] for i in rng.integers(0, len(WORDS), 2)]
        for _ in range(8):
            words.append(WORDS[(WORDS.index(words[-2]) + 3) % len(WORDS)])
        out.append(" ".join(words))
    return "\n".join(out) + "\n"


TEXT, HELD = made_text(120), made_text(30, seed=1)
MODELS = ("unigram", "bigram", "rnn", "gru", "lstm", "tcn")


@pytest.fixture(scope="module")
def fitted() -> dict[str, LanguageModel]:
    return {name: LanguageModel(model=name, **QUICK).fit(TEXT, valid=HELD) for name in MODELS}


def test_unigram_is_add_one_counting() -> None:
    ids = np.array([2, 2, 3, 1])
    model = Unigram.fit(ids, 4)
    np.testing.assert_allclose(model.probability, [1 / 8, 2 / 8, 3 / 8, 2 / 8])


def test_bigram_sums_to_one_and_equals_a_count_by_hand() -> None:
    rng = np.random.default_rng(3)
    ids = rng.zipf(1.6, 400) % 9
    model = Bigram.fit(ids, 11)
    pairs: dict[tuple[int, int], int] = {}
    for v, w in zip(ids[:-1].tolist(), ids[1:].tolist()):
        pairs[v, w] = pairs.get((v, w), 0) + 1
    once, twice = (sum(c == n for c in pairs.values()) for n in (1, 2))
    d = once / (once + 2 * twice)
    kinds_before = {w: sum(1 for _, b in pairs if b == w) for w in range(11)}
    seen, some = len(pairs), sum(k > 0 for k in kinds_before.values())
    for v in range(11):
        p = model.distribution(v)
        assert p.sum() == pytest.approx(1.0)
        total, kinds = sum(c for (a, _), c in pairs.items() if a == v), sum(1 for a, _ in pairs if a == v)
        for w in range(11):
            lower = max(kinds_before[w] - d, 0) / seen + d * some / seen / 11
            own = (max(pairs.get((v, w), 0) - d, 0) + d * kinds * lower) / total if total else lower
            assert p[w] == pytest.approx(own)
            assert model.losses(np.array([v]), np.array([w]))[0] == pytest.approx(-math.log(own))


@pytest.mark.parametrize(
    "name", ["gru", "tcn", *(pytest.param(name, marks=pytest.mark.deep) for name in ("rnn", "lstm"))]
)
def test_network_beats_the_bigram_where_the_text_needs_memory(fitted: dict[str, LanguageModel], name: str) -> None:
    longer = LanguageModel(model=name, **{**QUICK, "epochs": 8, "units": 24}).fit(TEXT, valid=HELD)
    scores = {key: model.evaluate(HELD).scores["perplexity"] for key, model in fitted.items()}
    assert longer.evaluate(HELD).scores["perplexity"] < 0.6 * min(scores["bigram"], scores["unigram"])


def test_lstm_equals_torch_by_hand(fitted: dict[str, LanguageModel]) -> None:
    """Loss of every token against torch.nn.LSTM in float64 with the same weights, over the whole text at once."""
    network = fitted["lstm"].model_
    plain = seqloom.nn.LSTM(network.spec.embedding_size, network.spec.units, network.spec.layers)
    plain.load_state_dict(network.body.recurrent.state_dict())
    body = seqloom.nn.to_torch(plain).double()
    ids = torch.tensor([network.spec.words - 1, 3, 4, 2, 5, 5, 3])
    with torch.no_grad():
        h, _ = body(network.embedding.weight.double()[ids[:-1]][None])
        logits = h[0] @ network.weight.double().T + network.bias.double()
        wanted = torch.nn.functional.cross_entropy(logits, ids[1:], reduction="none").numpy()
    found = network_losses(network, int(ids[0]), ids[1:].numpy())
    np.testing.assert_allclose(found, wanted, rtol=2e-6)


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_probabilities_of_the_next_token(fitted: dict[str, LanguageModel], name: str) -> None:
    """exp(score) of every possible last word sums to one, and `evaluate` is the mean of `score`."""
    model = fitted[name]
    words = model.vocabulary_.words[model.vocabulary_.first :]
    total = sum(math.exp(model.score(f"the cat {word}")[2][1]) for word in words if word != "<eos>")
    end = math.exp(model.score("the cat\n")[2][1])
    unknown = math.exp(model.score("the cat zebra")[2][1])
    assert total + end + unknown == pytest.approx(1.0, abs=1e-5)
    scored = model.score(HELD)
    evaluation = model.evaluate(HELD)
    assert evaluation.scores["loss"] == pytest.approx(-np.mean([p for _, p in scored]))
    assert evaluation.scores["perplexity"] == pytest.approx(math.exp(evaluation.scores["loss"]))
    assert evaluation.predictions["tokens"].sum() == len(scored)


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "tcn"])
def test_carried_state_equals_the_whole_text(name: str) -> None:
    spec = LanguageSpec(name, words=9, embedding_size=5, units=5, layers=2)
    network = build_language_network(spec, 3).eval()
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, 9, (3, 12)))
    whole, _ = network(ids)
    carried = Stateful(network, 3)
    pieces = [carried(ids[:, :5], fresh=True), carried(ids[:, 5:6]), carried(ids[:, 6:])]
    torch.testing.assert_close(torch.cat(pieces, 1), whole, rtol=1e-5, atol=1e-6)
    again = carried(ids, fresh=True)
    torch.testing.assert_close(again, whole, rtol=1e-5, atol=1e-6)
    assert not carried.state_0.requires_grad  # type: ignore[union-attr]


def test_gradient_is_cut_between_batches() -> None:
    network = build_language_network(LanguageSpec("gru", 9, 5, 5, layers=1), 3).train()
    carried = Stateful(network, 2)
    ids = torch.ones(2, 4, dtype=torch.int64)
    carried(ids, fresh=True).sum().backward()
    network.zero_grad()
    carried(ids * 2).sum().backward()
    used = network.embedding.weight.grad
    assert used is not None
    assert float(used[2].abs().sum()) > 0  # the batch's own token
    assert float(used[1].abs().sum()) == 0  # the token of the batch before


def test_long_text_in_pieces_equals_one_piece() -> None:
    network = build_language_network(LanguageSpec("gru", 7, 6, 6, layers=1), 1).eval()
    ids = np.random.default_rng(5).integers(0, 7, 9000)
    assert streams_for(len(ids)) > 1
    found = network_losses(network, 2, ids)
    with torch.no_grad():
        features, _ = network(torch.from_numpy(np.concatenate([[2], ids[:-1]]))[None])
        wanted = torch.nn.functional.cross_entropy(network.logits(features[0]), torch.from_numpy(ids), reduction="none")
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4, atol=1e-5)


def count_parameters(shape: LanguageSpec) -> int:
    return count_weights(lambda: build_language_network(shape, 0))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "tcn"])
def test_parameter_count(name: str, tied: bool) -> None:
    spec = LanguageSpec(name, words=11, embedding_size=6 if tied else 4, units=6, layers=3, tied=tied)
    network = build_language_network(spec, 0)
    assert sum(p.numel() for p in network.parameters()) == count_parameters(spec)


def test_published_word_model_has_its_size() -> None:
    """2 layers of 200 over 10,000 words, not tied: 2,000,000 · 2 + 10,000 + 2 · (4 · 200 · 400 + 800)."""
    assert count_parameters(LanguageSpec("lstm", 10_000, 200, 200, tied=False)) == 4_010_000 + 2 * (320_000 + 800)


def test_stream_generates_what_the_network_says(fitted: dict[str, LanguageModel]) -> None:
    """The most likely token of a run of the network over all before it, one by one."""
    for name in ("rnn", "gru", "lstm", "tcn"):
        model = fitted[name]
        text = model.generate("the cat", 6, temperature=0)
        ids = [model.start_, *model.vocabulary_.ids(["the", "cat"])]
        for _ in range(6):
            with torch.no_grad():
                logits = model.model_.logits(model.model_(torch.tensor([ids]))[0][0, -1])
            logits[model.vocabulary_.unknown_id] = -math.inf
            ids.append(int(logits.argmax()))
        words = model.vocabulary_.spell(ids[3:])
        assert text.split() == [word for word in words if word != "<eos>"]


def test_same_seed_writes_the_same_text(fitted: dict[str, LanguageModel]) -> None:
    for model in fitted.values():
        texts = [model.generate("the", 12, seed=seed) for seed in (4, 4, 5, 6, 7)]
        assert texts[0] == texts[1]
        assert len(set(texts)) > 1
        assert "<unk>" not in " ".join(texts)


@given(
    st.lists(st.floats(-8, 8), min_size=2, max_size=30),
    st.floats(0.1, 3),
    st.none() | st.integers(1, 40),
    st.none() | st.floats(0.01, 1),
)
@settings(deadline=None, max_examples=80)
def test_sampling_keeps_the_right_tokens(
    logits: list[float], temperature: float, top_k: int | None, top_p: float | None
) -> None:
    values = np.array(logits)
    p = Sampling(temperature, top_k, top_p).probabilities(values)
    assert p.sum() == pytest.approx(1.0)
    assert p[values.argmax()] > 0
    kept = p > 0
    if top_k is not None:
        assert kept.sum() <= top_k
    assert values[kept].min() >= values[~kept].max(initial=-np.inf) or np.isclose(
        values[kept].min(), values[~kept].max(initial=-np.inf)
    )
    if top_k is None and top_p is not None:
        whole = np.exp(values / temperature - (values / temperature).max())
        whole /= whole.sum()
        assert whole[kept].sum() >= top_p - 1e-9  # enough, and without the least of them too little
        assert whole[kept].sum() - whole[kept].min() < top_p + 1e-9


def test_temperature_zero_is_the_most_likely() -> None:
    assert Sampling(0.0).probabilities(np.array([1.0, 3.0, 2.0])).tolist() == [0, 1, 0]


def test_saved_models_are_the_same_in_a_fresh_process(fitted: dict[str, LanguageModel], tmp_path) -> None:
    for name, model in fitted.items():
        model.save(tmp_path / name)
    code = (
        "import json, sys, torch, seqloom\n"
        "torch.set_num_threads(1)\n"
        "for path in sys.argv[2:]:\n"
        "    model = seqloom.load(path)\n"
        "    print(json.dumps([model.score(sys.argv[1]), model.generate('the', 10, seed=3), model.n_parameters_]))"
    )
    text = "the cat sat\nzebra ran\n"
    paths = [str(tmp_path / name) for name in fitted]
    done = subprocess.run([sys.executable, "-c", code, text, *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        wanted = [
            [model.score(text), model.generate("the", 10, seed=3), model.n_parameters_] for model in fitted.values()
        ]
    finally:
        torch.set_num_threads(before)
    assert [json.loads(line) for line in done.stdout.splitlines()] == json.loads(json.dumps(wanted))
    for name in fitted:
        seqloom.load(tmp_path / name).save(tmp_path / "again")
        for file in ("model.json", "model.safetensors"):
            assert (tmp_path / "again" / file).read_bytes() == (tmp_path / name / file).read_bytes()


@pytest.mark.parametrize("name", ["bigram", "gru"])
def test_altered_folders_are_refused(fitted: dict[str, LanguageModel], name: str, tmp_path) -> None:
    fitted[name].save(tmp_path / "model")
    header, arrays = read_model(tmp_path / "model")
    body = {k: v for k, v in header.items() if k not in ("format", "schema", "task", "files", "checksum")}

    def refused(changed: dict, weights: dict) -> None:
        write_model(tmp_path / "bad", "language", changed, weights)
        with pytest.raises(FormatError, match=r"model\.(json|safetensors)"):
            seqloom.load(tmp_path / "bad")

    for key in body:
        refused({k: v for k, v in body.items() if k != key}, arrays)
    refused(body | {"start": 10_000}, arrays)
    refused(body | {"n_parameters": 3}, arrays)
    refused(body | {"vocabulary": {"words": ["a"], "padding": False, "unknown": "<unk>"}}, arrays)
    refused(body, {})
    first = sorted(arrays)[0]
    refused(body, arrays | {first: arrays[first][:-1]})
    refused(body, arrays | {"more": np.zeros(3, dtype=np.float32)})
    raw = bytearray((tmp_path / "model" / "model.safetensors").read_bytes())
    raw[-1] ^= 1
    (tmp_path / "model" / "model.safetensors").write_bytes(bytes(raw))
    with pytest.raises(FormatError, match="altered"):
        seqloom.load(tmp_path / "model")


@pytest.mark.parametrize("options", [{}, {"scored": 4}])
def test_stopped_run_goes_on_to_the_same_bits(tmp_path, options: dict) -> None:
    from seqloom.errors import Interrupted
    from seqloom.training.events import EpochDone

    class Stop(Exception):
        pass

    def stop_after_one(event: object) -> None:
        if isinstance(event, EpochDone) and event.row.epoch == 2:
            raise Stop

    def make() -> LanguageModel:
        return LanguageModel(model="lstm", **{**QUICK, **options, "recurrent_dropout": 0.3, "output_dropout": 0.2})

    whole = make().fit(TEXT, valid=HELD, directory=tmp_path / "whole")
    with pytest.raises((Stop, Interrupted)):
        make().fit(TEXT, valid=HELD, directory=tmp_path / "cut", on_event=stop_after_one)
    resumed = make().fit(TEXT, valid=HELD, directory=tmp_path / "cut", resume=True)
    for (name, a), (_, b) in zip(whole.model_.state_dict().items(), resumed.model_.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
    assert whole.history_ == resumed.history_


def test_equal_seeds_give_equal_models() -> None:
    first, second = (LanguageModel(model="gru", **QUICK, seed=7).fit(TEXT, valid=HELD) for _ in range(2))
    assert first.generate("the", 20) == second.generate("the", 20)
    for a, b in zip(first.model_.parameters(), second.model_.parameters(), strict=True):
        assert torch.equal(a, b)


def test_dropouts_act_in_training_alone() -> None:
    for name in ("embedding_dropout", "input_dropout", "recurrent_dropout", "weight_dropout", "output_dropout"):
        options: dict[str, Any] = {name: 0.5}
        spec = LanguageSpec("lstm", 9, 5, 5, layers=2, **options)
        network = build_language_network(spec, 3)
        ids = torch.arange(8).reshape(2, 4)
        trained = [network.train()(ids)[0] for _ in range(2)]
        assert not torch.equal(*trained), name
        assert torch.equal(network.eval()(ids)[0], network(ids)[0]), name


def test_output_dropout_is_one_mask_for_a_row() -> None:
    spec = LanguageSpec("gru", 9, 64, 64, layers=1, output_dropout=0.5)
    network = build_language_network(spec, 3).train()
    dropped = network(torch.ones(3, 5, dtype=torch.int64))[0] == 0
    assert torch.equal(dropped[:, :1].expand_as(dropped), dropped)
    assert not torch.equal(dropped[0], dropped[1])


def test_char_model_scores_bits_first(fitted: dict[str, LanguageModel]) -> None:
    model = LanguageModel(model="gru", level="char", **QUICK).fit("hello world\n" * 60)
    evaluation = model.evaluate("hello\nworld")
    assert evaluation.first == "bits"
    assert evaluation.scores["bits"] == pytest.approx(evaluation.scores["loss"] / math.log(2))
    assert evaluation.predictions["tokens"].tolist() == [6, 5]
    assert len(model.generate("he", 15)) == 15


def test_details_are_drawn_from(fitted: dict[str, LanguageModel]) -> None:
    details = fitted["lstm"].evaluate(HELD).details
    assert {"mistakes", "samples", "embedding", "facts"} <= set(details)
    assert len(details["embedding"]["words"]) == len(details["embedding"]["x"])
    losses = [mistake["loss"] for mistake in details["mistakes"]]
    assert losses == sorted(losses, reverse=True)
    assert details["facts"]["tokens"] == len(fitted["lstm"].score(HELD))


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"model": "lstmm"}, "model"),
        ({"level": "syllable"}, "level"),
        ({"window": 0}, "window"),
        ({"output_dropout": 1.0}, "output_dropout"),
        ({"embedding_size": 7, "units": 8, "layers": 1}, "tied"),
        ({"model": "tcn", "layers": 32}, "layers: expected at most 31 levels"),
        ({"scored": 40, "window": 35}, "scored"),
        ({"validation_fraction": 0}, "validation_fraction"),
    ],
)
def test_bad_parameters_are_refused_by_name(parameters: dict, name: str) -> None:
    with pytest.raises(SettingError, match=name):
        LanguageModel(**{**QUICK, "epochs": 1, **parameters}).fit(TEXT)


@pytest.mark.parametrize("text", ["", "   ", "one", "one\n", 3, None, ["a", "b"]])
@pytest.mark.parametrize("name", ["unigram", "bigram", "gru"])
def test_texts_without_tokens_are_refused(name: str, text: object) -> None:
    with pytest.raises(SeqloomError, match="text"):
        LanguageModel(model=name, **QUICK).fit(text)  # type: ignore[arg-type]


def test_bad_requests_get_a_sentence(fitted: dict[str, LanguageModel]) -> None:
    model = fitted["gru"]
    with pytest.raises(DataError, match="no token"):
        model.evaluate("")
    for bad in ({"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}, {"length": -1}, {"seed": -1}):
        with pytest.raises(SettingError, match=next(iter(bad))):
            model.generate("the", **{"length": 5, **bad})
    chars = LanguageModel(model="unigram", level="char").fit("abc\n" * 30)
    with pytest.raises(DataError, match="character 2"):
        chars.generate("aä", 3)
    assert isinstance(model.generate("zebra the", 5), str)  # unknown words are <unk>


def test_vocabulary_too_large_says_which_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    from seqloom_runtime.data.text import vocabulary

    monkeypatch.setattr(vocabulary, "memory_left", lambda: 1_000)
    with pytest.raises(SettingError, match="max_words"):
        LanguageModel(model="gru", **QUICK).fit(TEXT)


def test_spec_of_the_estimator_is_the_networks(fitted: dict[str, LanguageModel]) -> None:
    for name in ("rnn", "gru", "lstm", "tcn"):
        model = fitted[name]
        assert language_spec(model, len(model.vocabulary_)) == model.model_.spec
        assert model.n_parameters_ == count_parameters(model.model_.spec)
