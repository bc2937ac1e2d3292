"""Products of rows with a matrix whose bits hang on nothing but the row: `product`, and `Linear`, a layer of it.

What was measured (NumPy 2.4 with OpenBLAS): the bits of a row of `x @ w` change with the number of rows beside it, with
its place among them and, for large matrices, with the number of threads; in blocks of eight rows they didn't. The
compiled convolution of one tap adds up each number in the order of the inputs, whatever stands beside it, at about the
same speed. So it makes the products where it is there, and NumPy in blocks of eight rows where it isn't.
"""

from __future__ import annotations

import numpy as np

from ..errors import SettingError
from .arrays import Arrays
from .engine import address, module, threads

__all__ = ["Linear", "Matrix", "product"]

# Inputs that are added up at once: over longer sums float32 loses more digits than it has to. The kernel cuts sums of
# more than 128 or 192 by how wide its panels are; of these lengths, and of those that `_cuts` leaves, it cuts alike.
_DEPTH, _EVEN, _ODD = 256, 128, 192
_ROWS = 8  # of a block without the compiled module


class Matrix:
    """A matrix (O, I) for `product`, cut once into the parts whose sums are added.

    >>> Matrix(np.ones((2, 3), dtype=np.float32)).of(np.ones((4, 3), dtype=np.float32)).tolist()[0]
    [3.0, 3.0]
    """

    def __init__(self, weight: np.ndarray) -> None:
        """weight: (O, I) float32; it is not copied where it is contiguous and I at most 256."""
        self.weight = np.ascontiguousarray(weight, dtype=np.float32)
        self.outputs, self.inputs = self.weight.shape
        self._cuts = _cuts(self.inputs)
        self._parts = [np.ascontiguousarray(self.weight[:, own]) for own in self._cuts]

    def of(self, x: np.ndarray) -> np.ndarray:
        """x (…, I) → x wᵀ (…, O), a new array. Raises SettingError for another number of inputs."""
        if x.shape[-1:] != (self.inputs,):
            raise SettingError(f"x: expected {self.inputs} numbers on the last axis, got the shape {x.shape}.")
        rows = np.ascontiguousarray(x, dtype=np.float32).reshape(-1, self.inputs)
        run = _plain if (core := module()) is None else _compiled(core)
        if not rows.size or not self.outputs:
            return np.zeros((*x.shape[:-1], self.outputs), dtype=np.float32)
        if len(self._parts) == 1:
            y = run(rows, self._parts[0])
        else:
            y = run(np.ascontiguousarray(rows[:, self._cuts[0]]), self._parts[0])
            for own, part in zip(self._cuts[1:], self._parts[1:]):
                y += run(np.ascontiguousarray(rows[:, own]), part)
        return y.reshape(*x.shape[:-1], self.outputs)


def product(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """x (…, I) times weight (O, I) → (…, O), as `Matrix.of`."""
    return Matrix(weight).of(x)


class Linear:
    """o = W f + b over the last axis, as torch's Linear; called with features (…, F) it gives (…, O)."""

    def __init__(self, arrays: Arrays, inputs: int, outputs: int, *, bias: bool = True) -> None:
        """Takes "weight" (O, F) and "bias" (O)."""
        self.matrix = Matrix(arrays.take("weight", outputs, inputs))
        self.bias = arrays.take("bias", outputs) if bias else None
        self.inputs, self.outputs = inputs, outputs

    def __call__(self, x: np.ndarray) -> np.ndarray:
        y = self.matrix.of(x)
        if self.bias is not None:
            y += self.bias
        return y


def _cuts(inputs: int) -> list[slice]:
    """The parts of so many inputs whose sums are added.

    >>> [(cut.start, cut.stop) for cut in _cuts(256 + 150)]
    [(0, 256), (256, 384), (384, 406)]
    """
    found, at = [], 0
    while at < inputs or not found:
        left = inputs - at
        size = _EVEN if _EVEN < left <= _ODD else min(left, _DEPTH)
        found.append(slice(at, at + size))
        at += size
    return found


def _compiled(core: object):
    """The compiled product of rows (N, I) and a matrix (O, I)."""

    def run(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        # It packs one of the two anew in every call, so the smaller one: the sums are the same both ways round.
        swapped = len(w) > len(x)
        a, b = (w, x) if swapped else (x, w)
        y = np.empty((len(a), len(b)), dtype=np.float32)
        # φ and ψ the identity (7), dilation 1, nothing drawn, no residual, nothing saved; one sequence, one tap.
        settings = [7, 7, 1, 0, 0, 0, 0, 0, 1, len(a), a.shape[1], len(b), 1]
        core.conv_forward(settings, 0.0, [address(a), address(b), 0, 0, 0, address(y), 0], threads())  # type: ignore[attr-defined]
        return np.ascontiguousarray(y.T) if swapped else y

    return run


def _plain(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The product in NumPy, in blocks of so many rows that a row's sums hang on it alone."""
    count = len(x)
    blocks = np.zeros((-(-count // _ROWS), _ROWS, x.shape[1]), dtype=np.float32)
    blocks.reshape(-1, x.shape[1])[:count] = x
    return np.matmul(blocks, w.T).reshape(-1, len(w))[:count]
