"""Bits of the compiled convolution: any number of threads, rows in any order, later inputs, pieces with a context."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles.conv_cases import RANDOM, ConvCase, conv_case
from oracles.engine_checks import (
    ISAS,
    assert_same_bits,
    check_error_rule_with,
    check_instruction_sets,
    check_own_threads_and_torch_s,
)
from seqloom.ops import causal_conv
from seqloom_runtime import native

pytestmark = [
    pytest.mark.skipif(native.module() is None, reason="this installation has no native module"),
    pytest.mark.usefixtures("one_thread"),
]

native_conv = functools.partial(causal_conv, backend="native")
# B, T, I, O, K, d: sequences at a time, phases with strands, phases with tiles, gathered taps.
SIZES = [
    (19, 30, 9, 17, 3, 2),
    (3, 70, 20, 33, 5, 4),
    (2, 40, 150, 100, 3, 1),
    (1, 900, 2, 24, 8, 30),
    (40, 5, 1, 3, 2, 1),
]


def sized_case(sizes: tuple[int, ...], *, context: bool = True) -> ConvCase:
    """With everything: residual, dropout, both activations."""
    return conv_case(
        7, sizes=sizes, context=context, residual=True, dropout=0.3, activation="tanh", final_activation="relu"
    )


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_any_number_of_threads(sizes, context):
    case = sized_case(sizes, context=context)
    expected = case.run(native_conv)
    assert all(np.isfinite(value).all() for value in expected.values())
    for threads in (2, 3):
        torch.set_num_threads(threads)
        assert_same_bits(case.run(native_conv), expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 4))
def test_any_number_of_threads_for_any_call(seed, threads):
    case = conv_case(seed)
    torch.set_num_threads(1)
    expected = case.run(native_conv)
    torch.set_num_threads(threads)
    assert_same_bits(case.run(native_conv), expected)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.data())
def test_later_inputs_change_no_earlier_output(seed, data):
    """Causality, to the bit; and the output of a changed row's own step does change."""
    case = conv_case(seed)
    x = case.arrays["x"]
    assert x is not None
    at = data.draw(st.integers(0, x.shape[1] - 1))
    moved = x.copy()
    moved[:, at:] = np.nan
    with torch.no_grad():
        before, after = (output(replace(case, arrays={**case.arrays, "x": one})).numpy()[:, :at] for one in (x, moved))
    assert before.tobytes() == after.tobytes()
    assert np.isnan(output(replace(case, arrays={**case.arrays, "x": moved})).numpy()[:, at]).all() or case.dropout


def output(case: ConvCase) -> torch.Tensor:
    leaves = {name: torch.from_numpy(a).float() for name, a in case.arrays.items() if a is not None}
    return native_conv(**leaves, **case.settings, dropout=case.dropout, rng=RANDOM, training=True).detach()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_rows_in_any_order(seed, random):
    """A row's output and input gradient don't depend on its neighbours; without dropout, as draws go by row."""
    case = replace(conv_case(seed), dropout=0.0)
    order = list(range(case.dy.shape[0]))
    random.shuffle(order)
    arrays = {name: a[order] if a is not None and name in ("x", "residual", "context") else a
              for name, a in case.arrays.items()}  # fmt: skip
    found, expected = replace(case, arrays=arrays, dy=case.dy[order]).run(native_conv), case.run(native_conv)
    for name in ("y", "dx", "dresidual", "dcontext"):
        if name in expected:
            assert found[name].tobytes() == expected[name][order].tobytes(), name


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.data())
def test_a_context_carries_a_sequence_on(seed, data):
    """Two pieces, the second with the rows before it as its context, give the whole run; short sums to the bit."""
    case = conv_case(seed, dropout=0.0)
    x, weight = (torch.from_numpy(case.arrays[name]).float() for name in ("x", "weight"))
    given = {name: torch.from_numpy(a).float() for name, a in case.arrays.items() if a is not None}
    span = (weight.shape[2] - 1) * case.dilation
    if span * x.shape[0] * x.shape[2] > 1e6:
        return
    cut = data.draw(st.integers(0, x.shape[1]))
    before = given.pop("context", torch.zeros(x.shape[0], span, x.shape[2]))
    residual = given.pop("residual", None)
    whole = native_conv(**given, **case.settings, residual=residual, context=before)
    given.pop("x")
    rows = torch.cat([before, x], dim=1)
    parts = []
    for start, stop in ((0, cut), (cut, x.shape[1])):
        if start < stop:
            part = None if residual is None else residual[:, start:stop]
            parts.append(
                native_conv(
                    x[:, start:stop], **given, **case.settings, residual=part, context=rows[:, start : start + span]
                )
            )
    found = torch.cat(parts, dim=1)
    torch.testing.assert_close(found, whole, rtol=2e-5, atol=2e-5)
    if weight.shape[1] * weight.shape[2] <= 100:
        assert torch.equal(found.nan_to_num(), whole.nan_to_num())


def test_own_threads_and_torch_s():
    check_own_threads_and_torch_s(lambda: sized_case(SIZES[1]).run(native_conv))


def test_instruction_sets_agree_to_rounding():
    check_instruction_sets(lambda: sized_case(SIZES[1]).run(native_conv), "dweight")


def test_what_one_instruction_set_saves_another_reads():
    """The instruction set may be changed between the passes: bits lie the same for all."""
    module = native.module()
    assert module is not None
    before = module.isa()
    case = conv_case(3, sizes=(3, 9, 5, 53, 2, 1), activation="relu", residual=True, dropout=0.4)
    expected = case.run(native_conv)
    try:
        for first in ISAS:
            for second in ISAS:
                module.use_isa(first)
                leaves = {
                    n: torch.from_numpy(a).float().requires_grad_() for n, a in case.arrays.items() if a is not None
                }
                y = native_conv(**leaves, **case.settings, dropout=case.dropout, rng=RANDOM, training=True)
                module.use_isa(second)
                grads = torch.autograd.grad(y, list(leaves.values()), torch.from_numpy(case.dy).float())
                for name, g in zip(leaves, grads, strict=True):
                    np.testing.assert_allclose(g.numpy(), expected[f"d{name}"], rtol=0, atol=1e-4)
    finally:
        module.use_isa(before)


@pytest.mark.slow
@pytest.mark.parametrize("isa", ISAS)
def test_error_rule_on_every_instruction_set(isa: str):
    check_error_rule_with(isa, "test_conv_parity.py", "-k", "error_rule and not twin or way")
