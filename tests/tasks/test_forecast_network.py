"""The networks: counts by formula, the window's layout, the last states of both directions, dropouts."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from forecast_cases import CONVOLUTIONS

from seqloom.errors import FormatError, SettingError
from seqloom.tasks.forecast.network import (
    NETWORKS,
    NetworkSpec,
    build_network,
)
from seqloom.tasks.memory import count_weights
from seqloom.tasks.networks import ACTIVATION_NAMES

RECURRENT = ("rnn", "gru", "lstm")
CONVOLUTIONAL = ("conv", "conv-gru", "tcn")


def count_parameters(shape: NetworkSpec) -> int:
    return count_weights(lambda: build_network(shape, 0))


def spec(name: str, **changes: Any) -> NetworkSpec:
    sizes = {"inputs": 3, "input_steps": 7, "forecast_steps": 5, "units": 6}
    return NetworkSpec(name, **{**sizes, **CONVOLUTIONS.get(name, {}), **changes})


def inputs(spec: NetworkSpec, batch: int = 4) -> tuple[torch.Tensor, torch.Tensor | None]:
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(batch, spec.input_steps, spec.inputs, generator=generator)
    future = torch.randn(batch, spec.forecast_steps, spec.future, generator=generator) if spec.future else None
    return x, future


@pytest.mark.parametrize("name", NETWORKS)
def test_counts_are_the_built_network_s(name: str) -> None:
    for layers, both, future, activation in itertools.product((1, 2, 3), (False, True), (0, 2), (None, "prelu")):
        if activation == "prelu" and name not in RECURRENT:
            continue
        shape = spec(name, layers=layers, bidirectional=both, future=future, activation=activation)
        network = build_network(shape, 1)
        assert sum(p.numel() for p in network.parameters()) == count_parameters(shape)
        assert network(*inputs(shape)).shape == (4, 5)


@pytest.mark.parametrize(
    ("name", "changes", "count"),
    [
        ("linear", {}, 21 * 5 + 5),
        ("linear", {"future": 2}, 31 * 5 + 5),
        ("dense", {"layers": 2}, 22 * 6 + 7 * 6 + 7 * 5),
        ("rnn", {}, 6 * (6 + 3) + 6 + 7 * 5),
        ("gru", {}, 3 * (6 * (6 + 3) + 6) + 7 * 5),
        ("lstm", {}, 4 * (6 * (6 + 3) + 6) + 7 * 5),
        ("lstm", {"bidirectional": True, "layers": 2}, 2 * 4 * (6 * 10) + 2 * 4 * 6 * (6 + 12 + 1) + 13 * 5),
    ],
)
def test_counts_are_the_textbook_s(name: str, changes: dict[str, Any], count: int) -> None:
    assert count_parameters(spec(name, **changes)) == count


def test_linear_is_a_regression_on_the_flat_window() -> None:
    shape = spec("linear", future=2)
    network = build_network(shape, 2)
    x, future = inputs(shape)
    assert future is not None
    state = {name: t.double().numpy() for name, t in network.state_dict().items()}
    flat = np.concatenate([x.numpy().reshape(4, -1), future.numpy().reshape(4, -1)], axis=1)
    expected = flat @ state["output.weight"].T + state["output.bias"]
    np.testing.assert_allclose(network(x, future).detach().numpy(), expected, rtol=2e-5, atol=1e-6)


def test_dense_is_layers_of_relu() -> None:
    shape = spec("dense", layers=2)
    network = build_network(shape, 2)
    x, _ = inputs(shape)
    state = {name: t.double().numpy() for name, t in network.state_dict().items()}
    hidden = x.double().numpy().reshape(4, -1)
    for layer in range(2):
        hidden = np.maximum(hidden @ state[f"body.hidden.{layer}.weight"].T + state[f"body.hidden.{layer}.bias"], 0)
    expected = hidden @ state["output.weight"].T + state["output.bias"]
    np.testing.assert_allclose(network(x).detach().numpy(), expected, rtol=2e-5, atol=1e-6)


TORCH = {"rnn": (torch.nn.RNN, [0]), "gru": (torch.nn.GRU, [0, 1, 2]), "lstm": (torch.nn.LSTM, [0, 1, 2, 3])}


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize(("layers", "both"), [(1, False), (2, False), (1, True), (2, True)])
def test_last_states_are_torch_nn_s(name: str, layers: int, both: bool) -> None:
    """The read-out gets h of the last layer after the whole window: `h_n` of torch.nn, both directions."""
    shape = spec(name, layers=layers, bidirectional=both)
    network = build_network(shape, 3)
    twin = TORCH[name][0](3, 6, layers, bidirectional=both, batch_first=True)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for cell in network.body.recurrent.cells:
            cell.bias.copy_(torch.randn(cell.bias.shape, generator=generator))
        directions = 2 if both else 1
        for number, cell in enumerate(network.body.recurrent.cells):
            suffix = f"_l{number // directions}{'_reverse' if number % directions else ''}"
            getattr(twin, f"weight_ih{suffix}").copy_(cell.w_x.T)
            getattr(twin, f"weight_hh{suffix}").copy_(cell.w_h.T)
            getattr(twin, f"bias_ih{suffix}").copy_(cell.bias)
            getattr(twin, f"bias_hh{suffix}").zero_()
    x, _ = inputs(shape)
    _, state = twin(x)
    last = (state[0] if isinstance(state, tuple) else state)[-directions:]
    if name == "gru":  # torch.nn.GRU: h' = (1 - z) n + z h, the same as ours
        assert last.shape == (directions, 4, 6)
    expected = network.output(torch.cat(list(last), dim=1))
    np.testing.assert_allclose(network(x).detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dropout", ["input_dropout", "recurrent_dropout", "between_dropout"])
@pytest.mark.parametrize("name", RECURRENT)
def test_dropouts_act_in_training_only(name: str, dropout: str) -> None:
    shape = spec(name, layers=2, **{dropout: 0.5})
    network, plain = build_network(shape, 4), build_network(dataclasses.replace(shape, **{dropout: 0.0}), 4)
    x, _ = inputs(shape)
    network.eval()
    assert torch.equal(network(x), plain.eval()(x))
    network.train()
    assert not torch.equal(network(x), network(x))


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_come_from_the_seed_alone(name: str) -> None:
    torch.manual_seed(0)
    one = build_network(spec(name), 5)
    before = torch.get_rng_state()
    torch.manual_seed(1)
    two, three = build_network(spec(name), 5), build_network(spec(name), 6)
    state = {key: t.numpy().tobytes() for key, t in one.state_dict().items()}
    assert state == {key: t.numpy().tobytes() for key, t in two.state_dict().items()}
    assert state != {key: t.numpy().tobytes() for key, t in three.state_dict().items()}
    assert len(before)


@pytest.mark.parametrize("name", ["dense", *RECURRENT, *CONVOLUTIONAL])
@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
def test_every_activation(name: str, activation: str) -> None:
    shape = spec(name, activation=activation)
    if name not in RECURRENT and activation == "prelu":
        with pytest.raises(SettingError, match=f"for the model '{name}', got 'prelu'"):
            build_network(shape, 0)
        return
    found = build_network(shape, 0)(*inputs(shape))
    other = build_network(spec(name, activation="identity"), 0)(*inputs(shape))
    assert torch.isfinite(found).all()
    assert torch.equal(found, other) == (activation == "identity")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "gruu"}, "model: expected one of"),
        ({"units": 0}, "units: expected a whole number of at least 1"),
        ({"layers": 0}, "layers"),
        ({"activation": "tnah"}, "activation"),
    ],
)
def test_impossible_shapes_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        build_network(dataclasses.replace(spec("gru"), **change), 0)


def test_json_round_trip_and_types() -> None:
    shape = spec("lstm", bidirectional=True, activation="relu", input_dropout=0.25)
    assert NetworkSpec.from_json(shape.to_json()) == shape
    for name, value in (("units", 6.0), ("units", True), ("bidirectional", 1), ("activation", 3), ("name", None)):
        with pytest.raises(FormatError, match=f"under '{name}'"):
            NetworkSpec.from_json(shape.to_json() | {name: value})
    for odd in ({}, [], shape.to_json() | {"more": 1}):
        with pytest.raises(FormatError, match="expected the fields"):
            NetworkSpec.from_json(odd)  # type: ignore[arg-type]
