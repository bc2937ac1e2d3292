"""`mse_loss` against float64 NumPy and torch: values, gradients, bits, shapes that don't fit, and who looks on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import BackendError, SettingError
from seqloom.ops import losses, mse_loss
from seqloom_runtime import native

compiled_only = pytest.mark.skipif(native.module() is None, reason="this installation has no native module")


def normal(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=3), st.integers(0, 99))
def test_against_numpy(shape: list[int], seed: int) -> None:
    y, target = normal(*shape, seed=seed).requires_grad_(), normal(*shape, seed=seed + 1).requires_grad_()
    loss = mse_loss(y, target)
    (3.0 * loss).backward()
    d = y.detach().double().numpy() - target.detach().double().numpy()
    assert float(loss.detach()) == pytest.approx(np.mean(d**2), rel=1e-6)
    for gradient, sign in ((y.grad, 1), (target.grad, -1)):
        assert gradient is not None
        np.testing.assert_allclose(gradient.numpy(), sign * 6.0 * d / d.size, rtol=1e-5, atol=1e-9)


@compiled_only
@pytest.mark.parametrize("layout", ["whole", "transposed", "every second"])
def test_large_arrays_of_any_layout_give_the_same_bits_for_any_threads(layout: str) -> None:
    def arrays() -> tuple[torch.Tensor, torch.Tensor]:
        y, target = normal(130, 77, 33), normal(130, 77, 33, seed=2)
        if layout == "transposed":
            y, target = y.transpose(0, 2), target.transpose(0, 2)
        elif layout == "every second":
            y, target = y[::2], target[::2]
        return y.requires_grad_(), target

    found, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            y, target = arrays()
            loss = mse_loss(y, target, backend="native")
            found.append((loss.detach(), *torch.autograd.grad(loss, y)))
    finally:
        torch.set_num_threads(before)
    y, target = arrays()
    expected = torch.nn.functional.mse_loss(y, target)
    (slope,) = torch.autograd.grad(expected, y)
    torch.testing.assert_close(found[0], (expected.detach(), slope))
    assert all(torch.equal(a, b) for other in found[1:] for a, b in zip(found[0], other, strict=True))


def test_graphs_that_are_kept_differentiated_again_or_compiled() -> None:
    y, target = normal(5, 4).requires_grad_(), normal(5, 4, seed=2)
    loss = mse_loss(y, target)
    first = torch.autograd.grad(loss, y, retain_graph=True)[0].clone()
    assert torch.equal(torch.autograd.grad(loss, y, retain_graph=True)[0], first)
    (slope,) = torch.autograd.grad(loss, y, create_graph=True)
    torch.testing.assert_close(torch.autograd.grad(slope.sum(), y)[0], torch.full((5, 4), 0.1))
    torch._dynamo.reset()
    run = torch.compile(mse_loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(run(y, target), loss)
    torch.testing.assert_close(torch.func.grad(mse_loss)(y.detach(), target), first)
    with torch.no_grad():
        assert not mse_loss(y, target).requires_grad
    assert not mse_loss(y.detach(), target).requires_grad


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(SettingError, match=r"must have one shape, not \(4, 1\) and \(4,\): reshape one of them"):
        mse_loss(normal(4, 1), normal(4))
    with pytest.raises(SettingError, match="backend must be one of auto, native, torch, not 'fast'"):
        mse_loss(normal(4), normal(4), backend="fast")
    with pytest.raises(BackendError, match=r"takes float32 on the CPU, not torch\.float64|this installation is"):
        mse_loss(normal(4).double(), normal(4).double(), backend="native")
    assert mse_loss(normal(4).double(), normal(4).double()).dtype == torch.float64
    assert mse_loss(normal(0), normal(0)).isnan()
    bad = normal(40)
    bad[7] = torch.nan
    assert mse_loss(bad, normal(40)).isnan()


@compiled_only
def test_a_planted_mistake_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gradient without the factor 2 fails the comparison with NumPy."""
    real: Any = native.module()

    class Wrong:
        kept_floats = staticmethod(real.kept_floats)

        @staticmethod
        def squared_error(arrays: list[int], n: int, scale: float, threads: int) -> float:
            return real.squared_error(arrays, n, scale / 2, threads)

    monkeypatch.setattr(losses, "compiled", Wrong)
    with pytest.raises(AssertionError):
        test_against_numpy.hypothesis.inner_test([5], 1)  # type: ignore[attr-defined]
