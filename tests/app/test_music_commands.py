"""Piano rolls from the command line: the next frame is learned, and music written from what was learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Command, Refused, invoke

import seqloom
from seqloom_runtime.data.sequences.rolls import read_rolls

QUICK = ("--model", "gru", "--epochs", 2, "--units", 6, "--batch-size", 2, "--threads", 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made collection, and a finished run over it."""
    place = tmp_path_factory.mktemp("music")
    arrays = {}
    for part, count in (("train", 6), ("valid", 2), ("test", 3)):
        pieces = [np.eye(88, dtype=np.uint8)[(30 + n + np.arange(12 + n)) % 88] for n in range(count)]
        arrays[f"{part}_roll"] = np.packbits(np.concatenate(pieces), axis=1)
        arrays[f"{part}_len"] = np.array([len(piece) for piece in pieces], dtype=np.int32)
    np.savez(place / "made.npz", **arrays)
    done = invoke("sequences", place / "made.npz", *QUICK, "--out", place / "run")
    assert done.code == 0, done
    assert "holds piano rolls of 88 keys in parts (6 train, 2 valid, 3 test pieces)" in done.err + done.out
    return place


def test_a_run_over_piano_rolls(folder: Path) -> None:
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert metrics["scores"][0] == "nll"
    assert metrics["examples"] == {"train": 6, "valid": 2, "test": 3}
    model = json.loads((folder / "run" / "model" / "model.json").read_text())
    assert "keys" in json.dumps(model)
    page = (folder / "run" / "report.html").read_text()
    assert "Generated music" in page
    assert "data:audio/wav;base64," in page


def test_the_loss_is_summed_over_a_piece_unless_it_is_said_otherwise(folder: Path, command: Command) -> None:
    done = command("sequences", folder / "made.npz", *QUICK, "--reduction", "mean", "--out", folder / "mean")
    assert done.code == 0, done
    first = [
        float((folder / name / "history.csv").read_text().splitlines()[1].split(",")[4]) for name in ("run", "mean")
    ]
    # Pieces have 11 to 16 foretold frames.
    assert 10 < first[0] / first[1] < 17


def test_music_is_written(folder: Path, command: Command, refused: Refused, tmp_path: Path) -> None:
    shown = command("generate", folder / "run", "--json", "--length", 12, "--seed", 3)
    assert shown.code == 0, shown
    steps = json.loads(shown.out)["steps"]
    assert len(steps) == 12
    assert all(0 <= key < 88 for keys in steps for key in keys)
    assert "name the MIDI file" in refused("generate", folder / "run")
    assert "of text" in refused("generate", folder / "run", "--prompt", "la", "--out", tmp_path / "a.mid")
    mido = pytest.importorskip("mido")
    done = command("generate", folder / "run", "--length", 12, "--seed", 3, "--out", tmp_path / "piece.mid")
    assert done.code == 0, done
    assert done.out.startswith("12 frames with ")
    assert mido.MidiFile(tmp_path / "piece.mid").length == pytest.approx(12 / 4)


def test_the_next_frame_of_other_rolls_is_predicted(
    folder: Path, command: Command, refused: Refused, tmp_path: Path
) -> None:
    shown = command("predict", folder / "run", folder / "made.npz")
    assert shown.code == 0, shown
    assert "A row tells the keys of the frame that follows its step, given the piece up to it" in shown.out
    done = command("predict", folder / "run", folder / "made.npz", "--out", tmp_path / "next.csv", "--json")
    assert done.code == 0, done
    rows = json.loads(done.out)["predictions"]
    assert (tmp_path / "next.csv").read_text().splitlines()[0] == "id,step,next,probabilities"
    pieces = read_rolls(folder / "made.npz")
    assert [row["id"] for row in rows if row["step"] == 0] == [
        f"{part} {number}" for part, found in pieces.items() for number in range(len(found))
    ]
    model: Any = seqloom.load(folder / "run" / "model")
    [expected] = model.predict_proba([pieces["test"][1]])
    told = [row for row in rows if row["id"] == "test 1"]
    assert [row["step"] for row in told] == list(range(13))
    for row, frame in zip(told, expected, strict=True):
        listed = dict(part.split(": ") for part in row["probabilities"].split(", ") if part)
        assert listed == {str(21 + key): f"{share:.2f}" for key, share in enumerate(frame) if share >= 0.05}
        assert row["next"].split() == [str(21 + key) for key, share in enumerate(frame) if share > 0.5]
    assert "--decimal: " in refused("predict", folder / "run", folder / "made.npz", "--decimal", ",")


def test_rolls_are_for_models_of_the_next_frame(folder: Path, refused: Refused, tmp_path: Path) -> None:
    steps = [np.random.default_rng(n).normal(size=(5, 2)).astype(np.float32) for n in range(8)]
    seqloom.SequenceClassifier(model="majority").fit(steps, ["a", "b"] * 4).save(tmp_path / "model")
    words = refused("predict", tmp_path / "model", folder / "made.npz")
    assert "holds piano rolls, which only a model of the next frame reads" in words


def test_what_piano_rolls_don_t_need(folder: Path, refused: Refused) -> None:
    data = folder / "made.npz"
    assert "--label: " in refused("sequences", data, "--label", "y")
    assert "--test: " in refused("sequences", data, "--test", data)
    assert "holds piano rolls" in refused("sequences", data, "--predict", "label")
