"""The fused scan against the readable one: values and gradients, in float64 exactly, in float32 by the error rule."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from oracles.recurrent_cases import Case, random_case
from seqloom.ops.activations import ACTIVATIONS
from seqloom.ops.call import Call
from seqloom.ops.cell import Cell, Weights
from seqloom.ops.fused_scan import refuses
from seqloom.ops.fused_scan import run as run_fused
from seqloom.ops.reference import reference_scan

KINDS = ("elman", "lstm", "gru")


def fused_scan(cell: Cell, x: Any, state: Any, weights: Weights, **options: Any) -> Any:
    return run_fused(Call(cell, x, state, weights, **options))


def supports(cell: Cell, x: Any, weights: Weights, **options: Any) -> str | None:
    return refuses(Call(cell, x, x, weights, **options))


def fused_case(seed: int, kind: str, activation: str = "tanh", gate_activation: str = "sigmoid") -> Case:
    """A random call that the fused scan can run."""
    gates: dict[str, Any] = {"gate_activation": gate_activation} if kind != "elman" else {}
    case = random_case(seed, cell=Cell(kind, activation=activation, **gates))
    shared = {
        name: mask[:, 0] if mask is not None and mask.ndim == 3 else mask
        for name in ("input_mask", "recurrent_mask")
        for mask in [case.keywords[name]]
    }
    return case.but(**shared)


def run(case: Case, scan, dtype=torch.float64) -> list[np.ndarray]:
    """Outputs and the gradients of a random weighted sum of all of them."""
    outputs, leaves = case.call(scan, dtype)
    rng = np.random.default_rng(1)
    total: Any = sum((o * torch.from_numpy(rng.standard_normal(o.shape)).to(dtype)).sum() for o in outputs)
    grads = torch.autograd.grad(total, leaves)
    return [v.detach().numpy() for v in (*outputs, *grads)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(30))
def test_values_and_gradients(kind, seed):
    case = fused_case(seed, kind)
    for ours, expected in zip(run(case, fused_scan), run(case, reference_scan), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max(initial=0)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(kind, activation):
    gate = activation if activation not in ("relu", "identity", "softplus", "elu", "leaky_relu") else "hard_sigmoid"
    for seed in range(4):
        case = fused_case(100 + seed, kind, activation, gate)
        for ours, expected in zip(run(case, fused_scan), run(case, reference_scan), strict=True):
            np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-11 * max(1, np.abs(expected).max(initial=0)))


@pytest.mark.parametrize("kind", KINDS)
def test_float32_error_rule(kind):
    """Error against float64 at most twice the float32 reference's own, over a batch large enough for several blocks."""
    rng = np.random.default_rng(7)
    gates = {"elman": 1, "lstm": 4, "gru": 3}[kind]
    size, batch, steps, inputs = 48, 64, 30, 5
    normal = lambda *shape: 0.3 * rng.standard_normal(shape)  # noqa: E731
    weights = {
        "w_x": normal(inputs, gates * size),
        "w_h": normal(size, gates * size),
        "bias": normal(gates * size),
        "bias_h": normal(gates * size),
    }
    keywords = {
        "mask": rng.random((batch, steps)) < 0.8,
        "recurrent_mask": (rng.random((batch, size)) < 0.7) / 0.7,
        "input_mask": None,
    }
    c = normal(batch, size) if kind == "lstm" else None
    case = Case(Cell(kind), normal(batch, steps, inputs), normal(batch, size), c, weights, keywords)
    exact, twin, ours = (
        run(case, s, d)
        for s, d in ((reference_scan, torch.float64), (reference_scan, torch.float32), (fused_scan, torch.float32))
    )
    for name, e, t, o in zip("yhcabdefgijk", exact, twin, ours):
        scale = np.abs(e).max()
        assert np.abs(o - e).max() / scale <= 2 * np.abs(t - e).max() / scale + 2e-7, name


@pytest.mark.parametrize("kind", KINDS)
def test_gradcheck_and_second_derivative(kind):
    case = fused_case(6, kind).but(last_only=False)
    _, leaves = case.call(fused_scan)
    keywords: dict[str, Any] = {
        name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        for name, value in case.keywords.items()
    }

    def function(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x, h, *rest = tensors
        state = (h, rest.pop(0)) if kind == "lstm" else h
        weights = Weights(**dict(zip(case.weights, rest, strict=True)))
        y, last = fused_scan(case.cell, x, state, weights, **keywords)
        return (y, *last) if isinstance(last, tuple) else (y, last)

    assert torch.autograd.gradcheck(function, tuple(leaves))
    assert torch.autograd.gradgradcheck(function, tuple(leaves))


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_share_no_memory(kind):
    """Also with one row and one unit, where a transposed array is its own copy."""
    g = {"elman": 1, "lstm": 4, "gru": 3}[kind]
    weights = Weights(torch.randn(1, g, generator=torch.Generator().manual_seed(1)), torch.ones(1, g).requires_grad_())
    state = (torch.zeros(1, 1), torch.zeros(1, 1)) if kind == "lstm" else torch.zeros(1, 1)
    y, last = fused_scan(Cell(kind), torch.ones(1, 3, 1), state, weights)
    last = last[0] if isinstance(last, tuple) else last
    (expected,) = torch.autograd.grad(y.sum(), weights.w_h, retain_graph=True)
    kept = last.detach().clone()
    y.detach().mul_(100)
    assert torch.equal(last, kept)
    (again,) = torch.autograd.grad(y.sum(), weights.w_h)
    assert torch.equal(expected, again)


@pytest.mark.parametrize("kind", KINDS)
def test_nan_in_padding_reaches_nothing(kind):
    case = fused_case(12, kind)
    mask = np.ones(case.x.shape[:2], dtype=bool)
    mask[:, -1] = False
    x = case.x.copy()
    x[:, -1] = np.nan
    for a, b in zip(run(case.but(x=x, mask=mask), fused_scan), run(case.but(mask=mask), fused_scan), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_it_refuses():
    x = torch.zeros(2, 3, 4)
    weights = Weights(torch.zeros(4, 15), torch.zeros(5, 15))
    assert supports(Cell("gru"), x, weights) is None
    refused = {
        "layer_norm": Cell("gru", layer_norm=True),
        "zoneout": Cell("gru", zoneout=0.1),
        "reset_after=False": Cell("gru", reset_after=False),
        "named activations": Cell("gru", activation=torch.sin),
    }
    for word, cell in refused.items():
        assert word in str(supports(cell, x, weights))
    dropping = Cell("gru", candidate_dropout=0.1)
    assert supports(dropping, x, weights) is None
    assert "candidate dropout" in str(supports(dropping, x, weights, training=True))
    assert "for each gate" in str(supports(Cell("gru"), x, weights, input_mask=torch.ones(2, 3, 4)))
    assert "no gradient" in str(supports(Cell("gru"), x, weights, recurrent_mask=torch.ones(2, 5).requires_grad_()))
    assert "empty" in str(supports(Cell("gru"), x[:, :0], weights))
    for option in ("peephole", "coupled", "cell_clip", "projection", "zoneout_cell"):
        value = {"cell_clip": 1.0, "projection": 2, "zoneout_cell": 0.1}.get(option, True)
        assert option in str(supports(dataclasses.replace(Cell("lstm"), **{option: value}), x, weights))
