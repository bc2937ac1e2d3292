"""`seqloom sequences` on irregular records: commands, what they print, and bad tables in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import invoke as run

from seqloom_runtime.data.irregular import made_records

_SHORT = ("--epochs", "1", "--units", "4", "--threads", "1")
_TABLE = ("--id", "patient", "--time", "hours", "--value-columns", "heart_rate,lactate,respiration")


def icu(path: Path, count: int = 60) -> Path:
    made = made_records(count, seed=3).records
    assert made.onset is not None
    lines = [f"patient,hours,{','.join(made.columns)},onset,died,ward"]
    for name, onset, (times, values) in zip(made.ids, made.onset, made):
        for time, row in zip(times, values):
            cells = ",".join("" if np.isnan(value) else f"{value:g}" for value in row)
            told = "" if np.isnan(onset) else f"{onset:.5f}"
            lines.append(f"{name},{time:.5f},{cells},{told},{int(bool(told))},a")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return icu(tmp_path_factory.mktemp("icu") / "icu.csv")


@pytest.mark.usefixtures("drawn")
def test_an_event_at_every_row(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    asked = ("--event", "onset", "--horizon", "6", "--model", "gru-d,gru-forward", *_SHORT)
    done = run("sequences", data, *_TABLE, *asked, "--out", folder)
    assert done.code == 0, done.err
    told = " ".join(done.out.split())
    assert "Column 'onset' holds the time of the event" in told
    assert "Parts are drawn by record, none is in two parts: 42 train, 9 valid, 9 test." in told
    assert "records drawn anew" in told
    for heading in ("AUC", "AUPRC", "ECE", "Lead time", "False alarms"):
        assert heading in done.out
    ids = {
        line.split(",")[1]: line.split(",")[0] for line in (folder / "predictions.csv").read_text().split("\n")[1:-1]
    }
    assert sorted(ids.values()) == ["test"] * 9 + ["valid"] * 9  # no record on both sides
    page = (folder / "report.html").read_text()
    assert "Records: values, gaps and risk" in page
    assert "this part is missing" not in page
    found = json.loads(run("predict", folder, data, "--json").out)["predictions"]
    assert set(found[0]) == {"id", "time", "risk", "alarm"}
    assert all(0 <= row["risk"] <= 1 for row in found)
    again = json.loads(run("sequences", data, *_TABLE, *asked, "--json").out)
    assert again["models"] == json.loads((folder / "metrics.json").read_text())["models"]


def test_a_label_per_record(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = run("sequences", data, *_TABLE, "--label", "died", "--gaps", "features", *_SHORT, "--out", folder)
    assert done.code == 0, done.err
    assert "The probability is that of died = 1; 0 is the other." in done.out
    assert "compare with carried-forward values: --model gru,gru-d,gru-forward" in " ".join(done.out.split())
    found = json.loads(run("predict", folder, data, "--json").out)["predictions"]
    assert len(found) == 60
    assert set(found[0]) == {"id", "risk"}


def test_the_physionet_folder(tmp_path: Path) -> None:
    draw, folder = np.random.default_rng(0), tmp_path / "set-a"
    folder.mkdir()
    outcomes = ["RecordID,In-hospital_death"]
    for n in range(30):
        rows = [f"00:00,RecordID,{n}", "00:00,Age,60", "00:00,Height,-1"]
        rows += [
            f"{hour:02}:{draw.integers(60):02},HR,{draw.normal(80 + 20 * (n % 2)):.0f}" for hour in range(0, 30, 3)
        ]
        (folder / f"{n}.txt").write_text("Time,Parameter,Value\n" + "\n".join(rows) + "\n")
        outcomes.append(f"{n},{n % 2}")
    (tmp_path / "Outcomes-a.txt").write_text("\n".join(outcomes) + "\n")
    done = run("sequences", folder, "--model", "gru-d", *_SHORT, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert "holds 30 records of the PhysioNet 2012 layout" in " ".join(done.out.split())
    assert len(json.loads(run("predict", tmp_path / "run", folder, "--json").out)["predictions"]) == 30
    refused = run("sequences", folder, "--id", "RecordID", *_SHORT)
    assert (refused.code, "has its own; leave it out" in " ".join(refused.err.split())) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--label", "died", "--event", "onset", "--horizon", "6"), "a label or an event, not both"),
        (("--event", "onset"), "--horizon: say how far ahead the event is asked for, such as 6h"),
        (("--event", "onset", "--horizon", "6h"), "--horizon: the times are plain numbers"),
        ((), "nothing says what is to be predicted; name it with --label or --event"),
        (("--label", "died", "--predict", "number"), "--predict: irregular records have a label or an event"),
        (("--label", "died", "--columns", "lactate"), "--value-columns names what is read; leave it out"),
        (
            ("--label", "died", "--pooling", "mean"),
            "--pooling: models that predict a risk of irregular records have no",
        ),
        (("--label", "died", "--model", "tcn"), "--model: expected one of gru-d, rnn, gru, lstm"),
        (("--label", "died", "--gaps", "zero"), "--gaps: expected one of decay, features, forward"),
        (("--label", "ward"), "column 'ward': expected two different labels over the records, found 1 (a)"),
        (("--label", "heart_rate"), "expected one label for the whole of record"),
    ],
)
def test_what_is_refused(data: Path, arguments: tuple[str, ...], message: str) -> None:
    table = _TABLE if "heart_rate" not in arguments else (*_TABLE[:4], "--value-columns", "lactate,respiration")
    done = run("sequences", data, *table, *arguments, *_SHORT)
    assert done.code == 2
    said = " ".join(done.err.split())
    assert message in said or "expected a label, the cell is empty" in said
    assert said.startswith("error: ")


def test_parts_from_files(data: Path, tmp_path: Path) -> None:
    other = icu(tmp_path / "test.csv", 20)
    asked = ("--event", "onset", "--horizon", "6", "--test", other)
    done = run("sequences", data, *_TABLE, *asked, *_SHORT, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["examples"]["test"] == 20
