"""Files whose lines are texts or sentences and nothing else, as they are handed in to be predicted."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ...errors import shown
from ..decisions import Decision

__all__ = ["are_plain_lines", "are_sentences", "plain_lines_told", "sentences_told"]

_TABLES = ("csv", "tsv", "tab", "psv")
_MARKS = (b"\t", b";", b"|")
_LOOKED_AT = 2000  # lines


def are_plain_lines(data: bytes, path: Path, text: str) -> bool:
    """Whether a file that is to hold texts alone holds one on each line, and is no table.

    A table has its name (.csv, .tsv), the column `text` in its first line, or the same TABs, semicolons or bars in
    each line; commas alone also stand in prose.
    """
    if path.name.lower().removesuffix(".gz").rsplit(".", 1)[-1] in _TABLES:
        return False
    lines = [line for line in data.split(b"\n", _LOOKED_AT)[:_LOOKED_AT] if line.strip()]
    if not lines:
        return False
    cells = lines[0]
    for mark in (*_MARKS, b","):
        cells = cells.replace(mark, b",")
    if text.encode() in [cell.strip(b' "\r') for cell in cells.split(b",")]:
        return False
    return not any(len({line.count(mark) for line in lines}) == 1 and lines[0].count(mark) for mark in _MARKS)


def plain_lines_told(text: str) -> Decision:
    """What is said of such a file."""
    told = (
        f"Each line is a text, as the first line names no column {shown(text)}; say layout='table' where the file is a "
        "table."
    )
    return Decision("layout", told, option="layout")


def are_sentences(text: str, tags: Collection[str]) -> bool:
    """Whether each line without TABs is a sentence of words, where each has several of them.

    Columns, a word per line, have as many cells on each line, and an empty line behind every sentence, or one of the
    known `tags` in the last column; where none are known, as many cells are enough.
    """
    lines = [line.split() for line in text.split("\n", _LOOKED_AT)[:_LOOKED_AT]]
    full = [line for line in lines if line and not line[0].startswith("#")]
    if not full or "\t" in text or "-DOCSTART-" in text:
        return False
    if len({len(line) for line in full}) > 1:
        return True
    if len(full[0]) == 1 or not tags:
        return False
    gaps = sum(not line for line in lines[:-1])
    return gaps == 0 and not all(line[-1] in tags for line in full)


def sentences_told(lines: int) -> Decision:
    """What is said where such lines could have been columns too."""
    what = "The line is a sentence" if lines == 1 else "Each line is a sentence"
    return Decision(
        "layout", f"{what} of words; say layout='conll' where a line is a word and its columns.", option="layout"
    )
