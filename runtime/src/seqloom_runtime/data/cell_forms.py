"""What a single cell of text looks like: empty, missing, a number, a time, a truth value, or words.

Only the shape of a table (where its header is, what is a footer) is decided by this; values are read elsewhere,
strictly.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

__all__ = [
    "CURRENCIES",
    "EMPTY",
    "MISSING",
    "MISSING_MARKS",
    "MISSING_WORDS",
    "NUMBER",
    "TIME",
    "WORDS",
    "commonest",
    "form_of",
    "truth_words",
]

MISSING_WORDS = ("", "na", "n/a", "nan", "null", "none")
"""Cells that are missing in any column, whatever case they are written in."""
MISSING_MARKS = (
    *(
        "-",
        "--",
        "---",
        "–",
        "—",
        ".",
        "..",
        "...",
        "…",
        "?",
        "??",
        ":",
        "\\n",
        "<na>",
        "nat",
        "nil",
        "(null)",
        "[null]",
    ),
    *("#n/a", "#na", "#nv", "#value!", "#div/0!", "#ref!", "#null!", "n.a.", "n. a.", "n.d.", "n/d", "k.a.", "k. a."),
    *("missing", "1.#qnan", "-1.#ind"),
)
"""Cells that are missing where the rest of a column is numbers, in lower case."""
_PAIRS = (
    *(("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"), ("ja", "nein"), ("wahr", "falsch"), ("vrai", "faux")),
    *(("oui", "non"), ("sí", "no"), ("vero", "falso")),
)
CURRENCIES = ("US$", "A$", "C$", "HK$", "R$", "CHF", "EUR", "USD", "GBP", "JPY", "kr", "zł", "Kč", *"$€£¥₹₽₩₺₪฿")
EMPTY, MISSING, NUMBER, TIME, WORDS = "empty", "missing", "number", "time", "words"

_CURRENCY = "|".join(re.escape(sign) for sign in CURRENCIES)
_NUMBER = re.compile(
    rf"\(?\s*(?:{_CURRENCY})?\s*[+\-−]?\s*(?:{_CURRENCY})?\s*(?:\d[\d.,'’\u00a0\u202f\u2009 ]*|[.,]\d+)"
    rf"(?:[eE][+-]?\d+)?\s*"
    rf"(?:%|{_CURRENCY})?\s*\)?|[+-]?inf(?:inity)?",
    re.IGNORECASE,
)
_MONTH = (
    r"(?:jan|feb|fev|fév|mar|mär|mrz|apr|avr|abr|may|mai|maj|jun|juin|jul|juil|aug|août|ago|sep|set|oct|okt|out|nov|dec|dez|dic|"
    r"déc)[^\W\d]{0,8}\.?"
)
_CLOCK = r"\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:[.,]\d+)?(?:\s?[ap]\.?m\.?)?"
_TIMES = re.compile(
    r"\d{1,4}([-/.])\s?\d{1,2}\1\s?\d{1,4}\.?(?:[T ,;]\s?\S.*)?"  # a date, with whatever follows
    r"|\d{4}[-/]\d{1,2}|\d{1,2}[-/]\d{4}"
    rf"|\d{{1,2}}:\d{{2}}(?::\d{{2}})?(?:[.,]\d+)?(?:\s?[ap]\.?m\.?)?(?:\s?[+-]\d\d:?\d\d|Z)?"
    rf"|(?:[^\W\d]{{3,9}},?\s+)?\d{{1,2}}[.\s\-/]+{_MONTH}[\s\-/,]*\d{{2,4}}(?:[ ,T]\s?{_CLOCK})?"
    rf"|\d{{4}}[\s\-/]?{_MONTH}(?:[\s\-/]*\d{{1,2}})?"
    rf"|{_MONTH}[\s\-/,]*(?:\d{{1,2}}(?:st|nd|rd|th)?[\s,\-/]+)?\d{{2,4}}(?:[ ,T]\s?{_CLOCK})?"
    r"|[qQ][1-4][\s\-/]?\d{4}|\d{4}[\s\-/]?[qQ][1-4]|\d{4}-?[wW]\d{1,2}(?:-\d)?|\d{4}M\d{2}"
    r"|\d{8}[T ]\d{4,6}Z?",
    re.IGNORECASE,
)
_LONGEST = 80  # longer cells are words


def form_of(cell: str) -> str:
    """One of EMPTY, MISSING, NUMBER, TIME and WORDS.

    >>> [form_of(cell) for cell in ("", "n/a", "1.234,5", "Jan-49", "degC")]
    ['empty', 'missing', 'number', 'time', 'words']
    """
    text = cell.strip()
    if not text:
        return EMPTY
    if len(text) > _LONGEST:
        return WORDS
    lower = text.lower()
    if lower in MISSING_WORDS or lower in MISSING_MARKS:
        return MISSING
    if _TIMES.fullmatch(text):
        return TIME
    return NUMBER if _NUMBER.fullmatch(text) else WORDS


def commonest(cells: Iterable[str]) -> str:
    """The form of most cells that hold something; EMPTY where none does."""
    found = Counter(form for cell in cells if (form := form_of(cell)) not in (EMPTY, MISSING))
    return found.most_common(1)[0][0] if found else EMPTY


def truth_words(distinct: Sequence[str]) -> tuple[str, str] | None:
    """The words for yes and no, in lower case, where the different cells of a column are no more than such a pair.

    >>> truth_words(["TRUE", "False"])
    ('true', 'false')
    """
    words = {word.strip().lower() for word in distinct}
    if not words:
        return None
    return next((pair for pair in _PAIRS if words <= set(pair)), None)
