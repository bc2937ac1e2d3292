"""Numbers as people write them: which mark is the decimal one and which splits thousands, decided from all cells.

A comma or a point that is followed by three digits can be either. What decides, in this order: what the caller says, a
cell of the same column that can be read in one way only ("1,234,567", "0,5", "1.234,56"), such a cell of another
column, and the separator (cells of a comma-separated file that hold a comma in quotes are written the English way).
Otherwise it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .cell_forms import CURRENCIES, MISSING_MARKS, MISSING_WORDS, truth_words

__all__ = ["Evidence", "Numbers", "evidence_in", "read_numbers", "read_truths", "text_series"]

_SPACES = r"[ \u00a0\u202f\u2009'’]"
_SIGN = r"^[+-]?"
_GROUPED = {",": r"[1-9]\d{0,2}(?:,\d{3})", ".": r"[1-9]\d{0,2}(?:\.\d{3})"}
_EXPONENT = r"(?:[eE][+-]?\d+)?$"
_ONE = {mark: f"{_SIGN}{_GROUPED[mark]}$" for mark in ",."}
"""One group, which can also be three decimals."""
_MORE = {
    ",": rf"{_SIGN}(?:{_GROUPED[',']}{{2,}}|[1-9]\d{{0,1}}(?:,\d\d)+,\d{{3}}|[1-9]\d{{0,2}}(?:,\d{{3}})+\.\d*)$",
    ".": rf"{_SIGN}(?:{_GROUPED['.']}{{2,}}|[1-9]\d{{0,2}}(?:\.\d{{3}})+,\d*)$",
}
"""Cells in which the mark can only split thousands."""
_DECIMAL = {
    mark: rf"{_SIGN}\d*{dot}\d*{_EXPONENT}|{_SIGN}[1-9]\d{{0,2}}(?:{other}\d{{3}})+{dot}\d*$"
    for mark, dot, other in ((",", ",", r"\."), (".", r"\.", ","))
}
"""Cells in which the mark is the decimal one, unless they are of `_ONE`."""
_VALID = {
    (",", "."): rf"{_SIGN}(?:[1-9]\d{{0,2}}(?:\.\d{{3}})+|\d+)?(?:,\d*)?{_EXPONENT}",
    (",", ""): rf"{_SIGN}\d*(?:,\d*)?{_EXPONENT}",
    (".", ","): rf"{_SIGN}(?:[1-9]\d{{0,2}}(?:,\d{{3}})+|[1-9]\d?(?:,\d\d)+,\d{{3}}|\d+)?(?:\.\d*)?{_EXPONENT}",
}
_HEAD = 200


@dataclass(frozen=True)
class Evidence:
    """Cells of a column that show what its commas and points are, as (row, cell): `thousands` and `decimal` by mark
    where there is no other reading, `either` by mark where there is."""

    thousands: dict[str, tuple[int, str]] = field(default_factory=dict)
    decimal: dict[str, tuple[int, str]] = field(default_factory=dict)
    either: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def mark(self) -> str | None:
        """The decimal mark, where the cells prove one and the same."""
        proven = set(self.decimal) | {"." if mark == "," else "," for mark in self.thousands}
        return proven.pop() if len(proven) == 1 else None

    @property
    def torn(self) -> bool:
        """Whether some cells prove one decimal mark and some the other."""
        return len(set(self.decimal) | {"." if mark == "," else "," for mark in self.thousands}) > 1


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column read as numbers: `values` (R,) float64 with NaN where missing, `bad` (K,) the rows that hold none,
    `asked` the row and cell that can be read in two ways; `said` what was read in another way than it is written, as
    (kind, row, cell, count)."""

    values: np.ndarray
    bad: np.ndarray
    asked: tuple[int, str] | None = None
    said: tuple[tuple[str, int, str, int], ...] = ()


def text_series(column: Any) -> Any:
    """The cells of a narwhals Series or array as a polars Series of texts without white space around; None is
    missing."""
    import polars as pl

    native = column.to_native() if hasattr(column, "to_native") else None
    if isinstance(native, pl.Series) and native.dtype in (pl.String, pl.Categorical, pl.Enum):
        return native.cast(pl.String).str.strip_chars()
    cells = column.to_list() if native is not None else column.tolist()
    return pl.Series([_written(cell) for cell in cells], dtype=pl.String).str.strip_chars()


def _written(cell: Any) -> str | None:
    from .cells import is_missing

    return None if is_missing(cell) else str(cell)


def evidence_in(texts: Any) -> Evidence:
    """What the cells (R,) of a polars Series of plain number texts show about their marks."""
    found = Evidence()
    bare = _bare(texts)
    for mark in ",.":
        held = bare.str.contains(mark, literal=True)
        rows = held.arg_true()
        if not len(rows):
            continue
        cells = bare.gather(rows)
        one = cells.str.contains(_ONE[mark])
        for name, hits in (
            ("thousands", cells.str.contains(_MORE[mark])),
            ("either", one),
            ("decimal", cells.str.contains(_DECIMAL[mark]) & ~one),
        ):
            first = hits.arg_true()
            if len(first):
                row = int(rows[int(first[0])])
                getattr(found, name)[mark] = (row, str(texts[row]))
    return found


def read_numbers(
    texts: Any, decimal: str | None, thousands: str | None, missing: tuple[str, ...], others: Any, english: bool
) -> Numbers:
    """The numbers in a polars Series of texts (R,).

    `decimal` and `thousands` are what the caller says, None where nothing; `others()` gives the decimal mark that other
    columns prove, or None; `english` that a comma-separated file holds the column.
    """
    import polars as pl

    values = np.array(texts.cast(pl.Float64, strict=False).to_numpy(), dtype=np.float64)
    if missing:
        values[texts.fill_null("").is_in(list(missing)).to_numpy()] = np.nan
    odd = np.flatnonzero(np.isnan(values))
    lower = texts.gather(odd).fill_null("").str.to_lowercase()
    gone = lower.is_in([*MISSING_WORDS, *(word.lower() for word in missing)]).to_numpy()
    odd = odd[~gone]
    if not len(odd):
        if not (decimal == "," or thousands == "." or (decimal is None and _all_groups(texts, english))):
            return Numbers(values, odd)
        return _by_marks(texts, values, np.flatnonzero(~np.isnan(values)), [], decimal, thousands, others, english)
    marks = texts.gather(odd).str.to_lowercase().is_in(list(MISSING_MARKS)).to_numpy()
    said: list[tuple[str, int, str, int]] = []
    if marks.any():
        said.append(("missing", int(odd[marks][0]), str(texts[int(odd[marks][0])]), int(marks.sum())))
        odd = odd[~marks]
    plain = decimal in (None, ".") and thousands is None and not len(odd)
    rows = odd if plain and not (decimal is None and _all_groups(texts, english)) else _rows_to_read(values, odd)
    return _by_marks(texts, values, rows, said, decimal, thousands, others, english)


def read_truths(texts: Any, missing: tuple[str, ...]) -> tuple[tuple[str, str] | None, np.ndarray]:
    """The words for yes and no in a polars Series of texts (R,) that holds nothing else, and its cells as 1, 0 and NaN;
    None and no cells where it holds anything else."""
    import polars as pl

    gone = {*MISSING_WORDS, *MISSING_MARKS, *(mark.lower() for mark in missing)}
    words, lower = None, texts
    for part in (texts.head(_HEAD), texts):  # a look at the first cells tells most columns
        lower = part.str.to_lowercase()
        words = truth_words([cell for cell in lower.unique().to_list() if cell is not None and cell not in gone])
        if words is None:
            return None, np.zeros(0)
    assert words is not None
    values = lower.replace_strict({words[0]: 1.0, words[1]: 0.0}, default=None).cast(pl.Float64)
    return words, np.array(values.to_numpy(), dtype=np.float64)


def _rows_to_read(values: np.ndarray, odd: np.ndarray) -> np.ndarray:
    """The rows that hold numbers or ought to: those that polars reads as they are, and the odd ones."""
    wanted = ~np.isnan(values)
    wanted[odd] = True
    return np.flatnonzero(wanted)


def _all_groups(texts: Any, english: bool = False) -> bool:
    """Whether all cells are whole or have three digits after their one point, as thousands have; few columns are so,
    and a look at the first cells tells most of them. In an `english` file some must be whole, as all of few decimals
    are not."""
    pattern = r"^[+-]?(?:[1-9]\d{0,2}\.\d{3}|\d{1,3})?$"
    filled = texts.head(0)
    for part in (texts.head(_HEAD), texts):
        filled = part.drop_nulls()
        if not filled.str.contains(pattern).all():
            filled = filled.filter(~filled.str.to_lowercase().is_in([*MISSING_WORDS, *MISSING_MARKS]))
            if not filled.str.contains(pattern).all():
                return False
    points = filled.str.contains(".", literal=True)
    return bool(points.any()) and not (english and bool(points.all()))


def _by_marks(
    texts: Any,
    values: np.ndarray,
    rows: np.ndarray,
    said: list[tuple[str, int, str, int]],
    decimal: str | None,
    thousands: str | None,
    others: Any,
    english: bool,
) -> Numbers:
    """Read `rows` by the marks that the caller, this column, other columns or the separator decide."""
    import polars as pl

    if not len(rows):
        return Numbers(values, rows, None, tuple(said))
    cells, how = _undressed(texts.gather(rows), rows)
    found = evidence_in(cells)
    mark, asked = _decimal_mark(found, decimal, thousands, others, english)
    if asked is not None:
        row = int(rows[asked[0]])
        return Numbers(values, rows[:0], (row, str(texts[row])), tuple(said))
    split = "." if mark == "," else ","
    if thousands == "none":
        split = ""
    elif thousands in (",", "."):
        split = thousands
    plain = _spaces_out(cells) if thousands != "none" else cells
    if split:
        form = _VALID[(mark, split)]
        fits = plain.str.contains(form)
        grouped = plain.str.contains(split, literal=True) & fits
        number = plain.str.replace_all(split, "", literal=True)
    else:
        fits = plain.str.contains(_VALID[(",", "")] if mark == "," else rf"{_SIGN}\d*\.?\d*{_EXPONENT}")
        grouped, number = pl.Series([False]).new_from_index(0, len(plain)), plain
    if mark == ",":
        number = number.str.replace(",", ".", literal=True)
    read = np.array(number.cast(pl.Float64, strict=False).to_numpy(), dtype=np.float64)
    infinite = np.array(plain.cast(pl.Float64, strict=False).is_infinite().fill_null(False).to_numpy())
    good = (np.array(fits.fill_null(False).to_numpy()) & ~np.isnan(read)) | infinite
    read[infinite] = plain.cast(pl.Float64, strict=False).to_numpy()[infinite]
    values = values.copy()
    values[rows] = np.where(good, read * how.sign, np.nan)
    said += how.said
    spaced = plain != cells
    unsure = "?" if found.mark is None and decimal is None and thousands is None else ""
    for kind, hits in ((f"thousands {split}{unsure}", grouped), ("thousands space", spaced)):
        first = hits.fill_null(False).arg_true()
        if len(first):
            said.append((kind, int(rows[int(first[0])]), str(texts[int(rows[int(first[0])])]), len(first)))
    if mark == "," and decimal is None and thousands is None and (proof := found.decimal or found.either).get(","):
        row = int(rows[proof[","][0]])
        said.append(("decimal" if found.decimal else "decimal elsewhere", row, str(texts[row]), 1))
    elif mark == "." and split and "." in found.either and decimal is None and not found.thousands:
        row = int(rows[found.either["."][0]])
        if _all_groups(cells, english):
            said.append(("point", row, str(texts[row]), 1))
    return Numbers(values, np.union1d(rows[~good], how.mixed(rows)), None, tuple(said))


def _decimal_mark(
    found: Evidence, decimal: str | None, thousands: str | None, others: Any, english: bool
) -> tuple[str, tuple[int, str] | None]:
    """The decimal mark of a column, and the cell to ask about where nothing decides."""
    if decimal == "," and english and _only_english(found) and thousands is None:
        return ".", None  # "10,025" in quotes between commas, throughout: no file is written so with decimal commas
    if decimal is not None:
        return decimal, None
    if thousands in (",", "."):
        return ("." if thousands == "," else ","), None
    if found.mark is not None:
        return found.mark, None
    if found.torn:
        return ("." if english else others() or "."), None  # and the cells of the other kind are no numbers
    if "," in found.either:
        known = others() or ("." if english else None)
        return (known, None) if known is not None else (".", found.either[","])
    return (others() or "." if "." in found.either and not english else "."), None


def _only_english(found: Evidence) -> bool:
    return ("," in found.either or "," in found.thousands) and "," not in found.decimal and "." not in found.thousands


def _spaces_out(cells: Any) -> Any:
    """Cells whose digits stand in groups of three with spaces or apostrophes between them, without these."""
    grouped = cells.str.contains(rf"{_SIGN}\d{{1,3}}(?:{_SPACES}\d{{3}})+(?:[.,]\d*)?$").fill_null(False)
    if not grouped.any():
        return cells
    import polars as pl

    closed = cells.str.replace_all(_SPACES, "")
    return pl.select(pl.when(grouped).then(closed).otherwise(cells)).to_series()


def _bare(texts: Any) -> Any:
    """Cells without the spaces between groups, for a look at their commas and points."""
    return _spaces_out(texts.fill_null(""))


@dataclass(frozen=True, eq=False)
class _Dress:
    """What was taken off the cells (K,): their sign as 1 or −1, what to say, and which cells are dressed unlike
    others."""

    sign: np.ndarray
    said: list[tuple[str, int, str, int]]
    odd: np.ndarray

    def mixed(self, rows: np.ndarray) -> np.ndarray:
        return rows[self.odd]


def _undressed(cells: Any, rows: np.ndarray) -> tuple[Any, _Dress]:
    """The cells without percent and currency signs, brackets for a minus, typographic minus signs."""
    import polars as pl

    sign, said, odd = np.ones(len(cells)), [], np.zeros(0, dtype=np.int64)
    plain = cells.fill_null("")
    if not plain.str.contains(r"[^0-9.,eE+\-]").any() and not plain.str.contains(r"\d-$").any():
        return plain, _Dress(sign, said, odd)

    def note(kind: str, hits: Any) -> None:
        first = hits.arg_true()
        if len(first):
            said.append((kind, int(rows[int(first[0])]), str(cells[int(first[0])]), len(first)))

    note("minus sign", plain.str.contains("−", literal=True))
    plain = plain.str.replace_all("−", "-", literal=True)
    bracketed = plain.str.contains(r"^\(.*\d.*\)$")
    note("brackets", bracketed)
    plain = pl.select(
        pl.when(bracketed).then(plain.str.strip_prefix("(").str.strip_suffix(")").str.strip_chars()).otherwise(plain)
    ).to_series()
    behind = plain.str.contains(r"^[^+\-]*\d-$")
    note("minus behind", behind)
    plain = pl.select(pl.when(behind).then(plain.str.strip_suffix("-")).otherwise(plain)).to_series()
    sign[(bracketed | behind).to_numpy()] = -1.0
    percent = plain.str.ends_with("%")
    if percent.any():
        note("percent", percent)
        bare = (~percent & plain.str.contains(r"\d") & ~plain.str.contains(r"^[+-]?0*[.,]?0*$")).arg_true().to_numpy()
        odd = bare  # 12 % beside 0.12 can't be told from 12 % beside 12
        plain = plain.str.strip_suffix("%").str.strip_chars()
    for symbol in CURRENCIES:
        held = plain.str.contains(symbol, literal=True)
        if held.any():
            note("currency", held)
            plain = plain.str.replace(symbol, "", literal=True).str.strip_chars()
            plain = plain.str.replace(r"^([+-])\s+", "$1")
            other = plain.str.contains("[" + "".join(s for s in CURRENCIES if len(s) == 1) + "]")
            odd = np.union1d(odd, other.arg_true().to_numpy())
            break
    return plain, _Dress(sign, said, odd)
