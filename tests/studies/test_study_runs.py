"""The runner of studies on a made-up one: table, goals, seeds, failures, resuming, and what it refuses."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from study_runs import MADE, Killed, kill_after, run_made, score, without_times

from seqloom.errors import FormatError, MissingDependencyError, RunLockedError, SettingError
from seqloom.studies import (
    Column,
    Outcome,
    Results,
    Row,
    RowFinished,
    RowResult,
    RowStarted,
    StudySettings,
    run_study,
)
from seqloom.studies.job import Clock
from seqloom.studies.pictures import Curve, Picture, Plot, styles_for
from seqloom.studies.results import TextTable
from seqloom.training import StepDone
from seqloom_runtime.files import folder_lock


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the made-up study."""
    folder = tmp_path_factory.mktemp("made") / "run"
    run_made(folder)
    return folder


def test_table_holds_medians_spread_published_figures_and_goals() -> None:
    results = run_made()
    table = results.table()
    assert table.headings == ("model", "parameters", "error", "published error", "goal error", "epochs", "seconds")
    by_label = {row[0]: row[1:] for row in table.rows}
    assert list(by_label) == ["a guess", "a line | fitted", "too high a bar"]
    errors = [score(results, "line", seed, "error") for seed in (0, 1, 2)]
    assert len(set(errors)) == 3
    cell = f"{statistics.median(errors):.3f} ({min(errors):.3f}–{max(errors):.3f})"
    assert by_label["a line | fitted"][:3] == ("2", cell, "0.250")
    assert by_label["a line | fitted"][3].startswith("≤ 0.500 ")
    assert by_label["a guess"][1:5] == ("0.287", "–", "–", "–")
    assert by_label["too high a bar"][3] == "≤ 0.000 ✗"


def test_goals_are_judged_by_the_median() -> None:
    results = run_made(epochs=60)
    line, worse = results.rows[1], results.rows[2]
    assert results.median(line, "error") < 0.5  # type: ignore[operator]
    assert (results.met(line, "error"), results.met(worse, "error"), results.met(results.rows[0], "error")) == (
        True,
        False,
        None,
    )
    assert "a line | fitted: error 0.000, the goal of 0.500 is reached." in results.sentences()
    assert any(line.endswith("the goal of 0.000 is missed.") for line in results.sentences())


def test_a_goal_ends_the_training() -> None:
    results = run_made(epochs=60, rows=["worse"])
    lengths = [score(results, "worse", seed, "epochs") for seed in (0, 1, 2)]
    assert all(1 < length < 60 for length in lengths)
    assert all(score(results, "worse", seed, "error") <= 0.01 for seed in (0, 1, 2))


def test_time_limit_ends_a_row_after_its_epoch() -> None:
    results = run_made(epochs=1000, time_limit=1e-6, seeds=[4])
    assert results.found["line", 4].value("epochs") == 1


def test_rows_run_once_per_seed_and_baselines_once() -> None:
    told: list[Any] = []
    run_made(on_event=told.append)
    started = [event.name for event in told if isinstance(event, RowStarted)]
    assert started == ["a guess"] + [
        f"{row}, seed {seed}" for seed in (0, 1, 2) for row in ("a line | fitted", "too high a bar")
    ]
    finished = [event for event in told if isinstance(event, RowFinished)]
    assert [event.index for event in finished] == list(range(7))
    assert finished[0].text.startswith("error 0.2867")
    assert not any(event.kept for event in finished)


def test_a_row_that_breaks_is_a_result_and_the_others_stand(tmp_path: Path) -> None:
    results = run_made(tmp_path / "run", rows=["guess", "broken"], seeds=[0])
    assert "The loss is nan" in results.table().rows[1][-1]
    kept = json.loads((tmp_path / "run" / "rows" / "broken.seed0.json").read_text())
    assert kept["outcome"] is None
    assert "nan" in kept["failed"]
    assert json.loads((tmp_path / "run" / "results.json").read_text())["rows"][1]["seeds"]["0"]["failed"]


def test_files_of_a_run(made: Path) -> None:
    names = sorted(path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file())
    rows = [f"rows/{row}.seed{seed}.json" for row in ("line", "worse") for seed in (0, 1, 2)]
    assert names == sorted(["report.html", "results.json", "results.md", "run.json", "rows/guess.seed0.json", *rows])
    record = json.loads((made / "run.json").read_text())
    assert (record["study"], record["rows"], record["seeds"]) == ("made", ["guess", "line", "worse"], [0, 1, 2])
    assert record["finished"] >= record["started"]
    text = (made / "results.md").read_text()
    assert "| model | parameters |" in text
    assert "a line \\| fitted" in text
    assert "- a guess: it guesses 0" in text
    assert "- The points were made up." in text
    page = (made / "report.html").read_text()
    assert "<script" not in page
    assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")
    results = json.loads((made / "results.json").read_text())
    assert results["rows"][1]["goals"]["error"] == {"goal": 0.5, "met": True}
    assert set(results["timings"]["line"]["0"]) == {"seconds", "epoch_seconds"}


@pytest.mark.parametrize("saves", [1, 3, 9])
def test_a_killed_run_goes_on_to_the_same_results(saves: int, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(Killed):
        run_made(folder, on_event=kill_after(saves))
    assert json.loads((folder / "run.json").read_text())["finished"] is None
    assert list((folder / "checkpoint").iterdir())
    told: list[Any] = []
    run_made(folder, resume=True, on_event=told.append)
    kept = [event.kept for event in told if isinstance(event, RowFinished)]
    assert kept == sorted(kept, reverse=True)
    assert kept.count(True) == 1 + (saves - 1) // 4
    assert without_times(folder) == without_times(made)
    assert not (folder / "checkpoint").exists()


def test_the_clock_counts_every_process(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(Killed):
        run_made(folder, seeds=[0], epochs=12, on_event=kill_after(5))
    clock = json.loads((folder / "checkpoint" / "line.seed0" / "clock.json").read_text())
    assert len(clock["epochs"]) == 5
    results = run_made(folder, seeds=[0], epochs=12, resume=True)
    found = results.found["line", 0]
    assert len(found.epoch_seconds) == 12
    assert list(found.epoch_seconds[:5]) == clock["epochs"]
    assert found.seconds >= clock["seconds"]


def test_the_clock_goes_on_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "clock.json").write_text('{"seconds": 1000.0, "epochs": [1.5]}')
    clock = Clock(tmp_path / "clock.json")
    assert 1000 <= clock.seconds < 1100
    assert clock.epochs == [1.5]
    (tmp_path / "clock.json").write_text("[]")
    with pytest.raises(FormatError, match="clock"):
        Clock(tmp_path / "clock.json")


def test_a_goal_may_be_the_least_that_is_wanted() -> None:
    columns = (Column("error", "error", 1, higher_is_better=True, per_cent=True),)
    row = Row("line", "a line", goals={"error": 0.3})
    results = Results(replace(MADE, columns=columns), StudySettings(), [row], [0, 1, 2])
    for seed, value in enumerate((0.2, 0.31, 0.9)):
        results.found["line", seed] = RowResult("line", seed, Outcome({"error": value}), 1.0)
    assert results.met(row, "error") is True
    assert results.table().rows[0] == ("a line", "31.0 % (20.0 %–90.0 %)", "≥ 30.0 % ✓")
    results.found["line", 1] = RowResult("line", 1, Outcome({"error": 0.29}), 1.0)
    assert results.met(row, "error") is False


def test_a_finished_run_trains_nothing_when_resumed(made: Path, tmp_path: Path) -> None:
    before = without_times(made)
    told: list[Any] = []
    run_made(made, resume=True, on_event=told.append)
    assert not any(isinstance(event, (StepDone, RowStarted)) for event in told)
    assert without_times(made) == before


def test_rows_and_seeds_may_be_added(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run_made(folder, rows=["line"], seeds=[1])
    results = run_made(folder, rows=["guess"], seeds=[5], resume=True)
    assert set(results.found) == {("guess", 1), ("line", 1), ("line", 5)}
    record = json.loads((folder / "run.json").read_text())
    assert (record["rows"], record["seeds"]) == (["line", "guess"], [1, 5])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rows": ["lime"]}, "Did you mean 'line'"),
        ({"rows": []}, "at least one of guess, line"),
        ({"seeds": []}, "seeds: "),
        ({"seeds": [-1]}, "seeds: "),
        ({"seeds": [True]}, "seeds: "),
        ({"epochs": 0}, "epochs: expected a whole number of at least 1, got 0"),
        ({"length": 5}, "length: the study 'made' has no such setting, only: data, epochs, time_limit"),
        ({"time_limit": 0.0}, "time_limit: "),
        ({"time_limit": float("nan")}, "time_limit: "),
    ],
)
def test_bad_settings_are_refused_before_anything_is_written(
    options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match=words.replace("(", "\\(")):
        run_made(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_folders_that_can_not_be_used(made: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="not empty; to go on with that run give resume=True"):
        run_made(made)
    with pytest.raises(SettingError, match="epochs"):
        run_made(made, resume=True, epochs=9)
    with pytest.raises(SettingError, match="data"):
        run_made(made, resume=True, data="other")
    with pytest.raises(FormatError, match=r"run\.json"):
        run_made(tmp_path / "nowhere", resume=True)
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(SettingError, match="is a file"):
        run_made(file)
    with folder_lock(made), pytest.raises(RunLockedError):
        run_made(made, resume=True)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("guess.seed0.json", lambda value: value.pop("outcome"), "delete the file to run the row again"),
        ("guess.seed0.json", lambda value: value["outcome"].update(scores=3), "'scores'"),
        ("line.seed1.json", lambda value: value.update(row="guess"), "found 'guess'"),
        ("line.seed1.json", lambda value: value.update(schema=9), "schema 9"),
    ],
)
def test_a_damaged_result_is_named(made: Path, tmp_path: Path, name: str, change: Any, words: str) -> None:
    folder = shutil.copytree(made, tmp_path / "run")
    path = folder / "rows" / name
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    with pytest.raises(FormatError, match=words) as caught:
        run_made(folder, resume=True)
    assert str(path) in str(caught.value)


def test_markdown_of_a_table() -> None:
    assert TextTable(("model", "x"), (("a|b", "1"),)).markdown() == "| model | x |\n| --- | ---: |\n| a\\|b | 1 |\n"


def test_without_the_package_that_draws_no_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(MissingDependencyError, match="the page of a study needs vl-convert-python"):
        run_study(MADE, StudySettings(), directory=tmp_path / "run", rows=["guess"])
    assert not (tmp_path / "run").exists()


def test_a_picture_that_fails_is_named_on_the_page(tmp_path: Path) -> None:
    def plot(*labels: str) -> Plot:
        return Plot("x", "y", [Curve(label, [1, 2], [1.0, 2.0], style) for label, style in styles_for(labels).items()])

    def draw(results: Results) -> list[Picture]:
        good, bad = plot("a"), plot("a\x01")
        return [Picture("good", "A good one", "", [good]), Picture("bad", "A bad one", "", [bad])]

    study = replace(MADE, draw=draw)
    run_study(study, StudySettings(), directory=tmp_path / "run", rows=["guess"])
    page = (tmp_path / "run" / "report.html").read_text()
    assert {path.name for path in (tmp_path / "run" / "charts").iterdir()} == {"good.svg", "good.png"}
    assert "The chart “A bad one” is missing, because it could not be drawn (ValueError: the text" in page
    assert "A good one" in page

    def fail(results: Results) -> list[Picture]:
        raise RuntimeError("planted")

    run_study(replace(MADE, draw=fail), StudySettings(), directory=tmp_path / "other", rows=["guess"])
    page = (tmp_path / "other" / "report.html").read_text()
    assert "The charts are missing, because they could not be drawn (RuntimeError: planted)." in page
