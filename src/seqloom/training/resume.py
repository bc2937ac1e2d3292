"""Going on from a checkpoint: whether it is of the same run, and what differs where it isn't."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqloom_runtime.errors import SettingError, brief, shown

__all__ = ["changes", "first_difference", "refuse_other_run", "signature_json"]


def signature_json(signature: Mapping[str, Any] | None) -> dict[str, Any]:
    """The signature as JSON would give it back (tuples as lists); raises SettingError where JSON can't hold it."""
    try:
        # A checkpoint's signature comes back from JSON, where a tuple is a list: both sides must have made the same
        # trip.
        return json.loads(json.dumps(dict(signature or {}), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise SettingError(f"signature: expected a dict of finite JSON values ({error}).") from None


def first_difference(saved: Any, now: Any, path: str = "") -> str | None:
    """Where two JSON values differ first, in words; None where they are equal.

    >>> first_difference({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}})
    'a.b[1] was 2 and is now 3'
    """
    if isinstance(saved, dict) and isinstance(now, dict):
        for key in [*saved, *(key for key in now if key not in saved)]:
            inner = f"{path}.{key}" if path else str(key)
            if key not in now or key not in saved:
                there, value = ("was", saved[key]) if key in saved else ("was not set and is now", now[key])
                return f"{inner} {there} {shown(value)}" + (" and is now not set" if key in saved else "")
            found = first_difference(saved[key], now[key], inner)
            if found:
                return found
        return None
    if isinstance(saved, list) and isinstance(now, list) and len(saved) == len(now):
        found = (first_difference(one, other, f"{path}[{i}]") for i, (one, other) in enumerate(zip(saved, now)))
        return next((difference for difference in found if difference), None)
    # JSON writes 1.0 and 1 differently, people don't mean a difference; True and 1 must differ.
    same = type(saved) is type(now) or {type(saved), type(now)} <= {int, float}
    return None if same and saved == now else f"{path or 'it'} was {shown(saved)} and is now {shown(now)}"


def refuse_other_run(saved: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """Raise SettingError, naming the first difference, where a checkpoint was made under other settings or signature.

    `checkpoint_every` may change: it decides when to save and nothing else.
    """
    for part in ("signature", "settings", "steps_per_epoch"):
        was, new = saved[part], now[part]
        if part == "settings":
            # How often to save may change between two sessions; everything else would give another result.
            was, new = ({k: v for k, v in one.items() if k != "checkpoint_every"} for one in (was, new))
        difference = first_difference(was, new, part if part == "steps_per_epoch" else "")
        if difference:
            raise SettingError(
                f"{folder} holds another run: {difference}. Go on with what was saved, or choose another directory "
                "for a new run."
            )


def changes(saved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Sentences on what differs from the saved run and may change the last bits."""
    names = {"threads": "torch threads", "world_size": "processes", "torch": "as torch version"}
    return [
        f"Training goes on with {now[key]} {name}, the saved part had {brief(str(saved[key]))}: the result is sound, "
        "but not bitwise that of a run without a stop."
        for key, name in names.items()
        if saved[key] != now[key]
    ]
