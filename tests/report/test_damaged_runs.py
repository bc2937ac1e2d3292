"""Run folders with JSON of other kinds than they hold: one sentence from the readers, `seqloom inspect` and studies."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from task_runs import write_task_run

from app.command_line import invoke
from seqloom import TextClassifier
from seqloom.errors import FormatError, SeqloomError
from seqloom.report.columns import read_columns
from seqloom.report.saved import read_metrics, read_run
from seqloom.studies.folder import read_record
from seqloom.studies.job import Clock
from seqloom.studies.results import RowResult

ODD: tuple[Any, ...] = (None, True, -1, 10**30, 0.5, "x\x1b", [], [[]], {}, {"k": [1]}, ["a", 1])


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a JSON value; of a list its first member."""
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))[:1] if value else []
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, (dict, list)):
            yield from places(inner, (*path, key))


def sweep(path: Path, use: Callable[[], Any], seen: set[str]) -> None:
    """Every place of a JSON file with every odd value; what is raised must be ours, short and printable."""
    content = path.read_text()
    whole = json.loads(content)
    for number, place in enumerate(places(whole)):
        damaged = copy.deepcopy(whole)
        above = damaged
        for key in place[:-1]:
            above = above[key]
        above[place[-1]] = ODD[number % len(ODD)]
        path.write_text(json.dumps(damaged))
        said = ""
        try:
            use()
        except SeqloomError as refused:
            said = str(refused)
        seen.add("refused" if said else "accepted")
        assert said.isprintable(), place
        assert len(said) < 1000, place
    path.write_text(content)


# Every model has the same details; each more makes the file longer as well as its places more.
@pytest.mark.parametrize(
    ("name", "models"),
    [
        ("run.json", None),
        ("metrics.json", None),
        ("details.json", ("gru",)),
        pytest.param("details.json", None, marks=pytest.mark.deep),
    ],
)
def test_a_task_run_with_other_kinds_of_values(tmp_path: Path, name: str, models: tuple[str, ...] | None) -> None:
    folder = write_task_run(tmp_path / "run", models=models)
    seen: set[str] = set()
    sweep(folder / name, lambda: read_run(folder), seen)
    assert "refused" in seen


@pytest.mark.parametrize("odd", [1, -1, 0.5, True, "x", {"k": 1}, [1]])
def test_metrics_read_alone_with_every_kind_of_value(tmp_path: Path, odd: Any) -> None:
    """`read_metrics` is also called by commands, without the boundary around `read_run`."""
    path = write_task_run(tmp_path / "run") / "metrics.json"
    whole = json.loads(path.read_text())
    for key in whole:
        path.write_text(json.dumps({**whole, key: odd}))
        try:
            read_metrics(path)
        except FormatError:
            continue


@pytest.mark.parametrize("name", ["run.json", "metrics.json", "data.json"])
def test_a_forecast_run_with_other_kinds_of_values(make_run: Any, name: str) -> None:
    folder = make_run(windows=6)
    seen: set[str] = set()
    sweep(folder / name, lambda: read_run(folder), seen)
    assert "refused" in seen


def test_parameters_and_sentences_of_another_kind(tmp_path: Path) -> None:
    folder = write_task_run(tmp_path / "run")
    best = json.loads((folder / "metrics.json").read_text())["best"]
    for name, key, value in (("run.json", "parameters", {best: [3]}), ("metrics.json", "statements", [3])):
        path = folder / name
        content = path.read_text()
        path.write_text(json.dumps({**json.loads(content), key: value}))
        with pytest.raises(FormatError, match=key):
            read_run(folder)
        path.write_text(content)


def test_inspect_of_damaged_records(tmp_path: Path) -> None:
    folder = write_task_run(tmp_path / "run")
    path = folder / "run.json"
    good = json.loads(path.read_text())
    for key, value in (("versions", {"a": [1]}), ("started", {}), ("finished", [1]), ("command", 3), ("checkpoint", 0)):
        path.write_text(json.dumps({**good, key: value}))
        shown = invoke("inspect", folder)
        assert shown.code in (0, 2)
        assert "Traceback" not in shown.err
    (tmp_path / "run" / "metrics.json").unlink()
    os.mkfifo(tmp_path / "run" / "metrics.json")
    assert invoke("inspect", folder).code == 2


def test_a_table_that_never_ends(tmp_path: Path) -> None:
    (tmp_path / "history.csv").symlink_to("/dev/zero")
    with pytest.raises(FormatError, match="expected a file, found"):
        read_columns(tmp_path / "history.csv")


@pytest.mark.parametrize(
    "change",
    [
        {"row": [1]},
        {"seed": 1e999},
        {"seconds": {}},
        {"failed": 3},
        {"epoch_seconds": [1e999, "x"]},
        {"outcome": {"scores": {"a": "x"}, "parameters": 1, "curves": {}, "details": {}, "notes": []}},
        {"outcome": {"scores": {}, "parameters": 1, "curves": {"a": [[]]}, "details": {}, "notes": []}},
        {"outcome": {"scores": {}, "parameters": 1, "curves": {"a": 3}, "details": {}, "notes": [4]}},
        {"schema": "x" * 10**6},
    ],
)
def test_results_of_a_study(change: dict[str, Any]) -> None:
    good = {"schema": 1, "row": "a", "seed": 0, "failed": None, "outcome": None, "seconds": 1.0, "epoch_seconds": []}
    RowResult.from_json(good, "row.json")
    with pytest.raises(FormatError, match=r"row\.json: expected the result of a row") as caught:
        RowResult.from_json({**good, **change}, "row.json")
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "change", [{"rows": [[]]}, {"seeds": ["0"]}, {"seeds": [True]}, {"study": ["a"]}, {"threads": "2"}, {"rows": None}]
)
def test_records_of_a_study(tmp_path: Path, change: dict[str, Any]) -> None:
    good = {"schema": 1, "command": "reproduce", "study": "jena", "rows": ["a"], "seeds": [0], "threads": 1}
    (tmp_path / "run.json").write_text(json.dumps(good))
    read_record(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({**good, **change}))
    with pytest.raises(FormatError, match="expected the record of a"):
        read_record(tmp_path)


@pytest.mark.parametrize("value", [{"epochs": [[]]}, {"epochs": 3}, {"epochs": [], "seconds": [1]}, [], 3, {}])
def test_clocks_of_a_study(tmp_path: Path, value: Any) -> None:
    (tmp_path / "clock.json").write_text(json.dumps(value))
    with pytest.raises(FormatError, match="expected the clock of a row"):
        Clock(tmp_path / "clock.json")


def test_settings_of_another_kind_beside_a_model(tmp_path: Path) -> None:
    texts = ["good film", "bad film"] * 6
    TextClassifier(model="majority").fit(texts, ["yes", "no"] * 6).save(tmp_path / "run" / "model")
    (tmp_path / "new.csv").write_text("text\nfilm\n")
    for settings, code in (({"text": "text", "later": 1}, 0), ({"text": ["text"]}, 2), ({"layout": 3}, 2)):
        (tmp_path / "run" / "run.json").write_text(json.dumps({"command": "classify", "settings": settings}))
        shown = invoke("predict", tmp_path / "run", tmp_path / "new.csv")
        assert shown.code == code, shown.err
        assert ("run.json: its setting" in shown.err) == (code == 2)
