"""Levels of prediction intervals: their names, and how many errors each needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ..errors import SettingError

__all__ = ["dropped_levels", "exact_level", "exact_levels", "level_name", "smallest_count"]


def smallest_count(level: float) -> int:
    """The fewest calibration windows that a level needs: ceil(level / (1 - level)).

    With fewer, the rank ceil((n + 1) level) lies beyond the n-th error and the interval would have to be infinite.

    >>> smallest_count(0.8), smallest_count(0.95), smallest_count(0.99)
    (4, 19, 99)
    """
    exact = exact_level(level)
    return math.ceil(exact / (1 - exact))


def level_name(level: float) -> str:
    """The level in percent, as files and charts name it.

    >>> level_name(0.8), level_name(0.995)
    ('80', '99.5')
    """
    return f"{float(exact_level(level) * 100):g}"


def dropped_levels(count: int, levels: Sequence[float]) -> dict[float, str]:
    """The levels that can't be calibrated on `count` windows, each with the reason.

    >>> dropped_levels(4, [0.8, 0.95])
    {0.95: 'Level 95 % needs at least 19 calibration windows, there are 4'}
    """
    few = {level: needed for level in exact_levels(levels) if count < (needed := smallest_count(level))}
    return {
        level: f"Level {level_name(level)} % needs at least {needed} calibration windows, there are {count}"
        for level, needed in few.items()
    }


def exact_level(level: float) -> Fraction:
    """The level as the decimal fraction that was written: 0.95 is 19/20, so that ranks are exact."""
    if isinstance(level, bool) or not isinstance(level, (int, float, np.integer, np.floating)):
        raise SettingError(f"level: expected a fraction between 0 and 1, got {level!r}.")
    if not 0 < level < 1:
        hint = f" Write {float(level) / 100:g} for {level:g} %." if 1 < level < 100 else ""
        raise SettingError(f"level: expected a fraction between 0 and 1, got {level}.{hint}")
    # As floats 0.55 · 100 is 55.00000000000001, and its ceiling a rank too many.
    return Fraction(repr(float(level)))


def exact_levels(levels: Sequence[float]) -> tuple[float, ...]:
    wanted = tuple(float(level) for level in levels if exact_level(level))
    if len(set(wanted)) != len(wanted):
        raise SettingError(f"levels: expected each level once, got {list(levels)}.")
    return wanted
