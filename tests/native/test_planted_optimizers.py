"""Every mistake of runtime/native/src/planted.h in the optimizers, switched on in a test build, is caught."""

from __future__ import annotations

from types import ModuleType

import pytest

from oracles.engine_checks import EVERY_MISTAKE
from oracles.optimizer_runs import OURS, drawn_run, ratio
from seqloom_runtime import native

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(native.module() is None, reason="this installation has no native module"),
    pytest.mark.usefixtures("run_the_planted_module"),
]

MISTAKES = [name for name in EVERY_MISTAKE if name.startswith("optimizer_")]


def caught() -> int:
    """How many of 40 random runs break the rule."""
    return sum(ratio(drawn_run(rule, seed), True) > 1 for rule in OURS for seed in range(10))


def test_without_a_mistake_nothing_is_caught() -> None:
    assert caught() == 0


@pytest.mark.parametrize("name", MISTAKES)
def test_caught(planted: ModuleType, name: str) -> None:
    planted.plant(planted.mistakes().index(name))
    assert caught() >= 2
