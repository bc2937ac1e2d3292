"""Labelled texts: a table (CSV, TSV, Parquet, Arrow), JSON, lines of a label and a text, or lines of fastText."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, SettingError, shown
from ...limits import reading
from ..columnar import is_columnar, parse_columnar
from ..decisions import Decision
from ..encodings import utf8_text
from ..json_records import is_json_array
from ..sources import file_bytes, source_name
from ..table import Table
from .lines import field_of, json_records, refuse_surrogates, written
from .plain_lines import are_plain_lines, plain_lines_told
from .text_tables import TableForm

__all__ = ["LabelledTexts", "read_labelled"]

_KINDS = "CSV, Parquet, JSON lines or label<TAB>text"
LAYOUTS = ("auto", "table", "json-lines", "json", "label-tab-text", "text-tab-label", "fasttext", "lines")
_FASTTEXT = "__label__"


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """N texts, their labels (None where none were asked for), and where each stands.

    `source` names the file in messages, `lines` (N,) int64 are its line numbers from 1 (row numbers for Parquet).
    `others` are further columns that were asked for. `decisions` is what was found out while reading.
    """

    texts: list[str]
    labels: list[str] | None
    source: str
    lines: np.ndarray
    unit: str = "line"
    others: Mapping[str, list[str]] = field(default_factory=dict)
    decisions: tuple[Decision, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def classes(self) -> list[str]:
        """The different labels, sorted."""
        return sorted(set(self.labels or ()))

    @property
    def counts(self) -> dict[str, int]:
        """Texts per label, in the order of `classes`."""
        found = Counter(self.labels or ())
        return {name: found[name] for name in self.classes}

    @property
    def empty(self) -> np.ndarray:
        """Positions (K,) int64 of the texts that hold nothing but white space."""
        return np.flatnonzero([not text.strip() for text in self.texts])

    def place(self, position: int) -> str:
        """Where a text stands, such as "reviews.csv, line 17"."""
        return f"{self.source}, {self.unit} {int(self.lines[position])}"

    def take(self, positions: Sequence[int] | np.ndarray) -> LabelledTexts:
        """The texts at `positions`, in that order."""
        chosen = np.asarray(positions, dtype=np.int64).tolist()
        return LabelledTexts(
            [self.texts[i] for i in chosen],
            None if self.labels is None else [self.labels[i] for i in chosen],
            self.source,
            self.lines[np.asarray(positions, dtype=np.int64)],
            self.unit,
            {name: [column[i] for i in chosen] for name, column in self.others.items()},
            self.decisions,
        )


def read_labelled(
    path: str | os.PathLike[str],
    *,
    text: str = "text",
    label: str | None = "label",
    layout: str = "auto",
    encoding: str = "utf-8",
    others: Sequence[str] = (),
    separator: str | None = None,
    header: bool | None = None,
    skip: int = 0,
    sheet: str | None = None,
    query: str | None = None,
) -> LabelledTexts:
    """The texts and labels of a file (plain or gzip), a pipe, or standard input ("-").

    `layout` is "table" (CSV, TSV, Parquet or Arrow with a header that names the columns `text` and `label`),
    "json-lines" or "json" (an array; objects with these fields), "label-tab-text" or "text-tab-label" (no header, no
    quotes), "fasttext" (`__label__x text`), "lines" (each is a text, which has no label), or "auto", which looks and
    says in `decisions` what isn't plain to see. `separator`, `header`, `skip`, `sheet` and `query` are of a table, as
    for `read_table`: also a workbook, a database.
    `label=None` reads texts alone; `others` names further columns to keep. Texts may be empty, labels not. Raises
    DataError with the file, the line, and the byte of text that is not in `encoding`.
    """
    if layout not in LAYOUTS:
        raise SettingError(f"layout: expected one of {', '.join(LAYOUTS)}, got {shown(layout)}.")
    source, form = source_name(path), TableForm(separator, header, skip, sheet, query)
    with reading(source, f"{_KINDS} file"):
        table = form.opened(path, encoding)
        if table is not None:
            found = _from_table(table, source, text, label, others)
            return replace(found, decisions=_of_columns(table.decisions, (text, label, *others)))
        data = file_bytes(path, "labelled texts", _KINDS)
        return _read(data, path, source, text, label, layout, encoding, others, form)


def _of_columns(decisions: Sequence[Decision], names: Sequence[str | None]) -> tuple[Decision, ...]:
    """What was decided of the file and of the columns that are read."""
    return tuple(decision for decision in decisions if decision.column in (None, *names))


def _read(
    data: bytes,
    path: str | os.PathLike[str],
    source: str,
    text: str,
    label: str | None,
    layout: str,
    encoding: str,
    others: Sequence[str],
    form: TableForm,
) -> LabelledTexts:
    if is_columnar(data):
        return _from_table(parse_columnar(data, source), source, text, label, others)
    said: list[Decision] = []
    data = utf8_text(data, source, encoding, _KINDS, said)
    if layout == "auto" and form.said:
        layout = "table"
    if layout == "auto":
        layout = _layout(data, Path(path), text)
        if layout == "label-tab-text" and label is not None and _text_first(data):
            layout = "text-tab-label"
            said.append(
                Decision(
                    "layout",
                    "Each line is a text, a TAB and its label: what stands behind the TAB repeats. Say layout="
                    "'label-tab-text' where the label comes first.",
                    option="layout",
                )
            )
        if layout == "table" and label is None and not others and are_plain_lines(data, Path(path), text):
            layout = "lines"
            said.append(plain_lines_told(text))
    form.check(layout, source)
    if layout == "lines" and label is not None:
        raise SettingError(f"layout: lines that are texts and nothing else have no labels; {source} is to have them.")
    if layout in ("json-lines", "json"):
        found = _from_json(data.decode(), source, text, label, others)
    elif layout == "lines":
        found = _from_lines(data.decode(), source, False, _whole)
    elif layout in ("label-tab-text", "text-tab-label", "fasttext"):
        if others:
            raise SettingError(
                f"others: {source} has a label and a text on each line and no column {shown(others[0])}."
            )
        split = _fasttext if layout == "fasttext" else _tabbed if layout == "label-tab-text" else _tabbed_behind
        found = _from_lines(data.decode(), source, label is not None, split)
    else:
        table = form.parse(data, source)
        found = _from_table(table, source, text, label, others)
        said += table.decisions
    return replace(found, decisions=tuple(said))


def _layout(data: bytes, path: Path, text: str) -> str:
    """JSON by the first character, fastText by the first word; no header where each line has one TAB and the first
    doesn't name the text."""
    if is_json_array(data):
        return "json"
    if data.lstrip().startswith(_FASTTEXT.encode()):
        return "fasttext"
    if data.lstrip()[:1] == b"{" and path.name.removesuffix(".gz").rsplit(".", 1)[-1].lower() not in ("csv", "tsv"):
        return "json-lines"
    lines = [line for line in data.split(b"\n") if line.strip()]
    one_tab = bool(lines) and all(line.count(b"\t") == 1 for line in lines)
    named = bool(lines) and text.encode() in [cell.strip(b' "\r') for cell in lines[0].split(b"\t")]
    return "label-tab-text" if one_tab and not named else "table"


def _text_first(data: bytes) -> bool:
    """Whether what stands behind the TAB of each line repeats, as labels do, and what stands before it doesn't."""
    pairs = [line.split(b"\t") for line in data.split(b"\n") if line.strip()]
    before, behind = ({pair[side].strip() for pair in pairs} for side in (0, 1))
    return len(pairs) > 3 and 2 * len(behind) <= len(pairs) < 2 * len(before)


def _from_table(table: Table, source: str, text: str, label: str | None, others: Sequence[str]) -> LabelledTexts:
    table.require(text, "text column")
    texts = _column(table, text, source)
    labels = None
    if label is not None:
        table.require(label, "label column")
        labels = _column(table, label, source)
        for row, name in enumerate(labels):
            if not name.strip():
                raise DataError(
                    f"{source}, {table.place(row)}: the label in column {shown(label)} is missing; give it or leave "
                    "the text out."
                )
    for name in others:
        table.require(name)
    lines = table.numbers_of(np.arange(table.rows))
    kept = {name: _column(table, name, source) for name in others}
    return LabelledTexts(texts, labels, source, lines, table.unit, kept)


def _column(table: Table, name: str, source: str) -> list[str]:
    """A column as texts, empty where missing."""
    cells: list[Any] = table.cells[name].to_list()
    out = ["" if cell is None else cell if isinstance(cell, str) else _cell(cell) for cell in cells]
    for row, cell in enumerate(out):
        if cell is None:
            raise DataError(
                f"{source}, {table.place(row)}: expected text, a number or true/false in column {shown(name)}, found "
                f"{type(cells[row]).__name__}."
            )
    return [cell or "" for cell in out]


def _cell(value: Any) -> str | None:
    """A cell that is no text, written; empty where it is NaN, by which a column of numbers says that one is missing."""
    return "" if isinstance(value, float) and math.isnan(value) else written(value)


def _from_json(text: str, source: str, name: str, label: str | None, others: Sequence[str]) -> LabelledTexts:
    texts: list[str] = []
    labels: list[str] = []
    lines: list[int] = []
    kept: dict[str, list[str]] = {other: [] for other in others}
    unit, records = json_records(text, source)
    for number, value in records:
        where = f"{source}, {unit} {number}"
        content = field_of(value, name, where)
        if not isinstance(content, str):
            raise DataError(f"{where}: expected text in field {shown(name)}, found {shown(content, 60)}.")
        texts.append(refuse_surrogates(content, where))
        for field_name, column in ((label, labels), *kept.items()):
            if field_name is not None:
                found = field_of(value, field_name, where)
                name_of = found if isinstance(found, str) else written(found)
                if name_of is None or (field_name == label and not name_of.strip()):
                    raise DataError(
                        f"{where}: expected one label in field {shown(field_name)}, found {shown(found, 60)}."
                    )
                column.append(refuse_surrogates(name_of, where))
        lines.append(number)
    if not texts:
        raise DataError(f"{source}: expected labelled texts, the file holds nothing but empty lines.")
    return LabelledTexts(texts, None if label is None else labels, source, np.array(lines, np.int64), unit, kept)


def _tabbed(line: str, where: str) -> tuple[str, str]:
    label, tab, content = line.partition("\t")
    if not tab:
        raise DataError(f"{where}: expected label<TAB>text, found no TAB.")
    return label, content


def _tabbed_behind(line: str, where: str) -> tuple[str, str]:
    content, tab, label = line.rpartition("\t")
    if not tab:
        raise DataError(f"{where}: expected text<TAB>label, found no TAB.")
    return label, content


def _fasttext(line: str, where: str) -> tuple[str, str]:
    words = line.split(" ")
    labels = [word for word in words if word.startswith(_FASTTEXT)]
    if len(labels) != 1:
        raise DataError(
            f"{where}: expected one {_FASTTEXT}NAME and a text, found {len(labels)} labels; a text has one label here."
        )
    return labels[0].removeprefix(_FASTTEXT), " ".join(word for word in words if word is not labels[0])


def _whole(line: str, where: str) -> tuple[str, str]:
    return "none", line  # no label is asked for; one that isn't empty passes


def _from_lines(text: str, source: str, labelled: bool, split: Callable[[str, str], tuple[str, str]]) -> LabelledTexts:
    texts: list[str] = []
    labels: list[str] = []
    lines: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        label, content = split(line.removesuffix("\r"), f"{source}, line {number}")
        if not label.strip():
            side = "behind" if split is _tabbed_behind else "before"
            raise DataError(f"{source}, line {number}: the label {side} the TAB is missing.")
        labels.append(label.strip())
        texts.append(content)
        lines.append(number)
    if not texts:
        raise DataError(f"{source}: expected labelled texts, the file holds nothing but empty lines.")
    return LabelledTexts(texts, labels if labelled else None, source, np.array(lines, np.int64))
