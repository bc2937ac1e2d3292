"""Every mistake of native/src/planted.h in the scan, switched on in a test build, is caught by the error rule."""

from __future__ import annotations

import functools
import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest
import torch

from oracles.native_cases import Oracle, native_case
from seqloom.ops import native
from seqloom.ops.scan import scan

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(native.module() is None, reason="this installation has no native module"),
]

ROOT = Path(__file__).resolve().parents[2]
EVERY = re.findall(r"^    X\((\w+)\)", (ROOT / "native/src/planted.h").read_text(), re.MULTILINE)
MISTAKES = [name for name in EVERY if not name.startswith("conv_")]
CASES = (*range(60), 98)


@pytest.fixture(scope="module")
def oracles() -> list[Oracle]:
    return [Oracle(native_case(seed)) for seed in CASES]


@pytest.fixture(autouse=True)
def _run_the_planted_module(planted: ModuleType, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(native, "_load", lambda: planted)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    planted.plant(0)
    torch.set_num_threads(threads)


def caught(oracles: list[Oracle]) -> list[str]:
    """Cases that break the rule."""
    found = [oracle.worst(functools.partial(scan, backend="native")) for oracle in oracles]
    return [f"case {seed}: {worst}" for seed, worst in zip(CASES, found, strict=True) if worst.ratio > 1]


def test_the_list_is_that_of_the_module(planted: ModuleType):
    assert planted.mistakes() == ["none", *EVERY]
    assert len(MISTAKES) >= 12
    installed = importlib.import_module("seqloom._native")
    assert not hasattr(installed, "plant")


def test_without_a_mistake_nothing_is_caught(oracles: list[Oracle]):
    assert caught(oracles) == []


@pytest.mark.parametrize("name", MISTAKES)
def test_caught(planted: ModuleType, oracles: list[Oracle], name: str):
    planted.plant(planted.mistakes().index(name))
    assert len(caught(oracles)) >= 2
