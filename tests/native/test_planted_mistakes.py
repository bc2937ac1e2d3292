"""Every mistake of runtime/native/src/planted.h in the scan, switched on in a test build, is caught."""

from __future__ import annotations

import functools
import importlib
from types import ModuleType

import pytest

from oracles.engine_checks import EVERY_MISTAKE
from oracles.native_cases import Oracle, native_case
from seqloom.ops.scan import scan
from seqloom_runtime import native

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(native.module() is None, reason="this installation has no native module"),
    pytest.mark.usefixtures("one_thread", "run_the_planted_module"),
]

MISTAKES = [name for name in EVERY_MISTAKE if not name.startswith(("conv_", "optimizer_", "normed_"))]
CASES = (*range(60), 98)


@pytest.fixture(scope="module")
def oracles() -> list[Oracle]:
    return [Oracle(native_case(seed)) for seed in CASES]


def caught(oracles: list[Oracle]) -> list[str]:
    """Cases that break the rule."""
    found = [oracle.worst(functools.partial(scan, backend="native")) for oracle in oracles]
    return [f"case {seed}: {worst}" for seed, worst in zip(CASES, found, strict=True) if worst.ratio > 1]


def test_the_list_is_that_of_the_module(planted: ModuleType):
    assert planted.mistakes() == ["none", *EVERY_MISTAKE]
    assert len(MISTAKES) >= 12
    installed = importlib.import_module("seqloom_runtime._native")
    assert not hasattr(installed, "plant")


def test_without_a_mistake_nothing_is_caught(oracles: list[Oracle]):
    assert caught(oracles) == []


@pytest.mark.parametrize("name", MISTAKES)
def test_caught(planted: ModuleType, oracles: list[Oracle], name: str):
    planted.plant(planted.mistakes().index(name))
    assert len(caught(oracles)) >= 2
