"""The models that come with the package: each loads, predicts what its card says, and is what its card says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.zoo.made import LIMIT
from bench.zoo.makers import MAKERS

import seqloom
from seqloom import zoo
from seqloom.errors import FormatError, SettingError
from seqloom.zoo.shelf import card_at
from seqloom_runtime.files import sha256_file

NAMES = zoo.names()
FORBIDDEN = ("atis", "penn", "ptb", "imdb", "chorale", "jsb")


def predicted(model: Any, card: zoo.Card) -> Any:
    """What the model answers to the card's example."""
    given = card.example["input"]
    if card.estimator == "Forecaster":
        return np.asarray(model.predict(horizon=len(card.example["output"]))["co2"]).tolist()
    if card.estimator == "LanguageModel":
        return model.generate(given, 80, temperature=0.0)
    if card.estimator == "SequenceTagger":
        return [" ".join(tags) for tags in model.predict([text.split() for text in given])]
    if card.estimator == "Transcriber":
        pytest.importorskip("soundfile", reason="WAV files are read by the extra speech")
        pytest.importorskip("kaldi_native_fbank", reason="features are made by the extra speech")
        return model.predict([str(zoo.folder(card.name) / given)])
    if card.estimator == "SequenceRegressor":
        return model.predict([np.array(given)[:, None]]).tolist()
    if card.estimator == "SequenceClassifier":
        pixels = (np.array(given, dtype=np.float32) / 255 - np.float32(0.1307)) / np.float32(0.3081)
        return int(model.predict([pixels[:, None]])[0])
    return [str(answer) for answer in model.predict(given)]


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_and_predicts_what_its_card_says(name: str) -> None:
    card, model = zoo.card(name), zoo.load(name)
    assert type(model).__name__ == card.estimator
    assert model.n_parameters_ == card.parameters
    answer, wanted = predicted(model, card), card.example["output"]
    if isinstance(wanted, list) and isinstance(wanted[0], float):
        np.testing.assert_allclose(answer, wanted, rtol=1e-4, atol=1e-4)
    else:
        assert answer == wanted


@pytest.mark.parametrize("name", NAMES)
def test_its_card_is_true_of_its_files(name: str) -> None:
    card, place = zoo.card(name), zoo.folder(name) / "model"
    files = {path.name: path for path in place.iterdir()}
    assert card.name == name
    assert set(files) == {"model.json", "model.safetensors"}
    assert {file: sha256_file(path) for file, path in files.items()} == card.files
    assert sum(path.stat().st_size for path in files.values()) == card.bytes <= LIMIT
    assert card.command == f"python -m bench.zoo {name}"
    assert card.limits
    assert card.licence
    assert card.scores
    assert not any(word in f"{card.data} {card.licence}".lower() for word in FORBIDDEN)


def test_every_model_has_its_maker() -> None:
    assert set(NAMES) <= set(MAKERS)


@pytest.mark.parametrize("name", NAMES)
def test_it_beats_the_plain_method_of_its_card(name: str) -> None:
    smaller = {"MAE", "MSE", "entropy", "word error rate"}
    for score in zoo.card(name).scores:
        for plain in score["beside"].values():
            assert (score["value"] < plain) == (score["name"] in smaller)


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(SettingError, match=r"zoo: expected a model of the zoo .* got 'sin'\. Did you mean 'sine'"):
        zoo.load("sin")
    with pytest.raises(SettingError, match="expected a model of the zoo"):
        zoo.folder("../models/sine")


def test_a_damaged_card_and_a_damaged_model_are_refused(tmp_path: Path) -> None:
    place = tmp_path / "sine"
    shutil.copytree(zoo.folder("sine"), place)
    card = json.loads((place / "card.json").read_text())
    for wrong in ({**card, "bytes": "many"}, {"name": "sine"}, [1]):
        (place / "card.json").write_text(json.dumps(wrong))
        with pytest.raises(FormatError, match="card"):
            card_at(place / "card.json")
    weights = place / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(FormatError, match="altered"):
        seqloom.load(place)
