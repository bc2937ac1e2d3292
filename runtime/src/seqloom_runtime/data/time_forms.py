"""The written forms of times, as patterns over the shapes of cells: digits as 9, letters small, the rest as it is.

The cells of a column share a few shapes ("9999-99-99 99:99"); each shape is matched once, and the groups of the match
say where in the bytes of all its cells the parts of a time stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .time_words import MONTHS, WEEKDAYS

__all__ = [
    "CLOCK_ALONE",
    "FORMS",
    "LATER",
    "MON",
    "WEEKDAY",
    "Layout",
    "interval_of",
    "layout_from",
    "layout_of",
    "order_layouts",
    "why_not",
]

FORMS = (
    "ISO such as 2020-01-31 or 2020-01-31T18:30:00+01:00, 31.01.2020 18:30:00, 31/01/2020, 01/31/2020 6:30 PM, "
    "31 Jan 2020, 2020-01, Jan-2020, 2020-Q1, 2020-W05, a year, or epoch seconds or milliseconds; another form can be "
    "named (time_format=)"
)
MON = b"(?P<mon>" + b"|".join(sorted(MONTHS, key=len, reverse=True)) + rb")\.?"
WEEKDAY = rb"(?:(?:" + b"|".join(WEEKDAYS) + rb")\.?,? +)?"
_BLANK = rb"(?:[ \t]|\xc2\xa0|\xe2\x80\xaf)"  # no-break blanks too, which some systems write before AM
_CLOCK = (
    rb"(?:(?P<H>9{1,2})(?P<k>[:.])(?P<M>99)(?:(?P=k)(?P<S>99)(?:[.,:](?P<f>9{1,9}))?)?"
    rb"(?:" + _BLANK + rb"?(?P<p>[ap])\.?m\.?| uhr)?)"
)
_HOURS = rb"(?:(?P<H2>9{1,2})(?:" + _BLANK + rb"?(?P<p2>[ap])\.?m\.?| ?h(?P<M2>99)?)?)"
_OFFSET = (
    rb"(?: ?(?P<z>(?:z|utc|gmt)(?![+\-])|(?:utc|gmt)?(?P<sign>[+\-]|\xe2\x88\x92)(?P<zh>99)(?::?(?P<zm>99))?"
    rb"|(?:utc|gmt)(?P<sign1>[+\-])(?P<zh1>9))(?: \(?[a-z]{2,5}\)?|\[[a-z_/+\-9]+\])?)?"
)
_JOIN = rb"(?:t" + _BLANK + rb"?|" + _BLANK + rb"{1,3}|(?:,|;|_|:|, | - )" + _BLANK + rb"?)"
LATER = rb"(?:" + _JOIN + rb"(?:" + _CLOCK + rb"|" + _HOURS + rb")" + _OFFSET + rb")?"
_COMMA = rb"(?:, ?| |[-/.])"
_YEAR = rb"(?:(?P<Y>9999)|(?P<y>99))"
_DATES = (
    rb"(?P<Y>9999)(?P<s>[-/.])(?P<m>9{1,2})(?P=s)(?P<d>9{1,2})",
    rb"(?P<a>9{1,2})(?P<s>[-/.]|\. )(?P<b>9{1,2})(?P=s)(?P<c>9999|99)",
    WEEKDAY + rb"(?P<d>9{1,2})(?:st|nd|rd|th)?\.?[-/ ]*" + MON + rb"[-/ ,]*" + _YEAR,
    WEEKDAY + MON + rb"[-/ ]*(?P<d>9{1,2})(?:st|nd|rd|th)?" + _COMMA + rb" *(?P<Y>9999)",
    MON + rb"[ ]+(?P<d>9{1,2})(?:st|nd|rd|th)?, *(?P<y>99)",
    rb"(?P<Y>9999)[-/ .]" + MON + rb"[-/ .](?P<d>9{1,2})",
    rb"(?P<Y>9999)-(?P<j>999)",
    rb"(?P<Y>9999)\. ?(?P<m>9{1,2})\. ?(?P<d>9{1,2})\.?",
    "(?P<Y>9999) ?(?:年|년) ?(?P<m>9{1,2}) ?(?:月|월) ?(?P<d>9{1,2}) ?(?:日|일)".encode(),
)
_COMPACT = rb"(?P<Y>9999)(?P<m>99)(?P<d>99)[t _-](?P<H>99):?(?P<M>99)(?::?(?P<S>99)(?:[.,](?P<f>9{1,9}))?)?" + _OFFSET
_PERIODS = (
    rb"(?P<Y>9999)(?P<s>[-/.:])(?P<m>9{1,2})",
    "(?P<Y>9999) ?(?:年|년) ?(?P<m>9{1,2}) ?(?:月|월)".encode(),
    rb"(?P<m>9{1,2})[-/](?P<Y>9999)",
    MON + rb"(?: *[-/, ] *| ?'|)" + _YEAR,
    rb"(?P<Y>9999)(?: *[-/ .] *|)" + MON,
    rb"(?P<Y>9999)[- ]?m(?P<m>9{1,2})",
    rb"(?P<Y>9999)[-/ .:]?(?:q|qtr|quarter) ?(?P<q>9)",
    rb"(?:q|qtr|quarter) ?(?P<q>9)(?:[-/, .]{0,2}(?P<Y>9999)|[- ]?'?(?P<y>99))",
    rb"(?P<q>9)\.? ?(?:q|qtr|quarter|quartal|trim|trimestre)[-/ .]{0,2}" + _YEAR,
    rb"(?P<Y>9999)[- ]?[hs](?P<h>9)",
    rb"[hs](?P<h>9)[-/ ]?(?P<Y>9999)",
    rb"(?P<Y>9999)[-/ ]?(?:w|kw|week) ?(?P<w>9{1,2})",
    rb"(?P<Y>9999)-w(?P<w>99)-(?P<wd>9)",
    rb"(?P<Y>9999)w(?P<w>99)(?P<wd>9)",
    rb"(?:w|kw|week|wk) ?(?P<w>9{1,2})[-/, .]{1,2}(?P<Y>9999)",
)
_UNIX = (
    WEEKDAY + MON + rb" +(?P<d>9{1,2}) +" + _CLOCK + rb"(?: +(?:utc|gmt))? +(?P<Y>9999)"
)  # what the command `date` prints
_CLOCK_FIRST = tuple(_CLOCK + rb"(?:, ?| - | {1,3})" + date for date in _DATES)
_ALL = (*(date + LATER for date in _DATES), _COMPACT, *_PERIODS, _UNIX, *_CLOCK_FIRST)
_CLOCK_FORM = re.compile(_CLOCK)
CLOCK_ALONE = re.compile(
    rb"(?:" + _CLOCK + rb"|(?P<H2>9{1,2})" + _BLANK + rb"?(?P<p2>[ap])\.?m\.?|(?P<H3>9{1,2})h(?P<M3>99)?)"
)
_BETWEEN = re.compile(rb" ?(?: - | \xe2\x80\x93 |\xe2\x80\x93| to | bis |/| / |(?<=:99)-(?=99?:)|(?<=:99) ?- ?) ?")
_ENDS = re.compile(rb"(.*9[:.]99)-99[:.]99")
_NEARLY = (
    (
        CLOCK_ALONE,
        "is not a time: it has no date; name the column of dates too, as in time='Date,Time', or write the date",
    ),
    (
        re.compile(rb"9{1,2}[-/.]9{1,2}|(?:9{1,2}[-/. ]{1,2})?" + MON + rb"(?:[-/ ]9{1,2})?"),
        "is not a time: it has no year; write that too",
    ),
    (
        re.compile(rb"9999-99-99[t ]99:99(?::99)?(?:\.9+)? ?(?!am|pm)[a-z]{2,5}"),
        "is not a time: it ends in a zone's name; write an offset such as +01:00, or none and name the zone (zone=)",
    ),
)
TRIPLES = {"dmy": "abc", "mdy": "bac", "ymd": "cba", "ydm": "bca"}
"""Which of the groups a, b and c of a date of three numbers are the day, the month and the year."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the parts of a time stand in the cells of one shape: `spans` by part (Y, y, m, d, H, M, S, f, …) in bytes.

    `words` are parts that the shape itself fixes, as the month of a name or the sign of an offset. `orders`: how the
    numbers a, b, c may be a date, () where the parts are known. `interval`: the cell goes on to the end of an interval.
    """

    spans: dict[str, tuple[int, int]]
    words: dict[str, int]
    orders: tuple[str, ...] = ()
    dotted: bool = False
    interval: bool = False

    @property
    def has_clock(self) -> bool:
        """Whether a time of day is written."""
        return "H" in self.spans

    @property
    def has_offset(self) -> bool:
        """Whether an offset from UTC is written."""
        return "offset" in self.words


def layout_of(shape: bytes) -> Layout | None:
    """The layout of a shape that is a time, or an interval of two times (of which the first counts); else None.

    >>> layout_of(b"99/99/9999 99:99 am").orders
    ('dmy', 'mdy')
    """
    found = _single(shape)
    if found is not None:
        return found
    for gap in _BETWEEN.finditer(shape):
        start, end = _single(shape[: gap.start()]), shape[gap.end() :]
        if start is not None and (_single(end) is not None or (start.has_clock and _CLOCK_FORM.fullmatch(end))):
            return Layout(start.spans, start.words, start.orders, start.dotted, interval=True)
    return None


def interval_of(shape: bytes) -> Layout | None:
    """The layout of a time and its end behind a minus, as 00:00-00:15, which might be an offset too; else None."""
    match = _ENDS.fullmatch(shape)
    start = None if match is None else _single(match[1])
    return (
        None
        if start is None or start.has_offset
        else Layout(start.spans, start.words, start.orders, start.dotted, True)
    )


def why_not(shape: bytes) -> str:
    """What a shape lacks that is nearly a time; "" where it is nothing like one."""
    return next((reason for form, reason in _NEARLY if form.fullmatch(shape)), "")


@lru_cache(maxsize=1)
def _whole() -> tuple[re.Pattern[bytes], ...]:
    """The patterns of whole times, compiled at the first text: that takes longer than a forecast of numbers."""
    return tuple(re.compile(form) for form in _ALL)


def _single(shape: bytes) -> Layout | None:
    for form in _whole():
        match = form.fullmatch(shape)
        if match is not None:
            return layout_from(match)
    return None


def layout_from(match: re.Match[bytes]) -> Layout:
    """The layout that the named groups of a match say."""
    spans: dict[str, tuple[int, int]] = {}
    words: dict[str, int] = {}
    for name, text in match.groupdict().items():
        if text is None:
            continue
        part = name[:-1] if name[-1].isdigit() else name
        if part == "mon":
            words["m"] = MONTHS[text]
        elif part == "p":
            words["half"] = 12 if text == b"p" else 0
        elif part == "z":
            words["offset"] = 1
        elif part == "sign":
            words["sign"] = 1 if text == b"+" else -1
        elif part not in ("s", "k"):
            spans[part] = match.span(name)
    orders: tuple[str, ...] = ()
    dotted = False
    if "c" in spans:
        wide = spans["c"][1] - spans["c"][0] == 4
        orders = ("dmy", "mdy") if wide else ("dmy", "mdy", "ymd")
        dotted = (match.groupdict().get("s") or b"").startswith(b".")
    return Layout(spans, words, orders, dotted)


def order_layouts(layout: Layout, order: str) -> Layout:
    """The layout with its three numbers taken in this order, such as "dmy"."""
    spans = dict(layout.spans)
    for part, group in zip("dmy", TRIPLES[order]):
        span = layout.spans[group]
        spans["Y" if part == "y" and span[1] - span[0] == 4 else part] = span
    for group in "abc":
        spans.pop(group, None)
    return Layout(spans, layout.words, (), layout.dotted, layout.interval)
