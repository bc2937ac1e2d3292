"""Where a table begins and ends in a text: lines before the header, the header, a row of units, a footer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import shown
from .cell_forms import EMPTY, MISSING, NUMBER, TIME, WORDS, commonest, form_of
from .decisions import Decision
from .dialect import Reading

_NUMBER_LIKE = re.compile(r"[<>≤≥~(+\-−±$€£]*\s*\d")
_UNIT = re.compile(
    r"[\[(].*[\])]|°.{0,3}|deg.{0,6}|%.{0,8}|[kMGTmµun]?(?:W|Wh|VA|V|A|Hz|Pa|m|g|l|L|s|J|K|N|bar|cal|eV)(?:[/²³·^*-].{0,8}|\d)?|"
    r"[CF]|min|h|d|hPa|mbar|mmHg|in|ft|mph|km/?h|kts?|knots?|ppm|ppb|dB|rpm|USD|EUR|GBP|CHF|€|\$|units?|pcs|bool|float|int",
)
__all__ = ["Line", "Shape", "find_shape"]

_MOST_UNITS = 3
_FEW_ROWS = 5  # too few to say that a last line without a time is a total, not a row
_TOTALS = (
    *("total", "totals", "grand total", "sum", "average", "mean", "avg", "median", "min", "max", "count", "minimum"),
    *("maximum", "source", "sources", "note", "notes", "summe", "gesamt", "gesamtsumme", "mittelwert", "durchschnitt"),
    *("mittel", "quelle", "anzahl", "total général", "somme", "moyenne", "source :", "suma", "media", "promedio"),
    *("totale", "somma", "totaal", "summa", "subtotal", "end", "eof", "итого", "всего", "합계", "総計", "合计", "合計"),
)


@dataclass(frozen=True)
class Line:
    """One line of the text: its number from 1 and its cells."""

    number: int
    cells: list[str]

    @property
    def forms(self) -> list[str]:
        """The form of each cell (`cell_forms.form_of`)."""
        return [form_of(cell) for cell in self.cells]

    @property
    def filled(self) -> int:
        """How many cells hold something."""
        return sum(cell.strip() != "" for cell in self.cells)

    @property
    def comment(self) -> bool:
        return bool(self.cells) and self.cells[0].lstrip().startswith("#")


@dataclass(frozen=True)
class Shape:
    """How the lines of a text are a table: `width` cells a row, `names` of the header (None: there is none), `before`
    lines of the head that come before the rows, `behind` lines of the tail that are no rows, `indexed` whether rows
    begin with a number that the header doesn't name, `narrow` whether the rows end in a separator that the header
    lacks (1) or the header in one that the rows lack (−1), `numbered` whether names may all be numbers."""

    width: int
    names: list[str] | None
    before: int
    header_line: int
    behind: int = 0
    indexed: bool = False
    narrow: int = 0
    said: list[Decision] = field(default_factory=list)
    numbered: bool = False


def find_shape(head: Sequence[Line], tail: Sequence[Line], reading: Reading) -> Shape:
    """The shape of a text from its first and its last lines that hold something; `tail` are lines behind `head`, none
    of them where the head is the whole text."""
    said: list[Decision] = []
    start, names = (0, None) if reading.plain else _begin(head, tail, reading, said)
    first = head[start] if names is None else Line(head[start].number, names)
    rows = [line for line in (*head[start + 1 :], *tail) if not (line.comment and len(line.cells) != len(first.cells))]
    header = True if names is not None else reading.header
    if header is None:
        header = reading.plain or not _is_data(first, rows)
        if not header:
            held = ", ".join(cell.strip() for cell in first.cells[:4])
            said.append(
                Decision(
                    "header",
                    f"Line {first.number} holds data ({shown(held)[1:-1]}): the table has no header and its columns "
                    "are "
                    "named column_1, column_2, …; say header=True where it holds names.",
                    option="header",
                )
            )
    if not header:
        behind = _footer(head[start:], tail, len(first.cells), reading, said)
        return Shape(len(first.cells), None, start, first.number, behind, said=said)
    width, indexed, narrow = _width(first, rows)
    units = 0 if reading.plain else _units(head[start + 1 :], tail, width, said)
    begin = start + 1 + units
    behind = _footer(head[begin:], tail, width, reading, said)
    if indexed:
        said.append(
            Decision(
                "index", "The rows begin with a number that the header has no name for: it counts them and is left out."
            )
        )
    counted = _counts(first.cells)
    if counted and reading.header is None and not reading.plain:
        said.append(
            Decision(
                "header",
                f"Line {first.number} counts the columns from 0, as data frames without names are written: its numbers "
                "are taken as their names; say header=False where it holds data.",
                option="header",
            )
        )
    numbered = counted or bool(reading.header)
    return Shape(width, list(first.cells), begin, first.number, behind, indexed, narrow, said, numbered)


def _counts(cells: Sequence[str]) -> bool:
    """Whether the cells of a header are 0, 1, 2 and so on, with or without an empty one for the index in front."""
    named = [cell.strip() for cell in cells]
    named = named[1:] if named and not named[0] else named
    return len(named) > 1 and named == [str(place) for place in range(len(named))]


def _begin(
    head: Sequence[Line], tail: Sequence[Line], reading: Reading, said: list[Decision]
) -> tuple[int, list[str] | None]:
    """Which line of the head is the header, or the first row where there is none; and its names where they stand in a
    comment."""
    comments = 0
    while comments < len(head) and head[comments].comment:
        comments += 1
    if comments == len(head):
        return 0, None
    table = head[comments:]
    names = _names_in_comment(head, comments) if comments and reading.header is None else None
    if names is not None and comments == 1 and len(head[0].cells) == len(names):
        return 0, None  # a header whose first name begins with #
    if names is not None:
        if comments > 1:
            said.append(_left_out("comments", head[: comments - 1]))
        line = head[comments - 1].number
        said.append(Decision("header", f"Line {line} names the columns, although it begins with #.", option="header"))
        return comments - 1, names
    if comments:
        said.append(_left_out("comments", head[:comments]))
    start = 0 if reading.skip or reading.header else _behind_preamble(table, tail)
    if start:
        held = table[:start]
        said.append(
            Decision(
                "preamble",
                f"The table begins on line {table[start].number}; {_lines(held)} before it "
                f"({shown(_text(held[0]), 40)}) "
                f"{_are(held)} left out. Say header=True where line {held[0].number} holds the names.",
                option="header",
            )
        )
    return comments + start, None


def _names_in_comment(head: Sequence[Line], comments: int) -> list[str] | None:
    """The names in the last of the comment lines, where they are as many as the cells of the lines behind it, which are
    data."""
    last, behind = head[comments - 1], head[comments:]
    width = Counter(len(line.cells) for line in behind).most_common(1)[0][0]
    cells = [cell.strip() for cell in last.cells]
    cells[0] = cells[0].lstrip("# ")
    if not cells[0]:
        cells = cells[1:]
    if len(cells) != width:
        cells = " ".join(cells).split()
    if (
        len(cells) == width > 1
        and len(set(cells)) == width
        and all(form_of(cell) == WORDS for cell in cells)
        and _is_data(behind[0], behind[1:])
    ):
        return cells
    return None


def _behind_preamble(table: Sequence[Line], tail: Sequence[Line]) -> int:
    """How many lines stand before the table."""
    counts = [len(line.cells) for line in table]
    later = [*counts[len(counts) // 2 :], *(len(line.cells) for line in tail)]
    width = Counter(later).most_common(1)[0][0]
    if width < 2:
        return 0
    start = next((i for i in range(len(table)) if all(count == width for count in counts[i : i + 3])), 0)
    behind = (*table[start + 1 :], *tail)
    if start and (
        (_holds_values(table[start]) and not _names_times(table[start])) or not any(map(_holds_values, behind[:10]))
    ):
        return 0  # a header of another width than its rows: refused by its line, as ever
    for ahead in range(start + 1, min(start + 10, len(table) - 1)):
        if _holds_values(table[ahead]):
            break
        padded = not table[start].cells[-1].strip() and table[ahead].filled == width
        if table[ahead].filled > table[start].filled and (padded or 2 * table[start].filled <= width):
            start = ahead  # a title, padded with separators
        elif (
            ahead == start + 1
            and _is_label_and_number(table[start], table[ahead])
            and len(table[ahead].cells) == width
            and any(map(_holds_values, (*table[ahead + 1 :], *tail)))  # names may be numbers above a table of words
        ):
            start = ahead
    return start


def _names_times(line: Line) -> bool:
    """Whether a line holds words and then years or times that rise, as the header of a table with a column for each."""
    names = [cell.strip() for cell in line.cells if cell.strip()]
    forms = [form_of(cell) for cell in names]
    words = next((at for at, form in enumerate(forms) if form != WORDS), len(names))
    dated = names[words:]
    if not words or len(dated) < 3:
        return False
    years = all(re.fullmatch(r"(?:1[5-9]|2[01])\d\d", name) for name in dated)
    return (years and dated == sorted(set(dated))) or all(form == TIME for form in forms[words:])


def _is_label_and_number(line: Line, following: Line) -> bool:
    """Whether a line such as "Station,12", or one that repeats a word, stands above one of names alone."""
    forms = line.forms
    values = [cell.strip() for cell, form in zip(line.cells, forms) if form in (NUMBER, TIME)]
    yearly = all(cell.isdigit() and 1800 <= int(cell[:5]) < 2200 for cell in values)
    held = [cell for cell in line.cells if cell.strip()]
    if len(set(held)) < len(held) and len(set(following.cells)) == len(following.cells):
        return all(form == WORDS for form in following.forms)  # names differ
    return bool(values) and not yearly and forms[0] == WORDS and all(form == WORDS for form in following.forms)


def _holds_values(line: Line) -> bool:
    return any(form in (NUMBER, TIME) for form in line.forms)


def _is_data(first: Line, rows: Sequence[Line]) -> bool:
    """Whether the first line holds values instead of names: a time above times, or a number that is not whole above
    numbers, and no words above numbers or times."""
    rows = [row for row in rows[:40] if len(row.cells) == len(first.cells)]
    if not rows:
        return False
    proven = False
    for column, (cell, form) in enumerate(zip(first.cells[:200], first.forms)):
        below = commonest(row.cells[column] for row in rows)
        if form in (WORDS, EMPTY) and below in (NUMBER, TIME):
            return False
        is_value = form == TIME or (form == NUMBER and not cell.strip(" +-").isdigit())
        proven = proven or (is_value and form == below)
    return proven


def _width(first: Line, rows: Sequence[Line]) -> tuple[int, bool, int]:
    """The cells of a row, whether the first of them only counts, and on which side a last separator is missing."""
    width = len(first.cells)
    if not rows or any(len(row.cells) == width for row in rows[:5]):
        return width, False, 0
    if all(len(row.cells) == width + 1 for row in rows):
        if all(not row.cells[-1].strip() for row in rows):
            return width + 1, False, 1
        counts = [row.cells[0].strip() for row in rows]
        start = counts[0]
        if (
            start in ("0", "1")
            and len(rows) > 1
            and counts[:5] == [str(int(start) + i) for i in range(len(counts[:5]))]
        ):
            return width + 1, True, 0
    if not first.cells[-1].strip() and all(len(row.cells) == width - 1 for row in rows):
        return width - 1, False, -1
    return width, False, 0


def _units(head: Sequence[Line], tail: Sequence[Line], width: int, said: list[Decision]) -> int:
    """How many lines behind the header hold units or other words, and no values, above columns of numbers."""
    for count in range(min(_MOST_UNITS, len(head) - 1), 0, -1):
        rows = [line for line in (*head[count : count + 40], *tail) if len(line.cells) == width]
        units = head[:count]
        if not rows or any(len(line.cells) != width or _holds_values(line) for line in units):
            continue
        below = [commonest(row.cells[column] for row in rows) for column in range(width)]
        if not all(_is_rule(line) or _are_units(line, below) for line in units):
            continue
        held = ", ".join(dict.fromkeys(cell.strip() for line in units for cell in line.cells if cell.strip()))
        noun = "holds units or remarks" if count == 1 else "hold units or remarks"
        said.append(
            Decision(
                "units",
                f"{_lines(units, capital=True)} {noun} ({shown(held, 60)[1:-1]}), no data, and "
                f"{'is' if count == 1 else 'are'} left out.",
            )
        )
        return count
    return 0


def _are_units(line: Line, below: Sequence[str]) -> bool:
    """Whether words stand above columns of numbers or times, in a table of times or where one of them looks like a
    unit; words with a digit before them are a number with something behind it."""
    words = [cell.strip() for cell, kind in zip(line.cells, below) if form_of(cell) == WORDS and kind in (NUMBER, TIME)]
    if any(_NUMBER_LIKE.match(word) for word in words):
        return False
    return bool(words) and (TIME in below or any(_UNIT.fullmatch(word) for word in words))


def _is_rule(line: Line) -> bool:
    """Whether a line is drawn, as between the header and the rows of a Markdown table."""
    held = [cell.strip() for cell in line.cells if cell.strip()]
    return bool(held) and all(len(cell) > 1 and not cell.strip("-:=") for cell in held)


def _footer(head: Sequence[Line], tail: Sequence[Line], width: int, reading: Reading, said: list[Decision]) -> int:
    """How many of the last lines are no rows: a total, a source, or separators alone."""
    if reading.plain:
        return 0
    rows = [line for line in head if len(line.cells) == width]
    key = commonest(row.cells[0] for row in rows[:40]) if rows else EMPTY
    behind = tail or head[1:]
    empty, words = 0, []
    # A date that is written once for several rows leaves cells empty in the head as well.
    held = [line for line in behind if line.filled]
    timeless = (
        key == TIME and len(rows) > _FEW_ROWS and all(row.cells[0].strip() for row in rows if row is not held[-1])
    )
    for line in reversed(behind):
        if not line.filled and width > 1:
            empty += 1
        elif _is_footer(line, width, key) or (timeless and not words and not line.cells[0].strip() and line.filled):
            words.append(line)
        else:
            break
    if words:
        last = words[::-1]
        said.append(
            Decision(
                "footer",
                f"{_lines(last, capital=True)} at the end ({shown(_text(last[0]), 40)}) {_are(last)} no data and left "
                "out.",
            )
        )
    if empty:
        said.append(Decision("empty rows", f"{empty} empty row{'s' * (empty > 1)} at the end {_were(empty)} left out."))
    return empty + len(words)


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _is_footer(line: Line, width: int, key: str) -> bool:
    """Whether a line is a total or a remark: words where other rows begin with a time or number, and known words or
    fewer cells than a row."""
    if key not in (NUMBER, TIME) or not line.cells:
        return False
    first = line.cells[0].strip().strip("*").strip()
    if line.comment:
        return True
    if form_of(first) in (NUMBER, TIME) or (form_of(first) in (EMPTY, MISSING) and len(line.cells) == width):
        return False
    known = first.lower().rstrip(" :.") in _TOTALS or first.lower().startswith(
        ("source:", "note:", "quelle:", "stand:")
    )
    sparse = len(line.cells) < width and line.filled == 1 and first != "" and not _holds_values(line)
    return known or (sparse and (" " in first or line.cells[0].startswith("*") or not any(map(str.isalnum, first))))


def _left_out(what: str, lines: Sequence[Line]) -> Decision:
    begin = "begins" if len(lines) == 1 else "begin"
    return Decision(what, f"{_lines(lines, capital=True)} {begin} with # and {_are(lines)} left out.")


def _are(lines: Sequence[Line]) -> str:
    return "is" if len(lines) == 1 else "are"


def _lines(lines: Sequence[Line], capital: bool = False) -> str:
    noun = "Line" if capital else "line"
    if len(lines) == 1:
        return f"{noun} {lines[0].number}"
    return f"{noun}s {lines[0].number} to {lines[-1].number}"


def _text(line: Line) -> str:
    return ", ".join(cell.strip() for cell in line.cells if cell.strip())
