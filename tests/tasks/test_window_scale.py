"""Window normalisation, patches, the linear skip and transforms, beside NumPy twins; drift and units don't matter."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from forecast_cases import CONVOLUTIONS, several
from hypothesis import given, settings
from hypothesis import strategies as st

import seqloom
from seqloom import Forecaster
from seqloom.errors import FormatError, SettingError
from seqloom.tasks.forecast import compare_forecasters, ridge, starts
from seqloom.tasks.forecast.choosing import naive_windows, standing
from seqloom.tasks.forecast.network import NETWORKS, NetworkSpec, build_network, patched
from seqloom.tasks.forecast.settings import usual_patch
from seqloom.tasks.forecast.window_scale import NORMALISATIONS, WindowScale
from seqloom_runtime.forecast.transforms import Transform, fit_transform

RNG = np.random.default_rng(3)


def moments(kind: str, y: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
    """The twin in float64: y (B, L) → level and scale (B,)."""
    one = np.ones(len(y))
    if kind == "last":
        return y[:, -1], one
    if kind == "standard":
        return y.mean(1), np.maximum(y.std(1), 1e-2)
    return (y[:, -season:].mean(1), one) if kind == "seasonal" else (0 * one, one)


@pytest.mark.parametrize("kind", NORMALISATIONS)
def test_level_and_scale_beside_the_twin(kind: str) -> None:
    x = RNG.normal(3, 2, (5, 9, 3))
    relative, level, scale = WindowScale(kind, 3, slot=1, season=4)(torch.from_numpy(x))
    m, s = moments(kind, x[:, :, 1], 4)
    expected = x.copy()
    expected[:, :, 1] = (x[:, :, 1] - m[:, None]) / s[:, None]
    np.testing.assert_allclose(level.numpy()[:, 0], m, rtol=1e-12)
    np.testing.assert_allclose(scale.numpy()[:, 0], s, rtol=1e-12)
    np.testing.assert_allclose(relative.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", ["last", "standard", "seasonal"])
def test_steps_without_a_value_count_for_nothing(kind: str) -> None:
    """Whatever stands where the flag says that nothing was measured."""
    x = RNG.normal(3, 2, (4, 8, 2))
    x[:, :, 1] = 0
    x[:, [2, 7], 1] = 1
    x[1, :, 1] = 1  # nothing measured in the whole window
    scale = WindowScale(kind, 2, slot=0, season=5, flag=1)
    found = scale(torch.from_numpy(x))
    x[:, [2, 7], 0] = 1e6
    x[1, :, 0] = 1e6
    for one, other in zip(found, scale(torch.from_numpy(x))):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    kept = x[0, [0, 1, 3, 4, 5, 6], 0]
    level = {"last": x[0, 6, 0], "standard": kept.mean(), "seasonal": x[0, 3:7, 0].mean()}[kind]
    assert found[1][0, 0].item() == pytest.approx(level)
    assert found[1][1, 0].item() == 0


def shape(name: str, **changes: Any) -> NetworkSpec:
    sizes: dict[str, Any] = {"inputs": 2, "input_steps": 30, "forecast_steps": 4, "future": 1, "units": 5, "target": 1}
    return NetworkSpec(name, **{**sizes, **CONVOLUTIONS.get(name, {}), **changes})


@pytest.mark.parametrize("name", NETWORKS)
def test_a_shift_of_the_window_shifts_the_forecast(name: str) -> None:
    """f(y + c) = f(y) + c, and with the scale too f(a y + c) = a f(y) + c; without, the planted case, it is not so."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(6, 30, 2, generator=generator, dtype=torch.float64)
    future = torch.randn(6, 4, 1, generator=generator, dtype=torch.float64)
    for kind, factor in (("last", 1.0), ("seasonal", 1.0), ("standard", 3.0), ("none", 1.0)):
        network = build_network(shape(name, normalise=kind, relevel=kind != "none", season=7, skip=True), 2).double()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, 0, 0.3, generator=generator)
        moved = x.clone()
        moved[:, :, 1] = factor * x[:, :, 1] + 5
        with torch.no_grad():
            one, other = network.eval()(x, future), network(moved, future)
        same = np.allclose(other.numpy(), factor * one.numpy() + 5, rtol=1e-6, atol=1e-6)
        assert same == (kind != "none")


@settings(max_examples=30, deadline=None)
@given(steps=st.integers(1, 12), patch=st.integers(1, 6), inputs=st.integers(1, 3))
def test_patches_hold_every_step_in_order(steps: int, patch: int, inputs: int) -> None:
    x = torch.randn(2, steps, inputs, generator=torch.Generator().manual_seed(0))
    y = patched(x, patch)
    flat = y.reshape(2, -1, inputs)
    torch.testing.assert_close(flat[:, -steps:], x, rtol=0, atol=0)
    torch.testing.assert_close(flat[:, : flat.shape[1] - steps], x[:, :1].expand(-1, -steps % patch, -1))


def test_the_linear_skip_beside_numpy() -> None:
    network: Any = build_network(shape("gru", skip=True), 1)
    x, future = torch.randn(3, 30, 2), torch.randn(3, 4, 1)
    torch.testing.assert_close(network.skip(x, future), torch.zeros(3, 4))
    for parameter in network.skip.parameters():
        torch.nn.init.normal_(parameter)
    a, b, c = (parameter.detach().double().numpy() for parameter in network.skip.parameters())
    x64, u64 = x.double().numpy(), future.double().numpy()
    expected = x64[:, :, 1] @ a.T + x64[:, -1] @ b.T + u64[:, :, 0] * c[0, 0]
    np.testing.assert_allclose(network.skip(x, future).detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_dlinear_is_one_layer_for_the_trend_and_one_for_the_rest() -> None:
    network = build_network(shape("dlinear", future=0, inputs=3), 1)
    x = RNG.normal(size=(4, 30, 3))
    ends = np.concatenate([np.repeat(x[:, :1, 1], 12, 1), x[:, :, 1], np.repeat(x[:, -1:, 1], 12, 1)], axis=1)
    trend = np.stack([ends[:, t : t + 25].mean(1) for t in range(30)], axis=1)
    weight = network.output.weight.detach().double().numpy()
    expected = trend @ weight[:, :30].T + (x[:, :, 1] - trend) @ weight[:, 30:].T
    found = network(torch.from_numpy(x).float()).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


# -- transforms ---------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-3, 1e6), min_size=2, max_size=40), st.sampled_from(["log", "box-cox"]))
def test_transforms_come_back(values: list[float], kind: str) -> None:
    y = np.array(values)
    transform = fit_transform(kind, y, "y")
    np.testing.assert_allclose(transform.inverse(transform.forward(y)), y, rtol=1e-6)
    far = transform.inverse(np.array([-1e9, 1e9, 0.0]))
    assert np.isfinite(far).all()
    assert (far > 0).all()
    assert Transform.from_json(transform.to_json()) == transform


def test_the_power_of_box_cox_is_the_likely_one() -> None:
    from scipy.stats import boxcox

    y = np.exp(RNG.normal(1, 0.4, 400)) ** 2 + 0.5
    found = fit_transform("box-cox", y, "y").power
    assert abs(found - boxcox(y)[1]) <= 0.05 + 1e-9


def test_a_transform_of_what_is_not_above_zero_is_refused() -> None:
    with pytest.raises(
        SettingError, match=r"log needs training values of 'column_0' above 0, got 0; use transform=None"
    ):
        Forecaster(model="linear", transform="log", lookback=4).fit(np.arange(80.0), target="column_0")
    with pytest.raises(FormatError, match="transform"):
        Transform.from_json({"power": 9, "least": 1, "most": 2})


GROWING: dict[str, Any] = {"lookback": 24, "horizon": 4, "epochs": 12, "batch_size": 16, "learning_rate": 0.01}


@pytest.mark.parametrize("transform", [None, "log", "box-cox"])
@pytest.mark.parametrize("model", ["linear", "gru", "nlinear"])
def test_a_drifting_level_is_followed(model: str, transform: str | None, tmp_path: Any) -> None:
    """A series that triples after the training rows: relative windows follow, absolute ones stay behind."""
    t = np.arange(240)
    y = 20 * np.exp(t / 120) * (1 + 0.2 * np.sin(t * np.pi / 6)) + RNG.normal(0, 0.2, 240)
    forecaster = Forecaster(model=model, transform=transform, **GROWING).fit(y, target="column_0")
    data = forecaster.prepare(seqloom.data.Panel.from_numpy(y), target="column_0")
    error = np.abs(forecaster.forecast_windows(data, data.test) - data.truth(data.test)).mean()
    naive = np.abs(y[data.test][:, None] - data.truth(data.test)).mean()
    assert error < 0.7 * naive
    forecaster.save(tmp_path / "model")
    loaded = seqloom.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict()["column_0"], forecaster.predict()["column_0"])
    far = loaded.predict(horizon=40)["column_0"]
    assert np.isfinite(far).all()


def test_without_normalisation_the_level_is_lost() -> None:
    """The planted case of the test above."""
    t = np.arange(240)
    y = 20 * np.exp(t / 120) * (1 + 0.2 * np.sin(t * np.pi / 6))
    settings_: dict[str, Any] = {"model": "gru", "anchor": "none", "linear_skip": False, **GROWING}
    forecaster = Forecaster(normalise="none", **settings_).fit(y, target="column_0")
    data = forecaster.prepare(seqloom.data.Panel.from_numpy(y), target="column_0")
    error = np.abs(forecaster.forecast_windows(data, data.test) - data.truth(data.test)).mean()
    assert error > np.abs(y[data.test][:, None] - data.truth(data.test)).mean()


# -- candidates of logarithms -------------------------------------------------------------------------------------


def test_candidates_of_logarithms_share_the_windows(tmp_path: Any) -> None:
    """The same origins, truths and units for all; the ensemble of both is saved with each member's own transform."""
    t = np.arange(240)
    y = 20 * np.exp(t / 120) * (1 + 0.2 * np.sin(t * np.pi / 6)) + RNG.normal(0, 0.2, 240)
    panel = seqloom.data.Panel.from_numpy(y, ["load"])
    run = compare_forecasters(panel, ["linear", "log-linear", "ensemble"], dict(GROWING), target="load")
    scores = {name: entry["test"] for name, entry in run.metrics["models"].items()}
    assert {entry["windows"] for entry in scores.values()} == {scores["naive"]["windows"]}
    assert scores["log-linear"]["mae"] != scores["linear"]["mae"]
    alone = Forecaster(model="linear", transform="log", **GROWING).fit_prepared(run.data)
    data = run.data
    np.testing.assert_array_equal(
        alone.forecast_windows(data, data.test), run.forecasters["log-linear"].forecast_windows(data, data.test)
    )
    run.forecasters["ensemble"].save(tmp_path / "model")
    loaded = seqloom.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict()["load"], run.forecasters["ensemble"].predict()["load"])


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("linear", {"transform": "log"}),
        ("gru", {"transform": "box-cox", "patch": 5}),
        ("gru", {"normalise": "standard"}),
        ("nlinear", {"solver": "ridge"}),
        ("linear", {"solver": "ridge", "loss": "mse", "normalise": "seasonal", "season": 12}),
    ],
)
def test_no_later_row_reaches_a_relative_window(model: str, options: dict[str, Any]) -> None:
    """No weight, scale or transform is from behind the rows that choose, no forecast from behind its origin."""
    t = np.arange(200)
    y = 20 + 5 * np.sin(t * np.pi / 6) + RNG.normal(0, 1, 200)
    made = {**GROWING, "epochs": 2, "model": model, **options}
    forecaster = Forecaster(**made).fit(y, target="column_0")
    data = forecaster.prepare(seqloom.data.Panel.from_numpy(y), target="column_0")
    behind = int(data.calibrate_from)
    changed = np.where(t < behind, y, 3 * y + 7)
    other = Forecaster(**made).fit(changed, target="column_0")
    for name, weight in forecaster.learned_.network.state_dict().items():
        assert torch.equal(weight, other.learned_.network.state_dict()[name])
    assert other.features_.to_json() == forecaster.features_.to_json()
    origins = data.windows.origins
    early = origins[origins < behind]
    again = other.prepare(seqloom.data.Panel.from_numpy(changed), target="column_0")
    np.testing.assert_array_equal(forecaster.forecast_windows(data, early), other.forecast_windows(again, early))


def test_a_ridge_that_sees_the_test_rows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted leak of the test above."""
    whole = ridge.solve_ridge

    def leaking(network: Any, data: Any, anchor: str) -> float | None:
        return whole(network, dataclasses.replace(data, train=data.windows.origins), anchor)

    monkeypatch.setattr(starts, "solve_ridge", leaking)
    with pytest.raises(AssertionError):
        test_no_later_row_reaches_a_relative_window("nlinear", {"solver": "ridge"})


def test_ridge_is_that_of_scikit_learn() -> None:
    """Standardised ridge with an intercept, beside scikit-learn's at the strength that was chosen."""
    from sklearn.linear_model import Ridge

    y = np.sin(np.arange(300) / 5) + RNG.normal(0, 0.3, 300)
    forecaster = Forecaster(model="linear", lookback=10, horizon=3, anchor="last", loss="mse", solver="ridge")
    data = forecaster.prepare(seqloom.data.Panel.from_numpy(y), target="column_0")
    network: Any = build_network(NetworkSpec("linear", 1, 10, 3, normalise="last"), 0)
    strength = ridge.solve_ridge(network, data, "last")
    assert strength is not None
    x = data.x.astype(np.float64)[data.train[:, None] + np.arange(-9, 1), 0]
    features = x - x[:, -1:]
    spread = features.std(axis=0)
    use = spread > 1e-9
    model = Ridge(alpha=strength * len(x)).fit(features[:, use] / spread[use], data.scaled_truth("last", data.train))
    np.testing.assert_allclose(
        network.output.weight.detach().numpy()[:, use], model.coef_ / spread[use], rtol=1e-3, atol=1e-5
    )
    np.testing.assert_allclose(network.output.bias.detach().numpy(), model.intercept_, rtol=1e-3, atol=1e-5)


def test_short_series_among_long_ones_have_a_forecast() -> None:
    """A lookback that was not given is one that they hold too; a given one stands."""
    panel = several({"a": 400, "b": 60, "c": 350})
    model = Forecaster(model="linear", horizon=6).fit(panel, target="column_0")
    table = model.forecast()
    assert np.isfinite(table.values).all()
    assert model.window_spec_.lookback == 48  # of the 54 rows that they leave, whole days
    assert any("lookback=48" in note and "short series of 60 rows" in note for note in model.notes_)
    given_ = Forecaster(model="linear", horizon=6, lookback=80).fit(panel, target="column_0").forecast()
    assert np.isnan(given_.values[given_.ids == "b"]).all()


def test_the_largest_series_does_not_choose_alone() -> None:
    """Each of several series counts in its own steps: right on the small one alone is as good as on the large alone."""
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.normal(size=(2, 200)), axis=1)
    y = np.concatenate([walk[0], 1000 * walk[1]])
    panel = seqloom.data.Panel.from_numpy(y, ["y"], id=np.repeat(["small", "large"], 200))
    data = Forecaster(model="naive", lookback=4, horizon=2).prepare(panel, target="y")
    origins = data.choose
    naive, truth = naive_windows(data, origins), data.truth(origins)
    large = data.panel.series_index[origins] == data.panel.ids.index("large")
    ratios = [standing(data, origins, np.where(right[:, None], truth, naive), naive).ratio for right in (large, ~large)]
    assert ratios[0] + ratios[1] == pytest.approx(1)
    assert 0.25 < ratios[0] < 0.75


def test_a_patch_is_found_at_once_for_any_season() -> None:
    """As by trying every number; a season of a thousand million rows, which is refused later, takes no time."""
    for steps in (49, 67, 104, 336):
        for season in range(2, 120):
            divisors = [n for n in range(1, season + 1) if season % n == 0]
            expected = min(divisors, key=lambda n: (abs(n - steps // 8), -n))
            assert usual_patch(steps, season) == expected
    assert usual_patch(336, 10**9) == 40
