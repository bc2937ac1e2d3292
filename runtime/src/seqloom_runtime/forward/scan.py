"""`scan`: a recurrent cell over a batch of sequences, in evaluation: `seqloom.ops.scan` on NumPy arrays.

The compiled module runs it where it is there and has the cell's activations; `scan_readable` runs everything else.
Both give the same bits for any number of threads where the compiled module makes their products.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import SettingError
from .cell import Cell, CellWeights
from .engine import address, module, threads
from .scan_readable import readable_scan

__all__ = ["State", "checked", "checked_mask", "scan"]

State = np.ndarray | tuple[np.ndarray, np.ndarray]


def scan(
    cell: Cell,
    weights: CellWeights,
    x: np.ndarray,
    state: State,
    *,
    mask: np.ndarray | None = None,
    reverse: bool = False,
    input_mask: np.ndarray | None = None,
    recurrent_mask: np.ndarray | None = None,
    last_only: bool = False,
) -> tuple[np.ndarray, State]:
    """Run a recurrent cell over x (B, T, I).

    state: h (B, S), for the LSTM the pair h (B, S), c (B, H).
    mask: (B, T) bool, any pattern; at a step that is False the state passes through unchanged, the output repeats it,
        and the input there is ignored, NaN included.
    reverse: run from the last step to the first; the output of step t stays at index t.
    input_mask: d_x, (B, I), or (B, G, I) with one for each gate. recurrent_mask: d_h, (B, S) or (B, G, S).
    last_only: return only the output after the last step that ran, (B, S).

    Returns y (B, T, S), or (B, S) with last_only, and the final state, shaped as `state`: arrays of their own. T and B
    may be 0. Raises SettingError where a shape or type doesn't fit.

    >>> weights = CellWeights(Cell("elman"), (2, 2, 2), {"w_x": np.float32([[2, 0], [-1, 0.5]]), "w_h": np.eye(2)})
    >>> y, h = scan(Cell("elman"), weights, np.float32([[[1, 0]]]), np.zeros((1, 2), np.float32))
    >>> [round(float(v), 3) for v in h[0]]
    [0.964, 0.0]
    """
    x = checked("x", x, (None, None, weights.inputs))
    batch = len(x)
    if cell.pair != isinstance(state, tuple) or (isinstance(state, tuple) and len(state) != 2):
        raise SettingError(f"state: expected {'the pair (h, c)' if cell.pair else 'one array'} for a {cell.kind} cell.")
    h, c = state if isinstance(state, tuple) else (state, None)
    h = checked("state h", h, (batch, weights.width))
    c = None if c is None else checked("state c", c, (batch, weights.hidden))
    mask = None if mask is None else checked_mask(mask, x)
    drops = [_drop(*one, cell, batch) for one in ((input_mask, weights.inputs), (recurrent_mask, weights.width))]
    plain = cell.compiled and 0 not in x.shape and all(drop is None or drop.ndim == 2 for drop in drops)
    core = module() if plain else None
    if core is None:
        return readable_scan(cell, weights, x, h, c, mask, reverse, drops, last_only)
    return _compiled(core, cell, weights, (x, h, c, mask, *drops), reverse, last_only)


def _compiled(
    core: Any, cell: Cell, weights: CellWeights, inputs: tuple[Any, ...], reverse: bool, last_only: bool
) -> tuple[np.ndarray, State]:
    """Run the compiled scan on checked arrays."""
    x, h, c, *masks = inputs
    batch, steps, width = x.shape[0], x.shape[1], weights.width
    states = None if last_only else np.empty((batch, steps, width), dtype=np.float32)
    h_last, c_last = np.empty_like(h), None if c is None else np.empty_like(c)
    whole = [*cell.whole(reverse), batch, steps, weights.inputs, weights.hidden, width]
    arrays = [address(x), address(h), address(c), *weights.addresses, *map(address, masks)]
    core.scan_forward(whole, cell.real(), [*arrays, *map(address, (states, h_last, c_last)), 0], threads())
    # A copy, as results never share memory.
    y = h_last.copy() if states is None else states
    return y, (h_last if c_last is None else (h_last, c_last))


def checked(name: str, value: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """A contiguous float32 array of that shape, None for any size; raises SettingError for another."""
    array = np.asarray(value)
    # Floats, whole numbers, bool.
    if array.dtype.kind not in "fiub":
        raise SettingError(f"{name}: expected an array of real numbers, got {array.dtype}.")
    if array.ndim != len(shape) or any(want not in (None, size) for want, size in zip(shape, array.shape)):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise SettingError(f"{name}: expected the shape ({wanted}), got {array.shape}.")
    return np.ascontiguousarray(array, dtype=np.float32)


def checked_mask(mask: Any, x: np.ndarray) -> np.ndarray:
    """A contiguous mask (B, T) bool for x (B, T, …); raises SettingError for another."""
    array = np.asarray(mask)
    if array.dtype != np.bool_ or array.shape != x.shape[:2]:
        raise SettingError(f"mask: expected bool of shape {x.shape[:2]}, got {array.dtype} of {array.shape}.")
    return np.ascontiguousarray(array)


def _drop(value: Any, size: int, cell: Cell, batch: int) -> np.ndarray | None:
    if value is None:
        return None
    per_gate = np.ndim(value) == 3
    return checked("input_mask, recurrent_mask", value, (batch, cell.gates, size) if per_gate else (batch, size))
