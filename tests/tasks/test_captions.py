"""Captions: the network against NumPy, learning, attention, resuming, folders, and one sentence for what can't be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

import seqloom
from oracles.numpy_recurrent import Twin
from seqloom import Captioner
from seqloom.errors import DataError, FormatError, Interrupted, SettingError
from seqloom.tasks.captions.network import NETWORKS, CaptionSpec, build_caption_network
from seqloom.training import events
from seqloom_runtime.captions.nearest import Nearest, reduced

SMALL: dict[str, Any] = {
    "channels": (4, 6), "units": 10, "embedding_size": 6, "epochs": 2, "batch_size": 16, "learning_rate": 0.02,
}  # fmt: skip


def bars(count: int = 80, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Pictures (N, 8, 12) uint8 of a bar on either side, standing or lying, and what they show."""
    draw = np.random.default_rng(seed)
    pictures, texts = np.zeros((count, 8, 12), dtype=np.uint8), []
    for picture in pictures:
        words = []
        for side in (0, 6):
            lies = bool(draw.integers(2))
            y, x = draw.integers(1, 3, 2)
            picture[y : y + (2 if lies else 5), side + x : side + x + (4 if lies else 2)] = 200
            words.append("lying" if lies else "standing")
        texts.append(f"{words[0]}, {words[1]}")
    return pictures, texts


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """x (Y, X, C) → relu of the convolution, pixel by pixel."""
    side = weight.shape[2] // 2
    around = np.pad(x, ((side, side), (side, side), (0, 0)))
    rows, columns = range(0, x.shape[0], stride), range(0, x.shape[1], stride)
    found = np.zeros((len(rows), len(columns), len(weight)))
    for i, y in enumerate(rows):
        for j, column in enumerate(columns):
            part = around[y : y + 2 * side + 1, column : column + 2 * side + 1]
            found[i, j] = np.einsum("ocij,ijc->o", weight, part) + bias
    return np.maximum(found, 0)


def network_by_hand(network: Any, picture: np.ndarray, before: list[int], *, mistake: str = "") -> Any:
    """Scores (K, V) and weights (K, P) of one picture in float64."""
    w = {name: tensor.detach().double().numpy() for name, tensor in network.state_dict().items()}
    maps = picture.astype(np.float64)
    for level in range(len(network.spec.channels)):
        maps = convolved(maps, w[f"encoder.convolutions.{level}.weight"], w[f"encoder.convolutions.{level}.bias"], 2)
    read = convolved(maps, w["around.weight"], w["around.bias"], 1)
    read = (read.swapaxes(0, 1) if mistake == "turned" else read).reshape(-1, maps.shape[2])
    read = read + (0 if mistake == "no places" else w["places"])
    units = network.spec.units
    start = np.tanh(w["bridge.weight"] @ read.mean(axis=0) + w["bridge.bias"])[None]
    own = {key: w[f"decoder.cells.0.{key}"] for key in ("w_x", "w_h", "bias")}
    x = w["target.weight"][before]
    features = Twin("gru", own).run(x[None], start, np.zeros((1, units)))[0][0]
    keys = read @ w["attention.key.weight"].T
    query = features @ w["attention.query.weight"].T + w["attention.query.bias"]
    weights = softmax(np.tanh(query[:, None] + keys[None]) @ w["attention.score"])
    joined = np.concatenate([features, weights @ read], axis=1) @ w["joined.weight"].T + w["joined.bias"]
    return np.tanh(joined) @ w["output.weight"].T + w["output.bias"], weights


def test_the_network_is_its_twin() -> None:
    network = build_caption_network(CaptionSpec("gru", (7, 9, 2), 6, channels=(3, 4), embedding_size=5, units=6), 3)
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw) * 0.4)
    network.eval()
    pictures, before = torch.rand(2, 7, 9, 2, generator=draw), torch.tensor([[6, 2, 4], [6, 3, 3]])
    found = network(pictures, before).detach().numpy()
    encoded, state = network.encode(pictures)
    assert encoded.outputs.shape == (2, 2 * 3, 4)
    first = network.step(before[:, 0], encoded, state)
    for row in range(2):
        ours, weights = network_by_hand(network, pictures[row].numpy(), before[row].tolist())
        np.testing.assert_allclose(found[row], ours, atol=2e-5)
        assert first[2] is not None
        np.testing.assert_allclose(first[2][row].detach().numpy(), weights[0], atol=2e-5)
    for mistake in ("turned", "no places"):
        wrong = network_by_hand(network, pictures[0].numpy(), before[0].tolist(), mistake=mistake)[0]
        assert np.abs(found[0] - wrong).max() > 1e-3, mistake


def test_it_learns_to_say_what_it_sees_and_where_it_looks() -> None:
    pictures, texts = bars(160)
    model = Captioner(**{**SMALL, "epochs": 25, "units": 16}).fit(pictures, texts)
    test = bars(30, seed=7)
    evaluation = model.evaluate(*test)
    assert evaluation.scores["exact_match"] > 0.9
    assert evaluation.first == "exact_match"
    tokens, weights = model.attend(test[0][0])
    assert tokens[-1] == "⏎"
    assert weights.shape == (len(tokens), 2, 3)
    np.testing.assert_allclose(weights.sum(axis=(1, 2)), 1.0, atol=1e-5)
    looked = evaluation.details["looked"][0]
    assert (looked["places"], len(looked["weights"][0])) == ([2, 3], 6)
    nearest = Captioner(model="nearest").fit(pictures, texts)
    assert nearest.predict(pictures) == texts
    with pytest.raises(SettingError, match="attention: this model has none"):
        nearest.attend(pictures[0])


def test_the_nearest_picture_is_found_in_means_of_its_pixels() -> None:
    draw = np.random.default_rng(0)
    pictures = draw.random((5, 40, 20, 2)).astype(np.float32)
    small = reduced(pictures)
    assert small.shape == (5, 16 * 16 * 2)
    np.testing.assert_allclose(small[0].reshape(16, 16, 2)[0, 0], pictures[0, :2, :1].mean(axis=(0, 1)), atol=1e-6)
    model = Nearest.fit(pictures, list("abcde"))
    noisy = pictures + draw.normal(0, 0.05, pictures.shape)
    assert model.texts_for(noisy.astype(np.float32)) == list("abcde")


@pytest.mark.parametrize(
    ("name", "options"), [("nearest", {}), ("lstm", {"attention": "multiplicative"}), ("rnn", {"attention": "none"})]
)
def test_saved_models_write_the_same(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    pictures, texts = bars()
    model = Captioner(model=name, **{**SMALL, **options}).fit(pictures, texts)
    model.save(tmp_path / "model")
    loaded = seqloom.load(tmp_path / "model")
    assert loaded.predict(pictures) == model.predict(pictures)
    assert loaded.get_params() == model.get_params()
    header = json.loads((tmp_path / "model" / "model.json").read_text())
    for change in ({"longest": 10**9} if name != "nearest" else {"texts": [""]}, {"size": [8, 12]}, {"range": [2, 1]}):
        (tmp_path / "model" / "model.json").write_text(json.dumps({**header, **change}))
        with pytest.raises(FormatError):
            seqloom.load(tmp_path / "model")


def test_a_fit_that_stopped_goes_on_bitwise(tmp_path: Path) -> None:
    options = {**SMALL, "scheduled_sampling": 0.4, "dropout": 0.3}
    whole = Captioner(**options).fit(*bars(), directory=tmp_path / "whole")
    seen = 0

    def stop(event: Any) -> None:
        nonlocal seen
        seen += isinstance(event, events.EpochDone)
        if seen == 1 and isinstance(event, events.EpochDone):
            raise Interrupted("stopped")

    cut = Captioner(**options)
    with pytest.raises(Interrupted):
        cut.fit(*bars(), directory=tmp_path / "cut", on_event=stop)
    cut.fit(*bars(), directory=tmp_path / "cut", resume=True)
    for name, tensor in whole.model_.state_dict().items():
        assert torch.equal(tensor, cut.model_.state_dict()[name]), name
    other = Captioner(**options, seed=1).fit(*bars())
    assert not torch.equal(other.model_.output.weight, whole.model_.output.weight)


def nearest() -> Captioner:
    return cast(Captioner, Captioner(model="nearest").fit(*bars()))


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: Captioner().fit(bars()[0], ["a"]), DataError, "expected as many texts as pictures, got 1 and 80"),
        (lambda: Captioner().fit(bars()[0][:2], ["a", " "]), DataError, "training texts, text 1: expected a text"),
        (lambda: Captioner().fit([np.zeros((3, 4)), np.zeros((4, 3))], ["a", "b"]), DataError,
         "picture 1: expected 3 × 4"),
        (lambda: Captioner().fit(np.full((2, 3, 4), np.inf), ["a", "b"]), DataError, "picture 0: holds a value"),
        (lambda: Captioner().fit("x", ["a"]), DataError, "expected an array or a list of pictures, got str"),
        (lambda: Captioner().fit(np.zeros((20, 3, 4)), ["a"] * 20), DataError, "every pixel of every picture is 0"),
        (lambda: Captioner(max_length=1).fit(*bars()), DataError, "every text has more than 1 tokens, the shortest 3"),
        (lambda: Captioner(kernel_size=2).fit(*bars()), SettingError, "kernel_size: expected an odd number"),
        (lambda: nearest().predict(np.zeros((1, 3, 3))), DataError, "expected 8 × 12 × 1"),
        (lambda: Captioner(units=10**5, layers=9).fit(*bars()), SettingError, "units: training 'gru'"),
    ],
)  # fmt: skip
def test_one_sentence_for_what_cannot_be(call: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        call()


def test_every_network_is_named() -> None:
    assert list(NETWORKS) == ["rnn", "gru", "lstm"]
