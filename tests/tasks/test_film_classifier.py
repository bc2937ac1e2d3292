"""A label for a film: each frame read alone, films of unequal length, learning, folders, bad input, the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

import seqloom
from app.command_line import invoke
from seqloom import FilmClassifier
from seqloom.errors import DataError, FormatError, Interrupted
from seqloom.training import events

SMALL: dict[str, Any] = {"units": 6, "epochs": 2, "batch_size": 8, "learning_rate": 0.02}


def spots(count: int = 40, steps: int = 5, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Films (N, T, 8, 9) uint8 of a spot that goes up or down: no single frame tells which."""
    draw = np.random.default_rng(seed)
    films, labels = np.zeros((count, steps, 8, 9), dtype=np.uint8), []
    for film in films:
        up = bool(draw.integers(2))
        top, left = draw.integers(0, 8), draw.integers(0, 8)
        for t in range(steps):
            film[t, (top + (-t if up else t)) % 8, left : left + 2] = 250
        labels.append("up" if up else "down")
    return films, labels


def test_each_frame_is_read_alone_and_padding_changes_nothing() -> None:
    films, labels = spots(12)
    model = FilmClassifier(**SMALL).fit(films, labels, valid=(films[:4], labels[:4]))
    uneven = [films[0], films[1, :3], films[2, :2]]
    together = model.predict_proba(uneven)
    for row, film in enumerate(uneven):
        np.testing.assert_allclose(model.predict_proba([film])[0], together[row], atol=1e-6)
    network = cast(Any, model.model_).network
    x = torch.rand(1, 4 * 72, 1)
    frames = network.body.encoder(x.view(1, 4, 8, 9, 1))
    torch.testing.assert_close(network(x), network.output(network.body.frames.summary(frames)))
    turned = x.view(1, 4, 72).flip(1).reshape(1, -1, 1)
    assert not torch.allclose(network(turned), network(x))  # the order of the frames counts
    assert model.lengths_ == (5 * 72, 5 * 72)
    assert "12 films of 5 frames of 8 by 9 pixels train" in model.notes_[0]


def test_it_learns_what_only_the_order_tells() -> None:
    model = FilmClassifier(**{**SMALL, "units": 16, "epochs": 40}).fit(*spots(80))
    assert model.score(*spots(40, seed=3)) > 0.8


@pytest.mark.parametrize("name", ["lstm", "majority"])
def test_saved_models_predict_the_same(name: str, tmp_path: Path) -> None:
    films, labels = spots(16)
    model = FilmClassifier(model=name, **SMALL).fit(np.repeat(films[..., None], 3, axis=4), labels)
    model.save(tmp_path / "model")
    loaded = seqloom.load(tmp_path / "model")
    new = np.repeat(films[:4, ..., None], 3, axis=4)
    np.testing.assert_array_equal(loaded.predict_proba(new), model.predict_proba(new))
    header = json.loads((tmp_path / "model" / "model.json").read_text())
    for change in ({"picture": [8, 7]}, {"picture": 3}, {"lengths": [71, 72]}):
        (tmp_path / "model" / "model.json").write_text(json.dumps({**header, **change}))
        with pytest.raises(FormatError):
            seqloom.load(tmp_path / "model")


def test_a_fit_that_stopped_goes_on_bitwise(tmp_path: Path) -> None:
    whole = FilmClassifier(**SMALL).fit(*spots(16), directory=tmp_path / "whole")

    def stop(event: Any) -> None:
        if isinstance(event, events.EpochDone):
            raise Interrupted("stopped")

    cut = FilmClassifier(**SMALL)
    with pytest.raises(Interrupted):
        cut.fit(*spots(16), directory=tmp_path / "cut", on_event=stop)
    cut.fit(*spots(16), directory=tmp_path / "cut", resume=True)
    for name, tensor in cast(Any, whole.model_).network.state_dict().items():
        assert torch.equal(tensor, cast(Any, cut.model_).network.state_dict()[name]), name


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: FilmClassifier().fit([np.zeros((3, 4, 4)), np.zeros((3, 5, 4))], ["a", "b"]),
            "film 1: expected frames",
        ),
        (lambda: FilmClassifier().fit(np.full((2, 3, 4, 4), np.nan), ["a", "b"]), "film 0: frame 0 holds a value"),
        (lambda: FilmClassifier().fit(spots(4)[0], ["a"] * 3), "expected"),
        (
            lambda: FilmClassifier(model="majority").fit(*spots(9)).predict(np.zeros((1, 3, 4, 4))),
            "expected frames of 8 by 9 pixels, as in fit, got 4 by 4",
        ),
    ],
)
def test_one_sentence_for_what_cannot_be(call: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        call()


def test_the_command_trains_and_predicts(tmp_path: Path) -> None:
    films, labels = spots(24)
    path, run = str(tmp_path / "films.npz"), str(tmp_path / "run")
    np.savez(path, X=films, y=np.array(labels))
    flags = ("--units", "4", "--epochs", "1", "--threads", "1")
    outcome = invoke("sequences", path, *flags, "--out", run)
    assert outcome.code == 0, outcome
    assert "24 films of 8 by 9 pixels in grey" in outcome.out
    told = invoke("predict", run, path, "--json")
    assert len(json.loads(told.out)["predictions"]) == 24
    refused = invoke("sequences", path, *flags, "--label", "z")
    assert refused.code == 2
    assert "expected labels as the array 'z', found 'X', 'y'; name it (--label)" in refused.err


def test_films_of_unequal_length_are_saved(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    films = [rng.integers(0, 256, (n, 8, 6), dtype=np.uint8) for n in (3, 5, 1, 4, 2, 6)]
    model = FilmClassifier(units=4, epochs=1, validation_fraction=0.0).fit(films, list("ababab"))
    model.save(tmp_path / "model")
    again = seqloom.load(tmp_path / "model")
    assert again.picture_ == model.picture_ == (8, 6)
    np.testing.assert_array_equal(again.predict_proba(films), model.predict_proba(films))
