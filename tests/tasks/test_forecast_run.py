"""A comparison and its folder: layout, choice, equal bytes, going on after an interruption, refusals."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forecast_cases import hourly, hours, load_and_wind, several, with_values
from forecast_runs import MODELS, PARAMETERS, killed_at_random, run_in, seconds_undisturbed

from oracles.run_folders import WRITTEN_BY, Stop, check_interrupted_while_writing, contents
from seqloom import Panel, load
from seqloom.errors import FormatError, RunLockedError, SettingError
from seqloom.report.saved import read_run
from seqloom.tasks.forecast import ModelFinished, ModelStarted, check_out, compare_forecasters
from seqloom.tasks.forecast import comparison as comparison_module
from seqloom_runtime.files import folder_lock

SCORES = {"mae", "mae_scaled", "rmse", "rmse_scaled", "mase", "rmsse", "smape", "skill", "windows"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run_in(folder)
    return folder


# -- what is written ----------------------------------------------------------------------------------------------


def test_folder_layout(whole: Path) -> None:
    files = ["data.json", "forecast.csv", "history.csv", "metrics.json", "predictions.csv", "run.json"]
    assert sorted(path.name for path in whole.iterdir()) == sorted(["checkpoint", "model", *files])
    assert sorted(path.name for path in (whole / "checkpoint").iterdir()) == ["gru", "linear"]
    saved = read_run(whole)
    assert saved.metrics["best"] in ("linear", "gru", "seasonal", "damped-persistence")
    best = load(whole)
    assert best.model == saved.metrics["best"]
    np.testing.assert_array_equal(best.forecast().values, saved.forecast.value)


def test_metrics_layout(whole: Path) -> None:
    metrics = json.loads((whole / "metrics.json").read_text())
    assert metrics["schema"] == 1
    assert metrics["task"] == "forecast"
    assert (metrics["target"], metrics["unit"], metrics["baseline"]) == ("load", None, "naive")
    assert (metrics["horizon"], metrics["every"], metrics["at"], metrics["step_label"]) == (4, 1, "path", "1 hour")
    assert metrics["target_scale"] == pytest.approx(load_and_wind()[:168, 0].std(), rel=1e-12)
    assert metrics["windows"] == {
        "train": 168 - 12 - 4 + 1, "valid": 33, "valid_choosing": 21, "test": 33,
        "dropped": {"crosses a gap": 0, "missing target": 0, "target repaired": 0, "missing input": 0},
    }  # fmt: skip
    assert list(metrics["models"]) == ["naive", *MODELS]
    for name, model in metrics["models"].items():
        assert model["kind"] == ("network" if name in ("linear", "gru") else "baseline")
        assert isinstance(model["parameters"], int)
        assert set(model["valid"]) == SCORES
        assert set(model["test"]) == SCORES | {"coverage", "width", "winkler", "quantile_loss", "crps"}
        assert set(model["test"]["coverage"]) == set(model["test"]["width"]) == {"80"}
        assert set(model["by_step"]) == {"steps", "valid_mae", "test_mae"}
        assert set(model["by_time_of_day"]) == {"minutes", "valid_mae", "test_mae"}
    assert all(isinstance(text, str) for text in [*metrics["statements"], *metrics["notes"]])
    assert len(metrics["statements"]) == len(MODELS)
    assert any("anchor 'auto' trained 3 networks" in note for note in metrics["notes"])


def test_tables(whole: Path) -> None:
    with open(whole / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "split", "id", "origin", "step", "time", "actual", "naive", *MODELS, "low_80", "high_80",
    ]  # fmt: skip
    assert len(rows) == (33 + 33) * 4
    y, run = load_and_wind()[:, 0], run_in(None)
    at = {np.datetime_as_string(t, "s") + "+01:00": i for i, t in enumerate(hours(240))}
    for row in rows[::7]:
        origin, step = at[row["origin"]], int(row["step"])
        assert at[row["time"]] == origin + step
        assert float(row["actual"]) == y[origin + step]
        assert float(row["naive"]) == y[origin]
        assert (origin >= 203) == (row["split"] == "test")
        assert row["id"] == "load"
    gru = run.forecasters["gru"].forecast_windows(run.data, run.data.test)
    test = [float(row["gru"]) for row in rows if row["split"] == "test"]
    np.testing.assert_array_equal(np.array(test).reshape(4, 33).T, gru)
    with open(whole / "history.csv", newline="") as file:
        history = list(csv.DictReader(file))
    assert [row["model"] for row in history] == ["linear"] * 3 + ["gru"] * 3
    assert list(history[0]) == ["model", "epoch", "step", "learning_rate", "train_loss", "valid_loss", "valid_mae"]
    lines = (whole / "forecast.csv").read_text().splitlines()
    assert lines[0] == "id,time,load,low_80,high_80"
    assert lines[1].startswith("load,2024-01-11T00:00:00+01:00,")
    assert len(lines) == 5
    record = json.loads((whole / "run.json").read_text())
    assert list(record) == [
        "schema", "command", "settings", "versions", "seed", "threads", "data", "parameters", "timings", "started",
        "finished",
    ]  # fmt: skip
    assert list(record["timings"]) == ["naive", *MODELS]
    assert record["finished"] >= record["started"]
    assert record["data"]["fingerprint"] == hourly(zone="Europe/Berlin").fingerprint()


def test_nothing_is_written_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_in(None)
    assert run.directory is None
    assert not list(tmp_path.iterdir())


def test_events_name_every_model() -> None:
    told: list[Any] = []
    run_in(None, on_event=told.append)
    names = ["naive", *MODELS]
    assert [e.name for e in told if isinstance(e, ModelStarted)] == names
    ends = [e for e in told if isinstance(e, ModelFinished)]
    assert [(e.name, e.index, e.total) for e in ends] == [(name, i, 5) for i, name in enumerate(names)]


def test_naive_is_always_in_and_the_best_is_chosen_on_choosing_rows() -> None:
    run = run_in(None, models=["seasonal"])
    assert list(run.metrics["models"]) == ["naive", "seasonal"]
    data, y = run.data, load_and_wind()[:, 0]
    errors = {
        name: np.abs(f.forecast_windows(data, data.choose) - data.truth(data.choose)).mean()
        for name, f in run.forecasters.items()
    }
    assert run.metrics["best"] == min(errors, key=lambda name: errors[name]) == "seasonal"
    for name, error in errors.items():
        assert run.metrics["models"][name]["choosing_mae"] == pytest.approx(error, rel=1e-12)
    worse = load_and_wind()
    worse[168:192, 0] = 50.0 + 0.001 * np.arange(24)  # level where the others choose: naive wins there
    again = run_in(None, models=["seasonal"], panel=with_values(hourly(zone="Europe/Berlin"), worse))
    assert again.metrics["best"] == "naive"
    assert again.metrics["models"]["seasonal"]["valid"]["skill"] < 0
    assert again.metrics["statements"][0].startswith("No model did better than naive")
    np.testing.assert_array_equal(again.table.values, [y[-1]] * 4)


def test_a_test_part_without_rows(tmp_path: Path) -> None:
    run_in(tmp_path / "run", parameters=PARAMETERS | {"split": (168, 72)}, models=["seasonal"])
    saved = read_run(tmp_path / "run")
    assert saved.metrics["windows"]["test"] == 0
    assert saved.metrics["models"]["seasonal"]["test"]["mae"] is None


def test_a_forecast_that_can_not_be_made_leaves_the_comparison(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run", models=["linear"], future=["wind"], parameters=PARAMETERS | {"anchor": "none"})
    assert run.metrics["best"] == "linear"
    assert len(run.table.values) == 0
    assert run.metrics["notes"][-1].startswith("No forecast past the end of the data: columns known in advance (wind)")
    assert (tmp_path / "run" / "forecast.csv").read_text() == "id,time,load,low_80,high_80\n"
    assert len(read_run(tmp_path / "run").forecast.value) == 0


def test_several_series_in_a_folder(tmp_path: Path) -> None:
    panel = several({"a": 240, "b": 200, "c": 5})
    parameters = PARAMETERS | {"anchor": "last", "scaling": "series"}
    run = compare_forecasters(panel, ["linear"], parameters, target="column_0", directory=tmp_path / "run")
    assert run.metrics["target_scale"] == pytest.approx(panel.values[panel.tick < run.data.split.train_end].std())
    saved = read_run(tmp_path / "run")
    assert set(saved.predictions.id) == {"a", "b"}
    assert np.isnan(saved.forecast.value).sum() == 4 * (saved.metrics["best"] != "naive")
    for name, model in run.metrics["models"].items():
        assert model["test"]["windows"] == run.metrics["windows"]["test"], name


# -- equal runs, and going on -------------------------------------------------------------------------------------


def test_equal_runs_give_equal_bytes(whole: Path, tmp_path: Path) -> None:
    run_in(tmp_path / "run")
    assert contents(tmp_path / "run") == contents(whole)
    other = run_in(tmp_path / "other", parameters=PARAMETERS | {"seed": 1})
    assert other.metrics["models"]["gru"] != json.loads((whole / "metrics.json").read_text())["models"]["gru"]


@pytest.mark.parametrize("at", [0, 5, 12, 20, 29, 40, 52, 63])
def test_interrupted_and_resumed_is_the_same_run(whole: Path, tmp_path: Path, at: int) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run_in(folder, on_event=Stop(at))
    assert json.loads((folder / "run.json").read_text())["finished"] is None
    assert not (folder / "metrics.json").exists()
    with pytest.raises(KeyboardInterrupt):
        run_in(folder, resume=True, on_event=Stop(3))
    run_in(folder, resume=True)
    assert contents(folder) == contents(whole)


@pytest.mark.parametrize("function", WRITTEN_BY)
def test_interrupted_while_writing(whole: Path, tmp_path: Path, function: str) -> None:
    check_interrupted_while_writing(run_in, whole, tmp_path / "run", comparison_module, function)


def test_what_a_killed_process_leaves_is_cleared_away(whole: Path, mine: Path) -> None:
    record = json.loads((mine / "run.json").read_text()) | {"finished": None}
    (mine / "run.json").write_text(json.dumps(record))
    (mine / ".lock").write_text("123456\n")
    (mine / ".metrics.json.0123456789ab.tmp").write_text("half")
    (mine / ".model.x1y2z3").mkdir()
    (mine / ".model.x1y2z3" / "model.safetensors").write_text("half")
    (mine / ".model.old.abc").mkdir()
    shutil.rmtree(mine / "model")
    run_in(mine, resume=True)
    assert contents(mine) == contents(whole)
    again = json.loads((mine / "run.json").read_text())
    assert (again["timings"], again["started"]) == (record["timings"], record["started"])
    assert again["finished"] is not None


def kills(folder: Path, whole: Path, wanted: int, seed: int) -> None:
    limit = seconds_undisturbed(folder / "timed")
    hits, rounds = 0, 0
    while hits < wanted:
        run = folder / f"run{rounds}"
        for _ in range(3):
            hits += killed_at_random(run, 1.1 * limit, seed := seed + 1)
        run_in(run, resume=(run / "run.json").is_file())
        assert contents(run) == contents(whole)
        rounds += 1


def test_killed_at_random_moments(whole: Path, tmp_path: Path) -> None:
    kills(tmp_path, whole, 2, seed=1)


@pytest.mark.deep
def test_killed_at_ten_random_moments(whole: Path, tmp_path: Path) -> None:
    kills(tmp_path, whole, 10, seed=100)


def test_a_finished_run_is_left_as_it_is(mine: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in mine.rglob("*") if path.is_file()}
    run = run_in(mine, resume=True)
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in mine.rglob("*") if path.is_file()}
    assert after == before
    assert json.loads(json.dumps(run.metrics)) == json.loads((mine / "metrics.json").read_text())
    (mine / "forecast.csv").unlink()
    run_in(mine, resume=True)
    assert contents(mine) == {str(p.relative_to(mine)): b for p, (b, _) in before.items() if p.name != "run.json"}


# -- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"parameters": PARAMETERS | {"epochs": 4}},
            r"settings differ from the interrupted run \(epochs was 3 and is 4\)",
        ),
        ({"models": ["gru"]}, "settings differ from the interrupted run .models was"),
        ({"target": "wind"}, r"\(target was 'load' and is 'wind'\)"),
        ({"inputs": ["load"]}, r"\(inputs was None and is \['load'\]\)"),
        ({"panel": hourly(seed=6, zone="Europe/Berlin")}, "data differ from the interrupted run .fingerprint was"),
    ],
)
def test_another_run_can_not_go_on(mine: Path, changes: dict, words: str) -> None:
    before = contents(mine), (mine / "run.json").read_bytes()
    with pytest.raises(SettingError, match=words):
        run_in(mine, resume=True, **changes)
    assert (contents(mine), (mine / "run.json").read_bytes()) == before


def test_settings_of_the_command_line_are_recorded_and_compared(tmp_path: Path) -> None:
    settings = {"data": "x.csv", "split": (0.7, 0.15), "units": np.int64(4)}
    run_in(tmp_path / "run", models=[], settings=settings)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["settings"] == {"data": "x.csv", "split": [0.7, 0.15], "units": 4}
    run_in(tmp_path / "run", models=[], settings=settings, resume=True)
    with pytest.raises(SettingError, match=r"data was 'x\.csv' and is 'y\.csv'"):
        run_in(tmp_path / "run", models=[], settings=settings | {"data": "y.csv"}, resume=True)
    with pytest.raises(SettingError, match="settings: expected values that JSON can hold"):
        run_in(None, models=[], settings={"data": object()})


def test_two_runs_in_one_folder(mine: Path) -> None:
    with folder_lock(mine), pytest.raises(RunLockedError, match="another run"):
        run_in(mine, resume=True)
    with pytest.raises(SettingError, match="is not empty; to go on with that run give resume=True"):
        run_in(mine)
    locked = mine.parent / "new"
    locked.mkdir()
    with folder_lock(locked), pytest.raises(RunLockedError):
        run_in(locked, models=[])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "found no run.json"),
        ("{", "line 1"),
        ("[]", "expected a run of schema 1"),
        ('{"schema": 2}', "expected a run of schema 1"),
        ('{"schema": 1}', "it is damaged"),
    ],
)
def test_resume_of_what_is_no_run(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(FormatError, match=words):
        run_in(tmp_path, resume=True, models=[])
    assert [p.name for p in tmp_path.iterdir()] == ([] if text is None else ["run.json"])


def test_where_a_run_may_go(tmp_path: Path) -> None:
    check_out(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("x")
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / ".lock").write_text("1")  # of a process that was killed before it wrote anything
    check_out(tmp_path / "left")
    run_in(tmp_path / "left", models=[])
    for name, words in (("file", "is a file"), ("full", "is not empty"), ("file/x", "may write to")):
        with pytest.raises(SettingError, match=words):
            run_in(tmp_path / name, models=[])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"models": ["gruu"]}, "model: expected one of"),
        ({"parameters": PARAMETERS | {"unit": 3}}, r"has no parameter 'unit'\. Did you mean 'units'"),
        ({"parameters": PARAMETERS | {"units": 0}}, "units: expected"),
        ({"parameters": PARAMETERS | {"season": None, "anchor": "last"}}, "'seasonal' needs the length of a season"),
        ({"parameters": PARAMETERS | {"split": (235, 3)}}, "validation"),
    ],
)
def test_bad_settings_leave_no_folder(tmp_path: Path, changes: dict, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        run_in(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_a_panel_without_a_report(tmp_path: Path) -> None:
    panel = hourly()
    bare = Panel(**{**vars(panel), "quality": None})
    compare_forecasters(bare, [], {"lookback": 12, "horizon": 4}, target="load", directory=tmp_path / "run")
    data = read_run(tmp_path / "run").data
    assert data is not None
    assert {name: data[name] for name in ("columns", "findings", "repairs")} == {
        "columns": [],
        "findings": [],
        "repairs": [],
    }
    assert len(data["drawn"]["all"]) == 1


def test_long_predictions_are_thinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seqloom.tasks.forecast import scoring

    monkeypatch.setattr(scoring, "ROWS_WRITTEN", 100)
    run_in(tmp_path / "run", models=[])
    rows = (tmp_path / "run" / "predictions.csv").read_text().splitlines()[1:]
    assert len(rows) == 2 * 11 * 4  # every third of 33 windows a part
