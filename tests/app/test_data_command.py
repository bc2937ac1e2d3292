"""`seqloom data`: the quality report on the screen and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from command_line import Command, Refused


def test_a_clean_table(command: Command, hourly: Path) -> None:
    shown = command("data", hourly)
    assert (shown.code, shown.err) == (0, "")
    first = "Times: 'time'; another column can be named (--time), --time none counts rows.\nhourly.csv: 400 rows, "
    assert shown.out.startswith(f"{first}2 columns, one row every hour, from ")
    assert "Nothing missing, nothing repeated, nothing repaired." in shown.out
    head, first, second = shown.out.splitlines()[-3:]
    assert head.split() == ["column", "missing", "filled", "min", "max", "mean"]
    assert first.startswith("load (MW)  ")
    assert second.split()[:3] == ["wind", "0", "0"]
    points = [[i for i, sign in enumerate(line) if sign == "."] for line in (first, second)]
    assert points[0] == points[1]  # the decimal points stand under each other


def test_findings_with_line_and_column(command: Command, hourly: Path) -> None:
    lines = hourly.read_text().splitlines()
    lines[7] = lines[7].rsplit(",", 1)[0] + ","
    lines[20] = lines[20].rsplit(",", 1)[0] + ",-9999"
    del lines[40]
    lines.insert(60, lines[60])
    hourly.write_text("\n".join(lines) + "\n")
    shown = command("data", hourly)
    assert "line 8" in shown.out
    assert "-9999" in shown.out
    found = json.loads(command("data", hourly, "--json").out)
    assert {finding["kind"] for finding in found["findings"]} == {"missing", "sentinel", "gap", "duplicate"}
    example = next(f for f in found["findings"] if f["kind"] == "missing")["examples"][0]
    assert (example["row"], example["column"]) == (8, "wind")
    assert found["time"] == "time"
    named = json.loads(command("data", hourly, "--json", "--missing", "-9999", "--max-fill", 0).out)
    assert named["columns"][1]["missing"] == 2
    assert named["columns"][1]["filled"] == 0
    assert named["columns"][1]["min"] > -9999


def test_how_the_file_is_read(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_bytes(
        "Zeit;Ort;Höhe\n2024-01-01;a;1,5\n2024-01-02;a;2,5\n2024-01-01;b;3\n2024-01-02;b;7\n".encode("cp1252")
    )
    flags = ("--time", "Zeit", "--id", "Ort", "--encoding", "cp1252", "--decimal", ",", "--time-zone", "Europe/Berlin")
    found = json.loads(command("data", path, *flags, "--json").out)
    assert (found["series"], found["frequency"]) == (2, "1 day")
    assert found["columns"][0]["name"] == "Höhe"
    assert found["columns"][0]["mean"] == 3.5
    assert "Times:" not in command("data", path, *flags).out


def test_rows_are_counted_without_times(command: Command, tmp_path: Path) -> None:
    (tmp_path / "steps.csv").write_text("x\n5\n5\n5\n")
    shown = command("data", tmp_path / "steps.csv")
    assert "No column of times was found, so rows are counted; one can be named (--time)." in shown.out
    assert shown.out.rstrip().endswith("constant")


def test_bad_tables(refused: Refused, hourly: Path) -> None:
    assert "Did you mean 'time'" in refused("data", hourly, "--time", "tim")
    assert "--max-fill" in refused("data", hourly, "--max-fill", -1)
    assert "Europe/Berlin" in refused("data", hourly, "--time-zone", "Europe/Berln")
    hourly.write_text(hourly.read_text().replace("wind", "load (MW)"))
    assert "both named 'load (MW)'" in refused("data", hourly)


def test_a_constant_column_is_not_offered_as_a_target(command: Command, tmp_path: Path) -> None:
    rows = "".join(f"2024-01-{day:02},1,{day},{day * day % 7}\n" for day in range(1, 25))
    (tmp_path / "log.csv").write_text("time,firmware,heat,load\n" + rows)
    assert "--target heat, several heat,load, all '*'" in command("data", tmp_path / "log.csv").out
