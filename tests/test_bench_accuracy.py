"""The harness of docs/accuracy.md: scores against sums by hand, windows, and that a run goes on where it stopped."""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from bench.accuracy import __main__ as program
from bench.accuracy import peers, tables
from bench.accuracy.etth2 import HORIZONS, origins_of
from bench.accuracy.goals import Goal, goals
from bench.accuracy.m4 import m4_record, weeks_of
from bench.accuracy.page import write_page
from bench.accuracy.results import Results
from bench.accuracy.runs import rows_of_test
from bench.accuracy.scores import coverage, geometric_mean, mae, mase, mse, smape
from bench.accuracy.summary import small_summary
from bench.accuracy.tables import Small, Window, read_table, rolling, small_table
from bench.accuracy.work import Means, Work

TEXT = "when,load\n" + "".join(f"2020-01-{day:02d},{day * 1.5}\n" for day in range(1, 31))


def test_scores_are_those_of_sums_written_out() -> None:
    rng = np.random.default_rng(3)
    truth, forecast, history = rng.uniform(1, 9, (3, 5)), rng.uniform(1, 9, (3, 5)), rng.uniform(1, 9, 40)
    truth[1, 2] = np.nan
    pairs = [(t, f) for t, f in zip(truth.ravel().tolist(), forecast.ravel().tolist()) if not math.isnan(t)]
    assert mae(truth, forecast) == pytest.approx(sum(abs(t - f) for t, f in pairs) / 14)
    assert mse(truth, forecast) == pytest.approx(sum((t - f) ** 2 for t, f in pairs) / 14)
    assert smape(truth, forecast) == pytest.approx(sum(200 * abs(t - f) / (t + f) for t, f in pairs) / 14)
    steps = [abs(history[i] - history[i - 4]) for i in range(4, 40)]
    assert mase(truth, forecast, history, 4) == pytest.approx(mae(truth, forecast) / (sum(steps) / 36))
    assert geometric_mean([2.0, 8.0, 4.0]) == pytest.approx(4.0)
    inside = [t for t, f in pairs if f - 1 <= t <= f + 2]
    assert coverage(truth, forecast - 1, forecast + 2) == pytest.approx(100 * len(inside) / 14)


def test_a_step_that_was_not_forecast_is_no_better_than_a_bad_one() -> None:
    with pytest.raises(ValueError, match="a number for every step"):
        mae(np.array([1.0, 2.0]), np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match="shape"):
        mae(np.array([1.0, 2.0]), np.array([1.0]))


def test_windows_end_with_the_table_and_files_hold_nothing_behind_an_origin(tmp_path: Path) -> None:
    path = tmp_path / "load.csv"
    path.write_text(TEXT)
    table = read_table(path, "load", "load")
    windows = rolling(len(table.values), 8)
    assert [window.origin for window in windows] == [14, 16, 18, 20, 22]
    assert windows[-1].origin + windows[-1].horizon == len(table.values)
    for window in windows:
        with table.before(window.origin, tmp_path / "past.csv").open() as file:
            rows = list(csv.reader(file))[1:]
        assert len(rows) == window.origin
        assert [float(row[1]) for row in rows] == table.values[: window.origin].tolist()
        assert table.truth(window)[0] == table.values[window.origin]
        assert len(table.history(window.origin)) == window.origin


def test_a_table_written_newest_first_is_cut_at_its_later_end(tmp_path: Path) -> None:
    header, *lines = TEXT.splitlines()
    path = tmp_path / "load.csv"
    path.write_text("\n".join([header, *lines[::-1]]) + "\n")
    table = read_table(path, "load", "load", newest_first=True)
    past = table.before(5, tmp_path / "past.csv").read_text().splitlines()
    assert past == [header, *lines[:5][::-1]]
    assert table.truth(Window(5, 2)).tolist() == [9.0, 10.5]


def test_a_gap_is_bridged_by_what_came_before_the_origin_alone(tmp_path: Path) -> None:
    path = tmp_path / "load.csv"
    path.write_text("t,y\n1,2\n2,\n3,4\n4,\n5,100\n")
    table = read_table(path, "y", "y")
    assert table.history(3).tolist() == [2, 3, 4]
    assert table.history(4).tolist() == [2, 3, 4, 4]


def test_results_are_kept_resumed_and_put_in_order(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "results.jsonl"
    results = Results(path)
    for window in ("10", "2", "1"):
        results.add(("b", "m", 0, window), {"scores": {"mae": 1 / 3}, "seconds": float("nan")})
    results.add(("a", "m", 0, "1"), {"failed": "no rows"})
    with path.open("a") as file:
        file.write('{"dataset": "b", "method"')  # a kill in the middle of a line
    again = Results(path)
    assert again.has(("b", "m", 0, "10"))
    assert not again.has(("b", "m", 0, "10"), "another commit")
    assert not again.has(("a", "m", 0, "1"))  # which is tried again
    again.add(("b", "m", 0, "2"), {"scores": {"mae": 0.5}})
    again.tidy()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["dataset"], row["window"]) for row in rows] == [("a", "1"), ("b", "1"), ("b", "2"), ("b", "10")]
    assert rows[1] | {"scores": rows[1]["scores"]["mae"]} == {
        "dataset": "b", "method": "m", "seed": 0, "window": "1", "scores": 0.333333, "seconds": None,
    }  # fmt: skip
    assert rows[2]["scores"]["mae"] == 0.5
    path.write_text("not a row\n")
    with pytest.raises(ValueError, match="line 1"):
        Results(path)


def test_a_run_does_what_is_missing_and_again_does_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def run(means: Means, wanted: object) -> dict[str, dict[str, object]]:
        calls.append(list(wanted))  # pyright: ignore[reportArgumentType]  # a sequence of names
        if len(calls) == 1:
            raise RuntimeError("no forecast")
        return {window: {"scores": {"mae": 1.0}, "seconds": 0.1} for window in calls[-1]}

    work = Work("small", "a10", "seqloom", 0, ("1", "2"), run)
    monkeypatch.setattr(program, "every_work", lambda: iter([work]))
    given = ["--kept", str(tmp_path / "kept.jsonl"), "--out", str(tmp_path / "page.md")]
    assert program.main(given) == 1  # which fails, and is told
    assert program.main(given) == 0
    assert program.main(given) == 0  # nothing is left to do
    assert program.main([*given, "--only", "small/elecequip"]) == 0
    assert program.main([*given, "--only", "small/a10", "--again"]) == 0
    assert calls == [["1", "2"], ["1", "2"], ["1", "2"]]
    assert (tmp_path / "page.md").read_text().startswith("# How good the forecasts are")


def test_the_summary_compares_on_common_tables() -> None:
    errors = {
        "AutoARIMA": {"a10": 1.0, "austa": 2.0, "taylor": 9.0},
        "AutoETS": {"a10": 2.0, "austa": 2.0},
        "seqloom": {"a10": 0.5, "austa": 4.0},
    }
    said = small_summary(errors)
    assert (said["best"], said["tables"]) == ("AutoARIMA", ["a10", "austa"])
    count, mean, hindsight, worst = said["relative"]["seqloom"]
    assert (count, worst) == (2, 2.0)
    assert mean == hindsight == pytest.approx(1.0)


def test_every_small_table_is_there_and_long_enough() -> None:
    folder = tables.data_folder()
    if not (folder / "forecasting").is_dir():
        pytest.skip("SEQLOOM_DATA names no folder with the tables for forecasts")
    assert len(tables.SMALL) == 15
    for name, entry in {**tables.SMALL, **tables.TOLD}.items():
        table, windows = small_table(name, folder)
        assert windows[0].origin >= 2 * entry.season
        assert all(np.isfinite(table.truth(window)).any() for window in windows)
    assert isinstance(tables.SMALL["austa"], Small)
    train, test = tables.m4_weekly(folder)
    assert (len(train), {len(rows) for rows in test.values()}) == (359, {13})
    assert len(tables.etth2(folder).values) == 14400


def test_weekly_series_are_scored_as_m4_scores_them() -> None:
    rng = np.random.default_rng(5)
    train = [rng.uniform(1, 9, rows) for rows in (30, 80)]
    truth, values = rng.uniform(1, 9, (2, 13)), rng.uniform(1, 9, (2, 13))
    scores = m4_record(train, truth, values, {"80": (values - 0.5, values + 0.5)})["scores"]
    each = [sum(abs(truth[i] - values[i])) / 13 / (sum(abs(np.diff(train[i]))) / (len(train[i]) - 1)) for i in range(2)]
    assert scores["mase"] == pytest.approx(sum(each) / 2)
    assert scores["smape"] == pytest.approx(np.mean(200 * abs(truth - values) / (truth + values)))
    inside = (abs(truth - values) <= 0.5).mean(axis=1)
    assert scores["below_half_80"] == pytest.approx(100 * np.mean(inside < 0.4))
    weeks = weeks_of({"a": train[0], "b": train[1]})
    assert (len(weeks), weeks[-1], weeks[-2]) == (80, "2019-12-30", "2019-12-23")


def test_the_windows_of_etth2_lie_in_the_test_rows() -> None:
    for horizon in HORIZONS:
        origins = origins_of(horizon)
        assert (origins[0], origins[-1] + horizon, len(origins)) == (11520, 14400, 2881 - horizon)


def test_what_a_run_calls_actual_is_held_to_the_table(tmp_path: Path) -> None:
    path = tmp_path / "load.csv"
    path.write_text(TEXT)
    table = read_table(path, "load", "load")
    said = tmp_path / "predictions.csv"
    head = "split,origin,step,time,actual,naive,gru\n"
    said.write_text(f"{head}valid,,1,2020-01-02,3,0,0\ntest,,1,2020-01-04,6.0,5,7\ntest,,2,2020-01-05,7.5,5,8\n")
    truth, values = rows_of_test(said, "gru", table)
    assert (truth.tolist(), values.tolist()) == ([6.0, 7.5], [7.0, 8.0])
    said.write_text(f"{head}test,,1,2020-01-04,7.5,5,7\n")  # shifted by a row
    with pytest.raises(ValueError, match=r"expected 6.0 at 2020-01-04"):
        rows_of_test(said, "gru", table)


def test_peers_answer_by_files_and_get_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "HERE", tmp_path)
    (tmp_path / "statistical_worker.py").write_text(
        "import json, sys, pathlib, numpy as np\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "job = json.loads((folder / 'job.json').read_text())\n"
        "arrays = np.load(folder / 'job.npz')\n"
        "last = np.array([[arrays[name][-1]] * job['horizon'] for name in arrays.files])\n"
        "np.savez(folder / 'answer.npz', forecasts=last)\n"
        "facts = {'seen': sorted(job), 'rows': [len(arrays[name]) for name in arrays.files]}\n"
        "(folder / 'answer.json').write_text(json.dumps(facts))\n"
    )
    job = peers.StatisticalJob("AutoETS", [np.arange(5.0), np.arange(9.0)], season=1, horizon=2)
    found, facts = peers.ask(Path(sys.executable), job)
    assert found["forecasts"].tolist() == [[4, 4], [8, 8]]
    assert facts == {"seen": ["horizon", "levels", "method", "season", "threads"], "rows": [5, 9]}
    (tmp_path / "statistical_worker.py").write_text("raise SystemExit('no such method')\n")
    with pytest.raises(RuntimeError, match="no such method"):
        peers.ask(Path(sys.executable), job)


def test_the_page_shows_every_group_and_its_losses(tmp_path: Path) -> None:
    results = Results(tmp_path / "kept.jsonl")
    for method, error in (("AutoETS", 1.0), ("AutoTheta", 2.0), ("seqloom", 3.0)):
        for window in "12345":
            record = {"scores": {"mae": error, "within_80": 70.0}, "cpu": 1.0, "commit": "abc"}
            results.add(("a10", method, 0, window), record)
    for seed in range(2):
        record = {"scores": {"smape": 6.0 + seed, "mase": 2.0}, "cpu": 60.0, "commit": "abc", "chosen": "gru"}
        results.add(("m4_weekly", "seqloom", seed, "test"), record)
    results.add(("etth2-24", "last value", 0, "test"), {"scores": {"mse": 0.25, "mae": 0.5}, "cpu": 0.0})
    results.add(("case-55", "seqloom --model gru", 0, "test"), {"failed": "no rows | at all", "commit": "abc"})
    write_page(results, tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text()
    assert "| seqloom | 1 | 3.000 | 3.000 | 3.00 | 70 % | – | 1 |" in text
    assert "| seqloom | 6.5 ± 0.71 | 2 | – | – | 60 | gru |" in text
    assert "| last value | 0.25 | 0.5 | – | – | 0 |  |" in text
    assert "no rows \\| at all" in text


def test_goals_are_met_missed_or_not_measured(tmp_path: Path) -> None:
    results = Results(tmp_path / "kept.jsonl")
    for seed, error in enumerate((0.5, 0.6)):
        results.add(("co2-run", "seqloom --model gru", seed, "test"), {"scores": {"mae": error}})
    results.add(("intervals-co2", "seqloom", 0, "rolling"), {"scores": {"within_80": 84.0, "within_95": 91.0}})
    said = {goal.what: goal for goal in goals(results)}
    assert said["CO2, GRU: test MAE of the worst seed"] == Goal("CO2, GRU: test MAE of the worst seed", None, 0.55, 0.6)
    assert said["CO2, GRU: test MAE of the worst seed"].met is False
    assert said["rolling origins, co2: percent inside the 80 % interval"].met is True
    assert said["rolling origins, co2: percent inside the 95 % interval"].met is False
    assert said["M4 weekly, seqloom: sMAPE"].met is None
    assert said["M4 weekly, seqloom: sMAPE"].wanted == "≤ 6.5"
    assert said["100 steps of a GRU: the faster peer's time over ours"].wanted == "≥ 3"
