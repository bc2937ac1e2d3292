"""Advice of the commands, followed: a split that is named gives the interval, and rows are those of the table."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Command, Refused

RNG = np.random.default_rng(4)
WEEKS = [str(np.datetime64("2020-01-06") + 7 * row) for row in range(156)]


def table(path: Path, series: int = 1, targets: int = 2, ragged: bool = False) -> Path:
    """Weeks with `targets` columns of several cities, where ragged of other first and last weeks and with holes."""
    lines = [",".join(["week", *(["city"] if series > 1 else []), *(f"t{k}" for k in range(targets))])]
    for city in range(series):
        first, end = (20 * city, len(WEEKS) - 25 * (city % 2)) if ragged else (0, len(WEEKS))
        for row, week in list(enumerate(WEEKS))[first:end]:
            values = [f"{10 + row % 4 + RNG.normal():.3f}" for _ in range(targets)]
            if ragged and row > first and row % 9 == 0:
                values[-1] = ""
            lines.append(",".join([week, *([f"c{city}"] if series > 1 else []), *values]))
    path.write_text("\n".join(lines) + "\n")
    return path


def notes(command: Command, file: Path, run: Path, series: int, targets: int, *flags: object) -> tuple[str, list[str]]:
    """What a forecast says, and its sentences on intervals that there are not."""
    named: list[Any] = ["--target", ",".join(f"t{k}" for k in range(targets)), *(["--id", "city"] * (series > 1))]
    outcome = command("forecast", file, *named, "--model", "naive", *flags, "--out", run)
    assert outcome.code == 0, outcome
    return outcome.out, re.findall(r"No 95 % interval.*", outcome.out)


@pytest.mark.parametrize(
    ("series", "targets", "ragged", "split"),
    [
        (1, 1, False, "126,10"),
        (1, 2, False, "126,10"),
        (1, 3, False, "124,12"),
        (2, 1, False, "102,15"),
        (2, 2, False, "102,15"),
        (3, 2, False, "102,15"),
        (3, 1, True, "110,9"),
        (4, 2, True, "110,9"),
    ],
)
def test_a_split_that_is_advised_gives_the_interval(
    command: Command, tmp_path: Path, series: int, targets: int, ragged: bool, split: str
) -> None:
    file = table(tmp_path / "weeks.csv", series, targets, ragged)
    _, told = notes(command, file, tmp_path / "short", series, targets, "--split", split)
    (advised,) = (
        re.search(r"use more validation rows, such as --split (\S+?)( --horizon \d+)?\.$", line) for line in told
    )
    assert advised is not None, told
    assert int(advised[1].split(",")[1]) > int(split.split(",")[1])
    followed = ["--split", advised[1], *(advised[2] or "").split()]
    assert notes(command, file, tmp_path / "enough", series, targets, *followed)[1] == []


def test_targets_of_the_same_rows_are_no_more_validation_rows(command: Command, tmp_path: Path) -> None:
    file = table(tmp_path / "weeks.csv")
    for split in ("102,30", "90,40"):
        out, (told,) = notes(command, file, tmp_path / split, 1, 2, "--split", split)
        assert told.endswith("that takes about 57 validation rows, which a table of 156 rows can't spare.")
        assert "fitted once more on all 156 rows" in out
        assert "because the table has 156 rows" in out
    panel = table(tmp_path / "panel.csv", 2, 2)
    _, (told,) = notes(command, panel, tmp_path / "panel", 2, 2, "--split", "80,10")
    assert told.endswith("validation rows of each series, which a table of 156 times can't spare.")


def test_a_horizon_that_would_grow_is_named_beside_the_split(command: Command, tmp_path: Path) -> None:
    file = table(tmp_path / "weeks.csv")
    flags = ["--split", "126,30", "--level", 80]
    out, _ = notes(command, file, tmp_path / "run", 1, 2, *flags)
    advised = re.search(r"No 80 % interval.*such as --split (\S+) --horizon (\d+)\.", out)
    assert advised is not None, out
    followed = ["--split", advised[1], "--horizon", advised[2], "--level", 80]
    assert "No 80 %" not in notes(command, file, tmp_path / "enough", 1, 2, *followed)[0]


def test_rows_of_several_targets_are_told_once(command: Command, tmp_path: Path) -> None:
    file, run = table(tmp_path / "weeks.csv", 3), tmp_path / "run"
    rows = file.read_text().splitlines()
    cities = ["region", *("north" if line.split(",")[1] == "c0" else "south" for line in rows[1:])]
    file.write_text("".join(f"{line},{city}\n" for line, city in zip(rows, cities)))
    out, _ = notes(command, file, run, 3, 2, "--horizon", 4)
    assert "fitted once more on all 468 rows" in out
    assert json.loads((run / "run.json").read_text())["data"]["rows"] == 468
    (group,) = [each for each in json.loads((run / "metrics.json").read_text())["groups"] if each["column"] == "region"]
    assert (group["values"], group["series"], group["rows"]) == (["north", "south"], [1, 2], [156, 312])
    new = tmp_path / "new.csv"
    weeks = [str(np.datetime64(WEEKS[-1]) + 7 * row) for row in range(1, 6)]
    new.write_text("week,city,t0,t1,region\n" + "".join(f"{week},c0,11,12,north\n" for week in weeks))
    told = command("update", run, new, "--out", tmp_path / "updated")
    assert "Updated with 5 new rows" in told.out, told


def test_a_short_series_is_told_by_the_rows_to_give(command: Command, refused: Refused, tmp_path: Path) -> None:
    file, run = tmp_path / "days.csv", tmp_path / "run"
    days = [str(np.datetime64("2024-01-01") + row) for row in range(120)]
    file.write_text("day,city,v\n" + "".join(f"{day},Bonn,{10 + i % 7}\n" for i, day in enumerate(days)))
    flags = ("--id", "city", "--target", "v", "--model", "seasonal", "--season", 7)
    assert command("forecast", file, *flags, "--out", run).code == 0
    need = "'seasonal' with a season of 7 rows needs 7 rows without a gap, and there"

    def given(name: str, rows: list[int]) -> str:
        new = tmp_path / "new.csv"
        new.write_text("day,city,v\n" + "".join(f"{days[row]},{name},{row}\n" for row in rows))
        return refused("predict", run, new).removeprefix("error: ").strip()

    assert given("Ulm", [0, 1]) == f"Series 'Ulm': {need} are 2; give 5 more."
    assert given("Ulm", [0]) == f"Series 'Ulm': {need} is 1; give 6 more."
    assert given("Ulm", [0, 1, 2, 30, 31]) == f"Series 'Ulm': {need} are 2 after the last gap; fill it or give 5 more."
    alone = tmp_path / "alone.csv"
    alone.write_text(
        "".join(f"{line.replace(',city', '').replace(',Bonn', '')}\n" for line in file.read_text().split())
    )
    assert command("forecast", alone, *flags[2:], "--out", tmp_path / "alone").code == 0
    few = tmp_path / "few.csv"
    few.write_text("day,v\n2025-01-01,3\n2025-01-02,4\n")
    assert refused("predict", tmp_path / "alone", few).removeprefix("error: ").strip() == f"{need} are 2; give 5 more."
