"""Text for a terminal: sentences wrapped at its width, tables with aligned numbers that fit into it, and JSON."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import typer

from seqloom_runtime.errors import brief, printable

from ..report.scores import column_groups
from ..report.wording import fixed

__all__ = ["aligned", "json_text", "numbers_text", "say", "say_lines", "terminal_width", "text_table"]

# A number stays on the line of its sign or of its flag; look-behinds need a fixed length, hence three.
_TOGETHER = re.compile(r" (?=%)|(?<=--[a-z]{6}) (?=\d)|(?<=--[a-z]{7}) (?=\d)|(?<=--[a-z]{8}) (?=\d)")
_WIDEST, _LONGEST_WORD = 60, 200
_ENDLESS = re.compile(rf"\S{{{_LONGEST_WORD},}}")
_PLAIN = str.maketrans({"−": "-", "–": "-", "…": "...", "≥": ">=", "≤": "<="})


def terminal_width() -> int | None:
    """Columns of the terminal that is printed to; None where the output goes into a file or a pipe."""
    # Below 40 columns a table would be little but continuations.
    return max(40, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None


def say(text: str = "") -> None:
    """Print text; control characters are written as escapes, signs that the output's encoding lacks with plain ones."""
    text = printable(text, keep="\n\t")
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_PLAIN).encode(encoding, errors="replace").decode(encoding)
    typer.echo(text)


def say_lines(lines: Iterable[str]) -> None:
    """Print sentences, each from a new line, wrapped at the terminal's width; names of thousands of letters are cut."""
    width = terminal_width()
    for line in lines:
        line = _ENDLESS.sub(lambda word: brief(word[0], _LONGEST_WORD), line)
        if width is not None:
            kept = _TOGETHER.sub("\u00a0", line)
            # Long words and hyphens are paths and flags, which must stay whole to be copied.
            kept = textwrap.fill(kept, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
            line = kept.replace("\u00a0", " ")
        say(line)


def numbers_text(values: Sequence[float | None], digits: int = 5) -> list[str]:
    """Numbers with as many decimals as give the largest of them `digits` significant ones.

    >>> numbers_text([369.8, 37.25, None])
    ['369.80', '37.25', '–']
    """
    sizes = [abs(v) for v in values if v is not None and math.isfinite(v) and v != 0]
    exponent = math.floor(math.log10(max(sizes))) if sizes else 0
    decimals = None if exponent >= 9 or exponent < -5 else max(0, digits - 1 - exponent)
    return [fixed(v, decimals) for v in values]


def aligned(cells: Sequence[str]) -> list[str]:
    """Numbers as text with their decimal points under each other, padded on the right where one has fewer decimals.

    >>> aligned(["1.25", "300", "2.5"])
    ['1.25', '300   ', '2.5 ']
    """
    tails = [len(cell) - cell.index(".") if "." in cell else 0 for cell in cells]
    longest = max(tails, default=0)
    return [cell + " " * (longest - tail) for cell, tail in zip(cells, tails)]


def text_table(columns: Sequence[tuple[str, Sequence[str]]], *, keep: int = 1, right_from: int = 1) -> str:
    """Columns (heading, cells) as text that fits the terminal.

    Columns that don't fit are continued below, beside the first `keep` again. Those from `right_from` on are numbers,
    aligned to the right. Control characters are escaped, so that a cell stays in its line; long cells are cut.
    """
    if not columns or not columns[0][1]:
        return "(no rows)"
    blocks = [
        [brief(heading, _WIDEST), *(aligned(cells) if number >= right_from else [brief(c, _WIDEST) for c in cells])]
        for number, (heading, cells) in enumerate(columns)
    ]
    widths = [max(map(len, block)) for block in blocks]
    parts = []
    for group in column_groups(widths, keep, terminal_width()):
        lines = [
            "  ".join(
                blocks[i][row].rjust(widths[i]) if i >= right_from else blocks[i][row].ljust(widths[i]) for i in group
            ).rstrip()
            for row in range(len(blocks[0]))
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def json_text(value: Any) -> str:
    """JSON for the terminal: two-space indent, NaN as null, non-ASCII as it is but for what a terminal would act on.

    >>> json_text(chr(0x9B) + "é")
    '"\\\\u009bé"'
    """
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False)
    return "\n".join(line if line.isprintable() else "".join(map(_safe, line)) for line in text.split("\n"))


def _safe(character: str) -> str:
    """A character of a JSON text; a control character as the escape that JSON reads back."""
    return character if printable(character) == character else json.dumps(character)[1:-1]


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return _finite(value.item()) if isinstance(value, np.generic) else value
