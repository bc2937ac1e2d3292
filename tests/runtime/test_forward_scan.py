"""The runtime's scan and streams on every option of a cell, beside a float64 twin in NumPy and the readable engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from forward_twins import FEW_PLACES, engine

from oracles.recurrent_cases import Case, random_case
from seqloom.ops.kinds import KINDS
from seqloom.ops.reference import reference_scan
from seqloom_runtime import forward
from seqloom_runtime.errors import SettingError

_OWN = ("activation", "gate_activation", "output_activation", "reset_after", "coupled", "peephole", "layer_norm")
_OWN = (*_OWN, "cell_clip", "projection", "zoneout", "zoneout_cell")


def case_of(seed: int, kind: str, **changes: Any) -> Case:
    """A random call in evaluation."""
    return random_case(seed, kind).but(training=False, **changes)


def parts(case: Case) -> tuple[forward.Cell, forward.CellWeights]:
    """Its cell and its weights as the runtime has them."""
    cell = forward.Cell(case.cell.kind, **{name: getattr(case.cell, name) for name in _OWN})
    columns, width = case.weights["w_x"].shape, case.weights["w_h"].shape[0]
    return cell, forward.CellWeights(cell, (columns[0], columns[1] // cell.gates, width), case.weights)


def run(case: Case) -> list[np.ndarray]:
    """y, h and c of the runtime."""
    cell, weights = parts(case)
    keywords = {name: case.keywords[name] for name in ("mask", "reverse", "input_mask", "recurrent_mask", "last_only")}
    state = case.h if case.c is None else (case.h, case.c)
    y, after = forward.scan(cell, weights, case.x, state, **keywords)
    return [y, *after] if isinstance(after, tuple) else [y, after]


def noise(case: Case) -> tuple[list[np.ndarray], list[float]]:
    """What is right, and how far the readable float32 engine is from it."""
    # The twin has no prelu; torch in float64 has.
    true = [t.detach().numpy() for t in case.call(reference_scan)[0]] if _prelu(case) else case.twin()
    single = [t.detach().numpy() for t in case.call(reference_scan, torch.float32)[0]]
    return true, [distance(one, exact) for one, exact in zip(single, true, strict=True)]


def distance(one: np.ndarray, exact: np.ndarray) -> float:
    """The largest difference relative to the largest number; small ones are what is left of numbers of about 1."""
    return float(np.abs(one - exact).max() / max(np.abs(exact).max(), 0.05))


def _prelu(case: Case) -> bool:
    return case.cell.activation == "prelu"


def compare(case: Case) -> None:
    """Off by no more than twice the readable engine's rounding, and eight last places."""
    true, noises = noise(case)
    for ours, exact, rounding in zip(run(case), true, noises, strict=True):
        assert ours.shape == exact.shape
        assert ours.dtype == np.float32
        assert distance(ours, exact) <= 2 * rounding + 4 * FEW_PLACES


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(12))
def test_every_option(native: bool, kind: str, seed: int) -> None:
    with engine(native):
        compare(case_of(seed, kind))


@pytest.mark.deep
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(12, 212))
def test_every_option_at_length(kind: str, seed: int) -> None:
    for native in (True, False):
        with engine(native):
            compare(case_of(seed, kind))


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_streams(native: bool, kind: str, seed: int) -> None:
    """Step by step the same as all at once, without masks."""
    case = case_of(seed, kind, mask=None, reverse=False, input_mask=None, recurrent_mask=None, last_only=False)
    true, noises = noise(case)
    with engine(native):
        stream = forward.RecurrentStream([parts(case)], len(case.x))
        assert stream.backend == ("native" if native and not _prelu(case) else "numpy")
        stream.restore(case.h[None] if case.c is None else (case.h[None], case.c[None]))
        ours = np.stack([stream.step(case.x[:, t].astype(np.float32)).copy() for t in range(case.x.shape[1])], axis=1)
    assert distance(ours, true[0]) <= 2 * noises[0] + 4 * FEW_PLACES


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mistake", ["mask", "reverse", "weights"])
def test_a_mistake_is_found(kind: str, mistake: str) -> None:
    case = case_of(3, kind, mask=np.array([[True, False, True]] * 2), x=_steps(3, kind), last_only=False)
    case = case.but(h=np.ones((2, case.h.shape[1])), input_mask=None, recurrent_mask=None, reverse=False)
    case = case.but(c=None if case.c is None else np.ones((2, case.c.shape[1])))
    wrong = {
        "mask": lambda: case.but(mask=None),
        "reverse": lambda: case.but(reverse=True),
        "weights": lambda: case.but(weights={**case.weights, "w_h": -case.weights["w_h"]}),
    }[mistake]()
    true, noises = noise(case)
    compare(case)
    assert distance(run(wrong)[0], true[0]) > 2 * noises[0] + 4 * FEW_PLACES


def _steps(seed: int, kind: str) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(2, 3, random_case(seed, kind).x.shape[2]))


@pytest.mark.parametrize("native", [True, False])
def test_nothing_to_run(native: bool) -> None:
    """No steps, no rows: the state as it was, arrays of their own."""
    cell, weights = parts(case_of(1, "gru", input_mask=None, recurrent_mask=None))
    h = np.ones((2, weights.width), np.float32)
    with engine(native):
        y, after = forward.scan(cell, weights, np.zeros((2, 0, weights.inputs)), h)
        assert (y.shape, np.shares_memory(after, h)) == ((2, 0, weights.width), False)
        assert np.array_equal(after, h)
        assert forward.scan(cell, weights, np.zeros((0, 3, weights.inputs)), h[:0])[0].shape == (0, 3, weights.width)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": np.zeros((2, 3, 99))}, "x: expected the shape"),
        ({"state": np.zeros((2, 99))}, "state h: expected the shape"),
        ({"state": (np.zeros((2, 2)),) * 2}, "expected one array for a gru cell"),
        ({"mask": np.zeros((2, 3))}, "mask: expected bool of shape"),
        ({"x": np.array([[["a"]]])}, "real numbers"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], words: str) -> None:
    cell, weights = parts(case_of(1, "gru"))
    given = {"x": np.zeros((2, 3, weights.inputs)), "state": np.zeros((2, weights.width)), **changes}
    with pytest.raises(SettingError, match=words):
        forward.scan(cell, weights, given.pop("x"), given.pop("state"), **given)
