"""The table of all models: the same cells for the page and, as aligned plain text, for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ..diagnostics import SCORES, Score
from ..errors import brief
from .saved import ordered_models
from .score_cells import Cell, Column, best_of, cell_text, decimals_of
from .task_scores import chosen_by, task_columns
from .wording import per_cent, whole, with_unit

__all__ = ["column_groups", "score_columns", "table_html", "table_text"]

_LONGEST = 60  # characters of a name in the terminal's table
_SPLITS = (("valid", "Validation"), ("test", "Test"))
_NOT_SHOWN = frozenset({"rmse_scaled"})  # tells what RMSE and the standardised MAE tell
_FORECAST_CHOICE = "chosen by the first two thirds of the validation rows"


def score_columns(metrics: Mapping[str, Any]) -> list[Column]:
    """The columns of the table, models in the order of `ordered_models`; a column that no model has is left out."""
    if metrics["task"] != "forecast":
        return task_columns(metrics)
    names = ordered_models(metrics)
    unit = metrics.get("unit")
    parameters = [metrics["models"][n].get("parameters") for n in names]
    columns = [Column("", "Parameters", "numbers that were fitted", tuple(Cell(whole(p)) for p in parameters))]
    for split, _ in _SPLITS:
        scores = [metrics["models"][n][split] for n in names]
        columns += [
            column
            for name, entry in SCORES.items()
            if "forecasts" in entry.measures and name not in _NOT_SHOWN
            for column in [_column(scores, split, entry, unit)]
            if column is not None
        ]
    return columns + _coverage_columns(metrics, names)


def _coverage_columns(metrics: Mapping[str, Any], names: list[str]) -> list[Column]:
    held = [metrics["models"][n]["test"].get("coverage") or {} for n in names]
    levels = sorted({level for shares in held for level in shares}, key=_level)
    columns = []
    for level in levels:
        values = [shares.get(level) for shares in held]
        target = _level(level)[0] / 100
        distances = [None if v is None else abs(v - target) for v in values]
        best = best_of(distances, min)
        cells = tuple(Cell(per_cent(v), i in best) for i, v in enumerate(values))
        columns.append(
            Column("test", f"Within {level} %", f"share of true values inside the {level} % intervals", cells)
        )
    return columns


def _level(level: str) -> tuple[float, str]:
    try:
        return float(level), level
    except ValueError:
        return math.inf, level


def _column(scores: Sequence[Mapping[str, Any]], split: str, entry: Score, unit: str | None) -> Column | None:
    values = [s.get(entry.name) for s in scores]
    if all(v is None for v in values):
        return None
    values = [v if isinstance(v, (int, float)) else None for v in values]  # a damaged run may hold anything
    best = best_of(values, min if entry.lower_is_better else max)
    decimals = decimals_of(values)
    heading = with_unit(entry.heading, unit) if entry.unit == "target" else entry.heading
    cells = tuple(Cell(cell_text(entry.name, v, decimals), i in best) for i, v in enumerate(values))
    return Column(split, heading, entry.meaning, cells)


def table_text(metrics: Mapping[str, Any], width: int | None = None) -> str:
    """The table of all models as aligned plain text, one block for validation and one for test.

    `metrics` is what metrics.json holds. The best of a column carries a star; the chosen model an arrow. Columns that
    don't fit into `width` characters are continued below.
    """
    names = ordered_models(metrics)
    columns = score_columns(metrics)
    blocks = []
    for split, title in _SPLITS:
        count = _count(metrics, split)
        count = f" ({count})" if count else ""
        shown = [c for c in columns if c.split in ("", split)]
        table = [["model", "kind", *[brief(c.heading, _LONGEST) for c in shown]]]
        for i, name in enumerate(names):
            mark = "> " if name == metrics["best"] else "  "
            cells = [c.cells[i].text + ("*" if c.cells[i].best else " ") for c in shown]
            table.append([mark + brief(name, _LONGEST), metrics["models"][name]["kind"], *cells])
        blocks.append(f"{title}{count}\n{_aligned(table, width)}")
    chosen = _FORECAST_CHOICE if metrics["task"] == "forecast" else chosen_by(metrics)
    return "\n\n".join(blocks) + f"\n\n* best of the column   > {chosen}\n"


def _count(metrics: Mapping[str, Any], split: str) -> str:
    """How much was scored, in words."""
    forecast = metrics["task"] == "forecast"
    noun = "window" if forecast else brief(str(metrics.get("unit", "example")))
    number = metrics["windows" if forecast else "examples"].get(split)
    return f"{whole(number)} {noun}{'' if number == 1 else 's'}" if isinstance(number, int) else ""


def _aligned(table: list[list[str]], width: int | None) -> str:
    widths = [max(len(row[i]) for row in table) + 1 + (i == 0) for i in range(len(table[0]))]
    order, margin = list(range(len(widths))), ""
    if width is not None and sum(widths) + len(widths) > width:
        order, margin = [0, *order[3:], 1, 2], " "  # too wide for one piece: the scores first, kind and parameters last
    parts = []
    for group in column_groups([widths[i] for i in order], 1, width):
        lines = []
        for number, row in enumerate(table):
            pad = " " if number == 0 else ""
            cells = [("  " + row[0] if number == 0 else row[0]).ljust(widths[0])]
            cells += [
                (margin + row[i]).ljust(widths[i] - 1) if i == 1 else (row[i] + pad).rjust(widths[i])
                for i in (order[position] for position in group[1:])
            ]
            lines.append(" ".join(cells).rstrip())
        parts.append("\n".join(lines))
    return "\n".join(parts)


def column_groups(widths: Sequence[int], keep: int, total: int | None) -> list[list[int]]:
    """Columns by number in groups that fit into `total` characters, two apart; each group repeats the first `keep`.

    >>> column_groups([5, 9, 9, 9], 1, 30)
    [[0, 1, 2], [0, 3]]
    """
    first = list(range(keep))
    groups, room = [list(first)], 0.0
    for i in range(keep, len(widths)):
        fits = total is None or len(groups[-1]) == keep or widths[i] + 2 <= room
        if not fits:
            groups.append(list(first))
        if len(groups[-1]) == keep:
            room = math.inf if total is None else total - sum(widths[:keep]) - 2 * (keep - 1)
        groups[-1].append(i)
        room -= widths[i] + 2
    return groups


def table_html(metrics: Mapping[str, Any]) -> str:
    """The table of all models as HTML in its own scrolling box: validation above test, in the same columns."""
    names = ordered_models(metrics)
    columns = score_columns(metrics)
    heads = list(dict.fromkeys((c.heading, c.meaning) for c in columns))
    head = '<th scope="col">Model</th>' + "".join(
        f'<th scope="col" class="num" title="{escape(meaning)}">{escape(heading)}</th>' for heading, meaning in heads
    )
    bodies = []
    for split, title in _SPLITS:
        count = _count(metrics, split)
        label = f"{title}, {count}" if count else title
        cells = {c.heading: c.cells for c in columns if c.split in ("", split)}
        rows = "".join(
            _row(metrics, name, [cells.get(heading, ())[i : i + 1] for heading, _ in heads])
            for i, name in enumerate(names)
        )
        group = f'<tr><th scope="rowgroup" colspan="{len(heads) + 1}" class="group">{escape(label)}</th></tr>'
        bodies.append(f"<tbody>{group}{rows}</tbody>")
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Table of all models"><table class="scores">'
        f"<thead><tr>{head}</tr></thead>{''.join(bodies)}</table></div>"
    )


def _row(metrics: Mapping[str, Any], name: str, cells: Sequence[Sequence[Cell]]) -> str:
    chosen = name == metrics["best"]
    tags = '<span class="tag">baseline</span>' if metrics["models"][name]["kind"] == "baseline" else ""
    tags += '<span class="tag chosen">chosen</span>' if chosen else ""
    inner = "".join(
        f'<td class="num{" best" if cell and cell[0].best else ""}">{_cell(cell[0]) if cell else ""}</td>'
        for cell in cells
    )
    return f'<tr{" class=chosen" if chosen else ""}><th scope="row">{escape(name)}{tags}</th>{inner}</tr>'


def _cell(cell: Cell) -> str:
    star = '<span class="star" aria-hidden="true">★</span><span class="hidden">best: </span>'
    return (star if cell.best else "") + escape(cell.text)
