"""Streams of causal convolutions: equal to the whole-sequence run, any wiring and batch; state; bad input."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch

from seqloom.errors import BackendError, SettingError
from seqloom.ops import causal_conv
from seqloom.ops.activations import ACTIVATIONS
from seqloom.ops.conv_stream import ConvLayer, ConvStack
from seqloom_runtime import native

Arrays = list[np.ndarray]


def random_layers(seed: int, dtype: Any = np.float64) -> list[ConvLayer]:
    """A stack with any kernels, activations and wiring."""
    rng = np.random.default_rng([seed, 9])
    widths = [int(rng.integers(1, 20))]
    layers = []
    for number in range(1, int(rng.integers(2, 7))):
        source = int(rng.integers(number)) if rng.random() < 0.3 else number - 1
        outputs = int(rng.choice([widths[int(rng.integers(number))], int(rng.integers(1, 40))]))
        taps, dilation = (int(n) for n in rng.integers(1, [6, 9]))
        weight = rng.standard_normal((outputs, widths[source], taps)) / np.sqrt(widths[source] * taps)
        equal = [n for n, width in enumerate(widths) if width == outputs]
        layers.append(
            ConvLayer(
                weight.astype(dtype),
                rng.standard_normal(outputs).astype(dtype) if rng.random() < 0.7 else None,
                dilation,
                str(rng.choice(list(ACTIVATIONS))),
                str(rng.choice(["identity", "relu", "tanh"])),
                None if source == number - 1 else source,
                int(rng.choice(equal)) if equal and rng.random() < 0.7 else None,
            )
        )
        widths.append(outputs)
    return layers


def whole_run(layers: list[ConvLayer], x: np.ndarray, context: Arrays | None = None, **more: Any) -> np.ndarray:
    """The stack over (B, T, C) by `causal_conv`."""
    nodes = [torch.from_numpy(x)]
    for number, q in enumerate(layers):
        nodes.append(
            causal_conv(
                nodes[number if q.source is None else q.source],
                torch.from_numpy(q.weight),
                None if q.bias is None else torch.from_numpy(q.bias),
                dilation=q.dilation,
                activation=q.activation,
                residual=None if q.residual is None else nodes[q.residual],
                final_activation=q.final_activation,
                context=None if context is None else torch.from_numpy(context[number]),
                **more,
            )
        )
    return nodes[-1].numpy()


def steps(stack: ConvStack, x: np.ndarray) -> np.ndarray:
    """The stack one step at a time over (B, T, C)."""
    return np.stack([stack.step(np.ascontiguousarray(x[:, t])).copy() for t in range(x.shape[1])], axis=1)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("seed", range(12))
def test_equals_the_whole_run(seed, batch):
    layers = random_layers(seed)
    x = np.random.default_rng(seed).standard_normal((batch, 25, layers[0].weight.shape[1]))
    stack = ConvStack(layers, batch, "numpy")
    np.testing.assert_allclose(steps(stack, x), whole_run(layers, x), rtol=1e-11, atol=1e-11)
    state = stack.state()
    more = np.random.default_rng(seed + 99).standard_normal((batch, 9, x.shape[2]))
    expected = whole_run(layers, np.concatenate([x, more], axis=1))[:, 25:]
    np.testing.assert_allclose(steps(stack, more), expected, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(whole_run(layers, more, state), expected, rtol=1e-11, atol=1e-11)
    stack.restore(state)
    np.testing.assert_allclose(steps(stack, more), expected, rtol=1e-11, atol=1e-11)
    stack.reset()
    np.testing.assert_allclose(steps(stack, x), whole_run(layers, x), rtol=1e-11, atol=1e-11)


NATIVE = pytest.mark.skipif(native.module() is None, reason="this installation has no native module")


@NATIVE
@pytest.mark.parametrize("batch", [1, 2, 9])
@pytest.mark.parametrize("seed", range(16))
def test_the_compiled_stream_gives_the_bits_of_the_whole_run(seed, batch):
    layers = random_layers(seed, np.float32)
    x = np.random.default_rng(seed).standard_normal((batch, 34, layers[0].weight.shape[1])).astype(np.float32)
    stack = ConvStack(layers, batch, "native")
    assert stack.backend == ConvStack(layers, batch).backend == "native"
    whole = whole_run(layers, x, backend="native")
    assert np.array_equal(steps(stack, x[:, :25]), whole[:, :25])
    state = stack.state()
    assert np.array_equal(whole_run(layers, x[:, 25:], state, backend="native"), whole[:, 25:])
    assert np.array_equal(steps(stack, x[:, 25:]), whole[:, 25:])
    stack.restore([rows * 0 for rows in state])
    stack.restore(state)
    assert np.array_equal(steps(stack, x[:, 25:]), whole[:, 25:])
    stack.reset()
    assert np.array_equal(steps(stack, x), whole)
    numpy = ConvStack(layers, batch, "numpy")
    numpy.restore(state)
    np.testing.assert_allclose(steps(numpy, x[:, 25:]), whole[:, 25:], rtol=1e-3, atol=1e-4)


@NATIVE
def test_the_compiled_stream_on_every_instruction_set():
    module = native.module()
    assert module is not None
    before = module.isa()
    layers = random_layers(5, np.float32)
    x = np.random.default_rng(5).standard_normal((3, 20, layers[0].weight.shape[1])).astype(np.float32)
    expected = whole_run(layers, x, backend="reference")
    try:
        for isa in ("portable", "avx2", "avx512"):
            if isa == "portable" or native.cpu_features().get(isa):
                module.use_isa(isa)
                np.testing.assert_allclose(steps(ConvStack(layers, 3, "native"), x), expected, rtol=1e-3, atol=1e-4)
    finally:
        module.use_isa(before)


@NATIVE
def test_nothing_is_kept_from_step_to_step():
    """Over many steps with long rings, the process does not grow."""
    stack = ConvStack([ConvLayer(np.ones((3, 3, 5), dtype=np.float32), dilation=7) for _ in range(4)])
    x = np.ones(3, dtype=np.float32)
    for _ in range(100):
        stack.step(x)
    before = tracemalloc_peak(stack, x, 10)
    assert tracemalloc_peak(stack, x, 2000) <= before + 1024


def tracemalloc_peak(stack: ConvStack, x: np.ndarray, count: int) -> int:
    """Bytes that Python allocates at most over some steps."""
    tracemalloc.start()
    for _ in range(count):
        stack.step(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_kinds_of_arguments():
    stack = ConvStack([ConvLayer(torch.ones(2, 3, 1))])
    assert stack.step(np.ones(3, dtype=np.float32)).tolist() == [3, 3]
    assert stack.step(np.ones((1, 3), dtype=np.float32)).tolist() == [[3, 3]]
    assert stack.step([1, 2, 3]).tolist() == [6, 6]
    found = stack.step(torch.ones(1, 3))
    assert isinstance(found, torch.Tensor)
    out = np.empty(2, dtype=np.float32)
    assert stack.step(np.ones(3, dtype=np.float32), out) is out
    assert out.tolist() == [3, 3]


W = np.ones((2, 3, 2), dtype=np.float32)
BAD: list[tuple[list[ConvLayer], str]] = [
    ([], "at least one layer"),
    ([ConvLayer(W[0])], "weight of layer 1 must be"),
    ([ConvLayer(W.astype(np.float16))], "not float16"),
    ([ConvLayer(W[:0])], "all 1 or more"),
    ([ConvLayer(W), ConvLayer(W)], "source of layer 2 must have 3 channels, but layer 1 has 2"),
    ([ConvLayer(W), ConvLayer(W.astype(np.float64), source=0)], "float32 like the first"),
    ([ConvLayer(W, bias=np.ones(3))], r"bias of layer 1 must have shape \(2,\)"),
    ([ConvLayer(W, dilation=0)], "dilation of layer 1"),
    ([ConvLayer(W, activation="rel")], "activation of layer 1"),
    ([ConvLayer(W, residual=0)], "residual of layer 1 must have 2 channels, but the input has 3"),
    ([ConvLayer(W, residual=1)], "earlier layer, not 1"),
    ([ConvLayer(W), ConvLayer(W, source=-1)], "earlier layer, not -1"),
]


@pytest.mark.parametrize(("layers", "message"), BAD)
def test_bad_layers(layers, message):
    with pytest.raises(SettingError, match=message):
        ConvStack(layers)


def test_bad_settings_and_steps():
    with pytest.raises(SettingError, match="batch_size"):
        ConvStack([ConvLayer(W)], 0)
    with pytest.raises(SettingError, match="backend must be one of"):
        ConvStack([ConvLayer(W)], backend="torch")
    with pytest.raises(BackendError, match="backend='native' can't run"):
        ConvStack([ConvLayer(W.astype(np.float64))], backend="native")
    stack = ConvStack([ConvLayer(W)], 2)
    with pytest.raises(SettingError, match=r"must have shape \(2, 3\), not \(3,\)"):
        stack.step(np.ones(3, dtype=np.float32))
    with pytest.raises(SettingError, match="1 arrays, one for each layer"):
        stack.restore([])
    with pytest.raises(SettingError, match=r"layer 1 must have shape \(2, 1, 3\), not \(1, 1, 3\)"):
        stack.restore([np.zeros((1, 1, 3))])
