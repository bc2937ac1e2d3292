"""Files of sequences: arrays, long tables, list columns; labels for each sequence or step; what is wrong, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from seqloom.errors import DataError, SettingError
from seqloom_runtime.data.sequences import read_sequences

LONG = pl.DataFrame(
    {
        "who": ["b", "a", "b", "a", "b"],
        "when": [2, 1, 1, 2, 3],
        "x": [1.0, 10.0, 2.0, 20.0, 3.0],
        "z": [5, 6, 7, 8, 9],
        "kind": ["up", "down", "up", "down", "up"],
        "level": [0.1, 0.2, 0.3, 0.4, 0.5],
    }
)


def written(frame: pl.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        frame.write_csv(path)
    elif path.suffix == ".arrow":
        frame.write_ipc(path)
    else:
        frame.write_parquet(path)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.arrow"])
def test_a_long_table(tmp_path: Path, name: str) -> None:
    path = written(LONG, tmp_path / name)
    found = read_sequences(path, id="who", time="when", label="kind", columns=["x", "z"])
    assert found.ids == ("a", "b")
    assert found.sequences.channels == ("x", "z")
    assert found.sequences[1].tolist() == [[2, 7], [1, 5], [3, 9]]
    assert found.y().tolist() == ["down", "up"]
    assert not found.every_step
    stepwise = read_sequences(path, id="who", time="when", label="level", columns=["x"])
    assert stepwise.every_step
    assert [y.tolist() for y in stepwise.y()] == [[0.2, 0.4], [0.3, 0.1, 0.5]]
    every = read_sequences(path, id="who", time="when", label="kind", columns=["x"], every_step=True)
    assert [y.tolist() for y in every.y()] == [["down"] * 2, ["up"] * 3]
    unordered = read_sequences(path, id="who", label=["level", "z"], columns=["x"])
    assert unordered.sequences[1].ravel().tolist() == [1, 2, 3]
    assert unordered.y()[0].tolist() == [[0.2, 6], [0.4, 8]]
    rest = read_sequences(path, id="who", time="when", label=["kind"], columns=None if name == "" else ["x", "level"])
    assert rest.sequences.width == 2
    plain = read_sequences(path, id="who", columns=["x"])
    assert plain.y() is None


def test_channels_are_all_other_columns(tmp_path: Path) -> None:
    path = written(LONG.drop("level"), tmp_path / "t.parquet")
    assert read_sequences(path, id="who", time="when", label="kind").sequences.channels == ("x", "z")


LISTS = pl.DataFrame(
    {
        "x": [[1.0, 2.0], [3.0, 4.0, 5.0], [6.0]],
        "z": [[1, 2], [3, 4, 5], [6]],
        "kind": ["up", "down", "up"],
        "marks": [["a", "b"], ["a", "a", "b"], ["b"]],
    }
)


def test_list_columns(tmp_path: Path) -> None:
    path = written(LISTS, tmp_path / "t.parquet")
    found = read_sequences(path, label="kind", columns=["x", "z"])
    assert found.sequences.channels == ("x", "z")
    assert found.sequences[1].tolist() == [[3, 3], [4, 4], [5, 5]]
    assert found.y().tolist() == ["up", "down", "up"]
    assert found.ids == ("0", "1", "2")
    marks = read_sequences(path, label="marks", columns=["x"])
    assert [y.tolist() for y in marks.y()] == [["a", "b"], ["a", "a", "b"], ["b"]]
    two = read_sequences(written(LISTS.drop("marks"), tmp_path / "u.parquet"), label="z")
    assert two.every_step
    assert two.sequences.channels == ("x",)
    nested = pl.DataFrame({"s": [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]], "y": [1, 0]})
    found = read_sequences(written(nested, tmp_path / "n.parquet"), label="y")
    assert found.sequences[0].tolist() == [[1, 2], [3, 4]]
    assert found.y().tolist() == [1, 0]
    fixed = pl.DataFrame({"s": np.arange(12.0).reshape(2, 3, 2)}, schema={"s": pl.Array(pl.Float64, (3, 2))})
    assert read_sequences(written(fixed, tmp_path / "f.parquet")).sequences[1].tolist() == [[6, 7], [8, 9], [10, 11]]


def test_numpy_files(tmp_path: Path) -> None:
    x, y = np.arange(24.0).reshape(4, 3, 2), np.array([0, 1, 1, 0])
    np.savez(tmp_path / "a.npz", X=x, y=y)
    found = read_sequences(tmp_path / "a.npz")
    assert np.array_equal(found.sequences[2], x[2])
    assert found.y().tolist() == y.tolist()
    np.savez(tmp_path / "b.npz", values=x.reshape(12, 2), lengths=np.array([5, 1, 6]), grade=np.array([3.5, 1, 2]))
    found = read_sequences(tmp_path / "b.npz", label="grade")
    assert found.sequences.lengths.tolist() == [5, 1, 6]
    assert found.y().tolist() == [3.5, 1, 2]
    np.savez(tmp_path / "c.npz", values=np.arange(6), lengths=np.array([4, 2]), labels=np.arange(6) % 2)
    found = read_sequences(tmp_path / "c.npz")
    assert [y.tolist() for y in found.y()] == [[0, 1, 0, 1], [0, 1]]
    np.savez(tmp_path / "d.npz", x=x, y=np.zeros((4, 3)))
    assert read_sequences(tmp_path / "d.npz").every_step
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.array(["a", "b", "b", "a"]))
    found = read_sequences(tmp_path / "x.npy", label=str(tmp_path / "y.npy"))
    assert found.y().tolist() == ["a", "b", "b", "a"]
    assert read_sequences(tmp_path / "x.npy").y() is None


def long(**changes: list[Any]) -> pl.DataFrame:
    columns = {"who": ["a", "a", "b"], "when": [1, 2, 1], "x": ["1", "2", "3"], "kind": ["u", "u", "d"]}
    return pl.DataFrame({**columns, **changes}, strict=False)


@pytest.mark.parametrize(
    ("frame", "arguments", "words"),
    [
        (long(), {}, r"t\.csv: expected the column that says which sequence a row belongs to \(id"),
        (long(), {"id": "whom"}, r"no id column is named 'whom'\. Did you mean 'who'"),
        (long(), {"id": "who", "label": "kin"}, r"named 'kin'\. Did you mean 'kind'"),
        (long(x=["1", "two", "3"]), {"id": "who"}, r"line 3, column 'x': expected a number, got 'two'"),
        (long(x=["1", "", "3"]), {"id": "who"}, r"line 3, column 'x': expected a number, the cell is empty"),
        (long(x=["1", "inf", "3"]), {"id": "who"}, r"line 3, column 'x': expected a number"),
        (long(kind=["u", "", "d"]), {"id": "who"}, r"line 3, column 'kind': expected a label, the cell is empty"),
        (long(kind=["u", "d", "d"]), {"id": "who", "every_step": False}, r"line 3, column 'kind': expected one label"),
        (long(who=["a", "", "b"]), {"id": "who"}, r"line 3, column 'who': expected a name, the cell is empty"),
        (long(when=[1, 1, 1]), {"id": "who", "time": "when"}, r"line 3: sequence 'a' has two rows at the same 'when'"),
        (long().select("who", "kind"), {"id": "who"}, "expected at least one channel"),
    ],
)
def test_long_tables_that_are_refused(
    tmp_path: Path, frame: pl.DataFrame, arguments: dict[str, Any], words: str
) -> None:
    path = written(frame, tmp_path / "t.csv")
    with pytest.raises(DataError, match=words):
        read_sequences(path, **{"label": "kind", **arguments})


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        ({"z": [[1, 2], [3, 4], [6]]}, {}, r"row 2, column 'z': expected 3 steps, as in 'x', got 2"),
        ({"x": [[1.0, 2.0], [], [6.0]]}, {}, r"row 2, column 'x': expected a list with at least one step"),
        ({"x": [[1.0, 2.0], None, [6.0]]}, {}, r"row 2, column 'x'"),
        ({"x": [[1.0, None], [3.0, 4.0, 5.0], [6.0]]}, {}, "got nan in sequence 0, step 1, channel 'x'"),
        ({"x": [["a", "b"], ["a", "a", "b"], ["b"]]}, {}, "expected numbers in the channel 'x', its lists hold texts"),
        ({}, {"label": "marks", "every_step": False}, "expected one value in each row in the label 'marks'"),
        ({}, {"label": "kind", "every_step": True}, "expected lists in the label 'kind'"),
        ({"marks": [["a"], ["a", "a", "b"], ["b"]]}, {"label": "marks"}, r"row 1, column 'marks': expected 2 labels"),
        ({"kind": ["up", None, "up"]}, {}, r"row 2, column 'kind': expected a label, the cell is empty"),
        ({}, {"columns": ["kind"], "label": "marks"}, "expected lists in the channel 'kind'"),
    ],
)
def test_list_columns_that_are_refused(
    tmp_path: Path, change: dict[str, Any], arguments: dict[str, Any], words: str
) -> None:
    path = written(LISTS.with_columns(**{name: pl.Series(cells) for name, cells in change.items()}), tmp_path / "t.pq")
    with pytest.raises(DataError, match=words):
        read_sequences(path, **{"label": "kind", "columns": ["x", "z"], **arguments})


def test_steps_of_unequal_width_are_refused(tmp_path: Path) -> None:
    nested = pl.DataFrame({"s": [[[1.0, 2.0]], [[3.0, 4.0], [5.0]]]})
    with pytest.raises(DataError, match=r"row 2, column 's': expected 2 channels at every step, got 1"):
        read_sequences(written(nested, tmp_path / "t.parquet"))


def test_numpy_files_that_are_refused(tmp_path: Path) -> None:
    x = np.zeros((4, 3, 2))
    cases: list[tuple[dict[str, np.ndarray], dict[str, Any], str]] = [
        ({"X": x, "y": np.zeros(3)}, {}, r"expected 4 labels, one for each sequence, got an array of shape \(3,\)"),
        ({"X": x}, {"label": "grade"}, "there is no array 'grade'"),
        ({"X": x}, {"label": ["a", "b"]}, "name one of them"),
        ({"X": x}, {"id": "who"}, "which have no columns; leave id out"),
        ({"a": x, "b": x}, {}, "expected an array named X, or `values` with `lengths`; found a, b"),
        ({"values": np.zeros((5, 2)), "lengths": np.array([2, 2])}, {}, "add up to the rows"),
        ({"values": np.zeros((4, 2)), "lengths": np.array([4, 0])}, {}, "above 0"),
        ({"values": np.array([[np.nan]]), "lengths": np.array([1])}, {}, "got nan in sequence 0"),
        ({"X": np.array([object()])}, {}, "it holds Python objects, which could run code"),
    ]
    for number, (arrays, arguments, words) in enumerate(cases):
        path = tmp_path / f"{number}.npz"
        np.savez(path, **arrays)  # type: ignore[arg-type]
        with pytest.raises((DataError, SettingError), match=words):
            read_sequences(path, **arguments)
    path = tmp_path / "cut.npz"
    path.write_bytes((tmp_path / "0.npz").read_bytes()[:-30])
    with pytest.raises(DataError, match="expected a NumPy file of numbers"):
        read_sequences(path)
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(DataError, match=r"y\.npy: there is no such file"):
        read_sequences(tmp_path / "x.npy", label=str(tmp_path / "y.npy"))
    with pytest.raises(DataError, match=r"z\.npz: there is no such file\. Did you mean"):
        read_sequences(tmp_path / "z.npz")
    with pytest.raises(DataError, match="is a folder; expected a NumPy, CSV, Parquet or Arrow file"):
        read_sequences(tmp_path)
