"""Weight norm in float32 against the formula in float64, its gradient with it; odd sizes, threads, planted mistakes."""

from __future__ import annotations

import pytest
import torch

from oracles.normed_weights import drawn, worst
from seqloom.ops.weight_norm import weight_norm
from seqloom_runtime import native

SIZES = [(1, 1, 1), (3, 2, 2), (5, 1, 7), (25, 25, 7), (17, 31, 3), (40, 88, 6), (2, 600, 3), (130, 5, 13)]


@pytest.mark.parametrize("size", SIZES)
def test_against_the_formula(size):
    assert worst(size) < 2e-6


@pytest.mark.skipif(native.module() is None, reason="this installation has no native module")
def test_any_number_of_threads():
    v, g, dw = drawn((40, 88, 6), 2)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            leaf = v.clone().requires_grad_()
            w = weight_norm(leaf, g)
            results.append((w.detach(), torch.autograd.grad(w, leaf, dw)[0]))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_a_row_of_zeros_is_as_in_torch():
    """g·0/0: not a number, and told as such, in its own row alone."""
    v, g, _ = drawn((3, 2, 2), 3)
    v[1] = 0.0
    w = weight_norm(v, g)
    assert torch.isnan(w[1]).all()
    assert torch.isfinite(w[[0, 2]]).all()
