"""Captions: the runtime writes what seqloom does, and looks where it looks, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forward_twins import arrays_of, draw, engine, randomised, same
from runtime_cases import agree, imported_alone, three
from runtime_cases import same as same_bits

import seqloom_runtime
from seqloom import Captioner
from seqloom.tasks.captions.network import CaptionSpec, build_caption_network
from seqloom.tasks.networks import names_for
from seqloom_runtime.captions.network import CaptionNetwork
from seqloom_runtime.errors import DataError, FormatError, SettingError
from seqloom_runtime.model_folder import read_model, write_model

SMALL: dict[str, Any] = {"channels": (4, 6), "embedding_size": 5, "units": 7, "epochs": 1, "batch_size": 8}
TEXTS = ["a bright square above", "dark", "a dark square below"]


def pictures(count: int = 12, size: tuple[int, ...] = (9, 8), seed: int = 0) -> np.ndarray:
    """Random ones, uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, *size)).astype(np.uint8)


def fitted(model: str = "gru", x: np.ndarray | None = None, **options: Any) -> Any:
    """A small one."""
    shown = pictures() if x is None else x
    texts = [TEXTS[number % 3] for number in range(len(shown))]
    return Captioner(model=model, **{**SMALL, **options}).fit(shown, texts)


@pytest.mark.parametrize("model", [*names_for("captions"), "nearest"])
def test_the_runtime_writes_the_same(tmp_path: Path, model: str) -> None:
    new = pictures(5, seed=3)
    asks = [lambda m: m.predict(new)]
    if model != "nearest":
        asks.append(lambda m: m.attend(new[0]))
    agree(fitted(model), tmp_path / "m", *asks)


@pytest.mark.parametrize("attention", ["multiplicative", "none"])
def test_colours_layers_and_letters(tmp_path: Path, attention: str) -> None:
    options = {"attention": attention, "layers": 2, "level": "char", "beams": 1, "max_length": 30}
    estimator = fitted("lstm", pictures(12, (9, 8, 3)) / 255.0, **options)
    agree(estimator, tmp_path / "m", lambda m: m.predict(pictures(3, (9, 8, 3), seed=2) / 255.0))
    if attention == "none":
        with pytest.raises(SettingError, match="has none"):
            seqloom_runtime.load(tmp_path / "m").attend(pictures(1, (9, 8, 3))[0])


@pytest.mark.parametrize("attention", ["additive", "multiplicative", "none"])
def test_the_network_beside_torch(attention: str) -> None:
    spec = CaptionSpec("lstm", (9, 7, 2), 6, channels=(3, 4), units=5, layers=2, attention=attention)
    module = randomised(build_caption_network(spec, 1), 3)
    x, before = np.abs(draw(3, 9, 7, 2)), np.array([[6, 2, 3]] * 3)
    for native in (True, False):
        with engine(native):
            network = CaptionNetwork(spec.to_json(), arrays_of(module, "network."))
            same(network.taught(before, *network.encode(x)), module, lambda m, x, before: m(x, before), x, before)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    model = three(fitted(), tmp_path / "m")[2]
    with pytest.raises(DataError, match="as in fit"):
        model.predict(pictures(2, (8, 9)))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"size": [8, 8, 1]}, "not those beside it"),
        ({"range": [1, 1]}, "two rising numbers"),
        ({"longest": 0}, "'longest'"),
        ({"network": {"name": "gru"}}, "network: expected"),
        ({"target": {"level": "char"}}, "tokens: expected"),
    ],
    ids=str,
)
def test_damage_is_refused(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    fitted().save(tmp_path / "m")
    header, arrays = read_model(tmp_path / "m")
    body = {k: v for k, v in {**header, **fields}.items() if k not in ("format", "schema", "task", "files", "checksum")}
    write_model(tmp_path / "m", header["task"], body, arrays)
    with pytest.raises(FormatError, match=words):
        seqloom_runtime.load(tmp_path / "m")


def test_a_planted_mistake_is_caught(tmp_path: Path) -> None:
    estimator, _, model = three(fitted(), tmp_path / "m")
    x = pictures(1, seed=5)[0]
    before = estimator.attend(x)[1]
    model.model.places += np.float32(0.01)
    with pytest.raises(AssertionError):
        same_bits(before, model.attend(x)[1])


def test_torch_is_not_imported(tmp_path: Path) -> None:
    fitted().save(tmp_path / "m")
    assert imported_alone(tmp_path / "m", "model.predict(np.zeros((2, 9, 8)))") == []
