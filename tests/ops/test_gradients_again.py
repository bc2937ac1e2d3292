"""Gradients of gradients, and first gradients with a graph, through anything that is built of our operations."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.attack.compositions import compare, make_program

from seqloom import nn
from seqloom.ops import Cell, Weights, again, native_conv, native_scan, native_stack, reference_scan, scan
from seqloom.ops.weight_norm import weight_norm

SECOND = 2e-4  # of the largest number: float32's noise in a second derivative


def same(ours, theirs, share=SECOND):
    for mine, true in zip(ours, theirs, strict=True):
        assert (mine - true).abs().max() <= share * true.abs().max() + 1e-7


@settings(max_examples=60)
@given(st.integers(0, 2**40))
def test_compositions_have_the_gradients_of_the_reference(seed):
    assert compare(make_program(seed)) is None


@pytest.mark.deep
@settings(max_examples=3000)
@given(st.integers(0, 2**40))
def test_many_compositions_have_the_gradients_of_the_reference(seed):
    assert compare(make_program(seed)) is None


def test_a_path_counted_twice_is_found(monkeypatch):
    """The mistake that stood here: differentiating with respect to saved tensors that still carry their graph."""

    def on_the_saved_tensors(run, inputs, grads, needed):
        with torch.enable_grad():
            results = run(list(inputs))
        pairs = [(r, g) for r, g in zip(results, grads, strict=True) if r is not None and g is not None]
        wanted = [i for i, need in enumerate(needed) if need and inputs[i] is not None]
        found = torch.autograd.grad(
            [r for r, _ in pairs], [inputs[i] for i in wanted], [g for _, g in pairs],
            create_graph=torch.is_grad_enabled(), allow_unused=True,
        )  # fmt: skip
        out: list[torch.Tensor | None] = [None] * len(needed)
        for i, one in zip(wanted, found, strict=True):
            out[i] = one
        return out

    for module in (native_scan, native_conv, native_stack):
        monkeypatch.setattr(module, "gradients_again", on_the_saved_tensors)
    found = [compare(make_program(seed)) for seed in range(12)]
    assert sum(difference is not None for difference in found) >= 6


@pytest.mark.parametrize("backend", ["native", "fused"])
def test_a_state_carried_between_two_calls(backend):
    cell, size = Cell("gru"), 5
    generator = torch.Generator().manual_seed(3)
    leaves = [torch.randn(*s, generator=generator) for s in ((2, 4, size), (2, 4, size), (size, 15), (size, 15), (15,))]

    def gradients(run, create_graph, double):
        first, second, w_x, w_h, bias = given = [(t.double() if double else t.clone()).requires_grad_() for t in leaves]
        weights = Weights(w_x, w_h, bias)
        y, state = run(cell, first, first.mean(1), weights)
        z, _ = run(cell, second + y, state, weights)
        return torch.autograd.grad(z.square().sum(), given, create_graph=create_graph)

    def ours(*arguments):
        return scan.scan(*arguments, backend=backend)

    true = gradients(reference_scan, False, True)
    for create_graph in (False, True):
        same([g.detach() for g in gradients(ours, create_graph, False)], true, 2e-5)


def test_a_shortcut_around_convolutions():
    """Two levels of a TCN whose shortcuts are the identity, beside the same layers one by one on torch's engine."""
    ours, theirs = (nn.TCN(5, [5, 5], kernel_size=2, seed=1, backend=b) for b in ("auto", "torch"))
    x = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(1))

    def penalised(net):
        inside = x.clone().requires_grad_()
        first = torch.autograd.grad(net(inside).square().sum(), [inside, *net.parameters()], create_graph=True)
        second = torch.autograd.grad(torch.stack([g.square().sum() for g in first]).sum(), [inside, *net.parameters()])
        return [g.detach() for g in first], second

    mine, true = penalised(ours), penalised(theirs)
    same(mine[0], true[0], 2e-5)
    same(mine[1], true[1])


@pytest.mark.parametrize(
    "make", [lambda: nn.TCN(4, [4], kernel_size=2, seed=1), lambda: nn.CausalConv1d(4, 4, 2, seed=1)]
)
def test_whole_jacobians_at_once(make):
    net, x = make(), torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))
    plain = torch.autograd.functional.jacobian(net, x)
    assert torch.allclose(torch.autograd.functional.jacobian(net, x, vectorize=True), plain, atol=1e-6)


def test_hessians_of_a_recurrent_layer():
    layer, x = nn.LSTM(3, 4, seed=1), torch.randn(1, 3, 3, generator=torch.Generator().manual_seed(1))
    twin = nn.LSTM(3, 4, seed=1, backend="reference")
    for vectorize in (False, True):
        found, true = (
            torch.autograd.functional.hessian(lambda v, net=net: net(v)[0].square().sum(), x, vectorize=vectorize)
            for net in (layer, twin)
        )
        same([found], [true], 2e-5)


def test_weight_norm_whose_length_depends_on_its_direction():
    v = torch.randn(3, 2, 2, generator=torch.Generator().manual_seed(1)).requires_grad_()

    def first(make):
        g = v.square().sum(dim=(1, 2), keepdim=True)
        return torch.autograd.grad(make(v, g).sin().sum(), v, create_graph=True)[0]

    ours, true = (first(f) for f in (weight_norm, lambda v, g: v * (g / v.norm(dim=(1, 2), keepdim=True))))
    same([ours.detach()], [true.detach()], 2e-5)
    same(torch.autograd.grad(ours.sum(), v), torch.autograd.grad(true.sum(), v))


def test_what_is_not_needed_is_not_worked_out():
    x = torch.randn(2, 3)
    found = again.gradients_again(
        lambda given: [given[0] * given[1]], [x, x.clone()], [torch.ones(2, 3)], [False, False]
    )
    assert found == [None, None]
    assert again.gradients_again(lambda given: [given[0]], [x], [None], [True]) == [None]
