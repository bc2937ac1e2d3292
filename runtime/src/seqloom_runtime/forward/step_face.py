"""`StepFace`: what a step of any stream takes and gives: an array or numbers in, a kept buffer or `out` back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import SettingError

__all__ = ["StepFace", "check_batch_size", "to_array"]


class StepFace:
    """The outside of a stream of B rows, I inputs, S outputs; its core does the sums on plain arrays.

    A subclass fills `_fast`, the compiled step or None, and writes `_slow(x, y)` for x (B, I) and y (B, S).
    """

    def __init__(self, batch_size: int, input_size: int, output_size: int) -> None:
        """Make the buffers that a step without `out` returns."""
        check_batch_size(batch_size)
        self.batch_size, self.input_size, self.output_size = batch_size, input_size, output_size
        self._y = np.zeros((batch_size, output_size), dtype=np.float32)
        self._row = self._y[0]
        self._x = np.zeros((batch_size, input_size), dtype=np.float32)
        self._fast: Any = None

    def step(self, x: Any, out: np.ndarray | None = None) -> np.ndarray:
        """Take the inputs of one step and return the outputs for it.

        x: (B, I), or (I,) for a batch of 1, which returns (S,); float32 arrays are the fast road. out: a float32 array
        of the result's shape to write to. Without it the result is a buffer of the stream that the next step writes
        over: copy what must last. Raises SettingError where a shape or type doesn't fit.
        """
        # First, without a look at the arguments: the compiled step checks the plain case itself in less time.
        if self._fast is not None:
            y = self._fast(x, out)  # None where x or out is anything but the plain case
            if y is not None:
                return y
        return self._any(x, out)

    def _slow(self, x: np.ndarray, y: np.ndarray) -> None:
        """One step of the core that is not compiled."""
        raise NotImplementedError

    def _any(self, x: Any, out: Any) -> np.ndarray:
        """A step with any kind of argument."""
        given = to_array(x)
        flat = given.ndim == 1 and self.batch_size == 1
        if given.shape != ((self.input_size,) if flat else self._x.shape):
            also = f" or ({self.input_size},)" if self.batch_size == 1 else ""
            raise SettingError(f"x of a step: expected the shape {self._x.shape}{also}, got {given.shape}.")
        # Floats, whole numbers, bool.
        if given.dtype.kind not in "fiub":
            raise SettingError(f"x of a step: expected real numbers, got {given.dtype}.")
        np.copyto(self._x, given, casting="same_kind" if given.dtype.kind == "f" else "unsafe")
        if out is not None:
            shape = self._row.shape if flat else self._y.shape
            good = isinstance(out, np.ndarray) and out.shape == shape and out.dtype == np.float32
            if not good or not out.flags.writeable:
                got = f"{out.dtype} of {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
                raise SettingError(f"out: expected a writeable float32 array of shape {shape}, got {got}.")
        if self._fast is None:
            self._slow(self._x, self._y)
        else:
            self._fast(self._x, None)
        if out is not None:
            # After the step, so that out may be the memory of x.
            np.copyto(out, self._row if flat else self._y)
            return out
        return self._row if flat else self._y


def to_array(value: Any) -> np.ndarray:
    """An array of an array or numbers; raises SettingError for what is none."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise SettingError(f"expected an array, got {type(value).__name__} that is none: {error}.") from None


def check_batch_size(value: Any) -> None:
    """Raise SettingError unless it is a whole number, 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SettingError(f"batch_size: expected a whole number of at least 1, got {value!r}.")
