"""Frames ahead: the network against NumPy, leakage, learning, resuming, folders, and one sentence for what can't be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

import seqloom
from seqloom import FramePredictor
from seqloom.errors import DataError, FormatError, Interrupted, SettingError
from seqloom.tasks.frames.network import NETWORKS, FrameSpec, build_frame_network
from seqloom.training import events

SMALL: dict[str, Any] = {"lookback": 3, "horizon": 2, "units": 6, "epochs": 2, "reach": 1, "learning_rate": 0.01}


def squares(count: int = 24, steps: int = 6, seed: int = 0) -> np.ndarray:
    """Films (N, T, 10, 9) uint8 of a square that moves a pixel a frame."""
    draw = np.random.default_rng(seed)
    films = np.zeros((count, steps, 10, 9), dtype=np.uint8)
    for film in films:
        y, x = draw.integers(0, 8, 2)
        down, right = draw.integers(-1, 2, 2)
        for t in range(steps):
            rows, columns = (y + down * t + np.arange(3)) % 10, (x + right * t + np.arange(3)) % 9
            film[t][np.ix_(rows, columns)] = 200
    return films


def network_by_hand(network: Any, film: np.ndarray, ahead: int, *, mistake: str = "") -> np.ndarray:
    """What follows each frame but the first of one film (L, Y, X, C), pixel by pixel in float64."""
    spec = network.spec
    side, reach = spec.patch_size, spec.reach
    tall, wide = spec.places
    w = {name: value.detach().double().numpy() for name, value in network.state_dict().items()}
    state, found, frames = None, [], list(film.astype(np.float64))
    for t in range(len(film) + ahead - 1):
        x = frames[t] if t < len(frames) else found[-1]
        whole = np.zeros((tall * side, wide * side, spec.channels))
        whole[: spec.height, : spec.width] = x
        squares = whole.reshape(tall, side, wide, side, -1).transpose(0, 2, 4, 1, 3).reshape(tall, wide, -1)
        around = np.pad(squares, ((1, 1), (1, 1), (0, 0)))
        e = np.zeros((tall, wide, spec.units))
        for y in range(tall):
            for column in range(wide):
                part = around[y : y + 3, column : column + 3]
                e[y, column] = np.einsum("ocij,ijc->o", w["read.weight"], part) + w["read.bias"]
        with torch.no_grad():  # the cell has a twin of its own
            y, state = network.cell.double()(torch.from_numpy(np.maximum(e, 0))[None, None], state)
        out = y[0, 0].numpy() @ w["write.weight"][:, :, 0, 0].T + w["write.bias"]
        edge = np.pad(x, ((reach,) * 2, (reach,) * 2, (0, 0)), mode="edge")
        following = np.zeros_like(x)
        for row in range(spec.height):
            for column in range(spec.width):
                own = out[row // side, column // side]
                place = (row % side) * side + column % side
                kernel = np.exp(own[: spec.ways]) / np.exp(own[: spec.ways]).sum()
                near = edge[row : row + 2 * reach + 1, column : column + 2 * reach + 1].reshape(spec.ways, -1)
                near = near[::-1] if mistake == "backwards" else near
                pixel = own[spec.ways :].reshape(1 + spec.channels, side**2)[:, place]
                gain = 0.0 if mistake == "no gain" else pixel[0]
                following[row, column] = (1 + gain) * (kernel @ near) + pixel[1:]
        found.append(following)
    network.float()
    return np.stack(found)


@pytest.mark.parametrize(("name", "channels"), [("conv-gru", 1), ("conv-lstm", 2)])
def test_the_network_is_its_twin(name: str, channels: int) -> None:
    network = build_frame_network(FrameSpec(name, 5, 7, channels, units=4, patch_size=2, reach=1), 3)
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw) * 0.3)
    films = torch.rand(2, 3, 5, 7, channels, generator=draw)
    found = network(films, 2).detach().numpy()
    assert found.shape == (2, 4, 5, 7, channels)
    for row in range(2):
        ours = network_by_hand(network, films[row].numpy(), 2)
        np.testing.assert_allclose(found[row], ours, atol=2e-5)
    for mistake in ("backwards", "no gain"):
        wrong = network_by_hand(network, films[0].numpy(), 2, mistake=mistake)
        assert np.abs(found[0] - wrong).max() > 1e-2, mistake
    later = films.clone()
    later[:, 2] = 0.5
    assert torch.equal(network(later, 1)[:, :2], network(films, 1)[:, :2])  # a frame is made of those before it
    still = build_frame_network(FrameSpec(name, 6, 6, 1, units=4, reach=0), 3)
    assert not hasattr(still.spec, "pooled")
    assert still(torch.rand(1, 2, 6, 6, 1), 1).shape == (1, 2, 6, 6, 1)


def test_it_learns_to_move_and_advection_is_matched() -> None:
    films, test = squares(48), squares(12, seed=5)
    model = FramePredictor(**{**SMALL, "epochs": 15, "units": 12}).fit(films, valid=test)
    stays = FramePredictor(**SMALL, model="persistence").fit(films, valid=test)
    carried = FramePredictor(**SMALL, model="advection").fit(films, valid=test)
    scores = [each.evaluate(test).scores["rmse"] for each in (stays, carried, model)]
    assert scores[1] < 0.8 * scores[0]
    assert scores[2] < 0.7 * scores[0]
    error = stays.predict(test[:, :3]).astype(float) - test[:, 3:5]
    first = FramePredictor(**SMALL, model="persistence").fit(films[:, :5], valid=test[:, :5]).evaluate(test[:, :5])
    assert first.scores["rmse"] == pytest.approx(np.sqrt(np.square(error).mean()))
    assert first.scores["mae"] == pytest.approx(np.abs(error).mean())
    assert model.predict(test[:, :3], horizon=4).shape == (12, 4, 10, 9)
    np.testing.assert_allclose(model.predict(test[:, :3], horizon=1), model.predict(test[:, :3])[:, :1], atol=1e-4)
    details = model.evaluate(test).details
    assert details["film"][0]["seen"] == 3
    assert [row[0] for row in details["tables"][0]["rows"]] == [1, 2]


@pytest.mark.parametrize("name", [*NETWORKS, "persistence", "advection"])
def test_saved_models_predict_the_same(name: str, tmp_path: Path) -> None:
    films = np.repeat(squares()[..., None], 3, axis=4) if name == "conv-lstm" else squares()
    model = FramePredictor(**SMALL, model=name).fit(films)
    model.save(tmp_path / "model")
    loaded = seqloom.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(films), model.predict(films))
    assert loaded.predict(films).shape == (24, 2, *films.shape[2:])
    assert loaded.get_params() == model.get_params()
    header = json.loads((tmp_path / "model" / "model.json").read_text())
    for change in ({"range": [1, 0]}, {"size": [3]}, {"plain": 7}, {"size": [11, 9, 2]}):
        (tmp_path / "model" / "model.json").write_text(json.dumps({**header, **change}))
        with pytest.raises(FormatError):
            seqloom.load(tmp_path / "model")


def test_a_fit_that_stopped_goes_on_bitwise(tmp_path: Path) -> None:
    whole = FramePredictor(**SMALL).fit(squares(), directory=tmp_path / "whole")
    seen = 0

    def stop(event: Any) -> None:
        nonlocal seen
        seen += isinstance(event, events.EpochDone)
        if seen == 1 and isinstance(event, events.EpochDone):
            raise Interrupted("stopped")

    cut = FramePredictor(**SMALL)
    with pytest.raises(Interrupted):
        cut.fit(squares(), directory=tmp_path / "cut", on_event=stop)
    cut.fit(squares(), directory=tmp_path / "cut", resume=True)
    for name, tensor in whole.model_.state_dict().items():
        assert torch.equal(tensor, cut.model_.state_dict()[name]), name
    other = FramePredictor(**SMALL, seed=1).fit(squares())
    assert not torch.equal(other.model_.write.weight, whole.model_.write.weight)


def test_one_film_is_split_in_time_and_the_range_is_of_training() -> None:
    film = np.random.default_rng(0).random((30, 6, 6)).astype(np.float32)
    late = film.copy()
    late[27:] += 50.0  # validation frames, which neither range nor windows of training may see
    one, other = (FramePredictor(**SMALL, model="persistence").fit(each) for each in (film, late))
    assert one.range_ == other.range_
    assert one.range_.high <= film[:25].max()


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (
            lambda: FramePredictor(**SMALL).fit(squares(steps=4)),
            DataError,
            r"at least 5 frames \(lookback \+ horizon\)",
        ),
        (lambda: FramePredictor(**SMALL).fit(np.zeros((4, 6, 5, 5))), DataError, "every pixel of every frame is 0"),
        (
            lambda: FramePredictor(**SMALL).fit(squares(), valid=np.zeros((2, 6, 4, 4))),
            DataError,
            "valid films: expected",
        ),
        (lambda: FramePredictor(**SMALL).fit(squares(1, 9)), DataError, "at least 10 frames to train and validate on"),
        (lambda: FramePredictor(kernel_size=4).fit(squares()), SettingError, "kernel_size: expected an odd number"),
        (
            lambda: FramePredictor(model="conv").fit(squares()),
            SettingError,
            "model: expected one of conv-gru, conv-lstm",
        ),
        (lambda: fitted().predict(squares(2, 2)), DataError, r"film 0: expected at least 3 frames \(lookback\), got 2"),
        (lambda: fitted().predict(squares()[:, :, :5]), DataError, "expected frames of 10 × 9 × 1"),
        (lambda: fitted().predict(squares(), horizon=0), SettingError, "horizon: expected a number of frames"),
        (lambda: fitted().evaluate(squares(steps=3)), DataError, "expected a film of at least 5 frames"),
        (lambda: FramePredictor(units=10**5).fit(squares()), SettingError, "units: training 'conv-gru'"),
    ],
)
def test_one_sentence_for_what_cannot_be(call: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        call()


def fitted() -> FramePredictor:
    return cast(FramePredictor, FramePredictor(**SMALL, model="persistence").fit(squares()))
