"""A chart that can't be drawn never costs the page: it is left out, and the page says which one and why."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from seqloom_runtime.errors import MissingDependencyError, SeqloomError, brief

__all__ = ["attempt", "why_not_drawable"]

_T = TypeVar("_T")
# What XML 1.0, and so SVG, can't hold even as a reference.
_UNDRAWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def attempt(make: Callable[[], _T], passing: tuple[type[Exception], ...] = ()) -> tuple[_T | None, str]:
    """What `make` gives and "", or None and the reason, in a phrase, why there is nothing.

    A panic of the drawing library's Rust code, which is no Exception, is a reason too. Packages that are not installed,
    Ctrl-C and the exceptions named in `passing` pass.
    """
    try:
        return make(), ""
    except (MissingDependencyError, *passing):
        raise
    except Exception as fault:  # noqa: BLE001 - whatever the libraries raise, the run is worth more than a picture
        return None, _reason(fault)
    except BaseException as fault:  # a panic of the drawing library's Rust code is no Exception
        if type(fault).__name__ != "PanicException":
            raise
        return None, _reason(fault)


def why_not_drawable(value: Any) -> str:
    """A phrase on the first text of a specification that would end the drawing library's process; "" for none.

    Such texts never get here, because a run is escaped before it is drawn; this is the second lock on that door.
    """
    if isinstance(value, str):
        # Most texts are printable, and that look is faster than the pattern.
        found = None if value.isprintable() else _UNDRAWABLE.search(value)
        return f"the text {brief(value, 60)!r} holds a character that SVG can't" if found else ""
    if isinstance(value, dict):
        inner = [*value, *value.values()]
    elif isinstance(value, (list, tuple)):
        inner = value
    else:
        return ""
    return next((reason for item in inner if (reason := why_not_drawable(item))), "")


def _reason(fault: BaseException) -> str:
    """The fault in a phrase: its first line, without the stack that the drawing library sends along."""
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    first = " ".join(lines[:2])
    text = brief(first, 200).rstrip(".")
    return text if isinstance(fault, SeqloomError) and text else f"{type(fault).__name__}{f': {text}' if text else ''}"
