"""`seqloom forecast`: every flag, what is printed, what is written, and what is not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import TINY, Command

NAIVE = (*TINY, "--model", "naive")


def forecast_json(command: Command, *arguments: object) -> dict[str, Any]:
    outcome = command("forecast", *arguments, "--json")
    assert outcome.code == 0, outcome
    assert not outcome.err
    return json.loads(outcome.out)


@pytest.fixture
def stations(tmp_path: Path) -> Path:
    """Two series of 160 hours around a clock change, with a column known in advance and cells marked -9999."""
    rng = np.random.default_rng(9)
    lines = ["when;station;load;holiday;wind"]
    for name in ("north", "south"):
        for hour in range(160):
            time = np.datetime_as_string(np.datetime64("2024-03-27T00") + np.timedelta64(hour, "h"), unit="m")
            if time == "2024-03-31T02:00":
                continue  # never on the clocks of Berlin
            load = -9999 if hour in (20, 50) else round(50 + 10 * np.sin(hour / 24 * 2 * np.pi) + rng.normal(), 2)
            lines.append(
                f"{time};{name};{str(load).replace('.', ',')};{int(hour % 7 == 0)};{rng.uniform():.2f}".replace(
                    ".", ","
                )
            )
    path = tmp_path / "stations.csv"
    path.write_text("\n".join(lines) + "\n", encoding="latin-1")
    return path


def test_every_flag(command: Command, stations: Path, tmp_path: Path, no_report: None) -> None:
    run = tmp_path / "run"
    models = "naive,seasonal,drift,mean,damped-persistence,linear,dense,rnn,gru,lstm,conv,conv-gru,tcn"
    flags = f"""--target load --time when --id station --inputs load,wind --future holiday
        --lookback 12h --horizon 4h --every 2h --at path --season 24h --split 0.6,0.25 --level 60
        --time-zone Europe/Berlin --missing -9999 --max-fill 3 --encoding latin-1 --decimal ,
        --model {models} --anchor seasonal --calendar --units 4 --layers 2 --bidirectional
        --input-dropout .1 --recurrent-dropout .1 --between-dropout .1
        --channels 4,3 --kernel-size 2 --pool-size 2 --epochs 1 --steps-per-epoch 2 --batch-size 16
        --learning-rate .01 --optimizer adamw --loss huber --patience 2 --seed 3 --threads 1 --quiet""".split()
    outcome = command("forecast", stations, *flags, "--out", run)
    assert outcome.code == 0, outcome
    assert not outcome.err
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["lookback"], metrics["horizon"], metrics["every"], metrics["at"]) == (12, 4, 2, "path")
    assert set(metrics["models"]) == set(models.split(","))
    assert {model["kind"] for model in metrics["models"].values()} == {"baseline", "network"}
    assert all(metrics["models"][name]["anchor"] == "seasonal" for name in ("linear", "gru"))
    assert metrics["inputs"][:2] == ["load", "wind"]
    assert len(metrics["inputs"]) > 2  # the calendar
    assert set(metrics["models"]["gru"]["test"]["coverage"]) == {"60"}
    record = json.loads((run / "run.json").read_text())
    settings = record["settings"]
    assert (record["seed"], record["threads"]) == (3, 1)
    for name, value in {"data": str(stations), "split": "0.6,0.25", "future": "holiday", "calendar": True}.items():
        assert settings[name] == value
    for name, value in {"optimizer": "adamw", "loss": "huber", "batch_size": 16, "recurrent_dropout": 0.1}.items():
        assert settings[name] == value
    assert not {"out", "resume", "json", "quiet", "threads"} & set(settings)
    head, *rows = (run / "forecast.csv").read_text().splitlines()
    assert head == "id,time,load,low_60,high_60"
    assert [row.split(",")[0] for row in rows] == ["north", "north", "south", "south"]
    assert "+02:00" in rows[0]


def test_point_target_rmsprop_and_automatic_anchor(command: Command, hourly: Path) -> None:
    flags = ("--target", "load (MW)", "--lookback", 12, "--horizon", 6, "--every", 3, "--at", "last", "--threads", 1)
    more = ("--model", "linear", "--anchor", "auto", "--optimizer", "rmsprop", "--loss", "quantile", "--epochs", 1)
    found = forecast_json(command, hourly, *flags, *more, "--season", "23.5")
    assert len(found["forecast"]) == 1
    assert any("anchor 'auto' trained 3 networks" in note for note in found["notes"])
    assert found["models"]["linear"]["anchor"] in ("last", "none", "seasonal")


def test_json_holds_metrics_forecast_and_what_was_assumed(command: Command, hourly: Path) -> None:
    found = forecast_json(command, hourly, *NAIVE)
    assert list(found["models"]) == ["naive"]
    assert found["unit"] == "MW"
    assert found["out"] is None
    assert found["data"][0].startswith("hourly.csv: 400 rows")
    last = hourly.read_text().splitlines()[-1].split(",")
    assert [row["time"] for row in found["forecast"]] == [f"2024-01-17T{hour}:00:00" for hour in (16, 17, 18)]
    assert {row["load (MW)"] for row in found["forecast"]} == {float(last[1])}
    row = found["forecast"][0]
    assert row["low_95"] < row["low_80"] < row["load (MW)"] < row["high_80"] < row["high_95"]
    assert found["assumed"] == [
        "--time was not given: 'time' holds the times.",
        "Not given and chosen for rows of 1 hour: --season 24.",
    ]


def test_quiet_prints_the_table_alone(command: Command, hourly: Path) -> None:
    loud, quiet = (command("forecast", hourly, *NAIVE, *flags) for flags in ((), ("--quiet",)))
    assert quiet.out.startswith("Validation (")
    assert quiet.out.endswith(
        "* best of the column   > selected by mean absolute error on the first two thirds of the validation set\n"
    )
    assert quiet.out in loud.out
    before, after = loud.out.split(quiet.out)
    assert "hourly.csv: 400 rows" in before
    assert "Forecast of load (MW) by naive:\ntime" in after
    assert not quiet.err


def test_without_out_nothing_is_written(
    command: Command, hourly: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    before = sorted(tmp_path.rglob("*"))
    outcome = command("forecast", hourly, *TINY, "--model", "linear", "--epochs", 1)
    assert outcome.code == 0
    assert sorted(tmp_path.rglob("*")) == before
    assert outcome.out.endswith("Nothing was kept, because no --out folder was given.\n")


def test_out_says_where_everything_is(command: Command, hourly: Path, no_report: None, tmp_path: Path) -> None:
    run = tmp_path / "deep" / "run"
    outcome = command("forecast", hourly, *NAIVE, "--out", run)
    assert outcome.code == 0
    assert outcome.out.endswith(
        f"Report: {run}/report.html\nEverything else (metrics, forecast, predictions, model): {run}\n"
    )
    names = {"run.json", "data.json", "metrics.json", "history.csv", "predictions.csv", "forecast.csv", "model"}
    assert names <= set(os.listdir(run))
    assert "2024-01-17T16:00:00" in (run / "forecast.csv").read_text()


@pytest.mark.parametrize(("split", "valid", "test"), [("0.6,0.2", 78, 78), ("300,60", 58, 38), ("300,100", 98, 0)])
def test_split_in_fractions_and_rows(command: Command, hourly: Path, split: str, valid: int, test: int) -> None:
    found = forecast_json(command, hourly, *NAIVE, "--split", split)
    assert (found["windows"]["valid"], found["windows"]["test"]) == (valid, test)
    if not test:
        shown = command("forecast", hourly, *NAIVE, "--split", split)
        assert shown.code == 0
        assert "Test (0 windows)" in shown.out


def test_threads_are_used_recorded_and_given_back(
    command: Command, hourly: Path, no_report: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, used = torch.get_num_threads(), []
    monkeypatch.setattr("seqloom.report.build", lambda folder: used.append(torch.get_num_threads()))
    flags = [flag for flag in NAIVE if flag not in ("--threads", "1")]
    assert command("forecast", hourly, *flags, "--threads", 3, "--out", tmp_path / "run").code == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["threads"] == 3
    assert used == [3]
    assert torch.get_num_threads() == before


def test_bundled_series(command: Command) -> None:
    outcome = command("forecast", "--model", "naive")
    assert outcome.code == 0
    assert "this is the weekly CO2 series at Mauna Loa that statsmodels bundles" in outcome.out
    assert "CO2 at Mauna Loa: 2,284 rows, 1 column, one row every week, from 1958-03-29 to 2001-12-29." in outcome.out
    assert "--lookback 104, --horizon 52, --season 52.1786" in outcome.out
    assert "target steps are masked, which neither the loss nor a score counts; their windows stay." in outcome.out
    assert "… and 40 more rows; --json prints them all" in outcome.out


def test_columns_known_in_advance_that_end_with_the_data(command: Command, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    holiday = rng.uniform(size=300) < 0.3
    load = 50 + 10 * holiday + rng.normal(0, 0.5, 300)
    rows = [f"{np.datetime64('2024-01-01T00') + hour},{load[hour]:.2f},{int(holiday[hour])}" for hour in range(300)]
    rows = [row.replace(",", ":00,", 1) for row in rows]
    flags = ("--target", "load", "--future", "holiday", "--lookback", 6, "--horizon", 3, "--threads", 1)
    train = ("--model", "linear", "--epochs", 60, "--learning-rate", 0.02)
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["time,load,holiday", *rows]) + "\n")
    found = forecast_json(command, path, *flags, *train)
    assert (found["best"], found["forecast"]) == ("linear", [])
    shown = command("forecast", path, *flags, *train)
    assert "No forecast past the end of the data: columns known in advance (holiday)" in shown.out
    assert "Forecast of load" not in shown.out
    ahead = [f"2024-01-13T{12 + hour}:00,,{hour % 2}" for hour in range(3)]
    path.write_text("\n".join(["time,load,holiday", *rows, *ahead]) + "\n")
    values = [row["load"] for row in forecast_json(command, path, *flags, *train)["forecast"]]
    assert values == pytest.approx([50, 60, 50], abs=3)


def test_resuming_a_finished_run_changes_nothing(
    command: Command, trained: Path, no_report: None, tmp_path: Path
) -> None:
    files = {path.relative_to(trained): path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    outcome = command("forecast", "--resume", trained, "--quiet", "--epochs", 40)  # a flag that says the same is fine
    assert outcome.code == 0, outcome
    for path, content in files.items():
        if path.name != "run.json":
            assert (trained / path).read_bytes() == content, path


def test_resuming_with_other_threads_is_told(command: Command, trained: Path, no_report: None, tmp_path: Path) -> None:
    outcome = command("forecast", "--resume", trained, "--threads", 2)
    assert outcome.code == 0, outcome
    assert "goes on with 2 torch threads, the saved part had 1" in outcome.err
