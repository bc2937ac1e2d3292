"""What an estimator says of its arguments is said of the file that someone named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import Refused

from seqloom.app import translate
from seqloom.app.placed import Origin, in_files, placed
from seqloom.errors import DataError, SettingError
from seqloom.tasks import Seq2Seq

ORIGINS = {"train": Origin("a.csv", ["line 2", "line 7"]), "valid": Origin("b.csv", ["line 4"])}
COLUMNS = {"sources": "column 'en'", "targets": "column 'fr'", "y": "column 'label'", "X": ""}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("training targets, text 1: expected a text.", "a.csv, line 7, column 'fr': expected a text."),
        ("validation sources, text 0: expected it.", "b.csv, line 4, column 'en': expected it."),
        ("valid y[0]: expected a number.", "b.csv, line 4, column 'label': expected a number."),
        ("y[1]: expected a number.", "a.csv, column 'label': expected a number."),  # of which part isn't known
        ("X: expected 2 channels.", "a.csv: expected 2 channels."),
        ("test y: expected a number.", "test y: expected a number."),  # no test file
        ("training texts, text 1: expected it.", "training texts, text 1: expected it."),
        ("a.csv, line 3: expected it.", "a.csv, line 3: expected it."),
        ("sources, text 9: expected it.", "a.csv, column 'en': expected it."),
    ],
)
def test_file_place_and_column(message: str, expected: str) -> None:
    assert placed(message, ORIGINS, COLUMNS) == expected


def test_only_errors_of_the_data_are_reworded() -> None:
    def fail(error: Exception) -> None:
        raise error

    with pytest.raises(DataError, match=r"^a.csv, column 'label': bad$"):
        in_files(fail, ORIGINS, COLUMNS)(DataError("y: bad"))
    with pytest.raises(SettingError, match=r"^y: bad$"):
        in_files(fail, ORIGINS, COLUMNS)(SettingError("y: bad"))
    same = DataError("other: bad")
    with pytest.raises(DataError) as caught:
        in_files(fail, ORIGINS, COLUMNS)(same)
    assert caught.value is same


def test_sequences_name_the_file_and_the_column(refused: Refused, tmp_path: Path) -> None:
    rows = [f"s{i},{t},{i * t % 5},x" for i in range(20) for t in range(3)]
    (tmp_path / "one.csv").write_text("id,step,a,kind\n" + "\n".join(rows) + "\n")
    short = ("--units", "3", "--epochs", "1", "--threads", "1")
    said = refused("sequences", tmp_path / "one.csv", "--id", "id", "--label", "kind", *short)
    assert "one.csv, column 'kind': expected at least two classes to tell apart, all " in said
    y = np.where(np.arange(30) == 4, np.nan, np.linspace(0, 1, 30))
    np.savez(tmp_path / "nan.npz", X=np.ones((30, 4, 2)), y=y)
    assert "nan.npz, y[4]: expected a finite number, got nan (1 such labels)" in refused(
        "sequences", tmp_path / "nan.npz", *short
    )


def test_a_source_that_is_too_long_is_named_by_its_line(tmp_path: Path) -> None:
    pairs = ["a b", "c d", "e f", "g h"] * 5
    options = {"units": 3, "embedding_size": 3, "epochs": 1, "max_length": 5, "level": "word"}
    model = Seq2Seq(**options).fit(pairs, pairs, valid=(pairs, pairs))
    (tmp_path / "new.csv").write_text("en,fr\na b,x\na b c d e f g,x\n")
    with pytest.raises(DataError, match=r"new.csv, line 3, column 'en': expected at most 5 tokens"):
        translate.predict_file(model, str(tmp_path / "new.csv"), {"source": "en"}, translate.FormOptions())
    with pytest.raises(DataError, match=r"^--text, text 2: expected at most 5 tokens"):
        translate.predict_texts(model, ["a b", "a b c d e f g"])
