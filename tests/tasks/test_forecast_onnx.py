"""A fitted forecaster written as ONNX: rows in the table's units give `predict`'s forecast and intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from onnx_cases import Opened, exported, redraw

import seqloom
from seqloom.nn.onnx_graph import Graph
from seqloom.tasks.forecast.onnx_calendar import waves_of
from seqloom_runtime.data import Frequency, calendar_features
from seqloom_runtime.data.calendar import CYCLES
from seqloom_runtime.data.holidays import holiday_features
from seqloom_runtime.data.zones import instants_to_wall
from seqloom_runtime.errors import SettingError
from seqloom_runtime.forecast.missing_inputs import missing_cells
from seqloom_runtime.forecast.predicting import forecast_ahead

ROWS, AHEAD = 170, 6
_EDGES = ("01-01", "02-28", "03-01", "12-31")


def a_table(seed: int = 0, freq: str = "h", zone: str | None = None) -> pd.DataFrame:
    """Rows far from 0, with a second column, one that is known in advance, and words."""
    rng, hours = np.random.default_rng(seed), np.arange(ROWS)
    time = pd.date_range("2023-12-27", periods=ROWS, freq=freq, tz=zone)
    plan = rng.integers(0, 3, ROWS).astype(float)
    load = 5000 + 30 * np.sin(2 * np.pi * hours / 24) + 9 * plan + rng.normal(0, 2, ROWS)
    sky = rng.choice(["clear", "cloud", "rain"], ROWS)
    return pd.DataFrame({"time": time, "load": load, "wind": rng.normal(70, 8, ROWS), "plan": plan, "sky": sky})


def fed(model: Any, panel: Any, file: Opened) -> dict[str, np.ndarray]:
    """The inputs of the last window of each series, made of the table as the record says, and of nothing of the model's
    own scaling."""
    record: dict[str, Any] = file.record
    feed: dict[str, np.ndarray] = {}
    target = record["target"]
    rows: dict[str, list[Any]] = {name: [] for name in record["inputs"] if name not in record.get("state", {})}
    for at, name in enumerate(panel.ids):
        series = panel.series(at)
        measured = ~series.filled[:, series.columns.index(target)] & np.isfinite(series.column(target))
        origin = int(np.flatnonzero(measured)[-1])
        offsets = record["past"]["rows"] or list(range(-origin, 1))
        place: dict[str, np.ndarray] = {
            "past": origin + np.array(offsets),
            "future": origin + np.array(record["forecast"]["rows"]),
        }
        for when, places in place.items():
            if when in rows:
                rows[when].append(series.values[places][:, series.positions(record[when]["columns"])])
            if f"{when}_time" in rows:
                wall = instants_to_wall(series.time.astype("M8[us]").view(np.int64), series.zone)
                rows[f"{when}_time"].append(wall[places])
            if f"{when}_words" in rows:
                columns = [c for c in record["words"] if when == "past" or c in model.features_.roles.future]
                codes = np.full((len(places), len(columns)), -1)
                for k, column in enumerate(columns):
                    known = record["words"][column]
                    for n, code in enumerate(series.column(column)[places]):
                        word = panel.words[column][int(code)] if code >= 0 else None
                        codes[n, k] = known.index(word) if word in known else -1
                rows[f"{when}_words"].append(codes)
            if f"{when}_holidays" in rows:
                found = holiday_features(series.time, series.zone, series.frequency, record["holidays"]["places"])
                rows[f"{when}_holidays"].append(found[places])
        if "repaired" in rows:
            missing = missing_cells(series, model.features_.flagged)
            number = np.arange(len(missing))[:, None]
            last = np.maximum.accumulate(np.where(missing, -1, number), axis=0)
            rows["repaired"].append(missing[place["past"]])
            rows["waited"].append((number - last)[place["past"]])
        if "series" in rows:
            rows["series"].append(record["series"].index(name))
    kinds = {"float": np.float32, "double": np.float64, "int64": np.int64}
    for name, values in rows.items():
        feed[name] = np.stack(values).astype(kinds[record["inputs"][name]["type"]])
    return feed


def compare(model: Any, panel: Any, file: Opened, rtol: float = 3e-7) -> None:
    """The file's forecast and intervals beside `predict`'s, of every series."""
    got, table = file(**fed(model, panel, file)), forecast_ahead(model, panel)
    assert next(iter(got)) == "forecast"
    ids = np.array(table.ids)
    order = [name or model.features_.roles.target for name in panel.ids]
    for at, name in enumerate(order):
        here = ids == name
        scale = float(np.abs(table.values[here]).max())
        np.testing.assert_allclose(got["forecast"][at], table.values[here], rtol=0, atol=rtol * scale)
        for level, (low, high) in table.bounds.items():
            if f"low_{level}" not in got:
                continue
            np.testing.assert_allclose(got[f"low_{level}"][at], low[here], rtol=0, atol=rtol * scale)
            np.testing.assert_allclose(got[f"high_{level}"][at], high[here], rtol=0, atol=rtol * scale)


def fitted(name: str, table: pd.DataFrame, given: dict[str, Any], roles: dict[str, Any]) -> tuple[Any, Any]:
    panel = seqloom.Panel.from_frame(table, time="time", **roles.pop("panel", {}))
    options = {"lookback": 24, "horizon": AHEAD, "epochs": 1, "split": (100, 30), "units": 5, "levels": (50, 80)}
    if name in ("naive", "seasonal", "seasonal-week", "mean", "drift", "damped-persistence"):
        options = {key: options[key] for key in ("lookback", "horizon", "split", "levels")}
    model = seqloom.Forecaster(model=name, **{**options, **given})
    return model.fit(panel, **{"target": "load", **roles}), panel


@pytest.mark.parametrize(
    ("name", "options", "roles"),
    [
        ("linear", {"normalise": "standard", "linear_skip": False}, {"inputs": ["wind"], "future": ["plan"]}),
        ("nlinear", {}, {"future": ["plan"]}),
        ("dlinear", {"anchor": "none"}, {}),
        ("dense", {"normalise": "standard", "anchor": "none", "transform": "log"}, {"inputs": ["wind"]}),
        ("gru", {"patch": 5, "calendar": True}, {"inputs": ["wind", "sky"], "future": ["sky"]}),
        ("lstm", {"normalise": "none", "anchor": "none", "every": 2, "transform": "box-cox"}, {"future": ["plan"]}),
        ("gru", {"units": (8, 5), "activation": ("tanh", "relu"), "layer_norm": True}, {"inputs": "*"}),
        ("tcn", {"normalise": "seasonal", "season": 24, "non_negative": True, "anchor": "seasonal"}, {}),
        ("rnn", {"anchor": "seasonal", "season": 30.5, "transform": "log", "reverse": True}, {"future": ["plan"]}),
        ("conv", {"channels": (4, 5), "kernel_size": 3, "pool_size": 2}, {"inputs": ["wind"]}),
        ("conv-gru", {"channels": (4, 5), "kernel_size": 3, "pool_size": 2, "layers": 2}, {"future": ["plan"]}),
        ("encoder-decoder", {"attention": True, "calendar": True}, {"future": ["plan", "sky"]}),
        ("encoder-decoder", {"cell": "lstm", "layers": 2}, {"inputs": ["wind"]}),
        ("gru", {"loss": "quantiles"}, {"inputs": ["wind"]}),
        ("linear", {"distribution": "normal", "normalise": "standard", "transform": "log"}, {}),
        ("lstm", {"distribution": "student-t", "normalise": "standard"}, {"future": ["plan"]}),
    ],
)  # fmt: skip
def test_networks(name: str, options: dict[str, Any], roles: dict[str, Any], tmp_path: Path) -> None:
    table = a_table()
    table.loc[ROWS - AHEAD :, ["load", "wind"]] = np.nan
    model, panel = fitted(name, table, options, dict(roles))
    file = exported(model, tmp_path, opset=17 + len(name) % 7)
    assert file.record["levels"] == ["50", "80"]
    compare(model, panel, file)


def test_holes_are_told(tmp_path: Path) -> None:
    table = a_table(1)
    table.loc[[20, 21, 60, 120, 150, 151, 160], "load"] = np.nan
    table.loc[[33, 34, 155], "wind"] = np.nan
    table.loc[ROWS - AHEAD :, ["load", "wind"]] = np.nan
    for options in ({"normalise": "standard"}, {"normalise": "last"}):
        model, panel = fitted("gru", table, options, {"inputs": ["wind"], "future": ["plan"]})
        file = exported(model, tmp_path)
        assert {"repaired", "waited"} <= set(file.record["inputs"])
        compare(model, panel, file)


def test_words_that_training_lacks(tmp_path: Path) -> None:
    """With an input for others where the training rows held rarer words, and with the words' shares where not."""
    rng = np.random.default_rng(9)
    for words in (2, 30):
        table = a_table(9)
        table["sky"] = [f"w{n}" for n in rng.integers(0, words, ROWS)]
        table.loc[ROWS - AHEAD :, "load"] = np.nan
        table.loc[[ROWS - AHEAD - 3, ROWS - 2], "sky"] = "new"
        model, panel = fitted("gru", table, {}, {"inputs": ["sky"], "future": ["sky"]})
        file = exported(model, tmp_path)
        assert (fed(model, panel, file)["past_words"] == -1).any()
        assert model.features_.categories[0].other == (words > 20)
        compare(model, panel, file)


def test_times_and_holidays(tmp_path: Path) -> None:
    daily = a_table(2, "D", None)
    daily["load"] += 40 * (daily["time"].dt.day_of_week >= 5)
    daily.loc[ROWS - AHEAD :, "load"] = np.nan
    given = {"calendar": True, "holidays": "DE", "season": 7, "lookback": 14, "split": (120, 30)}
    model, panel = fitted("gru", daily, given, {})
    compare(model, panel, exported(model, tmp_path))
    local = a_table(3, "h", "Europe/Berlin")
    model, panel = fitted("linear", local, {"calendar": True}, {})
    assert model.features_.cycles == ("day",)
    file = exported(model, tmp_path)
    assert "wall clock in Europe/Berlin" in file.record["inputs"]["past_time"]["about"]
    compare(model, panel, file)


def test_every_cycle_of_the_calendar(tmp_path: Path) -> None:
    """Leap years, the last microseconds of years and times before 1970 too."""
    rng = np.random.default_rng(4)
    edges = np.array(
        [f"{year}-{day}" for year in (1600, 1900, 1969, 2000, 2023, 2024, 2100) for day in _EDGES], "M8[us]"
    )
    time = np.concatenate([edges, edges - 1, rng.integers(-(10**16), 10**16, 500).astype("M8[us]")])
    graph = Graph(17)
    waves = waves_of(graph, graph.input("time", ["batch"], "", "INT64"), CYCLES)
    graph.output(waves, "waves", ["batch", 6], "")
    graph.save(tmp_path / "m.onnx", "calendar")
    got = Opened(tmp_path / "m.onnx")(time=time.view(np.int64))["waves"]
    minute = Frequency("fixed", 60_000_000)
    np.testing.assert_allclose(got, calendar_features(time, None, minute, CYCLES)[0], rtol=0, atol=1e-7)


def two_series() -> pd.DataFrame:
    tables = [a_table(4), a_table(5).assign(load=lambda t: t["load"] / 50 - 90)]
    return pd.concat([table.assign(place=name) for table, name in zip(tables, "ab")], ignore_index=True)


@pytest.mark.parametrize("scaling", [None, "pooled"])
def test_several_series(scaling: str | None, tmp_path: Path) -> None:
    roles = {"panel": {"id": "place"}, "inputs": ["wind"], "future": []}
    model, panel = fitted("gru", two_series(), {"scaling": scaling}, roles)
    file = exported(model, tmp_path)
    assert file.record["series"] == ["a", "b"]
    compare(model, panel, file)
    feed = fed(model, panel, file)
    feed["series"][:] = -1
    assert np.isnan(file(**feed)["low_80"]).all()


def test_several_targets(tmp_path: Path) -> None:
    model, _ = fitted("lstm", a_table(6).drop(columns="sky"), {}, {"target": ["load", "wind"]})
    file = exported(model, tmp_path)
    assert file.record["targets"] == ["load", "wind"]
    got, table = file(**fed(model, model.context_, file)), forecast_ahead(model, model.context_)
    for at, name in enumerate(model.context_.ids):
        np.testing.assert_allclose(got["forecast"][at], table.values[np.array(table.ids) == name], rtol=3e-7)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("naive", {}),
        ("mean", {}),
        ("drift", {}),
        ("seasonal", {"season": 24}),
        ("seasonal", {"season": 2.5, "non_negative": True}),
        ("damped-persistence", {}),
    ],
)
def test_baselines_that_are_formulas(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    roles = {"panel": {"id": "place"}}
    model, panel = fitted(name, two_series().drop(columns="sky"), options, roles)
    compare(model, panel, exported(model, tmp_path), 1e-12)


def test_pieces_with_a_state(tmp_path: Path) -> None:
    table = a_table(7)
    given = {"normalise": "none", "linear_skip": False, "patch": 1, "layers": 2, "calendar": True}
    for name in ("lstm", "tcn"):
        own = {key: value for key, value in given.items() if name == "lstm" or key not in ("patch", "layers")}
        model, panel = fitted(name, table, own, {"inputs": ["wind"]})
        redraw(model.learned_.network, 1, 0.2)
        file = exported(model, tmp_path, stateful=True)
        feed, state, got = fed(model, panel, file), file.state(1), {}
        for start, stop in ((0, 10), (10, 11), (11, 24)):
            got = file(**{key: value[:, start:stop] for key, value in feed.items() if key not in state}, **state)
            state = file.after(got)
        np.testing.assert_allclose(got["forecast"][0], model.predict(panel)["load"], rtol=1e-6)


def test_what_cannot_be_exported_says_why(tmp_path: Path) -> None:
    table = a_table()
    fit: Any = lambda name, **options: fitted(name, table, options, {})[0]  # noqa: E731
    told = {
        "the states of statistical methods": (fit("theta", units=32, season=24), {}),
        r"ONNX: an ensemble has no form there; train again with one of its members alone \(model='naive'\)\.$": (
            fit("ensemble", units=32, season=24, members=("theta", "naive")),
            {},
        ),
        r"nor any of its members has a form there; train another \(model='gru'\)": (
            fit("ensemble", units=32, season=24, members=("theta", "ets")),
            {},
        ),
        "fit rnn, gru, lstm or tcn": (fit("linear"), {"stateful": True}),
        "relative to its own level": (fit("gru"), {"stateful": True}),
        "no state to carry": (fit("naive"), {"stateful": True}),
    }
    for sentence, (model, options) in told.items():
        with pytest.raises(SettingError, match=sentence):
            model.to_onnx(tmp_path / "m.onnx", **options)
    assert not list(tmp_path.iterdir())


def test_counts(tmp_path: Path) -> None:
    table = a_table(8)
    table["load"] = np.random.default_rng(8).poisson(4, ROWS).astype(float)
    for family, anchor in (("negative-binomial", "none"), ("negative-binomial", "last"), ("tweedie", "none")):
        model, panel = fitted("gru", table, {"distribution": family, "anchor": anchor}, {})
        file = exported(model, tmp_path)
        none = f"the quantiles of a {family} distribution have no operator" in file.record["about"][-1]
        assert (none, file.record["levels"]) == ((True, []) if family == "tweedie" else (False, ["50", "80"]))
        compare(model, panel, file, 1e-6)
