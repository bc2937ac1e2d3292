"""300 random configurations of every task in ONNX Runtime: off from a float64 twin by no more than float32 rounds."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_battery import case
from onnx_cases import within

_FAST = 42


@pytest.mark.parametrize("seed", [*range(_FAST), *(pytest.param(n, marks=pytest.mark.deep) for n in range(_FAST, 300))])
def test_a_random_model(seed: int, tmp_path: Path) -> None:
    found = case(seed, tmp_path)
    print(found.what)
    within(found.got, found.ours, found.twin, found.nudged)
