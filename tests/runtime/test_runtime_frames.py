"""Frames ahead: the runtime predicts what seqloom does, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forward_twins import arrays_of, draw, engine, randomised, same
from runtime_cases import agree, imported_alone, three
from runtime_cases import same as same_bits

import seqloom_runtime
from seqloom import FramePredictor
from seqloom.tasks.frames.network import NETWORKS, FrameSpec, build_frame_network
from seqloom_runtime.errors import DataError, FormatError, SettingError
from seqloom_runtime.frames.network import FrameNetwork
from seqloom_runtime.model_folder import read_model, write_model

SMALL: dict[str, Any] = {"lookback": 3, "horizon": 2, "units": 4, "epochs": 1, "batch_size": 4, "reach": 1}


def films(*size: int, seed: int = 0) -> np.ndarray:
    """Random ones, (N, T, Y, X[, C]) uint8."""
    return np.random.default_rng(seed).integers(0, 256, size).astype(np.uint8)


@pytest.mark.parametrize("model", [*NETWORKS, "persistence", "advection"])
def test_the_runtime_predicts_the_same(tmp_path: Path, model: str) -> None:
    estimator = FramePredictor(model=model, **SMALL).fit(films(8, 6, 9, 7))
    x = [films(4, 9, 7, seed=1), films(3, 9, 7, seed=2)]
    agree(estimator, tmp_path / "m", lambda m: m.predict(x), lambda m: m.predict(x, horizon=4))


def test_colours_and_large_squares(tmp_path: Path) -> None:
    estimator = FramePredictor(**{**SMALL, "reach": 2}, patch_size=4, layers=2).fit(films(6, 6, 9, 7, 3) / 7.0)
    agree(estimator, tmp_path / "m", lambda m: m.predict(films(3, 3, 9, 7, 3, seed=4)))


@pytest.mark.parametrize("reach", [0, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_beside_torch(name: str, reach: int) -> None:
    spec = FrameSpec(name, 9, 7, 2, units=5, layers=2, kernel_size=5, patch_size=3, reach=reach)
    module = randomised(build_frame_network(spec, 1), 3)
    x = np.abs(draw(2, 4, 9, 7, 2)) / 3
    for native in (True, False):
        with engine(native):
            network = FrameNetwork(spec.to_json(), arrays_of(module, "network."))
            same(network(x, 3), module, lambda m, x: m(x, 3)[:, 3:], x)


def test_a_film_does_not_hang_on_those_beside_it(tmp_path: Path) -> None:
    model = three(FramePredictor(**SMALL).fit(films(8, 6, 9, 7)), tmp_path / "m")[2]
    x = films(40, 3, 9, 7, seed=1)
    together = model.predict(x)
    for number in (0, 33, 39):
        same_bits(model.predict(x[number : number + 1])[0], together[number])


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    model = three(FramePredictor(model="persistence", **SMALL).fit(films(8, 6, 9, 7)), tmp_path / "m")[2]
    with pytest.raises(DataError, match="at least 3 frames"):
        model.predict(films(1, 2, 9, 7))
    with pytest.raises(DataError, match="expected frames of 9"):
        model.predict(films(1, 4, 8, 7))
    for horizon in (0, True, 1.5, 10**6):
        with pytest.raises(SettingError, match="horizon"):
            model.predict(films(1, 4, 9, 7), horizon=horizon)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"size": [9, 8, 1]}, "not of the size"),
        ({"range": [2, 1]}, "two rising numbers"),
        ({"plain": 3}, "'plain'"),
        ({"network": {}}, "network: expected"),
    ],
)
def test_damage_is_refused(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    FramePredictor(**SMALL).fit(films(8, 6, 9, 7)).save(tmp_path / "m")
    header, arrays = read_model(tmp_path / "m")
    body = {k: v for k, v in {**header, **fields}.items() if k not in ("format", "schema", "task", "files", "checksum")}
    write_model(tmp_path / "m", header["task"], body, arrays)
    with pytest.raises(FormatError, match=words):
        seqloom_runtime.load(tmp_path / "m")


def test_a_planted_mistake_is_caught(tmp_path: Path) -> None:
    estimator, _, model = three(FramePredictor(**SMALL).fit(films(8, 6, 9, 7)), tmp_path / "m")
    x = films(2, 3, 9, 7, seed=1)
    with torch.no_grad():
        estimator.model_.write.bias[0] += 1e-3
    with pytest.raises(AssertionError):
        same_bits(estimator.predict(x), model.predict(x))


def test_torch_is_not_imported(tmp_path: Path) -> None:
    FramePredictor(**SMALL).fit(films(8, 6, 9, 7)).save(tmp_path / "m")
    assert imported_alone(tmp_path / "m", "model.predict(np.zeros((2, 3, 9, 7)))") == []
