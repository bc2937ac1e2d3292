"""Heads: what reads a body's features (…, F) out as O numbers (…, O). One table, as `seqloom.tasks.networks.heads`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import SettingError, shown, suggest
from .activations import relu
from .arrays import Arrays
from .linear import Linear

__all__ = ["HEADS", "HiddenHead", "build_head"]

Head = Callable[[np.ndarray], np.ndarray]


class HiddenHead:
    """A relu layer, then a linear one."""

    def __init__(self, arrays: Arrays, features: int, outputs: int, hidden: int) -> None:
        """Takes "hidden.weight" (H, F) …, "output.weight" (O, H) …"""
        self.hidden = Linear(arrays.at("hidden."), features, hidden)
        self.output = Linear(arrays.at("output."), hidden, outputs)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return self.output(relu(self.hidden(features)))


HEADS: dict[str, Callable[[Arrays, int, int, int], Head]] = {
    "linear": lambda arrays, features, outputs, hidden: Linear(arrays, features, outputs),
    "hidden": lambda arrays, features, outputs, hidden: HiddenHead(arrays, features, outputs, hidden or features),
    "gaussian": lambda arrays, features, outputs, hidden: Linear(arrays, features, 2 * outputs),
}
"""By the names of `seqloom.tasks.networks.HEADS`: arrays, F, O and units of a hidden layer in, the head out."""


def build_head(name: str, features: int, outputs: int, arrays: Arrays, *, hidden: int = 0) -> Head:
    """The head of that name; with `hidden` units in between the linear one becomes a `HiddenHead`.

    Raises SettingError for a head that has no forward pass here, FormatError where an array doesn't fit.

    >>> arrays = Arrays({"w.weight": np.ones((1, 2), np.float32), "w.bias": np.zeros(1, np.float32)}, "w.")
    >>> build_head("linear", 2, 1, arrays)(np.ones((3, 2), np.float32)).tolist()
    [[2.0], [2.0], [2.0]]
    """
    if name == "linear" and hidden:
        name = "hidden"
    if name not in HEADS:
        raise SettingError(f"head: expected one of {', '.join(HEADS)}, got {shown(name)}.{suggest(str(name), HEADS)}")
    return HEADS[name](arrays, features, outputs, hidden)
