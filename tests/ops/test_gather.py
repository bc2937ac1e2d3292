"""The window gather: against a loop per value, the native twin bit by bit, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import BackendError, DataError, SettingError
from seqloom_runtime import native
from seqloom_runtime.gather import gather_windows

needs_native = pytest.mark.skipif(native.module() is None, reason="seqloom was installed without its native module")


def by_loop(matrix: np.ndarray, origins: np.ndarray, first: int, length: int, every: int) -> np.ndarray:
    out = np.full((len(origins), length, matrix.shape[1]), np.nan, dtype=np.float32)
    for n, origin in enumerate(origins):
        for step in range(length):
            for column in range(matrix.shape[1]):
                out[n, step, column] = np.float32(matrix[origin + first + step * every, column])
    return out


@st.composite
def gathers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int, int, int]:
    length, every = draw(st.integers(0, 6)), draw(st.integers(1, 4))
    first = draw(st.integers(-12, 6))
    reach = max(length - 1, 0) * every
    rows = reach + draw(st.integers(1, 20))
    columns = draw(st.integers(0, 5))
    kind = draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    matrix = rng.standard_normal((rows, columns)).astype(kind)
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    origins = rng.integers(0, rows - reach, draw(st.integers(0, 8))) - first
    return matrix, origins, first, length, every


@given(gathers())
def test_equals_a_loop_over_every_value(case: tuple[np.ndarray, np.ndarray, int, int, int]) -> None:
    expected = by_loop(*case)
    assert gather_windows(*case, backend="numpy").tobytes() == expected.tobytes()
    assert gather_windows(*case).tobytes() == expected.tobytes()


@needs_native
@given(gathers())
def test_native_bits_are_those_of_numpy(case: tuple[np.ndarray, np.ndarray, int, int, int]) -> None:
    matrix, origins, first, length, every = case
    matrix = matrix.astype(np.float32)
    found = gather_windows(matrix, origins, first, length, every, backend="native")
    assert found.tobytes() == by_loop(matrix, origins, first, length, every).tobytes()


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_fills_the_given_array(backend: str) -> None:
    matrix = np.random.default_rng(0).standard_normal((9, 2)).astype(np.float32)
    out = np.full((2, 3, 2), 7, dtype=np.float32)
    result = gather_windows(matrix, np.array([4, 8]), -4, 3, 2, out, backend=backend)
    assert result is out
    assert out[0].tolist() == matrix[[0, 2, 4]].tolist()
    assert out[1].tolist() == matrix[[4, 6, 8]].tolist()


def test_strided_and_fortran_matrices_and_small_integers() -> None:
    whole = np.random.default_rng(1).standard_normal((20, 6)).astype(np.float32)
    for matrix in (whole[::2, ::3], np.asfortranarray(whole), whole[::-1]):
        found = gather_windows(matrix, np.array([3, 5], dtype=np.int16), -2, 2, 1)
        assert found.tobytes() == by_loop(matrix, np.array([3, 5]), -2, 2, 1).tobytes()


@needs_native
@pytest.mark.parametrize("matrix", [np.zeros((9, 4), np.float32)[:, ::2], np.zeros((9, 4))])
def test_native_by_name_refuses_what_it_cannot_read(matrix: np.ndarray) -> None:
    with pytest.raises(BackendError, match="contiguous float32"):
        gather_windows(matrix, np.array([3]), -2, 2, 1, backend="native")


@pytest.mark.parametrize("backend", ["numpy", "auto"])
@pytest.mark.parametrize(("origins", "text"), [([1, 4], "row -1 to row 5"), ([3, 9], "row 1 to row 10")])
def test_refuses_windows_outside_the_matrix(backend: str, origins: list[int], text: str) -> None:
    with pytest.raises(DataError, match=f"{text}, but the matrix has rows 0 to 9"):
        gather_windows(np.zeros((10, 1), np.float32), np.array(origins), -2, 4, 1, backend=backend)


def test_refuses_wrong_shapes_and_types() -> None:
    matrix, origins = np.zeros((10, 2), np.float32), np.array([5])
    with pytest.raises(SettingError, match=r"matrix: .*int64 of shape \(3,\)"):
        gather_windows(np.arange(3), origins, 0, 1, 1)
    with pytest.raises(SettingError, match=r"origins: .*float64"):
        gather_windows(matrix, np.array([1.0]), 0, 1, 1)
    with pytest.raises(SettingError, match="every=0"):
        gather_windows(matrix, origins, 0, 1, 0)
    with pytest.raises(SettingError, match="length=-1"):
        gather_windows(matrix, origins, 0, -1, 1)
    with pytest.raises(SettingError, match=r"out: .*\(1, 2, 2\), got float64"):
        gather_windows(matrix, origins, 0, 2, 1, np.empty((1, 2, 2)))
    with pytest.raises(SettingError, match="overlaps"):
        gather_windows(matrix, origins, 0, 2, 1, matrix[:2].reshape(1, 2, 2))
    with pytest.raises(SettingError, match="'fortran'"):
        gather_windows(matrix, origins, 0, 1, 1, backend="fortran")


def test_native_by_name_without_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQLOOM_NATIVE", "0")
    matrix = np.arange(4, dtype=np.float32)[:, None]
    with pytest.raises(BackendError, match="without its native module"):
        gather_windows(matrix, np.array([2]), -1, 2, 1, backend="native")
    assert gather_windows(matrix, np.array([2]), -1, 2, 1).ravel().tolist() == [1, 2]


@needs_native
def test_auto_uses_the_native_module(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    class Fake:
        def gather_windows(self, matrix: np.ndarray, *rest: object) -> None:
            calls.append(rest)

    monkeypatch.setattr(native, "module", Fake)
    gather_windows(np.zeros((4, 1), np.float32), np.array([2]), -1, 2, 1)
    gather_windows(np.zeros((4, 1), np.float64), np.array([2]), -1, 2, 1)
    assert len(calls) == 1
