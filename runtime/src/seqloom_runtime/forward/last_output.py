"""The last output of a stack of temporal blocks alone, from the steps that reach it and no others.

The output at T − 1 of a level with dilation d sees its inputs at T − 1, T − 1 − d, T − 1 − 2d, …; the levels below have
to be worked out there only. With dilations 1, 2, 4, … each level runs on half the steps of the one before: about 2T
steps in all for n levels, where the whole sequence takes nT. Steps that lie before the receptive field are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Part", "parts_for_last"]

_WORTH = 32  # with fewer steps than this, running one more call costs more than halving them saves


@dataclass(frozen=True)
class Part:
    """Levels first … stop − 1 run together, on every `thin`-th of the steps that the part before left, from `start` on.

    `every` is how many steps of the input lie between two of the part's.
    """

    first: int
    stop: int
    start: int
    thin: int
    every: int


def parts_for_last(dilations: Sequence[int], reaches: Sequence[int], steps: int) -> list[Part]:
    """How to run a stack on `steps` ≥ 1 steps for its last output.

    dilations: of each level. reaches: how many steps before its own an output of each level sees, a multiple of its
    dilation.

    >>> [(part.first, part.stop, part.every) for part in parts_for_last([1, 2, 4], [2, 4, 8], 100)]
    [(0, 3, 1)]
    >>> parts_for_last([1, 2, 4], [12, 24, 48], 784)[1]
    Part(first=1, stop=2, start=12, thin=2, every=2)
    """
    count = len(dilations)
    # All steps that a level and those above it read lie on multiples of this, counted from the last one.
    grids = [math.gcd(*dilations[level:]) for level in range(count)]
    parts: list[Part] = []
    level, every = 0, 1
    while level < count:
        thin = grids[level] // every
        kept = _kept(steps, thin, sum(reaches[level:]) // grids[level] + 1)
        # Counted from the end, as the last step is the one that is wanted.
        start = steps - 1 - (kept - 1) * thin
        steps, every = kept, grids[level]
        stop = level + 1
        while stop < count and not _worth(steps, grids[stop] // every, sum(reaches[stop:]) // grids[stop] + 1):
            stop += 1
        parts.append(Part(level, stop, start, thin, every))
        level = stop
    return parts


def _kept(steps: int, thin: int, most: int) -> int:
    """How many steps are left of every `thin`-th, the last one among them, where no more than `most` are seen."""
    return min((steps - 1) // thin + 1, most)


def _worth(steps: int, thin: int, most: int) -> bool:
    # Worth it only where at least half of the steps fall away.
    return steps >= _WORTH and 2 * _kept(steps, thin, most) <= steps + 1
