"""The tensors inside a batch: nested tuples, lists, dicts and dataclasses of tensors and arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from seqloom_runtime.errors import SettingError

__all__ = ["leaves", "map_leaves"]


def leaves(batch: Any, path: str = "batch") -> Iterator[tuple[str, Tensor | np.ndarray]]:
    """Every tensor and array with its path, such as `batch[0]['x']`.

    >>> [path for path, _ in leaves((np.zeros(2), {"x": np.ones(2)}, None))]
    ['batch[0]', "batch[1]['x']"]
    """
    if isinstance(batch, (Tensor, np.ndarray)):
        yield path, batch
    elif isinstance(batch, dict):
        for key, value in batch.items():
            yield from leaves(value, f"{path}[{key!r}]")
    elif isinstance(batch, (tuple, list)):
        for index, value in enumerate(batch):
            yield from leaves(value, f"{path}[{index}]")
    elif dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        for each in dataclasses.fields(batch):
            yield from leaves(getattr(batch, each.name), f"{path}.{each.name}")


def map_leaves(batch: Any, change: Callable[[Any], Any]) -> Any:
    """The same structure, every tensor and array changed; raises SettingError for what it can't look into."""
    if isinstance(batch, (Tensor, np.ndarray)):
        return change(batch)
    if batch is None or isinstance(batch, (str, bytes, bool, int, float, np.generic)):
        return batch
    if isinstance(batch, dict):
        return {key: map_leaves(value, change) for key, value in batch.items()}
    # A PackedSequence is a tuple whose parts have no rows in common: split by index it would be nonsense.
    if isinstance(batch, (tuple, list)) and not isinstance(batch, PackedSequence):
        parts = [map_leaves(value, change) for value in batch]
        # A named tuple takes its parts one by one, a tuple takes them all at once.
        if isinstance(batch, tuple) and hasattr(batch, "_fields"):
            return type(batch)(*parts)
        return tuple(parts) if isinstance(batch, tuple) else parts
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        parts = {each.name: map_leaves(getattr(batch, each.name), change) for each in dataclasses.fields(batch)}
        return dataclasses.replace(batch, **parts)
    raise SettingError(
        "data-parallel training splits batches made of tensors, arrays, tuples, lists, dicts and dataclasses by "
        f"rows; it can't split a {type(batch).__name__}."
    )
