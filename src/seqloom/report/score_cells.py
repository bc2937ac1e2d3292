"""The cells of a table of scores: numbers as text, and which is the best of its column."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..diagnostics import score_named
from .wording import decimals_for, fixed, per_cent, signed_per_cent

__all__ = ["Cell", "Column", "best_of", "cell_text", "decimals_of"]


@dataclass(frozen=True)
class Cell:
    """One number as text, and whether it is the best of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True, eq=False)
class Column:
    """One column: which split it belongs to, its heading, what it means, and a cell per model."""

    split: str  # "valid", "test" or "" for both
    heading: str
    meaning: str
    cells: tuple[Cell, ...]


def best_of(values: Sequence[float | None], choose: Callable[..., float]) -> set[int]:
    """The positions of the best value where there are at least two."""
    known = [v for v in values if v is not None and math.isfinite(v)]
    if len(known) < 2:
        return set()
    winner = choose(known)
    return {i for i, v in enumerate(values) if v == winner}


def cell_text(name: str, value: float | None, decimals: int | None) -> str:
    """A value of the score `name`, shares in percent and everything else with that many decimals.

    >>> cell_text("accuracy", 0.9187, 3), cell_text("skill", 0.0954, 3), cell_text("mae", 1.5, 3)
    ('91.87 %', '+9.5 %', '1.500')
    """
    unit = score_named(name).unit
    if unit == "share":
        return per_cent(value, 2)
    if unit == "percent":
        return per_cent(None if value is None else value / 100)
    return signed_per_cent(value) if unit == "signed share" else fixed(value, decimals)


def decimals_of(values: Sequence[float | None]) -> int | None:
    """Decimals that suit the smallest score, the one that matters; fewer where the largest would exceed six digits."""
    sizes = [abs(v) for v in values if v is not None and math.isfinite(v) and v != 0]
    if not sizes:
        return 3
    wanted = decimals_for([min(sizes)])
    return wanted if wanted is None else max(0, min(wanted, 5 - math.floor(math.log10(max(sizes)))))
