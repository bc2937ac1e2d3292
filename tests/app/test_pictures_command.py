"""`seqloom sequences` on pictures: whole runs, predicting, and one sentence for what can't be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import Command, Refused

Image = pytest.importorskip("PIL.Image")

TINY = ("--epochs", "1", "--batch-size", "8", "--threads", "1")


def write(folder: Path, count: int = 20, size: int = 14) -> Path:
    """A folder of lying and standing stripes."""
    draw = np.random.default_rng(0)
    for label in ("lying", "standing"):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            pixels, at = draw.integers(0, 60, (size, size)), draw.integers(3, size - 3)
            pixels[at] += 150
            kept = pixels if label == "lying" else pixels.T
            Image.fromarray(kept.astype(np.uint8)).save(folder / label / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("pictures") / "shapes")


def test_a_run_its_report_and_predicting(command: Command, refused: Refused, shapes: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(shapes, tmp_path / "data"))
    shutil.copy(data / "lying" / "00.png", data / "lying" / "copy.png")
    run = tmp_path / "run"
    outcome = command("sequences", data, *TINY, "--model", "lenet", "--shift", "1", "--out", run)
    assert outcome.code == 0, outcome
    assert "41 pictures of 14 by 14 pixels in grey and 2 classes, of which 29 train." in outcome.out
    assert "1 picture is a copy of another; copies never cross the parts." in outcome.out
    metrics = json.loads((run / "metrics.json").read_text())
    assert list(metrics["models"]) == ["majority", "lenet"]
    page = (run / "report.html").read_text()
    assert '<img class="picture" alt="actual ' in page
    assert page.count('<img class="picture" alt="actual ') == page.count('src="data:image/png;base64,')
    assert "14 by 14 pixels in grey" in command("inspect", run).out
    rows = json.loads(command("predict", run, data, "--json").out)["predictions"]
    assert [row["picture"] for row in rows][:2] == ["lying/00.png", "lying/01.png"]
    one = json.loads(command("predict", run, data / "standing" / "03.png", "--json").out)["predictions"]
    assert one[0]["p_lying"] == next(r["p_lying"] for r in rows if r["picture"] == "standing/03.png")
    (tmp_path / "odd.png").write_text("x")
    assert "expected a picture (PNG" in refused("predict", run, tmp_path / "odd.png")
    Image.new("L", (10, 14)).save(tmp_path / "small.png")
    said = refused("predict", run, tmp_path / "small.png")
    assert "expected pictures of 14 by 14 pixels, as in training, got 14 by 10" in said
    np.save(tmp_path / "x.npy", np.zeros((2, 14, 14)))
    assert "expected pictures, or a folder of them" in refused("predict", run, tmp_path / "x.npy")


def test_parts_of_their_own_and_sizes(command: Command, refused: Refused, shapes: Path, tmp_path: Path) -> None:
    write(tmp_path / "new", count=4, size=16)
    call = ("sequences", shapes, "--test", tmp_path / "new", "--model", "lenet", *TINY)
    said = refused(*call)
    assert "new: expected pictures of 14 by 14 pixels, as in training, got 16 by 16; scale them" in said
    outcome = command(*call, "--image-size", "12,13", "--colour", "colour", "--out", tmp_path / "run")
    assert outcome.code == 0, outcome
    assert "40 pictures of 12 by 13 pixels in colour" in outcome.out
    assert "40 of 40 pictures are scaled to 12 by 13 pixels, as was asked (--image-size)." in outcome.out
    assert "Training pictures are not augmented; --shift, --flip, --crop and --noise would." in outcome.out
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["examples"] == {
        "train": 34,
        "valid": 6,
        "test": 8,
    }
    told = command("predict", tmp_path / "run", tmp_path / "new" / "lying" / "00.png")
    assert "1 of 1 pictures are scaled to 12 by 13 pixels" in told.out


@pytest.mark.deep
def test_a_table_of_paths(command: Command, refused: Refused, shapes: Path, tmp_path: Path) -> None:
    names = [f"{place.parent.name}/{place.name},{place.parent.name[0]}" for place in sorted(shapes.rglob("*.png"))]
    (shapes / "table.csv").write_text("\n".join(["path,what", *names]) + "\n")
    table = ("sequences", shapes / "table.csv", "--image-column", "path", *TINY)
    outcome = command(*table, "--label", "what", "--read", "pixels", "--units", "3", "--out", tmp_path / "table")
    assert outcome.code == 0, outcome
    assert "Pictures are read pixel by pixel by gru; --model lenet looks at them as pictures." in outcome.out
    rows = json.loads(command("predict", tmp_path / "table", shapes / "table.csv", "--json").out)["predictions"]
    assert {row["predicted"] for row in rows} <= {"l", "s"}
    assert "name the column of the labels (--label)" in refused(*table)
    (shapes / "table.csv").unlink()


def test_one_sentence_for_what_can_t_be(refused: Refused, shapes: Path, tmp_path: Path) -> None:
    call = ("sequences", shapes, *TINY)
    for more, said in (
        (("--id", "x"), "--id: pictures have no steps to name"),
        (("--predict", "number"), "--predict: of pictures the label is predicted"),
        (("--loss", "mae"), "--loss: models that predict a picture's label have no such choice"),
        (("--model", "vgg-11"), "at least 32 by 32 pixels, not 14 by 14"),
        (("--model", "last"), "--model: expected one of"),
        (("--image-size", "0"), "--image-size: expected pixels (28) or height and width (28,40)"),
        (("--image-size", "big"), "--image-size: expected numbers"),
        (("--colour", "red"), "--colour: expected one of grey, colour"),
        (("--crop", "1"), "--crop: expected a number"),
        (("--label", "what"), "--label: pictures have no such choice without a table of paths"),
        (("--test", tmp_path / "none"), "--test: expected a share such as 0.15 or a file"),
        (("--image-column", "path"), "expected one table with the column 'path'"),
    ):
        assert said in refused(*call, *more), more
    np.savez(tmp_path / "x.npz", X=np.zeros((20, 5, 1)), y=np.arange(20) % 2)
    assert "--shift: only pictures have it" in refused("sequences", tmp_path / "x.npz", *TINY, "--shift", "1")
    write(tmp_path / "two")
    (tmp_path / "two" / "lying").rename(tmp_path / "two" / "new")
    assert "picture 0 (from 0) has the label 'new', which no training picture has" in refused(
        *call, "--test", tmp_path / "two"
    )
    shutil.rmtree(tmp_path / "two" / "new")
    assert "two classes" in refused("sequences", tmp_path / "two", *TINY)
