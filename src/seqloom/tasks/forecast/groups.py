"""Errors of many series by group: the stores, states or categories that their static columns and names tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqloom_runtime.data import Panel
from seqloom_runtime.data.categories import MISSING
from seqloom_runtime.data.series_names import id_columns, split_names
from seqloom_runtime.forecast.targets import own_series

from .by_series import SeriesErrors
from .windowed import ForecastData

__all__ = ["Group", "groups_errors", "groups_of_panel", "groups_record"]

_MOST_GROUPS = 30  # of one column, the largest; series.csv has the columns for whoever wants the others
_MOST_NUMBERS = 12  # values of a column of numbers that are groups each; of more there are four ranges
_QUARTERS = (0.25, 0.5, 0.75)


@dataclass(frozen=True, eq=False)
class Group:
    """A column that puts series into groups: its name, the groups' names in order (None for series without a value),
    and the number (S,) of the group of each series."""

    column: str
    names: tuple[str | None, ...]
    of: np.ndarray

    def texts(self) -> np.ndarray:
        """The name of the group of each series, (S,) objects."""
        return np.array(self.names, dtype=object)[self.of]


def groups_of_panel(panel: Panel, id: str | Sequence[str] | None) -> list[Group]:
    """The columns of a panel that group its series: static ones, and of several id columns those that name fewer series
    than there are. A column of many numbers makes four ranges with about as many series each."""
    if len(panel.ids) < 2:
        return []
    found = [_of_names(column, names.tolist()) for column, names in _named(panel, id).items()]
    found += [_of_values(panel, column) for column in panel.static]
    return [group for group in found if 1 < len(group.names) < len(panel.ids)]


def _named(panel: Panel, id: str | Sequence[str] | None) -> Mapping[str, np.ndarray]:
    """The parts of the series' names where several columns name them together."""
    if id is None or panel.wide is not None or len(id_columns(id)) < 2:
        return {}
    named = id if isinstance(id, str) else ",".join(id)
    parts = split_names(named, np.array(panel.ids, dtype=object))
    return {} if len(parts) < 2 else parts


def _of_names(column: str, names: Sequence[str | None]) -> Group:
    order = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return Group(column, tuple(order), np.array([order[name] for name in names], dtype=np.int64))


def _of_values(panel: Panel, column: str) -> Group:
    """The groups of a static column: its words, its numbers where these are few, or four ranges of them."""
    ends, there = panel.offsets[1:] - 1, np.diff(panel.offsets) > 0
    values = np.full(len(panel.ids), np.nan)
    values[there] = panel.column(column)[ends[there]]  # the last row: a value is carried to the rows behind it
    if column in panel.words:
        values[values == MISSING] = np.nan
    known = np.isfinite(values)
    distinct, of = np.unique(values[known], return_inverse=True)
    if column in panel.words:
        names = [panel.words[column][int(code)] for code in distinct]
    elif len(distinct) <= _MOST_NUMBERS:
        names = [f"{value:.10g}" for value in distinct]
    else:
        inner = np.unique(np.quantile(values[known], _QUARTERS))
        of = np.searchsorted(inner, values[known], side="left")
        used, of = np.unique(of, return_inverse=True)
        held = [values[known][of == place] for place in range(len(used))]
        names = [f"{each.min():.10g} to {each.max():.10g}" for each in held]
    numbers = np.full(len(values), len(names), dtype=np.int64)
    numbers[known] = of.reshape(-1)
    return Group(column, (*names, *(() if known.all() else (None,))), numbers)


def groups_record(groups: Sequence[Group], data: ForecastData) -> list[dict[str, Any]]:
    """What metrics.json says of the groups: of each `column` the names of its largest groups (`values`), how many
    `series` and measured `rows` these have, and how many groups are left out (`more`)."""
    # Targets of the same rows are one series of the table.
    _, first, own = np.unique(own_series(data.panel), return_index=True, return_inverse=True)
    rows = np.zeros(len(first), dtype=np.int64)
    np.maximum.at(rows, own, measured_rows(data))
    found = []
    for group in groups:
        kept, count = _largest(group), len(group.names)
        series, held = np.bincount(group.of[first], minlength=count), np.bincount(group.of[first], rows, count)
        found.append(
            {
                "column": group.column,
                "values": [group.names[place] for place in kept],
                "series": series[kept].tolist(),
                "rows": held[kept].astype(np.int64).tolist(),
                "more": count - len(kept),
            }
        )
    return found


def groups_errors(
    groups: Sequence[Group], data: ForecastData, sums: Mapping[str, np.ndarray], errors: SeriesErrors
) -> list[dict[str, Any]]:
    """A model's test errors in the groups of `groups_record`, in its order: `mae` over all values that were scored (in
    standard deviations where targets have units of their own), `mase` and `rmsse`, the means of those of the series."""
    first = np.minimum(data.panel.offsets[:-1], len(data.panel) - 1)
    absolute = sums["absolute"] / (data.std[first] if data.own_units else 1.0)
    found = []
    for group in groups:
        kept, count = _largest(group), len(group.names)
        each = {"mae": _mean(group.of, absolute, sums["steps"], count)}
        for name in ("mase", "rmsse"):
            values = getattr(errors, name)
            there = np.isfinite(values)
            each[name] = _mean(group.of, np.where(there, values, 0.0), there.astype(np.float64), count)
        found.append({name: [None if v != v else v for v in values[kept].tolist()] for name, values in each.items()})
    return found


def measured_rows(data: ForecastData) -> np.ndarray:
    """How many measured rows each series has: (S,)."""
    before = np.concatenate([[0], np.cumsum(data.measured)])
    return np.diff(before[data.panel.offsets])


def _largest(group: Group) -> np.ndarray:
    """The groups with the most series, at most `_MOST_GROUPS`, in their order."""
    sizes = np.bincount(group.of, minlength=len(group.names))
    return np.sort(np.argsort(-sizes, kind="stable")[:_MOST_GROUPS])


def _mean(of: np.ndarray, sums: np.ndarray, counts: np.ndarray, groups: int) -> np.ndarray:
    """The quotient of two sums by group (G,), NaN where there is nothing."""
    total, number = np.bincount(of, sums, groups), np.bincount(of, counts, groups)
    return np.divide(total, number, out=np.full(groups, np.nan), where=number > 0)
