"""`seqloom sequences`: every kind of file and of label, bad input, prediction, and the report it leaves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from command_line import Command, Refused, invoke

from seqloom_runtime.data.sequences import read_sequences

QUICK = ("--epochs", 3, "--units", 6, "--batch-size", 8, "--learning-rate", 0.03, "--threads", 1)


def walks(count: int = 120, steps: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Random walks of two channels, labelled by where the first ends."""
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.normal(0.02, 1, (count, steps, 2)), axis=1)
    return x, np.where(x[:, -1, 0] > 0, "up", "down")


def long_table(x: np.ndarray, **labels: np.ndarray) -> pl.DataFrame:
    """One row for each step; labels per sequence or per step."""
    count, steps, _ = x.shape
    columns = {name: y.ravel() if y.ndim == 2 else np.repeat(y, steps) for name, y in labels.items()}
    names = np.repeat([f"walk {n:03}" for n in range(count)], steps)
    return pl.DataFrame(
        {"id": names, "t": np.tile(np.arange(steps), count), "a": x[..., 0].ravel(), "b": x[..., 1].ravel(), **columns}
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same walks in every kind of file."""
    place = tmp_path_factory.mktemp("walks")
    x, y = walks()
    np.savez(place / "walks.npz", X=x, y=y)
    np.save(place / "x.npy", x)
    np.save(place / "y.npy", y)
    frame = long_table(x, way=y)
    frame.write_csv(place / "long.csv")
    frame.sample(fraction=1.0, shuffle=True, seed=1).write_parquet(place / "long.parquet")
    pl.DataFrame({"a": x[..., 0].tolist(), "b": x[..., 1].tolist(), "way": y}).write_parquet(place / "lists.parquet")
    np.savez(place / "values.npz", values=x.reshape(-1, 2), lengths=np.full(len(x), x.shape[1]), y=y)
    return place


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with its report."""
    place = tmp_path_factory.mktemp("runs") / "run"
    flags = ("--id", "id", "--time", "t", "--label", "way")
    done = invoke("sequences", folder / "long.parquet", *flags, *QUICK, "--out", place)
    assert done.code == 0, done
    return place


def metrics(command: Command, *arguments: object) -> dict[str, Any]:
    outcome = command("sequences", *arguments, *QUICK, "--json")
    assert outcome.code == 0, outcome
    return json.loads(outcome.out)


# -- files and kinds ------------------------------------------------------------------------------------------------


def test_every_file_gives_the_same_run(command: Command, folder: Path) -> None:
    long = ("--id", "id", "--time", "t", "--label", "way")
    found = [
        metrics(command, folder / "walks.npz"),
        metrics(command, folder / "values.npz", "--label", "y"),
        metrics(command, folder / "x.npy", "--label", folder / "y.npy"),
        metrics(command, folder / "long.csv", *long),
        metrics(command, folder / "lists.parquet", "--label", "way"),
    ]
    assert found[0]["models"]["gru"]["test"]["accuracy"] > 0.7
    for other in found[1:]:
        assert other["models"] == found[0]["models"]
    assert found[0]["examples"] == {"train": 84, "valid": 18, "test": 18}
    assert found[3]["target"] == "way"
    assert found[0]["assumed"] == [
        "--predict was not given: label, because 'y' holds texts.",
        f"120 sequences in {folder / 'walks.npz'}, of which 84 train.",
    ]


@pytest.mark.parametrize(
    ("labels", "kind", "models", "first"),
    [
        (lambda x: x.sum(axis=(1, 2)), "number", {"mean", "gru"}, "mae"),
        (lambda x: (x[:, -1, 0] > 0).astype(int), "label", {"majority", "gru"}, "accuracy"),
        (lambda x: np.where(x[..., 0] > x[..., 1], "a", "b"), "step-label", {"majority", "gru"}, "accuracy"),
        (lambda x: x[..., 0] - x[..., 1], "step-number", {"mean", "gru"}, "mae"),
        (lambda x: (x > 0).astype(int), "step-yes-no", {"mean", "gru"}, "nll"),
        (lambda x: x[:, -1], "number", {"mean", "gru"}, "mae"),
    ],
    ids=["number", "whole numbers", "step labels", "step numbers", "step answers", "two numbers"],
)
def test_what_is_predicted_is_found_out(
    command: Command, tmp_path: Path, labels: Any, kind: str, models: set[str], first: str
) -> None:
    x, _ = walks(60)
    np.savez(tmp_path / "w.npz", X=x, y=labels(x))
    found = metrics(command, tmp_path / "w.npz")
    assert found["assumed"][0].startswith(f"--predict was not given: {kind}, because 'y' holds ")
    assert set(found["models"]) == models
    assert found["scores"][0] == first
    asked = metrics(command, tmp_path / "w.npz", "--predict", kind)
    assert asked["models"] == found["models"]
    assert not asked["assumed"][0].startswith("--predict")


def test_parts_from_files(command: Command, folder: Path, tmp_path: Path) -> None:
    x, y = walks(150)
    np.savez(tmp_path / "train.npz", X=x[:90], y=y[:90])
    np.savez(tmp_path / "valid.npz", X=x[90:120], y=y[90:120])
    np.savez(tmp_path / "test.npz", X=x[120:], y=y[120:])
    flags = ("--valid", tmp_path / "valid.npz", "--test", tmp_path / "test.npz")
    assert metrics(command, tmp_path / "train.npz", *flags)["examples"] == {"train": 90, "valid": 30, "test": 30}
    found = metrics(command, tmp_path / "train.npz", "--valid", "0.2", *flags[2:])
    assert found["examples"] == {"train": 72, "valid": 18, "test": 30}


def test_tables_are_read_by_the_options_of_a_forecast(command: Command, tmp_path: Path) -> None:
    x, y = walks(40, 5)
    table = long_table((1000 * x).round(2), way=y)
    long = ("--id", "id", "--time", "t", "--label", "way")
    table.write_csv(tmp_path / "plain.csv")
    plain = metrics(command, tmp_path / "plain.csv", *long)["models"]
    european = [
        (r["id"], str(r["t"]), *(f"{r[c]:,.2f}".translate(str.maketrans(",.", ".,")) for c in "ab"), r["way"])
        for r in table.iter_rows(named=True)
    ]
    lines = ["Gerät 7;;;;", "id;t;a;b;way", *(";".join(row) for row in european)]
    (tmp_path / "european.csv").write_text("\n".join(lines), encoding="cp1252")
    table.write_json(tmp_path / "a.json")
    table[:100].write_csv(tmp_path / "part 0.csv")
    table[100:].write_csv(tmp_path / "part 1.csv")
    written = (tmp_path / "european.csv", *long, "--encoding", "cp1252", "--skip", 1)
    assert metrics(command, *written)["models"] == plain
    assert "Column 'a': points split thousands" in command("sequences", *written, *QUICK).out
    assert metrics(command, tmp_path / "a.json", *long)["models"] == plain
    parts = (tmp_path / "part 0.csv", tmp_path / "part 1.csv")
    assert metrics(command, *parts, *long, "--file-column", "file")["models"] == plain


def test_options_of_tables_are_refused_where_there_is_none(refused: Refused, folder: Path, run: Path) -> None:
    said = refused("sequences", folder / "walks.npz", "--separator", ";")
    assert "--separator: " in said
    assert "holds NumPy arrays, which have no columns; leave separator out" in said
    assert "name it alone" in refused(
        "sequences", folder / "long.csv", folder / "x.npy", "--id", "id", "--label", "way"
    )


def test_a_file_may_be_a_sequence(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.csv" for name in ("left", "right")]
    for n, path in enumerate(paths):
        path.write_text(f"day,a,way\n02/01/2020,{n + 1},{n}\n01/01/2020,{n},{n}\n13/01/2020,{n + 2},{n}\n")
    found = read_sequences(paths, label="way", id="file", time="day", time_format="dmy", file_column="file")
    assert found.ids == ("left", "right")
    assert found.sequences.channels == ("a",)
    assert found.sequences.values[:, 0].tolist() == [0, 1, 2, 1, 2, 3]
    assert found.y().tolist() == [0, 1]


def test_examples_of_a_file_keep_their_names(command: Command, no_report: None, tmp_path: Path) -> None:
    x, y = walks(90)
    table = long_table(x, way=y)
    names = table["id"].unique(maintain_order=True)
    for part, first, end in (("train", 0, 50), ("test", 50, 90)):
        table.filter(pl.col("id").is_in(names[first:end])).write_parquet(tmp_path / f"{part}.parquet")
    flags = ("--id", "id", "--time", "t", "--label", "way", "--test", tmp_path / "test.parquet")
    done = command("sequences", tmp_path / "train.parquet", *flags, *QUICK, "--out", tmp_path / "run")
    assert done.code == 0, done
    rows = [row.split(",")[:3] for row in (tmp_path / "run" / "predictions.csv").read_text().splitlines()[1:]]
    assert [name for part, name, _ in rows if part == "test"] == names[50:].to_list()
    known = dict(zip(names, y))
    assert all(known[name] == actual for _, name, actual in rows)


def test_choices_reach_the_models(command: Command, folder: Path) -> None:
    flags = ("--model", "rnn,lstm", "--pooling", "mean", "--bidirectional", "--class-weight", "balanced")
    found = metrics(command, folder / "walks.npz", *flags)
    plain = metrics(command, folder / "walks.npz", "--model", "rnn,lstm")
    assert list(found["models"]) == ["majority", "rnn", "lstm"]
    assert found["models"]["rnn"]["parameters"] > 1.5 * plain["models"]["rnn"]["parameters"]


# -- what is left ---------------------------------------------------------------------------------------------------


def test_the_run_folder_and_its_report(command: Command, run: Path) -> None:
    assert json.loads((run / "metrics.json").read_text())["unit"] == "sequence"
    page = (run / "report.html").read_text(encoding="utf-8")
    for said in ("<h1>Sequences: way</h1>", "Confusion matrix", "Examples with the highest loss", 'class="spark"'):
        assert said in page
    assert "row walk " in page, "mistakes are named as the file names them"
    rows = (run / "predictions.csv").read_text().splitlines()
    assert rows[0].startswith("split,row,actual,majority,gru,loss,p_down,p_up")
    assert rows[1].startswith("valid,walk ")
    shown = command("inspect", run)
    assert shown.out.startswith("Validation (18 sequences)\n")
    assert "SequenceClassifier gru" in shown.out
    assert "classes:      down, up" in shown.out


def test_predict(command: Command, run: Path, folder: Path, tmp_path: Path) -> None:
    found = json.loads(command("predict", run, folder / "long.csv", "--json").out)["predictions"]
    assert [row["id"] for row in found[:2]] == ["walk 000", "walk 001"]
    assert len(found) == 120
    assert {row["predicted"] for row in found} <= {"down", "up"}
    assert all(abs(row["p_down"] + row["p_up"] - 1) < 1e-9 for row in found)
    held = {row.split(",")[1]: row.split(",")[-1] for row in (run / "predictions.csv").read_text().splitlines()[1:]}
    for row in found:
        if row["id"] in held:
            assert row["p_up"] == pytest.approx(float(held[row["id"]]), abs=1e-6)
    bare = command("predict", run / "model", folder / "x.npy", "--out", tmp_path / "p.csv")
    assert bare.code == 0, bare
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 121


def test_predict_at_every_step(command: Command, tmp_path: Path, no_report: None) -> None:
    x, _ = walks(60)
    np.savez(tmp_path / "w.npz", X=x, y=np.cumsum(x, axis=1))
    assert command("sequences", tmp_path / "w.npz", *QUICK, "--out", tmp_path / "run").code == 0
    found = json.loads(command("predict", tmp_path / "run", tmp_path / "w.npz", "--json").out)["predictions"]
    assert len(found) == 600
    assert list(found[11]) == ["id", "step", "predicted_0", "predicted_1"]
    assert found[11]["step"] == 1


def test_resumed_run_has_the_same_bytes(command: Command, run: Path, folder: Path, tmp_path: Path) -> None:
    again = Path(shutil.copytree(run, tmp_path / "run"))
    for name in ("metrics.json", "report.html", "predictions.csv"):
        (again / name).unlink()
    record = json.loads((again / "run.json").read_text()) | {"finished": None}
    (again / "run.json").write_text(json.dumps(record))
    assert command("sequences", "--resume", again).code == 0
    for path in run.rglob("*"):
        if path.is_file() and path.name != "run.json":
            assert (again / path.relative_to(run)).read_bytes() == path.read_bytes(), path


# -- bad input ------------------------------------------------------------------------------------------------------


def test_bad_choices(refused: Refused, folder: Path, tmp_path: Path) -> None:
    data = folder / "walks.npz"
    assert "--model: expected one of" in refused("sequences", data, "--model", "gro")
    assert "--predict: expected one of label, number" in refused("sequences", data, "--predict", "word")
    assert "--pooling" in refused("sequences", data, "--pooling", "median")
    assert "--learning-rate: expected a number above 0, got -1.0" in refused("sequences", data, "--learning-rate", -1)
    x, _ = walks(30)
    np.savez(tmp_path / "w.npz", X=x, y=x[..., 0])
    message = refused("sequences", tmp_path / "w.npz", "--pooling", "mean")
    assert "--pooling: models that predict a step-number have no such choice." in message
    assert "--score-last" in refused("sequences", data, "--score-last", 3)


def test_bad_files(refused: Refused, folder: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "run")
    assert "no such file" in refused("sequences", tmp_path / "none.npz", *out)
    assert "DATA: name the file" in refused("sequences", *out)
    (tmp_path / "odd.npz").write_bytes((folder / "walks.npz").read_bytes()[:200])
    assert "odd.npz" in refused("sequences", tmp_path / "odd.npz", *out)
    np.save(tmp_path / "objects.npy", np.array([np.zeros(3), np.zeros(4)], dtype=object), allow_pickle=True)
    assert "could run code" in refused("sequences", tmp_path / "objects.npy", *out)
    assert "nothing says what is to be predicted" in refused("sequences", folder / "x.npy", *out)
    assert "nothing says what is to be predicted" in refused("sequences", folder / "long.csv", "--id", "id", *out)
    message = refused("sequences", folder / "long.csv", "--label", "t", "--id", "id", *out)
    assert "'way': expected a number, got 'down'" in message
    assert "(--columns)" in message
    message = refused("sequences", folder / "long.csv", "--id", "id", "--label", "wey", *out)
    assert "'way'" in message
    assert "--id" in refused("sequences", folder / "long.csv", "--label", "way", *out)
    assert "no such file" in refused("sequences", folder / "x.npy", "--label", tmp_path / "y.npy", *out)
    assert not (tmp_path / "run").exists()


def test_bad_sequences_and_labels(refused: Refused, folder: Path, tmp_path: Path) -> None:
    x, y = walks(40)
    data = tmp_path / "w.npz"
    np.savez(data, X=x, y=y[:39])
    assert "expected 40 labels" in refused("sequences", data)
    np.savez(data, X=x, y=np.repeat("up", 40))
    assert "at least two classes" in refused("sequences", data)
    broken = x.copy()
    broken[7, 3, 1] = np.nan
    np.savez(data, X=broken, y=y)
    assert "7" in refused("sequences", data)
    np.savez(data, X=x[:, :0], y=y)
    refused("sequences", data)
    np.savez(data, X=x[:0], y=y[:0])
    refused("sequences", data)
    np.savez(data, X=x, y=y)
    np.savez(tmp_path / "test.npz", X=x, y=np.where(y == "up", "sideways", y))
    message = refused("sequences", data, "--test", tmp_path / "test.npz")
    assert "has the label 'sideways', which no training sequence has" in message
    np.savez(tmp_path / "wide.npz", X=np.zeros((40, 10, 3)), y=y)
    assert "channels" in refused("sequences", data, "--test", tmp_path / "wide.npz")
    uneven = pl.DataFrame({"a": [[1.0, 2.0], [1.0]], "b": [[1.0, 2.0], [1.0, 2.0]], "way": ["up", "down"]})
    uneven.write_parquet(tmp_path / "uneven.parquet")
    assert "'b'" in refused("sequences", tmp_path / "uneven.parquet", "--label", "way")


def test_other_data_for_predict_is_refused(refused: Refused, run: Path, folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", np.zeros((3, 10, 5)))
    assert "expected 2 channels, as in fit, got 5" in refused("predict", run, tmp_path / "wide.npy")
    pl.read_csv(folder / "long.csv").drop("b").write_csv(tmp_path / "few.csv")
    assert "'b'" in refused("predict", run, tmp_path / "few.csv")


def test_sequences_with_a_mark_of_a_missing_cell_are_left_out(
    command: Command, refused: Refused, tmp_path: Path
) -> None:
    file = tmp_path / "steps.csv"
    odd = {(3, 2): "n/v", (7, 0): "-9999", (9, 1): ""}
    rows = [f"{n},{t},{odd.get((n, t), n + 0.1 * t)},{'ab'[n % 2]}" for n in range(40) for t in range(4)]
    file.write_text("\n".join(["seq,t,x,kind", *rows]) + "\n")
    named = ("--id", "seq", "--time", "t", "--label", "kind", "--epochs", 1)
    found = command("sequences", file, *named, "--missing", "n/v,-9999", "--json")
    assert found.code == 0, found.err
    notes = json.loads(found.out)["assumed"]
    assert notes[0] == "3 of 40 sequences hold a missing value (--missing n/v,-9999) and are left out: '3', '7', '9'."
    assert "line 16, column 'x': expected a number, got 'n/v'" in refused("sequences", file, *named)
    assert "every sequence holds a missing value" in refused("sequences", file, *named, "--missing", "a,b,n/v")
    assert "with a row for each step" in refused("sequences", file, "--label", "kind", "--missing", "n/v")
