"""Names and texts that have ended a program somewhere, and small files that hold them, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seqloom_runtime.tables import write_csv

NAMES = {
    "control": "a\x01b",
    "escape": "\x1b[31mred\x1b[0m",
    "c1": "a\x9b31mb",
    "delete": "a\x7fb",
    "lines": "two\nlines",
    "return": "two\rlines",
    "separator": "two\u2028lines",
    "no character": "a\ufffeb\uffff",
    "reversed": "a\u202eb",
    "quotes": 'it\'s "quoted", twice',
    "backslash": "a\\b\\u0041\\",
    "markup": "[red]a[/] [/red",
    "page": "</script><!-- <img src=x onerror=alert(1)> &amp;",
    "expression": "${datum.a} datum['b'] `c`",
    "path": "a[0].b['c'].d",
    "inherited": "constructor",
    "method": "toString",
    "prototype": "__proto__",
    "length": "length",
    "formula": "=1+cmd|' /C calc'!A0",
    "at": "@SUM(A1)",
    "colour": "var(--c1)",
    "no colour": "var(--nothing)",
    "emoji": "👨‍👩‍👧‍👦 é\u0301",
    "blanks": "  a  ",
    "long": "lorem ipsum " * 80 + "end",
}


def visible(text: str) -> bool:
    """Whether a terminal or a page gets nothing that acts on it."""
    return all(c.isprintable() or c in "\n\t\u00a0\u200b\u200d\u00ad" for c in text)


def table(
    path: Path, *, target: str = "y", time: str = "when", id: str = "series", other: str = "x", ids: list[str]
) -> Path:
    """60 hours of each series: two columns of numbers."""
    rng, rows = np.random.default_rng(1), []
    for name in ids:
        for hour in range(60):
            when = str(np.datetime64("2024-01-01T00:00") + np.timedelta64(hour, "h"))
            rows.append([when, name, 10 + np.sin(hour / 4) + rng.normal(0, 0.1), rng.normal()])
    write_csv(path, [time, id, target, other], rows)
    return path


def texts(path: Path, labels: list[str], words: list[str], *, text: str = "text", label: str = "label") -> Path:
    """40 texts, each label as often as the others, with odd words in between."""
    rows = [
        [f"message {n} {words[n % len(words)]} of kind {n % len(labels)}", labels[n % len(labels)]] for n in range(40)
    ]
    write_csv(path, [text, label], rows)
    return path
