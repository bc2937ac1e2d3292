"""Layers of other sizes and activations (units=(32, 64)), and windows read from their end: every estimator by name."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqloom
from seqloom.errors import FormatError, SettingError
from seqloom.nn import GRU
from seqloom.tasks.forecast.network import NetworkSpec, build_network
from seqloom.tasks.memory import count_weights
from seqloom.tasks.networks import POOLINGS, BodySpec, build_body

WAVE = np.sin(np.arange(120) / 4)
STEPS = [np.random.default_rng(n).normal(size=(4 + n % 3, 2)).astype(np.float32) for n in range(16)]
STACK: dict[str, Any] = {"units": (3, 5), "activation": ("tanh", "relu"), "reverse": True}
DROPS: dict[str, Any] = {"input_dropout": 0.1, "recurrent_dropout": 0.2, "between_dropout": 0.3}


def forecaster(**changes: Any) -> seqloom.Forecaster:
    plain: dict[str, Any] = {
        "model": "gru",
        "lookback": 8,
        "horizon": 2,
        "epochs": 2,
        "steps_per_epoch": 3,
        "learning_rate": 0.01,
    }
    return seqloom.Forecaster(**{**plain, **changes})


def fitted(**changes: Any) -> seqloom.Forecaster:
    return forecaster(**changes).fit(WAVE, target="column_0")


def predicted(model: seqloom.Forecaster) -> bytes:
    return np.asarray(model.predict()["column_0"]).tobytes()


def spec(kind: str = "gru", **changes: Any) -> BodySpec:
    shape: dict[str, Any] = {"inputs": 3, "units": 6, "layers": 2, "stack": (4, 6)}
    return BodySpec(kind, **{**shape, **changes})


def copied(ours: Any, twin: Any) -> None:
    """The weights and one bias of a cell, into torch.nn's module."""
    with torch.no_grad():
        ours.bias.copy_(torch.randn(ours.bias.shape, generator=torch.Generator().manual_seed(ours.bias.numel())))
        for name, value in (("weight_ih_l0", ours.w_x.T), ("weight_hh_l0", ours.w_h.T), ("bias_ih_l0", ours.bias)):
            getattr(twin, name).copy_(value)
        twin.bias_hh_l0.zero_()


@pytest.mark.parametrize("reverse", [False, True])
def test_a_forecast_network_of_two_sizes_is_two_torch_modules(reverse: bool) -> None:
    """Copied weights: the same outputs as torch.nn.GRU(3, 4), torch.nn.GRU(4, 6) and the read-out."""
    shape = NetworkSpec("gru", 3, 7, 5, units=6, layers=2, stack=(4, 6), reverse=reverse)
    network = build_network(shape, 3)
    twins = [torch.nn.GRU(3, 4, batch_first=True), torch.nn.GRU(4, 6, batch_first=True)]
    for layer, twin in zip(network.body.recurrent.layers, twins, strict=True):
        copied(layer.cells[0], twin)
    x = torch.randn(4, 7, 3, generator=torch.Generator().manual_seed(7))
    y = x.flip(1) if reverse else x
    for twin in twins:
        y, _ = twin(y)
    torch.testing.assert_close(network(x), network.output(y[:, -1]), rtol=1e-5, atol=1e-6)
    assert count_weights(lambda: build_network(shape, 0)) == 3 * 4 * (4 + 3 + 1) + 3 * 6 * (6 + 4 + 1) + 7 * 5


def test_dense_layers_have_their_own_sizes_and_activations() -> None:
    body = build_body(spec("dense", activations=("tanh", "relu")), 1)
    x = torch.randn(2, 1, 3, generator=torch.Generator().manual_seed(1))
    first, second = (body.get_submodule(f"hidden.{number}") for number in range(2))
    assert torch.equal(body.summary(x), torch.relu(second(torch.tanh(first(x))))[:, 0])


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize(
    "shape",
    [
        spec(activations=("tanh", "relu")),
        spec("lstm", bidirectional=True),
        spec("rnn", reverse=True),
        BodySpec("lstm", inputs=3, units=4, reverse=True),
    ],
    ids=str,
)
def test_a_masked_step_is_as_if_it_were_not_there(shape: BodySpec, pooling: str) -> None:
    body = build_body(dataclasses.replace(shape, pooling=pooling), 3)
    rng = np.random.default_rng(5)
    mask = rng.random((4, 9)) < 0.6
    mask[:, 4] = True
    x = torch.from_numpy(np.where(mask[:, :, None], rng.normal(size=(4, 9, 3)), np.nan).astype(np.float32))
    kept = torch.from_numpy(mask)
    steps, summary = body(x, kept)
    assert torch.equal(steps, body.steps(x, kept))
    torch.testing.assert_close(summary, body.summary(x, kept))
    for row in range(4):
        alone = x[row][kept[row]][None]
        torch.testing.assert_close(steps[row][kept[row]], body.steps(alone)[0], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(summary[row], body.summary(alone)[0], rtol=1e-5, atol=1e-6)
    assert body.causal == (not shape.bidirectional and not shape.reverse)


def test_pieces_and_single_steps_are_the_whole_sequence() -> None:
    body = build_body(spec(activations=("tanh", "relu")), 3)
    x = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(2))
    whole = body.steps(x)
    first, state = body.carry(x[:, :4])
    second, _ = body.carry(x[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    stream = body.stream()
    steps = [stream.step(step).copy() for step in x[0].numpy()]
    np.testing.assert_allclose(np.stack(steps), whole[0].detach().numpy(), rtol=1e-5, atol=1e-6)
    held = stream.state()
    stream.reset()
    np.testing.assert_array_equal(stream.step(x[0, 0].numpy()), steps[0])
    stream.restore(held)
    assert torch.equal(body.initial_state(2)[1], torch.zeros(1, 2, 6))


@pytest.mark.parametrize("dropout", DROPS)
def test_dropouts_act_in_training_only(dropout: str) -> None:
    body, plain = build_body(dataclasses.replace(spec(), **{dropout: 0.5}), 4), build_body(spec(), 4)
    x = torch.randn(4, 7, 3, generator=torch.Generator().manual_seed(7))
    assert torch.equal(body.eval().steps(x), plain.eval().steps(x))
    body.train()
    assert not torch.equal(body.steps(x), body.steps(x))


def test_equal_layers_are_those_of_one_number() -> None:
    one, other = fitted(units=(4, 4), activation=["relu", "relu"]), fitted(units=4, layers=2, activation="relu")
    assert predicted(one) == predicted(other)
    assert fitted(units=(4,)).n_parameters_ == fitted(units=4).n_parameters_


def test_a_forecaster_is_saved_loaded_and_resumed_bitwise(tmp_path: Path) -> None:
    whole = fitted(**STACK, **DROPS)
    layers: Any = whole.learned_.network.get_submodule("body.recurrent.layers")
    assert [(type(layer), layer.hidden_size, layer.options.activation, layer.options.reverse) for layer in layers] == [
        (GRU, 3, "tanh", True),
        (GRU, 5, "relu", True),
    ]

    def stop(event: Any) -> None:
        if getattr(event, "epoch", None) == 1:
            raise KeyboardInterrupt

    place = {"target": "column_0", "directory": tmp_path / "run"}
    with pytest.raises(KeyboardInterrupt):
        forecaster(**STACK, **DROPS).fit(WAVE, **place, on_event=stop)
    again = forecaster(**STACK, **DROPS).fit(WAVE, **place, resume=True)
    assert predicted(again) == predicted(whole)
    whole.save(tmp_path / "model")
    loaded = seqloom.load(tmp_path / "model")
    assert isinstance(loaded, seqloom.Forecaster)
    assert (loaded.units, loaded.activation, loaded.reverse) == ((3, 5), ("tanh", "relu"), True)
    assert predicted(loaded) == predicted(whole)


@pytest.mark.parametrize("model", ["gru", "lstm", "rnn"])
def test_sequence_models_take_them(model: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"model": model, "epochs": 1, "pooling": "last"}
    for made in (
        seqloom.SequenceClassifier(**settings, **STACK).fit(STEPS, ["a", "b"] * 8),
        seqloom.SequenceRegressor(**settings, **STACK, **DROPS).fit(STEPS, np.arange(16.0)),
    ):
        made.save(tmp_path / "model")
        assert np.array_equal(seqloom.load(tmp_path / "model").predict(STEPS), made.predict(STEPS))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"units": (3, 4, 5), "layers": 2}, "units: expected one number, or one for each of 2 layers, got 3: 3, 4, 5;"),
        ({"activation": ("tanh", "relu")}, "activation: expected one name, or one for the 1 layer, got 2"),
        ({"units": (3, 4), "activation": ("tanh",) * 3}, "activation: expected one name, or one for each of 2 layers"),
        ({"units": (3, 0)}, "units: expected a whole number of at least 1, or a list of them"),
        ({"units": ()}, "units: expected"),
        ({"activation": ("tanh", "rleu"), "layers": 2}, "activation: .*Did you mean 'relu'"),
        ({"model": "tcn", "units": (3, 4)}, "units: 'tcn' counts the channels of each level, got units 3, 4"),
        ({"model": "conv", "activation": ("tanh", "relu"), "layers": 2}, "activation: 'conv' has one activation"),
        ({"model": "encoder-decoder", "units": (3, 4)}, "units: 'encoder-decoder' has layers of one size"),
        ({"model": "encoder-decoder", "reverse": True}, "reverse: 'encoder-decoder' reads forward only"),
        ({"model": "tcn", "reverse": True}, "reverse: 'tcn' reads forward only; use rnn, gru or lstm"),
        ({"reverse": True, "bidirectional": True}, "reverse: bidirectional already reads both ways"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_sentence(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        fitted(**change)


def test_models_without_hidden_layers_ignore_their_sizes() -> None:
    fitted(model="linear", units=(3, 4), reverse=True)
    fitted(model="naive", units=(3, 4), activation=("tanh", "relu"))
    with pytest.raises(SettingError, match="reverse: 'conv' reads forward only"):
        seqloom.SequenceClassifier(model="conv", reverse=True, epochs=1).fit(STEPS, ["a", "b"] * 8)
    with pytest.raises(SettingError, match="units: 'tcn' counts the channels of each level"):
        seqloom.SequenceClassifier(model="tcn", units=(3, 4), epochs=1).fit(STEPS, ["a", "b"] * 8)


def test_specifications_say_nothing_of_layers_that_are_alike() -> None:
    assert not {"stack", "activations", "reverse"} & {
        *BodySpec("gru", 3).to_json(),
        *NetworkSpec("gru", 3, 4, 2).to_json(),
    }
    shape = spec(activations=("tanh", "relu"), reverse=True)
    assert BodySpec.from_json(shape.to_json()) == shape
    for name, value in (("stack", [4.0, 6]), ("stack", "46"), ("activations", ["tanh", 3]), ("reverse", 1)):
        with pytest.raises(FormatError, match=f"under '{name}'"):
            BodySpec.from_json(shape.to_json() | {name: value})
    changes: tuple[dict[str, Any], ...] = (
        {"stack": (4, 5)},
        {"layers": 3},
        {"stack": (0, 6)},
        {"activations": ("tanh",)},
    )
    for change in changes:
        with pytest.raises(SettingError, match=r"units|activation"):
            spec(**change)
