"""`seqloom frames`: whole runs, one film in order of time, predicting, and one sentence for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Command, Refused
from PIL import Image

TINY = ("--lookback", "3", "--horizon", "2", "--units", "4", "--reach", "1", "--epochs", "1", "--threads", "1")


@pytest.fixture
def films(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    path = tmp_path / "films.npz"
    film = draw.random((16, 1, 8, 8)) * 9
    np.savez(path, frames=np.concatenate([np.roll(film, t, axis=3) for t in range(6)], axis=1).astype(np.float32))
    return path


def test_a_run_its_report_and_predicting(command: Command, films: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    outcome = command("frames", films, *TINY, "--out", run)
    assert outcome.code == 0, outcome
    assert "is read as NTHW; other axes can be named (--axes)" in outcome.out
    metrics = json.loads((run / "metrics.json").read_text())
    assert list(metrics["models"]) == ["persistence", "advection", "conv-gru"]
    assert metrics["scores"] == ["rmse", "mae"]
    page = (run / "report.html").read_text()
    for said in (
        "Frames ahead: next frames",
        "Predicted frames",
        'class="strip"',
        "url(data:image/png;base64,",
        "Error by",
    ):
        assert said in page
    told = command("predict", run, films, "--json")
    rows = json.loads(told.out)["predictions"]
    assert len(rows) == 16 * 2 * 8 * 8
    assert list(rows[0]) == ["film", "ahead", "y", "x", "predicted"]
    assert {row["ahead"] for row in rows} == {1, 2}
    out = command("predict", run, films, "--out", tmp_path / "next.npy")
    ahead = np.load(tmp_path / "next.npy", allow_pickle=False)
    assert ahead.shape == (16, 2, 8, 8)
    np.testing.assert_allclose(ahead.ravel(), [row["predicted"] for row in rows], rtol=1e-6)
    out = command("predict", run, films, "--out", tmp_path / "next.PNG")
    assert "A line for each film, 2 frames from left to right; black is" in out.out
    picture = np.asarray(Image.open(tmp_path / "next.PNG"))
    assert picture.shape == (16 * 9 - 1, 2 * 9 - 1)
    assert (picture[8], picture[:, 8]) == (pytest.approx(128), pytest.approx(128))
    low, high = float(np.load(films)["frames"].min()), float(np.load(films)["frames"].max())
    np.testing.assert_allclose(picture[9:17, 9:], 255 * (ahead[1, 1] - low) / (high - low), atol=1.0)
    kept = (run / "predictions.csv").read_text().splitlines()[0]
    assert kept == "split,row,start,step,persistence,advection,conv-gru"


def test_one_film_is_cut_in_time(command: Command, refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "one.npy"
    np.save(path, np.random.default_rng(0).random((30, 6, 6)))
    outcome = command("frames", path, *TINY)
    assert outcome.code == 0, outcome
    assert "test: frames 25 to 29 of the one film" in outcome.out
    np.save(path, np.zeros((12, 6, 6)))
    assert "expected a film of at least 15 frames, --lookback and --horizon (5) for each part" in refused(
        "frames", path, *TINY
    )


@pytest.mark.parametrize(
    ("array", "more", "said"),
    [
        (np.zeros((9, 2)), (), "expected 3 axes (T, H, W) to 5"),
        (np.full((9, 6, 4, 4), np.nan), (), "film 0: frame 0 holds a value that is not finite"),
        (np.zeros((9, 6, 4, 4)), (), "every pixel of every frame is 0"),
        (np.zeros((9, 6, 4, 4)), ("--axes", "HW"), "--axes: expected one of THW, NTHW, THWC, NTHWC, got 'HW'"),
        (np.zeros((9, 4, 4, 4)), (), "expected a film of at least 5 frames"),
        (np.zeros((9, 6, 4, 4)), ("--kernel-size", "2"), "--kernel-size: expected an odd number"),
    ],
)
def test_one_sentence_for_bad_input(
    refused: Refused, tmp_path: Path, array: np.ndarray, more: tuple[str, ...], said: str
) -> None:
    np.save(tmp_path / "films.npy", array)
    assert said in refused("frames", tmp_path / "films.npy", *TINY, *more)
