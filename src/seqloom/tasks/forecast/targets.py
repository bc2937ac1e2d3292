"""Several targets of a wide table: which they are, the long panel that one model reads, and what each is told of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data import Decision, Panel
from seqloom_runtime.data.wide import Wide, lengthen
from seqloom_runtime.errors import DataError, SettingError, shown

from .roles import ALL_COLUMNS, Inputs, read_by_default

if TYPE_CHECKING:
    from ..comparison import Evaluation
    from .roles import Roles
    from .windowed import ForecastData

__all__ = [
    "EVERY",
    "Chosen",
    "check_series",
    "chosen_targets",
    "columns_of_table",
    "listed",
    "listed_plainly",
    "long_again",
    "named_target",
    "named_targets",
    "of_target",
    "owner_of",
    "radius_of",
    "targets_record",
    "unit_of",
    "unit_of_data",
]

EVERY = "*"
"""The target that stands for every column of numbers without another part."""
_LISTED = 6
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


def columns_of_table(columns: Sequence[str], wide: Wide | None) -> tuple[str, ...]:
    """The columns of the user's table that stand for those of a panel which a forecaster reads."""
    if wide is None:
        return tuple(columns)
    return (*wide.targets, *(name for name in columns if name != wide.value))


def long_again(panel: Panel, wide: Wide | None) -> Panel:
    """A panel of new rows of the table in the form that the forecaster was fitted on."""
    if wide is None or panel.wide is not None:
        return panel
    if (panel.ids != ("",)) != wide.joined:
        was = "several series, named by an id column" if wide.joined else "one series per target"
        raise DataError(f"The model was fitted on a table with {was}; give data of that form.")
    long = lengthen(panel, wide.targets)
    return replace(long, columns=(wide.value, *long.columns[1:]), wide=wide)


def _told(wide: Wide, others: Sequence[str]) -> str:
    count = len(wide.targets)
    first = f"{count:,} targets ({listed(wide.targets)})" if count > 1 else f"One target ({listed(wide.targets)})"
    reads = f" and {listed(others)}, which all share" if others else ""
    what = "one model forecasts each" if count > 1 else "the model forecasts it"
    return f"{first}: {what} from its own past{reads}."


def listed(names: Iterable[str]) -> str:
    """Names with commas between, the first few of many.

    >>> listed("abcdefgh")
    "'a', 'b', 'c', 'd', 'e', 'f' and 2 more"
    """
    names = list(names)
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(map(shown, names[:_LISTED])) + more


def named_target(roles: Roles, series: str = "") -> str:
    """What the target of a series is called: its column in the user's table."""
    return roles.target if roles.wide is None else roles.wide.parts(series)[1]


def owner_of(roles: Roles, series: str) -> str:
    """What a table of predictions calls a series: as the table's id column does, or after its target without one."""
    return (series if roles.wide is None else roles.wide.parts(series)[0] or series) or roles.target


def of_target(data: ForecastData, origins: np.ndarray) -> np.ndarray:
    """The position (N,) of each origin's target among several; all 0 of one."""
    wide = data.features.roles.wide
    return np.zeros(len(origins), np.int64) if wide is None else wide.places(data.panel)[origins]


def radius_of(radii: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Radii (K,), or (T, K) of several targets, for windows of the targets `at` (N,): (K,) or (N, K)."""
    return radii if radii.ndim == 1 else radii[at]


def unit_of(name: str) -> str | None:
    """The text in a column name's last brackets, as in "T (degC)", or None."""
    opened, closed = name.rfind("("), name.rfind(")")
    if 0 < opened < closed == len(name.rstrip()) - 1 and name[opened + 1 : closed].strip():
        return name[opened + 1 : closed].strip()
    return None


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


def check_series(wide: Wide, ids: Iterable[str]) -> None:
    """Raise DataError where a series belongs to none of the targets."""
    for name in ids:
        wide.place(name)
