"""The linear path beside a network: its closed form against numpy's, what training begins with, and what it reads."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from forecast_cases import hourly, small, with_values

from seqloom import load
from seqloom.data import Panel
from seqloom.tasks.forecast import Forecaster, compare_forecasters
from seqloom.tasks.forecast import skip_ridge as module
from seqloom.tasks.forecast.network import build_network
from seqloom.tasks.forecast.objective import forecast_with
from seqloom.tasks.forecast.settings import network_spec
from seqloom.tasks.forecast.skip_ridge import has_path, solve_path
from seqloom.tasks.forecast.windowed import ForecastData

FREE: dict[str, Any] = {"epochs": None, "batch_size": None, "learning_rate": None, "patience": None}


def driven(rows: int = 200, noise: float = 1.0, drift: float = 0.0) -> Panel:
    """Sales of days: 10, and 40 more where a promotion, which is known in advance, is on."""
    rng = np.random.default_rng(7)
    promo = rng.random(rows) < 0.3
    values = np.stack([10 + 40 * promo + rng.normal(0, noise, rows) + drift * np.arange(rows), promo], axis=1)
    return Panel.from_numpy(values, ["sales", "promo"])


def prepared(panel: Panel, **changes: Any) -> tuple[Forecaster, ForecastData]:
    """A GRU that is told of the promotion, and its data."""
    forecaster = small(model="gru", lookback=6, horizon=3, season=None, **{**FREE, **changes})
    return forecaster, forecaster.prepare(panel, target="sales", future=["promo"])


@pytest.mark.parametrize("normalise", ["last", "none"])
def test_the_path_is_the_ridge_solution(normalise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of the window for each step, and of what is known for all steps together, by one large system."""
    forecaster, data = prepared(driven(), normalise=normalise)
    monkeypatch.setattr(module, "STRENGTHS", np.array([0.01]))
    network = build_network(network_spec(forecaster, data.features, data.spec), 0)
    assert has_path(network)
    assert solve_path(network, data, "last") == 0.01
    x, future = data.inputs(data.train)
    window, _, _ = network.scale(x)
    assert future is not None
    read = np.concatenate([window[:, :, 0].numpy(), window[:, -1].numpy()], axis=1).astype(float)
    known, truth = future.numpy().astype(float)[:, :, 0], data.scaled_truth("last", data.train)
    read, known, truth = (each - each.mean(axis=0) for each in (read, known, truth))
    spread = read.std(axis=0)
    read = read[:, spread > 1e-6] / spread[spread > 1e-6]
    known /= np.sqrt(np.mean(known**2))
    rows, width = read.shape
    design = np.zeros((3 * rows, 3 * width + 1))
    for step in range(3):
        design[step * rows : (step + 1) * rows, step * width : (step + 1) * width] = read
        design[step * rows : (step + 1) * rows, -1] = known[:, step]
    penalty = 0.01 * rows * np.diag([1.0] * 3 * width + [3.0])
    solution = np.linalg.solve(design.T @ design + penalty, design.T @ truth.T.ravel())
    expected = (design @ solution).reshape(3, rows).T
    found = network(x, future).detach().numpy()
    np.testing.assert_allclose(found - found.mean(axis=0), expected, atol=2e-4)
    np.testing.assert_allclose(found.mean(axis=0), data.scaled_truth("last", data.train).mean(axis=0), atol=2e-4)


def test_a_network_is_no_worse_than_the_path_that_it_begins_with() -> None:
    """Few windows choose, so that weights which are better on them by chance don't stand."""
    forecaster, data = prepared(driven())
    forecaster.fit_prepared(data)
    assert forecaster.learned_.solved
    error = np.abs(forecaster.forecast_windows(data, data.test) - data.truth(data.test)).mean()
    assert error < 1.0  # of the noise itself 0.8


@pytest.mark.deep
def test_levels_are_read_as_they_are_where_the_last_value_says_little(tmp_path: Any) -> None:
    forecaster, data = prepared(driven())
    forecaster.fit_prepared(data)
    assert forecaster.learned_.spec.normalise == "none"
    assert [note for note in forecaster.notes_ if note.startswith("gru: reads levels as they are (normalise='none')")]
    forecaster.save(tmp_path / "model")
    rows = data.panel.take(np.arange(150))
    rows = with_values(rows, np.where(np.arange(150)[:, None] < [[147, 150]], rows.values, np.nan))
    np.testing.assert_array_equal(load(tmp_path / "model").forecast(rows).values, forecaster.forecast(rows).values)
    drifting, moved = prepared(driven(drift=0.5))
    drifting.fit_prepared(moved)
    assert drifting.learned_.spec.normalise == "last"
    alone = small(model="gru", lookback=6, horizon=3, season=None, **FREE).fit(driven(), target="sales")
    assert alone.learned_.spec.normalise == "last"
    for changes in ({"normalise": "last"}, {"solver": "gradient"}, {"epochs": 1}):
        asked, same = prepared(driven(), **changes)
        asked.fit_prepared(dataclasses.replace(same, train=same.train[:40]))
        assert asked.learned_.spec.normalise == "last"


def test_the_refitted_network_reads_levels_as_the_scored_one() -> None:
    values = driven().values.copy()
    values[-3:, 0] = np.nan
    parameters = {**small(**FREE).get_params(), "lookback": 6, "horizon": 3, "season": None}
    del parameters["model"]
    panel = with_values(driven(), values)
    run = compare_forecasters(panel, ["gru"], parameters, target="sales", future=["promo"])
    assert run.final.learned_.spec.normalise == run.forecasters["gru"].learned_.spec.normalise == "none"


def test_the_path_knows_the_training_rows_alone() -> None:
    """What lies behind the training rows is changed: no weight moves."""
    forecaster, data = prepared(driven())
    spec = network_spec(forecaster, data.features, data.spec)
    changed = data.panel.values.copy()
    changed[int(data.train[-1]) + 4 :] += 100
    later = dataclasses.replace(data, panel=with_values(data.panel, changed))
    networks = [build_network(spec, 0), build_network(spec, 0)]
    for network, known in zip(networks, (data, later)):
        solve_path(network, known, "last")
    first, second = (forecast_with(network, data, "last", data.train) for network in networks)
    np.testing.assert_array_equal(first, second)
    solve_path(networks[1], dataclasses.replace(later, train=later.valid), "last")  # a leak, which is found
    assert not np.array_equal(first, forecast_with(networks[1], data, "last", data.train))


def test_networks_without_a_path_begin_at_random() -> None:
    data = small().prepare(hourly(), target="load")
    for changes in ({"linear_skip": False}, {"model": "linear"}):
        spec = network_spec(small(**{"model": "gru", **changes}), data.features, data.spec)
        assert not has_path(build_network(spec, 0))
