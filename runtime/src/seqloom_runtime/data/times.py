"""Times as people write them, parsed as whole arrays: ISO forms, day, month and year in any order, names of months,
quarters, weeks, years, 12-hour clocks, intervals, epoch numbers.

The cells of a column share a few shapes (`time_cells`); each shape is matched once (`time_forms`) and its digits are
then read for all of its rows together. What several orders fit is decided by all cells (`time_order`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from . import moments as m
from .moments import DAY_MICROS, SECOND, Moments, days_of
from .time_cells import Cells, byte_matrix, shapes_of
from .time_forms import FORMS, Layout, interval_of, layout_of, order_layouts, why_not
from .time_numbers import FIRST_EPOCH
from .time_numbers import parse_numbers as parse_numbers
from .time_order import WORDS, centuries, settled_by_steps
from .time_patterns import TimeForm, time_form

__all__ = ["FIRST_EPOCH", "FORMS", "Moments", "digits_as_times", "parse_numbers", "parse_texts", "within_years"]

_NUMBER = re.compile(rb"[+-]?9+(?:\.9*)?(?:e[+-]?9+)?")
_NO_TIME = f"is not a time: expected {FORMS}"
_MOST_OFFSET = 14  # hours


def within_years(times: np.ndarray, kind: str) -> Moments:
    """Moments of `times` (N,) datetime64 of any unit; bad are those that are missing or outside the years 1 to 9999."""
    return m.within_years(times, kind, _NO_TIME)


def parse_texts(texts: Sequence[str | None] | Any, form: str | None = None) -> Moments:
    """Parse text cells, or a polars Series of them; what most cells are, numbers or texts, decides between these.

    `form` is a `time_format` (`time_patterns.time_form`). An order that no cell decides leaves a `question`.

    >>> parse_texts(["31.12.2020 23:50:00"]).values.view("M8[us]")
    array(['2020-12-31T23:50:00.000000'], dtype='datetime64[us]')
    """
    named = None if form is None else time_form(form)
    if not len(texts):
        return Moments(np.empty(0, np.int64), "wall", np.empty(0, np.int64))
    cells = byte_matrix(texts)
    if cells.odd.all():
        return Moments(np.zeros(len(cells.odd), np.int64), "wall", np.flatnonzero(cells.odd), _NO_TIME)
    shapes, which = shapes_of(cells.codes)
    counts = np.bincount(which[which >= 0], minlength=len(shapes))
    numeric = np.array([_NUMBER.fullmatch(shape) is not None for shape in shapes])
    if named is not None and not named.is_number:
        layouts = [named.layout(shape) for shape in shapes]
        return _Reading(cells, shapes, which, layouts, named).moments()
    layouts = [None if number else layout_of(shape) for number, shape in zip(numeric, shapes)]
    numbers = int(counts[numeric].sum())
    timed = int(counts[[layout is not None for layout in layouts]].sum())
    first = which[np.flatnonzero(~cells.odd)[0]]
    if named is not None or numbers > timed or (numbers == timed > 0 and numeric[first]):
        return _numeric_texts(cells, shapes, which, numeric, form or "")
    return _Reading(cells, shapes, which, layouts, None).moments()


def digits_as_times(numbers: np.ndarray, form: str | None) -> Moments:
    """Numbers (N,) as moments, `form` as `time_format`: "ym" and the like read their digits as written."""
    named = None if form is None else time_form(form)
    if named is None or named.is_number:
        return parse_numbers(numbers, form or "")
    finite = np.isfinite(numbers) & (np.abs(numbers) < 2.0**63)
    whole = finite & (np.where(finite, numbers, 0.5) == np.round(np.where(finite, numbers, 0.5)))
    texts = [
        str(int(number)) if is_whole else str(number) for number, is_whole in zip(numbers.tolist(), whole.tolist())
    ]
    return parse_texts(texts, form)


def _numeric_texts(cells: Cells, shapes: list[bytes], which: np.ndarray, numeric: np.ndarray, form: str) -> Moments:
    good = numeric[which] & (which >= 0)
    if not good.all():
        return Moments(np.zeros(len(good), np.int64), "counts", np.flatnonzero(~good), _NO_TIME)
    width = cells.codes.shape[1]
    texts = np.ascontiguousarray(cells.codes).view(f"S{width}")[:, 0]
    whole = not any(set(shape) & set(b".e") for shape in shapes) and width < 19
    return parse_numbers(texts.astype(np.int64 if whole else np.float64), form)


class _Reading:
    """The cells of one column on their way to moments."""

    def __init__(
        self,
        cells: Cells,
        shapes: list[bytes],
        which: np.ndarray,
        layouts: Sequence[Layout | None],
        named: TimeForm | None,
    ) -> None:
        count = len(which)
        self.cells, self.named, self.shapes = cells, named, shapes
        self.layouts = [*layouts, None]  # the last for rows of no shape, -1
        self.which = which
        self.rows = {
            number: slice(None) if len(shapes) == 1 else np.flatnonzero(which == number)
            for number, layout in enumerate(layouts)
            if layout is not None
        }
        self.codes: dict[int, np.ndarray] = {}
        self.good = np.zeros(count, bool)
        self.reason = _NO_TIME if named is None else f"is not a time of the form {named.name!r} (time_format)"
        self.decisions: list[tuple[str, str]] = []
        self.question = self.form = ""

    def moments(self) -> Moments:
        """The moments; see `parse_texts`."""
        self._keep_one_form()
        self._take_ends()
        order = self._order()
        if order:
            self.layouts = [order_layouts(x, order) if x is not None and x.orders else x for x in self.layouts]
        self._join_years()
        values = self._values()
        self._say_forms()
        bad = np.flatnonzero(~self.good)
        if len(bad):
            shape = shapes_of(self.cells.codes[bad[:1]])[0][0]
            return Moments(values, "wall", bad, (self.named is None and why_not(shape)) or self.reason)
        offset = np.array([x is not None and x.has_offset for x in self.layouts])[self.which]
        if offset.any() and not offset.all():
            odd = np.flatnonzero(offset != offset[0])
            return Moments(values, "wall", odd, "has a UTC offset where the first row has none, or the reverse")
        found = within_years(values.view("M8[us]"), "instants" if offset.any() else "wall")
        form = self.form or ("" if self.named is None else self.named.name)
        return replace(found, decisions=tuple(self.decisions), question=self.question, form=form)

    def _of(self, known: Any) -> np.ndarray:
        """Which rows (N,) bool have a layout that is `known`."""
        return np.array([x is not None and bool(known(x)) for x in self.layouts])[self.which]

    def _keep_one_form(self) -> None:
        """Rows of a form that can't stand beside that of most others are no times: dates of three numbers beside dates
        of a known order, and clocks with AM or PM beside clocks without."""
        if self.named is not None or len(self.rows) < 2:
            return
        three = self._of(lambda x: x.orders and not x.dotted)
        known = self._of(lambda x: not x.orders or x.dotted)
        self._drop(three, known, "is written in another form than most cells")
        half, dates = self._of(lambda x: "half" in x.words), self._of(lambda x: not x.has_clock)
        clocks = self._of(lambda x: "half" not in x.words and x.has_clock)
        # Some programs leave the clock of midnight out; a single clock with AM among dates is odd.
        others = clocks if half.sum() > dates.sum() else clocks | dates
        self._drop(half, others, "has AM or PM where most cells have not, or the reverse")

    def _take_ends(self) -> None:
        """Read 00:00-00:15 as an interval where the ends move with the starts, which offsets from UTC don't."""
        mine = [n for n in self.rows if self.named is None and interval_of(self.shapes[n]) is not None]
        mine = [n for n in mine if (x := self.layouts[n]) is not None and "zm" in x.spans]
        if not mine:
            return
        starts, ends = (
            np.concatenate([self._number(n, hour) * 60 + self._number(n, minute) for n in mine])
            for hour, minute in (("H", "M"), ("zh", "zm"))
        )
        if len(np.unique(ends)) > 1 and len(np.unique((ends - starts) % 1440)) == 1:
            for number in mine:
                self.layouts[number] = interval_of(self.shapes[number])

    def _drop(self, some: np.ndarray, others: np.ndarray, reason: str) -> None:
        if not some.any() or not others.any():
            return
        odd = others if some.sum() >= others.sum() else some
        kept = np.array(self.which)
        kept[odd] = -1
        self.which, self.reason = kept, f"{reason}; {self.reason}"
        self.codes = {}
        left: dict[int, Any] = {}
        for number, rows in self.rows.items():
            assert not isinstance(rows, slice)  # which stands for all rows, where there is one shape alone
            left[number] = rows[kept[rows] == number]
        self.rows = left

    # -- the order of day, month and year ---------------------------------------------------------------------------

    def _order(self) -> str:
        """The order of dates of three numbers, "" where there are none; asks where nothing decides."""
        mine = [number for number in self.rows if self._layout(number).orders]
        if not mine:
            return ""
        picked = [self.layouts[number] for number in mine]
        orders = [o for o in ("dmy", "mdy", "ymd") if all(o in x.orders for x in picked if x is not None)]
        parts = {g: np.concatenate([self._number(n, g) for n in mine]) for g in "abc"}
        misfits = {order: _misfits(parts, order) for order in orders}
        fewest = min(int(odd.sum()) for odd in misfits.values())
        kept = [order for order in orders if int(misfits[order].sum()) == fewest]
        place = np.concatenate([np.arange(len(self.which))[self.rows[number]] for number in mine])
        if fewest:
            self._say_contradiction(misfits, kept[0], place)
        if len(kept) == 1:
            lost = [int(place[odd][0]) for order, odd in misfits.items() if order != kept[0] and odd.any()]
            if len(orders) > 1 and not fewest and lost:
                self._decide(kept[0], lost[0])
            return kept[0]
        return self._among(kept, mine)

    def _say_contradiction(self, misfits: dict[str, np.ndarray], order: str, place: np.ndarray) -> None:
        odd = misfits[order]
        other = next((o for o in misfits if o != order and (odd & ~misfits[o]).any()), None)
        first = int(np.flatnonzero(odd)[0])
        if other is not None and not misfits[other][first] and misfits[other].any():
            reason = (
                f"is a date {WORDS[other]} where {self.cells.text(int(place[misfits[other]][0]))} is one {WORDS[order]}"
            )
            self.reason = f"{reason}; write all of them in one order"

    def _decide(self, order: str, row: int) -> None:
        self.form = order
        text = f"dates are {WORDS[order]} ({order}), as {self.cells.text(row)} shows; "
        text += "another form can be named (time_format=)"
        self.decisions.append(("time-format", text))

    def _among(self, orders: list[str], mine: list[int]) -> str:
        """The order of several that fit every cell: the one that makes the rows regular, else a question."""
        readings = []
        for order in orders:
            kept = [*self.layouts]
            self.layouts = [order_layouts(x, order) if x is not None and x.orders else x for x in kept]
            readings.append(self._values())
            self.layouts, self.good = kept, np.zeros_like(self.good)
        rows = np.concatenate([np.arange(len(self.which))[self.rows[number]] for number in mine])
        readings = [values[rows] for values in readings]
        if all((values == readings[0]).all() for values in readings):
            self.form = orders[0]
            return orders[0]
        which = settled_by_steps(readings)
        dotted = "dmy" in orders and all(self._layout(number).dotted for number in mine)
        american = "mdy" in orders and self._one_day(readings) and all("half" in self._layout(n).words for n in mine)
        order = orders[which] if which is not None else "dmy" if dotted else "mdy" if american else ""
        choices = " or ".join(f"{WORDS[o]} ({o})" for o in orders)
        flags = {order: f"time_format='{order}'" for order in orders}
        if not order:
            differ = np.flatnonzero(np.any([values != readings[0] for values in readings[1:]], axis=0))
            cell = self.cells.text(int(rows[differ[0]]))
            self.question = (
                f"{cell} may be {choices}, and neither a number above 12 nor the step of the rows decides; say "
                + " or ".join(flags.values())
            )
            return orders[0]
        why = "as dates with dots are written" if dotted else "as it is mostly written with AM and PM"
        why = "as only so the rows lie in regular steps" if which is not None else why
        rest = " or ".join(flag for o, flag in flags.items() if o != order)
        said = f"{self.cells.text(int(rows[0]))} may be {choices}; {WORDS[order]}, {why}; say {rest} otherwise"
        self.decisions.append(("time-format", said))
        self.form = order
        return order

    @staticmethod
    def _one_day(readings: list[np.ndarray]) -> bool:
        return all(len(np.unique(values // DAY_MICROS)) == 1 for values in readings)

    # -- digits -----------------------------------------------------------------------------------------------------

    def _layout(self, shape: int) -> Layout:
        """The layout of a shape that has rows: cells of a shape without one are no times, and have none."""
        layout = self.layouts[shape]
        assert layout is not None
        return layout

    def _number(self, shape: int, part: str, default: int = 0) -> np.ndarray:
        """The numbers (M,) int64 that a part of a time has in the rows of a shape."""
        layout, rows = self._layout(shape), self.rows[shape]
        if shape not in self.codes:
            whole = isinstance(rows, slice)
            self.codes[shape] = self.cells.codes if whole else np.take(self.cells.codes.T, rows, axis=1).T
        codes = self.codes[shape]
        if part not in layout.spans:
            return np.full(len(codes), layout.words.get(part, default), dtype=np.int64)
        start, end = layout.spans[part]
        value = (codes[:, start] - np.uint8(48)).astype(np.int64)
        for column in range(start + 1, end):
            value *= 10
            value += codes[:, column] - np.uint8(48)
        return value

    def _values(self) -> np.ndarray:
        """Times (N,) int64 µs; `good` says which exist."""
        values = np.zeros(len(self.which), np.int64)
        short = {n: self._number(n, "y") for n in sorted(self.rows) if "y" in self._layout(n).spans}
        self.years: np.ndarray | None = None
        if short:
            self.years = centuries(np.concatenate([*short.values()]))
            ends = np.cumsum([len(years) for years in short.values()])[:-1]
            short = dict(zip(short, np.split(self.years, ends)))
        for shape, rows in self.rows.items():
            year = short[shape] if shape in short else self._number(shape, "Y")
            days, exists = self._days(shape, year)
            clock, good = self._clock(shape)
            values[rows], self.good[rows] = days * DAY_MICROS + clock, exists & good
        return values

    def _join_years(self) -> None:
        """Read 2019/20, 2020/21 as years that end in the next one, where all cells are such."""
        spans = [x.spans for x in self.layouts[:-1] if x is not None]
        if self.named is not None or any(set(parts) != {"Y", "m"} for parts in spans) or not spans:
            return
        year, month = (np.concatenate([self._number(n, part) for n in self.rows]) for part in "Ym")
        if len(np.unique(year)) > 1 and (month == (year + 1) % 100).all():
            self.layouts = [None if x is None else replace(x, spans={"Y": x.spans["Y"]}) for x in self.layouts]
            text = "each is a year that ends in the next, of which the first is taken; say time_format='ym' for months"
            self.decisions.append(("years", text))

    def _days(self, shape: int, year: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        layout = self.layouts[shape]
        assert layout is not None
        one = np.ones_like(year)
        if "w" in layout.spans:
            week, weekday = self._number(shape, "w"), self._number(shape, "wd", 1)
            fourth, exists = days_of(year, one, one * 4)
            monday = fourth - (fourth + 3) % 7 + (week - 1) * 7
            inside = (monday + 3).astype("M8[D]").astype("M8[Y]").astype(np.int64) + 1970 == year
            return monday + weekday - 1, exists & inside & (week >= 1) & (weekday >= 1) & (weekday <= 7)
        if "j" in layout.spans:
            first, exists = days_of(year, one, one)
            day = self._number(shape, "j")
            return first + day - 1, exists & (day >= 1) & (day <= days_of(year + 1, one, one)[0] - first)
        for part, months in (("q", 3), ("h", 6)):
            if part in layout.spans:
                number = self._number(shape, part)
                days, exists = days_of(year, (number - 1) * months + 1, one)
                return days, exists & (number >= 1) & (number <= 12 // months)
        return days_of(year, self._number(shape, "m", 1), self._number(shape, "d", 1))

    def _clock(self, shape: int) -> tuple[np.ndarray, np.ndarray | bool]:
        layout = self.layouts[shape]
        assert layout is not None
        if not layout.has_clock:
            return np.zeros(1, np.int64), True
        hour, minute, second = (self._number(shape, part) for part in "HMS")
        good = (minute < 60) & (second < 60)
        if "half" in layout.words:
            good &= hour <= 12
            hour = hour % 12 + layout.words["half"]
        else:
            good &= (hour < 24) | ((hour == 24) & (minute == 0) & (second == 0))
        micros = (((hour * 60) + minute) * 60 + second) * SECOND
        if "f" in layout.spans:
            start, end = layout.spans["f"]
            micros = micros + self._number(shape, "f") * 10**6 // 10 ** (end - start)
        if "zh" in layout.spans:
            hours, minutes = self._number(shape, "zh"), self._number(shape, "zm")
            good &= (hours <= _MOST_OFFSET) & (minutes < 60)
            micros = micros - layout.words.get("sign", 1) * (hours * 60 + minutes) * 60 * SECOND
        return micros, good

    # -- saying it --------------------------------------------------------------------------------------------------

    def _say_forms(self) -> None:
        used = [x for number, x in enumerate(self.layouts[:-1]) if x is not None and number in self.rows]
        if any(x.interval for x in used):
            self.decisions.append(("interval", "each cell is an interval, of which the start is the time"))
        if any("w" in x.spans for x in used) and not any("wd" in x.spans for x in used):
            self.decisions.append(("week", "weeks are those of ISO 8601, each at its Monday"))
        if self.years is not None and len(self.years):
            low, high = int(self.years.min()), int(self.years.max())
            span = str(low) if low == high else f"{low} to {high}"
            self.decisions.append(("century", f"years of two digits are read as {span}; write four digits otherwise"))


def _misfits(parts: dict[str, np.ndarray], order: str) -> np.ndarray:
    """Which dates (M,) bool of three numbers don't exist in this order."""
    groups = dict(zip("dmy", {"dmy": "abc", "mdy": "bac", "ymd": "cba"}[order]))
    day, month, year = (parts[groups[part]] for part in "dmy")
    odd = (month < 1) | (month > 12) | (day < 1) | (day > 31)
    late = np.flatnonzero(~odd & (day > 28))
    if len(late):  # the 29th of February and the like; of two-digit years 1900 is no leap year, 2000 is
        full = np.where(year[late] < 100, year[late] + 2000, year[late])
        odd[late] = ~days_of(full, month[late], day[late])[1]
    return odd
