"""Tagged sentences: CoNLL columns, one sentence per line (`words<TAB>tags`), JSON, or a table with a word per row."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ...errors import DataError, SettingError, shown
from ...limits import reading
from ..decisions import Decision
from ..json_records import is_json_array
from ..sources import source_name
from .lines import field_of, json_records, read_text, refuse_surrogates
from .plain_lines import are_sentences, sentences_told
from .tag_schemes import SCHEMES, tag_scheme
from .tagged_columns import Columns, columns_of_table, is_table, parse_columns
from .text_tables import TableForm

__all__ = ["TaggedSentences", "mark_digits", "read_tagged"]

LAYOUTS = ("auto", "conll", "iob-lines", "json-lines", "json", "table", "lines")
_DIGIT = re.compile("[0-9]")
_FIELDS = (("tokens", "words"), ("tags", "ner_tags", "labels"))


@dataclass(frozen=True, eq=False)
class TaggedSentences:
    """N sentences as lists of words, and as many tags each (None where none were asked for).

    `lines` are the line numbers, from 1, on which the sentences start in the file `source`. `intents` is the tag of
    the end marker of each sentence, where the file has such markers and uses them so. `unit` is what sentences are
    counted in, `decisions` what was found out while reading.
    """

    words: list[list[str]]
    tags: list[list[str]] | None
    source: str
    lines: list[int]
    intents: list[str] | None = None
    unit: str = "line"
    decisions: tuple[Decision, ...] = ()

    def __len__(self) -> int:
        return len(self.words)

    @property
    def labels(self) -> list[str]:
        """The different tags, sorted."""
        return sorted({tag for tags in self.tags or () for tag in tags})

    def place(self, position: int) -> str:
        """Where a sentence stands, such as "train.iob, line 17"."""
        return f"{self.source}, {self.unit} {self.lines[position]}"

    @property
    def scheme(self) -> str | None:
        """The scheme of tags of names: IOB1, IOB2, IOB, IO, BIOES, BILOU or BMES; None for other tags."""
        return tag_scheme(self.tags or ())

    def take(self, positions: Sequence[int]) -> TaggedSentences:
        """The sentences at `positions`, in that order."""
        chosen = [int(i) for i in positions]
        return TaggedSentences(
            [self.words[i] for i in chosen],
            None if self.tags is None else [self.tags[i] for i in chosen],
            self.source,
            [self.lines[i] for i in chosen],
            None if self.intents is None else [self.intents[i] for i in chosen],
            self.unit,
            self.decisions,
        )


def read_tagged(
    path: str | os.PathLike[str],
    *,
    layout: str = "auto",
    tagged: bool = True,
    word_column: int | None = None,
    tag_column: int | None = None,
    keep_markers: bool = False,
    encoding: str = "utf-8",
    separator: str | None = None,
    header: bool | None = None,
    skip: int = 0,
    sheet: str | None = None,
    query: str | None = None,
    known_tags: Collection[str] = (),
) -> TaggedSentences:
    """The sentences of a file (plain or gzip), a pipe, or standard input ("-").

    `layout` is "conll" (a word per line with its columns, empty lines between sentences; -DOCSTART- lines, comments,
    and the lines 1-2 and 1.1 of CoNLL-U left out), "iob-lines" (`w1 w2 …<TAB>t1 t2 …`), "json-lines" or "json" (an
    array; objects with 'tokens' or 'words', and 'tags', 'ner_tags' or 'labels'), "table" (columns of sentences, words
    and tags with a header), "lines" (a sentence of words on each, without tags), or "auto", which looks. `tagged=False`
    reads words alone; `known_tags` then tell a column of tags from words. Columns are counted from 0, from
    the end where negative: the first and the last by default, behind one that counts the words. A line that begins
    with # is a comment where it has no tag.
    Where every IOB line goes from BOS to EOS the markers are taken out, unless `keep_markers`; their last tag becomes
    the sentence's intent. `separator`, `header`, `skip`, `sheet` and `query` are of a table, as for `read_table`: also
    a workbook, a database. Raises DataError with the line where words and tags don't agree in number.
    """
    if layout not in LAYOUTS:
        raise SettingError(f"layout: expected one of {', '.join(LAYOUTS)}, got {shown(layout)}.")
    source = source_name(path)
    said: list[Decision] = []
    form = TableForm(separator, header, skip, sheet, query)
    with reading(source, "CoNLL, IOB or JSON lines file"):
        opened = form.opened(path, encoding)
    text = "" if opened is not None else read_text(path, encoding, "CoNLL, IOB or JSON lines", said)
    with reading(source, "CoNLL, IOB or JSON lines file"):
        if layout == "auto":
            layout = "table" if opened is not None or form.said else _layout(text, tagged, known_tags, said)
        form.check(layout, source)
        if layout == "lines" and tagged:
            raise SettingError(f"layout: lines that are words alone have no tags; {source} is to have them.")
        if layout in ("json-lines", "json"):
            found = _from_json(text, source, tagged)
        elif layout in ("iob-lines", "lines"):
            found = _from_lines(text, source, tagged)
            if not keep_markers:
                found = _without_markers(found)
        elif layout == "table":
            found = _from_columns(
                columns_of_table(opened or form.parse(text.encode(), source), source, tagged), source, tagged, said
            )
        else:
            columns = parse_columns(text, source, tagged, word_column, tag_column)
            found = _from_columns(columns, source, tagged, said)
    if not len(found):
        raise DataError(f"{source}: expected sentences, the file holds none.")
    if (scheme := found.scheme) is not None:
        said.append(Decision("tags", f"The tags are {scheme}: {SCHEMES[scheme]}."))
    return replace(found, decisions=tuple(said))


def _from_columns(columns: Columns, source: str, tagged: bool, said: list[Decision]) -> TaggedSentences:
    said.extend(columns.said)
    return TaggedSentences(columns.words, columns.tags if tagged else None, source, columns.lines)


def mark_digits(words: Sequence[str]) -> list[str]:
    """`words` with each digit replaced by "DIGIT", as published runs on ATIS do.

    >>> mark_digits(["flight", "838", "b52"])
    ['flight', 'DIGITDIGITDIGIT', 'bDIGITDIGIT']
    """
    return [_DIGIT.sub("DIGIT", word) for word in words]


def _layout(text: str, tagged: bool, known: Collection[str], said: list[Decision]) -> str:
    first = next((line for line in text.split("\n") if line.strip()), "")
    if first.lstrip().startswith("{"):
        return "json-lines"
    if is_json_array(text):
        return "json"
    if is_table(text):
        return "table"
    cells = first.split("\t")
    one_sentence = len(cells) == 2 and len(cells[0].split()) > 1 and len(cells[0].split()) == len(cells[1].split())
    marked = len(cells) == 2 and first.startswith("BOS ")
    if one_sentence or marked or _untagged(first):
        return "iob-lines"
    if not tagged and are_sentences(text, known):
        widths = [len(line.split()) for line in text.split("\n") if line.strip()]
        if len(set(widths)) == 1:  # otherwise they are no columns, and there is nothing to tell
            said.append(sentences_told(len(widths)))
        return "iob-lines"
    return "conll"


def _untagged(line: str) -> bool:
    return line.startswith("BOS ") and line.split()[-1] == "EOS"


def _from_lines(text: str, source: str, tagged: bool) -> TaggedSentences:
    words: list[list[str]] = []
    tags: list[list[str]] = []
    lines: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        left, tab, right = line.partition("\t")
        words.append(left.split())
        lines.append(number)
        if not tagged:
            continue
        tags.append(right.split())
        if not tab:
            raise DataError(f"{source}, line {number}: expected words, a TAB and their tags, found no TAB.")
        _refuse_unequal(words[-1], tags[-1], f"{source}, line {number}")
    return TaggedSentences(words, tags if tagged else None, source, lines)


def _without_markers(found: TaggedSentences) -> TaggedSentences:
    if not all(len(words) >= 2 and words[0] == "BOS" and words[-1] == "EOS" for words in found.words):
        return found
    words = [sentence[1:-1] for sentence in found.words]
    if found.tags is None:
        return TaggedSentences(words, None, found.source, found.lines)
    intents = [tags[-1] for tags in found.tags]
    tags = [sentence[1:-1] for sentence in found.tags]
    used = any(intent != "O" for intent in intents)
    return TaggedSentences(words, tags, found.source, found.lines, intents if used else None)


def _from_json(text: str, source: str, tagged: bool) -> TaggedSentences:
    words: list[list[str]] = []
    tags: list[list[str]] = []
    lines: list[int] = []
    unit, records = json_records(text, source)
    for number, value in records:
        where = f"{source}, {unit} {number}"
        lists: list[list[str]] = []
        for names in _FIELDS if tagged else _FIELDS[:1]:
            name = next((name for name in names if name in value), names[0])
            items = field_of(value, name, where)
            if not isinstance(items, list) or not all(isinstance(item, str) and item.strip() for item in items):
                raise DataError(f"{where}: expected a list of texts in field {shown(name)}, found {shown(items, 60)}.")
            lists.append([refuse_surrogates(item, where) for item in items])
        words.append(lists[0])
        lines.append(number)
        if tagged:
            tags.append(lists[1])
            _refuse_unequal(lists[0], lists[1], where)
    return TaggedSentences(words, tags if tagged else None, source, lines, unit=unit)


def _refuse_unequal(words: Sequence[str], tags: Sequence[str], where: str) -> None:
    if len(words) != len(tags):
        raise DataError(f"{where}: expected a tag for each of the {len(words)} words, found {len(tags)} tags.")
