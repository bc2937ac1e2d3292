"""Sequence to sequence: attention and decoder against NumPy, beam search against every text, learning, folders."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

import seqloom
from oracles.numpy_recurrent import Twin
from seqloom import Seq2Seq
from seqloom.errors import DataError, FormatError, Interrupted, SettingError
from seqloom.tasks.networks.attention import ATTENTIONS, make_attention
from seqloom.tasks.translation.learning import padded, write
from seqloom.tasks.translation.network import NETWORKS, TranslationNetwork, TranslationSpec, build_translation_network
from seqloom.training import events
from seqloom_runtime.extras import installed
from seqloom_runtime.translation.tokens import Tokens
from seqloom_runtime.writing import beam_search, length_penalty

SMALL: dict[str, Any] = {"units": 12, "embedding_size": 8, "epochs": 2, "batch_size": 16, "learning_rate": 0.02}


def reversed_digits(count: int = 120, seed: int = 0) -> tuple[list[str], list[str]]:
    draw = np.random.default_rng(seed)
    texts = ["".join(map(str, draw.integers(0, 4, draw.integers(1, 5)))) for _ in range(count)]
    return texts, [text[::-1] for text in texts]


def sentences(count: int = 120) -> tuple[list[str], list[str]]:
    draw = np.random.default_rng(1)
    words = {"cat": "chat", "dog": "chien", "cow": "vache"}, {"eats": "mange", "runs": "court"}
    rows = [[str(draw.choice(list(kind))) for kind in words] for _ in range(count)]
    targets = [f"le {words[0][a]} {words[1][b]}." for a, b in rows]
    return [f"the {a} {b}." for a, b in rows], targets


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def doubles(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.detach().double().numpy() for name, tensor in module.state_dict().items()}


def attention_by_hand(name: str, w: dict[str, np.ndarray], s: np.ndarray, h: np.ndarray, mask: np.ndarray) -> Any:
    """Weights (K, T) of one row, step by step."""
    found = np.zeros((len(s), len(h)))
    for k, state in enumerate(s):
        scores = np.full(len(h), -np.inf)
        for t, output in enumerate(h):
            if mask[t]:
                key = w["key.weight"] @ output
                scores[t] = (
                    w["score"] @ np.tanh(w["query.weight"] @ state + w["query.bias"] + key)
                    if name == "additive"
                    else state @ key
                )
        found[k] = softmax(scores)
    return found


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_is_the_formula_and_has_its_gradient(name: str) -> None:
    attention = make_attention(name, 4, seed=3, encoded=6)
    draw = torch.Generator().manual_seed(0)
    s, h = torch.randn(2, 3, 4, generator=draw), torch.randn(2, 5, 6, generator=draw)
    mask = torch.tensor([[True] * 5, [True, True, True, False, False]])
    if name == "additive":
        with torch.no_grad():
            cast(Any, attention).query.bias.uniform_(-1, 1, generator=draw)
    w = doubles(attention)
    found = attention.weights(s, h, mask)
    for b in range(2):
        ours = attention_by_hand(name, w, s[b].double().numpy(), h[b].double().numpy(), mask[b].numpy())
        np.testing.assert_allclose(found[b].detach().numpy(), ours, atol=2e-6)
        context = attention(s, h, mask)[b].detach().numpy()
        np.testing.assert_allclose(context, ours @ h[b].double().numpy(), atol=5e-6)
    attention.double()
    inputs = (s.double().requires_grad_(), h.double().requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: attention(a, b, mask), inputs)


def network_of(**changes: Any) -> TranslationNetwork:
    spec = TranslationSpec(**{"name": "gru", "sources": 9, "targets": 8, "embedding_size": 5, "units": 6, **changes})
    return build_translation_network(spec, 4).eval()


def recurrent_by_hand(
    w: dict[str, np.ndarray], part: str, kind: str, x: np.ndarray, start: Any, ways: int
) -> np.ndarray:
    """The outputs (T, ways · U) of one row, layer by layer, with `ways` directions."""
    for layer in range(sum(name.startswith(f"{part}.cells.") and name.endswith("w_h") for name in w) // ways):
        found = []
        for way in range(ways):
            own = {key: w[f"{part}.cells.{layer * ways + way}.{key}"] for key in ("w_x", "w_h", "bias")}
            h = np.zeros((1, own["w_h"].shape[0])) if start is None else start[layer]
            y = Twin("elman" if kind == "rnn" else kind, own).run(x[None, :: -1 if way else 1], h, np.zeros_like(h))[0][
                0
            ]
            found.append(y[:: -1 if way else 1])
        x = np.concatenate(found, axis=1)
    return x


def convolved_by_hand(w: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """The convolutional encoder's outputs (T, U) of one row."""
    steps, size = x.shape
    t, i = np.arange(steps)[:, None], np.arange(size)[None]
    angles = t / 10_000.0 ** ((i - i % 2) / size)
    h = (20 * x + np.where(i % 2, np.cos(angles), np.sin(angles))) @ w["first.weight"].T + w["first.bias"]
    level = 0
    while f"levels.{level}.weight" in w:
        kernel = w[f"levels.{level}.weight"]
        taps = kernel.shape[2]
        wide = np.pad(h, (((taps - 1) // 2, taps - 1 - (taps - 1) // 2), (0, 0)))
        y = np.stack([np.einsum("oik,ki->o", kernel, wide[t : t + taps]) for t in range(steps)])
        a, g = np.split(y + w[f"levels.{level}.bias"], 2, axis=1)
        h = (h + a / (1 + np.exp(-g))) * np.sqrt(0.5)
        level += 1
    return h


def network_by_hand(network: TranslationNetwork, ids: list[int], before: list[int], *, mistake: str = "") -> np.ndarray:
    """Scores (K, V) of one pair in float64."""
    w, spec = doubles(network), network.spec
    ways = 2 if spec.bidirectional else 1
    if spec.encoder == "convolutional":
        own = {name.removeprefix("encoder."): v for name, v in w.items() if name.startswith("encoder.")}
        outputs = convolved_by_hand(own, w["source.weight"][ids])
        ends = outputs.mean(axis=0)
    else:
        outputs = recurrent_by_hand(w, "encoder.recurrent", spec.name, w["source.weight"][ids], None, ways)
        ends = np.concatenate([outputs[-1, :6], outputs[0, 6:]])
    if mistake == "ends":
        ends = outputs[-1]
    start = np.tanh(w["bridge.weight"] @ ends + w["bridge.bias"]).reshape(spec.layers, 1, spec.units)
    read = before if mistake != "shift" else [*before[1:], before[0]]
    features = recurrent_by_hand(w, "decoder", spec.name, w["target.weight"][read], start, 1)
    if network.attention is not None:
        mine = {name.removeprefix("attention."): v for name, v in w.items() if name.startswith("attention.")}
        weights = attention_by_hand(spec.attention, mine, features, outputs, np.ones(len(ids), bool))
        joined = np.concatenate([features, weights @ outputs], axis=1)
        features = np.tanh(joined @ w["joined.weight"].T + w["joined.bias"])
    return features @ w["output.weight"].T + w["output.bias"]


@pytest.mark.parametrize(
    "changes",
    [
        {"attention": "additive"},
        {"attention": "multiplicative", "name": "lstm", "layers": 2},
        {"attention": "none", "name": "rnn", "bidirectional": False},
        {"encoder": "convolutional", "levels": 2, "kernel_size": 3},
        {"encoder": "convolutional", "levels": 1, "kernel_size": 4, "attention": "multiplicative", "layers": 2},
    ],
)
def test_the_network_is_its_twin_and_padding_changes_nothing(changes: dict[str, Any]) -> None:
    network = network_of(**changes)
    pairs = [([2, 5, 3, 8], [4, 2, 7]), ([6, 2], [3])]
    ids, mask, before, after = padded([a for a, _ in pairs], [b for _, b in pairs], network.end)
    assert (after[1].tolist(), before[1].tolist()) == ([3, 8, -1, -1], [8, 3, 0, 0])
    found = network(ids, mask, before).detach().numpy()
    total, count = 0.0, 0
    for row, (source, target) in enumerate(pairs):
        ours = network_by_hand(network, source, [network.end, *target])
        np.testing.assert_allclose(found[row, : len(ours)], ours, atol=1e-5)
        p = np.log(softmax(ours))
        total -= sum(p[k, token] for k, token in enumerate([*target, network.end]))
        count += len(ours)
    assert network.loss(ids, mask, before, after).item() == pytest.approx(total / count, abs=1e-5)
    for mistake in ("shift", *(("ends",) if network.spec.bidirectional else ())):
        wrong = network_by_hand(network, pairs[0][0], [network.end, *pairs[0][1]], mistake=mistake)
        assert np.abs(found[0] - wrong).max() > 1e-3, mistake


def every_text(step: Any, state: Any, longest: int, strength: float, words: int, end: int) -> tuple[list[int], float]:
    """The best of all texts that end within `longest` tokens."""
    best: tuple[list[int], float] = ([], -np.inf)
    others = [word for word in range(words) if word != end]
    for length in range(longest):
        for text in itertools.product(others, repeat=length):
            now, total = state, 0.0
            for last, word in itertools.pairwise([end, *text, end]):
                p, now, _ = step(np.array([last]), now)
                total += float(p[0, word])
            score = total / length_penalty(length + 1, strength)
            if score > best[1]:
                best = (list(text), score)
    return best


def table_step(seed: int, words: int, rows: int) -> Any:
    """log P by the last token and how many there were; of each source another table. The state is (1, R, 2)."""
    drawn = torch.randn(rows, 5, words, words, generator=torch.Generator().manual_seed(seed))
    p = torch.log_softmax(2.5 * drawn, 3).numpy()

    def step(last: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray, None]:
        source, count = state[0, :, 0], state[0, :, 1]
        return p[source, count, last], state + np.array([0, 1]), None

    return step


@pytest.mark.parametrize("strength", [0.0, 1.5])
def test_a_wide_beam_finds_the_best_of_all_texts(strength: float) -> None:
    words, end, longest, rows, differs = 4, 3, 4, 3, 0
    for seed in range(6):
        step = table_step(seed, words, rows)

        def search(beams: int, step: Any = step) -> Any:
            state = np.array([[[row, 0] for row in range(rows) for _ in range(beams)]])
            return beam_search(
                step, state, rows, end, beams=beams, strength=strength, longest=longest,
                rearrange=lambda state, chosen: state[:, chosen],
            )  # fmt: skip

        wide, greedy = search(words**longest), search(1)
        for row in range(rows):
            text, score = every_text(step, np.array([[[row, 0]]]), longest, strength, words, end)
            assert wide[row].ids == text
            assert wide[row].score == pytest.approx(score, abs=1e-5)
            state, last, ids = np.array([[[row, 0]]]), end, []
            for _ in range(longest):
                p, state, _ = step(np.array([last]), state)
                last = int(p[0].argmax())
                if last == end:
                    break
                ids.append(last)
            assert greedy[row].ids == ids
            differs += ids != text
    assert differs > 2  # the search has something to find


def test_beams_of_a_network_keep_their_own_state_and_attention() -> None:
    network = network_of()
    ids = [[2, 5, 3, 8], [6, 2], [7, 7, 7]]
    for place, text in enumerate(write(network, ids, 6, beams=3, strength=0.6)):
        alone = write(network, [ids[place]], 6, beams=3, strength=0.6)[0]
        assert alone.ids == text.ids
        scores, state = 0.0, None
        with torch.no_grad():
            encoded, state = network.encode(
                torch.tensor([ids[place]]), torch.ones(1, len(ids[place]), dtype=torch.bool)
            )
            ended = len(text.ids) < 6
            for k, (last, word) in enumerate(itertools.pairwise([8, *text.ids, *([8] if ended else [])])):
                p, state, weights = network.step(torch.tensor([last]), encoded, state)
                scores += float(p[0, word])
                assert weights is not None
                assert text.attention is not None
                np.testing.assert_allclose(text.attention[k, : len(ids[place])], weights[0].numpy(), atol=1e-5)
        length = len(text.ids) + ended
        assert text.score == pytest.approx(scores / length_penalty(length, 0.6), abs=1e-4)
        assert 0 not in text.ids


def test_it_learns_to_reverse_and_to_translate() -> None:
    model = Seq2Seq(**{**SMALL, "epochs": 25, "units": 24}).fit(*reversed_digits(300))
    test = reversed_digits(60, seed=5)
    assert model.evaluate(*test).scores["exact_match"] > 0.9
    assert model.level_ == "char"
    assert "characters" in model.notes_[0]
    tokens, written, weights = model.attend("0123")
    assert (tokens, written) == (["0", "1", "2", "3"], ["3", "2", "1", "0", "⏎"])
    assert np.array(weights).shape == (5, 4)
    np.testing.assert_allclose(np.sum(weights, axis=1), 1.0, atol=1e-5)


def test_words_join_again_and_an_unknown_one_is_copied() -> None:
    sources, targets = sentences()
    model = Seq2Seq(**{**SMALL, "epochs": 15}).fit(sources, targets, valid=(sources[:12], targets[:12]))
    assert model.level_ == "word"
    evaluation = model.evaluate(sources[:20], targets[:20])
    assert evaluation.first == ("bleu" if installed("sacrebleu") else "exact_match")
    assert evaluation.scores["exact_match"] == 1.0
    assert model.predict(["the cow eats."]) == ["le vache mange."]
    rare = [f"say {name}." for name in "abcdefghijklmnopqrst"] * 4
    copies = Seq2Seq(**{**SMALL, "epochs": 3, "level": "word", "min_count": 5}).fit(rare, [t[4:] for t in rare])
    assert copies.target_.vocabulary.words[2:] == ("￭.",)
    assert "<unk>" not in copies.predict(["say xyz."])[0]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("memory", {}),
        ("lstm", {"attention": "multiplicative"}),
        ("rnn", {"attention": "none"}),
        ("gru", {"encoder": "convolutional", "levels": 2}),
    ],
)
def test_saved_models_write_the_same(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    model = Seq2Seq(model=name, **{**SMALL, **options}).fit(*reversed_digits())
    model.save(tmp_path / "model")
    loaded = seqloom.load(tmp_path / "model")
    texts = reversed_digits(20, seed=9)[0]
    assert loaded.predict(texts) == model.predict(texts)
    assert loaded.get_params() == model.get_params()
    header = json.loads((tmp_path / "model" / "model.json").read_text())
    (tmp_path / "model" / "model.json").write_text(json.dumps({**header, "longest": 10**9}))
    with pytest.raises(FormatError):
        seqloom.load(tmp_path / "model")
    if name == "rnn":
        with pytest.raises(SettingError, match="attention: this model has none"):
            loaded.attend("12")


@pytest.mark.parametrize("encoder", ["recurrent", "convolutional"])
def test_a_fit_that_stopped_goes_on_bitwise(encoder: str, tmp_path: Path) -> None:
    options = {**SMALL, "scheduled_sampling": 0.4, "dropout": 0.3, "recurrent_dropout": 0.2, "encoder": encoder}
    whole = Seq2Seq(**options).fit(*reversed_digits(), directory=tmp_path / "whole")
    seen = 0

    def stop(event: Any) -> None:
        nonlocal seen
        seen += isinstance(event, events.EpochDone)
        if seen == 1 and isinstance(event, events.EpochDone):
            raise Interrupted("stopped")

    cut = Seq2Seq(**options)
    with pytest.raises(Interrupted):
        cut.fit(*reversed_digits(), directory=tmp_path / "cut", on_event=stop)
    cut.fit(*reversed_digits(), directory=tmp_path / "cut", resume=True)
    for name, tensor in whole.model_.state_dict().items():
        assert torch.equal(tensor, cut.model_.state_dict()[name]), name
    forced = Seq2Seq(**{**options, "scheduled_sampling": 0.0}).fit(*reversed_digits())
    assert not torch.equal(forced.model_.output.weight, whole.model_.output.weight)
    other = Seq2Seq(**options, seed=1).fit(*reversed_digits())
    assert not torch.equal(other.model_.output.weight, whole.model_.output.weight)


@pytest.mark.parametrize("level", ["char", "word", "subword"])
def test_tokens_join_to_the_text(level: str) -> None:
    texts = ["I'm here, aren't I?", "￭ odd ￭marks", "naïve – 日本 (x)", "a  b"]
    tokens = Tokens.fit(texts, level, 400)
    again = Tokens.from_json(json.loads(json.dumps(tokens.to_json())))
    for text in texts:
        expected = " ".join(text.split()) if level == "word" else text
        assert again.text(again.ids(text)) == expected


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Seq2Seq().fit(["a", " "], ["b", "c"]), "training sources, text 1: expected a text, it is empty"),
        (lambda: Seq2Seq().fit(["a"], ["b", "c"]), "expected as many targets as sources, got 2 and 1"),
        (lambda: Seq2Seq().fit("ab", ["b"]), "expected a list of texts, got str"),
        (lambda: Seq2Seq().fit(cast(Any, ["a", 3]), ["b", "c"]), "text 1: expected a text, got 3"),
        (lambda: Seq2Seq().fit([], []), "expected at least one pair, got none"),
        (lambda: Seq2Seq(max_length=2).fit(["abc", "abd", "e"], ["xyz"] * 3), "every pair has a side of more than 2"),
    ],
)
def test_one_sentence_for_bad_pairs(call: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        call()


def test_long_pairs_are_left_out_and_long_sources_refused() -> None:
    sources, targets = reversed_digits()
    model = Seq2Seq(**SMALL, max_length=6).fit([*sources, "1234567"], [*targets, "7654321"], valid=(sources, targets))
    assert any("1 of 121 training pairs" in note for note in model.notes_)
    with pytest.raises(DataError, match=r"text 1: expected at most 6 tokens \(max_length\), got 7"):
        model.predict(["12", "1234567"])
    facts = model.evaluate(["12", "1234567"], ["21", "7654321"]).details["facts"]
    assert facts["sources that are too long, counted as wrong"] == 1
    with pytest.raises(SettingError, match="encoder: expected one of recurrent, convolutional"):
        Seq2Seq(encoder="transformer").fit(sources, targets)
    with pytest.raises(SettingError, match="attention: expected one of additive, multiplicative, none"):
        Seq2Seq(attention="cosine").fit(sources, targets)


def test_every_network_is_named() -> None:
    assert list(NETWORKS) == ["rnn", "gru", "lstm"]
