"""The bits of a result hang on its row alone: not on the rows beside it, the threads, or who else asks."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from forward_twins import arrays_of, draw, engine, mask_of, randomised, same

from seqloom.tasks.networks import BodySpec, build_body
from seqloom_runtime import forward
from seqloom_runtime.errors import FormatError, SettingError

SIZES = [
    (1, 64, 24),
    (33, 120, 24),
    (5, 1500, 40),
    (70, 2100, 9),
    (3, 7, 300),
    (200, 30, 64),
    (300, 900, 84),
    (40, 150, 51),
]


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(("rows", "inputs", "outputs"), SIZES)
def test_a_product_is_that_of_each_row(native: bool, rows: int, inputs: int, outputs: int, one_thread: None) -> None:
    x, matrix = draw(rows, inputs), forward.Matrix(draw(outputs, inputs, seed=1))
    with engine(native):
        whole = matrix.of(x)
        np.testing.assert_allclose(whole, x @ matrix.weight.T, atol=2e-5 * inputs**0.5)
        for first, last in ((0, 1), (rows // 2, rows), (rows - 1, rows)):
            assert np.array_equal(matrix.of(x[first:last]), whole[first:last])
        if native:
            torch.set_num_threads(2)
            assert np.array_equal(matrix.of(x), whole)


@pytest.mark.parametrize("activation", [None, "prelu"])
def test_threads_change_no_bit_of_a_body(activation: str | None, one_thread: None) -> None:
    spec = BodySpec("lstm", 5, units=33, layers=2, bidirectional=True, pooling="attention", activation=activation)
    module = randomised(build_body(spec, 1), 1)
    body = forward.build_body(spec, arrays_of(module))
    x, mask = draw(37, 12, 5), mask_of(37, 12, "front")
    whole = body.summary(x, mask)
    torch.set_num_threads(2)
    assert np.array_equal(body.summary(x, mask), whole)
    assert mask is not None
    assert np.array_equal(body.summary(x[3:9], mask[3:9]), whole[3:9])


@pytest.mark.parametrize("native", [True, False])
def test_one_model_and_several_threads(native: bool, one_thread: None) -> None:
    spec = BodySpec("gru", 3, units=16, layers=2)
    body = forward.build_body(spec, arrays_of(randomised(build_body(spec, 1), 1)))
    rows = [draw(1, 40, 3, seed=seed) for seed in range(8)]

    def run(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        stream = body.stream()
        return body.steps(x)[0], np.stack([stream.step(one).copy() for one in x[0]])

    with engine(native):
        expected = [run(x) for x in rows]
        with ThreadPoolExecutor(4) as pool:
            for (steps, streamed), (own, other) in zip(pool.map(run, rows), expected):
                assert np.array_equal(steps, own)
                assert np.array_equal(streamed, other)
                if native:
                    assert np.array_equal(steps, streamed)


def test_a_step_allocates_nothing() -> None:
    spec = BodySpec("gru", 3, units=16)
    stream = forward.build_body(spec, arrays_of(randomised(build_body(spec, 1), 1))).stream(4)
    x, out = draw(4, 3), np.empty((4, 16), dtype=np.float32)
    assert stream.step(x, out) is out
    assert stream.step(x) is stream.step(x)
    for wrong in (draw(4, 2), draw(3, 3)):
        with pytest.raises(SettingError, match="x of a step"):
            stream.step(wrong)


def test_swapped_gates_are_found() -> None:
    """The comparison sees a mistake: two blocks of gates in the wrong order, a mask that is left out."""
    spec = BodySpec("lstm", 4, units=6)
    module: Any = randomised(build_body(spec, 5), 5)
    swapped = copy.deepcopy(module)
    with torch.no_grad():
        w = swapped.recurrent.cells[0].w_x
        w.copy_(torch.cat([w[:, 6:12], w[:, :6], w[:, 12:]], dim=1))
    x, mask = draw(3, 9, 4), mask_of(3, 9, "any")
    for arrays, given in ((arrays_of(swapped), mask), (arrays_of(module), None)):
        ours = forward.build_body(spec, arrays).steps(x, given)
        with pytest.raises(AssertionError):
            same(ours, module, lambda m, *inputs: m.steps(*inputs), x, mask)


def test_arrays_that_do_not_fit_are_named() -> None:
    spec = BodySpec("gru", 3, units=2)
    arrays = arrays_of(build_body(spec, 1), "body.")
    for change, words in (
        ({"body.recurrent.cells.0.w_h": draw(2, 5)}, "expected 'body.recurrent.cells.0.w_h' of shape"),
        ({"body.recurrent.cells.0.bias": np.full(6, np.nan, np.float32)}, "NaN"),
        ({"body.recurrent.cells.0.bias": np.zeros(6)}, "float64"),
    ):
        with pytest.raises(FormatError, match=words):
            forward.build_body(spec, {**arrays, **change}, "body.")
    with pytest.raises(FormatError, match="no arrays of 1000000000000 layers"):
        forward.build_body(replace(spec, layers=10**12).to_json(), arrays, "body.")
    seen = forward.Arrays({**arrays, "body.more": draw(1)})
    forward.build_body(spec, seen, "body.")
    with pytest.raises(FormatError, match=r"'body\.more' belongs to nothing"):
        seen.finish()
