"""Files of text as fuzzers write them: tables, labelled and tagged texts, JSON lines, word vectors."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from typing import Any

from .wild import NUMBERS, TEXTS, Wild

__all__ = ["BUILDERS", "json_value", "long_table", "table"]

_ENCODINGS = (
    "utf-8",
    "utf-8",
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-32",
    "latin-1",
    "cp1252",
    "utf-7",
    "ascii",
)
_ODD_NAMES = (*TEXTS, "a,b", "1", "1.5", "x\ny")


def table(wild: Wild) -> bytes:
    """A CSV file: a time, an id now and then, a few columns of numbers or words."""
    rows = wild.of(wild.randint(2, 60), (0, 1, 2, 300))
    columns = wild.of(wild.randint(1, 5), (0, 1, 40, 400))
    names = ["time", *(["id"] if wild.random() < 0.3 else []), *(f"c{n}" for n in range(columns))]
    names = [wild.of(name, _ODD_NAMES) for name in names]
    kinds = ["time", *wild.choices(("number", "number", "number", "whole", "word", "epoch"), k=max(len(names) - 1, 0))]
    lines = [names, *([_cell(wild, kind, row) for kind in kinds] for row in range(rows))]
    return delimited(wild, lines)


def long_table(wild: Wild) -> bytes:
    """A CSV file of sequences: id, t, two channels, a label."""
    lines: list[list[str]] = [["id", "t", "a", "b", "label"]]
    for name in range(wild.randint(2, 30)):
        label = "ab"[name % 2]
        for step in range(wild.randint(1, 8)):
            label = wild.word() if wild.strays else label
            lines.append([f"s{name}", str(wild.count(step)), wild.number(), wild.number(), label])
    return delimited(wild, lines)


def records_table(wild: Wild) -> bytes:
    """A CSV file of irregular records: id, t, two columns with gaps, an event's marks or times, a label."""
    lines: list[list[str]] = [["id", "t", "a", "b", "event", "label"]]
    for name in range(wild.randint(2, 12)):
        onset = wild.randint(1, 9) if name % 2 else None
        marks = wild.random() < 0.5
        for step in range(wild.randint(1, 8)):
            event = "" if onset is None else str(int(step == onset)) if marks else f"{onset}.5"
            time = wild.time(step) if wild.strays else str(wild.count(step))
            b = wild.number() if step % 3 == name % 3 else ""
            lines.append([f"p{name}", time, wild.number(), b, event, wild.word() if wild.strays else "ab"[name % 2]])
    return delimited(wild, lines)


def stay(wild: Wild) -> bytes:
    """A record of the PhysioNet 2012 layout."""
    rows = ["Time,Parameter,Value", f"00:00,RecordID,{wild.count(132539)}", f"00:00,Age,{wild.number()}"]
    for hour in range(wild.randint(1, 12)):
        parameter = wild.word() if wild.strays else wild.choice(("HR", "Temp", "Lactate"))
        rows.append(f"{wild.count(hour):02}:{wild.randint(0, 59):02},{parameter},{wild.number()}")
    return ("\n".join(rows) + wild.of("\n", ("", "\n\n"))).encode("utf-8", "surrogatepass")


def _cell(wild: Wild, kind: str, row: int) -> str:
    if kind == "time":
        return wild.time(row)
    if kind == "word":
        return wild.word()
    if kind == "epoch":
        return str(wild.count(1_700_000_000 + 3600 * row))
    return wild.number() if kind == "number" else str(wild.count(row))


def delimited(wild: Wild, lines: Sequence[Sequence[str]]) -> bytes:
    """Lines of cells in one of the dialects, as bytes in one of the encodings."""
    separator, end = wild.choice(",,,;\t"), wild.choice(("\n", "\n", "\r\n", "\r"))
    separator, always = wild.of(separator, "|: ,;"), wild.random() < 0.1
    out = []
    for cells in lines:
        cells = list(cells)
        if wild.strays and cells:
            cells = wild.choice((cells[:-1], [*cells, "x"], [], cells * 3))
        out.append(separator.join(_quoted(wild, cell, separator, always) for cell in cells))
        if wild.strays:
            out.append(wild.choice(("", "  ", "# note", '"', separator * 3)))
    text = end.join(out) + wild.of(wild.choice((end, "")), (separator, end * 3))
    return _encoded(wild, text)


def _quoted(wild: Wild, cell: str, separator: str, always: bool) -> str:
    if wild.strays and wild.random() < 0.2:  # one such cell spoils the file, and the cells behind it stay unread
        return wild.choice((f'"{cell}', f'{cell}"', f'a"{cell}"', f'"{cell}\n{cell}"', f"'{cell}'", f' "{cell}" '))
    needed = any(mark in cell for mark in (separator, '"', "\n", "\r"))
    return '"' + cell.replace('"', '""') + '"' if needed or always else cell


def _encoded(wild: Wild, text: str) -> bytes:
    encoding = wild.choice(_ENCODINGS) if wild.strays else "utf-8"
    return text.encode(encoding, "replace")


def labelled(wild: Wild) -> bytes:
    """Labelled texts as a table, as JSON lines, or as label<TAB>text."""
    texts = [" ".join(wild.word() for _ in range(wild.randint(0, 9))) for _ in range(wild.randint(1, 60))]
    rows = [(wild.of(wild.choice("ab"), TEXTS), text) for text in texts]
    kind = wild.randrange(3)
    if kind == 0:
        return delimited(wild, [["text", "label"], *([text, label] for label, text in rows)])
    if kind == 1:
        return _encoded(wild, "".join(f"{label}\t{text}{wild.choice(chr(10) + chr(13))}" for label, text in rows))
    return json_lines(wild, [{"text": text, "label": label} for label, text in rows])


def json_lines(wild: Wild, rows: Sequence[Any]) -> bytes:
    """One JSON value a line, some of them replaced by others."""
    return _encoded(wild, "\n".join(json_text(wild, json_value(wild, row)) for row in rows) + wild.choice(("\n", "")))


def json_text(wild: Wild, value: Any) -> str:
    """JSON as text, now and then spelled oddly."""
    text = json.dumps(value, ensure_ascii=wild.random() < 0.5)
    if not wild.strays:
        return text
    at = wild.randrange(len(text) + 1)
    return wild.choice(
        (text[:at], text[:at] + "\\ud800" + text[at:], "[" * 5000 + text, f"{text}{text}", f"{{{text}}}")
    )


def json_value(wild: Wild, value: Any) -> Any:
    """`value` with some of its leaves and containers replaced, emptied, doubled or renamed."""
    if wild.strays:
        return wild.choice(_JSON)
    if isinstance(value, dict):
        found = {
            wild.of(key, (*TEXTS, key + "_")): json_value(wild, inner)
            for key, inner in value.items()
            if not wild.strays
        }
        return found | ({wild.word(): wild.choice(_JSON)} if wild.strays else {})
    if isinstance(value, list):
        return [json_value(wild, inner) for inner in value] * wild.of(1, (0, 2, 50))
    return value


_JSON: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1.5, -0.0, 2**31, 2**63, 2**64, 10**30, 1e308, float("nan"), float("inf"), "", "x",
    "\0", "\x1b[31m", "a" * 10_000, "../..", [], {}, [[]], [None], [1, "x"], {"": ""}, {"a": {"a": {"a": 1}}},
    [0] * 1000, *NUMBERS[:6], *TEXTS[:8],
)  # fmt: skip


def tagged(wild: Wild) -> bytes:
    """Tagged sentences as CoNLL columns, as words<TAB>tags, or as JSON lines."""
    sentences = []
    for _ in range(wild.randint(1, 8)):
        words = [wild.word() for _ in range(wild.randint(1, 8))]
        tags = [wild.choice(("O", "B-x", "I-x", "B-y")) if not wild.strays else wild.word() for _ in words]
        sentences.append((words, tags[: wild.count(len(tags), 8)]))
    kind = wild.randrange(3)
    if kind == 0:
        gap = wild.choice(("\t", " "))
        blocks = ["\n".join(gap.join(pair) for pair in zip(words, tags)) for words, tags in sentences]
        return _encoded(wild, wild.of("", ("-DOCSTART- O\n\n",)) + "\n\n".join(blocks) + "\n")
    if kind == 1:
        lines = [" ".join(["BOS", *words, "EOS"]) + "\t" + " ".join(["O", *tags, "i"]) for words, tags in sentences]
        return _encoded(wild, "\n".join(lines) + "\n")
    return json_lines(wild, [{"tokens": words, "tags": tags} for words, tags in sentences])


def running_text(wild: Wild) -> bytes:
    """Lines of words."""
    lines = (" ".join(wild.word() for _ in range(wild.randint(0, 12))) for _ in range(wild.randint(1, 20)))
    return _encoded(wild, "\n".join(lines) + wild.choice(("\n", "")))


def word_vectors(wild: Wild) -> bytes:
    """GloVe lines, or word2vec in text or binary."""
    words = list(dict.fromkeys(wild.word() for _ in range(wild.randint(1, 12))))
    width, kind = wild.randint(1, 6), wild.randrange(3)
    head = f"{wild.count(len(words))} {wild.count(width)}\n".encode() if kind else b""
    if kind == 2:
        records = (
            word.encode("utf-8", "replace") + wild.of(b" ", (b"", b"\n", b"  ")) + _floats(wild, width)
            for word in words
        )
        return head + wild.choice((b"", b"\n")).join(records)
    lines = (f"{word} {' '.join(wild.number() for _ in range(wild.of(width, (0, 1, 90))))}" for word in words)
    return head + _encoded(wild, "\n".join(lines) + "\n")


def _floats(wild: Wild, width: int) -> bytes:
    values = [wild.of(wild.gauss(0, 1), (float("nan"), float("inf"), 3e38, 1e-45)) for _ in range(width)]
    return struct.pack(f"<{width}f", *values)


BUILDERS: dict[str, Callable[[Wild], bytes]] = {
    "table": table,
    "long_table": long_table,
    "records_table": records_table,
    "stay": stay,
    "labelled": labelled,
    "tagged": tagged,
    "running_text": running_text,
    "word_vectors": word_vectors,
}
