"""`PictureClassifier`: how pictures are read, augmentation, resuming, saved models, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqloom
from seqloom import PictureClassifier, SequenceClassifier
from seqloom.errors import DataError, FormatError, Interrupted, SettingError
from seqloom.nn import images
from seqloom.tasks.memory import count_weights
from seqloom.tasks.networks import BodySpec, build_body
from seqloom.tasks.networks.pictures import PictureBody
from seqloom.tasks.sequences.augmenting import Augmentation
from seqloom.tasks.sequences.prepared import Scale
from seqloom.training import events
from seqloom_runtime.data.sequences import Sequences
from seqloom_runtime.model_folder import read_model, write_model
from seqloom_runtime.sequences.reading import pixels_of

SMALL: dict[str, Any] = {"units": 4, "epochs": 2, "batch_size": 8, "learning_rate": 0.01, "width_multiplier": 0.2}


def deep(*names: str) -> list[Any]:
    """Names for the long sweep alone."""
    return [pytest.param(name, marks=pytest.mark.deep) for name in names]


def stripes(count: int = 40, size: tuple[int, int] = (16, 14), colours: int = 1, seed: int = 0) -> tuple[Any, Any]:
    """Pictures (N, H, W, C) uint8 of a lying or standing stripe on noise."""
    draw = np.random.default_rng(seed)
    x = draw.integers(0, 60, (count, *size, colours))
    y = np.where(np.arange(count) % 2, "lying", "standing")
    for picture, label in zip(x, y):
        at = draw.integers(3, min(size) - 4)
        picture[(slice(at, at + 2), slice(None)) if label == "lying" else (slice(None), slice(at, at + 2))] += 150
    return x.astype(np.uint8), y


@pytest.mark.parametrize("name", ["lenet", "alexnet", "resnet-18", *deep("vgg-11", "googlenet", "resnet-50")])
def test_every_network_of_pictures_is_that_of_nn_without_its_last_layer(name: str) -> None:
    for size, colours, width in (((32, 40), 3, 1.0), ((70, 67), 1, 0.37))[: 2 if name[:3] in ("ale", "vgg") else 1]:
        spec = BodySpec(name, colours, picture=size, width_multiplier=width)
        with torch.device("meta"):
            body = build_body(spec, 0)
        assert isinstance(body, PictureBody)
        network = body.network
        assert isinstance(network, images.ImageNetwork)
        assert network.width == spec.output_size
        assert body.summary(torch.empty(2, size[0] * size[1], colours, device="meta")).shape == (2, spec.output_size)
        assert BodySpec.from_json(spec.to_json()) == spec
    whole = {
        "lenet": lambda: images.LeNet5(10, channels=3, size=32),
        "resnet-18": lambda: images.ResNet(18, 10, size=32),
    }
    if name in whole:
        features = BodySpec(name, 3, picture=(32, 32))
        last = 11 * features.output_size - features.output_size + 10
        assert count_weights(lambda: build_body(features, 0)) + last == count_weights(whole[name])


def test_the_pixels_reach_the_network_where_they_are() -> None:
    x = np.random.default_rng(0).normal(size=(3, 20, 24, 3)).astype(np.float32)
    body = build_body(BodySpec("lenet", 3, picture=(20, 24)), 5).eval()
    assert isinstance(body, PictureBody)
    found = body.summary(torch.from_numpy(x.reshape(3, -1, 3)))
    assert torch.equal(found, body.network(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())))
    # A planted mistake: rows taken for columns.
    turned = torch.from_numpy(x.transpose(0, 2, 1, 3).reshape(3, -1, 3).copy())
    assert not torch.allclose(body.summary(turned), found, atol=1e-3)
    with pytest.raises(SettingError, match="without a mask"):
        body.summary(torch.zeros(1, 480, 3), torch.ones(1, 480, dtype=torch.bool))


@pytest.mark.parametrize("read", ["rows", "pixels"])
def test_a_picture_read_as_a_sequence_is_that_sequence(read: str) -> None:
    x, y = stripes(24, size=(9, 8), colours=3)
    x = x.astype(np.float32)
    options = {"units": 4, "epochs": 1, "batch_size": 8, "scaling": "none"}
    steps = x.reshape(24, 9, 24) if read == "rows" else x.reshape(24, 72, 3)
    ours = PictureClassifier(model="gru", read=read, **options).fit(x, y)
    other = SequenceClassifier(model="gru", **options).fit(steps, y)
    assert ours.n_parameters_ == other.n_parameters_
    assert np.array_equal(ours.predict_proba(x), other.predict_proba(steps))


def test_it_learns_and_tells_what_it_reads() -> None:
    x, y = stripes(80, size=(12, 13))
    model = PictureClassifier(**{**SMALL, "epochs": 8, "width_multiplier": 1.0}, model="lenet", shift=1).fit(x, y)
    assert model.picture_ == (12, 13)
    assert model.notes_[0] == "64 pictures of 12 by 13 pixels in grey train the model; 16 others choose the best epoch."
    new, truth = stripes(40, size=(12, 13), seed=3)
    assert model.score(new, truth) > 0.9
    assert np.array_equal(model.predict(new[..., 0]), model.predict(list(new)))
    evaluation = PictureClassifier(model="majority").fit(x, y).evaluate(new, truth)
    shown = evaluation.details["mistakes"][0]["picture"]
    assert (shown["height"], shown["width"], shown["colours"]) == (12, 13, 1)
    json.dumps(shown)


AUGMENTED = Augmentation(shift=3, flip=True, crop=0.3, noise=0.1)


def test_shifts_and_mirrors_by_hand() -> None:
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 6, 5, 2)).astype(np.float32))
    found = Augmentation(shift=2, flip=True).applied(x, np.random.default_rng(1)).numpy()
    seen = set()
    for before, after in zip(x.numpy(), found):
        padded = np.pad(before, ((2, 2), (2, 2), (0, 0)), mode="edge")
        moves = {
            (i, j, turned): padded[2 + i : 8 + i, 2 + j : 7 + j][:, :: -1 if turned else 1]
            for i in range(-2, 3)
            for j in range(-2, 3)
            for turned in (False, True)
        }
        which = [move for move, expected in moves.items() if np.array_equal(expected, after)]
        assert which
        seen.add(which[0])
    assert len(seen) > 20
    assert torch.equal(Augmentation().applied(x, np.random.default_rng(1)), x)


def test_crops_and_noise() -> None:
    # On a slope along both axes a part that is scaled back is a slope again, of a smaller gradient.
    row, column = np.mgrid[:9, :7]
    slope = torch.from_numpy((10 * row + column).astype(np.float32))[None, :, :, None].repeat(30, 1, 1, 1)
    found = Augmentation(crop=0.4).applied(slope, np.random.default_rng(0))[..., 0].numpy()
    down, across = np.diff(found[:, 2:-2, 3], axis=1), np.diff(found[:, 4, 2:-2], axis=1)
    assert np.allclose(down, down[:, :1], atol=1e-3)
    assert np.allclose(across, across[:, :1], atol=1e-3)
    assert 5.9 < down.min() < 7.5 < down.max() <= 10.001
    assert 0.59 < across.min() < across.max() <= 1.001
    assert found.min() >= 0
    assert found.max() <= 86
    noisy = Augmentation(noise=0.5).applied(torch.zeros(40, 8, 8, 1), np.random.default_rng(0))
    assert float(noisy.std()) == pytest.approx(0.5, rel=0.05)


def test_training_pictures_alone_are_augmented_and_each_epoch_anew() -> None:
    x, y = stripes(16)
    model = PictureClassifier(**SMALL, model="lenet", shift=2, noise=0.5)
    examples = model._raw(pixels_of(x), y)

    coded = model._coded(examples, examples, None)[1]
    batches = model._batches(coded, Scale(), 7, True)
    first, kept = next(batches)[0], batches.state()
    second = next(batches)[0]
    again = model._batches(coded, Scale(), 7, True)
    assert torch.equal(next(again)[0], first)
    again.restore(kept)
    assert torch.equal(next(again)[0], second)
    epochs = [next(batches)[0] for _ in range(4)]
    assert not any(torch.equal(one, first) for one in epochs)
    fitted = model.fit(x, y)
    assert np.array_equal(fitted.predict_proba(x), fitted.predict_proba(x))


@pytest.mark.parametrize("name", ["resnet-18", *deep("lenet", "gru")])
def test_a_fit_that_stopped_goes_on_bitwise(name: str, tmp_path: Path) -> None:
    x, y = stripes(24, size=(12, 12), colours=3)
    options = {**SMALL, "model": name, "shift": 1, "flip": True, "noise": 0.1, "crop": 0.1, "width_multiplier": 0.1}
    whole = PictureClassifier(**options).fit(x, y, directory=tmp_path / "whole")

    def stop(event: Any) -> None:
        if isinstance(event, events.EpochDone):
            raise Interrupted("stopped")

    cut = PictureClassifier(**options)
    with pytest.raises(Interrupted):
        cut.fit(x, y, directory=tmp_path / "cut", on_event=stop)
    cut.fit(x, y, directory=tmp_path / "cut", resume=True)
    for model, folder in ((whole, "a"), (cut, "b")):
        model.save(tmp_path / folder)
    for file in ("model.safetensors", "model.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    with pytest.raises(SettingError, match="noise"):
        PictureClassifier(**{**options, "noise": 0.2}).fit(x, y, directory=tmp_path / "cut", resume=True)


def written_anew(folder: Path, fields: dict[str, Any], changed: dict[str, Any]) -> None:
    """The model of `folder` once more, beside it, with other fields or arrays and a right checksum."""
    header, arrays = read_model(folder / "model")
    body = {key: value for key, value in header.items() if key not in ("format", "schema", "task", "files", "version")}
    write_model(folder / "odd", "picture-classifier", {**body, **fields}, {**arrays, **changed})


@pytest.mark.parametrize("name", ["majority", "resnet-18", *deep("lenet", "tcn")])
def test_saved_models_tell_the_same(name: str, tmp_path: Path) -> None:
    x, y = stripes(24, size=(12, 12), colours=3)
    model = PictureClassifier(**{**SMALL, "width_multiplier": 0.1}, model=name).fit(x, y)
    model.save(tmp_path / "model")
    loaded = seqloom.load(tmp_path / "model")
    assert isinstance(loaded, PictureClassifier)
    assert loaded.get_params() == model.get_params()
    assert loaded.picture_ == (12, 12)
    assert np.array_equal(loaded.predict_proba(x), model.predict_proba(x))
    with pytest.raises(DataError, match=r"expected pictures of 12 by 12 pixels, as in fit, got 12 by 13"):
        loaded.predict(np.zeros((2, 12, 13, 3)))
    for picture in ([12, 13], [144], [-12, -12], "12"):
        written_anew(tmp_path, {"picture": picture}, {})
        with pytest.raises(FormatError, match="picture"):
            seqloom.load(tmp_path / "odd")


def test_negative_variances_of_a_saved_norm_are_refused(tmp_path: Path) -> None:
    x, y = stripes(16, size=(12, 12))
    PictureClassifier(**{**SMALL, "width_multiplier": 0.1}, model="resnet-18").fit(x, y).save(tmp_path / "model")
    _, arrays = read_model(tmp_path / "model")
    name = next(name for name in arrays if name.endswith("running_var"))
    written_anew(tmp_path, {}, {name: -arrays[name]})
    with pytest.raises(FormatError, match="variances below 0"):
        seqloom.load(tmp_path / "odd")


@pytest.mark.parametrize(
    ("options", "data", "said"),
    [
        ({}, np.zeros((4, 6)), "expected pictures (N, H, W) or (N, H, W, colours), got shape (4, 6)"),
        ({}, [np.zeros((4, 4)), np.zeros((4, 5))], "expected pictures of one shape"),
        ({}, np.zeros((4, 3, 80, 80)), "If colours stand first, pass X.transpose(0, 2, 3, 1)"),
        ({}, np.full((4, 12, 12), np.nan), "expected finite numbers"),
        ({"model": "lenet"}, np.zeros((4, 8, 8)), "needs pictures of at least 12 by 12 pixels, not 8 by 8"),
        ({"model": "vgg-16"}, np.zeros((4, 30, 40)), "at least 32 by 32"),
        ({"model": "lenet", "activation": "elu"}, np.zeros((4, 12, 12)), "expected one of tanh, relu, sigmoid"),
        ({"model": "lenet", "bidirectional": True}, np.zeros((4, 12, 12)), "bidirectional"),
        ({"model": "le-net"}, np.zeros((4, 12, 12)), "'le-net'"),
        ({"crop": 1.0}, np.zeros((4, 12, 12)), "crop: expected a number of at least 0 and below 1"),
        ({"read": "columns"}, np.zeros((4, 12, 12)), "read: expected one of rows, pixels"),
        ({"width_multiplier": 0}, np.zeros((4, 12, 12)), "width_multiplier: expected a number above 0"),
    ],
)
def test_one_sentence_for_what_is_not_possible(options: dict[str, Any], data: Any, said: str) -> None:
    with pytest.raises((DataError, SettingError)) as refused:
        PictureClassifier(**{"epochs": 1, **options}).fit(data, ["a", "b"] * (len(data) // 2))
    assert said in str(refused.value)


def test_one_class_alone_is_refused_and_sizes_are_kept() -> None:
    with pytest.raises(DataError, match="expected at least two classes"):
        PictureClassifier().fit(np.zeros((4, 12, 12)), ["a"] * 4)
    pixels = pixels_of(np.zeros((4, 6, 5, 3), np.uint8))
    assert pixels.take(np.array([1, 2])).picture == (6, 5)
    assert Sequences(pixels.values, pixels.offsets).picture is None
