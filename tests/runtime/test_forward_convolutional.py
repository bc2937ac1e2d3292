"""Convolutional bodies, GRU-D, attention and the writer of the runtime beside those of torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from forward_twins import arrays_of, draw, engine, mask_of, randomised, same
from hypothesis import given, settings
from hypothesis import strategies as st

from seqloom import nn as seqnn
from seqloom.ops import conv
from seqloom.tasks.networks import BodySpec, build_body
from seqloom.tasks.networks.attention import ATTENTIONS, make_attention
from seqloom.tasks.translation.network import TranslationSpec, build_translation_network
from seqloom_runtime import forward
from seqloom_runtime.errors import SettingError
from seqloom_runtime.forward.conv_stack import ConvStack, Wired

NAMES = tuple(forward.ACTIVATIONS)


@st.composite
def specs(drawn: Any) -> BodySpec:
    kind = drawn(st.sampled_from(["tcn", "conv", "conv-gru", "pooled-conv", "pooled-conv-gru"]))
    options: dict[str, Any] = {
        "channels": tuple(drawn(st.lists(st.integers(1, 9), min_size=1, max_size=3))),
        "kernel_size": drawn(st.integers(1, 3)),
        "activation": drawn(st.sampled_from([None, *NAMES])),
    }
    if not kind.startswith("pooled"):
        options["dilation"] = drawn(st.integers(1, 3))
        options["pooling"] = drawn(st.sampled_from(["last", "mean", "max", "attention"]))
    if kind == "pooled-conv":
        options["pooling"] = drawn(st.sampled_from(["last", "mean", "max"]))
    if kind != "tcn":
        options["pool_size"] = drawn(st.integers(1, 3))
    if kind.endswith("gru"):
        options |= {"units": drawn(st.integers(1, 6)), "layers": drawn(st.integers(1, 2))}
        options["bidirectional"] = drawn(st.booleans())
    return BodySpec(kind, drawn(st.integers(1, 4)), length=40, **options)


@pytest.mark.parametrize("native", [True, False])
@settings(max_examples=12)
@given(spec=specs(), seed=st.integers(0, 10**6), masked=st.sampled_from(["none", "front", "any"]))
def test_every_option_beside_torch(native: bool, spec: BodySpec, seed: int, masked: str) -> None:
    module: Any = randomised(build_body(spec, seed), seed, 0.7)
    whole = spec.kind.startswith("pooled")
    x, mask = draw(3, 40, spec.inputs, seed=seed), None if whole else mask_of(3, 40, masked, seed)
    with engine(native):
        body = forward.build_body(spec.to_json(), arrays_of(module, "body."), "body.")
        if spec.kind != "tcn" or mask is None:  # what a tcn gives masked steps means nothing
            same(body.steps(x, mask), module, lambda m, *given: m.steps(*given), x, mask)
        same(body.summary(x, mask), module, lambda m, *given: m.summary(*given), x, mask)
        same(body.both(x, mask)[1], module, lambda m, *given: m(*given)[1], x, mask)
        assert (body.causal, body.output_size) == (module.causal, module.output_size)
        if spec.kind == "tcn":
            _streams(body, module, x)


def _streams(body: Any, module: Any, x: np.ndarray) -> None:
    """Pieces and single steps give the whole sequence's features and torch's state."""
    first, state = body.carry(x[:, :13])
    second, after = body.carry(x[:, 13:], state)
    same((np.concatenate([first, second], axis=1), after), module, lambda m, x: m.carry(x), x)
    stream = body.stream(3)
    same(np.stack([stream.step(x[:, t]).copy() for t in range(40)], axis=1), module, lambda m, x: m.steps(x), x)
    same(stream.state(), module, lambda m, x: m.carry(x)[1], x)
    stream.restore(state)
    np.testing.assert_allclose(stream.step(x[:, 13]), second[:, 0], atol=1e-5)
    stream.reset()
    for own, zeros in zip(stream.state(), body.initial_state(3)):
        assert all(np.array_equal(a, b) for a, b in zip(own, zeros))
    with pytest.raises(SettingError, match="state"):
        stream.restore(state[:-1] if len(state) > 1 else (state, state))


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("padding", conv.PADDINGS)
@pytest.mark.parametrize("stride", [1, 3])
def test_ordinary_paddings(native: bool, padding: str, stride: int) -> None:
    module: Any = seqnn.Conv1d(3, 5, 4, padding=padding, stride=stride, dilation=2, activation="elu")
    randomised(module, 4)
    x, arrays = draw(2, 17, 3), forward.Arrays(arrays_of(module))
    layer = forward.Convolution.taken(arrays, 3, 5, 4, dilation=2, activation="elu")
    with engine(native):
        same(forward.conv1d(x, layer, padding=padding, stride=stride), module, lambda m, x: m(x), x)


@pytest.mark.parametrize("native", [True, False])
def test_a_stack_with_residuals_that_is_large_enough_to_run_as_one(native: bool) -> None:
    spec = BodySpec("tcn", 6, channels=(8, 8, 4), kernel_size=3, dilation=2)
    module: Any = randomised(build_body(spec, 1), 1)
    body = forward.build_body(spec, arrays_of(module))
    x = draw(40, 64, 6)
    with engine(native):
        whole = body.steps(x)
        same(whole, module, lambda m, x: m.steps(x), x)
        assert np.array_equal(body.steps(x[7:9]), whole[7:9])
        stack = ConvStack([Wired(forward.Convolution(draw(6, 6, 1)), 0, 0)])
        np.testing.assert_allclose(stack(x), x + x @ draw(6, 6, 1)[:, :, 0].T, atol=1e-5)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("masked", ["none", "front", "any"])
def test_decay(native: bool, masked: str) -> None:
    spec = BodySpec("gru-d", 12, units=7, pooling="attention")
    module: Any = randomised(build_body(spec, 1), 1)
    x, mask = draw(5, 9, 12), mask_of(5, 9, masked)
    x[:, :, 4:8] = x[:, :, 4:8] > 0
    x[:, :, 8:] = np.abs(x[:, :, 8:])
    with engine(native):
        body = forward.build_body(spec.to_json(), arrays_of(module))
        same(body.both(x, mask), module, lambda m, *given: m(*given), x, mask)
        first, state = body.carry(x[:, :4])
        second, after = body.carry(x[:, 4:], state)
        same((np.concatenate([first, second], axis=1), after), module, lambda m, x: m.carry(x), x)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("name", ATTENTIONS)
@pytest.mark.parametrize("masked", ["none", "front"])
def test_attention(native: bool, name: str, masked: str) -> None:
    assert set(forward.ATTENTIONS) == set(ATTENTIONS)
    module: Any = randomised(make_attention(name, 6, 1, encoded=9), 1)
    attention = forward.make_attention(name, forward.Arrays(arrays_of(module)), 6, 9)
    state, encoded, mask = draw(4, 3, 6), draw(4, 11, 9), mask_of(4, 11, masked)
    with engine(native):
        found = attention(state, encoded, mask)
        same(found, module, lambda m, *given: m(*given), state, encoded, mask)
        # Neither the rows beside it nor a longer padding change a row.
        more = np.pad(encoded, ((0, 0), (0, 9), (0, 0)))
        wide = np.pad(np.ones((4, 11), bool) if mask is None else mask, ((0, 0), (0, 9)))
        assert np.array_equal(attention(state[1:3], more[1:3], wide[1:3]), found[1:3])


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("attention", ["none", *ATTENTIONS])
def test_writer(kind: str, attention: str) -> None:
    spec = TranslationSpec(kind, 7, 9, embedding_size=4, units=5, layers=2, attention=attention)
    module: Any = randomised(build_translation_network(spec, 3), 3)
    own = forward.Arrays(arrays_of(module))
    writer = forward.Writer(own, forward.spec_of(spec.decoder.to_json()), 9, attention, spec.read_width)
    outputs, mask = draw(3, 6, 10), mask_of(3, 6, "front")
    assert mask is not None
    ends, before = draw(3, 10, seed=1), np.random.default_rng(1).integers(0, 10, (3, 4))
    encoded, state = writer.begin(outputs, mask, ends)
    same(writer.taught(before, encoded, state), module, _taught, outputs, mask, ends, before)
    ours = writer.step(before[:, 0], encoded, state)
    same(ours[:2], module, _one_step, outputs, mask, ends, before)
    assert encoded.repeated(2).outputs.shape == (6, 6, 10)


def _taught(module: Any, outputs: Any, mask: Any, ends: Any, before: Any) -> torch.Tensor:
    return module.taught(before, *module.begin(outputs, mask, ends))


def _one_step(module: Any, outputs: Any, mask: Any, ends: Any, before: Any) -> Any:
    return module.step(before[:, 0], *module.begin(outputs, mask, ends))[:2]


def test_a_shifted_tap_is_found() -> None:
    """The comparison sees a kernel whose taps are turned round, and a weight norm that is left out."""
    spec = BodySpec("tcn", 2, channels=(4,), kernel_size=3, dilation=2)
    module: Any = randomised(build_body(spec, 2), 2)
    arrays = arrays_of(module)
    name = "tcn.network.0.conv1.weight_v"
    x = draw(2, 20, 2)
    for wrong in (arrays[name][:, :, ::-1], arrays[name] * np.arange(1, 4, dtype=np.float32)):
        body = forward.build_body(spec, {**arrays, name: np.ascontiguousarray(wrong)})
        with pytest.raises(AssertionError):
            same(body.steps(x), module, lambda m, x: m.steps(x), x)
