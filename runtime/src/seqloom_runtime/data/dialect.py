"""How a text is written as a table: separator, quotes, lines before the header, units, footer; found from its lines.

Only the first and the last lines are looked at. What is found is said as `Decision`s; where it is not the plain form (a
header on the first line, rows to the end), the sentence names the option that settles it otherwise.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import DataError, SettingError, printable, shown
from .cell_forms import NUMBER, TIME, WORDS, form_of
from .decisions import Decision

__all__ = ["Reading", "Separator", "cells_of", "count_cells", "find_separator", "quotes_are_letters", "separator_named"]

_QUOTED = re.compile(rb'"[^"]*"')
_CANDIDATES = (b",", b";", b"\t", b"|")
_SPACES = re.compile(rb"[ \t]+")
_GAPS = re.compile(rb"(?: {2,}|\t)[ \t]*")
_NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " ", "spaces": " "}
_SAID = {b"\t": "tabs", b"|": "|", b" ": "spaces", b"  ": "two or more spaces", b";": ";", b",": ","}
_SEP_LINE = re.compile(rb'"?sep=(.)"?\r?', re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """What a caller says about a text that holds a table; None is "find out".

    separator: one character, "space" (runs of them) or "tab". header: whether the first line holds names. skip: lines
    to leave out at the top. decimal, thousands: marks in numbers ("none": thousands are not split). missing: texts of
    cells that hold nothing. plain: a table of texts, in which no line is taken for anything but a header or a row.
    typed: columns of plain numbers may come as numbers.
    """

    separator: str | None = None
    header: bool | None = None
    skip: int = 0
    decimal: str | None = None
    thousands: str | None = None
    missing: tuple[str, ...] = ()
    plain: bool = False
    typed: bool = False

    def __post_init__(self) -> None:
        if self.decimal not in (None, ".", ","):
            raise SettingError(f"decimal: expected '.' or ',', got {self.decimal!r}.")
        if self.thousands not in (None, ",", ".", " ", "'", "none"):
            raise SettingError(
                f"thousands: expected ',', '.', ' ', \"'\" or 'none' (not split), got {shown(self.thousands)}."
            )
        if self.thousands is not None and self.thousands == self.decimal:
            raise SettingError(f"thousands and decimal: both are {self.decimal!r}; expected two different marks.")
        if isinstance(self.skip, bool) or not isinstance(self.skip, int) or self.skip < 0:
            raise SettingError(f"skip: expected a number of lines from 0, got {shown(self.skip)}.")
        if self.header not in (None, True, False):
            raise SettingError(f"header: expected True, False or None (find out), got {shown(self.header)}.")
        if self.separator is not None:
            separator_named(self.separator)


@dataclass(frozen=True)
class Separator:
    """What stands between the cells of a line: one byte, b" " for runs of white space, b"  " for gaps of two or
    more."""

    mark: bytes
    letters: bool = False  # quotes are letters

    @property
    def spaces(self) -> bool:
        return self.mark in (b" ", b"  ")

    @property
    def pattern(self) -> re.Pattern[bytes]:
        """What matches between two cells, where that is white space."""
        return _GAPS if self.mark == b"  " else _SPACES


def separator_named(name: str) -> bytes:
    """The separator that a caller names; raises SettingError for what is none."""
    text = _NAMED.get(name.lower(), name) if isinstance(name, str) else name
    if not isinstance(text, str) or len(text) != 1 or text in '"\n\r\0' or text.isalnum() or not text.isascii():
        raise SettingError(
            f"separator: expected one character such as ',', ';' or '|', or tab or space, got {shown(name)}."
        )
    return text.encode()


def count_cells(line: bytes, mark: bytes, letters: bool = False) -> int:
    """How many cells a line has, without a look into them."""
    if mark in (b" ", b"  "):
        return len((_GAPS if mark == b"  " else _SPACES).split(line.strip()))
    return (line if letters or b'"' not in line else _QUOTED.sub(b"", line)).count(mark) + 1


def cells_of(line: bytes, separator: Separator, source: str, header: bool = False) -> list[str]:
    """The cells of one line, without quotes; raises DataError where they are none, of a `header`."""
    if separator.spaces:
        return [cell.decode() for cell in separator.pattern.split(line.strip())]
    text = line.decode()
    if separator.letters:
        return text.split(separator.mark.decode())
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator.mark.decode()))
    except csv.Error as error:
        if header:
            raise DataError(
                f"{source}: the first lines are no table of short cells: {printable(str(error))}."
            ) from None
        return _long_cells(text, separator.mark.decode())
    return rows[0] if rows else []


def _long_cells(text: str, mark: str) -> list[str]:
    """The cells of a line of which one is longer than Python's reader takes; only what they look like matters here."""
    found, at, inside = [], 0, False
    for piece in re.finditer(f'["{re.escape(mark)}]', text):
        if piece[0] == '"':
            inside = not inside
        elif not inside:
            found.append(text[at : piece.start()])
            at = piece.end()
    return [*found, text[at:]]


def find_separator(lines: Sequence[bytes], reading: Reading) -> tuple[Separator, int, Decision | None]:
    """The separator of a text's first lines, how many of them name it ("sep=;"), and what to say about it.

    `lines` (N,) are those that hold something. A separator that splits every line into as many cells as the first is
    taken as ever; else the one that does so with most of the later lines, and gives cells that are numbers and times.
    """
    named = _SEP_LINE.fullmatch(lines[0].strip()) if lines and not reading.plain else None
    if reading.separator is not None:
        return Separator(separator_named(reading.separator)), int(named is not None), None
    if named is not None and not named[1].isalnum():
        said = Decision("separator", f"Line 1 names the separator, {shown(named[1].decode('latin-1'))}.")
        return Separator(named[1]), 1, said
    held = [line for line in lines if not line.lstrip().startswith(b"#")] or list(lines)
    best = _by_first_line(held)
    if best is not None or reading.plain:
        return Separator(best or _by_share(held)[0]), 0, _unusual(best)
    usual, share = _by_share(held)
    # Half of the lines split as the first does: it is the header, and the others are cut by line ends inside quotes.
    best = None if share >= 0.5 else _by_later_lines(held)
    if best is not None:
        return Separator(best), 0, _unusual(best)
    return Separator(usual), 0, None


def _unusual(mark: bytes | None) -> Decision | None:
    if mark not in (b"|", b" ", b"  "):
        return None
    return Decision(
        "separator",
        f"The cells of a line are separated by {_SAID[mark]}. Name another mark where one does (separator=).",
        option="separator",
    )


def _by_first_line(lines: Sequence[bytes]) -> bytes | None:
    """The separator that splits all lines alike, into more than one cell; None where there is none."""
    alike = []
    for mark in _CANDIDATES:
        counts = {count_cells(line, mark) for line in lines}
        if len(counts) == 1 and (width := counts.pop()) > 1:
            alike.append((width, mark))
    if len(alike) < 2:
        return alike[0][1] if alike else None
    return max(alike, key=lambda one: (_typed(lines, one[1]), one))[1]


def _by_share(lines: Sequence[bytes]) -> tuple[bytes, float]:
    """The separator that splits most lines as it does the first, into more than one cell, and their share."""
    best, score = b",", (0.0, 1)
    for mark in _CANDIDATES:
        counts = [count_cells(line, mark) for line in lines[:20]]
        if counts and counts[0] > 1:
            share = (sum(count == counts[0] for count in counts) / len(counts), counts[0])
            score, best = max((score, best), (share, mark))
    return best, score[0]


def _by_later_lines(lines: Sequence[bytes]) -> bytes | None:
    """The separator that splits most of the later lines alike, with lines of another kind before and behind."""
    later = lines[len(lines) // 3 : max(len(lines) - 2, 1)] if len(lines) > 6 else lines[len(lines) // 2 :]
    found = []
    for mark in (*_CANDIDATES, b" ", b"  "):
        width, hits = Counter(count_cells(line, mark) for line in later).most_common(1)[0] if later else (1, 0)
        if width < 2 or hits < 0.5 * len(later):
            continue
        alike = [line for line in later if count_cells(line, mark) == width]
        typed = _typed(alike, mark, header=False)
        whole = sum(count_cells(line, mark) == width for line in lines) / len(lines)
        quotes = bool(found) and any(b'"' in line for line in alike)
        if mark in (b" ", b"  ") and (typed < 0.5 or whole < 0.5 or quotes):
            continue  # running text has spaces too, and cells in quotes are of another mark
        seldom = 0.1 * (mark in (b";", b"\t", b"|"))  # stand in no number and no time
        found.append(
            (round(hits / len(later), 1), round(typed + seldom, 1), mark not in (b" ", b"  "), whole, width, mark)
        )
    return max(found)[-1] if found else None


def _typed(lines: Sequence[bytes], mark: bytes, header: bool = True) -> float:
    """The share of cells that are numbers or times, of the lines behind the first where that may be a header."""
    separator = Separator(mark, letters=True)
    cells = [
        cell.strip(' "')
        for line in (lines[1:12] if header and len(lines) > 1 else lines[:12])
        for cell in cells_of(line, separator, "")[:50]
    ]
    others = "[,;|\t]" if mark in (b" ", b"  ") else "[;|\t]"  # behind a date stands the rest of a row, not a clock
    forms = [form_of(cell) for cell in cells]
    good = sum(form == NUMBER or (form == TIME and not re.search(others, cell)) for form, cell in zip(forms, cells))
    if mark in (b" ", b"  "):  # a word with a comma is rather two cells
        good -= sum(form == WORDS and re.search(others, cell) is not None for form, cell in zip(forms, cells))
    return good / max(len(cells), 1)


def quotes_are_letters(text: bytes, mark: bytes) -> bool:
    """Whether the double quotes of a tab-separated text are letters: one is opened in the middle of a cell, as in 5",
    or what opens a cell is not closed at its end."""
    if mark != b"\t" or b'"' not in text:
        return False
    quoted = re.compile(rb'(?:(?<=[\t\r\n])|^)"(?:[^"]|"")*"(?=[\t\r\n]|$)')
    return b'"' in quoted.sub(b"", text)
