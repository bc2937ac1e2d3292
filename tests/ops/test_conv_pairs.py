"""Gradients by pairs of rows (Winograd's minimal filtering): sizes around every limit of that way, errors, and bits."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles.conv_cases import ConvCase, ConvOracle, conv_case, exact_conv
from oracles.engine_checks import assert_same_bits
from seqloom.ops import causal_conv
from seqloom_runtime import native

pytestmark = [
    pytest.mark.skipif(native.module() is None, reason="this installation has no native module"),
    pytest.mark.usefixtures("one_thread"),
]

native_conv = functools.partial(causal_conv, backend="native")
# B, T, I, O, K, d
SIZES = {
    "one dilation": (3, 40, 110, 120, 3, 1),
    "an odd number of steps": (2, 61, 120, 110, 3, 1),
    "whole blocks of two dilations": (2, 64, 112, 128, 3, 8),
    "a block that ends in its first half": (3, 71, 130, 96, 3, 5),
    "a block that ends in its second half": (3, 78, 97, 131, 3, 5),
    "two groups of taps": (1, 100, 101, 90, 6, 4),
    "a group and one tap": (2, 50, 90, 105, 4, 3),
    "a group and two taps": (2, 50, 105, 90, 5, 2),
    "two groups and one tap": (1, 90, 75, 83, 7, 3),
    "the fewest channels": (2, 60, 48, 241, 3, 2),
    "a channel too few": (2, 60, 47, 250, 3, 2),
    "few channels out": (2, 60, 245, 49, 3, 2),
    "pairs too few for the weights": (1, 90, 110, 110, 3, 1),
    "pairs that just do": (3, 32, 110, 110, 3, 1),
    "several blocks of pairs": (7, 80, 110, 104, 3, 2),
    "too few steps": (3, 24, 110, 110, 3, 11),
    "fewer steps than two dilations": (5, 15, 110, 110, 3, 8),
    "a tap that never reaches": (5, 30, 110, 110, 4, 10),
    "two taps": (2, 40, 150, 130, 2, 3),
    "one tap": (2, 40, 200, 190, 1, 1),
    "three steps": (20, 3, 110, 110, 3, 1),
}


def sized(sizes: tuple[int, ...], *, context: bool = False, seed: int = 5) -> ConvCase:
    return conv_case(seed, sizes=sizes, context=context, residual=False, activation="tanh", dropout=0.2)


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("name", SIZES)
def test_error_rule(name, context):
    """No looser than for every other way: twice the float32 reference's error."""
    worst = ConvOracle(sized(SIZES[name], context=context)).worst(native_conv)
    assert worst.ratio <= 1, worst


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("name", SIZES)
def test_any_number_of_threads(name, context):
    case = sized(SIZES[name], context=context)
    expected = case.run(native_conv)
    for threads in (2, 3):
        torch.set_num_threads(threads)
        assert_same_bits(case.run(native_conv), expected)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(
        st.integers(1, 4),
        st.integers(1, 90),
        st.integers(40, 130),
        st.integers(40, 130),
        st.integers(3, 7),
        st.integers(1, 20),
    ),
    st.booleans(),
    st.integers(0, 1000),
)
def test_any_sizes(sizes, context, seed):
    case = sized(sizes, context=context, seed=seed)
    exact = case.run(lambda **k: exact_conv(**k, mask=case.mask), torch.float64)
    for name, value in case.run(native_conv).items():
        np.testing.assert_allclose(value, exact[name], rtol=0, atol=3e-6 * max(np.abs(exact[name]).max(), 1e-3))


@pytest.mark.parametrize("name", ["a group and two taps", "an odd number of steps", "a tap that never reaches"])
def test_some_of_the_gradients(name):
    """Each alone has the bits that it has beside the others; frozen weights and a first layer ask for one."""
    case = sized(SIZES[name], context=True)
    expected = case.run(native_conv)
    given = {n: torch.from_numpy(a).float() for n, a in case.arrays.items() if a is not None}
    for wanted in ("x", "weight", "context"):
        leaves = {n: t.clone().requires_grad_(n == wanted) for n, t in given.items()}
        y = native_conv(**leaves, **case.settings, dropout=0.0, training=True)
        full = replace(case, dropout=0.0).run(native_conv)
        (found,) = torch.autograd.grad(y, [leaves[wanted]], torch.from_numpy(case.dy).float())
        assert found.numpy().tobytes() == full[f"d{wanted}"].tobytes()
    assert set(expected) > {"dx", "dweight", "dcontext"}


def test_a_batch_s_rows_do_not_meet():
    """A pair never takes rows of two sequences: the gradient of one is zero where the others' are not."""
    case = sized((3, 41, 110, 104, 3, 2), context=False)
    dy = np.zeros_like(case.dy)
    dy[1] = case.dy[1]
    found = replace(case, dy=dy).run(native_conv)["dx"]
    assert not found[[0, 2]].any()
    assert found[1].any()


@pytest.mark.parametrize("dilation", [1, 4])
def test_no_gradient_reaches_later_steps(dilation):
    """Exactly zero behind the last step that the loss reads: no difference of two equal sums is left there."""
    case = sized((2, 50, 110, 104, 6, dilation), context=False)
    for last in (20, 21, 30):
        dy = case.dy.copy()
        dy[:, last + 1 :] = 0
        assert not replace(case, dy=dy).run(native_conv)["dx"][:, last + 1 :].any()
