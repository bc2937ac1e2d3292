"""Steps of word vectors against a float64 twin written from the formulas, its gradients by finite differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from seqloom.errors import BackendError, DataError, SettingError
from seqloom.ops.word_vectors import glove_steps, negative_sampling
from seqloom_runtime import native

HAVE = ["numpy", *(["native"] if hasattr(native.module(), "negative_sampling") else [])]


def sampled_loss(inside: np.ndarray, outside: np.ndarray, read: list[int], targets: list[int]) -> float:
    """−log σ(h·o) of the first target and −log σ(−h·o) of the others: Mikolov et al. 2013, eq. 4."""
    hidden = np.mean([inside[word] for word in read], axis=0)
    scores = np.array([hidden @ outside[word] for word in targets])
    signs = np.array([1.0, *[-1.0] * (len(targets) - 1)])
    return float(np.log1p(np.exp(-signs * scores)).sum())


def pair_loss(word: np.ndarray, context: np.ndarray, i: int, j: int, log: float, weight: float) -> float:
    """Pennington et al. 2014, eq. 8, one term, halved."""
    return 0.5 * weight * (word[i, :-1] @ context[j, :-1] + word[i, -1] + context[j, -1] - log) ** 2


def slopes(loss: Callable[[], float], table: np.ndarray) -> np.ndarray:
    """Central differences of `loss` in every number of `table`."""
    found = np.zeros_like(table)
    for place in np.ndindex(table.shape):
        kept = table[place]
        ends = []
        for side in (1e-5, -1e-5):
            table[place] = kept + side
            ends.append(loss())
        table[place] = kept
        found[place] = (ends[0] - ends[1]) / 2e-5
    return found


@pytest.mark.parametrize("backend", HAVE)
@pytest.mark.parametrize("read", [[4], [0, 2, 5]], ids=["skip-gram", "cbow"])
@pytest.mark.parametrize("size", [3, 19])
def test_a_step_of_negative_sampling_is_its_gradient(backend: str, read: list[int], size: int) -> None:
    random = np.random.default_rng(size)
    inside, outside = random.standard_normal((2, 6, size))
    targets = [1, 3, 0, 5]
    rate = 0.25
    tables = inside.astype(np.float32), outside.astype(np.float32)
    starts, rows = np.array([0, len(read)]), np.array([targets], np.int32)
    loss = negative_sampling(*tables, np.array(read, np.int32), starts, rows, rate, backend=backend)
    assert loss == pytest.approx(sampled_loss(inside, outside, read, targets), rel=1e-5)
    for table, after in zip((inside, outside), tables, strict=True):
        gradient = slopes(lambda: sampled_loss(inside, outside, read, targets), table)
        np.testing.assert_allclose(after, table - rate * gradient, atol=2e-5)


@pytest.mark.parametrize("backend", HAVE)
def test_a_step_of_glove_is_its_gradient_over_the_squares(backend: str) -> None:
    random = np.random.default_rng(1)
    word, context = random.standard_normal((2, 4, 6))
    rate, log, weight = 0.05, 1.5, 0.7
    tables = word.astype(np.float32), context.astype(np.float32)
    squares = np.full((4, 6), 4.0, np.float32), np.full((4, 6), 9.0, np.float32)
    pair = (
        np.array([2], np.int32),
        np.array([1], np.int32),
        np.array([log], np.float32),
        np.array([weight], np.float32),
    )
    loss = glove_steps(*tables, *squares, *pair, rate, backend=backend)
    assert loss == pytest.approx(pair_loss(word, context, 2, 1, log, weight), rel=1e-5)
    for table, after, sums, start in zip((word, context), tables, squares, (4.0, 9.0), strict=True):
        step = rate * slopes(lambda: pair_loss(word, context, 2, 1, log, weight), table)
        np.testing.assert_allclose(after, table - step / np.sqrt(start), atol=2e-5)
        np.testing.assert_allclose(sums, start + step**2, rtol=1e-5)


@pytest.mark.skipif("native" not in HAVE, reason="without the compiled steps")
def test_the_compiled_steps_go_the_way_of_the_readable_ones() -> None:
    random = np.random.default_rng(2)
    words, size, count = 9, 21, 200
    inside, outside = (0.3 * random.standard_normal((2, words, size))).astype(np.float32)
    lengths = random.integers(0, 4, count)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    inputs = random.integers(0, words, starts[-1]).astype(np.int32)
    targets = random.integers(0, words, (count, 4)).astype(np.int32)  # repeated and equal to the right one, too
    found = {}
    for backend in HAVE:
        own = inside.copy(), outside.copy()
        found[backend] = (negative_sampling(*own, inputs, starts, targets, 0.1, backend=backend), *own)
    assert found["native"][0] == pytest.approx(found["numpy"][0], rel=1e-5)
    for ours, theirs in zip(found["native"][1:], found["numpy"][1:], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
    left, right = random.integers(0, words, (2, count)).astype(np.int32)
    logs, weights = random.random((2, count)).astype(np.float32)
    for backend in HAVE:
        own = inside.copy(), outside.copy(), np.ones_like(inside), np.ones_like(inside)
        found[backend] = (glove_steps(*own, left, right, logs, weights, 0.1, backend=backend), *own)
    for ours, theirs in zip(found["native"], found["numpy"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)


def test_what_does_not_fit_is_refused_before_anything_is_written() -> None:
    table = np.ones((3, 2), np.float32)
    one, starts = np.zeros(1, np.int32), np.array([0, 1])
    other = table.copy()
    with pytest.raises(DataError, match="targets: expected rows from 0 to 2, got 3 to 3"):
        negative_sampling(table, other, one, starts, np.array([[3]], np.int32), 0.1)
    with pytest.raises(SettingError, match="starts: expected ascending places"):
        negative_sampling(table, other, one, np.array([0, 2]), np.array([[0]], np.int32), 0.1)
    with pytest.raises(SettingError, match="outside: expected a writeable C-contiguous float32 table"):
        negative_sampling(table, other.T, one, starts, np.array([[0]], np.int32), 0.1)
    with pytest.raises(SettingError, match="four arrays"):
        glove_steps(table, other, table.copy(), table.copy(), one, one, np.ones(2), np.ones(1), 0.1)
    with pytest.raises(SettingError, match="backend: expected"):
        negative_sampling(table, other, one, starts, np.array([[0]], np.int32), 0.1, backend="torch")
    assert (table == 1).all()


def test_without_the_compiled_steps_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQLOOM_NATIVE", "0")
    tables = np.zeros((2, 1, 2), np.float32)
    one = np.zeros((1, 1), np.int32)
    with pytest.raises(BackendError, match="without its native module"):
        negative_sampling(tables[0], tables[1], one[0], np.array([0, 1]), one, 0.1, backend="native")
