"""Reading run folders: what comes in, and one clear sentence for each kind of damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqloom.errors import FormatError
from seqloom.report.columns import read_columns
from seqloom.report.saved import read_run

Make = Callable[..., Path]


def test_reads_everything(make_run: Make) -> None:
    run = read_run(make_run(ids=("a", "b"), windows=10))
    assert len(run.predictions.actual) == 2 * 2 * 10 * 6
    assert set(run.predictions.models) == {"naive", "damped-persistence", "gru"}
    assert list(run.predictions.low) == ["80", "95"]
    assert (run.predictions.low["95"] <= run.predictions.low["80"]).all()
    assert run.predictions.timed
    assert not run.predictions.zoned
    assert run.forecast.value.shape == (12,)
    assert run.curves.of("gru").epoch.tolist() == list(range(1, 13))
    assert len(run.curves.of("naive").epoch) == 0
    first = np.datetime64("2020-09-01T00:10", "ms").astype(np.int64)
    assert run.predictions.time[0] == first


def test_reads_steps_without_time_and_empty_history(make_run: Make) -> None:
    run = read_run(make_run(models=("naive",), start=None, windows=4, levels=()))
    assert not run.predictions.timed
    assert run.predictions.time[:3].tolist() == [1, 2, 3]
    assert len(run.curves.epoch) == 0
    assert run.forecast.low == {}


def test_forecast_columns_are_found_by_position(make_run: Make) -> None:
    folder = make_run(target="id", windows=4)
    assert np.isfinite(read_run(folder).forecast.value).all()


def test_times_with_offsets_are_utc(tmp_path: Path) -> None:
    def times(*texts: str) -> tuple[np.ndarray, bool, bool]:
        (tmp_path / "times.csv").write_text("\n".join(("time", *texts)) + "\n")
        return read_columns(tmp_path / "times.csv").times("time")

    moments, timed, zoned = times("2020-10-25T02:30:00+02:00", "2020-10-25T02:30:00+01:00", "2020-10-25 01:45Z")
    assert (timed, zoned) == (True, True)
    assert np.diff(moments).tolist() == [3_600_000, 15 * 60_000]
    dates, timed, zoned = times("2020-01-01", "2020-02-01")
    assert (timed, zoned) == (True, False)
    assert np.diff(dates).tolist() == [31 * 86_400_000]
    assert times("1970-01-01T00:00:00.25", "1970-01-01T00:00:01")[0].tolist() == [250, 1000]


def test_not_a_run_folder(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"nowhere: expected a run folder, got nothing"):
        read_run(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(FormatError, match="got a file"):
        read_run(tmp_path / "file")
    with pytest.raises(FormatError, match="not a run folder"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    "name", ["run.json", "data.json", "metrics.json", "history.csv", "predictions.csv", "forecast.csv"]
)
def test_each_file_missing_empty_or_cut(make_run: Make, name: str) -> None:
    path = make_run(windows=6) / name
    content = path.read_bytes()
    for damaged in (b"", content[: len(content) // 2].rstrip(b"\n"), b"\xff\xfe\x00" + content):
        path.write_bytes(damaged)
        with pytest.raises(FormatError, match=name.replace(".", r"\.")):
            read_run(path.parent)
    path.unlink()
    with pytest.raises(FormatError, match=rf"{name}: this file of the run folder is missing"):
        read_run(path.parent)


def edit(path: Path, change: Callable[[Any], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.update(schema=2), "expected schema 1, got 2"),
        (lambda m: m.update(best="lstm"), "'best' names 'lstm'"),
        (lambda m: m.update(models={}), "at least one model"),
        (lambda m: m.update(horizon="6"), "a whole number under 'horizon', got a text"),
        (lambda m: m.pop("target"), "the key 'target', which is missing"),
        (lambda m: m["models"]["gru"].pop("test"), r"the key 'models\.gru\.test'"),
        (lambda m: m["models"]["gru"]["test"].pop("mae"), r"the key 'models\.gru\.test\.mae'"),
        (lambda m: m["models"]["gru"]["test"].update(mae="low"), r"a number under 'models\.gru\.test\.mae'"),
        (lambda m: m["models"]["gru"].update(kind="magic"), "'magic'"),
        (lambda m: m["models"]["gru"]["by_step"]["test_mae"].pop(), "has 5 values, 'steps' has 6"),
    ],
)
def test_damaged_metrics(make_run: Make, change: Callable[[Any], object], words: str) -> None:
    folder = make_run(windows=4)
    edit(folder / "metrics.json", change)
    with pytest.raises(FormatError, match=rf"metrics\.json: .*{words}"):
        read_run(folder)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        (
            "predictions.csv",
            "valid,,0,2",
            "train,,0,2",
            "line 3: expected 'valid' or 'test' under 'split', got 'train'",
        ),
        (
            "predictions.csv",
            "valid,,0,2,",
            "valid,,0,two,",
            "line 3, column 'step': expected a whole number, got 'two'",
        ),
        ("predictions.csv", "2020-09-01T00:20:00", "2020-13-01", "line 3, column 'time': .*'2020-13-01'"),
        ("predictions.csv", ",actual,", ",truth,", "expected the column 'actual'"),
        ("predictions.csv", ",gru,", ",gur,", "expected the column 'gru'.*Did you mean 'gur'"),
        ("history.csv", "gru,2,1000", "gru,x,1000", "line 3, column 'epoch': expected a number, got 'x'"),
        ("forecast.csv", "id,time", "time,id", "the columns id, time and the target first"),
    ],
)
def test_damaged_cells(make_run: Make, name: str, old: str, new: str, words: str) -> None:
    folder = make_run(windows=4)
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))
    with pytest.raises(FormatError, match=rf"{name}: .*{words}"):
        read_run(folder)
