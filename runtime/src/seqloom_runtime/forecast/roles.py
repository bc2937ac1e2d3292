"""Which part each column plays: target, inputs, known in advance, static, a category; and names that contradict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ..data import Panel
from ..data.static import changes_within, known_values, refuse_change
from ..data.wide import Wide
from ..errors import SettingError, shown

__all__ = ["ALL_COLUMNS", "Inputs", "Roles", "check_named", "read_by_default"]

ALL_COLUMNS = "*"
"""The `inputs` that stand for every column of the table."""

Inputs: TypeAlias = Sequence[str] | str | None
"""The columns that a model reads by name, "*" for every one of the table, None for those that it reads by default."""

_LISTED = 8


def check_named(
    *,
    targets: Sequence[str],
    time: str | Sequence[str] | None = None,
    id: str | Sequence[str] | None = None,
    inputs: Inputs = None,
    future: Sequence[str] = (),
    static: Sequence[str] = (),
    categories: Sequence[str] = (),
) -> None:
    """Raise SettingError, in one sentence, where columns are named for parts that contradict each other."""
    if inputs == ALL_COLUMNS:
        inputs = None  # which contradicts nothing
    lists = {"inputs": inputs or (), "future": future, "static": static, "categories": categories}
    times, series = ((named,) if isinstance(named, str) else tuple(named or ()) for named in (time, id))
    for what, names in (*lists.items(), ("inputs", inputs)):
        if isinstance(names, str):
            raise SettingError(f"{what}: expected a list of column names, got the text {shown(names)}.")
    for what, names in lists.items():
        for position, name in enumerate(names):
            if name in names[:position]:
                raise SettingError(f"{what}: {shown(name)} is named twice; name it once.")
            if name in times or name in series:
                held = "times" if name in times else "names of the series"
                raise SettingError(f"{what}: {shown(name)} holds the {held}, so no model reads it; leave it out.")
    for target in targets:
        for what, why in _NO_TARGETS.items():
            if target in lists[what]:
                raise SettingError(f"{what}: {shown(target)} is {'the' if len(targets) == 1 else 'a'} target, {why}.")
    _check_pairs(targets, lists, inputs)


_NO_TARGETS = {
    "future": "so its future values can't be known; name other columns",
    "static": "so it changes with time; name other columns",
    "categories": "which must hold numbers; name other columns",
}


def _check_pairs(targets: Sequence[str], lists: dict[str, Sequence[str]], inputs: Sequence[str] | None) -> None:
    both = [name for name in lists["static"] if name in lists["future"]]
    if both:
        raise SettingError(
            f"static and future: {shown(both[0])} is named in both; a static column is known in the rows ahead anyway, "
            "so name it in one of them: static where it never changes within a series, else future."
        )
    read = {*targets, *(inputs or ()), *lists["future"], *lists["static"]}
    unread = [name for name in lists["categories"] if inputs is not None and name not in read]
    if unread:
        raise SettingError(
            f"categories: {shown(unread[0])} is in none of inputs, future and static, so no model would read it; name "
            "it there too, or leave it out of categories."
        )


@dataclass(frozen=True)
class Roles:
    """Which columns a forecaster uses: the target, the inputs (the target and the static columns among them), and
    columns known in advance; `categories` are those of them that hold words, `static` the inputs of one
    value in each series. `wide` says which columns of the user's table the target's values are, where there are
    several. `unread` are the columns of the table that no model reads, as nobody named them."""

    target: str
    inputs: tuple[str, ...]
    future: tuple[str, ...] = ()
    wide: Wide | None = None
    categories: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    named_in_both: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column in use, each once, inputs first."""
        return tuple(dict.fromkeys((*self.inputs, self.target, *self.future)))

    @property
    def numeric(self) -> tuple[str, ...]:
        """The columns in use that hold numbers."""
        return tuple(name for name in self.columns if name not in self.categories)

    @property
    def numeric_inputs(self) -> tuple[str, ...]:
        """The inputs that hold numbers, the target among them."""
        return tuple(name for name in self.inputs if name not in self.categories)

    def notes(self) -> list[str]:
        """What was decided where columns are named for no part, or for two."""
        found = []
        if self.unread:
            more = f" and {len(self.unread) - _LISTED:,} more" if len(self.unread) > _LISTED else ""
            found.append(
                f"Not read: {', '.join(map(shown, self.unread[:_LISTED]))}{more} (inputs='*' reads every column, "
                "inputs=[...] those named)."
            )
        if not self.named_in_both:
            return found
        listed = ", ".join(map(shown, self.named_in_both[:5])) + (", …" if len(self.named_in_both) > 5 else "")
        one = len(self.named_in_both) == 1
        return [
            *found,
            f"{listed} {'is' if one else 'are'} named in both inputs and future: networks read the past values as "
            f"inputs, and the values of the rows ahead as known in advance; "
            f"leave {'it' if one else 'them'} "
            "out of inputs to have the rows ahead alone.",
        ]

    @classmethod
    def choose(
        cls,
        panel: Panel,
        target: str,
        inputs: Inputs,
        future: Sequence[str],
        static: Sequence[str] = (),
        categories: Sequence[str] = (),
    ) -> Roles:
        """Check the names against the panel; without `inputs` those of `read_by_default` are, and "*" is every column.

        The past of what is known in advance is read too, but where the inputs are named without it. `static` are inputs
        too, beside those that the panel found to be static and that are read. Raises DataError for a name that the
        panel lacks, for a static column that changes within a series and for a target of words, and SettingError where
        the names contradict each other.
        """
        check_named(targets=(target,), inputs=inputs, future=future, static=static)
        named = None if inputs == ALL_COLUMNS else inputs
        for name in (target, *(named or ()), *future, *static):
            panel.column(name)
        if target in panel.words:
            raise SettingError(f"target: {shown(target)} is a category of words; name a column of numbers.")
        for name in static:
            _check_static(panel, name)
        usual = read_by_default(panel, future, static, categories) if inputs is None else ()
        chosen = {*(panel.columns if inputs == ALL_COLUMNS else usual if named is None else named), *static}
        reads = tuple(name for name in panel.columns if name in chosen or name == target)
        roles = cls(target, reads, tuple(future))
        both = tuple(name for name in future if named is not None and name in named)
        unread = tuple(name for name in panel.columns if inputs is None and name not in roles.columns)
        words = tuple(name for name in roles.columns if name in panel.words)
        fixed = [name for name in panel.static if name not in (target, *future)]
        still = tuple(name for name in reads if name in static or name in fixed)
        wide = panel.wide if panel.wide is not None and panel.wide.value == target else None
        return cls(target, reads, tuple(future), wide, words, still, both, unread)


def read_by_default(
    panel: Panel, future: Sequence[str], static: Sequence[str], categories: Sequence[str]
) -> tuple[str, ...]:
    """The columns besides the target that a model reads where no inputs are named.

    Those that the user named for another part, and those of one value within each series. Others of the table make
    forecasts worse more often than better.
    """
    read = {*future, *static, *categories, *panel.static}
    return tuple(name for name in panel.columns if name in read)


def _check_static(panel: Panel, name: str) -> None:
    """Raise DataError where a static column changes within a series, naming the rows of the panel."""
    values = known_values(panel.column(name), name, panel.words)
    change = changes_within(values, panel.series_index)
    if change is None:
        return

    def where(row: int, column: str) -> str:
        when = f"row {row + 1}" if panel.time is None else str(panel.time[row].astype("M8[s]"))
        return f"The panel, {when}, column {shown(column)}"

    series = panel.ids[int(np.searchsorted(panel.offsets, change[0], side="right")) - 1]
    raise refuse_change(name, values, change, series, panel.words, where)
