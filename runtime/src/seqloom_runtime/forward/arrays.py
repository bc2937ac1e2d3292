"""`Arrays`: a model's arrays by the names of its network's state, each checked when a layer takes it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import FormatError, shown

__all__ = ["Arrays"]


class Arrays:
    """What a forward pass is built from: {name: array}, seen from a place among the names.

    >>> arrays = Arrays({"body.bias": np.zeros(3, dtype=np.float32)}, "body.")
    >>> arrays.take("bias", 3).shape, arrays.left()
    ((3,), [])
    """

    def __init__(self, arrays: Mapping[str, np.ndarray] | Arrays, prefix: str = "") -> None:
        """arrays: by the full names; prefix: what all names asked for begin with."""
        known = isinstance(arrays, Arrays)
        self._arrays: Mapping[str, np.ndarray] = arrays._arrays if known else arrays
        self._taken: set[str] = arrays._taken if known else set()
        self.prefix = (arrays.prefix if known else "") + prefix

    def at(self, place: str) -> Arrays:
        """The same, seen from further down: at("body.") takes "bias" as "body.bias"."""
        return Arrays(self, place)

    def has(self, name: str) -> bool:
        """Whether there is an array of that name."""
        return self.prefix + name in self._arrays

    def take(self, name: str, *shape: int) -> np.ndarray:
        """The array of that name, contiguous float32.

        Raises FormatError where it is missing, has another shape or type, or holds a number that is not finite.
        """
        full = self.prefix + name
        array = self._arrays.get(full)
        if array is None:
            raise FormatError(f"model.safetensors: expected {shown(full)} of shape {shape}, found none.")
        if array.dtype != np.float32 or array.shape != shape:
            raise FormatError(
                f"model.safetensors: expected {shown(full)} of shape {shape} and float32, found {array.shape} and "
                f"{array.dtype}."
            )
        if not np.isfinite(array).all():
            raise FormatError(f"model.safetensors: {shown(full)} holds NaN or infinite weights.")
        self._taken.add(full)
        return np.ascontiguousarray(array)

    def __len__(self) -> int:
        """How many arrays there are from here down."""
        return sum(name.startswith(self.prefix) for name in self._arrays)

    def left(self) -> list[str]:
        """The names, from here down, that no layer has taken."""
        return sorted(name for name in self._arrays if name.startswith(self.prefix) and name not in self._taken)

    def finish(self) -> None:
        """Raise FormatError for an array that nothing has taken."""
        if left := self.left():
            raise FormatError(f"model.safetensors: {shown(left[0])} belongs to nothing in model.json.")
