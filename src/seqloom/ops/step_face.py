"""`StepFace`: what a step of any stream takes and gives: arrays, tensors or numbers in, a kept buffer or `out` back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqloom.ops.operators import dense, plain
from seqloom_runtime.errors import SettingError
from seqloom_runtime.forward import step_face
from seqloom_runtime.forward.step_face import check_batch_size

__all__ = ["StepFace", "check_batch_size", "to_array"]


class StepFace(step_face.StepFace):
    """The runtime's, which takes torch tensors too: a tensor returns a tensor without gradient, on the same memory.

    out: a tensor where x is one. A subclass fills `_fast`, the compiled step or None, and writes `_slow(x, y)`.
    """

    def __init__(self, batch_size: int, input_size: int, output_size: int, dtype: np.dtype):
        """Make the buffers that a step without `out` returns."""
        super().__init__(batch_size, input_size, output_size, dtype)
        # Made once, on the same memory: handing an array over to torch in each step would take microseconds.
        self._tensors = (torch.from_numpy(self._y), torch.from_numpy(self._row))

    def _any(self, x: Any, out: Any) -> Any:
        """A step with any kind of argument."""
        if not isinstance(x, Tensor):
            return super()._any(x, out)
        given = to_array(x)
        if out is None:
            y = None if self._fast is None else self._fast(given, None)
            return self._tensors[(self._plain(given, None) if y is None else y) is self._row]
        if not isinstance(out, Tensor):
            raise SettingError(f"out must be a torch tensor like x, not {type(out).__name__}.")
        if out.requires_grad or out.device.type != "cpu":
            raise SettingError("out must be a CPU tensor that needs no gradient.")
        self._plain(given, out.numpy())
        return out


def to_array(value: Any) -> np.ndarray:
    """A NumPy view of an array, a tensor or numbers."""
    if isinstance(value, Tensor):
        try:
            return value.detach().cpu().numpy() if value.requires_grad or not value.is_cpu else value.numpy()
        except (RuntimeError, TypeError, NotImplementedError):
            return _odd_to_array(value)
    return step_face.to_array(value)


def _odd_to_array(value: Tensor) -> np.ndarray:
    """A tensor that NumPy can't look at as it is: promised signs and zeros are worked out, the rest is refused."""
    if (other := dense(value)) is not None:
        raise SettingError(f"expected a dense tensor, not {other}.")
    # NumPy has no bfloat16, and a meta tensor has no numbers.
    if value.device.type == "meta" or value.dtype == torch.bfloat16:
        raise SettingError(f"expected a tensor of numbers that NumPy has, not {value.dtype} on {value.device}.")
    return plain(value.detach()).cpu().numpy()
