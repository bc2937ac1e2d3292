"""A saved run as it may be shown: every name and text escaped and shortened, names that differ still told apart.

The files of a run folder hold the true texts. A control character in one of them ends the drawing library's process,
and a name of 100,000 characters keeps it busy for minutes; so whatever is drawn goes through here first. Only the
settings stay as they are: the page writes them as a command that works when it is typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from seqloom_runtime.errors import brief

from .saved import Forecast, Predictions, SavedRun

__all__ = ["Names", "shown_run"]

_WIDE_NAME = 24  # of a name with emoji or other wide signs, which charts don't cut
_NAME, _SENTENCE, _TEXT, _PIXELS = 80, 1_000, 20_000, 1_000_000
_LONGEST = {
    **dict.fromkeys(("text", "prompt"), _TEXT),
    **dict.fromkeys(("statements", "notes", "reading", "rows", "what", "failed"), _SENTENCE),
    "pixels": _PIXELS,
}
"""Keys of metrics and details that hold running text (or pixels), with the characters of it; all else is names."""
_INHERITED = {
    *(
        "constructor",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "toLocaleString",
        "toString",
        "valueOf",
    ),
    *("__proto__", "__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__"),
}
"""What every JavaScript object has: Vega looks such a title or label up among its own operators, and finds that one."""


class Names:
    """From a true name to the one that is shown, the same each time; two that would look alike get numbers.

    >>> names = Names()
    >>> print(names("wind" + chr(1)), names("wind"), names(chr(92).join(["wind", "x01"])), names("wind"))
    wind\\x01 wind wind\\x01 (2) wind
    """

    def __init__(self, longest: Mapping[str, int] = _LONGEST) -> None:
        self._longest = longest
        self._shown: dict[str, str] = {}
        self._taken: set[str] = set()

    def __call__(self, name: str) -> str:
        known = self._shown.get(name)
        if known is None:
            # Longer where nothing is beyond U+FFFF: Vega cuts a long label between the halves of an emoji, and the
            # picture fails.
            plain, number = brief(name, _NAME if max(name, default="") <= "\uffff" else _WIDE_NAME), 1
            # A space at the end: the reader sees the same, the look-up finds nothing.
            known = f"{plain} " if plain in _INHERITED else plain
            # Two names that are shortened alike would become one line of the chart.
            while known in self._taken:
                number += 1
                known = f"{plain} ({number})"
            self._shown[name] = known
            self._taken.add(known)
        return known

    def array(self, names: np.ndarray) -> np.ndarray:
        """An array of names, (N,) str."""
        return np.array([self(str(name)) for name in names.tolist()], dtype=str).reshape(names.shape)

    def keys(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A mapping by name."""
        return {self(name): value for name, value in values.items()}

    def value(self, value: Any, longest: int = _NAME) -> Any:
        """A JSON value with all its texts; `longest` is that of the key it stands under."""
        if isinstance(value, str):
            return self(value) if longest == _NAME else brief(value, longest, keep="\n\t")
        if isinstance(value, Mapping):
            return {self(str(key)): self.value(inner, self._longest.get(key, _NAME)) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item, longest) for item in value]
        return value


def shown_run(run: SavedRun) -> SavedRun:
    """A run as it may be shown."""
    # In a quality report "text" is a sentence about the data, in the details an example of it.
    names = Names({**_LONGEST, "text": _SENTENCE} if run.data else _LONGEST)
    made, ahead, curves = run.predictions, run.forecast, run.curves
    return replace(
        run,
        versions=names.value(run.versions),
        source=names.value(run.source),
        data=names.value(run.data),
        metrics=names.value(run.metrics),
        details=names.value(run.details),
        trials=names.value(run.trials),
        curves=replace(curves, model=names.array(curves.model), values=names.keys(curves.values)),
        predictions=replace(
            made,
            id=names.array(made.id),
            target=names.array(made.target),
            models=names.keys(made.models),
            **_levels(made, names),
        ),
        forecast=replace(ahead, id=names.array(ahead.id), target=names.array(ahead.target), **_levels(ahead, names)),
    )


def _levels(held: Predictions | Forecast, names: Names) -> dict[str, Any]:
    return {"low": names.keys(held.low), "high": names.keys(held.high)}
