"""The scores of a run as text, and the table of all models: the same cells for the page and for the terminal."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from seqloom_runtime.errors import brief

from ..diagnostics import SCORES, score_named
from .partial import comparable, fewer_windows, fewer_windows_told
from .ranking import kind_words, ranked, shown_first
from .saved import is_forecast, level_order, ordered_models
from .wording import decimals_for, fixed, per_cent, signed_per_cent, whole, with_unit

__all__ = [
    "Cell",
    "Column",
    "chosen_on",
    "column_groups",
    "lower_is_better",
    "noun_of",
    "score_columns",
    "score_heading",
    "score_text",
    "scores_of",
    "sizes_of",
    "table_html",
    "table_text",
    "unit_of",
    "unless_clear",
]

_LONGEST = 60  # characters of a name in the terminal's table
_IN_TERMINAL = 5  # models by rank, of many: both parts and the forecast are to fit on a screen
_SPLITS = (("valid", "Validation"), ("test", "Test"))
_NOT_SHOWN = frozenset({"rmse_scaled", "rmsse"})  # tell what RMSE tells beside the standardised MAE and MASE


@dataclass(frozen=True)
class Cell:
    """One number as text, and whether it is the best of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True, eq=False)
class Column:
    """One column: which split it belongs to, its heading, what it means, and a cell per model."""

    split: str  # "valid", "test" or "" for both
    heading: str
    meaning: str
    cells: tuple[Cell, ...]


def score_columns(metrics: Mapping[str, Any]) -> list[Column]:
    """Parameters, each score on validation and on test, and how often intervals held; models in the order of
    `ordered_models`. A column that no model has is left out."""
    models = [metrics["models"][name] for name in ordered_models(metrics)]
    parameters = tuple(Cell(whole(model.get("parameters"))) for model in models)
    columns = [Column("", "Parameters", "numbers that were fitted", parameters), *_choosing_column(metrics, models)]
    for split, _ in _SPLITS:
        for score in scores_of(metrics):
            values = [_number(model[split].get(score)) for model in models]
            if any(value is not None for value in values):
                held = _telling(score, models, split, comparable(metrics, split, values))
                best = _best_of(held, min if lower_is_better(metrics, score) else max)
                cells = tuple(Cell(score_text(score, v, values), i in best) for i, v in enumerate(values))
                columns.append(Column(split, score_heading(metrics, score), score_named(score).meaning, cells))
    return columns + _coverage_columns(metrics, models) + _distribution_columns(metrics, models)


def _choosing_column(metrics: Mapping[str, Any], models: Sequence[Mapping[str, Any]]) -> list[Column]:
    """How each forecaster stood to the naive forecast on the windows that choose, with the standard error."""
    held = [model.get("choosing") for model in models]
    stands = [each if isinstance(each, Mapping) else {} for each in held]
    ratios, errors = ([_number(each.get(key)) for each in stands] for key in ("ratio", "error"))
    if all(ratio is None for ratio in ratios):
        return []
    best = _best_of(comparable(metrics, "valid", ratios), min)
    texts = [
        fixed(ratio, 3) + (f" ± {fixed(error, 3)}" if ratio is not None and error is not None else "")
        for ratio, error in zip(ratios, errors)
    ]
    meaning = "mean absolute error over that of the naive forecast on the windows that choose, ± its standard error"
    return [Column("valid", "Choosing", meaning, tuple(Cell(text, i in best) for i, text in enumerate(texts)))]


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) else None  # a damaged run may hold anything


def _telling(
    score: str, models: Sequence[Mapping[str, Any]], split: str, values: Sequence[float | None]
) -> list[float | None]:
    """The values of a score that say something: a lead time doesn't of a model that misses nearly every event."""
    beside = score_named(score).beside
    if not beside:
        return list(values)
    others = [_number(model[split].get(beside)) or 0.0 for model in models]
    return [value if other and other >= max(others) / 2 else None for value, other in zip(values, others)]


def _best_of(values: Sequence[float | None], choose: Callable[..., float]) -> set[int]:
    """The positions of the best value where there are two that differ."""
    known = [v for v in values if v is not None and math.isfinite(v)]
    # A star on the only value, or on every one, says nothing.
    if len(set(known)) < 2:
        return set()
    winner = choose(known)
    return {i for i, v in enumerate(values) if v == winner}


def _coverage_columns(metrics: Mapping[str, Any], models: Sequence[Mapping[str, Any]]) -> list[Column]:
    held, coverage = [model["test"].get("coverage") or {} for model in models], score_named("coverage")
    columns = []
    for level in sorted({level for shares in held for level in shares}, key=level_order):
        values = [shares.get(level) for shares in held]
        # Nearest to the level, from either side: too wide is as wrong as too narrow.
        away = [None if v is None else abs(v - level_order(level)[0] / 100) for v in values]
        best = _best_of(comparable(metrics, "test", away), min)
        cells = tuple(Cell(per_cent(v), i in best) for i, v in enumerate(values))
        columns.append(Column("test", f"{coverage.heading} {level} %", coverage.meaning, cells))
    return columns


def _distribution_columns(metrics: Mapping[str, Any], models: Sequence[Mapping[str, Any]]) -> list[Column]:
    """The scores of intervals: Winkler's at each level, and the CRPS of all of them."""
    found: list[tuple[str, str, list[float | None]]] = []
    held = [each if isinstance(each := model["test"].get("winkler"), Mapping) else {} for model in models]
    for level in sorted({level for scores in held for level in scores}, key=level_order):
        values = [_number(scores.get(level)) for scores in held]
        found.append(("winkler", f"{score_named('winkler').heading} {level} %", values))
    found.append(("crps", score_named("crps").heading, [_number(model["test"].get("crps")) for model in models]))
    columns = []
    for name, heading, values in found:
        if any(value is not None for value in values):
            best = _best_of(comparable(metrics, "test", values), min)
            cells = tuple(Cell(score_text(name, v, values), i in best) for i, v in enumerate(values))
            columns.append(Column("test", heading, score_named(name).meaning, cells))
    return columns


def table_text(metrics: Mapping[str, Any], width: int | None = None, *, rest: str = "") -> str:
    """The table of all models as aligned plain text, one block for validation and one for test.

    `metrics` is what metrics.json holds. The best of a column carries a star; the chosen model an arrow. Columns that
    don't fit into `width` characters are continued below. With `rest`, which says where the others are, the table of
    many models holds those of `shown_first` alone.
    """
    every = ordered_models(metrics)
    names = shown_first(metrics, _IN_TERMINAL) if rest else every
    at = [every.index(name) for name in names]
    columns = score_columns(metrics)
    blocks = []
    for split, title in _SPLITS:
        shown = [c for c in columns if c.split in ("", split)]
        fewer = fewer_windows(metrics, split)
        table = [["model", "kind", *[brief(c.heading, _LONGEST) for c in shown]]]
        for i, name in zip(at, names):
            mark = "> " if name == metrics["best"] else "  "
            cells = [c.cells[i].text + ("*" if c.cells[i].best else " ") for c in shown]
            table.append(
                [mark + brief(name, _LONGEST) + (" †" if name in fewer else ""), kind_words(metrics, name), *cells]
            )
        blocks.append(f"{_headed(metrics, split, title, ' ({})')}\n{_aligned(table, width)}")
    marks = ["* best of the column", f"> {_chosen_by(metrics)}"]
    marks += [note] if (note := fewer_windows_told(metrics, names)) else []
    if len(names) < len(every):
        others = f"{whole(len(every) - len(names))} more models, ranked behind these, are {rest}"
        blocks.append(others if width is None else textwrap.fill(others, width, subsequent_indent="  "))
    footer = "   ".join(marks)
    if width is not None and len(footer) > width:
        footer = "\n".join(textwrap.fill(mark, width, subsequent_indent="  ") for mark in marks)
    return "\n\n".join(blocks) + f"\n\n{footer}\n"


def _chosen_by(metrics: Mapping[str, Any]) -> str:
    """What the selected model is best at."""
    return f"selected by {score_named(scores_of(metrics)[0]).phrase} on {chosen_on(metrics)}{unless_clear(metrics)}"


def chosen_on(metrics: Mapping[str, Any]) -> str:
    """The data that the model is selected on."""
    return "the first two thirds of the validation set" if is_forecast(metrics) else "the validation set"


def unless_clear(metrics: Mapping[str, Any]) -> str:
    """How an ensemble comes to be selected though a single model may stand above it, as the end of a sentence."""
    if metrics["models"][metrics["best"]]["kind"] != "ensemble":
        return ""
    return ": the average of the best is taken unless a single model is better by more than two standard errors"


def noun_of(metrics: Mapping[str, Any]) -> str:
    """What the run counts its examples as."""
    return "window" if is_forecast(metrics) else brief(str(metrics.get("unit", "example")))


def sizes_of(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    """How many examples each part of the data has."""
    return metrics["windows" if is_forecast(metrics) else "examples"]


def _headed(metrics: Mapping[str, Any], split: str, title: str, between: str) -> str:
    """A part's title, and how much was scored there where that is recorded."""
    number = sizes_of(metrics).get(split)
    noun = noun_of(metrics) + ("" if number == 1 else "s")
    return title + between.format(f"{whole(number)} {noun}") if isinstance(number, int) else title


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
    """The table of all models as HTML in its own scrolling box: validation above test, in the same columns; of many
    models those of `shown_first`, and the others folded behind their number."""
    first = shown_first(metrics)
    rest = [name for name in ranked(metrics) if name not in first]
    # Shown by the page's script where the box is narrower than its table.
    hint = '<p class="note wider" hidden>More columns stand to the right: scroll the table sideways.</p>'
    shown = f"{hint}\n{_table(metrics, first, 'Table of the models' if rest else 'Table of all models')}"
    told = fewer_windows_told(metrics, ordered_models(metrics))
    shown += f'\n<p class="note">{escape(told)}.</p>' if told else ""
    if not rest:
        return shown
    folded = _table(metrics, rest, "Table of the other models")
    more = f"{whole(len(rest))} more models" if len(rest) > 1 else "1 more model"
    return f"{shown}\n<details><summary>{more}, ranked behind</summary>{folded}</details>"


def _table(metrics: Mapping[str, Any], names: Sequence[str], label: str) -> str:
    every = ordered_models(metrics)
    at = {name: every.index(name) for name in names}
    columns = score_columns(metrics)
    heads = list(dict.fromkeys((c.heading, c.meaning) for c in columns))
    head = '<th scope="col">Model</th>' + "".join(
        f'<th scope="col" class="num" title="{escape(meaning)}">{escape(heading)}</th>' for heading, meaning in heads
    )
    bodies = []
    for split, title in _SPLITS:
        headed = _headed(metrics, split, title, ", {}")
        cells = {c.heading: c.cells for c in columns if c.split in ("", split)}
        rows = "".join(
            _row(metrics, name, [cells.get(heading, ())[i : i + 1] for heading, _ in heads]) for name, i in at.items()
        )
        group = f'<tr><th scope="rowgroup" colspan="{len(heads) + 1}" class="group">{escape(headed)}</th></tr>'
        bodies.append(f"<tbody>{group}{rows}</tbody>")
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table class="scores">'
        f"<thead><tr>{head}</tr></thead>{''.join(bodies)}</table></div>"
    )


def _row(metrics: Mapping[str, Any], name: str, cells: Sequence[Sequence[Cell]]) -> str:
    chosen = name == metrics["best"]
    kind = kind_words(metrics, name)
    named = escape(name) + (" †" if any(name in fewer_windows(metrics, split) for split, _ in _SPLITS) else "")
    tags = f'<span class="tag">{kind}</span>' if kind in ("baseline", "statistical") else ""
    tags += '<span class="tag chosen">selected</span>' if chosen else ""
    inner = "".join(
        f'<td class="num{" best" if cell and cell[0].best else ""}">{_cell(cell[0]) if cell else ""}</td>'
        for cell in cells
    )
    return f'<tr{" class=chosen" if chosen else ""}><th scope="row">{named}{tags}</th>{inner}</tr>'


def _cell(cell: Cell) -> str:
    star = '<span class="star" aria-hidden="true">★</span><span class="hidden">best: </span>'
    return (star if cell.best else "") + escape(cell.text)


def scores_of(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """The scores of a run in the order of its table; the first ranks the models."""
    if is_forecast(metrics):
        return tuple(name for name, score in SCORES.items() if "forecasts" in score.measures and name not in _NOT_SHOWN)
    return tuple(metrics["scores"])


def lower_is_better(metrics: Mapping[str, Any], name: str) -> bool:
    """Whether a model with a lower value of that score is the better one."""
    return score_named(name).lower_is_better if is_forecast(metrics) else name in metrics["lower_is_better"]


def unit_of(metrics: Mapping[str, Any], name: str) -> str | None:
    """The unit that a score is in, where it has that of the target and the run knows it."""
    return metrics.get("unit") if is_forecast(metrics) and score_named(name).unit == "target" else None


def score_heading(metrics: Mapping[str, Any], name: str) -> str:
    """The heading of a score's column, with its unit."""
    return with_unit(score_named(name).heading, unit_of(metrics, name))


def score_text(name: str, value: float | None, among: Sequence[float | None] = ()) -> str:
    """One value of a score, with the decimals that suit it, or the smallest of those it stands `among`.

    >>> score_text("accuracy", 0.9187), score_text("perplexity", 114.731), score_text("smape", 16.34)
    ('91.87 %', '114.7', '16.3 %')
    """
    unit = score_named(name).unit
    if unit == "share":
        return per_cent(value, 2)
    if unit == "percent":
        return per_cent(None if value is None else value / 100)
    if unit == "signed share":
        return signed_per_cent(value)
    return fixed(value, _common_decimals(among) if among else decimals_for([value]))


def _common_decimals(values: Sequence[float | None]) -> int | None:
    """Decimals that suit the smallest score, the one that matters; fewer where the largest would exceed six digits."""
    sizes = [abs(v) for v in values if v is not None and math.isfinite(v) and v != 0]
    if not sizes:
        return 3
    wanted = decimals_for([min(sizes)])
    return wanted if wanted is None else max(0, min(wanted, 5 - math.floor(math.log10(max(sizes)))))
