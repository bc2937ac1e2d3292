"""Files of every kind that people have give the same forecast."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from command_line import TINY, Command


def forecast(command: Command, path: Path, *flags: object) -> list[dict[str, Any]]:
    outcome = command("forecast", path, *TINY, "--model", "linear", "--epochs", 1, *flags, "--json")
    assert outcome.code == 0, outcome
    return json.loads(outcome.out)["forecast"]


@pytest.fixture
def wanted(command: Command, hourly: Path) -> list[dict[str, Any]]:
    return forecast(command, hourly)


def test_other_separators_marks_and_packing(
    command: Command, tmp_path: Path, hourly_text: str, wanted: list[dict[str, Any]]
) -> None:
    semicolon = hourly_text.replace(",", ";").replace(".", ",")
    german = "".join(
        line if number == 0 else f"{line[8:10]}.{line[5:7]}.{line[:4]} {line[11:16]}:00{line[16:]}"
        for number, line in enumerate(semicolon.splitlines(keepends=True))
    )
    cases: dict[str, tuple[bytes, tuple[object, ...]]] = {
        "bom.csv": (b"\xef\xbb\xbf" + german.encode(), ("--decimal", ",")),
        "tab.tsv": (hourly_text.replace(",", "\t").encode(), ()),
        "packed.csv.gz": (gzip.compress(hourly_text.encode()), ()),
        "wide.csv": (hourly_text.encode("utf-16"), ("--encoding", "utf-16")),
    }
    for name, (content, flags) in cases.items():
        (tmp_path / name).write_bytes(content)
        assert forecast(command, tmp_path / name, *flags) == wanted, name


def test_latin_1(command: Command, tmp_path: Path, hourly_text: str, wanted: list[dict[str, Any]]) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(hourly_text.replace("load (MW)", "T (°C)").encode("latin-1"))
    found = forecast(command, path, "--encoding", "latin-1", "--target", "T (°C)")
    assert [row["T (°C)"] for row in found] == [row["load (MW)"] for row in wanted]


def test_parquet(command: Command, tmp_path: Path, hourly: Path, wanted: list[dict[str, Any]]) -> None:
    pl.read_csv(hourly, try_parse_dates=True).write_parquet(tmp_path / "hourly.parquet")
    assert forecast(command, tmp_path / "hourly.parquet") == wanted


def run_json(command: Command, *arguments: object) -> dict[str, Any]:
    outcome = command("forecast", *arguments, "--model", "naive,linear", "--epochs", 2, "--threads", 1, "--json")
    assert outcome.code == 0, outcome
    return json.loads(outcome.out)


def test_months(command: Command, data_dir: Path) -> None:
    found = run_json(command, data_dir / "classic_series" / "AirPassengers.csv", "--time", "Month")
    assert (found["target"], found["step_label"], found["lookback"], found["horizon"]) == (
        "#Passengers",
        "1 month",
        24,
        12,
    )
    assert [row["time"] for row in found["forecast"]] == [f"1961-{month:02}-01" for month in range(1, 13)]
    assert "--time" not in "".join(found["assumed"])
    assert found["models"]["naive"]["test"]["mae"] == pytest.approx(76.7727, abs=1e-4)


def test_rows_without_times(command: Command, data_dir: Path) -> None:
    flags = ("--target", "DAX", "--inputs", "*", "--horizon", 5)
    found = run_json(command, data_dir / "classic_series" / "EuStockMarkets.csv", *flags)
    assert (found["step_label"], found["lookback"]) == ("1 step", 24)
    assert found["inputs"][:4] == ["DAX", "SMI", "CAC", "FTSE"]
    assert [row["time"] for row in found["forecast"]] == [str(1860 + step) for step in range(5)]
    assert "--time was not given: the rows are steps without times." in found["assumed"]


def test_a_long_series_of_months(command: Command, data_dir: Path) -> None:
    found = run_json(command, data_dir / "classic_series" / "monthly-sunspots.csv", "--season", "11y")
    assert found["target"] == "Sunspots"
    assert sum(found["windows"][part] for part in ("train", "valid", "test")) > 2500
