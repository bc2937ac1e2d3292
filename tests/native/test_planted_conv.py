"""Every mistake of native/src/planted.h in the convolution, in a test build, is caught by the error rule."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from types import ModuleType

import pytest
import torch

from oracles.conv_cases import ConvOracle, conv_case
from seqloom.ops import causal_conv, native

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(native.module() is None, reason="this installation has no native module"),
]

ROOT = Path(__file__).resolve().parents[2]
MISTAKES = re.findall(r"^    X\((conv_\w+)\)", (ROOT / "native/src/planted.h").read_text(), re.MULTILINE)
CASES = range(40)


@pytest.fixture(scope="module")
def oracles() -> list[ConvOracle]:
    return [ConvOracle(conv_case(seed)) for seed in CASES]


@pytest.fixture(autouse=True)
def _run_the_planted_module(planted: ModuleType, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(native, "_load", lambda: planted)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    planted.plant(0)
    torch.set_num_threads(threads)


def caught(oracles: list[ConvOracle]) -> list[str]:
    """Cases that break the rule."""
    found = [oracle.worst(functools.partial(causal_conv, backend="native")) for oracle in oracles]
    return [f"case {seed}: {worst}" for seed, worst in zip(CASES, found, strict=True) if worst.ratio > 1]


def test_without_a_mistake_nothing_is_caught(oracles: list[ConvOracle]):
    assert len(MISTAKES) >= 6
    assert caught(oracles) == []


@pytest.mark.parametrize("name", MISTAKES)
def test_caught(planted: ModuleType, oracles: list[ConvOracle], name: str):
    planted.plant(planted.mistakes().index(name))
    assert len(caught(oracles)) >= 2
