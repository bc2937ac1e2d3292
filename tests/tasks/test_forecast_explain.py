"""What forecasts rest on: planted columns and lags are found, attributions add up, no test row is read."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from forecast_cases import CONVOLUTIONS, hourly, hours, moved, several, small, steps, with_values

from seqloom import Forecaster
from seqloom.errors import SettingError
from seqloom.tasks.forecast import Explanation, compare_forecasters
from seqloom.tasks.forecast import explaining as explaining_module
from seqloom.tasks.forecast.attribution import attribute, is_affine
from seqloom.tasks.forecast.drift import drift_notes
from seqloom.tasks.forecast.explained_run import ExplainedRun
from seqloom.tasks.forecast.input_groups import InputGroup, groups_of
from seqloom.tasks.forecast.network import NETWORKS, NetworkSpec, build_network
from seqloom.tasks.forecast.permuting import blocks_of, permuted_inputs
from seqloom.tasks.forecast.windowed import ForecastData
from seqloom_runtime.forecast.features import Features

LAG = 4
"""Rows before the last known one at which the planted column moves the first step."""


def planted(rows: int = 400) -> pl.DataFrame:
    """y follows `cause` of 5 rows before, and its own last value; `noise` says nothing."""
    rng = np.random.default_rng(3)
    cause, noise, y = rng.normal(size=rows), rng.normal(size=rows), np.zeros(rows)
    for t in range(LAG + 1, rows):
        y[t] = 0.4 * y[t - 1] + 2 * cause[t - LAG - 1] + 0.05 * rng.normal()
    return pl.DataFrame({"time": hours(rows), "y": y, "noise": noise, "cause": cause})


def fitted(table: pl.DataFrame, **parameters: Any) -> Forecaster:
    settings = {"model": "linear", "lookback": 10, "horizon": 2, "season": 24, **parameters}
    return Forecaster(**settings).fit(table, target="y", time="time", inputs="*")


@pytest.fixture(scope="module")
def found() -> Explanation:
    table = planted()
    return fitted(table).explain(table)


def random_network(name: str, **options: Any) -> Any:
    """A network whose weights are all random, those of its linear skip too."""
    spec = NetworkSpec(name, 3, 12, 4, future=2, units=5, skip=name in ("gru", "dense"), target=1, **options)
    network = build_network(spec, 1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(0.3 * torch.randn(weight.shape, generator=generator))
    return network


@pytest.mark.parametrize("normalise", ["last", "standard"])
@pytest.mark.parametrize("name", NETWORKS)
def test_attributions_add_up_to_the_change_of_the_forecast(name: str, normalise: str) -> None:
    network = random_network(name, normalise=normalise, relevel=True, **CONVOLUTIONS.get(name, {}))
    generator = torch.Generator().manual_seed(0)
    x, future = torch.randn(5, 12, 3, generator=generator) + 3, torch.randn(5, 4, 2, generator=generator)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    split = attribute(network.train(), x, future, (torch.full((3,), 0.1), torch.zeros(2)), [0, 3])
    assert split.ahead is not None
    assert network.training
    total = split.past.sum(axis=(2, 3)) + split.ahead.sum(axis=(2, 3))
    # Where a unit switches on or a pool changes its mind, 16 points miss a little.
    kinked = "conv" in name or name in ("tcn", "dense")
    np.testing.assert_allclose(total, split.output - split.constant, atol=0.1 if kinked else 1e-3)
    assert split.gap < (0.05 if kinked else 1e-3)
    with torch.no_grad():
        y = network.eval()(x, future).double().numpy()[:, [0, 3]]
    np.testing.assert_allclose(split.output + split.level, y, rtol=1e-5, atol=1e-5)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert is_affine(network) == (name in ("linear", "nlinear", "dlinear"))
    if is_affine(network):  # a straight line: one point is exact
        once = attribute(network, x, future, (torch.full((3,), 0.1), torch.zeros(2)), [0, 3], steps=1)
        np.testing.assert_allclose(once.past, split.past, atol=1e-5)


def test_a_weight_is_attributed_to_its_column_and_lag_alone() -> None:
    network = build_network(NetworkSpec("linear", 3, 6, 2, target=1), 0)
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
        network.output.weight[1, 2 * 3 + 2] = 7.0  # step 2 reads input 2 of the third row of the window
    x = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(1))
    split = attribute(network, x, None, (torch.zeros(3), None), [0, 1])
    expected = np.zeros((4, 2, 6, 3))
    expected[:, 1, 2, 2] = 7 * x[:, 2, 2].numpy()
    np.testing.assert_allclose(split.past, expected, rtol=1e-5)


def test_the_planted_column_and_lag_are_found_and_the_unused_one_is_not(found: Explanation) -> None:
    table = found.to_dict()
    assert found.columns[0] == "cause"
    place = found.columns.index("noise")
    assert table["rise_share"][0] > 5
    assert abs(table["rise_share"][place]) < 0.1
    assert table["share"][place] < 0.02
    assert table["share"].sum() == pytest.approx(1)
    assert (bool(found.spread[0] > 0), found.permutations) == (True, 5)
    assert (found.block, found.season_kept) == (13, False)  # a season of 24 would give two blocks
    cause = found.by_lag[0]
    assert set(np.argsort(-cause)[:2].tolist()) == {LAG, LAG - 1}  # of the first and the second step
    assert cause[LAG] > 2 * np.delete(cause, [LAG, LAG - 1]).max()
    assert found.lags.tolist() == list(range(10))
    assert found.gap < 1e-4
    said = found.statement()
    assert said is not None
    assert "'cause' (+" in said
    assert "'noise'" not in said.split(";")[0]


def test_the_explanation_draws_itself_and_goes_into_a_frame(found: Explanation) -> None:
    html = found._repr_html_()
    assert html.count("<tr>") == 4
    assert "<svg" in html
    assert pl.DataFrame(found.to_dict()).columns[0] == "column"
    assert pl.DataFrame(found.lag_table()).columns == ["lag", *found.columns]


@pytest.mark.parametrize("options", [{}, {"anchor": "none"}, {"normalise": "standard", "calendar": True}])
def test_a_linear_forecast_is_the_sum_of_its_terms(options: dict[str, Any]) -> None:
    table = planted(260).with_columns(plan=pl.col("noise") * 3)
    ahead = table["time"][-1]
    later = pl.DataFrame({"time": [ahead + np.timedelta64(h, "h") for h in (1, 2)], "plan": [0.5, 4.0]})
    table = pl.concat([table, later.with_columns(pl.col("time").cast(table["time"].dtype))], how="diagonal")
    forecaster = Forecaster(model="linear", lookback=10, horizon=2, epochs=2, **options)
    forecaster.fit(table, target="y", time="time", inputs="*", future=["plan"])
    (parts,) = forecaster.explain(table).decomposed
    total = np.sum(list(parts.terms.values()), axis=0)
    np.testing.assert_allclose(total, parts.total, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(parts.total, forecaster.predict()["y"].to_numpy(), rtol=1e-6, atol=1e-6)
    assert {"level", "past of y", "past of cause", "plan (known ahead)", "constant"} <= set(parts.terms)


def numbers(found: Explanation) -> list[Any]:
    """All that was measured, without the last rows' forecast and drift."""
    arrays = (found.rise, found.spread, found.attribution, found.ahead, found.by_lag)
    return [found.columns, found.error, found.windows, found.gap, *(each.tolist() for each in arrays)]


def after_change(forecaster: Forecaster, data: ForecastData) -> bool:
    """Whether other rows of the test part leave every number."""
    first = int(np.flatnonzero(data.panel.tick >= data.split.valid_end)[0])
    values = data.panel.values.copy()
    values[first:] = np.random.default_rng(0).normal(50, 90, values[first:].shape)
    return numbers(forecaster.explain(data)) == numbers(forecaster.explain(moved(data, values)))


def test_no_test_row_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    forecaster = small(model="linear", epochs=1)
    data = forecaster.prepare(hourly(), target="load", future=["wind"])
    forecaster.fit_prepared(data)
    assert after_change(forecaster, data)
    windows = explaining_module._windows
    monkeypatch.setattr(
        explaining_module, "_windows", lambda one, data, *rest: windows(one, _with_test_windows(data), *rest)
    )
    assert not after_change(forecaster, data)


def _with_test_windows(data: ForecastData) -> ForecastData:
    return dataclasses.replace(data, choose=np.concatenate([data.choose, data.test]))


def test_blocks_keep_the_season_and_never_mix_series() -> None:
    ticks = np.arange(100)
    blocks = blocks_of(ticks + 7, ticks, 24, 4, 300)
    assert blocks is not None
    assert (blocks.length, blocks.origins.shape) == (24, (4, 24))
    donors = blocks.donors(np.random.default_rng(0), by_window=False)
    assert ((donors - np.arange(96)) % 24 == 0).all()
    assert (donors != np.arange(96)).all()
    assert sorted(donors.tolist()) == list(range(96))
    few = blocks_of(ticks + 7, ticks, 24, 4, 30)  # fewer windows, the same places of each season
    assert few is not None
    assert len(few.flat) <= 30
    assert (np.diff(few.origins, axis=0) % 24 == 0).all()
    both = blocks_of(np.r_[0:40, 60:100], np.r_[0:40, 3:43], 10, 4, 300)
    assert both is not None
    assert not ((both.origins[:, 0] < 40) & (both.origins[:, -1] >= 60)).any()
    assert blocks_of(ticks[:2], ticks[:2], None, 4, 300) is None


def test_the_target_takes_another_shape_and_keeps_its_level() -> None:
    network: Any = build_network(NetworkSpec("linear", 2, 4, 1, normalise="last"), 0)
    x = torch.arange(16.0).reshape(2, 4, 2).square()
    there, _ = permuted_inputs(network, x, None, InputGroup("y", (0,)), np.array([1, 0]))
    assert torch.equal(there[:, -1], x[:, -1])
    assert torch.equal(there[0, :, 0] - there[0, -1, 0], x[1, :, 0] - x[1, -1, 0])
    assert torch.equal(there[:, :, 1], x[:, :, 1])


def test_every_input_belongs_to_one_column() -> None:
    rows = 240
    table = pl.DataFrame(
        {
            "time": hours(rows),
            "y": np.sin(np.arange(rows) * np.pi / 12),
            "kind": ["ab"[i // 5 % 2] for i in range(rows)],
            "gaps": [None if i % 9 == 4 else float(i % 5) for i in range(rows)],
            "plan": np.arange(rows) % 11.0,
        }
    )
    forecaster = Forecaster(model="linear", lookback=6, horizon=2, calendar=True, epochs=1, holidays="DE")
    forecaster.fit(table, target="y", time="time", inputs=["kind", "gaps", "plan"], future=["plan", "kind"])
    features: Features = forecaster.features_
    groups = groups_of(features, "linear")
    assert sorted(at for group in groups for at in group.past) == list(range(features.width))
    assert sorted(at for group in groups for at in group.ahead) == list(range(features.future_width))
    for group in groups:
        if not group.by_date:
            own = [features.names[at].removeprefix("rows since ") for at in group.past]
            assert {name.split(" is ")[0].split(" was ")[0] for name in own} == {group.name}
    assert {group.name for group in groups if group.by_date} >= {"holidays", "time of day"}
    assert forecaster.explain(table).columns != ()


def test_baselines_are_refused_and_an_ensemble_gives_its_best_network() -> None:
    panel = hourly()
    naive = small(model="naive").fit(panel, target="load")
    with pytest.raises(SettingError, match="explain: the model 'naive' is no network"):
        naive.explain(panel)
    both = small(model="ensemble", members=("linear", "seasonal"), epochs=1).fit(panel, target="load")
    weights = {member.name: member.weight for member in both.members_.members}
    if "linear" in weights:
        assert both.explain(panel).model == "linear"
    with pytest.raises(SettingError, match="permutations: expected a whole number"):
        small(model="linear", epochs=1).fit(panel, target="load").explain(panel, permutations=0)


def test_drift_is_said_with_the_column_and_how_far() -> None:
    values = np.stack([np.r_[np.tile([1.0, 2.0, 3.0, 4.0], 50), 10.0, 9.0], np.tile([5.0, 6.0], 101)], axis=1)
    data = small(season=None).prepare(steps(values, ["y", "x"]), target="y", inputs="*")
    (note,) = drift_notes(data, ["y", "x"])
    assert "'y' lie above the range of the training rows: 2 of the last 12, up to 10" in note
    assert "from 1 to 4: 6 above their highest value (200 % of the range's width)" in note
    outlier = np.r_[np.tile([1.0, 2.0, 3.0, 4.0], 50), 10.0, *[2.0] * 10]
    assert drift_notes(small(season=None).prepare(steps(outlier, ["y"]), target="y"), ["y"]) == []
    panel = several({"a": 240, "b": 240})
    values = panel.values.copy()
    values[-3:] -= 5000
    panel = with_values(panel, values)
    (note,) = drift_notes(small().prepare(panel, target="column_0"), ["column_0"])
    assert "below the range of the training rows, farthest in series 'b': " in note


def test_a_comparison_says_what_its_best_model_rests_on() -> None:
    table = {"lookback": 10, "horizon": 2, "season": 24}
    frame = planted()
    forecaster = fitted(frame)
    data = forecaster.prepare(forecaster.read(frame), target="y", inputs="*")
    run = compare_forecasters(data.whole, ["linear"], table, target="y", inputs="*")
    assert run.metrics["best"] == "linear"
    about = run.metrics["explained"]
    assert about["columns"][0]["name"] == "cause"
    assert any("permuted" in note for note in run.metrics["notes"])
    (parts,) = about["decomposed"]  # of the model that was fitted once more, whose forecast this is
    np.testing.assert_allclose(parts["total"], run.table.values, rtol=1e-5)
    naive = ExplainedRun.of(run.forecasters["naive"], data)
    assert naive.to_json(None) == {}
