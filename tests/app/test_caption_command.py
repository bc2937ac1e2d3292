"""`seqloom caption`: whole runs, predicting, and one sentence for bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Command, Refused

TINY = ("--channels", "3,4", "--units", "4", "--embedding-size", "4", "--epochs", "1", "--threads", "1")


def pictures(count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    found = draw.integers(0, 40, (count, 8, 10)).astype(np.uint8)
    found[::2, :4] += 100
    return found, np.array(["bright above", "dark"] * (count // 2))


def test_a_run_its_report_and_predicting(command: Command, tmp_path: Path) -> None:
    path, run = tmp_path / "scenes.npz", tmp_path / "run"
    images, texts = pictures()
    np.savez(path, images=images, captions=texts)
    outcome = command("caption", path, *TINY, "--beams", "2", "--out", run)
    assert outcome.code == 0, outcome
    assert "The texts are the array 'captions'; another array can be named (--texts)" in outcome.out
    assert "equal pictures never cross the split" in outcome.out
    metrics = json.loads((run / "metrics.json").read_text())
    assert list(metrics["models"]) == ["nearest", "gru"]
    assert metrics["scores"][:2] == ["exact_match", "cer"]
    page = (run / "report.html").read_text()
    for said in ("Captions: text", "Attention over the picture", 'class="seen" role="img"', "Exact match"):
        assert said in page
    rows = json.loads(command("predict", run, path, "--json").out)["predictions"]
    assert [row["picture"] for row in rows] == list(range(40))
    np.save(tmp_path / "new.npy", images[:3])
    again = json.loads(command("predict", run, tmp_path / "new.npy", "--json").out)["predictions"]
    assert [row["text"] for row in again] == [row["text"] for row in rows[:3]]


def test_a_table_of_paths(command: Command, refused: Refused, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    images, texts = pictures(20)
    for number, pixels in enumerate(images):
        image.fromarray(pixels).save(tmp_path / f"{number}.png")
    table = tmp_path / "scenes.csv"
    table.write_text("file,said\n" + "".join(f"{n}.png,{text}\n" for n, text in enumerate(texts)))
    run, columns = tmp_path / "run", ("--images", "file", "--texts", "said")
    outcome = command("caption", table, *columns, *TINY, "--valid", "0.2", "--test", "0.2", "--out", run)
    assert outcome.code == 0, outcome
    rows = json.loads(command("predict", run, tmp_path / "3.png", "--json").out)["predictions"]
    assert len(rows) == 1
    assert rows[0]["picture"].endswith("3.png")
    assert "--images: " in refused("caption", table, *TINY)
    assert "expected pictures of one size" in refused("caption", _mixed(table, image), *columns, *TINY)


def _mixed(table: Path, image: Any) -> Path:
    image.fromarray(np.zeros((3, 4), np.uint8)).save(table.parent / "3.png")
    return table


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": np.zeros((4, 3, 3))}, "expected an array named texts or captions or y, found 'images'"),
        ({"texts": np.array(["a"])}, "expected an array named images or X or x"),
        ({"images": np.zeros((4, 3, 3)), "texts": np.array(["a", "b"])},
         "expected as many texts as pictures, got 2 and 4"),
        ({"images": np.zeros((2, 3, 3)), "texts": np.array(["a", " "])}, "text 1: expected a text, it is empty"),
        ({"images": np.zeros((2, 3)), "texts": np.array(["a", "b"])}, "expected (N, Y, X) or (N, Y, X, C), got (2, 3)"),
        ({"images": np.zeros((2, 3, 3)), "texts": np.zeros(2)},
         "expected texts (N,) as the array 'texts', got (2,) of float64"),
    ],
)  # fmt: skip
def test_one_sentence_for_bad_input(refused: Refused, tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    assert said in refused("caption", tmp_path / "bad.npz", *TINY)
