"""The compiled convolution against torch in float64 and the NumPy twin: outputs and all gradients, over all options."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest

from oracles.conv_cases import ConvCase, ConvOracle, conv_case
from seqloom.ops import causal_conv
from seqloom.ops.activations import ACTIVATIONS
from seqloom_runtime import native

pytestmark = [
    pytest.mark.skipif(native.module() is None, reason="this installation has no native module"),
    pytest.mark.usefixtures("one_thread"),
]

native_conv = functools.partial(causal_conv, backend="native")
FAST = range(60)
DEEP = range(60, 300)


def check_rule(case: ConvCase, oracle: ConvOracle | None = None) -> None:
    worst = (oracle or ConvOracle(case)).worst(native_conv)
    assert worst.reference < 1e-3, f"{worst} says nothing"
    assert worst.ratio <= 1, f"{worst} of {case.settings}, dropout {case.dropout}, {sizes(case)}"


def sizes(case: ConvCase) -> dict[str, tuple[int, ...]]:
    return {name: a.shape for name, a in case.arrays.items() if a is not None}


@pytest.mark.parametrize("seed", FAST)
def test_error_rule(seed):
    check_rule(conv_case(seed))


@pytest.mark.deep
@pytest.mark.parametrize("seed", DEEP)
def test_error_rule_over_many(seed):
    check_rule(conv_case(seed))


@pytest.mark.parametrize("seed", [*range(30), *(pytest.param(k, marks=pytest.mark.deep) for k in range(30, 300))])
def test_error_rule_against_the_numpy_twin(seed):
    case = conv_case(seed, small=True)
    check_rule(case, ConvOracle.of_twin(case))


# B, T, I, O, K, d: one call of each way through the planner.
WAYS = {
    "a sequence at a time": (17, 40, 12, 20, 3, 4),
    "in phases, few rows": (2, 300, 12, 20, 3, 4),
    "in phases, strands": (1, 1100, 9, 8, 2, 300),
    "in phases, weights by tiles": (3, 20, 150, 130, 5, 2),
    "long sequences": (8, 3100, 2, 40, 2, 1500),
    "gathered taps": (9, 50, 1, 33, 17, 3),
    "gathered taps by tiles": (2, 30, 7, 300, 17, 1),
    "weights beyond the cache": (1, 70, 300, 280, 3, 2),
    "taps that never reach": (4, 10, 9, 9, 8, 4),
    "one row": (1, 1, 1, 1, 1, 1),
}


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_through(way, context):
    check_rule(conv_case(1, sizes=WAYS[way], context=context, activation="relu", dropout=0.2))


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_in_every_place(name, residual, dropout):
    """What is saved for the backward pass depends on these four."""
    at = (3, 9, 5, 18, 2, 3)
    for phi, psi in ((name, "identity"), (name, "relu"), ("relu", name), ("identity", name)):
        check_rule(conv_case(2, sizes=at, residual=residual, dropout=dropout, activation=phi, final_activation=psi))


def features(case: ConvCase) -> set[str]:
    """What a case exercises, in words."""
    x, weight = case.arrays["x"], case.arrays["weight"]
    assert x is not None
    assert weight is not None
    found = {f"with {name}" for name, a in case.arrays.items() if a is not None}
    found |= {f"without {name}" for name, a in case.arrays.items() if a is None}
    found |= {f"phi {case.activation}", f"psi {case.final_activation}", f"dropout {bool(case.dropout)}"}
    (batch, steps, inputs), (outputs, _, taps) = x.shape, weight.shape
    for name, size in (("I", inputs), ("O", outputs)):
        for word, holds in (
            ("one", size == 1),
            ("below 8", 1 < size < 8),
            ("odd", size % 2 == 1),
            ("whole vectors", size % 16 == 0),
            ("above 100", size > 100),
        ):
            found |= {f"{name} {word}"} if holds else set()
    found |= {"B 1"} if batch == 1 else {"B at least 8"} if batch >= 8 else {"B few"}
    found |= {"K 1"} if taps == 1 else {"K many"} if taps > 8 else {"K some"}
    found |= {"unreachable taps"} if (taps - 1) * case.dilation >= steps else {"all taps reach"}
    return found


def test_the_selections_exercise_everything():
    fast = set().union(*(features(conv_case(seed)) for seed in FAST))
    wanted = {f"{w} {name}" for w in ("with", "without") for name in ("bias", "residual", "context")}
    wanted |= {f"{n} {w}" for n in "IO" for w in ("one", "below 8", "odd", "whole vectors", "above 100")}
    wanted |= {"B 1", "B few", "B at least 8", "K 1", "K some", "K many", "unreachable taps", "all taps reach"}
    wanted |= {"dropout True", "dropout False"}
    assert sorted(wanted - fast) == []
    deep = set().union(fast, *(features(conv_case(seed)) for seed in DEEP))
    wanted |= {f"{place} {a}" for place in ("phi", "psi") for a in ACTIVATIONS}
    assert sorted(wanted - deep) == []


@pytest.mark.parametrize("seed", range(8))
def test_gradients_against_differences_of_the_numpy_twin(seed):
    """The slope of a weighted sum of the outputs along a random direction of all arrays."""
    case = conv_case(seed, small=True)
    rng = np.random.default_rng(seed)
    direction = {name: rng.standard_normal(a.shape) for name, a in case.arrays.items() if a is not None}

    def total(step: float) -> float:
        moved = {name: a if a is None else a + step * direction[name] for name, a in case.arrays.items()}
        return float((dataclasses.replace(case, arrays=moved).twin().forward() * case.dy).sum())

    expected = (total(1e-6) - total(-1e-6)) / 2e-6
    found = case.run(native_conv)
    terms = [found[f"d{name}"].astype(np.float64) * d for name, d in direction.items()]
    size = sum(float(np.abs(t).sum()) for t in terms)
    assert abs(sum(float(t.sum()) for t in terms) - expected) <= 3e-5 * size + 1e-7
