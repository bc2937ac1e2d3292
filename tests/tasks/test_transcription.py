"""Transcription: CTC against every path and a NumPy twin, masks, learning, language models, folders, bad data."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

import seqloom
from oracles.numpy_ctc import collapsed, ctc_loss, every_path
from oracles.numpy_recurrent import Twin
from seqloom import LanguageModel, Transcriber
from seqloom.errors import DataError, FormatError, Interrupted, SettingError
from seqloom.tasks.transcription.learning import level_of, outputs, padded
from seqloom.tasks.transcription.network import (
    NETWORKS,
    TranscriptionNetwork,
    TranscriptionSpec,
    build_transcription_network,
    needed,
)
from seqloom.training import events
from seqloom_runtime.extras import installed
from seqloom_runtime.transcription.decoding import align, greedy, prefix_beam_search

SMALL: dict[str, Any] = {"channels": (6, 6), "units": 8, "epochs": 2, "batch_size": 16, "learning_rate": 0.02}
scored = pytest.mark.skipif(not installed("jiwer"), reason="needs the extra speech")


def frames(count: int = 60, seed: int = 0, longest: int = 4) -> tuple[list[np.ndarray], list[str]]:
    """Each of four words is a few loud frames of its own, with silence between them, and noise over all."""
    draw = np.random.default_rng(seed)
    found, texts = [], []
    for _ in range(count):
        ids = draw.integers(0, 4, draw.integers(1, longest + 1))
        pieces = []
        for symbol in ids:
            loud = np.zeros((draw.integers(4, 8), 5))
            loud[:, symbol] = loud[:, symbol + 1] = 1.0
            pieces += [np.zeros((draw.integers(2, 5), 5)), loud]
        x = np.concatenate([*pieces, np.zeros((2, 5))])
        found.append((x + 0.1 * draw.standard_normal(x.shape)).astype(np.float32))
        texts.append(" ".join(["go", "left", "up", "stop"][symbol] for symbol in ids))
    return found, texts


def table(seed: int, steps: int, symbols: int) -> np.ndarray:
    p = 1.5 * torch.randn(steps, symbols, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.log_softmax(p, dim=1).numpy()


def test_the_loss_is_the_sum_over_every_path() -> None:
    for seed in range(4):
        log_p = table(seed, 5, 3)
        total, _ = every_path(log_p)
        assert np.exp(list(total.values())).sum() == pytest.approx(1.0)
        for text in ((1,), (1, 1), (2, 1, 2), (1, 2, 2)):
            assert ctc_loss(log_p, list(text)) == pytest.approx(-total[text], rel=1e-9)
        assert abs(ctc_loss(log_p, [1, 1], mistake="skip") + total[1, 1]) > 1e-3  # the oracle would see it


def network_of(**changes: Any) -> TranscriptionNetwork:
    spec = TranscriptionSpec(
        **{"name": "conv-gru", "inputs": 5, "symbols": 6, "channels": (4, 7), "units": 5, **changes}
    )
    return build_transcription_network(spec, 4).eval()


def by_hand(network: TranscriptionNetwork, x: np.ndarray) -> np.ndarray:
    """ln P (S, V) of one sound in float64: causal convolutions, the largest of every two, a GRU both ways."""
    w = {name: tensor.detach().double().numpy() for name, tensor in network.state_dict().items()}
    spec = network.spec
    for level in range(len(spec.channels) if spec.name == "conv-gru" else 0):
        if level:
            groups = [x[start : start + spec.pool_size] for start in range(0, len(x), spec.pool_size)]
            x = np.stack([group.max(axis=0) for group in groups])
        kernel = w[f"body.convolutions.{level}.weight"]
        before = np.concatenate([np.zeros((kernel.shape[2] - 1, x.shape[1])), x])
        taps = [before[k : k + len(x)] @ kernel[:, :, k].T for k in range(kernel.shape[2])]
        x = np.maximum(0.0, sum(taps) + w[f"body.convolutions.{level}.bias"])
    found = []
    for way in range(2):
        own = {key: w[f"body.recurrent.cells.{way}.{key}"] for key in ("w_x", "w_h", "bias")}
        start = np.zeros((1, own["w_h"].shape[0]))
        kind = {"conv-gru": "gru", "rnn": "elman"}.get(spec.name, spec.name)
        found.append(Twin(kind, own).run(x[None, :: -1 if way else 1], start, start)[0][0][:: -1 if way else 1])
    scores = np.concatenate(found, axis=1) @ w["output.weight"].T + w["output.bias"]
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("changes", [{}, {"pool_size": 3, "channels": (4, 6, 7)}, {"name": "lstm"}, {"name": "rnn"}])
def test_the_network_is_its_twin_and_padding_changes_nothing(changes: dict[str, Any]) -> None:
    network = network_of(**changes)
    draw = np.random.default_rng(1)
    sounds = [draw.standard_normal((length, 5)).astype(np.float32) for length in (23, 9, 16)]
    ids = [[2, 5, 2], [3], [4, 2]]
    x, mask, targets, lengths = padded(sounds, ids)
    x = torch.where(mask[:, :, None], x, torch.tensor(3e3))  # what stands behind a sound means nothing
    p, steps = network(x, mask)
    expected = 0.0
    for row, sound in enumerate(sounds):
        ours = by_hand(network, sound.astype(np.float64))
        assert steps[row] == len(ours) == network.spec.steps(len(sound))
        np.testing.assert_allclose(p[row, : len(ours)].detach().numpy(), ours, atol=1e-5)
        expected += ctc_loss(ours, ids[row])
    assert network.loss(x, mask, targets, lengths).item() == pytest.approx(expected / 6, rel=1e-5)
    for one, sound in zip(outputs(network, sounds), sounds):
        np.testing.assert_allclose(one, outputs(network, [sound])[0], atol=1e-6)


def test_training_hides_bands_and_frames_up_to_their_width() -> None:
    network = network_of(inputs=12, band_mask=3, frame_mask=4).train()
    x = torch.ones(200, 40, 12)
    for axis, widest, most, size in ((2, 3, 4, 12), (1, 4, 8, 40)):
        hidden = network._hidden(x, axis, widest, most)
        gone = (hidden == 0).any(dim=3 - axis)
        assert torch.equal((hidden == 0).all(dim=3 - axis), gone)  # whole bands, whole frames
        count = gone.sum(dim=1)
        assert (count.min(), count.max()) == (0, 2 * widest)
        assert gone.any(dim=0).all()
        assert gone.shape == (200, size)
    assert torch.equal(network._hidden(x, 2, 3, 0), x)
    mask, targets, lengths = torch.ones(200, 40, dtype=torch.bool), torch.ones(200, 1).long(), torch.ones(200).long()
    assert network.loss(x, mask, targets, lengths) != network.loss(x, mask, targets, lengths)
    network.eval()
    assert network.loss(x, mask, targets, lengths) == network.loss(x, mask, targets, lengths)


def test_the_loss_has_its_gradient() -> None:
    p = torch.from_numpy(table(3, 6, 4)).requires_grad_()

    def loss(p: torch.Tensor) -> torch.Tensor:
        sizes = torch.tensor([6]), torch.tensor([3])
        return torch.nn.functional.ctc_loss(torch.log_softmax(p, 1)[:, None], torch.tensor([[1, 1, 3]]), *sizes)

    found = torch.autograd.grad(loss(p), p)[0].numpy()
    values = p.detach().numpy()
    for place in np.ndindex(values.shape):
        moved = []
        for step in (1e-6, -1e-6):
            one = values.copy()
            one[place] += step
            moved.append(ctc_loss(one - np.log(np.exp(one).sum(axis=1, keepdims=True)), [1, 1, 3]) / 3)
        assert found[place] == pytest.approx((moved[0] - moved[1]) / 2e-6, abs=1e-6)


def language(seed: int, symbols: int) -> Any:
    """A table of a pair's probability, the end among them, by the symbol before."""
    p = table(seed, symbols, symbols)  # column 0, which no text holds, is the end
    return lambda prefix: (p[prefix[-1] if prefix else 0], float(p[prefix[-1] if prefix else 0, 0]))


@pytest.mark.parametrize(("weight", "bonus"), [(0.0, 0.0), (0.8, 0.4)])
def test_a_wide_beam_finds_the_best_of_all_texts(weight: float, bonus: float) -> None:
    differs = 0
    for seed in range(8):
        log_p, said = table(seed, 5, 3), language(seed + 50, 3)
        total, best = every_path(log_p)

        def score(text: tuple[int, ...], value: float, said: Any = said) -> float:
            spoken = sum(said(text[:n])[0][symbol] for n, symbol in enumerate(text)) + said(text)[1]
            return value + weight * spoken + bonus * len(text)

        scores = {text: score(text, value) for text, value in total.items()}
        found = prefix_beam_search(log_p, 3**5, language=said, weight=weight, bonus=bonus)
        assert {tuple(text.ids) for text in found} == set(scores)
        for text in found:
            assert text.score == pytest.approx(scores[tuple(text.ids)], rel=1e-9)
        assert tuple(found[0].ids) == max(scores, key=lambda text: scores[text])
        assert tuple(greedy(log_p)) == collapsed(tuple(log_p.argmax(axis=1)))
        assert max(best, key=lambda text: best[text]) == tuple(greedy(log_p))
        narrow = prefix_beam_search(log_p, 2, language=said, weight=weight, bonus=bonus)
        assert len(narrow) == 2
        assert narrow[0].score <= found[0].score + 1e-12
        differs += found[0].ids != greedy(log_p)
    assert differs > 0  # the search has something to find


def test_the_alignment_is_the_best_path() -> None:
    for seed, text in itertools.product(range(4), ((1,), (2, 1), (1, 1), (2, 2, 1), ())):
        log_p = table(seed, 6, 3)
        spans = align(log_p, list(text))
        path = np.zeros(6, dtype=int)
        for symbol, (first, last) in zip(text, spans, strict=True):
            assert first < last
            path[first:last] = symbol
        assert collapsed(tuple(path)) == text
        assert log_p[np.arange(6), path].sum() == pytest.approx(every_path(log_p)[1][text])
    with pytest.raises(ValueError, match="too few"):
        align(table(0, 2, 3), [1, 1])
    assert needed([1, 1]) == 3


@scored
def test_it_learns_words_and_where_they_are() -> None:
    train, test = frames(160), frames(30, seed=5)
    model = Transcriber(**{**SMALL, "epochs": 12, "units": 12, "band_mask": 0}).fit(*train)
    evaluation = model.evaluate(*test)
    assert evaluation.scores["wer"] < 0.1
    assert evaluation.first == "wer"
    assert "Tokens are words, as few different words recur" in model.notes_[0]
    one = next(n for n, text in enumerate(test[1]) if " " not in text)
    ((word, first, last),) = model.align(test[0][one])
    assert word == test[1][one]
    loud = np.flatnonzero((test[0][one] > 0.6).any(axis=1))
    assert loud[0] <= first < last <= len(test[0][one]) + 1
    drawn = evaluation.details["heard"][0]
    assert (len(drawn["shades"]), len(drawn["shades"][0])) == test[0][0].shape
    assert " ".join(span["token"] for span in drawn["spans"]) == drawn["predicted"]
    known = evaluation.details["facts"]
    assert known["tokens not met in training, which can't be written"] == 0
    odd = model.evaluate(test[0][:2], ["go home", "up"])
    assert odd.details["facts"]["tokens not met in training, which can't be written"] == 1


def test_a_language_model_turns_what_is_unclear(tmp_path: Path) -> None:
    sounds, texts = frames(80)
    language = LanguageModel(model="bigram").fit("go go go go\nup up up\n" * 30 + "left stop\n")
    language.save(tmp_path / "lm")
    model = Transcriber(**SMALL, language_model=str(tmp_path / "lm"), language_weight=4.0).fit(sounds, texts)
    plain = Transcriber(**SMALL).fit(sounds, texts)
    for name, tensor in plain.model_.state_dict().items():
        assert torch.equal(tensor, model.model_.state_dict()[name])  # it is of the search alone
    said, bare = model.predict(sounds[:20]), plain.predict(sounds[:20])
    assert said != bare
    model.save(tmp_path / "model")
    for path in (tmp_path / "lm").iterdir():
        path.unlink()  # it is within the model
    loaded = seqloom.load(tmp_path / "model")
    assert loaded.predict(sounds[:20]) == said
    header = json.loads((tmp_path / "model" / "model.json").read_text())
    assert header["language"]["task"] == "language"


def test_a_network_as_language_model_says_what_it_does_alone() -> None:
    from seqloom.tasks.language.predicting import predictor
    from seqloom_runtime.transcription.language import scorer
    from seqloom_runtime.translation.tokens import Tokens

    text = "go left\nstop up\nleft left go\n" * 20
    for level in ("word", "char"):
        model = LanguageModel(model="gru", level=level, units=6, layers=1, epochs=1, window=8, batch_size=4).fit(text)
        symbols = Tokens.fit(["go left up stop"], level)
        said = scorer(predictor(model), symbols)
        ids = symbols.ids("left go")
        scores = [said(tuple(ids[:n]))[0][symbol] for n, symbol in enumerate(ids)] + [said(tuple(ids))[1]]
        expected = [p for _, p in model.score("left go\n")]
        np.testing.assert_allclose(scores, expected, atol=1e-4)


@pytest.mark.parametrize(("name", "options"), [("nearest", {}), ("conv-gru", {}), ("lstm", {"peephole": True})])
def test_saved_models_write_the_same(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    model = Transcriber(model=name, **{**SMALL, **options}).fit(*frames())
    model.save(tmp_path / "model")
    loaded = seqloom.load(tmp_path / "model")
    sounds = frames(10, seed=9)[0]
    assert loaded.predict(sounds) == model.predict(sounds)
    assert loaded.get_params() == model.get_params()
    header = json.loads((tmp_path / "model" / "model.json").read_text())
    (tmp_path / "model" / "model.json").write_text(json.dumps({**header, "rate": 7}))
    with pytest.raises(FormatError):
        seqloom.load(tmp_path / "model")
    if name == "nearest":
        with pytest.raises(SettingError, match="aligns nothing"):
            loaded.align(sounds[0])


def test_a_fit_that_stopped_goes_on_bitwise(tmp_path: Path) -> None:
    options = {**SMALL, "dropout": 0.3, "recurrent_dropout": 0.2}
    whole = Transcriber(**options).fit(*frames(), directory=tmp_path / "whole")

    def stop(event: Any) -> None:
        if isinstance(event, events.EpochDone):
            raise Interrupted("stopped")

    cut = Transcriber(**options)
    with pytest.raises(Interrupted):
        cut.fit(*frames(), directory=tmp_path / "cut", on_event=stop)
    cut.fit(*frames(), directory=tmp_path / "cut", resume=True)
    for name, tensor in whole.model_.state_dict().items():
        assert torch.equal(tensor, cut.model_.state_dict()[name]), name
    other = Transcriber(**options, seed=1).fit(*frames())
    assert not torch.equal(other.model_.output.weight, whole.model_.output.weight)


SILENT = np.zeros((6, 5), dtype=np.float32)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Transcriber().fit([SILENT], ["a", "b"]), "expected a text for each of 1 sounds, got 2"),
        (lambda: Transcriber().fit([SILENT], [" "]), "text 0: expected what is said, it is empty"),
        (lambda: Transcriber().fit([], []), "expected at least one sound, got none"),
        (lambda: Transcriber().fit([np.zeros(800)], ["a"]), "samples need their rate"),
        (lambda: Transcriber().fit([SILENT * np.nan], ["a"]), "found NaN or infinity"),
        (lambda: Transcriber().fit(cast(Any, "a.wav"), ["a"]), "expected a list of sounds, got str"),
        (lambda: Transcriber().fit([SILENT, SILENT[:, :2]], ["a", "b"]), "frames of one width, got several"),
        (lambda: Transcriber(sample_rate=8000).fit([SILENT] * 9, ["a"] * 9), "sample_rate: frames have none"),
        (
            lambda: Transcriber(level="char").fit([SILENT] * 20, ["ab"] * 19 + ["aab"] * 1, valid=([SILENT], ["a"])),
            r"training sounds, sound 19: 6 frames leave 2 steps, its text 'aab' needs 4 \(one for each token",
        ),
    ],
)
def test_one_sentence_for_bad_data(call: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        call()


def test_a_language_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    sounds, texts = frames()
    LanguageModel(model="bigram", level="char").fit("go up\n" * 40).save(tmp_path / "lm")
    Transcriber(model="nearest").fit(sounds, texts).save(tmp_path / "other")
    LanguageModel(model="bigram").fit("other words\n" * 40).save(tmp_path / "none")
    LanguageModel(model="bigram").fit("go up left\n" * 40).save(tmp_path / "some")
    for options, said in (
        ({"language_model": str(tmp_path / "lm")}, "expected one of word tokens"),
        ({"language_model": str(tmp_path / "other")}, "expected a LanguageModel, .* holds a Transcriber"),
        ({"language_model": str(tmp_path / "none")}, "has never met 4 of the transcriber's 4 tokens"),
    ):
        with pytest.raises(SettingError, match=said):
            Transcriber(**{**SMALL, **options}).fit(sounds, texts)
    model = Transcriber(**{**SMALL, "epochs": 1}, language_model=str(tmp_path / "some")).fit(sounds, texts)
    assert any("has never met 1 of 4 tokens, 'stop' among them" in note for note in model.notes_)


def test_levels_and_names() -> None:
    assert level_of(["yes", "no"] * 5)[0] == "word"
    assert level_of([f"{n} and {n + 1}" for n in range(200)])[0] == "char"
    assert set(NETWORKS) == {"conv-gru", "rnn", "gru", "lstm"}
    with pytest.raises(SettingError, match=r"model: expected one of .*conv-gru"):
        Transcriber(model="tcn").fit([SILENT] * 9, ["a"] * 9)
