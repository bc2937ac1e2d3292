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

    def __init__(self, batch_size: int, input_size: int, output_size: int, dtype: Any = np.float32) -> None:
        """Make the buffers that a step without `out` returns; dtype: of the weights."""
        check_batch_size(batch_size)
        self.batch_size, self.input_size, self.output_size = batch_size, input_size, output_size
        self.dtype = np.dtype(dtype)
        self._y = np.zeros((batch_size, output_size), dtype=self.dtype)
        self._row = self._y[0]
        self._x = np.zeros((batch_size, input_size), dtype=self.dtype)
        self._fast: Any = None

    def step(self, x: Any, out: Any = None) -> Any:
        """Take the inputs of one step and return the outputs for it.

        x: (B, I), or (I,) for a batch of 1, which returns (S,); an array or numbers, of which arrays in the weights'
        type are the fast road. out: an array of the result's shape and that type to write to. Without it the result is
        a buffer of the stream that the next step writes over: copy what must last. Raises SettingError where a shape or
        type doesn't fit.
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

    def _any(self, x: Any, out: Any) -> Any:
        """A step with any kind of argument."""
        if out is not None and not isinstance(out, np.ndarray):
            raise SettingError(f"out must be a NumPy array, not {type(out).__name__}.")
        return self._plain(to_array(x), out)

    def _plain(self, given: np.ndarray, out: np.ndarray | None) -> np.ndarray:
        """A step with arrays of any shape and type."""
        flat = given.ndim == 1 and self.batch_size == 1
        if given.shape != ((self.input_size,) if flat else self._x.shape):
            also = f" or ({self.input_size},)" if self.batch_size == 1 else ""
            raise SettingError(f"x of a step must have shape {self._x.shape}{also}, not {given.shape}.")
        # Floats, whole numbers, bool.
        if given.dtype.kind not in "fiub":
            raise SettingError(f"x of a step must hold real numbers, not {given.dtype}.")
        np.copyto(self._x, given, casting="same_kind" if given.dtype.kind == "f" else "unsafe")
        shape = self._row.shape if flat else self._y.shape
        if out is not None and (out.shape != shape or out.dtype != self.dtype or not out.flags.writeable):
            raise SettingError(
                f"out must be a writeable {self.dtype} array of shape {shape}, not {out.dtype} of {out.shape}."
            )
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
        raise SettingError(f"batch_size must be a whole number, 1 or more, not {value!r}.")
