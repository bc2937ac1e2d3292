"""The compiled scan against the float64 reference and the NumPy twin: outputs and all gradients, over all options."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest
import torch

from oracles.native_cases import BATCHES, STEPS, Oracle, cotangents, native_case, run
from oracles.recurrent_cases import Case
from seqloom.ops.activations import ACTIVATIONS
from seqloom.ops.cell import Cell, Weights
from seqloom.ops.kinds import KINDS
from seqloom.ops.scan import scan
from seqloom_runtime import native

pytestmark = [
    pytest.mark.skipif(native.module() is None, reason="this installation has no native module"),
    pytest.mark.usefixtures("one_thread"),
]

native_scan = functools.partial(scan, backend="native")
FAST = (*range(80), 98)
DEEP = [seed for seed in range(80, 500) if seed not in FAST]
# Where float32 says nothing, so that no two engines need agree.
UNDECIDED = {
    194: "one unit of c lies within 8e-8 of cell_clip, and float32 can't tell on which side",
    304: "20 steps of layer norm over 3 units make 3 % of a rounding error",
}


def check_rule(case: Case) -> None:
    worst = Oracle(case).worst(native_scan)
    assert worst.reference < 1e-2, f"{worst} of {case.cell} says nothing"
    assert worst.ratio <= 1, f"{worst} of {case.cell}, x {case.x.shape}"


@pytest.mark.parametrize("seed", FAST)
def test_error_rule(seed):
    check_rule(native_case(seed))


@pytest.mark.deep
@pytest.mark.parametrize("seed", sorted(set(DEEP) - set(UNDECIDED)))
def test_error_rule_over_many(seed):
    check_rule(native_case(seed))


def features(case: Case) -> set[str]:
    """What a case exercises, in words."""
    cell, keywords = case.cell, case.keywords
    found = {name for name in ("coupled", "peephole", "layer_norm", "cell_clip", "projection") if getattr(cell, name)}
    found |= {name for name in ("mask", "reverse", "input_mask", "recurrent_mask") if keywords[name] is not None}
    for name in ("zoneout", "zoneout_cell", "candidate_dropout"):
        if getattr(cell, name):
            found.add(f"{name} {'drawn' if keywords['training'] else 'mean'}")
    found |= {f"with {name}" for name in case.weights}
    found |= {"reset before"} if not cell.reset_after else set()
    found |= {"last_only"} if keywords["last_only"] else set()
    found |= {"forward"} if not keywords["reverse"] else set()
    found |= {"weights beyond the cache"} if sum(case.weights[n].size for n in ("w_x", "w_h")) > 140_000 else set()
    found |= {"hidden NaN"} if np.isnan(case.x).any() else set()
    batch, steps, inputs = case.x.shape
    hidden = case.weights["w_x"].shape[1] // cell.gates
    found |= {f"B {batch}", f"T {steps}", cell.kind, f"phi {cell.activation}", f"sigma {cell.gate_activation}"}
    found |= {f"psi {cell.output_activation}"} if cell.kind == "jordan" else set()
    for name, size in (("I", inputs), ("H", hidden), ("S", case.h.shape[1])):
        for word, holds in (
            ("one", size == 1),
            ("odd", size % 2 == 1),
            ("whole vectors", size % 16 == 0),
            ("above 128", size > 128 and name == "H"),
        ):
            found |= {f"{name} {word}"} if holds else set()
    return found


def test_the_selections_exercise_everything():
    fast = set().union(*(features(native_case(seed)) for seed in FAST))
    wanted = {*KINDS, "coupled", "peephole", "layer_norm", "cell_clip", "projection", "reset before", "last_only"}
    wanted |= {"mask", "reverse", "forward", "input_mask", "recurrent_mask", "weights beyond the cache", "hidden NaN"}
    wanted |= {f"{n} {how}" for n in ("zoneout", "zoneout_cell", "candidate_dropout") for how in ("drawn", "mean")} - {
        "candidate_dropout mean"
    }
    wanted |= {f"with {f.name}" for f in dataclasses.fields(Weights)} - {"with slope"}
    wanted |= {"H one", "H odd", "H whole vectors", "H above 128", "I one", "I odd", "I whole vectors", "S one", "B 1"}
    assert sorted(wanted - fast) == []
    deep = set().union(fast, *(features(native_case(seed)) for seed in DEEP))
    wanted |= {f"phi {a}" for a in ACTIVATIONS if "hard" not in a}
    wanted |= {f"sigma {a}" for a in ("sigmoid", "hard_sigmoid", "hard_sigmoid_02", "softsign", "tanh")}
    wanted |= {*(f"T {n}" for n in STEPS), *(f"B {n}" for n in BATCHES), "B 530"}
    assert sorted(wanted - deep) == []


@pytest.mark.parametrize("seed", [*range(40), *(pytest.param(k, marks=pytest.mark.deep) for k in range(40, 300))])
def test_error_rule_against_the_numpy_twin(seed):
    case = native_case(seed, small=True)
    worst = Oracle.of_twin(case).worst(native_scan)
    assert worst.ratio <= 1, f"{worst} of {case.cell}, x {case.x.shape}"


@pytest.mark.parametrize("seed", [*range(24), *(pytest.param(k, marks=pytest.mark.deep) for k in range(24, 200))])
def test_gradients_against_differences_of_the_numpy_twin(seed):
    """The slope of a weighted sum of the outputs along a random direction of all inputs, states and weights."""
    case = native_case(seed, small=True)
    case.keywords["mask"] = None if case.keywords["mask"] is None else case.keywords["mask"].copy()
    case = dataclasses.replace(case, x=np.nan_to_num(case.x))
    rng = np.random.default_rng(seed)
    names = ["x", "h", *([] if case.c is None else ["c"]), *case.weights]
    places = {"x": case.x, "h": case.h, "c": case.c, **case.weights}
    direction = {name: rng.standard_normal(places[name].shape) for name in names}

    def total(step: float) -> float:
        moved: dict[str, Any] = {name: places[name] + step * direction[name] for name in names}
        states = {name: moved.pop(name) for name in ("x", "h", "c") if name in moved}
        outputs = dataclasses.replace(case, **states, weights=moved).twin()
        given = cotangents(case, [o.shape for o in outputs])
        return sum(float((o * g).sum()) for o, g in zip(outputs, given, strict=True) if g is not None)

    expected = (total(1e-6) - total(-1e-6)) / 2e-6
    found = run(case, native_scan)
    terms = [found[f"d{name}"].astype(np.float64) * direction[name] for name in names]
    size = sum(float(np.abs(t).sum()) for t in terms)
    assert abs(sum(float(t.sum()) for t in terms) - expected) <= 3e-5 * size + 1e-7, case.cell


ULPS = {
    "tanh": 3,
    "sigmoid": 3,
    "elu": 3,
    "softplus": 3,
    "softsign": 2,
    "relu": 0,
    "leaky_relu": 1,
    "identity": 0,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_over_their_whole_range(name):
    """φ of numbers from −120 to 120 and around 0, to a few units in the last place; its slope to a few of 1."""
    grid = np.concatenate([np.linspace(-120, 120, 4001), np.linspace(-9, 9, 4000), 10.0 ** np.linspace(-30, 0, 400)])
    grid = np.concatenate([grid, -(10.0 ** np.linspace(-30, 0, 399))]).astype(np.float32)  # 8800 = 550 · 16
    x = torch.from_numpy(grid).reshape(550, 1, 16).requires_grad_()
    eye = Weights(torch.eye(16), torch.zeros(16, 16))
    y, _ = native_scan(Cell("elman", activation=name), x, torch.zeros(550, 16), eye)
    (slope,) = torch.autograd.grad(y.sum(), x)
    wide = torch.from_numpy(grid.astype(np.float64)).requires_grad_()
    exact = ACTIVATIONS[name](wide)
    (exact_slope,) = torch.autograd.grad(exact.sum(), wide)
    found, expected = y.detach().numpy().ravel(), exact.detach().numpy()
    unit = np.maximum(np.spacing(np.abs(expected).astype(np.float32)).astype(np.float64), 2.0**-120)
    apart = np.abs(found - expected) / unit
    if name in ULPS:
        assert apart.max() <= ULPS[name], grid[apart.argmax()]
    assert np.abs(found - expected).max() <= 2.0**-22 * max(1, np.abs(expected).max())
    smooth = (
        np.minimum(np.abs(np.abs(grid) - 3), np.abs(np.abs(grid) - 2.5)) > 1e-5
    )  # off the ends of the hard sigmoids
    assert np.abs(slope.numpy().ravel() - exact_slope.numpy().ravel())[smooth].max() <= 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_in_every_place(kind, name):
    options: dict[str, Any] = {"gate_activation": name} if kind in ("lstm", "gru") else {}
    if kind == "jordan":
        options = {"output_activation": name}
    check_rule(native_case(3, cell=Cell(kind, activation=name), small=True))
    check_rule(native_case(5, cell=Cell(kind, **options), small=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_of_one_output(kind):
    """Gradients where the others have none, and of an output times zero."""
    case = native_case(11, cell=Cell(kind), small=True).but(last_only=False)
    for which in range(3 if kind == "lstm" else 2):
        outputs, leaves = case.call(native_scan, torch.float32)
        wide, wide_leaves = case.call(functools.partial(scan, backend="reference"))
        ours = torch.autograd.grad(outputs[which].square().sum(), leaves, allow_unused=True)
        theirs = torch.autograd.grad(wide[which].square().sum(), wide_leaves, allow_unused=True)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(
                0.0 if a is None else a.numpy(), 0.0 if b is None else b.numpy(), rtol=0, atol=3e-6
            )
        zero = torch.autograd.grad(
            (case.call(native_scan, torch.float32)[0][which] * 0).sum(), leaves, allow_unused=True
        )
        assert all(g is None or not g.any() for g in zero)
