"""Streams: step by step equals the whole sequence, for every cell and option, in every engine."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from oracles.native_cases import native_case
from oracles.recurrent_cases import random_case
from seqloom.errors import BackendError, SettingError
from seqloom.nn import GRU, LSTM, RNN, Jordan, Recurrent, Stream
from seqloom.ops.call import Call
from seqloom.ops.cell import Cell, Weights
from seqloom.ops.native_scan import run
from seqloom.ops.reference import reference_scan
from seqloom_runtime import native

COMPILED = hasattr(native.module(), "StreamCore")
BACKENDS = [
    "numpy",
    pytest.param("native", marks=pytest.mark.skipif(not COMPILED, reason="this build has no compiled streams")),
]
MAKES: dict[str, Any] = {
    "RNN": lambda **k: RNN(3, 5, 2, activation="relu", **k),
    "Jordan": lambda **k: Jordan(3, 5, 2, 2, **k),
    "LSTM": lambda **k: LSTM(3, 5, 2, projection_size=4, peephole=True, recurrent_dropout=0.5, **k),
    "GRU": lambda **k: GRU(3, 5, 3, zoneout=0.2, between_dropout=0.4, **k),
}


def normal(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def parts(state: Any) -> tuple[Any, ...]:
    return state if isinstance(state, tuple) else (state,)


def shuffled(module: Any) -> Any:
    source = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(0.5 * torch.randn(p.shape, generator=source))
    return module


def stream_case(case: Any, dtype: torch.dtype, backend: str) -> tuple[list[np.ndarray], list[np.ndarray], Any]:
    """Outputs and last state of a stream over a case from its state, and the arguments of the same scan."""
    weights = Weights(**{name: torch.from_numpy(w).to(dtype) for name, w in case.weights.items()})
    x = torch.from_numpy(np.nan_to_num(case.x)).to(dtype)
    state = tuple(torch.from_numpy(v).to(dtype) for v in (case.h, case.c) if v is not None)
    state = state if case.cell.kind == "lstm" else state[0]
    stream = Stream([(case.cell, weights)], x.shape[0], backend)
    assert stream.backend == backend
    stream.restore(tuple(v[None] for v in state) if isinstance(state, tuple) else state[None])
    outputs = [stream.step(x[:, t].numpy().copy()).copy() for t in range(x.shape[1])]
    return outputs, list(parts(stream.state())), (case.cell, x, state, weights)


@pytest.mark.parametrize("kind", ["elman", "jordan", "lstm", "gru"])
@pytest.mark.parametrize("seed", range(30))
def test_numpy_streams_equal_the_reference_in_double(kind, seed):
    outputs, last, arguments = stream_case(random_case(seed, kind), torch.float64, "numpy")
    y, expected = reference_scan(*arguments)
    np.testing.assert_allclose(np.stack(outputs, 1), y.numpy(), rtol=1e-10, atol=1e-12)
    for a, b in zip(last, parts(expected), strict=True):
        np.testing.assert_allclose(a[0], b.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.skipif(not COMPILED, reason="this build has no compiled streams")
@pytest.mark.parametrize("seed", range(60))
def test_native_streams_equal_the_native_scan_bit_for_bit(seed):
    outputs, last, arguments = stream_case(native_case(seed), torch.float32, "native")
    y, expected = run(Call(*arguments))
    np.testing.assert_array_equal(np.stack(outputs, 1), y.numpy())
    for a, b in zip(last, parts(expected), strict=True):
        np.testing.assert_array_equal(a[0], b.numpy())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", MAKES)
@pytest.mark.parametrize("batch", [1, 4])
def test_modules(name, batch, backend):
    module: Recurrent = shuffled(MAKES[name]())  # left in training: a stream has no dropout anyway
    x = normal(batch, 9, 3)
    stream = module.stream(batch, backend=backend)
    found = np.stack([stream.step(x[:, t]).copy() for t in range(9)], axis=1)
    y, last = module.eval()(torch.from_numpy(x))
    torch.testing.assert_close(torch.from_numpy(found), y.detach(), rtol=1e-5, atol=1e-6)
    for a, b in zip(parts(stream.state()), parts(last), strict=True):
        torch.testing.assert_close(torch.from_numpy(a), b.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", MAKES)
def test_state_reset_restore(name, backend):
    module = shuffled(MAKES[name]())
    stream, x = module.stream(backend=backend), normal(8, 3)
    first = [stream.step(row).copy() for row in x]
    stream.reset()
    np.testing.assert_array_equal([stream.step(row).copy() for row in x[:4]], first[:4])
    kept = stream.state()
    np.testing.assert_array_equal([stream.step(row).copy() for row in x[4:]], first[4:])
    stream.restore(kept)
    np.testing.assert_array_equal([stream.step(row).copy() for row in x[4:]], first[4:])
    other = module.stream(backend=backend)
    other.restore(module.eval()(torch.from_numpy(x[None, :4]))[1])  # the module's own state
    np.testing.assert_allclose([other.step(row).copy() for row in x[4:]], first[4:], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_forms_of_input_and_output(backend):
    module = shuffled(GRU(3, 5))
    x = normal(3)
    expected = module.stream(backend=backend).step(x).copy()
    assert expected.shape == (5,)

    def step(value: Any, out: Any = None) -> Any:
        return module.stream(backend=backend).step(value, out)

    np.testing.assert_array_equal(step(x[None]), expected[None])
    np.testing.assert_array_equal(step(x.tolist()), module.stream(backend=backend).step(x))
    np.testing.assert_allclose(step(x.astype(np.float64)), expected, rtol=1e-6)
    np.testing.assert_array_equal(step(np.repeat(x, 2)[::2]), expected)  # not contiguous
    np.testing.assert_array_equal(step(np.array([1, 0, 2])), step(np.array([1.0, 0.0, 2.0], dtype=np.float32)))
    y = step(torch.from_numpy(x))
    assert isinstance(y, Tensor)
    assert not y.requires_grad
    np.testing.assert_array_equal(y.numpy(), expected)
    assert step(torch.from_numpy(x)[None]).shape == (1, 5)
    np.testing.assert_array_equal(step(torch.from_numpy(x).requires_grad_()).numpy(), expected)
    for given, out in ((x, np.empty(5, np.float32)), (x[None], np.empty((1, 5), np.float32))):
        assert step(given, out) is out
        np.testing.assert_array_equal(out.reshape(-1), expected)
    strided = np.zeros((5, 2), np.float32)
    assert np.shares_memory(step(x, strided[:, 0]), strided)
    np.testing.assert_array_equal(strided[:, 0], expected)
    target = torch.empty(5)
    assert step(torch.from_numpy(x), target) is target
    np.testing.assert_array_equal(target.numpy(), expected)
    stream = module.stream(backend=backend)
    a = stream.step(x)
    b = stream.step(x)
    assert a is b or np.shares_memory(a, b)  # documented: the buffer is used again


def test_double_and_callables_run_on_numpy():
    module = shuffled(LSTM(3, 5, 2, activation=torch.sin)).double()
    x = normal(1, 6, 3).astype(np.float64)
    stream = module.stream()
    assert (stream.backend, stream.dtype) == ("numpy", np.float64)
    found = np.stack([stream.step(row).copy() for row in x[0]])
    np.testing.assert_allclose(found, module(torch.from_numpy(x))[0][0].detach().numpy(), rtol=1e-12)
    with pytest.raises(BackendError, match="Use backend='auto'"):
        module.stream(backend="native")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("options", [{"reset_after": False}, {"layer_norm": True}, {}])
def test_second_bias_of_the_gru(options, backend):
    module = shuffled(GRU(3, 5, recurrent_bias=True, **options))
    x = normal(2, 6, 3)
    stream = module.stream(2, backend=backend)
    found = np.stack([stream.step(x[:, t]).copy() for t in range(6)], axis=1)
    np.testing.assert_allclose(found, module(torch.from_numpy(x))[0].detach().numpy(), rtol=1e-4, atol=1e-6)


def test_layers_that_do_not_fit():
    jordan = Weights(w_x=torch.zeros(3, 4), w_h=torch.zeros(2, 4))
    with pytest.raises(SettingError, match=r"needs weights\.w_out"):
        Stream([(Cell("jordan"), jordan)], 1)
    one, two = (Weights(w_x=torch.zeros(n, 4), w_h=torch.zeros(4, 4)) for n in (3, 5))
    with pytest.raises(SettingError, match=r"weights\.w_x must have shape \(4, 4\), not \(5, 4\)"):
        Stream([(Cell("elman"), one), (Cell("elman"), two)], 1)
    with pytest.raises(SettingError, match="at least one layer"):
        Stream([], 1)


def test_weights_are_those_of_the_moment():
    module, x = shuffled(GRU(3, 5)), normal(3)
    before = module.stream().step(x).copy()
    stream = module.stream()
    with torch.no_grad():
        for p in module.parameters():
            p.zero_()
    np.testing.assert_array_equal(stream.step(x), before)
    assert not np.array_equal(module.stream().step(x), before)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nan_stays_and_reset_clears_it(backend):
    stream, x = shuffled(GRU(3, 5)).stream(backend=backend), normal(3)
    good = stream.step(x).copy()
    assert np.isnan(stream.step(np.full(3, np.nan, np.float32))).all()
    assert np.isnan(stream.step(x)).all()
    stream.reset()
    np.testing.assert_array_equal(stream.step(x), good)


@pytest.mark.parametrize("backend", BACKENDS)
def test_memory_does_not_grow(backend):
    stream, x = shuffled(LSTM(3, 5, layer_norm=True)).stream(backend=backend), normal(3)
    out = np.empty(5, np.float32)
    for _ in range(50):
        stream.step(x, out)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(500):
            stream.step(x, out)
        assert tracemalloc.get_traced_memory()[0] - before < 2000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("backend", BACKENDS)
def test_bad_steps(backend):
    stream = shuffled(LSTM(3, 5)).stream(2, backend=backend)
    good = normal(2, 3)
    stream.step(good)
    kept = stream.state()
    for x in (normal(3), normal(2, 4), normal(3, 2), normal(2, 3, 1), np.float32(1)):
        with pytest.raises(SettingError, match=r"x of a step must have shape \(2, 3\), not"):
            stream.step(x)
    with pytest.raises(SettingError, match="real numbers, not complex"):
        stream.step(good.astype(complex))
    with pytest.raises(SettingError, match="real numbers, not <U"):
        stream.step(np.array([["a", "b", "c"]] * 2))
    with pytest.raises(SettingError, match="list that is none"):
        stream.step([[1.0, 2.0], [3.0]])
    frozen = np.empty((2, 5), np.float32)
    frozen.flags.writeable = False
    for out in (np.empty((2, 4), np.float32), np.empty((2, 5)), np.empty(10, np.float32), frozen):
        with pytest.raises(SettingError, match=r"out must be a writeable float32 array of shape \(2, 5\)"):
            stream.step(good, out)
    with pytest.raises(SettingError, match="out must be a NumPy array, not Tensor"):
        stream.step(good, torch.empty(2, 5))
    with pytest.raises(SettingError, match="out must be a torch tensor like x, not ndarray"):
        stream.step(torch.from_numpy(good), np.empty((2, 5), np.float32))
    for state in (normal(1, 2, 5), (normal(1, 2, 5),)):
        with pytest.raises(SettingError, match=r"the pair \(h, c\)"):
            stream.restore(state)
    with pytest.raises(SettingError, match=r"state c must have shape \(1, 2, 5\), not \(1, 1, 5\)"):
        stream.restore((normal(1, 2, 5), normal(1, 1, 5)))
    for a, b in zip(parts(stream.state()), parts(kept), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_can_not_stream():
    with pytest.raises(SettingError, match="bidirectional=True reads the sequence from its end"):
        GRU(3, 5, bidirectional=True).stream()
    with pytest.raises(SettingError, match="reverse=True"):
        GRU(3, 5, reverse=True).stream()
    sizes: tuple[Any, ...] = (0, -1, 1.0, True)
    for size in sizes:
        with pytest.raises(SettingError, match="batch_size must be a whole number"):
            GRU(3, 5).stream(size)
    with pytest.raises(SettingError, match="Did you mean 'numpy'"):
        GRU(3, 5).stream(backend="nunpy")
