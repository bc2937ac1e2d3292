"""Windows cut out of a matrix of rows: the readable NumPy version and the dispatch to its native twin."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import native
from .errors import BackendError, DataError, SettingError

__all__ = ["gather_windows", "gather_windows_numpy"]


def gather_windows(
    matrix: np.ndarray,
    origins: np.ndarray,
    offsets_first: int,
    length: int,
    every: int,
    out: np.ndarray | None = None,
    *,
    backend: str = "auto",
) -> np.ndarray:
    """out[n, l, c] = matrix[origins[n] + offsets_first + l·every, c], (N, length, C) float32.

    matrix: (R, C) float32 or float64, which is rounded to float32. origins: (N,) integers. `out`, where given, is
    filled and returned: C-contiguous float32 of that shape. backend: "auto", "native" or "numpy"; the bits are the
    same. Raises DataError where a window leaves the matrix, SettingError for a wrong shape or type, BackendError where
    the native module was asked for and isn't there or the matrix isn't contiguous float32.

    >>> rows = np.arange(10, dtype=np.float32)[:, None]
    >>> gather_windows(rows, np.array([4, 9]), -4, 3, 2)[:, :, 0]
    array([[0., 2., 4.],
           [5., 7., 9.]], dtype=float32)
    """
    origins = _check(matrix, origins, offsets_first, length, every)
    shape = (len(origins), length, matrix.shape[1])
    if out is None:
        out = np.empty(shape, dtype=np.float32)
    elif out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous or not out.flags.writeable:
        raise SettingError(
            f"out: expected a writeable C-contiguous float32 array of shape {shape}, got {out.dtype} of {out.shape}."
        )
    # Rows would be written over before later windows have read them.
    if np.may_share_memory(out, matrix):
        raise SettingError("out: expected memory of its own, got an array that overlaps the matrix.")
    kernel = _kernel(matrix, backend)
    if kernel is None:
        return gather_windows_numpy(matrix, origins, offsets_first, length, every, out)
    kernel(matrix, origins, int(offsets_first), int(length), int(every), out, native.threads())
    return out


def gather_windows_numpy(
    matrix: np.ndarray, origins: np.ndarray, offsets_first: int, length: int, every: int, out: np.ndarray
) -> np.ndarray:
    """The reference: the rows of all windows are listed, then taken at once; nothing is checked."""
    rows = origins[:, None] + offsets_first + every * np.arange(length)
    if matrix.dtype == np.float32:
        return np.take(matrix, rows, axis=0, out=out, mode="clip")  # the default mode would copy `out` first
    # Rounding after the gather touches the rows that are used, not the whole matrix.
    out[...] = np.take(matrix, rows, axis=0)
    return out


def _check(matrix: np.ndarray, origins: np.ndarray, first: int, length: int, every: int) -> np.ndarray:
    if matrix.ndim != 2 or matrix.dtype not in (np.float32, np.float64):
        raise SettingError(
            f"matrix: expected (rows, columns) of float32 or float64, got {matrix.dtype} of shape {matrix.shape}."
        )
    origins = np.asarray(origins)
    if origins.ndim != 1 or origins.dtype.kind not in "iu":
        raise SettingError(f"origins: expected row numbers in one axis, got {origins.dtype} of shape {origins.shape}.")
    if length < 0 or every < 1:
        raise SettingError(f"Expected length >= 0 and every >= 1, got length={length} and every={every}.")
    if len(origins) and length:
        # Checked once here, in Python's numbers that can't overflow: the kernel reads without looking.
        low, high = int(origins.min()) + first, int(origins.max()) + first + (length - 1) * every
        if low < 0 or high >= len(matrix):
            raise DataError(
                f"Windows reach from row {low} to row {high}, but the matrix has rows 0 to {len(matrix) - 1}."
            )
    return np.ascontiguousarray(origins, dtype=np.int64)


def _kernel(matrix: np.ndarray, backend: str) -> Any:
    if backend not in ("auto", "native", "numpy"):
        raise SettingError(f"backend: expected 'auto', 'native' or 'numpy', got {backend!r}.")
    if backend == "numpy":
        return None
    kernel = getattr(native.module(), "gather_windows", None)
    suits = matrix.dtype == np.float32 and matrix.flags.c_contiguous
    if backend == "native" and (kernel is None or not suits):
        why = "it was installed without its native module" if kernel is None else "it takes C-contiguous float32 only"
        raise BackendError(f"backend: the native gather can't be used, as {why}; use backend='auto'.")
    return kernel if suits else None
