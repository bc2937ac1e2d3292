"""Pooling over time: torch's own pooling, masks, short and empty sequences."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from seqloom.errors import SettingError
from seqloom.nn import AveragePool, GlobalAverage, GlobalMax, MaxPool, output_length


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_by_hand():
    x = torch.tensor([1.0, 5.0, 3.0, 2.0, 9.0]).reshape(1, 5, 1)
    assert MaxPool(2)(x).flatten().tolist() == [5.0, 3.0]
    assert MaxPool(3, 1)(x).flatten().tolist() == [5.0, 5.0, 9.0]
    assert AveragePool(2, 3)(x).flatten().tolist() == [3.0, 5.5]
    assert GlobalMax()(x).tolist() == [[9.0]]
    assert GlobalAverage()(x).tolist() == [[4.0]]


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 12), st.integers(0, 99))
def test_windows_against_a_loop(size, stride, steps, seed):
    x = normal(2, steps, 3, seed=seed)
    for layer, reduce in ((MaxPool(size, stride), torch.amax), (AveragePool(size, stride), torch.mean)):
        starts = range(0, steps - size + 1, stride)
        assert output_length(layer, steps) == len(starts)
        if not starts:
            with pytest.raises(SettingError, match=f"must have at least {size} steps, one window, not {steps}"):
                layer(x)
            continue
        expected = torch.stack([reduce(x[:, s : s + size], dim=1) for s in starts], dim=1)
        torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("kind", [MaxPool, AveragePool])
def test_gradients(kind):
    x, weights = normal(2, 11, 3).requires_grad_(), normal(2, 3, 3, seed=4)
    pool = functional.max_pool1d if kind is MaxPool else functional.avg_pool1d
    ours = torch.autograd.grad((kind(3)(x) * weights).sum(), x)[0]
    theirs = torch.autograd.grad((pool(x.transpose(1, 2), 3).transpose(1, 2) * weights).sum(), x)[0]
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("kind", [MaxPool, AveragePool])
@pytest.mark.parametrize(("size", "stride"), [(3, 3), (2, 1), (2, 5), (1, 1)])
def test_masked_windows_equal_truncation(kind, size, stride):
    layer, lengths = kind(size, stride), [11, 7, 2, 1, 0]
    x = normal(5, 11, 2)
    mask = torch.arange(11) < torch.tensor(lengths)[:, None]
    x[~mask] = torch.nan
    y, kept = layer(x, mask), layer.output_mask(mask)
    for b, length in enumerate(lengths):
        assert int(kept[b].sum()) == output_length(layer, length)
        if kept[b].any():
            torch.testing.assert_close(y[b][kept[b]], layer(x[b : b + 1, :length])[0])


@pytest.mark.parametrize("kind", [GlobalMax, GlobalAverage])
def test_masked_global_pooling(kind):
    x = normal(4, 9, 3) - 5.0  # below zero, so that a zero that got in would win
    mask = torch.rand(4, 9, generator=torch.Generator().manual_seed(3)) < 0.5
    mask[3] = False
    x[~mask] = torch.nan
    x.requires_grad_()
    y = kind()(x, mask)
    for b in range(3):
        torch.testing.assert_close(y[b], kind()(x[b : b + 1, mask[b]])[0])
    assert y[3].tolist() == [0.0, 0.0, 0.0]
    gradient = torch.autograd.grad(y.sum(), x)[0]
    assert not torch.isnan(gradient).any()
    assert not gradient[~mask].any()
    if kind is GlobalMax:
        assert gradient.sum() == 9  # one step of each row that keeps one, and channel


def test_nan_and_infinity_come_through():
    x = torch.tensor([[1.0, float("nan"), 2.0, 3.0, float("-inf"), float("-inf")]]).reshape(1, 6, 1)
    assert torch.isnan(MaxPool(2)(x)).flatten().tolist() == [True, False, False]
    assert torch.isnan(GlobalMax()(x)).all()
    assert GlobalMax()(x[:, 4:], torch.ones(1, 2, dtype=torch.bool)).item() == float("-inf")


def test_refused():
    bad: Any = (0, -1, 2.5, True)
    for value in bad:
        with pytest.raises(SettingError, match="size must be a whole number"):
            MaxPool(value)
        with pytest.raises(SettingError, match="stride must be a whole number"):
            AveragePool(2, value)
    for layer in (MaxPool(2), GlobalMax()):
        with pytest.raises(SettingError, match=r"must have shape \(batch, time, channels\), not \(3, 4\)"):
            layer(torch.zeros(3, 4))
        with pytest.raises(SettingError, match="mask must be bool"):
            layer(torch.zeros(3, 4, 2), torch.ones(3, 4))
    for layer in (GlobalMax(), GlobalAverage()):
        with pytest.raises(SettingError, match=r"has no steps \(shape \(3, 0, 2\)\)"):
            layer(torch.zeros(3, 0, 2))
        assert layer(torch.zeros(0, 4, 2)).shape == (0, 2)
