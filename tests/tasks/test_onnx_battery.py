"""300 random configurations of every task in ONNX Runtime: off from a float64 twin by no more than float32 rounds."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_battery import case
from onnx_cases import within

from seqloom.nn import onnx_cells
from seqloom.tasks import exporting
from seqloom.tasks.forecast import onnx_model as _forecasts  # these register their rules
from seqloom.tasks.networks import BODIES, onnx_bodies
from seqloom.tasks.networks import onnx_pictures as _pictures
from seqloom.tasks.text import onnx_model as _texts

_FAST = 42
_REGISTERED = [_forecasts, _pictures, _texts]


@pytest.mark.parametrize("seed", [*range(_FAST), *(pytest.param(n, marks=pytest.mark.deep) for n in range(_FAST, 300))])
def test_a_random_model(seed: int, tmp_path: Path) -> None:
    found = case(seed, tmp_path)
    print(found.what)
    within(found.got, found.ours, found.twin, found.nudged)


def test_every_body_has_a_form() -> None:
    for name, kind in BODIES.items():
        if str(getattr(kind.build, "__module__", "")).startswith("seqloom."):  # others are of users, or of tests
            assert kind.build in onnx_bodies.WRITTEN, f"the body {name!r} has no rule in ONNX's operators"


def test_planted_mistakes_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two gates in each other's place; means that are off by a little."""
    with monkeypatch.context() as patched:
        patched.setitem(onnx_cells._ORDERS, "gru", (0, 1, 2))
        assert _found(13, tmp_path)  # a forecaster
    assert not _found(18, tmp_path)
    monkeypatch.setattr(exporting, "_row", lambda graph, values: graph.array(values + 1e-4))
    assert _found(18, tmp_path)  # a regressor of sequences


def _found(seed: int, folder: Path) -> bool:
    made = case(seed, folder)
    try:
        within(made.got, made.ours, made.twin, made.nudged)
    except AssertionError:
        return True
    return False
