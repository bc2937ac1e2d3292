"""Sizes of the networks of pictures, which the layers of torch and those of NumPy share."""

from __future__ import annotations

from ..errors import SettingError

__all__ = ["scaled"]


def scaled(channels: int, width: float) -> int:
    """So many channels times a width, at least one; raises SettingError for a width that is not above 0.

    >>> scaled(64, 0.25), scaled(6, 0.01)
    (16, 1)
    """
    if isinstance(width, bool) or not isinstance(width, (int, float)) or not 0 < width <= 64:
        raise SettingError(f"width multiplies the channels of every layer: above 0 and at most 64, not {width!r}.")
    return max(1, round(channels * width))
