"""Training batches of the examples that an order draws: the part that is the same for texts, windows and sequences."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

from seqloom_runtime.data import LengthBuckets, ShuffledOrigins

__all__ = ["DrawnBatches"]


class DrawnBatches(ABC):
    """Base of the training batches: without end, in an order that a seed fixes and a checkpoint can continue."""

    def __init__(self, order: ShuffledOrigins | LengthBuckets) -> None:
        self._order = order

    def __iter__(self) -> Self:
        return self

    @abstractmethod
    def __next__(self) -> Any:
        """The tensors of the examples whose numbers the order gives next."""

    def state(self) -> dict[str, int]:
        """Position in the order, as JSON values."""
        return self._order.state()

    def restore(self, state: Any) -> None:
        """Continue from `state`; raises FormatError where it is another order's."""
        self._order.restore(state)
