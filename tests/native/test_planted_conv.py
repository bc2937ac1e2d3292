"""Every mistake of runtime/native/src/planted.h in the convolution, in a test build, is caught by the error rule."""

from __future__ import annotations

import functools
from types import ModuleType

import pytest

from oracles import normed_weights
from oracles.conv_cases import ConvOracle, conv_case
from oracles.engine_checks import EVERY_MISTAKE
from seqloom.ops import causal_conv
from seqloom_runtime import native

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(native.module() is None, reason="this installation has no native module"),
    pytest.mark.usefixtures("one_thread", "run_the_planted_module"),
]

MISTAKES = [name for name in EVERY_MISTAKE if name.startswith("conv_")]
CASES = range(40)
WIDE = [(2, 60, 110, 104, 3, 2), (3, 50, 100, 130, 4, 1)]  # B, T, I, O, K, d: gradients by pairs of rows


@pytest.fixture(scope="module")
def oracles() -> list[ConvOracle]:
    return [ConvOracle(conv_case(seed)) for seed in CASES] + [ConvOracle(conv_case(7, sizes=sizes)) for sizes in WIDE]


def caught(oracles: list[ConvOracle]) -> list[str]:
    """Cases that break the rule."""
    found = [oracle.worst(functools.partial(causal_conv, backend="native")) for oracle in oracles]
    return [f"case {number}: {worst}" for number, worst in enumerate(found) if worst.ratio > 1]


def test_without_a_mistake_nothing_is_caught(oracles: list[ConvOracle]):
    assert len(MISTAKES) >= 6
    assert caught(oracles) == []


@pytest.mark.parametrize("name", MISTAKES)
def test_caught(planted: ModuleType, oracles: list[ConvOracle], name: str):
    planted.plant(planted.mistakes().index(name))
    assert len(caught(oracles)) >= 2


def test_weight_norm(planted: ModuleType):
    """The gradient of a normalised weight without the part through its length."""
    assert normed_weights.worst((17, 31, 3)) < 2e-6
    planted.plant(planted.mistakes().index("normed_length_fixed"))
    assert normed_weights.worst((17, 31, 3)) > 1e-2
