"""Several targets at the command line: what is printed, written, resumed and refused, and the page."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import TINY, Command, Refused

MODELS = (*TINY[2:], "--model", "naive,linear", "--epochs", 1)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three columns of unlike units, one with a comma in its name, and a plan; the last rows give the plan alone."""
    rng = np.random.default_rng(7)
    hours = np.arange(240)
    times = np.datetime_as_string(np.datetime64("2024-01-01") + hours.astype("timedelta64[h]"), unit="m")
    beat = np.sin(2 * np.pi * hours / 24)
    path = tmp_path_factory.mktemp("targets") / "wide.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "load, north (MW)", "heat", "plan", "note"])
        for hour, time in enumerate(times):
            measured = [f"{50 + 10 * beat[hour] + rng.normal():.2f}", f"{3e4 + 900 * rng.normal():.1f}"]
            writer.writerow([time, *(measured if hour < 230 else ["", ""]), hour % 5, "ab"[hour % 2]])
    return path


@pytest.fixture(scope="module")
def run(table: Path, command: Command, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run of two targets, and what it printed."""
    out = tmp_path_factory.mktemp("run") / "out"
    said = command("forecast", table, *MODELS, "--target", "load,, north (MW),heat", "--future", "plan", "--out", out)
    assert (said.code, said.err) == (0, "")
    return out, said.out


def test_what_is_said_and_written(run: tuple[Path, str]) -> None:
    out, said = run
    assert "2 targets ('load, north (MW)', 'heat'): one model forecasts each from its own past and 'plan'" in said
    assert "--scaling pooled" in said
    assert "MAE on test, each target in its own unit\ntarget" in said
    with (out / "forecast.csv").open() as file:
        rows = list(csv.DictReader(file))
    sides = ["", "_low_80", "_high_80"]
    assert list(rows[0]) == ["time", *(f"load, north (MW){e}" for e in sides), *(f"heat{e}" for e in sides)]
    assert [row["time"] for row in rows] == [f"2024-01-10T{hour}:00:00" for hour in (14, 15, 16)]
    metrics = json.loads((out / "metrics.json").read_text())
    assert [(t["name"], t["unit"]) for t in metrics["targets"]] == [("load, north (MW)", "MW"), ("heat", None)]
    assert (metrics["target"], metrics["unit"]) == ("load, north (MW), heat", "σ")
    with (out / "predictions.csv").open() as file:
        found = list(csv.DictReader(file))
    assert {row["target"] for row in found} == {"load, north (MW)", "heat"}
    errors = [abs(float(r["actual"]) - float(r["naive"])) for r in found if r["split"] == "test" and r["id"] == "heat"]
    assert metrics["targets"][1]["models"]["naive"]["test"]["mae"] == pytest.approx(np.mean(errors))
    decisions = json.loads((out / "data.json").read_text())["decisions"]
    assert "targets" in {decision["what"] for decision in decisions}


def test_the_page_has_a_table_and_charts_of_each(run: tuple[Path, str]) -> None:
    out, _ = run
    page = re.sub("<script.*?</script>", "", (out / "report.html").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert page.count('class="scores"') == 3
    for name in ("load, north (MW)", "heat"):
        assert f"<h3>{name}</h3>" in page
        for heading in ("Forecast", "Residuals", "Forecasts and actual values on the test set"):
            assert f"{heading}: {name}" in page
    names = {path.name for path in (out / "charts").iterdir()}
    assert {"forecast_1_load_north_mw.png", "forecast_2_heat.png", "residuals_over_time_2_heat.png"} <= names
    assert "could not be drawn" not in page


def test_a_run_goes_on_and_its_model_predicts(
    run: tuple[Path, str], table: Path, command: Command, refused: Refused
) -> None:
    out, _ = run
    written = (out / "forecast.csv").read_bytes()
    again = command("forecast", "--resume", out)
    assert (again.code, again.err) == (0, "")
    assert (out / "forecast.csv").read_bytes() == written
    found = json.loads(command("predict", out, table, "--json").out)
    assert found["target"] == ["load, north (MW)", "heat"]
    with (out / "forecast.csv").open() as file:
        assert [float(row["heat"]) for row in csv.DictReader(file)] == [row["heat"] for row in found["forecast"]]
    shown = command("inspect", out).out
    assert "target:       load, north (MW), heat\n" in shown
    lines = table.read_text().splitlines()
    short = out.parent / "short.csv"
    short.write_text("\n".join([*lines[:231], ",".join([*lines[231].split(",")[:3], "", "a"])]) + "\n")
    assert "line 232, column 'plan': expected a value that is known in advance" in refused("predict", out, short)


def test_backtest(table: Path, command: Command) -> None:
    call = ("backtest", table, *MODELS, "--target", "*", "--windows", 2, "--inputs", "plan")
    found = json.loads(command(*call, "--json").out)
    assert found["target"] == ["load, north (MW)", "heat"]
    naive = found["models"]["naive"]["targets"]
    assert naive["heat"]["mae"] > 100 > 20 > naive["load, north (MW)"]["mae"]
    assert "heat, in its own unit:\nmodel" in command(*call).out


def test_the_data_names_what_can_be_forecast(table: Path, command: Command) -> None:
    said = command("data", table).out
    assert "To forecast one column say --target 'load,, north (MW)', several 'load,, north (MW),heat', all '*'." in said


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--target", "heat,hea"), "No column is named 'hea'. Did you mean 'heat'"),
        (("--target", "heat,time"), "--target: 'time' holds the times; name a column of numbers."),
        (("--target", "heat,note"), "line 2, column 'note': expected a number, got 'a'"),
        (("--target", "heat,heat"), "--target: 'heat' is named twice; name each column once."),
        (("--target", "heat,plan", "--future", "plan"), "--future: 'plan' is a target"),
        (("--target", ","), "--target: expected the name of a column, or several with commas between, got ','."),
        ((), "several, as --target 'load,, north (MW),heat', or all: --target '*'."),
    ],
)
def test_targets_that_cannot_be(flags: tuple[str, ...], words: str, table: Path, refused: Refused) -> None:
    assert words in refused("forecast", table, *MODELS, *flags)


def test_a_name_with_a_comma_is_still_one_column(tmp_path: Path, table: Path, command: Command) -> None:
    said = command("forecast", table, *MODELS, "--target", "load, north (MW)", "--inputs", "plan", "--json")
    assert json.loads(said.out)["target"] == "load, north (MW)"
