"""`seqloom anomalies`: whole runs, labels by column and by windows, predicting, and one sentence for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Command, Refused

from seqloom import Panel
from seqloom.errors import DataError, FormatError
from seqloom_runtime.data.labelled_windows import read_labelled_windows, with_labels

TINY = ("--model", "gru-autoencoder", "--units", "3", "--epochs", "1", "--steps-per-epoch", "2", "--threads", "1")


@pytest.fixture
def load(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    at = np.arange(600)
    times = np.datetime_as_string(np.datetime64("2024-03-01T00:00") + at * np.timedelta64(60, "m"))
    value = np.sin(at * np.pi / 12) + 0.1 * draw.standard_normal(600)
    value[520:526] += 4
    lines = [f"{t},{v:.4f},{int(520 <= n < 526)}" for n, (t, v) in enumerate(zip(times, value))]
    path = tmp_path / "load.csv"
    path.write_text("\n".join(["time,load,odd", *lines]) + "\n")
    return path


def windows(path: Path, **names: object) -> Path:
    path.write_text(json.dumps(names or {"folder/load.csv": [["2024-03-22 16:00:00.000000", "2024-03-22 21:00:00"]]}))
    return path


def test_a_run_its_report_and_predicting(command: Command, refused: Refused, load: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    outcome = command("anomalies", load, "--labels", "odd", *TINY, "--out", run)
    assert outcome.code == 0, outcome
    assert "'time' holds the times" in outcome.out
    assert "of the 180 test rows; the highest score" in outcome.out
    metrics = json.loads((run / "metrics.json").read_text())
    assert list(metrics["models"]) == ["seasonal-residual", "z-score", "gru-autoencoder"]
    assert metrics["models"]["seasonal-residual"]["test"]["auprc"] == 1
    page = (run / "report.html").read_text()
    for said in ("Anomalies: load", "Rows that are flagged", "Precision-recall curves", "Planted anomalies by kind"):
        assert said in page
    rows = (run / "anomalies.csv").read_text().splitlines()
    assert rows[0] == "time,score,threshold,flagged,label,split"
    assert rows[521].startswith("2024-03-22T16:00:00,")
    assert rows[521].endswith(",1,1,test")
    new = tmp_path / "new.csv"
    new.write_text("\n".join(load.read_text().splitlines()[:1] + load.read_text().splitlines()[400:]) + "\n")
    found = command("predict", run, new, "--json")
    assert found.code == 0, found
    predicted = json.loads(found.out)["predictions"]
    assert "2024-03-22T16:00:00" in [row["time"] for row in predicted if row["flagged"]]
    assert "reads no texts" in refused("predict", run, "--text", "a")
    assert "name the file to predict" in refused("predict", run)
    assert command("inspect", run).code == 0


def test_windows_of_time_label_too(command: Command, refused: Refused, load: Path, tmp_path: Path) -> None:
    labels = windows(tmp_path / "windows.json")
    outcome = command("anomalies", load, "--labels", labels, "--columns", "load", *TINY, "--json")
    assert outcome.code == 0, outcome
    assert json.loads(outcome.out)["models"]["seasonal-residual"]["test"]["auprc"] == 1
    other = windows(tmp_path / "other.json", **{"other.csv": []})
    assert "names no file called 'load', as the data is" in refused("anomalies", load, "--labels", other)
    far = windows(tmp_path / "far.json", **{"load.csv": [["2019-01-01", "2019-01-02"]]})
    assert "no row lies in the window" in refused("anomalies", load, "--labels", far)
    assert "there is no 'lode'. Did you mean 'load'" in refused("anomalies", load, "--labels", "lode")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--columns", "lode"), "--columns: no column of numbers is named 'lode'"),
        (("--labels", "load"), "expected a column of 0 and 1, 'load' holds"),
        (("--labels", "odd", "--columns", "odd"), "nothing but the labels"),
        (("--split", "0.9,0.09"), "expected"),
        (("--window", "300"), "a stretch of 300 rows without a gap"),
        (("--window", "90min"), "--window"),
        (("--false-alarms", "1"), "--false-alarms: expected"),
        (("--model", "gru"), "--model: expected one of rnn-autoencoder"),
        (("--beta", "-1"), "--beta: expected"),
    ],
)
def test_one_sentence_for_what_can_not_be(refused: Refused, load: Path, arguments: tuple[str, ...], said: str) -> None:
    assert said in refused("anomalies", load, *TINY[2:], *arguments)


def test_a_table_without_numbers_is_refused(refused: Refused, tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text("time,name\n" + "".join(f"2024-01-{n:02},{'ab'[n % 2]}\n" for n in range(1, 29)))
    assert "column of numbers" in refused("anomalies", path)


def test_the_layout_of_windows(tmp_path: Path) -> None:
    path = windows(tmp_path / "w.json", **{"a/x.csv": [["2024-01-01 00:10", "2024-01-01 00:20"]], "y.csv": []})
    found = read_labelled_windows(path, "/data/x.csv.gz")
    time = np.datetime64("2024-01-01T00:00", "us") + np.arange(6) * np.timedelta64(10, "m")
    panel, name = with_labels(Panel.from_numpy(np.arange(6.0), ["anomaly"], time=time), found)
    assert name == "anomaly_"
    assert panel.column(name).tolist() == [0, 1, 1, 0, 0, 0]
    zoned = Panel.from_numpy(np.arange(6.0), ["v"], time=time - np.timedelta64(1, "h"), zone="Europe/Berlin")
    assert zoned.zone == "Europe/Berlin"
    assert len(read_labelled_windows(path, "y.csv")) == 0
    for value, said in (
        ([["2024-01-02", "2024-01-01"]], "end of a window after its start"),
        ([["2024-01-02"]], "expected a list of"),
        ([["2024-01-02", "soon"]], "expected times such as"),
        ("x", "expected a list of"),
    ):
        with pytest.raises(FormatError, match=said):
            read_labelled_windows(windows(tmp_path / "bad.json", x=value), "x")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(FormatError, match="expected an object of files"):
        read_labelled_windows(tmp_path / "list.json", "x")
    with pytest.raises(DataError, match="need rows with times"):
        with_labels(Panel.from_numpy(np.arange(6.0)), found)
