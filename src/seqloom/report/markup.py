"""The pieces of HTML that sections share: lists, tables, boxes that scroll. Texts are escaped here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from html import escape

__all__ = ["box", "bullets", "data_table", "facts", "per_model"]


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Pairs of a name and a text as a description list; a pair without a text is left out."""
    inner = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in pairs if text)
    return f'<dl class="facts">{inner}</dl>'


def bullets(items: Iterable[str], css: str) -> str:
    """Texts as a list, of that CSS class if any; empty where there are none."""
    inner = "".join(f"<li>{escape(item)}</li>" for item in items)
    named = f' class="{css}"' if css else ""
    return f"<ul{named}>{inner}</ul>" if inner else ""


def data_table(label: str, heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int]) -> str:
    """A table in a box that scrolls; `numbers` are the positions of the columns that hold numbers.

    The first cell of a row names it, unless it is a number.
    """
    css = [' class="num"' if i in numbers else "" for i in range(len(heads))]
    head = "".join(f'<th scope="col"{css[i]}>{escape(text)}</th>' for i, text in enumerate(heads))
    named = 0 not in numbers
    body = ""
    for row in rows:
        cells = [f"<td{css[i]}>{escape(text)}</td>" for i, text in enumerate(row)]
        if named and row:
            cells[0] = f'<th scope="row">{escape(row[0])}</th>'
        body += f"<tr>{''.join(cells)}</tr>"
    return box(label, f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def box(label: str, html: str) -> str:
    """HTML that may be long, in a box that scrolls; `label` is what a screen reader calls it."""
    # tabindex: what scrolls must be reachable by keyboard.
    return f'<div class="scroll tall" tabindex="0" role="region" aria-label="{escape(label)}">{html}</div>'


def per_model(parts: Sequence[tuple[str, str]]) -> str:
    """HTML of each model by name: the first in the open, the others behind their names."""
    rest = "".join(f"<details><summary>{escape(name)}</summary>{html}</details>" for name, html in parts[1:])
    title = f"<h3>{escape(parts[0][0])}</h3>" if rest else ""
    return title + parts[0][1] + rest if parts else ""
