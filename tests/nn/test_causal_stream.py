"""Streams of causal layers: equal to the whole sequence, to any batch size; states, chunks, what can't stream."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from seqloom.errors import BackendError, SettingError
from seqloom.nn import (
    TCN,
    AveragePool,
    CausalConv1d,
    CausalStream,
    Conv1d,
    GlobalMax,
    Highway,
    Inception1d,
    Residual,
    TemporalBlock,
    carry,
    open_stream,
)
from seqloom_runtime import native

COMPILED = hasattr(native.module(), "ConvStreamCore")
BACKENDS = [
    "numpy",
    pytest.param("native", marks=pytest.mark.skipif(not COMPILED, reason="this build has no compiled streams")),
]


class Own(nn.Module):
    """A layer of one's own without the methods of causal layers."""


MAKES: dict[str, Any] = {
    "causal": lambda: CausalConv1d(3, 4, 3, dilation=2, activation="tanh", dropout=0.5),
    "causal, one tap": lambda: CausalConv1d(3, 4, 1, bias=False),
    "Conv1d": lambda: Conv1d(3, 4, 4, padding="causal", activation="elu"),
    "weight norm": lambda: CausalConv1d(3, 4, 3, weight_norm=True),
    "callable": lambda: CausalConv1d(3, 4, 3, activation=torch.sin),
    "block": lambda: TemporalBlock(3, 4, 3, dilation=2),
    "block, same width": lambda: TemporalBlock(3, 3, 2, activation="softplus"),
    "TCN": lambda: TCN(3, [5, 5, 4], 3, 0.3),
    "highway": lambda: Highway(3),
    "residual": lambda: Residual(CausalConv1d(3, 3, 2, activation="relu")),
    "residual of a block": lambda: Residual(TemporalBlock(3, 3, 2)),
    "residual of a highway": lambda: Residual(nn.Sequential(CausalConv1d(3, 3, 2), Highway(3))),
    "inception": lambda: Inception1d(3, 4, (1, 3, 6), padding="causal"),
    "chain": lambda: nn.Sequential(
        nn.Linear(3, 5), CausalConv1d(5, 4, 2), nn.Dropout(0.5), TCN(4, [4, 3]), nn.Identity(),
        nn.Linear(3, 2, bias=False),
    ),
    "mixed chain": lambda: nn.Sequential(
        nn.Sequential(nn.Identity(), CausalConv1d(3, 4, 3)), nn.GELU(), nn.LayerNorm(4), Highway(4), nn.Dropout(0.5),
        Residual(TCN(4, [4, 4])), Inception1d(4, 2, padding="causal"),
    ),
}  # fmt: skip


def normal(*shape: int, seed: int = 1, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def shuffled(module: Any, seed: int = 3) -> Any:
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(0.6 * torch.randn(p.shape, generator=source))
    return module


def whole(module: nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return module.eval()(torch.from_numpy(x)).numpy()


def stepped(stream: CausalStream, x: np.ndarray) -> np.ndarray:
    return np.stack([stream.step(np.ascontiguousarray(x[:, t])).copy() for t in range(x.shape[1])], axis=1)


def same(a: Any, b: Any) -> bool:
    """Whether two states are built alike and near each other."""
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(same, a, b))
    a, b = (v.numpy() if isinstance(v, Tensor) else v for v in (a, b))
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", MAKES)
def test_steps_are_the_whole_sequence(name, batch, backend):
    module = shuffled(MAKES[name]())  # left in training: a stream has no dropout anyway
    x = normal(batch, 15, 3)
    if name in ("callable", "highway") and backend == "native":
        with pytest.raises(BackendError, match="backend='native'"):
            open_stream(module, batch, backend=backend)
        return
    found = stepped(open_stream(module, batch, backend=backend), x)
    np.testing.assert_allclose(found, whole(module, x), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", MAKES)
def test_in_double_precision(name):
    module = shuffled(MAKES[name]()).double()
    x = normal(2, 15, 3, dtype=np.float64)
    stream = open_stream(module, 2)
    assert stream.dtype == np.float64
    np.testing.assert_allclose(stepped(stream, x), whole(module, x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize("name", MAKES)
def test_states_are_the_contexts_of_carry(name, backend):
    """A stream goes on from a chunk's context, a chunk from a stream's state; reset and restore."""
    module, x = shuffled(MAKES[name]()).eval(), normal(2, 12, 3)
    expected = whole(module, x)
    stream = open_stream(module, 2, backend=backend)
    with torch.no_grad():
        _, context = carry(module, torch.from_numpy(x[:, :5]))
    first = stepped(stream, x[:, :5])
    kept = stream.state()
    assert same(kept, context)
    stepped(stream, x[:, 5:])
    stream.restore(context)
    np.testing.assert_allclose(stepped(stream, x[:, 5:]), expected[:, 5:], rtol=2e-5, atol=2e-6)
    stream.restore(kept)
    again = stepped(stream, x[:, 5:])
    stream.restore(kept)
    np.testing.assert_array_equal(stepped(stream, x[:, 5:]), again)
    with torch.no_grad():
        y, _ = carry(module, torch.from_numpy(x[:, 5:]), as_tensors(kept))
    np.testing.assert_allclose(y.numpy(), expected[:, 5:], rtol=2e-5, atol=2e-6)
    stream.reset()
    np.testing.assert_array_equal(stepped(stream, x[:, :5]), first)


def as_tensors(state: Any) -> Any:
    return tuple(map(as_tensors, state)) if isinstance(state, tuple) else torch.from_numpy(state)


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5)), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 20),
    st.integers(0, 99),
)
def test_any_network(levels, taps, batch, steps, seed):
    tcn = shuffled(TCN(2, [width for width, _ in levels], taps, dilations=[d for _, d in levels]), seed).double()
    x = normal(batch, steps, 2, seed=seed, dtype=np.float64)
    np.testing.assert_allclose(stepped(tcn.stream(batch), x), whole(tcn, x), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["TCN", "mixed chain"])
def test_forms_of_input_and_output(name):
    module, x = shuffled(MAKES[name]()), normal(3)
    expected = open_stream(module).step(x).copy()
    size = expected.shape[0]

    def step(value: Any, out: Any = None) -> Any:
        return open_stream(module).step(value, out)

    np.testing.assert_array_equal(step(x[None]), expected[None])
    np.testing.assert_array_equal(step(x.tolist()), expected)
    y = step(torch.from_numpy(x))
    assert isinstance(y, Tensor)
    np.testing.assert_array_equal(y.numpy(), expected)
    out = np.empty(size, np.float32)
    assert step(x, out) is out
    np.testing.assert_array_equal(out, expected)
    for bad in (normal(4), normal(2, 3), np.float32(1)):
        with pytest.raises(SettingError, match=r"x of a step must have shape \(1, 3\)"):
            step(bad)
    with pytest.raises(SettingError, match="out must be a writeable"):
        step(x, np.empty(size + 1, np.float32))


def test_weights_are_those_of_the_moment():
    module, x = shuffled(TCN(3, [4, 4])), normal(3)
    before = module.stream().step(x).copy()
    stream = module.stream()
    with torch.no_grad():
        for p in module.parameters():
            p.add_(1.0)
    np.testing.assert_array_equal(stream.step(x), before)
    assert not np.array_equal(module.stream().step(x), before)


def test_what_runs_it_is_said():
    usual = "native" if COMPILED else "numpy"
    for name, backend in (("TCN", usual), ("chain", usual), ("mixed chain", usual), ("callable", "numpy")):
        assert open_stream(shuffled(MAKES[name]())).backend == backend
        assert open_stream(shuffled(MAKES[name]()), backend="numpy").backend == "numpy"


def test_opening_a_stream_draws_nothing():
    module = TCN(3, [4, 4], dropout=0.5)
    state = module.generator.get_state()
    module.stream().step(normal(3))
    assert torch.equal(module.generator.get_state(), state)
    assert module.training


@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize("name", ["TCN", "inception", "highway"])
def test_memory_does_not_grow(name, backend):
    stream, x = open_stream(shuffled(MAKES[name]()), backend=backend), normal(3)
    out = np.empty(stream.output_size, np.float32)
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(50):  # what is replaced at the first steps was made before the tracing
            stream.step(x, out)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(300):
            stream.step(x, out)
        assert tracemalloc.get_traced_memory()[0] - before < 2000
    finally:
        tracemalloc.stop()


def test_nan_passes_by():
    """A kernel forgets what lies behind it, and `reset` what lies in it."""
    layer, x = shuffled(CausalConv1d(3, 4, 3)), normal(3)
    stream = layer.stream()
    first = stream.step(x).copy()
    stream.step(np.full(3, np.nan, np.float32))
    assert np.isnan(stream.step(x)).all()
    stream.reset()
    np.testing.assert_array_equal(stream.step(x), first)
    stream.step(np.full(3, np.nan, np.float32))
    assert [bool(np.isfinite(stream.step(x)).all()) for _ in range(3)] == [False, False, True]


def test_what_can_not_stream():
    for module, words in (
        (Conv1d(3, 4, 3), "inputs up to 2 steps later"),
        (Conv1d(3, 4, 5, padding="same"), "inputs up to 2 steps later"),
        (Inception1d(3, 4, (3, 7)), "inputs up to 3 steps later"),
        (Inception1d(3, 4, pool="max"), "the whole sequence"),
        (nn.Sequential(CausalConv1d(3, 4, 2), AveragePool(2)), "inputs up to 1 steps later"),
        (nn.Sequential(CausalConv1d(3, 4, 2), GlobalMax()), "the whole sequence"),
    ):
        with pytest.raises(SettingError, match=f"an output of {type(module).__name__} reads {words}, which a step"):
            open_stream(module)
        with pytest.raises(SettingError, match=words):
            carry(module, torch.zeros(1, 9, 3))
    with pytest.raises(SettingError, match="Conv1d gives one output for 2 inputs"):
        Conv1d(3, 4, 3, padding="causal", stride=2).stream()
    with pytest.raises(SettingError, match="Own is not known"):
        open_stream(nn.Sequential(CausalConv1d(3, 4, 2), Own()))
    for module in (nn.Sequential(nn.Tanh(), CausalConv1d(3, 4, 2)), nn.Sequential(), nn.Identity()):
        with pytest.raises(SettingError, match="can't begin a stream"):
            open_stream(module)
    sizes: Any = (0, -1, 1.0, True)
    for size in sizes:
        with pytest.raises(SettingError, match="batch_size must be a whole number"):
            TCN(3, [4]).stream(size)
    with pytest.raises(SettingError, match="Did you mean 'numpy'"):
        Highway(3).stream(backend="nunpy")
    with pytest.raises(BackendError, match="backend='native' is for convolutions, which Highway doesn't have"):
        Highway(3).stream(backend="native")
    with pytest.raises(BackendError, match="backend='native' can't run this stream"):
        CausalConv1d(3, 4, 2, activation=torch.sin).stream(backend="native")


def test_states_are_checked():
    module = shuffled(TCN(3, [4, 4]))
    stream = module.stream(2)
    stream.step(normal(2, 3))
    kept = stream.state()
    with pytest.raises(SettingError, match="state must be a tuple of 2 parts"):
        stream.restore(kept[:1])
    with pytest.raises(SettingError, match=r"state\[1\] must be a tuple of 2 parts, as .*, not ndarray"):
        stream.restore((kept[0], kept[1][0]))
    with pytest.raises(SettingError, match=r"state\[1\]\[0\] must have shape \(2, 2, 4\), not \(1, 2, 4\)"):
        stream.restore((kept[0], (kept[1][0][:1], kept[1][1])))
    with pytest.raises(SettingError, match="must hold real numbers, not complex"):
        stream.restore((kept[0], (kept[1][0] * 1j, kept[1][1])))
    assert same(stream.state(), kept)
