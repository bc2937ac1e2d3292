"""Tagged sentences in columns: CoNLL files of every kind, CoNLL-U, GermEval, and tables with a column of sentences."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ...errors import DataError, shown
from ..decisions import Decision
from ..table import Table

__all__ = ["Columns", "columns_of_table", "is_table", "parse_columns"]

_COUNTED = re.compile(r"\d+(?:[-.]\d+)?")
_DOCUMENT = re.compile(r"#\s?(?:begin|end) document\b")
_SPLIT_WORD = re.compile(r"\d+[-.]\d+")
_LOOKED_AT = 2000  # lines
_SENTENCES = re.compile(r"(?:sentence|sent)(?:[ _]?(?:#|id|idx|no|number|index|num))?|s_?id", re.IGNORECASE)
_WORDS = ("word", "words", "token", "tokens", "form")
_TAGS = ("tag", "tags", "ner", "ner_tag", "ner_tags", "label", "labels", "entity")


@dataclass
class Columns:
    """Sentences as they were found in columns."""

    words: list[list[str]] = field(default_factory=list)
    tags: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    said: list[Decision] = field(default_factory=list)


@dataclass(frozen=True)
class _Form:
    """What the lines of a file have in common: `width` cells, as on line `first`; whether the first of them counts the
    words; the columns of word and tag; the tags on lines that don't begin with #."""

    width: int
    first: int
    counted: bool
    word: int
    tag: int
    known: frozenset[str]


def parse_columns(text: str, source: str, tagged: bool, word_column: int | None, tag_column: int | None) -> Columns:
    """The sentences of a file with a word per line and empty lines between sentences; columns as for `read_tagged`."""
    found = Columns()
    form = _form(text, source, tagged, word_column, tag_column, found)
    inside, comments, split = False, 0, 0
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip(" \r\n")
        if not line.strip() or line.startswith("-DOCSTART-"):
            inside = False
            continue
        cells = _cells(line)
        if line.startswith("#") and _is_comment(line, cells, form, inside, tagged):
            comments += 1
            continue
        if form.counted and form.word % form.width and _SPLIT_WORD.fullmatch(cells[0].strip()):
            split += 1  # "1-2" stands for two words that follow, "1.1" for one that isn't in the text
            continue
        if len(cells) != form.width:
            raise DataError(
                f"{source}, line {number}: expected {form.width} columns as on line {form.first}, found {len(cells)}."
            )
        if not cells[form.word].strip() or (tagged and not cells[form.tag].strip()):
            raise DataError(f"{source}, line {number}: the word or its tag is empty.")
        if not inside:
            found.words.append([])
            found.tags.append([])
            found.lines.append(number)
            inside = True
        found.words[-1].append(cells[form.word].strip())
        if tagged:
            found.tags[-1].append(cells[form.tag].strip())
    _say(found, comments, split)
    return found


def _cells(line: str) -> list[str]:
    return line.split("\t") if "\t" in line else line.split()


def _say(found: Columns, comments: int, split: int) -> None:
    if comments:
        text = f"{comments:,} line{'s that begin' if comments > 1 else ' that begins'} with # "
        found.said.append(Decision("comments", f"{text}{'are comments' if comments > 1 else 'is a comment'}."))
    if split:
        text = (
            f"{split:,} line{'s' * (split > 1)} such as 1-2 or 1.1, which stand beside the words of the text, left out."
        )
        found.said.append(Decision("split words", text))


def _form(
    text: str, source: str, tagged: bool, word_column: int | None, tag_column: int | None, found: Columns
) -> _Form:
    """What the lines have in common; raises DataError where the asked columns are not there."""
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip(" \r\n")
        if line.strip() and not line.startswith("-DOCSTART-"):
            lines.append((number, line))
            if len(lines) > _LOOKED_AT:
                break
    plain = [(number, line) for number, line in lines if not line.startswith("#")] or lines
    if not plain:
        return _Form(0, 0, False, 0, 0, frozenset())
    first, line = plain[0]
    width = len(_cells(line))
    if any(number < first and len(_cells(line)) > 1 for number, line in lines) and len(plain) > 1:
        width = Counter(len(_cells(line)) for _, line in plain).most_common(1)[0][0]
        first = next(number for number, line in plain if len(_cells(line)) == width)
    alike = [cells for _, line in plain if len(cells := _cells(line)) == width]
    counted = width > 1 and len(alike) > 1 and all(_COUNTED.fullmatch(cells[0].strip()) for cells in alike)
    counted = counted and alike[0][0].strip() in ("1", "0", "1-2")
    if counted and word_column is None:
        word_column, tag_column = _counted_columns(width, source, first, tagged, tag_column, found)
    word = 0 if word_column is None else word_column
    tag = -1 if tag_column is None else tag_column
    _refuse_columns(width, source, first, word, tag if tagged else None)
    known = frozenset(cells[tag].strip() for cells in alike) if tagged else frozenset()
    return _Form(width, first, counted, word, tag, known)


def _counted_columns(
    width: int, source: str, line: int, tagged: bool, tag_column: int | None, found: Columns
) -> tuple[int, int | None]:
    """The columns of word and tag where the first one counts the words of a sentence."""
    if tagged and tag_column is None:
        if width == 10:
            tag_column = 3  # CoNLL-U: the universal part of speech
        elif width != 3:
            raise DataError(
                f"{source}, line {line}: the first of {width} columns counts the words of a sentence, and any of the "
                "others "
                "can hold the tags; say which with word_column=1 and the "
                "number of the tags' column, from 0 (tag_column=)."
            )
    of = f", tags are those of column {tag_column}" if tagged and tag_column is not None else ""
    kind = " (CoNLL-U)" if width == 10 else ""
    text = (
        f"The first column counts the words of a sentence{kind}: words are those of column 1{of}, counted from 0; "
        "name others (word_column=), (tag_column=)."
    )
    found.said.append(Decision("columns", text, option="tag_column"))
    return 1, tag_column


def _is_comment(line: str, cells: list[str], form: _Form, inside: bool, tagged: bool) -> bool:
    """Whether a line that begins with # is a comment, not the word # or #word with its tag."""
    if form.counted or _DOCUMENT.match(line):
        return True
    if len(cells) != form.width:
        return line.startswith(("# ", "#\t")) or not inside
    if cells[form.word % form.width].strip() == "":
        return True
    return cells[0] == "#" and tagged and not inside and cells[form.tag].strip() not in form.known


def _refuse_columns(width: int, source: str, line: int, word_column: int, tag_column: int | None) -> None:
    for name, column in (("word_column", word_column), ("tag_column", tag_column)):
        if column is not None and not -width <= column < width:
            raise DataError(f"{source}, line {line}: there are {width} columns, so {name} can't be {column}.")
    if tag_column is not None and word_column % width == tag_column % width:
        raise DataError(
            f"{source}, line {line}: expected a word and its tag in two columns, found {width} column"
            f"{'s' * (width > 1)} and both asked from the same."
        )


def _named(names: list[str]) -> tuple[str | None, str | None, str | None]:
    """The names of the columns of sentences, words and tags."""
    lower = {name.strip().lower(): name for name in names}
    sentence = next((name for name in names if _SENTENCES.fullmatch(name.strip())), None)
    word = next((lower[name] for name in _WORDS if name in lower), None)
    tag = next((lower[name] for name in _TAGS if name in lower), None)
    return sentence, word, tag


def is_table(text: str) -> bool:
    """Whether the first line names a column of sentences and one of words, as tables of named entities do."""
    first = next((line for line in text.split("\n") if line.strip()), "").strip("\ufeff\r ")
    for mark in ",;\t":
        sentence, word, _ = _named([name.strip(' "') for name in first.split(mark)])
        if sentence is not None and word is not None and sentence != word:
            return True
    return False


def columns_of_table(table: Table, source: str, tagged: bool) -> Columns:
    """The sentences of a table with a word per row, whose sentence is named in every row or in its first alone."""
    sentence, word, tag = _named(table.names)
    if sentence is None or word is None or (tagged and tag is None):
        missing = "tags" if sentence is not None and word is not None else "words"
        raise DataError(
            f"{source}, line 1: expected columns of sentences, words and tags, found no {missing} among "
            f"{', '.join(map(shown, table.names[:8]))}; name one 'Tag'."
        )
    found = Columns()
    names, words = _texts(table, sentence), _texts(table, word)
    tags = _texts(table, tag) if tagged and tag is not None else [""] * table.rows
    lines = table.numbers_of(np.arange(table.rows))
    current = None
    for row in range(table.rows):
        if not words[row] or (tagged and not tags[row]):
            raise DataError(f"{source}, {table.place(row)}: the word or its tag is empty.")
        if not found.words or (names[row] and names[row] != current):
            current = names[row]
            found.words.append([])
            found.tags.append([])
            found.lines.append(int(lines[row]))
        found.words[-1].append(words[row])
        if tagged:
            found.tags[-1].append(tags[row])
    of = f", tags of {shown(tag)}" if tagged else ""
    found.said.append(
        Decision("columns", f"A table: sentences are those of column {shown(sentence)}, words of {shown(word)}{of}.")
    )
    return found


def _texts(table: Table, name: str) -> list[str]:
    return [(cell or "").strip() for cell in table.cells[name].to_list()]
