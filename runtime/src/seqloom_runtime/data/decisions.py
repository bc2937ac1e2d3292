"""What was decided where a table, a text or a column of times could be read in more than one way, as plain records; and
what to type where it should have been decided otherwise."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["SETTING", "Decision", "names_a_way", "with_way"]

SETTING = "setting"

_NOTHING = "nothing need be done"
_OTHERWISE = {
    "archive": _NOTHING,
    "array": "another one can be named (array=)",
    "axes": "other axes can be named (axes=)",
    "brackets": _NOTHING,
    "category": "name the columns to read (inputs=) to leave it out",
    "century": "write four digits otherwise",
    "columns": "other columns can be named (word_column=), (tag_column=)",
    "comments": "nothing need be done, unless they are data: then write another mark in front",
    "currency": _NOTHING,
    "decimal": "say thousands=',' where they split thousands",
    "dropped": "another way can be named (duplicates=)",
    "empty rows": _NOTHING,
    "encoding": "another one can be named (encoding=)",
    "fields": _NOTHING,
    "files": "a column that tells them apart can be named (file_column=)",
    "filled": "another way (fill=) or limit (max_fill=) can be named",
    "footer": "nothing need be done, unless it is a row: then write its time or number in its first cell",
    "header": "say header=False where it holds no names",
    "images": "another array can be named (images=)",
    "index": _NOTHING,
    "inserted": "another way (fill=) or limit (max_fill=) can be named",
    "interval": "another time can be named (time=)",
    "left": "another limit can be named (max_fill=)",
    "left-out": "another time can be named (time=)",
    "left out": "to read it, name it (inputs=) or, as words, name it (categories=)",
    "merged": "another way can be named (duplicates=)",
    "minus behind": _NOTHING,
    "minus sign": _NOTHING,
    "missing": "further marks can be named (missing=)",
    "number-form": "say time='none' to count rows instead",
    "offsets": "another zone can be named (zone=)",
    "percent": "nothing need be done, as all of them are of one unit",
    "query": "a SELECT can be named instead (query=)",
    "quotes": "nothing need be done, unless they hold cells together: then write one around each whole cell",
    "repeated-hour": "write the times with their UTC offset otherwise",
    "sentinel": "the marks can be named (missing=)",
    "separator": "another one can be named (separator=)",
    "sheet": "another one can be named (sheet=)",
    "sorted": _NOTHING,
    "split": _NOTHING,
    "split words": _NOTHING,
    "table": _NOTHING,
    "tags": _NOTHING,
    "targets": "other columns can be named (target=)",
    "texts": "another array can be named (texts=)",
    "thousands": "say thousands='none' otherwise",
    "truth": "to read it as words, name it (categories=)",
    "units": "where it holds the names, say how many lines stand before it (skip=)",
    "week": "another form can be named (time_format=)",
}
"""What to type where a decision, by its `what`, was not meant, or that nothing has to be typed; a sentence that names a
parameter by itself is left as it is."""
_A_WAY = re.compile(rf"\b[a-z]+(?:_[a-z]+)*=(?:'|\d|True|False|\))|{_NOTHING}|\bwrite |--[a-z]")


def names_a_way(text: str) -> bool:
    """Whether a sentence says what to type where it should be otherwise, as a parameter or as a flag, or that nothing
    need be done.

    >>> names_a_way("Lines 1 to 2 are left out."), names_a_way("Rows are counted, as time='none' says.")
    (False, True)
    """
    return _A_WAY.search(text) is not None


def with_way(what: str, text: str) -> str:
    """The sentence of a decision, with what to type otherwise where it doesn't say so.

    >>> with_way("sheet", "The table is sheet 'a'.")
    "The table is sheet 'a'; another one can be named (sheet=)."
    """
    way = _OTHERWISE.get(what)
    return text if way is None or names_a_way(text) else f"{text.removesuffix('.')}; {way}."


@dataclass(frozen=True)
class Decision:
    """One thing that was decided while reading.

    `what` is a short word such as "header", "separator", "decimal" or "time order"; `text` one whole sentence that says
    what was done and, where there is another way, what to type for it, which is added where the sentence lacks it;
    `column` the column that it is about, None for the whole file; `option` the keyword that settles it otherwise, such
    as "decimal", None where none does. `SETTING` is the word for a parameter that was not given and was chosen for the
    table.
    """

    what: str
    text: str
    column: str | None = None
    option: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", with_way(self.what, self.text))

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values, for data.json."""
        return asdict(self)
