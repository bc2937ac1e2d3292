"""The forecaster's convolutional networks: published sizes, torch twins, windows too short, what they can't see."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forecast_cases import hourly, small, weights
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from seqloom import Forecaster, load
from seqloom.errors import FormatError, SettingError
from seqloom.nn import receptive_field
from seqloom.tasks.forecast.convolutional import (
    sight_notes,
    usual_channels,
)
from seqloom.tasks.forecast.network import NetworkSpec, build_network
from seqloom.tasks.forecast.settings import network_spec
from seqloom.tasks.memory import count_weights
from seqloom.training.events import EpochDone
from seqloom_runtime.model_folder import read_model, write_model


def count_parameters(shape: NetworkSpec) -> int:
    return count_weights(lambda: build_network(shape, 0))


def spec(name: str, **changes: Any) -> NetworkSpec:
    sizes: dict[str, Any] = {"inputs": 14, "input_steps": 240, "forecast_steps": 1, "units": 32}
    shape: dict[str, Any] = {
        "conv": {"channels": (32, 32, 32), "kernel_size": 5, "pool_size": 3},
        "conv-gru": {"channels": (32, 32), "kernel_size": 5, "pool_size": 3},
        "tcn": {"channels": (25,) * 8, "kernel_size": 7},
    }[name]
    return NetworkSpec(name, **{**sizes, **shape, **changes})


def window(spec: NetworkSpec, batch: int = 3) -> torch.Tensor:
    return torch.randn(batch, spec.input_steps, spec.inputs, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize(
    ("name", "changes", "count"),
    [
        ("conv", {}, 14 * 5 * 32 + 32 + 2 * (32 * 5 * 32 + 32) + 33),
        ("conv-gru", {}, 13_697),
        ("tcn", {"inputs": 1, "forecast_steps": 10}, 66_910),
        ("tcn", {"inputs": 2, "channels": (24,) * 8, "kernel_size": 8}, 70_369),
    ],
)
def test_published_sizes(name, changes, count):
    """B5, and two rows of the table in arXiv 1803.01271, from the settings that the models have by name."""
    shape = spec(name, **changes)
    assert count_parameters(shape) == count
    assert sum(p.numel() for p in build_network(shape, 1).parameters()) == count


def test_one_name_gives_the_lecture_s_network():
    """With the defaults, from 240 input steps."""
    window_spec = Forecaster(lookback=240, horizon=1).prepare(hourly(600), target="load", inputs="*").spec
    for name in ("conv", "conv-gru"):
        lecture = Forecaster(model=name, lookback=240, normalise="none", linear_skip=False, pooling="max")
        assert network_spec(lecture, None, window_spec) == spec(name, inputs=1)
    tcn = network_spec(Forecaster(model="tcn", lookback=240, units=8), None, window_spec)
    assert (tcn.channels, tcn.kernel_size, tcn.pool_size) == ((8,) * 6, 3, 0)


@pytest.mark.parametrize("steps", [61, 62, 63, 69, 70, 240])
def test_conv_against_torch(steps):
    """The twin pools from the newest step backwards; where the pools come out even it is Keras's convnet."""
    shape = spec("conv", input_steps=steps, forecast_steps=4, future=2)
    network = build_network(shape, 3)
    state = network.state_dict()
    x, future = window(shape), torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(1))
    h = x.transpose(1, 2)
    for layer in range(3):
        if layer:
            h = functional.max_pool1d(h[:, :, h.shape[2] % 3 :], 3)
        h = functional.conv1d(
            h, state[f"body.pooled.convolutions.{layer}.weight"], state[f"body.pooled.convolutions.{layer}.bias"]
        )
        h = h.relu()
    features = torch.cat([h.amax(2), future.flatten(1)], dim=1)
    expected = features @ state["output.weight"].T + state["output.bias"]
    torch.testing.assert_close(network(x, future), expected)


@pytest.mark.parametrize("both", [False, True])
def test_conv_gru_against_torch(both):
    shape = spec("conv-gru", input_steps=50, units=6, layers=2, bidirectional=both)
    network = build_network(shape, 3)
    state = network.state_dict()
    h = window(shape).transpose(1, 2)
    for layer in range(2):
        if layer:
            h = functional.max_pool1d(h[:, :, h.shape[2] % 3 :], 3)
        h = functional.conv1d(
            h, state[f"body.pooled.convolutions.{layer}.weight"], state[f"body.pooled.convolutions.{layer}.bias"]
        )
        h = h.relu()
    twin = nn.GRU(32, 6, 2, batch_first=True, bidirectional=both)
    directions = 2 if both else 1
    with torch.no_grad():
        for number in range(2 * directions):
            suffix = f"_l{number // directions}{'_reverse' if number % directions else ''}"
            getattr(twin, f"weight_ih{suffix}").copy_(state[f"body.recurrent.cells.{number}.w_x"].T)
            getattr(twin, f"weight_hh{suffix}").copy_(state[f"body.recurrent.cells.{number}.w_h"].T)
            getattr(twin, f"bias_ih{suffix}").zero_()
            getattr(twin, f"bias_hh{suffix}").zero_()
    last = twin(h.transpose(1, 2))[1][-directions:]
    expected = torch.cat(list(last), dim=1) @ state["output.weight"].T + state["output.bias"]
    torch.testing.assert_close(network(window(shape)), expected, rtol=1e-4, atol=1e-5)


def test_tcn_reads_the_last_output():
    shape = spec("tcn", input_steps=30, channels=(5, 4), kernel_size=3, activation="tanh")
    network = build_network(shape, 3)
    x = window(shape)
    torch.testing.assert_close(network(x), network.output(network.body.tcn(x)[:, -1]))
    far = x.clone()
    far[:, :17] += 5.0  # the receptive field is 13
    assert torch.equal(network(far), network(x))
    far[:, 17] += 5.0
    assert not torch.equal(network(far), network(x))


@pytest.mark.parametrize("name", ["conv", "conv-gru", "tcn"])
def test_dropouts_act_in_training_only(name):
    shape = spec(name, input_steps=70, between_dropout=0.5)
    network, plain = build_network(shape, 4), build_network(dataclasses.replace(shape, between_dropout=0.0), 4)
    x = window(shape)
    assert torch.equal(network.eval()(x), plain.eval()(x))
    network.train()
    assert not torch.equal(network(x), network(x))


@pytest.mark.parametrize("name", ["conv", "conv-gru", "tcn"])
def test_interrupted_with_dropout_and_resumed(name, tmp_path: Path):
    """The generator of the masks goes on where it was."""

    class Stopped(Exception):
        pass

    def stop(event: object) -> None:
        if isinstance(event, EpochDone) and event.row.epoch == 2:
            raise Stopped

    forecaster = small(model=name, epochs=4, between_dropout=0.4, lookback=24)
    whole = weights(forecaster.fit(hourly(), target="load", inputs="*"))
    with pytest.raises(Stopped):
        forecaster.fit(hourly(), target="load", inputs="*", directory=tmp_path, on_event=stop)
    assert weights(forecaster.fit(hourly(), target="load", inputs="*", directory=tmp_path, resume=True)) == whole
    plain = small(model=name, epochs=4, lookback=24).fit(hourly(), target="load", inputs="*")
    assert weights(plain) != whole


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 80))
def test_the_least_window(taps, pool, layers, steps):
    """A window is either refused with the number that would do, or read to its newest step."""
    shape = NetworkSpec("conv", 1, steps, 1, channels=(2,) * layers, kernel_size=taps, pool_size=pool)
    lengths = [steps - taps + 1]
    for _ in range(layers - 1):
        lengths.append(lengths[-1] // pool - taps + 1)
    if min(lengths) < 1:
        with pytest.raises(SettingError, match=r"^lookback: the model 'conv' .* input steps, got") as caught:
            build_network(shape, 1)
        needed = int(str(caught.value).split("at least ")[1].split()[0])
        assert needed > steps
        build_network(dataclasses.replace(shape, input_steps=needed), 1)
        with pytest.raises(SettingError):
            build_network(dataclasses.replace(shape, input_steps=needed - 1), 1)
        return
    network = build_network(shape, 1).double()
    with torch.no_grad():
        for p in network.parameters():
            p.fill_(0.1)
    x = torch.arange(1.0, steps + 1, dtype=torch.float64).reshape(1, steps, 1).requires_grad_()
    y = network(x)
    assert y.shape == (1, 1)
    assert torch.autograd.grad(y.sum(), x)[0][0, -1, 0] > 0  # the largest values are the newest
    unread = int(sight_notes(shape)[0].split()[1]) if sight_notes(shape) else 0
    changed = x.detach().clone()
    changed[:, :unread] += 1e6
    assert torch.equal(network(changed), y)
    channels = usual_channels("tcn", 2, steps, taps + 1)
    assert not sight_notes(spec("tcn", input_steps=steps, channels=channels, kernel_size=taps + 1))


def test_the_levels_of_the_tcn_reach_over_the_window():
    for steps in (1, 2, 5, 6, 120, 240, 1440):
        channels = usual_channels("tcn", 16, steps, 3)
        network = build_network(spec("tcn", input_steps=steps, channels=channels, kernel_size=3), 0)
        assert receptive_field(network.body.tcn) >= steps
        if len(channels) > 1:
            shorter = build_network(spec("tcn", channels=channels[1:], kernel_size=3), 0)
            assert receptive_field(shorter.body.tcn) < steps
    assert usual_channels("tcn", 16, 100, 1) == (16,)


def test_what_a_network_can_not_see_is_said():
    panel = hourly(400)
    settings: dict[str, Any] = {"epochs": 1, "lookback": 24}
    short = small(model="tcn", **settings, channels=(3, 3), kernel_size=3).fit(panel, target="load", inputs="*")
    assert short.notes_[0] == (
        "tcn: its receptive field is 13, so of the 24 input steps it sees only the last 13; more channels (levels) "
        "or a larger kernel_size would use them all."
    )
    long = small(model="tcn", **settings, channels=(3,) * 5, kernel_size=3).fit(panel, target="load", inputs="*")
    assert long.notes_[0] == (
        "tcn: its receptive field is 125, more than the 24 input steps that there are; 3 of its 5 levels would see "
        "them all."
    )
    uneven = small(model="conv", **settings).fit(panel, target="load", inputs="*")
    assert uneven.notes_[0] == "conv: 1 of the 24 input steps, the oldest, fill no whole pool."
    for quiet in (small(model="tcn", **settings, channels=None), small(model="conv", **{**settings, "lookback": 23})):
        assert not quiet.fit(panel, target="load", inputs="*").notes_
    sparse = small(model="tcn", **settings, every=2, channels=(3, 3), kernel_size=3)  # 12 input steps of 2 rows
    assert not sparse.fit(panel, target="load", inputs="*").notes_


def test_a_short_lookback_is_refused_before_anything_is_prepared():
    words = (
        r"lookback: the model 'conv' with 3 convolutions of 5 taps and pools of 3 between them needs at least 61 input "
        r"steps, got 48; give a longer lookback, a smaller kernel_size or pool_size, or fewer channels\."
    )
    with pytest.raises(SettingError, match=words):
        Forecaster(model="conv", lookback=48, horizon=1).fit(hourly(), target="load", inputs="*")
    with pytest.raises(SettingError, match=r"'conv-gru' with 2 convolutions .* at least 19 input steps, got 12"):
        Forecaster(model="conv-gru", lookback=12).fit(hourly(), target="load", inputs="*")
    with pytest.raises(SettingError, match="got 24"):
        Forecaster(model="conv", lookback=48, every=2, horizon=4).fit(hourly(), target="load", inputs="*")
    with pytest.raises(SettingError, match="channels: expected at most 30 levels"):
        Forecaster(model="tcn", channels=[2] * 31).fit(hourly(), target="load", inputs="*")
    with pytest.raises(SettingError, match="channels: expected a list of one or more, each a whole"):
        Forecaster(model="tcn", channels=[2, 0]).fit(hourly(), target="load", inputs="*")


def test_sizes_that_a_spec_can_not_have():
    for changes, words in (
        ({"channels": ()}, "channels"),
        ({"channels": (3, 0)}, "channels"),
        ({"kernel_size": 0}, "kernel_size"),
        ({"pool_size": 0}, "pool_size"),
    ):
        with pytest.raises(SettingError, match=f"^{words}: expected"):
            build_network(spec("conv", **changes), 0)


def test_a_folder_without_a_parameter_is_refused_by_its_name(tmp_path: Path):
    small(model="gru").fit(hourly(), target="load", inputs="*").save(tmp_path / "new")
    header, arrays = read_model(tmp_path / "new")
    for name in ("units", "channels"):
        body = {k: v for k, v in header.items() if k not in ("format", "schema", "task", "files", "checksum")}
        body["parameters"] = {k: v for k, v in body["parameters"].items() if k != name}
        write_model(tmp_path / name, "forecast", body, arrays)
        with pytest.raises(FormatError, match=f"the parameter '{name}' is missing"):
            load(tmp_path / name)


def test_channels_of_a_grid_search_are_saved(tmp_path: Path):
    channels: Any = [np.int64(3), np.int64(2)]
    small(model="tcn", channels=channels, kernel_size=np.int64(2)).fit(hourly(), target="load", inputs="*").save(
        tmp_path / "m"
    )
    assert load(tmp_path / "m").channels == (3, 2)


def test_a_forecast_leans_on_what_it_learned():
    """Each convolutional model beats the naive forecast on a daily cycle."""
    t = np.arange(600)
    values = 10 * np.sin(2 * np.pi * t / 24) + np.random.default_rng(1).normal(0, 0.3, 600)
    naive = Forecaster(model="naive", lookback=48, horizon=6).fit(values, target="column_0").choosing_mae_
    for name in ("conv", "conv-gru", "tcn"):
        sizes: dict[str, Any] = {"units": 8, "kernel_size": 3, "epochs": 7, "batch_size": 32, "learning_rate": 0.01}
        fitted = Forecaster(model=name, lookback=48, horizon=6, anchor="none", **sizes).fit(values, target="column_0")
        assert fitted.choosing_mae_ < 0.25 * naive, name
