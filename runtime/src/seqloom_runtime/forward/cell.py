"""`Cell`: which recurrent cell, with which options; `CellWeights`: its arrays. As `seqloom.ops.cell`, in evaluation.

B batch, T time, I inputs, H hidden units, P projected or fed-back outputs, G gates; S is the width of the state h: H,
or P with projection and for the Jordan cell. Gate orders: LSTM i, f, g, o (coupled: f, g, o), GRU r, z, n.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import SettingError, shown, suggest
from .activations import ACTIVATIONS, CODES
from .arrays import Arrays
from .engine import address

__all__ = ["KINDS", "WEIGHT_NAMES", "Cell", "CellWeights"]

KINDS: Mapping[str, tuple[str, ...]] = {
    "elman": ("h",),
    "jordan": ("h",),
    "lstm": ("i", "f", "g", "o"),
    "gru": ("r", "z", "n"),
}
"""The cells and their gates, in the order of the C++ enumeration CellKind."""

WEIGHT_NAMES = (
    *("w_x", "w_h", "bias", "bias_h", "peephole", "gain_x", "gain_h", "gain_c"),
    *("w_p", "w_out", "bias_out", "slope"),
)
"""The arrays that a cell may have, in the order of `seqloom.ops.cell.Weights`."""

_NUMBERS = {name: number for number, name in enumerate(CODES)}


@dataclass(frozen=True)
class Cell:
    """A recurrent cell and its options; the equations are those of ARCHITECTURE.md, section 4.

    zoneout, zoneout_cell: of h and of c, at their means. Raises SettingError for unknown names.

    >>> Cell("lstm", coupled=True).gates
    3
    """

    kind: str
    activation: str = "tanh"
    gate_activation: str = "sigmoid"
    output_activation: str = "sigmoid"
    reset_after: bool = True
    coupled: bool = False
    peephole: bool = False
    layer_norm: bool = False
    epsilon: float = 1e-5
    cell_clip: float | None = None
    projection: int | None = None
    zoneout: float = 0.0
    zoneout_cell: float = 0.0

    def __post_init__(self) -> None:
        """Refuse names that no forward pass has."""
        known = {"kind": tuple(KINDS), "activation": (*ACTIVATIONS, "prelu")}
        known |= dict.fromkeys(("gate_activation", "output_activation"), tuple(ACTIVATIONS))
        for name, names in known.items():
            value = getattr(self, name)
            if value not in names:
                raise SettingError(
                    f"{name}: expected one of {', '.join(names)}, got {shown(value)}.{suggest(str(value), names)}"
                )

    @property
    def gates(self) -> int:
        """Blocks of H columns in W_x and W_h."""
        return len(KINDS[self.kind]) - (self.kind == "lstm" and self.coupled)

    @property
    def pair(self) -> bool:
        """Whether the state is the pair (h, c)."""
        return self.kind == "lstm"

    @property
    def feeds_back(self) -> bool:
        """Whether an output product stands inside the recurrence."""
        return self.kind == "jordan"

    @property
    def compiled(self) -> bool:
        """Whether the compiled scan has its activations: all but prelu."""
        return self.activation != "prelu"

    def whole(self, reverse: bool = False) -> list[int]:
        """What the compiled scan reads of it as whole numbers: kind, activations, options, no training, no draws."""
        activations = (self.activation, self.gate_activation, self.output_activation)
        return [
            tuple(KINDS).index(self.kind),
            *(_NUMBERS[name] for name in activations),
            int(self.reset_after),
            int(self.coupled),
            int(self.peephole),
            int(self.layer_norm),
            int(self.feeds_back or self.projection is not None),
            int(reverse),
            *(0, 0, 0, 0, 0),  # training; seed, call and layer of draws; whether anything is saved for a gradient
        ]

    def real(self) -> list[float]:
        """What it reads as real numbers; a clip of 0 stands for none."""
        return [self.epsilon, self.cell_clip or 0.0, self.zoneout, self.zoneout_cell, 0.0]


class CellWeights:
    """The arrays of one cell in one direction, float32 and contiguous; what the cell's options don't use is None.

    w_x (I, G·H), w_h (S, G·H), bias (G·H), bias_h (G·H) the second bias, peephole (3, H) in order i, f, o (coupled: (2,
    H), f, o), gain_x (G·H), gain_h (G·H), gain_c (H), w_p (H, P), w_out (H, P) and bias_out (P) of the Jordan cell,
    slope (H) of prelu.
    """

    def __init__(self, cell: Cell, sizes: tuple[int, int, int], given: Mapping[str, np.ndarray]) -> None:
        """sizes: I, H and S. Raises SettingError where an array is missing, is not used, or has another shape."""
        self.inputs, self.hidden, self.width = sizes
        wanted, optional = shapes_of(cell, sizes)
        for name in given:
            if name not in wanted:
                raise SettingError(f"{name}: the options of this {cell.kind} cell don't use it.")
        self.arrays: dict[str, np.ndarray | None] = dict.fromkeys(WEIGHT_NAMES)
        for name, shape in wanted.items():
            array = given.get(name)
            if array is None and name in optional:
                continue
            if array is None or array.shape != shape:
                found = "none" if array is None else f"an array {array.shape}"
                raise SettingError(f"{name}: expected an array {shape} for this {cell.kind} cell, got {found}.")
            self.arrays[name] = np.ascontiguousarray(array, dtype=np.float32)
        # One place for both: a product behind the cell, which Jordan's cell or a projection has, never both.
        names = (*WEIGHT_NAMES[:8], "w_out" if cell.feeds_back else "w_p", "bias_out")
        self.addresses = [address(self.arrays[name]) for name in names]

    @classmethod
    def taken(
        cls, cell: Cell, sizes: tuple[int, int, int], arrays: Arrays, *, bias: bool, recurrent_bias: bool
    ) -> CellWeights:
        """Those of a saved `seqloom.nn.recurrent_cell.RecurrentCell`, which has every array that its options name."""
        wanted, optional = shapes_of(cell, sizes)
        there = {"bias": bias, "bias_out": bias, "bias_h": recurrent_bias}
        names = [name for name in wanted if name not in optional or there.get(name, True)]
        return cls(cell, sizes, {name: arrays.take(name, *wanted[name]) for name in names})

    def get(self, name: str) -> np.ndarray | None:
        """The array of that name, None where the cell has none."""
        return self.arrays[name]

    def at(self, name: str) -> np.ndarray:
        """The array of that name, which the cell must have."""
        array = self.arrays[name]
        assert array is not None
        return array


def shapes_of(cell: Cell, sizes: tuple[int, int, int]) -> tuple[dict[str, tuple[int, ...]], tuple[str, ...]]:
    """The shapes of a cell's arrays by name, and the names of those that may be left out."""
    inputs, hidden, width = sizes
    columns = cell.gates * hidden
    shapes: dict[str, tuple[int, ...]] = {"w_x": (inputs, columns), "w_h": (width, columns)}
    shapes |= {"bias": (columns,), "bias_h": (columns,)}
    if cell.peephole:
        shapes["peephole"] = (2 if cell.coupled else 3, hidden)
    if cell.layer_norm:
        shapes |= {"gain_x": (columns,), "gain_h": (columns,)}
        shapes |= {"gain_c": (hidden,)} if cell.pair else {}
    if cell.projection is not None:
        shapes["w_p"] = (hidden, width)
    if cell.feeds_back:
        shapes |= {"w_out": (hidden, width), "bias_out": (width,)}
    if cell.activation == "prelu":
        shapes["slope"] = (hidden,)
    return shapes, ("bias", "bias_h", "bias_out", "gain_x", "gain_h", "gain_c")
