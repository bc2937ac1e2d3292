"""Attention pooling against a NumPy twin, its gradient against finite differences, its mask against truncation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import SettingError
from seqloom.nn import AttentionPooling


def random_pool(features: int, units: int, seed: int) -> AttentionPooling:
    """All weights random and unequal, biases too."""
    pool = AttentionPooling(features, units).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in pool.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return pool


@given(
    batch=st.integers(1, 4), time=st.integers(1, 6), features=st.integers(1, 5), seed=st.integers(0, 99), data=st.data()
)
def test_equals_the_formula(batch: int, time: int, features: int, seed: int, data: st.DataObject) -> None:
    pool = random_pool(features, 3, seed)
    h = torch.randn(batch, time, features, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 1))
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=batch * time, max_size=batch * time)))
    mask = mask.reshape(batch, time)
    text, alpha = pool(h, torch.from_numpy(mask))
    w, b, context = (p.detach().numpy() for p in (pool.weight, pool.bias, pool.context))
    for row in range(batch):
        kept = h[row].numpy()[mask[row]]
        if not len(kept):
            assert not text[row].any()
            assert not alpha[row].any()
            continue
        scores = np.exp(np.tanh(kept @ w + b) @ context)
        expected = scores / scores.sum()
        assert np.allclose(alpha[row].detach().numpy()[mask[row]], expected)
        assert not alpha[row].detach().numpy()[~mask[row]].any()
        assert np.allclose(text[row].detach().numpy(), expected @ kept)


def test_gradients_equal_finite_differences() -> None:
    pool = random_pool(3, 4, 7)
    h = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, True, False, True], [True, False, False, False]])

    def run(h: torch.Tensor, *weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.func.functional_call(pool, dict(zip(("weight", "bias", "context"), weights)), (h, mask))

    assert torch.autograd.gradcheck(run, (h, pool.weight, pool.bias, pool.context))


def test_without_a_mask_all_steps_count() -> None:
    pool = AttentionPooling(3, seed=4)
    h = torch.randn(2, 5, 3)
    for one, two in zip(pool(h), pool(h, torch.ones(2, 5, dtype=torch.bool))):
        torch.testing.assert_close(one, two)


def test_what_it_refuses() -> None:
    with pytest.raises(SettingError, match="size must be"):
        AttentionPooling(0)
    with pytest.raises(SettingError, match="h must have shape"):
        AttentionPooling(3)(torch.zeros(2, 3))
    with pytest.raises(SettingError, match="mask must be bool"):
        AttentionPooling(3)(torch.zeros(2, 4, 3), torch.ones(2, 4))
