"""Several targets of a wide table: which they are, and what each is told of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data import Decision, Panel
from seqloom_runtime.data.wide import Wide, lengthen
from seqloom_runtime.errors import SettingError, shown
from seqloom_runtime.forecast.roles import ALL_COLUMNS, Inputs, read_by_default
from seqloom_runtime.forecast.targets import listed, of_target, unit_of

if TYPE_CHECKING:
    from ..comparison import Evaluation
    from .windowed import ForecastData

__all__ = ["EVERY", "Chosen", "chosen_targets", "listed_plainly", "named_targets", "targets_record", "unit_of_data"]

_LISTED = 6


EVERY = "*"
"""The target that stands for every column of numbers without another part."""


_PARTS = ("train", "valid", "test")


_UNITLESS = "σ"


@dataclass(frozen=True, eq=False)
class Chosen:
    """A panel and the columns of it that a forecast reads, as `Roles.choose` takes them."""

    panel: Panel
    target: str
    inputs: Inputs
    future: Sequence[str]


def named_targets(target: str | Sequence[str]) -> tuple[str, ...]:
    """The columns that `target` names itself: none where it is "*"."""
    if isinstance(target, str):
        return () if target == EVERY else (target,)
    names = tuple(target) if isinstance(target, Iterable) else ()
    if not names or not all(isinstance(name, str) for name in names):
        raise SettingError(f"target: expected the name of a column or a list of names, got {shown(target)}.")
    return names


def chosen_targets(
    panel: Panel,
    target: str | Sequence[str],
    inputs: Inputs,
    future: Sequence[str],
    static: Sequence[str] = (),
    categories: Sequence[str] = (),
) -> Chosen:
    """The panel as it is where one column is named; else the long one, whose series are the targets.

    Inputs that are targets are left out, as each target reads its own past. Raises SettingError for a target that is
    known in advance or named twice, DataError for an unknown name.
    """
    if isinstance(target, str) and (target != EVERY or target in panel.columns):
        return Chosen(panel, target, inputs, future)
    every, inputs = inputs == ALL_COLUMNS, None if inputs == ALL_COLUMNS else inputs
    for what, names in (("inputs", inputs), ("future", future)):
        if isinstance(names, str):
            raise SettingError(f"{what}: expected a list of column names, got the text {shown(names)}.")
    targets = named_targets(target)
    if not targets:
        used = {*(inputs or ()), *future, *static, *categories}
        used |= {*panel.words, *panel.static}
        targets = tuple(name for name in panel.columns if name not in used)
        if not targets:
            raise SettingError(
                f"target: '*' stands for the columns of numbers that are no inputs and not known in advance, and there "
                f"is none besides {', '.join(map(shown, used))}."
            )
    both = [name for name in targets if name in future]
    if both:
        raise SettingError(
            f"future: {shown(both[0])} is a target, so its future values can't be known; name other columns."
        )
    panel.positions((*(inputs or ()), *future))
    long = lengthen(panel, targets)
    wide = long.wide
    assert wide is not None
    kept = None if inputs is None else [name for name in inputs if name not in targets]
    usual = read_by_default(long, future, static, categories)
    read = {*(long.columns if every else usual if kept is None else kept), *future, *static}
    others = [name for name in long.columns[1:] if name in read]
    quality = panel.quality
    if quality is not None:
        decision = Decision("targets", _told(wide, others), None, "target")
        quality = replace(quality, decisions=(*quality.decisions, decision))
    return Chosen(replace(long, quality=quality), wide.value, ALL_COLUMNS if every else kept, future)


def _told(wide: Wide, others: Sequence[str]) -> str:
    count = len(wide.targets)
    first = f"{count:,} targets ({listed(wide.targets)})" if count > 1 else f"One target ({listed(wide.targets)})"
    reads = f" and {listed(others)}, which all share" if others else ""
    what = "one model forecasts each" if count > 1 else "the model forecasts it"
    return f"{first}: {what} from its own past{reads}."


def unit_of_data(data: ForecastData) -> str | None:
    """The unit of the pooled errors, where it is known: that of the target, or of all targets."""
    wide = data.features.roles.wide
    if wide is None:
        return unit_of(data.features.roles.target)
    if data.own_units:
        return _UNITLESS
    units = {unit_of(name) for name in wide.targets}
    return units.pop() if len(units) == 1 else None


def targets_record(
    data: ForecastData, valid: Mapping[str, Evaluation], test: Mapping[str, Evaluation]
) -> dict[str, Any]:
    """What metrics.json says of each of several targets: its name, its unit, and the scores of every model in it."""
    wide = data.features.roles.wide
    if wide is None:
        return {}
    counts = {part: np.bincount(of_target(data, data.part(part)), minlength=len(wide.targets)) for part in _PARTS}
    return {
        "targets": [
            {
                "name": name,
                "unit": unit_of(name),
                "windows": {part: int(counts[part][place]) for part in _PARTS},
                "models": {
                    model: {
                        "valid": valid[model].details["targets"][place],
                        "test": test[model].details["targets"][place],
                    }
                    for model in valid
                },
            }
            for place, name in enumerate(wide.targets)
        ],
        "joined": wide.joined,
    }


def listed_plainly(names: Sequence[str]) -> str:
    """The names of targets as one text for a title, the first few of many.

    >>> listed_plainly(["north", "south"])
    'north, south'
    """
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
