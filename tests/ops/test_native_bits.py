"""Bits of the compiled scan: any number of threads, any instruction set, rows in any order, steps that come later."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest
import torch

from oracles.engine_checks import (
    ISAS,
    assert_same_bits,
    check_error_rule_with,
    check_instruction_sets,
    check_own_threads_and_torch_s,
)
from oracles.native_cases import native_case, run
from oracles.recurrent_cases import Case, random_case
from seqloom.ops.cell import Cell
from seqloom.ops.kinds import KINDS
from seqloom.ops.scan import scan
from seqloom_runtime import native

pytestmark = [
    pytest.mark.skipif(native.module() is None, reason="this installation has no native module"),
    pytest.mark.usefixtures("one_thread"),
]

native_scan = functools.partial(scan, backend="native")
# B, T, I, H: one tile and several, weight gradients inside the loop and after it (large H), more tiles than strands.
SIZES = [(3, 4, 2, 5), (33, 9, 3, 16), (70, 5, 17, 33), (530, 2, 3, 7), (40, 3, 40, 260)]
CELLS = [
    Cell("elman", zoneout=0.3),
    Cell("jordan"),
    Cell("lstm"),
    Cell("lstm", layer_norm=True, peephole=True, projection=9, zoneout_cell=0.2, candidate_dropout=0.3),
    Cell("gru"),
    Cell("gru", reset_after=False, candidate_dropout=0.2),
]


def sized_case(cell: Cell, sizes: tuple[int, int, int, int]) -> Case:
    """A call with one mask each, that trains and gives every output."""
    case = random_case(7, cell=cell, sizes=sizes)
    rng = np.random.default_rng(8)
    batch, steps, inputs, _ = sizes
    weights = {name: w / max(1.0, np.sqrt(w.shape[0]) / 2) for name, w in case.weights.items()}
    return dataclasses.replace(case, weights=weights).but(
        mask=rng.random((batch, steps)) < 0.8,
        input_mask=(rng.random((batch, inputs)) < 0.7) / 0.7,
        recurrent_mask=(rng.random(case.h.shape) < 0.7) / 0.7,
        training=True,
        last_only=False,
    )


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.kind}-{cell.reset_after}-{cell.layer_norm}")
def test_any_number_of_threads(cell: Cell, sizes):
    case = sized_case(cell, sizes)
    expected = run(case, native_scan)
    assert all(np.isfinite(value).all() for value in expected.values())
    for threads in (2, 3):
        torch.set_num_threads(threads)
        assert_same_bits(run(case, native_scan), expected)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.kind}-{cell.reset_after}-{cell.layer_norm}")
def test_own_threads_and_torch_s(cell: Cell):
    assert check_own_threads_and_torch_s(lambda: run(sized_case(cell, SIZES[2]), native_scan)) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("isa", ISAS)
def test_error_rule_on_every_instruction_set(isa: str):
    check_error_rule_with(isa, "test_native_parity.py", "-k", "error_rule and not twin or whole_range")


def test_instruction_sets_agree_to_rounding():
    check_instruction_sets(lambda: run(sized_case(Cell("lstm"), SIZES[2]), native_scan), "y")


@pytest.mark.parametrize("kind", KINDS)
def test_rows_in_any_order(kind: str):
    """A row's result does not depend on its neighbours or on its place in a tile."""
    case = sized_case(Cell(kind), SIZES[2])
    order = np.random.default_rng(1).permutation(case.x.shape[0])
    names = ("mask", "input_mask", "recurrent_mask")
    c = None if case.c is None else case.c[order]
    moved = dataclasses.replace(case, x=case.x[order], h=case.h[order], c=c)
    moved = moved.but(**{name: case.keywords[name][order] for name in names})
    with torch.no_grad():
        (y, *_), (y_moved, *_) = case.call(native_scan, torch.float32)[0], moved.call(native_scan, torch.float32)[0]
    assert torch.equal(y[torch.from_numpy(order)], y_moved)
    alone = dataclasses.replace(case, x=case.x[5:6], h=case.h[5:6], c=None if case.c is None else case.c[5:6])
    alone = alone.but(**{name: case.keywords[name][5:6] for name in names})
    assert torch.equal(alone.call(native_scan, torch.float32)[0][0], y[5:6])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.kind}-{cell.reset_after}-{cell.layer_norm}")
def test_nothing_of_later_steps(cell: Cell, reverse: bool):
    case = sized_case(cell, (5, 9, 4, 17)).but(reverse=reverse)
    changed = case.x.copy()
    later = slice(0, 4) if reverse else slice(5, 9)
    earlier = slice(4, 9) if reverse else slice(0, 5)
    changed[:, later] += 100.0
    expected = case.call(native_scan, torch.float32)[0][0]
    found = dataclasses.replace(case, x=changed).call(native_scan, torch.float32)[0][0]
    assert torch.equal(found[:, earlier], expected[:, earlier])
    assert not torch.equal(found[:, later], expected[:, later])


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.kind}-{cell.reset_after}-{cell.layer_norm}")
def test_a_mask_is_a_shorter_call(cell: Cell):
    """Padding on the right, masked, full of NaN: outputs, final states and gradients of the sequence cut short."""
    case = sized_case(cell, (6, 7, 3, 18)).but(mask=None)
    longer = np.concatenate([case.x, np.full((6, 4, 3), np.nan)], axis=1)
    mask = np.arange(11)[None] < np.full((6, 1), 7)
    padded = dataclasses.replace(case, x=longer, keywords={**case.keywords, "mask": mask})

    def results(one: Case) -> list[Any]:
        outputs, leaves = one.call(native_scan, torch.float32)
        grads = torch.autograd.grad([o.square().sum() for o in outputs[1:]], leaves)
        return [*outputs, *grads]

    for k, (found, expected) in enumerate(zip(results(padded.but(reverse=False)), results(case.but(reverse=False)))):
        cut = found[:, :7] if found.dim() == 3 else found
        if k < 4:
            assert torch.equal(cut, expected)
        torch.testing.assert_close(cut, expected, rtol=1e-5, atol=1e-5)


def test_the_same_call_twice_gives_the_same_bits():
    case = native_case(98)
    assert_same_bits(run(case, native_scan), run(case, native_scan))
