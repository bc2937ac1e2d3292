"""Arguments of predictors, checked: one sentence that names what is wrong with one."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from .errors import SettingError, shown

__all__ = ["check_whole"]

_TECHNICAL = 1000  # a bound above it only stops what was never meant, and is told to those alone who passed it


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Raise SettingError unless `value` is a whole number from `low` to `high`.

    >>> check_whole("length", -1, 0, 10)
    Traceback (most recent call last):
    ...
    seqloom_runtime.errors.SettingError: length: expected a whole number of at least 0 and of at most 10, got -1.
    """
    if isinstance(value, Integral) and not isinstance(value, bool) and low <= int(value) <= high:
        return
    beyond = isinstance(value, Integral) and not isinstance(value, bool) and int(value) > high
    most = f" and of at most {high:,}" if beyond or high < _TECHNICAL else ""
    raise SettingError(f"{name}: expected a whole number of at least {low:,}{most}, got {shown(value)}.")
