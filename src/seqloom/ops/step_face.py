"""`StepFace`: what a step of any stream takes and gives: arrays, tensors or numbers in, a kept buffer or `out` back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqloom.ops.operators import dense, plain
from seqloom_runtime.errors import SettingError

__all__ = ["StepFace", "check_batch_size", "to_array"]


class StepFace:
    """The outside of a stream of B rows, I inputs, S outputs; its core does the sums on plain arrays.

    A subclass fills `_fast`, the compiled step or None, and writes `_slow(x, y)` for x (B, I) and y (B, S).
    """

    def __init__(self, batch_size: int, input_size: int, output_size: int, dtype: np.dtype):
        """Make the buffers that a step without `out` returns."""
        self.batch_size, self.input_size, self.output_size, self.dtype = batch_size, input_size, output_size, dtype
        self._y = np.zeros((batch_size, output_size), dtype=dtype)
        self._row = self._y[0]
        # Made once, on the same memory: handing an array over to torch in each step would take microseconds.
        self._tensors = (torch.from_numpy(self._y), torch.from_numpy(self._row))
        self._x = np.zeros((batch_size, input_size), dtype=dtype)
        self._fast: Any = None

    def step(self, x: Any, out: Any = None) -> Any:
        """Take the inputs of one step and return the module's output for it.

        x: (B, I), or (I,) for a batch of 1, which returns (S,); an array, a torch tensor or numbers. NumPy in the
        weights' type is the fast road; a tensor returns a tensor without gradient. out: an array (a tensor where x is
        one) of the result's shape and the weights' type to write to. Without it the result is a buffer of the stream
        that the next step writes over: copy what must last. Raises SettingError where a shape or type doesn't fit.
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
        tensor = isinstance(x, Tensor)
        given = to_array(x)
        if tensor and out is None and self._fast is not None:
            y = self._fast(given, None)
            if y is not None:
                return self._tensors[y is self._row]
        flat = given.ndim == 1 and self.batch_size == 1
        if given.shape != ((self.input_size,) if flat else self._x.shape):
            also = f" or ({self.input_size},)" if self.batch_size == 1 else ""
            raise SettingError(f"x of a step must have shape {self._x.shape}{also}, not {given.shape}.")
        # Floats, whole numbers, bool.
        if given.dtype.kind not in "fiub":
            raise SettingError(f"x of a step must hold real numbers, not {given.dtype}.")
        np.copyto(self._x, given, casting="same_kind" if given.dtype.kind == "f" else "unsafe")
        target = None if out is None else self._target(out, tensor, flat)
        if self._fast is None:
            self._slow(self._x, self._y)
        else:
            self._fast(self._x, None)
        if target is not None:
            # After the step, so that out may be the memory of x.
            np.copyto(target, self._row if flat else self._y)
            return out
        if tensor:
            return self._tensors[flat]
        return self._row if flat else self._y

    def _target(self, out: Any, tensor: bool, flat: bool) -> np.ndarray:
        """`out` as an array to write to; raises unless it is what a step can fill."""
        kind = Tensor if tensor else np.ndarray
        if not isinstance(out, kind):
            wanted = "a torch tensor like x" if tensor else "a NumPy array"
            raise SettingError(f"out must be {wanted}, not {type(out).__name__}.")
        if isinstance(out, Tensor) and (out.requires_grad or out.device.type != "cpu"):
            raise SettingError("out must be a CPU tensor that needs no gradient.")
        target = out.numpy() if isinstance(out, Tensor) else out
        shape = self._row.shape if flat else self._y.shape
        if target.shape != shape or target.dtype != self.dtype or not target.flags.writeable:
            raise SettingError(
                f"out must be a writeable {self.dtype} array of shape {shape}, not {target.dtype} of {target.shape}."
            )
        return target


def to_array(value: Any) -> np.ndarray:
    """A NumPy view of an array, a tensor or numbers."""
    if isinstance(value, Tensor):
        try:
            return value.detach().cpu().numpy() if value.requires_grad or not value.is_cpu else value.numpy()
        except (RuntimeError, TypeError, NotImplementedError):
            return _odd_to_array(value)
    try:
        return np.asarray(value)
    except ValueError as error:
        raise SettingError(f"expected an array, got {type(value).__name__} that is none: {error}.") from None


def _odd_to_array(value: Tensor) -> np.ndarray:
    """A tensor that NumPy can't look at as it is: promised signs and zeros are worked out, the rest is refused."""
    if (other := dense(value)) is not None:
        raise SettingError(f"expected a dense tensor, not {other}.")
    # NumPy has no bfloat16, and a meta tensor has no numbers.
    if value.device.type == "meta" or value.dtype == torch.bfloat16:
        raise SettingError(f"expected a tensor of numbers that NumPy has, not {value.dtype} on {value.device}.")
    return plain(value.detach()).cpu().numpy()


def check_batch_size(value: Any) -> None:
    """Raise SettingError unless it is a whole number, 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SettingError(f"batch_size must be a whole number, 1 or more, not {value!r}.")
