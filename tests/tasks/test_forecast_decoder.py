"""The encoder-decoder beside an independent twin: outputs, gradients, attention, and what reaches which step."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forecast_cases import hourly, moved, several, small, with_values
from torch import Tensor

from oracles.numpy_recurrent import Twin
from seqloom import Forecaster, load
from seqloom.diagnostics import check_forecast
from seqloom.errors import Interrupted, SettingError
from seqloom.tasks.forecast.input_groups import groups_of
from seqloom.tasks.forecast.network import NetworkSpec, build_network
from seqloom.tasks.memory import count_weights
from seqloom.training import events
from seqloom_runtime.forecast.features import Features

SHAPE = NetworkSpec("encoder-decoder", inputs=3, input_steps=7, forecast_steps=5, future=2, units=6, skip=True)


def shaken(spec: NetworkSpec, seed: int = 3) -> Any:
    """A network in float64 whose weights are all random: none is 0, none repeats another."""
    network = build_network(spec, seed).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(0.5 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return network


def read(spec: NetworkSpec, batch: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(11)
    x = torch.randn(batch, spec.input_steps, spec.inputs, generator=generator, dtype=torch.float64)
    return x, torch.randn(batch, spec.forecast_steps, spec.future, generator=generator, dtype=torch.float64)


def through(kind: str, state: dict[str, np.ndarray], part: str, x: np.ndarray, starts: list[Any]) -> Any:
    """The outputs of stacked layers and the last state of each, by the NumPy twin."""
    ends = []
    for layer, (h, c) in enumerate(starts):
        own = {key: state[f"{part}.recurrent.cells.{layer}.{key}"] for key in ("w_x", "w_h", "bias")}
        x, h, c = Twin("elman" if kind == "rnn" else kind, own).run(x, h, c)
        ends.append((h, c))
    return x, ends


def by_hand(spec: NetworkSpec, state: dict[str, np.ndarray], x: np.ndarray, future: np.ndarray) -> np.ndarray:
    """The forecast (B, K) from the equations alone, step by step."""
    target = x[:, :, spec.target]
    level = target[:, -1:] if spec.normalise == "last" else 0 * target[:, -1:]
    scale = np.ones_like(level)
    if spec.normalise == "standard":
        level, scale = target.mean(1, keepdims=True), target.std(1, keepdims=True)
    x = x.copy()
    x[:, :, spec.target] = (target - level) / scale
    zeros = np.zeros((len(x), spec.units))
    cells = [(zeros, zeros if spec.cell == "lstm" else None)] * spec.layers
    outputs, ends = through(spec.cell, state, "body", x, cells)
    k = (np.arange(1, spec.forecast_steps + 1) / spec.forecast_steps).astype(np.float32)  # as the network keeps it
    ahead = np.concatenate([np.broadcast_to(k[None, :, None], (*future.shape[:2], 1)), future], axis=2)
    decoded, _ = through(spec.cell, state, "decoder", ahead, ends)
    if spec.attention:
        contexts = np.zeros_like(decoded)
        for b, step in np.ndindex(decoded.shape[:2]):
            query = state["decoder.attention.query.weight"] @ decoded[b, step] + state["decoder.attention.query.bias"]
            keys = outputs[b] @ state["decoder.attention.key.weight"].T
            scores = np.exp(np.tanh(query + keys) @ state["decoder.attention.score"])
            contexts[b, step] = (scores / scores.sum()) @ outputs[b]
        decoded = np.concatenate([decoded, contexts], axis=2)
    y = decoded @ state["output.weight"][0] + state["output.bias"]
    if spec.skip:
        y += x[:, :, spec.target] @ state["skip.window.weight"].T + x[:, -1] @ state["skip.last.weight"].T
        y += future @ state["skip.known.weight"][0]
    return y * scale + (level if spec.relevel else 0)


CASES: list[dict[str, Any]] = [
    {},
    {"attention": True},
    {"cell": "lstm", "layers": 2, "attention": True, "normalise": "last", "relevel": True},
    {"cell": "rnn", "layers": 2, "normalise": "standard", "target": 1},
]


@pytest.mark.parametrize("changes", CASES)
def test_it_is_the_twin_s(changes: dict[str, Any]) -> None:
    spec = dataclasses.replace(SHAPE, **changes)
    network = shaken(spec)
    x, future = read(spec)
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    expected = by_hand(spec, state, x.numpy(), future.numpy())
    np.testing.assert_allclose(network(x, future).detach().numpy(), expected, rtol=1e-10, atol=1e-12)
    assert sum(p.numel() for p in network.parameters()) == count_weights(lambda: build_network(spec, 0))


@pytest.mark.parametrize("changes", CASES)
def test_its_gradients_are_the_twin_s_differences(changes: dict[str, Any]) -> None:
    """d Σ (weights ⊙ y) along a random direction of every weight and input, by central differences of the twin."""
    spec = dataclasses.replace(SHAPE, **changes)
    network = shaken(spec, seed=8)
    x, future = (tensor.requires_grad_() for tensor in read(spec))
    rng = np.random.default_rng(2)
    mixed = rng.normal(size=(4, 5))
    (network(x, future) * torch.from_numpy(mixed)).sum().backward()
    state = {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
    gradients = {name: p.grad.numpy() for name, p in network.named_parameters()}
    whole = {**state, "x": x.detach().numpy(), "future": future.detach().numpy()}
    assert x.grad is not None
    assert future.grad is not None
    gradients |= {"x": x.grad.numpy(), "future": future.grad.numpy()}

    def value(at: dict[str, np.ndarray]) -> float:
        return float((by_hand(spec, at, at["x"], at["future"]) * mixed).sum())

    for name, gradient in gradients.items():
        along = rng.normal(size=gradient.shape)
        up, down = (value({**whole, name: whole[name] + sign * 1e-6 * along}) for sign in (1, -1))
        assert (up - down) / 2e-6 == pytest.approx(float((gradient * along).sum()), rel=1e-5, abs=1e-7), name


def test_what_is_known_of_a_step_reaches_it_and_later_ones_alone() -> None:
    for attention in (False, True):
        network = shaken(dataclasses.replace(SHAPE, attention=attention))
        x, future = read(SHAPE)
        changed = future.clone()
        changed[:, 2] += 1.0
        moved = (network(x, changed) != network(x, future)).any(dim=0).tolist()
        assert moved == [False, False, True, True, True]


def test_attention_is_a_distribution_over_the_window() -> None:
    network = shaken(dataclasses.replace(SHAPE, attention=True))
    encoded, state = torch.randn(2, 7, 6).double(), torch.randn(2, 5, 6).double()
    weights = network.decoder.attention.weights(state, encoded)
    assert weights.shape == (2, 5, 7)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(2, 5).double())


def ahead(**parameters: Any) -> Forecaster:
    """An encoder-decoder that is told the wind in advance."""
    return small(model="encoder-decoder", **{"attention": True, **parameters})


def test_later_rows_of_a_known_column_reach_no_earlier_step() -> None:
    """Only what is known up to each step may move it; the target's later rows move none."""
    panel = hourly()
    forecaster = ahead(linear_skip=False)
    data = forecaster.prepare(panel, target="load", future=["wind"])
    forecaster.fit_prepared(data)
    origin = int(data.test[3])
    before = forecaster.forecast_windows(data, np.array([origin]))[0]
    values = panel.values.copy()
    values[origin + 3 :, 1] += 5.0  # from the third step on
    values[origin + 1 :, 0] += 100.0
    after = forecaster.forecast_windows(moved(data, values), np.array([origin]))[0]
    np.testing.assert_array_equal(after[:2], before[:2])
    assert (after[2:] != before[2:]).all()


def test_a_decoder_that_reads_the_target_ahead_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(self: Features, panel: Any, scaled: Any = None) -> Any:
        values = self.scaled(panel) if scaled is None else scaled
        return np.ascontiguousarray(values[:, [self.roles.numeric.index("load")]], dtype=np.float32)

    monkeypatch.setattr(Features, "future", planted)
    panel = hourly()
    forecaster = ahead()
    data = forecaster.prepare(panel, target="load", future=["wind"])
    forecaster.fit_prepared(data)
    origin = int(data.test[3])

    def predict(values: np.ndarray) -> np.ndarray:
        return forecaster.forecast_windows(moved(data, values), np.array([origin]))

    only_load = np.array(panel.values)
    assert not check_forecast(
        lambda values: predict(np.stack([values[:, 0], only_load[:, 1]], axis=1)), only_load, origin
    ).passed


def test_saved_and_loaded_it_forecasts_the_same(tmp_path: Path) -> None:
    forecaster = ahead(cell="lstm", normalise="standard").fit(
        with_values(hourly(), hourly().values), target="load", inputs="*"
    )
    forecaster.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert (again.cell, again.attention, again.learned_.spec) == ("lstm", True, forecaster.learned_.spec)
    np.testing.assert_array_equal(again.forecast().values, forecaster.forecast().values)


def test_its_decoder_reads_the_calendar_ahead(tmp_path: Path) -> None:
    panel = hourly()
    found = ahead(calendar=True).fit(panel, target="load")
    assert found.features_.cycles == ("day",)
    assert (found.features_.future_width, found.learned_.spec.future) == (2, 2)
    assert small(model="gru", calendar=True).fit(panel, target="load").features_.future_width == 0
    data = found.prepare(panel, target="load")
    origin = len(panel.values) - 1 - 4
    decoder: Any = found.learned_.network.decoder
    read: list[Tensor] = []
    decoder.register_forward_hook(lambda module, given, result: read.append(given[2]))
    windows = found.forecast_windows(data, np.array([origin]))
    hours = np.arange(origin + 1, origin + 5) % 24
    waves = np.stack([np.sin(2 * np.pi * hours / 24), np.cos(2 * np.pi * hours / 24)], axis=1)
    np.testing.assert_allclose(read[-1][0].numpy(), waves, atol=1e-5)
    past = found.forecast(panel.take(np.arange(origin + 1)))  # rows ahead that are not given have times too
    np.testing.assert_allclose(past.values, windows[0], rtol=1e-5)
    found.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.forecast().values, found.forecast().values)
    np.testing.assert_array_equal(again.forecast_windows(data, data.test), found.forecast_windows(data, data.test))
    groups = {group.name: group for group in groups_of(found.features_, "encoder-decoder")}
    assert groups["time of day"].ahead == (0, 1)
    refitted = ahead(calendar=True, refit=True).fit(panel, target="load")
    assert refitted.features_.calendar_ahead
    assert np.isfinite(refitted.forecast(horizon=9).values).all()


def test_a_stopped_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    panel = hourly()
    whole = ahead(recurrent_dropout=0.2).fit(panel, target="load", inputs="*")

    def stop(event: Any) -> None:
        if isinstance(event, events.EpochDone):
            raise Interrupted("stopped by the test")

    with pytest.raises(Interrupted):
        ahead(recurrent_dropout=0.2).fit(panel, target="load", inputs="*", directory=tmp_path, on_event=stop)
    resumed = ahead(recurrent_dropout=0.2).fit(panel, target="load", inputs="*", directory=tmp_path, resume=True)
    for name, tensor in whole.learned_.network.state_dict().items():
        assert torch.equal(tensor, resumed.learned_.network.state_dict()[name]), name


def test_several_targets_masked_steps_static_columns_and_distributions() -> None:
    rng = np.random.default_rng(4)
    table = {f"column_{i}": rng.normal(size=160).cumsum() for i in range(2)}
    holed = np.stack([*table.values()], axis=1)
    holed[60:63, 0] = np.nan
    found = ahead(lookback=8, fill="none").fit(holed, target=["column_0", "column_1"])
    assert np.isfinite(found.forecast().values).all()
    series = several({"a": 90, "b": 80}, columns=2)
    values = series.values.copy()
    values[:, 1] = np.where(series.series_index == 0, 3.0, 7.0)
    static = ahead(static=["column_1"]).fit(with_values(series, values), target="column_0")
    assert static.features_.roles.static == ("column_1",)
    assert np.isfinite(static.forecast().values).all()
    for extra in ({"loss": "quantiles"}, {"distribution": "normal"}, {"normalise": "standard", "layers": 2}):
        forecast = ahead(**extra).fit(hourly(), target="load").forecast()
        assert np.isfinite(forecast.values).all()


def test_an_unknown_cell_is_refused() -> None:
    with pytest.raises(SettingError, match="cell: expected one of rnn, gru, lstm, got 'gruu'"):
        ahead(cell="gruu").fit(hourly(), target="load")
    with pytest.raises(SettingError, match="cell: expected one of"):
        build_network(dataclasses.replace(SHAPE, cell="jordan"), 0)
