"""Errors by series and by group of a comparison on a panel: against polars on predictions.csv, and odd panels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pl = pytest.importorskip("polars")

from seqloom.data import Panel  # noqa: E402
from seqloom.diagnostics import TargetHistory, mase_scale, rmsse_scale  # noqa: E402
from seqloom.tasks import Forecaster, compare_forecasters  # noqa: E402
from seqloom.tasks.forecast.by_series import errors_by_series, scales_by_series  # noqa: E402
from seqloom.tasks.forecast.panel_errors import PanelErrors  # noqa: E402

NAMES = ('a "quoted"; name', "<b>bold</b>", "x" * 300, "d,e", "fünf", "six", "seven", "eight")
SETTINGS = {"lookback": 8, "horizon": 3, "season": 7, "levels": (80,)}


def table(seed: int = 0, lengths: tuple[int, ...] = (120, 90, 120, 100, 120, 110, 120, 60)) -> Any:
    """A table of eight series of unequal lengths and scales, with two static columns of words and one of numbers."""
    rng = np.random.default_rng(seed)
    frames = []
    for place, (name, rows) in enumerate(zip(NAMES, lengths)):
        time = np.datetime64("2024-01-01") + np.arange(120 - rows, 120)
        values = 10.0 ** (place % 3) * (5 + np.sin(np.arange(rows) / 7 * 2 * np.pi) + rng.normal(0, 0.4, rows))
        shop = ["north", "south & <sea>", None][place % 3]
        frames.append(
            pl.DataFrame(
                {
                    "id": [name] * rows,
                    "time": time,
                    "sales": values,
                    "shop": pl.Series([shop] * rows, dtype=pl.String),
                    "size": [float(place) ** 2] * rows,
                }
            )
        )
    return pl.concat(frames)


def panel_of(frame: Any) -> Panel:
    return Panel.from_frame(frame, time="time", id="id")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path, Any]:
    folder, frame = tmp_path_factory.mktemp("groups") / "run", table()
    settings = {**SETTINGS, "scaling": "series"}
    found = compare_forecasters(
        panel_of(frame), ["seasonal", "mean"], settings, target="sales", source={"time": "time", "id": "id"},
        directory=folder,
    )  # fmt: skip
    return found, folder, frame


def test_series_and_groups_are_those_of_the_predictions(run: tuple[Any, Path, Any]) -> None:
    found, folder, frame = run
    best = found.metrics["best"]
    made = pl.read_csv(folder / "predictions.csv").filter(pl.col("split") == "test").drop_nulls("actual")
    made = made.with_columns(error=pl.col(best) - pl.col("actual"), naive_error=pl.col("naive") - pl.col("actual"))
    static = frame.group_by("id").agg(pl.col("shop").first(), pl.col("size").first(), rows=pl.len())
    own = made.group_by("id").agg(
        steps=pl.len(),
        mae=pl.col("error").abs().mean(),
        rmse=(pl.col("error") ** 2).mean().sqrt(),
        bias=pl.col("error").mean(),
        naive_mae=pl.col("naive_error").abs().mean(),
    )
    expected = static.join(own, on="id", how="left").sort("id")
    written = pl.read_csv(folder / "series.csv").sort("id")
    assert written["id"].to_list() == expected["id"].to_list()
    assert written["rows"].to_list() == expected["rows"].to_list()
    for name in ("steps", "mae", "rmse", "bias", "naive_mae"):
        np.testing.assert_allclose(written[name].cast(float), expected[name].cast(float), rtol=1e-9, err_msg=name)

    scales = scale_oracle(frame, found.data)
    mase = np.array([row["mae"] / scales[row["id"]][0] for row in expected.iter_rows(named=True)])
    rmsse = np.array([row["rmse"] / scales[row["id"]][1] for row in expected.iter_rows(named=True)])
    np.testing.assert_allclose(written["mase"], mase, rtol=1e-9)
    np.testing.assert_allclose(written["rmsse"], rmsse, rtol=1e-9)

    (shop,) = found.metrics["groups"]  # as each series has a size of its own
    assert (shop["column"], shop["values"]) == ("shop", ["north", "south & <sea>", None])
    joined = made.join(static, on="id").group_by("shop").agg(mae=pl.col("error").abs().mean())
    by_shop = dict(zip(joined["shop"].to_list(), joined["mae"].to_list()))
    held = found.metrics["models"][best]["by_group"][0]
    np.testing.assert_allclose(held["mae"], [by_shop[name] for name in shop["values"]], rtol=1e-9)
    in_shop = (
        expected.with_columns(mase=mase).group_by("shop").agg(pl.col("mase").mean(), pl.len(), pl.col("rows").sum())
    )
    by_shop = {row["shop"]: row for row in in_shop.iter_rows(named=True)}
    np.testing.assert_allclose(held["mase"], [by_shop[name]["mase"] for name in shop["values"]], rtol=1e-9)
    assert shop["series"] == [by_shop[name]["len"] for name in shop["values"]]
    assert shop["rows"] == [by_shop[name]["rows"] for name in shop["values"]]


def scale_oracle(frame: Any, data: Any) -> dict[str, tuple[float, float]]:
    """The in-sample errors of each series by itself, by the functions that score one series."""
    found = {}
    for name in data.panel.ids:
        own = frame.filter(pl.col("id") == name)
        cut = data.panel.series(name).tick < data.split.train_end
        history = TargetHistory.single(own["sales"].to_numpy(), train_rows=int(cut.sum()))
        found[name] = mase_scale(history, 7.0), rmsse_scale(history, 7.0)
    return found


def test_extremes_and_spread_are_those_of_the_file(run: tuple[Any, Path, Any]) -> None:
    found, folder, _ = run
    best = found.metrics["best"]
    written = pl.read_csv(folder / "series.csv").drop_nulls("mase").sort("mase", descending=True)
    held = json.loads((folder / "data.json").read_text())["extremes"]
    assert held["score"] == "mase"
    drawn = [(one["id"], one["highest"]) for one in held["series"]]
    names = written["id"].to_list()
    assert drawn == [*((name, True) for name in names[:3]), *((name, False) for name in names[::-1][:3])]
    spread = found.metrics["models"][best]["by_series"]
    assert spread["quantiles"][3] == pytest.approx(written["mase"].median())
    assert sum(spread["counts"]) == len(written) == spread["scored"]
    assert spread["better"] == int((written["mae"] < written["naive_mae"]).sum())
    made = pl.read_csv(folder / "predictions.csv", try_parse_dates=True).filter(pl.col("split") == "test")
    for one in held["series"]:
        own = made.filter(pl.col("id") == one["id"])
        at = np.array(one["at"]) * np.timedelta64(1, "ms") + np.datetime64("1970-01-01")
        for when, value, forecast in zip(at, one["values"], one["forecast"]):
            rows = own.filter(pl.col("time") == when.astype("M8[D]").item())
            if forecast is not None:
                assert forecast in rows[best].to_list()
                assert value == rows["actual"][0]
        there = np.flatnonzero([value is not None for value in one["forecast"]])
        assert len(there) % 3 == 0
        assert there[-1] == len(at) - 1


@pytest.mark.parametrize("planted", ["shifted series", "naive of another", "unmeasured counted"])
def test_a_planted_mistake_is_seen(planted: str, run: tuple[Any, Path, Any]) -> None:
    """Sums that are wrong in these ways differ from those of the run."""
    data, models = run[0].data, run[0].estimators
    forecasts, naive = (models[name].forecast_windows(data, data.test) for name in ("mean", "naive"))
    scored = np.ones(len(data.test), bool)
    right = errors_by_series(data, "test", forecasts, naive, scored)
    if planted == "shifted series":
        wrong = {name: np.roll(values, 1) for name, values in right.items()}
    elif planted == "naive of another":
        wrong = errors_by_series(data, "test", forecasts, np.roll(naive, 1, axis=0), scored)
    else:
        wrong = errors_by_series(data, "test", forecasts, naive, scored[::-1] & (np.arange(len(scored)) > 5))
    assert any(not np.allclose(right[name], wrong[name]) for name in right)


def test_rows_that_were_not_measured_count_nowhere() -> None:
    frame = table()
    lost = (pl.col("id") == "six") & (pl.col("time").dt.ordinal_day() == 118)
    hole = frame.with_columns(pl.when(lost).then(None).otherwise(pl.col("sales")).alias("sales"))
    steps = []
    for each in (frame, hole):
        prepared = Forecaster(**SETTINGS).prepare(panel_of(each), target="sales")
        shape = (len(prepared.test), 3)
        sums = errors_by_series(prepared, "test", np.zeros(shape), np.zeros(shape), np.ones(shape[0], bool))
        steps.append(dict(zip(prepared.panel.ids, sums["steps"])))
    assert steps[0]["six"] - steps[1]["six"] == 3  # the row is the first, second and third of three windows
    assert all(steps[0][name] == steps[1][name] for name in NAMES if name != "six")


def test_one_series_has_no_such_files_or_sections(tmp_path: Path) -> None:
    frame = table().filter(pl.col("id") == "six")
    found = compare_forecasters(panel_of(frame), ["seasonal"], SETTINGS, target="sales", directory=tmp_path / "run")
    assert not (tmp_path / "run" / "series.csv").exists()
    assert "groups" not in found.metrics
    assert "by_series" not in found.metrics["models"]["naive"]
    assert "extremes" not in json.loads((tmp_path / "run" / "data.json").read_text())


def test_series_without_static_columns_or_test_rows(tmp_path: Path) -> None:
    """No groups without static columns; a series that ends before the test rows, or is constant, has empty cells."""
    frame = table().drop("shop", "size")
    short = frame.filter(~((pl.col("id") == "seven") & (pl.col("time").dt.ordinal_day() > 60)))
    constant = short.with_columns(pl.when(pl.col("id") == "d,e").then(3.0).otherwise(pl.col("sales")).alias("sales"))
    found = compare_forecasters(panel_of(constant), ["seasonal"], SETTINGS, target="sales", directory=tmp_path / "run")
    assert "groups" not in found.metrics
    rows = {row["id"]: row for row in pl.read_csv(tmp_path / "run" / "series.csv").iter_rows(named=True)}
    assert (rows["seven"]["steps"], rows["seven"]["mae"], rows["seven"]["mase"]) == (0, None, None)
    assert (rows["d,e"]["mae"], rows["d,e"]["mase"]) == (0, None)
    held = found.metrics["models"]["naive"]["by_series"]
    assert (held["scored"], sum(held["counts"])) == (7, 6)


def test_several_id_columns_are_groups() -> None:
    frame = table().with_columns(
        item=pl.col("id"), store=pl.when(pl.col("size") < 10).then(pl.lit("7")).otherwise(pl.lit("8 / x"))
    )
    frame = frame.drop("id", "shop", "size").with_columns(item=pl.col("item").str.slice(0, 40))
    panel = Panel.from_frame(frame, time="time", id=["store", "item"])
    data = Forecaster(**SETTINGS).prepare(panel, target="sales")
    groups = PanelErrors(panel, data, "store,item").groups
    assert [(group.column, group.names) for group in groups] == [("store", ("7", "8 / x"))]
    assert group_counts(groups[0]) == [4, 4]


def group_counts(group: Any) -> list[int]:
    return np.bincount(group.of).tolist()


def test_scales_of_seasons_between_rows_are_those_of_one_series() -> None:
    rng = np.random.default_rng(3)
    names = np.repeat(["a", "b", "c"], [40, 5, 50])
    panel = Panel.from_numpy(rng.normal(size=95).cumsum(), ["x"], id=names)
    data = Forecaster(lookback=2, horizon=1, season=4.5).prepare(panel, target="x")
    absolute, squared = scales_by_series(data)
    for place, name in enumerate(panel.ids):
        own = panel.series(name)
        history = TargetHistory.single(own.values[:, 0], train_rows=int((own.tick < data.split.train_end).sum()))
        season = 4.5 if name != "b" else 1.0  # whose training rows hold no season
        assert absolute[place] == pytest.approx(mase_scale(history, season))
        assert squared[place] == pytest.approx(rmsse_scale(history, season))
