"""What training finds and what it minimises: least squares, anchors by hand, losses, penalties, quantiles, NaN."""

from __future__ import annotations

import itertools
import os
import re
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forecast_cases import CONVOLUTIONS, hourly, load_and_wind, several, small, steps, with_values

import seqloom
from seqloom import Forecaster
from seqloom.diagnostics import SeasonalNaive
from seqloom.errors import SettingError, TrainingError
from seqloom.tasks.forecast import compare_forecasters
from seqloom.tasks.forecast.network import NETWORKS, NetworkSpec, build_network
from seqloom.tasks.forecast.objective import LossSpec

ROOT = Path(__file__).parents[2]


def test_linear_model_finds_the_least_squares_solution() -> None:
    """y[t + 1] = w[t] − 2 w[t − 1] + 3 without noise: forecasts and weights are those of numpy's lstsq."""
    w = np.random.default_rng(4).normal(5, 2, 500)
    y = np.full(500, 8.0)
    y[2:] = w[1:-1] - 2 * w[:-2] + 3
    forecaster = Forecaster(
        model="linear", lookback=2, horizon=1, anchor="none", loss="mse", epochs=100, batch_size=64,
        learning_rate=0.05, schedule="cosine", clip_norm=None,
    )  # fmt: skip
    data = forecaster.prepare(steps(np.stack([w, y], axis=1), ["w", "y"]), target="y", inputs="*")
    forecaster.fit_prepared(data)

    def design(origins: np.ndarray) -> np.ndarray:
        columns = [w[origins - 1], y[origins - 1], w[origins], y[origins], np.ones(len(origins))]
        return np.stack(columns, axis=1)

    solution, *_ = np.linalg.lstsq(design(data.train), y[data.train + 1], rcond=None)
    expected = design(data.test) @ solution
    np.testing.assert_allclose(expected, y[data.test + 1], atol=1e-9)  # it is linear indeed
    np.testing.assert_allclose(forecaster.forecast_windows(data, data.test)[:, 0], expected, atol=0.005)
    scaler = data.features.scaler
    assert scaler is not None
    weight = forecaster.learned_.network.state_dict()["output.weight"].numpy()[0]
    std = np.asarray(scaler.std)
    np.testing.assert_allclose(weight * std[1] / np.tile(std, 2), solution[:4], atol=0.005)


def test_naive_model_is_the_last_value() -> None:
    run = compare_forecasters(hourly(), ["naive"], {"lookback": 5, "horizon": 3}, target="load", inputs="*")
    data, y = run.data, load_and_wind()[:, 0]
    np.testing.assert_array_equal(
        run.forecasters["naive"].forecast_windows(data, data.test), y[data.test][:, None] + np.zeros(3)
    )
    truth = y[np.add.outer(data.test, [1, 2, 3])]
    expected = np.abs(truth - y[data.test][:, None]).mean()
    assert run.metrics["models"]["naive"]["test"]["mae"] == pytest.approx(expected, rel=1e-12)
    assert run.metrics["models"]["naive"]["test"]["skill"] == 0
    assert run.metrics["models"]["naive"]["parameters"] == 0


def zeroed(forecaster: Forecaster) -> Forecaster:
    """The forecaster with an output layer of zeros: what is left is the anchor."""
    network: Any = forecaster.learned_.network
    with torch.no_grad():
        network.output.weight.zero_()
        network.output.bias.zero_()
        for weight in () if network.skip is None else network.skip.parameters():
            weight.zero_()
    return forecaster


@pytest.mark.parametrize("model", NETWORKS)
def test_a_network_that_says_nothing_forecasts_its_anchor(model: str) -> None:
    y = load_and_wind()[:, 0]

    def level(t: int) -> float:
        return y[t] if model == "nlinear" else y[:168].mean()

    for anchor, ahead, window in (
        ("last", [y[-1]] * 4, lambda t: [y[t]] * 4),
        ("seasonal", y[-24:-20], lambda t: y[t - 23 : t - 19]),
        # nlinear forecasts relative to the last value, whatever is added outside it.
        ("none", [level(239)] * 4, lambda t: [level(t)] * 4),
    ):
        forecaster = small(model=model, anchor=anchor)
        data = forecaster.prepare(hourly(), target="load", inputs="*")
        zeroed(forecaster.fit_prepared(data))
        rounding = (
            1e-6 if anchor == "none" and model == "nlinear" else 1e-12
        )  # a level that the network puts back has single precision
        np.testing.assert_allclose(forecaster.predict()["load"], ahead, rtol=rounding)
        expected = np.array([window(t) for t in data.test])
        np.testing.assert_allclose(forecaster.forecast_windows(data, data.test), expected, rtol=rounding)


def test_a_season_that_is_no_whole_number() -> None:
    y = load_and_wind()[:, 0]
    forecaster = zeroed(small(model="linear", anchor="seasonal", season=6.5).fit(hourly(), target="load", inputs="*"))
    expected = SeasonalNaive(6.5).forecast(
        small(model="naive").prepare(hourly(), target="load", inputs="*").history, [239], [1, 2, 3, 4]
    )
    np.testing.assert_allclose(forecaster.predict()["load"], expected[0], rtol=1e-12)
    assert expected[0, 0] == pytest.approx((y[233] + y[234]) / 2)


def test_anchors_scale_back_per_series() -> None:
    panel = several({"a": 150, "b": 150})
    forecaster = zeroed(small(model="linear", anchor="none", scaling="series").fit(panel, target="column_0"))
    split = forecaster.prepare(panel, target="column_0").split
    means = [panel.series(name).values[: split.train_end, 0].mean() for name in "ab"]
    np.testing.assert_allclose(forecaster.predict()["column_0"], np.repeat(means, 4), rtol=1e-12)


@pytest.mark.parametrize(("noise", "expected"), [(0.05, "last"), (3.0, "none"), (0.6, "seasonal")])
def test_auto_keeps_the_better_anchor_and_says_what_it_cost(noise: float, expected: str) -> None:
    rng, t = np.random.default_rng(5), np.arange(240)
    walk, cycle = np.cumsum(rng.normal(size=240)), 20 * np.sin(2 * np.pi * t / 24)
    values = {"last": walk, "none": 0 * t, "seasonal": cycle}[expected] + noise * rng.normal(size=240)
    panel = with_values(hourly().select(["load"]), values[:, None])
    settings: dict[str, Any] = {"model": "linear", "epochs": 1, "learning_rate": 1e-4}
    alone = {
        kind: small(**settings, anchor=kind).fit(panel, target="load", inputs="*")
        for kind in ("last", "none", "seasonal")
    }
    best = min(alone, key=lambda kind: alone[kind].choosing_mae_)
    assert best == expected
    auto = small(**settings, anchor="auto").fit(panel, target="load", inputs="*")
    assert auto.anchor_ == best
    assert auto.choosing_mae_ == alone[best].choosing_mae_
    np.testing.assert_array_equal(auto.predict()["load"], alone[best].predict()["load"])
    scores = ", ".join(f"{kind} {alone[kind].choosing_mae_:.4g}" for kind in ("last", "none", "seasonal"))
    steps_each = alone[best].learned_.history.steps
    assert auto.notes_[0] == (
        f"linear: anchor 'auto' trained 3 networks instead of one ({3 * steps_each} steps instead of {steps_each}) and "
        f"kept '{best}' (validation MAE: {scores})."
    )


def test_auto_leaves_out_what_is_not_possible() -> None:
    settings: dict[str, Any] = {"model": "linear", "epochs": 1}
    plain = small(**settings, anchor="auto", season=None).fit(hourly(), target="load", inputs="*")
    assert "trained 2 networks" in plain.notes_[0]
    long = small(**settings, anchor="auto", season=170).fit(hourly(), target="load", inputs="*")
    assert long.anchor_ in ("last", "none")
    assert "left out 'seasonal', because no window has a season of 170 rows" in long.notes_[0]


def test_a_seasonal_anchor_without_a_season() -> None:
    with pytest.raises(SettingError, match="the seasonal anchor needs the length of a season"):
        small(model="linear", anchor="seasonal", season=None).fit(hourly(), target="load", inputs="*")
    with pytest.raises(SettingError, match="'seasonal' needs the length of a season"):
        small(model="seasonal", season=None).fit(hourly(), target="load", inputs="*")
    with pytest.raises(SettingError, match=r"no training window has a whole season \(200 rows\)"):
        small(model="linear", anchor="seasonal", season=200).fit(hourly(), target="load", inputs="*")
    small(model="naive", anchor="seasonal", season=None).fit(hourly(), target="load", inputs="*")  # which has no anchor


ERRORS = np.array([[0.5, -2.0], [0.0, 3.0]])  # truth − forecast


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (LossSpec("mae"), 5.5 / 4),
        (LossSpec("mse"), (0.25 + 4 + 9) / 4),
        (LossSpec("huber"), (0.125 + 1.5 + 0 + 2.5) / 4),
        (LossSpec("quantile", 0.9), (0.45 + 0.2 + 0 + 2.7) / 4),
        (LossSpec("quantile", 0.5), 5.5 / 8),
    ],
)
def test_losses_by_hand(loss: LossSpec, expected: float) -> None:
    truth = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    assert loss.error(truth - torch.from_numpy(ERRORS), truth).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_penalties_by_hand(name: str) -> None:
    strengths = {
        "input_l1": 0.3, "input_l2": 0.5, "recurrent_l1": 0.7, "recurrent_l2": 1.1, "bias_l1": 1.3, "bias_l2": 1.7,
    }  # fmt: skip
    shape = CONVOLUTIONS.get(name, {})
    spec = NetworkSpec(name, inputs=2, input_steps=7, forecast_steps=2, units=4, layers=2, **shape)
    network = build_network(spec, 1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    for used in [{group: value} for group, value in strengths.items()] + [strengths]:
        penalty = LossSpec(penalties=tuple(used.items())).penalty()
        assert penalty is not None
        expected = 0.0
        for key, parameter in network.named_parameters():
            value = parameter.detach().double().numpy()
            kind = key.rsplit(".", 1)[1]
            kinds = {"w_x": "input", "w_h": "recurrent", "bias": "bias", "weight": "input", "weight_v": "input"}
            group = kinds.get(kind, "none")
            if key.startswith("output") and name not in ("linear", "dense", "nlinear", "dlinear"):
                continue
            if kind == "weight_v":  # w = g v/|v|: Σw² is Σg², Σ|w| is g·Σ|v|/|v|
                lengths = network.get_parameter(key.removesuffix("v") + "g").detach().double().numpy()
                value = lengths * value / np.sqrt((value**2).sum((1, 2), keepdims=True))
            expected += used.get(f"{group}_l1", 0) * np.abs(value).sum() + used.get(f"{group}_l2", 0) * (value**2).sum()
        assert penalty(network).item() == pytest.approx(expected, rel=1e-5)
    assert LossSpec().penalty() is None


def test_penalties_shrink_their_group() -> None:
    def size(**penalty: float) -> tuple[float, float]:
        forecaster = small(model="gru", epochs=5, learning_rate=0.05, **penalty).fit(
            hourly(), target="load", inputs="*"
        )
        cell: Any = forecaster.learned_.network.body.recurrent.cells[0]  # type: ignore[union-attr]
        return cell.w_x.detach().abs().sum().item(), cell.w_h.detach().abs().sum().item()

    plain, on_input, on_recurrent = size(), size(input_l1=1.0), size(recurrent_l2=1.0)
    assert on_input[0] < 0.7 * plain[0]
    assert on_recurrent[1] < 0.7 * plain[1]


def test_quantiles_are_in_order() -> None:
    forecasts = {}
    data = small().prepare(hourly(), target="load", inputs="*")
    for quantile in (0.1, 0.5, 0.9):
        forecaster = small(model="linear", loss="quantile", quantile=quantile, epochs=30, learning_rate=0.02)
        forecasts[quantile] = forecaster.fit_prepared(data).forecast_windows(data, data.test)
    assert (forecasts[0.1] < forecasts[0.9]).mean() > 0.95
    truth = data.truth(data.test)
    below = {quantile: (truth < forecast).mean() for quantile, forecast in forecasts.items()}
    assert below[0.1] < 0.3 < 0.7 < below[0.9]
    assert below[0.1] < below[0.5] < below[0.9]


def test_a_quantile_s_weights_are_chosen_by_its_loss() -> None:
    forecaster = small(model="linear", loss="quantile", quantile=0.95, epochs=25, learning_rate=0.05)
    forecaster.fit(hourly(), target="load", inputs="*")
    history = forecaster.learned_.history
    assert history.monitor == "loss"
    losses = [row.valid["loss"] for row in history.epochs]
    assert history.best_epoch == 1 + int(np.argmin(losses))
    assert small(model="linear").fit(hourly(), target="load", inputs="*").learned_.history.monitor == "mae"


def test_best_weights_are_kept() -> None:
    forecaster = small(model="linear", epochs=8, learning_rate=0.3, clip_norm=None)
    data = forecaster.prepare(hourly(), target="load", inputs="*")
    forecaster.fit_prepared(data)
    errors = [row.valid["mae"] for row in forecaster.learned_.history.epochs]
    assert forecaster.choosing_mae_ == min(errors) < errors[-1]
    found = np.abs(forecaster.forecast_windows(data, data.choose) - data.truth(data.choose)).mean()
    assert found == pytest.approx(min(errors), rel=1e-12)


def test_seed_decides_everything() -> None:
    def forecast(seed: int, **extra: Any) -> np.ndarray:
        return (
            small(model="gru", input_dropout=0.3, seed=seed, **extra)
            .fit(hourly(), target="load", inputs="*")
            .predict()["load"]
        )

    torch.manual_seed(1)
    first = forecast(3)
    torch.manual_seed(2)
    np.testing.assert_array_equal(forecast(3), first)
    assert not np.array_equal(forecast(4), first)


@pytest.mark.parametrize("model", ["linear", "gru"])
def test_nan_in_training_is_told(model: str) -> None:
    wild: dict[str, Any] = {"learning_rate": 1e30, "optimizer": "sgd", "loss": "mse", "clip_norm": None}
    wild["solver"] = "gradient"
    forecaster = small(model=model, **wild)
    with pytest.raises(TrainingError, match=r"^The loss is inf at epoch 1, step 2, .*lower learning_rate"):
        forecaster.fit(hourly(), target="load", inputs="*")
    assert not hasattr(forecaster, "features_")
    with pytest.raises(TrainingError, match="learning_rate"):
        compare_forecasters(hourly(), [model], {"lookback": 6, "horizon": 2, **wild}, target="load", inputs="*")


def test_numpy_numbers_are_numbers() -> None:
    rate = np.float32(0.01)
    forecaster = small(model="gru", units=np.int64(4), epochs=np.int32(2), learning_rate=rate, lookback=np.int64(12))
    reference = small(model="gru", learning_rate=float(rate))
    found, expected = (
        one.fit(hourly(), target="load", inputs="*").predict()["load"] for one in (forecaster, reference)
    )
    np.testing.assert_array_equal(found, expected)


def way_to_the_loss(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The functions of seqloom between a user's `fit(data)` and the first training loss: (module, function) each."""
    ways: list[list[tuple[str, str]]] = []
    package = os.path.join(os.path.dirname(seqloom.__file__), "")  # not any folder of that name, as a clone's is
    error = LossSpec.error

    def spy(self: LossSpec, forecast: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        frames = [frame.f_code for frame, _ in traceback.walk_stack(None)][::-1]
        inside = [code for code in frames if code.co_filename.startswith(package)]
        ways.append([(Path(code.co_filename).stem, code.co_name) for code in inside])
        return error(self, forecast, truth)

    monkeypatch.setattr(LossSpec, "error", spy)
    small(model="gru", epochs=1).fit(load_and_wind(), target="column_0")
    return [*ways[0], ("objective", "error")]


def test_the_way_from_fit_to_the_loss_is_short_and_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    way = way_to_the_loss(monkeypatch)
    assert way[0] == ("forecaster", "fit")
    assert len(way) <= 15, way
    rooms = [module for module, _ in itertools.groupby(module for module, _ in way)]
    assert len(rooms) == len(set(rooms)), f"the way returns to a module that it left: {rooms}"
    drawn = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for _, function in way:
        assert function in drawn, f"ARCHITECTURE.md's drawing of the way lacks {function}"


def test_follow_one_batch_names_what_there_is() -> None:
    text = (ROOT / "docs" / "follow-one-batch.md").read_text(encoding="utf-8")
    steps = re.findall(r"^\d+\. `([\w/]+\.py)`: (.*)$", text, flags=re.M)
    assert len(steps) >= 8
    for path, what in steps:
        home = ROOT / ("runtime/src" if path.startswith("seqloom_runtime/") else "src/seqloom")
        source = (home / path).read_text(encoding="utf-8")
        names = re.findall(r"`([A-Za-z_.]+)`", what.split(" — ")[0])
        assert names, what
        for name in names:
            assert re.search(rf"^\s*(def|class) {name.split('.')[-1]}\b", source, flags=re.M), f"{path} has no {name}"
