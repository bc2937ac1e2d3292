"""Windows over a panel: which rows may be the origin of a forecast, as an index and never a copy.

The origin t is the last known row. Inputs are rows t-lookback+every, ..., t-every, t; targets are rows t+every, ...,
t+horizon (a path) or row t+horizon alone (`at="last"`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError, SettingError
from .calendar import time_labels
from .filling import interpolated
from .repair import stretch_starts
from .splits import Split, SplitOrigins

if TYPE_CHECKING:
    from .panel import Panel

__all__ = ["WindowSpec", "Windows", "usable_origins"]

_REASONS: tuple[str, ...] = ("crosses a gap", "missing target", "target repaired", "missing input")
_ON_A_LINE = "origin interpolated"
_OUTSIDE = -1  # not a candidate: the window would leave its series
_USABLE = len(_REASONS) + 1
_BLOCK = 1 << 20  # windows that are looked at at once


@dataclass(frozen=True)
class WindowSpec:
    """The shape of a window, all in rows: inputs every `every` rows of `lookback`, targets up to `horizon` rows ahead.

    `at="path"` targets rows every, 2·every, …, horizon after the origin; `at="last"` the row at `horizon` alone.
    Raises SettingError where a number is not positive, or where lookback or a path's horizon is no multiple of every.

    >>> spec = WindowSpec(lookback=6, horizon=4, every=2)
    >>> spec.input_offsets, spec.steps, spec.span
    (array([-4, -2,  0]), array([2, 4]), 9)
    """

    lookback: int
    horizon: int
    every: int = 1
    at: str = "path"

    def __post_init__(self) -> None:
        for name in ("lookback", "horizon", "every"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
                raise SettingError(f"{name}: expected a positive number of rows, got {value!r}.")
            object.__setattr__(self, name, int(value))
        if self.at not in ("path", "last"):
            raise SettingError(f"at: expected 'path' or 'last', got {self.at!r}.")
        for name in ("lookback", "horizon") if self.at == "path" else ("lookback",):
            value, below = getattr(self, name), getattr(self, name) // self.every * self.every
            if value != below:
                offer = f"{below} or {below + self.every}" if below else str(self.every)
                raise SettingError(
                    f"{name}: expected a multiple of every, {self.every} rows, got {value}; use {offer}"
                    + (", or at='last' for that row alone." if name == "horizon" else ".")
                )

    @property
    def input_offsets(self) -> np.ndarray:
        """Input rows relative to the origin: (L,) int64, rising to 0, with L = lookback // every."""
        return np.arange(self.every - self.lookback, 1, self.every, dtype=np.int64)

    @property
    def steps(self) -> np.ndarray:
        """Target rows relative to the origin: (K,) int64."""
        start = self.every if self.at == "path" else self.horizon
        return np.arange(start, self.horizon + 1, self.every, dtype=np.int64)

    @property
    def span(self) -> int:
        """Consecutive rows that one window needs, from its first input to its last target."""
        return self.lookback - self.every + 1 + self.horizon


class Windows:
    """The usable windows of a panel, by their origins.

    A candidate is a row whose window stays inside its series. It is dropped, for the first reason that holds, where the
    window crosses a gap in time, the target has no value at the origin or at any step, none of its steps was measured
    (all were repaired), or an input is missing; so `candidates` is `len(origins)` plus all counts of `dropped`. Steps
    that were not measured beside one that was are the reader's to mask. Repaired inputs are fine, but for a row that
    was interpolated, which knows what came after it: no window has its origin there.

    panel: the data; spec: the window's shape; target: the forecast column; inputs: the columns read at the input rows.
    Raises DataError for an unknown column, where every series is shorter than a window, or where no window is usable.

    >>> from seqloom.data import Panel
    >>> panel = Panel.from_numpy(np.array([1, 2, np.nan, 4, 5, 6, 7]), ["load"], max_fill=1)
    >>> windows = Windows(panel, WindowSpec(lookback=2, horizon=1), target="load", inputs=["load"])
    >>> windows.origins, windows.dropped["target repaired"]
    (array([2, 3, 4, 5]), 1)
    """

    def __init__(self, panel: Panel, spec: WindowSpec, *, target: str, inputs: Sequence[str]) -> None:
        panel.column(target)
        if isinstance(inputs, str) or not inputs:
            raise SettingError(f"inputs: expected a list with at least one column name, got {inputs!r}.")
        for name in inputs:
            panel.column(name)
        self.panel, self.spec, self.target, self.inputs = panel, spec, target, tuple(inputs)
        lengths = np.diff(panel.offsets)
        self.short = tuple(panel.ids[at] for at in np.flatnonzero(lengths < spec.span))
        if len(self.short) == len(lengths):
            raise DataError(_too_short(int(lengths.max(initial=0)), len(lengths), spec))
        self._verdict = _verdicts(panel, spec, target, self.inputs)
        self.origins = np.flatnonzero(self._verdict == _USABLE)
        self.origins.flags.writeable = False
        counts = np.bincount(self._verdict[self._verdict != _OUTSIDE], minlength=_USABLE + 1)
        self.candidates = int(counts.sum())
        self.dropped = _named(counts)
        if not len(self.origins):
            raise DataError(
                f"None of the {self.candidates} windows of {spec.span} rows can be used: "
                f"{_count_reasons(self.dropped)}; the longest stretch without a gap in time has "
                f"{_longest_stretch(panel)} rows. Use a shorter lookback or horizon, leave out inputs with missing "
                "values, or fill longer gaps."
            )

    def __len__(self) -> int:
        return len(self.origins)

    def split(self, split: Split) -> SplitOrigins:
        """The origins by part: every target of a window lies inside its part, inputs may reach back before it.

        Raises SettingError where a part has rows but no window; a test part without rows gives no test windows.
        """
        bounds = {
            "training": (np.iinfo(np.int64).min, split.train_end),
            "validation": (split.train_end, split.valid_end),
            "test": (split.valid_end, np.iinfo(np.int64).max),
        }
        found: dict[str, list[np.ndarray]] = {name: [] for name in bounds}
        lost = {"training to validation": 0, "validation to test": 0}
        for at in range(0, len(self.origins), _BLOCK):
            origins = self.origins[at : at + _BLOCK]
            first, last = (self.panel.tick[origins + self.spec.steps[step]] for step in (0, -1))
            for name, (start, end) in bounds.items():
                found[name].append(origins[(first >= start) & (last < end)])
            # never both: the part between holds a window
            lost["training to validation"] += int(((first < split.train_end) & (last >= split.train_end)).sum())
            lost["validation to test"] += int(((first < split.valid_end) & (last >= split.valid_end)).sum())
        parts = {name: np.concatenate(pieces) for name, pieces in found.items()}
        rows = split.part_rows(self.panel)
        for name, origins in parts.items():
            if not len(origins) and (rows[name] or name != "test"):
                raise SettingError(self._no_window(name, rows[name], bounds[name]))
        return SplitOrigins(parts["training"], parts["validation"], parts["test"], lost)

    def describe(self, origins: np.ndarray | None = None) -> str:
        """How many windows there are and why others were dropped, then the first and last of `origins`, row by row."""
        spec = self.spec
        columns = ", ".join(self.inputs) if len(self.inputs) <= 4 else f"{len(self.inputs)} columns"
        lines = [
            ("windows", f"{len(self.origins)} of {self.candidates}"),
            ("dropped", _count_reasons(self.dropped)),
            ("inputs", f"{_count(len(spec.input_offsets), 'step')}, one every {_rows(spec.every)}, of {columns}"),
            ("target", f"{self.target}, {_count(len(spec.steps), 'step')}, the last {_rows(spec.horizon)} ahead"),
        ]
        if self.short:
            lines.insert(2, ("too short", f"{len(self.short)} series have fewer than {_rows(spec.span)}"))
        text = [f"{name:<14}{value}" for name, value in lines]
        origins = self.origins if origins is None else np.asarray(origins, dtype=np.int64)
        if not len(origins):
            return "\n".join([*text, "no window to show"])
        ends = origins[[0, -1]]
        table = {
            "first input": ends + spec.input_offsets[0],
            "origin": ends,
            "first target": ends + spec.steps[0],
            "last target": ends + spec.steps[-1],
        }
        rows = np.concatenate(list(table.values()))
        if self.panel.time is None:
            labels = [f"step {tick}" for tick in self.panel.tick[rows]]
        else:
            labels = time_labels(self.panel.time[rows], self.panel.zone)
        cells = [("", "first window", "last window")]
        if len(self.panel.ids) > 1:
            series = np.searchsorted(self.panel.offsets, ends, side="right") - 1
            cells.append(("series", self.panel.ids[series[0]], self.panel.ids[series[1]]))
        cells += [(name, labels[2 * i], labels[2 * i + 1]) for i, name in enumerate(table)]
        width = max(len(cell[1]) for cell in cells) + 2
        return "\n".join([*text, *(f"{name:<14}{one:<{width}}{two}".rstrip() for name, one, two in cells)])

    def _no_window(self, part: str, rows: int, bounds: tuple[int, int]) -> str:
        spec, training = self.spec, part == "training"
        need = spec.span if training else int(spec.steps[-1] - spec.steps[0]) + 1
        start = f"split: the {part} part has no window: it has {_rows(rows)}"
        if rows < need:
            why = f"lookback {spec.lookback} and horizon {spec.horizon}" if training else f"horizon {spec.horizon}"
            return (
                f"{start}, {why} need {need}, {need - rows} too few; make the {part} part larger, or the "
                f"{'lookback or the ' if training else ''}horizon shorter."
            )
        t = np.flatnonzero(self._verdict != _OUTSIDE)
        tick = self.panel.tick
        inside = t[(tick[t + spec.steps[0]] >= bounds[0]) & (tick[t + spec.steps[-1]] < bounds[1])]
        if not len(inside):
            return f"{start}, but no series has {_rows(spec.span)} whose targets lie in it; move the boundary."
        counts = np.bincount(self._verdict[inside], minlength=_USABLE)
        found = _count_reasons(_named(counts))
        return (
            f"{start}, but all {len(inside)} windows in it were dropped ({found}); move the boundary, or use a shorter "
            "lookback or horizon."
        )


def usable_origins(panel: Panel, spec: WindowSpec, target: str, inputs: tuple[str, ...]) -> np.ndarray:
    """Which rows of a panel are the origin of a usable window, as `Windows` says: (R,) bool, perhaps none."""
    return _verdicts(panel, spec, target, inputs) == _USABLE


def _verdicts(panel: Panel, spec: WindowSpec, target: str, inputs: tuple[str, ...]) -> np.ndarray:
    """What becomes of each row as an origin: (R,) int8, an index of _REASONS, _USABLE or _OUTSIDE."""
    blocks = panel.blocks()
    if len(blocks) < 2:
        return _verdicts_of(panel, spec, target, inputs)
    found = np.empty(len(panel.tick), dtype=np.int8)
    for first, end in blocks:
        rows = slice(int(panel.offsets[first]), int(panel.offsets[end]))
        found[rows] = _verdicts_of(panel.between(first, end), spec, target, inputs)
    return found


def _verdicts_of(panel: Panel, spec: WindowSpec, target: str, inputs: tuple[str, ...]) -> np.ndarray:
    lengths = np.diff(panel.offsets)
    rows = np.arange(len(panel.tick))
    starts, ends = np.repeat(panel.offsets[:-1], lengths), np.repeat(panel.offsets[1:], lengths)
    first, every, horizon = int(spec.input_offsets[0]), spec.every, spec.horizon
    t = np.flatnonzero((rows + first >= starts) & (rows + horizon < ends))

    breaks = np.zeros(len(rows), dtype=np.int64)
    breaks[1:] = np.diff(panel.tick) != 1
    gaps = np.cumsum(breaks)
    column = panel.columns.index(target)
    absent = ~np.isfinite(panel.values)
    no_input = np.logical_or.reduce(absent[:, panel.positions(inputs)], axis=1)
    no_level = absent[:, column]
    if panel.fill == "none":  # which lets a reader put the mean where an input is missing, and the last target
        no_input = np.zeros(len(rows), dtype=bool)
        last = np.maximum.accumulate(np.where(absent[:, column], -1, rows))
        no_level = last < stretch_starts(panel.tick, panel.series_index)

    def never(good: np.ndarray) -> np.ndarray:
        """Whether no step of the window is good."""
        if spec.at == "last":
            return ~good[t + horizon]
        count = _strided_count(good, every)
        return count[t + horizon + every] == count[t + every]

    count = _strided_count(no_input, every)
    found = (
        gaps[t + horizon] > gaps[t + first],
        no_level[t] | never(~absent[:, column]),
        never(~absent[:, column] & ~panel.filled[:, column]),
        count[t + every] > count[t + every - spec.lookback],
        interpolated(panel, panel.positions((*inputs, target)))[t],
    )
    verdict = np.full(len(rows), _OUTSIDE, dtype=np.int8)
    verdict[t] = np.select(found, range(len(found)), _USABLE)
    return verdict


def _named(counts: np.ndarray) -> dict[str, int]:
    """Dropped windows by reason, from their counts by verdict; the last one only where there are any."""
    found = {reason: int(count) for reason, count in zip((*_REASONS, _ON_A_LINE), counts)}
    return found if found.get(_ON_A_LINE) else {reason: found.get(reason, 0) for reason in _REASONS}


def _strided_count(bad: np.ndarray, every: int) -> np.ndarray:
    """count[r + every] = bad[r] + bad[r - every] + …, so that differences count the marked rows of a strided range."""
    blocks = -(-len(bad) // every) + 1
    padded = np.zeros(blocks * every, dtype=np.int64)
    padded[every : every + len(bad)] = bad
    return padded.reshape(blocks, every).cumsum(axis=0).ravel()


def _longest_stretch(panel: Panel) -> int:
    cuts = np.flatnonzero(np.diff(panel.tick) != 1) + 1
    return int(np.diff(np.unique(np.concatenate([panel.offsets, cuts]))).max(initial=0))


def _too_short(longest: int, series: int, spec: WindowSpec) -> str:
    what = "the data has" if series == 1 else f"the longest of {series} series has"
    inputs = f"lookback {spec.lookback}" + (f" (one row every {spec.every})" if spec.every > 1 else "")
    return (
        f"A window of {inputs} and horizon {spec.horizon} needs {_rows(spec.span)}, but {what} {longest}, "
        f"{spec.span - longest} too few; use a shorter lookback or horizon, or more data."
    )


def _count_reasons(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items() if count) or "none"


def _rows(count: int) -> str:
    return _count(count, "row")


def _count(number: int, unit: str) -> str:
    return f"1 {unit}" if number == 1 else f"{number} {unit}s"
