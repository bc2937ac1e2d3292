"""Short tables: what is not given is made to fit and said; what is given stands, or values that work are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Command, Refused
from hypothesis import given
from hypothesis import strategies as st

from seqloom.app.plan import Plan, plan_for
from seqloom.app.tables import ForecastSettings, Settings
from seqloom.data import Panel
from seqloom.errors import SeqloomError
from seqloom.tasks.forecast import ForecastRun, compare_forecasters

STEPS = {
    "year": ("M8[Y]", 1),
    "quarter": ("M8[M]", 3),
    "month": ("M8[M]", 1),
    "week": ("M8[D]", 7),
    "day": ("M8[D]", 1),
    "hour": ("M8[h]", 1),
    "fifth of a second": ("M8[ms]", 200),
}


def table(rows: int, step: str, series: int = 1, missing: tuple[int, ...] = (), max_fill: int = 24) -> Panel:
    rng = np.random.default_rng(rows)
    kind, each = STEPS[step]
    start = np.datetime64("2012-01-02").astype(kind).astype(np.int64)
    time = (start + each * np.arange(rows)).astype(kind).astype("M8[us]")
    values = 50 + rng.normal(size=rows * series).cumsum()
    values[list(missing)] = np.nan
    ids = np.repeat([f"s{i}" for i in range(series)], rows) if series > 1 else None
    return Panel.from_numpy(values, ["y"], time=np.tile(time, series), id=ids, max_fill=max_fill)


def forecast(panel: Panel, **asked: Any) -> tuple[Plan, ForecastRun]:
    plan = plan_for(Settings(epochs=1, **asked), panel, "y")
    return plan, compare_forecasters(panel, plan.models, plan.parameters, target="y", ahead=plan.ahead)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("rows", [8, 12, 36])
def test_short_tables_of_every_step_are_forecast(rows: int, step: str) -> None:
    plan, run = forecast(table(rows, step))
    assert len(run.table.values) == plan.parameters["horizon"]
    assert np.isfinite(run.table.values).all()
    assert {"naive", "damped-persistence", "linear", "gru"} <= set(run.metrics["models"])
    for part in ("train", "valid", "test"):
        assert run.metrics["windows"][part] >= 1


@pytest.mark.parametrize(
    ("rows", "lookback", "horizon", "season", "split"),
    [
        (8, 1, 1, None, (5, 2)),
        (10, 2, 1, None, (6, 2)),
        (12, 2, 2, None, "0.7,0.15"),
        (15, 3, 2, None, (8, 5)),
        (20, 4, 2, 12, (12, 5)),
        (24, 4, 3, 12, (12, 8)),
        (30, 6, 3, 12, (15, 10)),
        (36, 7, 4, 12, (19, 11)),
        (48, 12, 5, 12, (27, 13)),
        (78, 24, 12, 12, (43, 23)),
        (79, 24, 12, 12, (44, 23)),
        (500, 24, 12, 12, "0.7,0.15"),
    ],
)
def test_lengths_of_months(rows: int, lookback: int, horizon: int, season: int | None, split: object) -> None:
    plan = plan_for(Settings(epochs=1), table(rows, "month"), "y")
    chosen = {name: plan.parameters[name] for name in ("lookback", "horizon", "season", "split")}
    assert chosen == {"lookback": lookback, "horizon": horizon, "season": season, "split": split}
    assert ("seasonal" in plan.models) == (season is not None)
    told = [note for note in plan.notes if note.startswith("Made to fit")]
    assert len(told) == (lookback < 24 or split != "0.7,0.15")
    if rows == 36:
        assert told == [
            "Made to fit: --lookback 7 (instead of 24), --horizon 4 (instead of 12), --split 19,11 (instead of "
            "0.7,0.15), because the table has 36 rows, 19 of them to train on: 5 windows or more are to choose by."
        ]


@pytest.mark.parametrize("rows", [36, 48, 60, 78, 120, 144, 500])
def test_five_windows_choose_where_the_rows_allow_them(rows: int) -> None:
    _, run = forecast(table(rows, "month"))
    assert run.metrics["windows"]["valid_choosing"] >= (4 if rows == 36 else 5)
    assert run.metrics["windows"]["test"] >= 1


def test_fast_sampling_gets_windows_that_fit() -> None:
    plan, run = forecast(table(360, "fifth of a second"))
    assert (plan.parameters["lookback"], plan.parameters["horizon"], plan.parameters["season"]) == (72, 36, None)
    assert plan.parameters["split"] == (247, 59)
    assert run.metrics["windows"]["train"] == 247 - 72 - 36 + 1
    assert any("the usual season of 432,000 rows" in note for note in plan.notes)


def test_the_smallest_table_has_three_rows() -> None:
    plan, run = forecast(table(3, "month"))
    assert plan.parameters["split"] == (2, 1)
    assert len(run.table.values) == 1
    with pytest.raises(SeqloomError, match=r"has 2 rows .* give more rows without gaps, 3 or more"):
        forecast(table(2, "month"))


def test_a_horizon_that_is_given_moves_the_split() -> None:
    plan, run = forecast(table(30, "day"), model="seasonal", horizon="7")
    assert plan.parameters["split"] == (16, 7)
    assert (plan.parameters["lookback"], plan.parameters["season"]) == (1, 7)
    assert any("--split 16,7 (instead of 0.7,0.15)" in note for note in plan.notes)
    assert run.metrics["models"]["seasonal"]["valid"]["windows"] == 1


@pytest.mark.parametrize(
    ("asked", "works"),
    [
        ({"lookback": "24"}, {"lookback": "2", "horizon": "2"}),
        ({"lookback": "9", "horizon": "2"}, {"lookback": "2", "horizon": "2"}),
        ({"split": "0.2,0.2", "lookback": "3"}, {"lookback": "1", "horizon": "1"}),
        ({"split": "0.98,0.01"}, {"lookback": "2", "horizon": "2", "split": "0.7,0.15"}),
    ],
)
def test_values_that_work_are_named(asked: dict[str, str], works: dict[str, str]) -> None:
    panel = table(12, "month")
    with pytest.raises(SeqloomError) as error:
        plan_for(Settings(epochs=1, **asked), panel, "y")
    flags = " ".join(f"--{name} {value}" for name, value in works.items())
    assert str(error.value).endswith(f"These work together: {flags}.")
    _, run = forecast(panel, **{**asked, **works})
    assert len(run.table.values) == int(works["horizon"])


@pytest.mark.parametrize(
    ("asked", "works"),
    [
        ({"horizon": "6"}, {"lookback": 1, "horizon": 3, "split": (6, 3)}),
        ({"lookback": "9", "horizon": "9"}, {"lookback": 9, "horizon": 1, "split": (10, 1)}),
    ],
)
def test_a_horizon_without_windows_is_reached_from_a_shorter_one(asked: dict[str, str], works: dict[str, Any]) -> None:
    panel = table(12, "month")
    plan, run = forecast(panel, model="naive,linear", **asked)
    assert {name: plan.parameters[name] for name in works} == works
    assert len(run.table.values) == plan.ahead == int(asked["horizon"])
    told = f"--horizon {asked['horizon']}: the table has 12 rows, too few to train, choose and score so far ahead"
    assert plan.notes[0].startswith(told)
    assert np.isfinite(run.table.values).all()
    # A network that reads another column can't go on from its own forecasts, so the sentence stays.
    other = Panel.from_numpy(np.random.default_rng(0).normal(size=(12, 2)), ["y", "x"])
    with pytest.raises(SeqloomError, match="These work together"):
        plan_for(Settings(epochs=1, model="linear", inputs="x", **asked), other, "y")
    assert plan_for(Settings(model="naive,drift", inputs="x", **asked), other, "y").ahead == int(asked["horizon"])


def test_a_pooled_network_that_is_too_long_is_told_what_fits() -> None:
    panel = table(36, "month")
    with pytest.raises(SeqloomError, match=r"'conv' needs windows of at least 61 rows.*--channels 32 --kernel-size 3"):
        plan_for(Settings(epochs=1, model="conv"), panel, "y")
    _, run = forecast(panel, model="conv", channels="32", kernel_size=3)
    assert "conv" in run.metrics["models"]


def test_seasons_that_the_rows_are_too_few_for_are_told() -> None:
    panel = table(36, "month")
    plan, _ = forecast(panel, model="theta")
    assert plan.parameters["season"] is None
    assert any("theta: fitted without a season, because there are 19 rows to train on" in note for note in plan.notes)
    plan = plan_for(Settings(model="seasonal"), table(12, "month"), "y")
    assert any("seasonal can't be scored before a season of 12 rows" in note for note in plan.notes)
    plan = plan_for(Settings(epochs=1), table(80, "year"), "y")
    assert any("rows of 1 year have no known season; give one with --season" in note for note in plan.notes)


def test_every_and_at_are_kept() -> None:
    panel = table(36, "month")
    plan, run = forecast(panel, every="3")
    assert (plan.parameters["lookback"] % 3, plan.parameters["horizon"] % 3) == (0, 0)
    assert len(run.table.values) == plan.parameters["horizon"] // 3
    _, run = forecast(panel, at="last", horizon="6")
    assert len(run.table.values) == 1


def test_short_series_of_a_panel() -> None:
    rng = np.random.default_rng(2)
    rows = {"a": 9, "b": 12, "c": 10, "d": 14}
    month = np.concatenate([np.arange(count) + 3 * place for place, count in enumerate(rows.values())])
    panel = Panel.from_numpy(
        rng.normal(20, 3, len(month)),
        ["y"],
        time=(np.datetime64("2012-01") + month).astype("M8[us]"),
        id=np.repeat(list(rows), list(rows.values())),
    )
    plan, run = forecast(panel)
    assert any("because the longest series has 14 rows" in note for note in plan.notes)
    assert set(run.table.ids) == set(rows)
    assert np.isfinite(run.table.values).all()


def test_windows_lost_to_gaps_are_the_reason_that_is_told() -> None:
    holes = tuple(range(20, 168, 11))  # each stays missing where the inputs are read
    plan, _ = forecast(table(168, "month", missing=holes, max_fill=0))
    told = next(note for note in plan.notes if note.startswith("Made to fit"))
    assert told.endswith("because gaps and missing values leave no window of the usual lengths in one of the parts.")


def test_a_few_missing_months_cost_no_window() -> None:
    holes = tuple(range(20, 160, 11))
    plan, run = forecast(table(168, "month", missing=holes), model="naive,linear")
    _, whole = forecast(table(168, "month"), model="naive,linear")
    assert not any(note.startswith("Made to fit") for note in plan.notes)
    for part in ("train", "valid", "test"):
        assert run.metrics["windows"][part] == whole.metrics["windows"][part]
    assert sum(run.metrics["windows"]["dropped"].values()) == 0
    assert [note.split(":")[0] for note in run.metrics["notes"] if "masked" in note] == [
        f"{len(holes)} rows have no measured 'y'"
    ]


@given(
    rows=st.integers(8, 90),
    step=st.sampled_from(list(STEPS)),
    missing=st.lists(st.integers(0, 89), max_size=6),
    asked=st.fixed_dictionaries(
        {},
        optional={
            "lookback": st.integers(1, 60).map(str),
            "horizon": st.integers(1, 40).map(str),
            "every": st.integers(1, 3).map(str),
            "at": st.sampled_from(["path", "last"]),
            "split": st.sampled_from(["0.5,0.25", "0.9,0.05", "5,2", "60,20"]),
        },
    ),
)
def test_a_forecast_or_one_sentence(rows: int, step: str, missing: list[int], asked: dict[str, str]) -> None:
    """Whatever is asked of a table of at least 8 rows: windows in every part, or one sentence."""
    panel = table(rows, step, missing=tuple(row for row in missing if row < rows))
    try:
        plan, run = forecast(panel, model="naive,damped-persistence", **asked)
    except SeqloomError as error:
        assert "\n" not in str(error)  # noqa: PT017
        assert asked or missing, str(error)  # noqa: PT017
        return
    assert run.metrics["windows"]["train"] >= 1
    assert run.metrics["windows"]["valid"] >= 1
    assert np.isfinite(run.table.values).all() or run.table.notes
    for name in ("lookback", "horizon"):
        went_on = name == "horizon" and str(plan.ahead) == asked.get(name)
        assert name not in asked or str(plan.parameters[name]) == asked[name] or went_on


def test_the_command_says_what_it_shortened(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "months.csv"
    file.write_text("month,y\n" + "".join(f"2012-{1 + i:02d},{100 + 7 * i % 13}\n" for i in range(12)))
    run = tmp_path / "run"
    outcome = command("forecast", file, "--model", "naive,linear", "--epochs", 2, "--out", run)
    assert outcome.code == 0
    decisions = {d["text"]: d["what"] for d in json.loads((run / "data.json").read_text())["decisions"]}
    made = next(text for text in decisions if text.startswith("Made to fit: --lookback 2"))
    assert decisions[made] == "setting"
    assert "--target was not given: 'y', the only column of numbers." in decisions
    page = (run / "report.html").read_text()
    assert f'<h3>Chosen for this table</h3><ul class="plain"><li>{made}' in page
    assert "--lookback 2 (instead of 24), --horizon 2 (instead of 12), because the table has 12 rows" in outcome.out


def test_a_backtest_names_the_windows_that_fit(refused: Refused, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "months.csv"
    file.write_text("month,y\n" + "".join(f"2012-{1 + i:02d},{100 + 7 * i % 13}\n" for i in range(12)))
    assert "use at most 3 windows, or a smaller step" in refused("backtest", file, "--model", "naive")
    assert command("backtest", file, "--model", "naive", "--windows", 3).code == 0


def test_statistical_methods_keep_the_rows_that_they_take() -> None:
    plan = plan_for(ForecastSettings(), table(15, "year"), "y")
    assert plan.parameters["split"] == (10, 4)
    assert {"ets", "auto-ets", "theta", "arima"} <= set(plan.models)
    assert "gru" not in plan.models
    assert any("because 3 windows, as many as there can be, are to choose by" in note for note in plan.notes)
    plan, run = forecast(table(15, "year"), model="naive,drift,ets,theta", horizon="3")
    assert plan.parameters["split"] == (12, 3)
    assert np.isfinite(run.table.values).all()
    assert any("which a table of 15 rows can't spare" in note for note in run.metrics["notes"])


def test_one_season_of_training_rows_is_a_season() -> None:
    plan = plan_for(ForecastSettings(preset="fast", horizon="8"), table(118, "week"), "y")
    assert round(plan.parameters["season"]) == 52
    assert {"seasonal", "auto-ets", "auto-theta"} <= set(plan.models)
    assert not any("lookback" in note for note in plan.notes)
    plan = plan_for(ForecastSettings(horizon="8"), table(118, "week"), "y")
    assert any("stl-ets" in note and "needs 114 training rows in a row for a season" in note for note in plan.notes)
    assert plan.parameters["lookback"] >= 13
