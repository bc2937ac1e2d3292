"""`time_format`: the form of times that a user names, as an order such as "dmy" or as a pattern of strptime."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ..errors import SettingError, shown
from . import time_forms as forms
from .time_forms import Layout, layout_from

__all__ = ["NUMBER_FORMS", "TimeForm", "time_form"]

NUMBER_FORMS = ("s", "ms", "us", "ns", "excel", "count")
_ORDERS = ("dmy", "mdy", "ymd", "ydm", "my", "ym", "y")
_LONGEST = 100
_HALF = rb"(?P<p>[ap])\.?m?\.?"
_OFFSET = rb"(?P<z>z|utc|gmt|(?P<sign>[+\-]|\xe2\x88\x92)(?P<zh>99):?(?P<zm>99)?)"
_PARTS: dict[str, bytes] = {
    "Y": rb"(?P<Y>9999)",
    "y": rb"(?P<y>99)",
    "m": rb"(?P<m>9{1,2})",
    "d": rb"(?P<d>9{1,2})",
    "e": rb"(?P<d>9{1,2})",
    "j": rb"(?P<j>9{1,3})",
    "b": forms.MON,
    "B": forms.MON,
    "h": forms.MON,
    "a": rb"[a-z\x80-\xff]+\.?",
    "A": rb"[a-z\x80-\xff]+\.?",
    "H": rb"(?P<H>9{1,2})",
    "I": rb"(?P<H>9{1,2})",
    "k": rb"(?P<H>9{1,2})",
    "l": rb"(?P<H>9{1,2})",
    "M": rb"(?P<M>9{1,2})",
    "S": rb"(?P<S>9{1,2})",
    "f": rb"(?P<f>9{1,9})",
    "p": _HALF,
    "P": _HALF,
    "z": _OFFSET,
    "Z": rb"(?P<z>z|utc|gmt)",
    "G": rb"(?P<Y>9999)",
    "V": rb"(?P<w>99?)",
    "u": rb"(?P<wd>9)",
    "%": rb"%",
}
_JOINED = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M", "D": "%m/%d/%y", "r": "%I:%M:%S %p"}
_BETWEEN = rb"[-/. ,_]{0,2}"


@dataclass(frozen=True, eq=False)
class TimeForm:
    """A form that was named: `name` as it was, `patterns` over shapes, none for `NUMBER_FORMS`."""

    name: str
    patterns: tuple[re.Pattern[bytes], ...]
    halves: bool = True

    @property
    def is_number(self) -> bool:
        """Whether the form is of numbers that count seconds or rows."""
        return not self.patterns

    def layout(self, shape: bytes) -> Layout | None:
        """The layout of a shape that has this form, else None."""
        match = next((m for pattern in self.patterns if (m := pattern.fullmatch(shape))), None)
        return None if match is None else layout_from(match)


@lru_cache(maxsize=64)
def time_form(name: str) -> TimeForm:
    """The form that `name` names: "dmy", "mdy", "ymd", "ydm", "my", "ym" or "y" (an order, with
    any marks between and a clock behind), "s", "ms", "us", "ns" (since 1970), "excel" (a spreadsheet's days), "count",
    or a pattern of strptime such as "%d/%m/%y %H:%M".

    Raises SettingError for anything else.

    >>> time_form("%d/%m/%y").layout(b"99/99/99").spans["m"]
    (3, 5)
    """
    if not isinstance(name, str) or not name or len(name) > _LONGEST:
        raise _refused(name)
    if name in NUMBER_FORMS:
        return TimeForm(name, ())
    if name in _ORDERS:
        return TimeForm(name, _ordered(name))
    if "%" not in name:
        raise _refused(name)
    return TimeForm(name, (_pattern(name),))


def _refused(name: object) -> SettingError:
    return SettingError(
        f"time_format: expected an order such as {', '.join(_ORDERS[:4])}, my or ym, a unit of epoch numbers "
        f"({', '.join(NUMBER_FORMS[:4])}), excel, or a pattern such as '%d/%m/%Y %H:%M', got {shown(name)}."
    )


def _ordered(order: str) -> tuple[re.Pattern[bytes], ...]:
    """Patterns of dates in this order: years of four digits or of two, months as numbers or names, or all digits."""
    found = []
    for year in (rb"(?P<Y>9999)", rb"(?P<y>99)"):
        for month in (rb"(?P<m>9{1,2})", forms.MON):
            parts = {"d": rb"(?P<d>9{1,2})(?:st|nd|rd|th)?", "m": month, "y": year}
            between = rb"[-/., _]{1,2}" if month != forms.MON else _BETWEEN
            found.append(forms.WEEKDAY + between.join(parts[part] for part in order) + forms.LATER)
        digits = {"d": rb"(?P<d>99)", "m": rb"(?P<m>99)", "y": year}
        found.append(b"".join(digits[part] for part in order) + forms.LATER)
        if order[0] in "dm" and "y" in order:  # a number that has lost the nought in front
            digits[order[0]] = rb"(?P<" + order[0].encode() + rb">9)"
            found.append(b"".join(digits[part] for part in order))
    return tuple(re.compile(pattern) for pattern in found)


def _pattern(name: str) -> re.Pattern[bytes]:
    expanded = re.sub("%([FTRDr])", lambda mark: _JOINED[mark[1]], name)
    found, used = b"", set()
    for mark, text in re.findall(r"%[-#_0^]?(.)|([^%]+|%)", expanded):
        if text == "%" or (mark and mark not in _PARTS):
            what = shown(f"%{mark}") if mark else "a lone '%'"
            raise SettingError(
                f"time_format: {what} in {shown(name)} is no part of a time; known are %Y %y %m %d %b %B %H %I %M %S "
                "%f %p %z %j %a %A %G %V %u."
            )
        piece = _PARTS[mark] if mark else b"".join(_literal(letter) for letter in text)
        groups = set(re.findall(rb"\(\?P<(\w+)>", piece))
        if groups & used:
            raise SettingError(f"time_format: {shown(name)} names {shown('%' + mark)} or its like twice.")
        used |= groups
        found += piece
    if not used & {b"Y", b"y"}:
        raise SettingError(f"time_format: {shown(name)} has no year (%Y or %y), without which there is no time.")
    return re.compile(found)


def _literal(letter: str) -> bytes:
    if letter.isspace():
        return rb"\s+"
    if letter.isdigit():
        return b"9"
    return re.escape(letter.lower().encode())
