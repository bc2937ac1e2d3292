"""What the compiled convolution does with odd inputs: strides, NaN, denormals, weights that change, memory."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from oracles.conv_cases import ConvCase, conv_case
from oracles.engine_checks import HOW, assert_not_finite_alike, spread
from oracles.memory import allocated, glibc_only
from seqloom.errors import BackendError, SettingError
from seqloom.nn import TCN
from seqloom.ops import causal_conv, conv1d
from seqloom.ops.conv import explain
from seqloom_runtime import native

pytestmark = pytest.mark.skipif(native.module() is None, reason="this installation has no native module")

native_conv = functools.partial(causal_conv, backend="native")


def full_case(sizes: tuple[int, ...] = (5, 11, 3, 7, 3, 2)) -> ConvCase:
    """With every array."""
    case = conv_case(
        3, sizes=sizes, context=True, residual=True, dropout=0.0, activation="relu", final_activation="tanh"
    )
    arrays = {**case.arrays, "bias": np.random.default_rng(4).standard_normal(sizes[3])}
    return replace(case, arrays=arrays)


@pytest.mark.parametrize("how", HOW)
def test_strides(how):
    """Of all arrays and of incoming gradients."""
    case = full_case()

    def scattered(**given: Any) -> torch.Tensor:
        moved: dict[str, Any] = {n: spread(v, how) if isinstance(v, torch.Tensor) else v for n, v in given.items()}
        y = native_conv(**moved)
        assert y.is_contiguous()
        return spread(y, how)

    for (name, found), expected in zip(case.run(scattered).items(), case.run(native_conv).values(), strict=True):
        assert found.tobytes() == expected.tobytes(), name


def test_channel_first_views_are_no_mistake():
    """(B, C, T) data turned by transpose(1, 2), and its gradient."""
    x = torch.randn(2, 3, 9, requires_grad=True)
    weight = torch.randn(4, 3, 2)
    y = native_conv(x.transpose(1, 2), weight)
    torch.testing.assert_close(y, native_conv(x.transpose(1, 2).contiguous(), weight))
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.shape == x.shape
    with pytest.raises(SettingError, match="channel-first"):
        native_conv(x, weight)


def test_expanded_arguments():
    x, weight = torch.randn(1, 1, 3, requires_grad=True), torch.randn(4, 3, 2, requires_grad=True)

    def grads(backend: str, dtype: torch.dtype) -> list[torch.Tensor]:
        y = causal_conv(x.to(dtype).expand(6, 5, -1), weight.to(dtype), backend=backend)
        return [y, *torch.autograd.grad(y.square().sum(), [x, weight])]

    for found, expected in zip(grads("native", torch.float32), grads("reference", torch.float64), strict=True):
        torch.testing.assert_close(found.double(), expected.double(), rtol=1e-4, atol=1e-4)


def test_what_the_native_engine_refuses():
    x, weight = torch.zeros(2, 4, 3), torch.zeros(5, 3, 2)
    for change, message in [
        ({"x": torch.zeros(0, 4, 3)}, r"x of shape \(0, 4, 3\) is empty"),
        ({"x": torch.zeros(2, 0, 3)}, r"x of shape \(2, 0, 3\) is empty"),
        ({"x": x.double(), "weight": weight.double()}, "torch.float64, it has float32 only"),
        ({"activation": torch.sin}, "named activations only"),
        ({"final_activation": torch.sin}, "named activations only"),
    ]:
        arguments: dict[str, Any] = {"x": x, "weight": weight, **change}
        with pytest.raises(BackendError, match=message):
            native_conv(**arguments)
        assert causal_conv(**arguments).shape == (*arguments["x"].shape[:2], 5)
        assert "torch engine; not native: " in explain(**arguments)
    assert explain(x, weight) == "causal_conv runs on the native engine."


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["x", "weight", "bias", "residual", "context"])
def test_nan_and_infinity_spread_as_in_torch(where, bad):
    """The same outputs and gradients are not finite; the others keep their values. 7 channels: not whole vectors."""
    case = full_case()
    places = {name: None if a is None else a.copy() for name, a in case.arrays.items()}
    array = places[where]
    assert array is not None
    array.ravel()[array.size // 2] = bad
    case = replace(case, arrays=places)
    found, expected = case.run(native_conv), case.run(functools.partial(causal_conv, backend="torch"))
    for name in ("y", "dweight", "dx", "dcontext", "dresidual"):
        assert_not_finite_alike(found[name], expected[name], name)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "elu", "softsign", "softplus", "hard_sigmoid"])
def test_every_activation_keeps_nan(activation):
    x = torch.full((1, 3, 20), torch.nan)
    for place in ("activation", "final_activation"):
        assert native_conv(x, torch.eye(20)[:, :, None], **{place: activation}).isnan().all()


def test_weights_that_change_in_place_are_never_stale():
    torch.manual_seed(0)
    weight, x = torch.randn(4, 3, 2, requires_grad=True), torch.randn(2, 9, 3)
    seen = []
    optimizer = torch.optim.SGD([weight], lr=0.1)
    for change in (
        optimizer.step,
        lambda: weight.data.mul_(2),
        lambda: weight.detach().numpy().__imul__(0.5),
    ):
        y = native_conv(x, weight)
        assert torch.equal(y, native_conv(x, weight.detach().clone()))
        assert all(not torch.equal(y, before) for before in seen)
        seen.append(y.detach())
        y.square().sum().backward()
        change()


def test_sizes_beyond_32_bits_are_refused():
    """Argument checks see sizes of expanded tensors, which hold one number; nothing is allocated."""
    huge = 2**31
    one, weight = torch.zeros(1), torch.zeros(2, 1, 1)
    for x in (one.expand(huge, 1, 1), one.expand(1, huge, 1)):
        with pytest.raises(SettingError, match="sizes must stay below 2"):
            native_conv(x, weight)
    with pytest.raises(SettingError, match="looks back 2147483648 rows"):
        native_conv(torch.zeros(1, 1, 1), torch.zeros(2, 1, 3), dilation=2**30)
    with pytest.raises((RuntimeError, MemoryError)):  # a result that no memory holds
        native_conv(one.expand(2**30, 2**30, 1), torch.zeros(4, 1, 1))


def test_a_long_look_back_costs_nothing():
    """Taps that reach no row are not run, whatever the dilation."""
    x, weight = torch.randn(3, 6, 2), torch.randn(4, 2, 3, requires_grad=True)
    y = native_conv(x, weight, dilation=2**29)
    torch.testing.assert_close(y, x @ weight[:, :, 2].T)
    y.sum().backward()
    assert weight.grad is not None
    assert not weight.grad[:, :, :2].any()
    assert weight.grad[:, :, 2].all()


@pytest.mark.parametrize("sizes", [(40, 9, 3, 20, 2, 1), (2, 9, 3, 20, 2, 1)])
def test_denormal_numbers_count_as_zero(sizes):
    case = full_case(sizes)
    tiny = {**case.arrays, "x": np.full_like(case.arrays["x"], 1e-40)}  # pyright: ignore[reportArgumentType]
    case = replace(case, arrays=tiny)
    exact = case.run(functools.partial(causal_conv, backend="reference"), torch.float64)
    for name, found in case.run(native_conv).items():
        np.testing.assert_allclose(found, exact[name], rtol=0, atol=1e-5 * max(1.0, np.abs(exact[name]).max()))


@glibc_only
def test_memory_does_not_grow(tmp_path):
    cases = [full_case(sizes) for sizes in ((5, 6, 3, 7, 3, 2), (40, 50, 9, 33, 2, 3), (2, 30, 17, 128, 3, 1))]

    def rounds(count: int) -> None:
        for _ in range(count):
            for case in cases:
                case.run(native_conv)

    rounds(12)
    before = allocated(tmp_path / "malloc.xml")
    rounds(23)
    assert allocated(tmp_path / "malloc.xml") - before < 96 << 10


@pytest.mark.parametrize("padding", ["valid", "same", "full", "causal"])
def test_ordinary_paddings_run_natively(padding):
    x, weight, bias = torch.randn(2, 12, 3), torch.randn(4, 3, 3), torch.randn(4)
    found = conv1d(x, weight, bias, padding=padding, dilation=2, activation="relu", backend="native")
    exact = conv1d(x.double(), weight.double(), bias.double(), padding=padding, dilation=2, activation="relu")
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("backend", ["native", "torch", "reference"])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("phi", ["identity", "relu", "tanh"])
def test_no_infinite_gradient_passes_where_the_last_relu_cut(backend: str, residual: bool, phi: str):
    """d√y of y = 0 is infinite, and relu's slope there 0: what lies before gets 0, not their product."""
    x = torch.tensor([[[-1.0], [2.0]]], requires_grad=True)
    added = torch.tensor([[[-3.0], [1.0]]], requires_grad=True) if residual else None
    weight = torch.ones(1, 1, 1, requires_grad=True)
    y = causal_conv(x, weight, activation=phi, final_activation="relu", residual=added, backend=backend)
    y.sqrt().sum().backward()
    assert weight.grad is not None
    assert torch.isfinite(weight.grad).all()
    for t in (x, added):
        assert t is None or (t.grad is not None and t.grad[0, 0, 0] == 0 and torch.isfinite(t.grad).all())


@pytest.mark.parametrize("shape", [(0, 5, 3), (2, 0, 3)])
@pytest.mark.parametrize("backend", ["auto", "torch", "reference"])
def test_empty_inputs_of_frozen_weights_have_a_gradient(backend: str, shape: tuple[int, ...]):
    """Of no numbers, as from torch's convolution: what stands before a frozen layer trains on."""
    x, weight = torch.zeros(shape, requires_grad=True), torch.randn(4, 3, 2)
    for y in (causal_conv(x, weight, backend=backend), conv1d(x, weight, padding="causal", backend=backend)):
        (dx,) = torch.autograd.grad(y.sum(), [x])
        assert dx.shape == shape
    if backend != "reference":
        frozen = TCN(3, [4]).requires_grad_(False)
        frozen(x).sum().backward()
        assert x.grad is not None
