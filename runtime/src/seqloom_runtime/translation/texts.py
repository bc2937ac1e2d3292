"""Texts as sequence to sequence takes them."""

from __future__ import annotations

from typing import Any

from ..errors import DataError, shown

__all__ = ["checked_texts", "same"]


def checked_texts(value: Any, name: str) -> list[str]:
    """Texts without the white space around them."""
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise DataError(f"{name}: expected a list of texts, got {type(value).__name__}.")
    found = []
    for number, text in enumerate(value):
        if not isinstance(text, str):
            raise DataError(f"{name}, text {number}: expected a text, got {shown(text)}.")
        if not text.strip():
            raise DataError(f"{name}, text {number}: expected a text, it is empty; leave the pair out.")
        found.append(str(text).strip())
    return found


def same(one: str, other: str) -> bool:
    """Whether two texts are the same but for white space."""
    return one.split() == other.split()
