"""Examples as HTML: mistakes, words shaded by belief or attention, spans, generated text; all of it escaped here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from .markup import box, data_table, per_model
from .picture import picture_html
from .saved import SavedRun
from .style import hue
from .wording import decimals_for, fixed, plain

__all__ = [
    "attention_html",
    "mistakes_html",
    "samples_html",
    "spans_html",
    "tables_html",
    "tokens_html",
]

_LONGEST = 1200
_MOST_TOKENS = 400
_CHANNELS = 4
_WIDTH, _HEIGHT = 180.0, 40.0


def mistakes_html(run: SavedRun) -> str:
    """Lists of the mistakes with the highest loss, the best model's first."""
    return per_model([(name, _mistakes_list(examples)) for name, examples in run.held("mistakes").items()])


def tokens_html(number: int, example: Mapping[str, Any], classes: Sequence[str]) -> str:
    """The words of one example, each coloured by the class believed after it, the deeper the surer."""
    words = []
    floor = 1 / len(classes)
    for token, row in list(zip(example["tokens"], example["probabilities"], strict=True))[:_MOST_TOKENS]:
        top = max(range(len(classes)), key=lambda k: row[k])
        # From the evenly spread belief up: of two classes 0.5 is no colour at all.
        depth = max(0.0, (float(row[top]) - floor) / (1 - floor))
        words.append(_word(str(token), depth, hue(top), f"{classes[top]} {fixed(float(row[top]), 2)}"))
    more = " …" if len(example["tokens"]) > _MOST_TOKENS else ""
    said = f"{number + 1}. {example['actual']}, predicted as {example['predicted']}"
    return f'<p class="words"><b class="said">{escape(said)}</b> {" ".join(words)}{more}</p>'


def attention_html(run: SavedRun) -> str:
    """Texts with their sentences and words shaded by how much the model attends to them."""
    held = run.held("attention")
    return per_model([(name, "".join(_attended(n, e) for n, e in enumerate(held[name]))) for name in held])


def spans_html(run: SavedRun) -> str:
    """Sentences with the spans that should be marked and those that were."""
    return per_model(
        [(name, box("Sentences", "".join(map(_compared, examples)))) for name, examples in run.held("spans").items()]
    )


def samples_html(run: SavedRun) -> str:
    """Generated text after its prompt."""
    parts = []
    for name, samples in run.held("samples").items():
        blocks = []
        for sample in samples:
            how = ", ".join(f"{key} {value}" for key, value in (sample.get("settings") or {}).items())
            text = f"<b>{escape(str(sample.get('prompt', '')))}</b>{escape(str(sample['text']))}"
            blocks.append(f'<p class="note">{escape(how)}</p><pre tabindex="0">{text}</pre>')
        parts.append((name, "".join(blocks)))
    return per_model(parts)


def tables_html(run: SavedRun) -> str:
    """Other tables that a model gave."""
    return per_model([(name, "".join(map(_table, tables))) for name, tables in run.held("tables").items()])


def sparkline(series: Mapping[str, Any]) -> str:
    """A sequence drawn small, its first four channels on one scale.

    >>> sparkline({"names": ["a"], "values": [[0.0, 1.0]]}).count("polyline")
    1
    """
    channels = [[float(v) for v in channel] for channel in series["values"]]
    drawn = [channel for channel in channels[:_CHANNELS] if channel]
    if not drawn:
        return ""
    low, high = min(map(min, drawn)), max(map(max, drawn))
    # A constant sequence has no span to divide by.
    span = (high - low) or 1.0
    step = (_WIDTH - 4) / max(1, len(drawn[0]) - 1)
    lines = []
    for number, channel in enumerate(drawn):
        points = " ".join(
            f"{2 + i * step:.1f},{_HEIGHT - 3 - (v - low) / span * (_HEIGHT - 6):.1f}" for i, v in enumerate(channel)
        )
        lines.append(f'<polyline points="{points}" fill="none" stroke="{hue(number)}" stroke-width="1.2"/>')
    names = ", ".join(str(name) for name in series["names"][:_CHANNELS])
    more = f" (and {len(channels) - _CHANNELS} more)" if len(channels) > _CHANNELS else ""
    said = f"{len(drawn[0])} steps of {names}{more}, from {plain(low)} to {plain(high)}"
    return (
        f'<svg class="spark" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" width="{_WIDTH:.0f}" height="{_HEIGHT:.0f}" '
        f'role="img" aria-label="{escape(said)}"><title>{escape(said)}</title>{"".join(lines)}</svg>'
    )


def _compared(example: Mapping[str, Any]) -> str:
    """One sentence twice: with its actual spans, missed ones marked, and with the predicted ones, wrong ones marked."""
    actual, predicted = (
        {(int(a), int(b), str(label)) for a, b, label in example[key]} for key in ("actual", "predicted")
    )
    tokens = [str(token) for token in example["tokens"]]
    row = escape(str(example.get("row", "")))
    sure, said = _marked(tokens, actual, predicted, "missed"), _marked(tokens, predicted, actual, "wrong")
    return (
        f'<div class="pair"><p><span class="said">{row} actual</span> {sure}</p>'
        f'<p><span class="said">predicted</span> {said}</p></div>'
    )


def _table(table: Mapping[str, Any]) -> str:
    first = table["rows"][0] if table["rows"] else ()
    numbers = {i for i, cell in enumerate(first) if isinstance(cell, (int, float)) and not isinstance(cell, bool)}
    rows = [[_value(cell) for cell in row] for row in table["rows"]]
    title, heads = str(table["title"]), [str(name) for name in table["columns"]]
    reading = escape(str(table.get("reading", "")))
    return f'<h3>{escape(title)}</h3><p class="reading">{reading}</p>{data_table(title, heads, rows, numbers)}'


def _mistakes_list(examples: Sequence[Mapping[str, Any]]) -> str:
    if not examples:
        return "<p>None.</p>"
    decimals = decimals_for([float(example["loss"]) for example in examples])
    items = []
    for example in examples:
        drawn = sparkline(example["series"]) if example.get("series") else ""
        if example.get("picture"):
            drawn = picture_html(example["picture"], f"actual {example['actual']}, predicted {example['predicted']}")
        text = str(example.get("text", ""))
        shown = escape(text[:_LONGEST]) + (" …" if len(text) > _LONGEST else "")
        actual, predicted = (f"<b>{escape(_value(example[key]))}</b>" for key in ("actual", "predicted"))
        loss = escape(fixed(float(example["loss"]), decimals))
        row = f"row {escape(_value(example['row']))}: " if "row" in example else ""
        items.append(
            f'<li><span class="note">{row}actual {actual}, predicted {predicted}, loss {loss}</span>'
            f"{drawn}<p>{shown}</p></li>"
        )
    return box("Mistakes", f'<ol class="mistakes">{"".join(items)}</ol>')


def _attended(number: int, example: Mapping[str, Any]) -> str:
    sentences = example["sentences"]
    # Against the largest: weights sum to 1, so in a long text each alone is pale.
    most = max((float(s["weight"]) for s in sentences), default=0.0) or 1.0
    lines = []
    for sentence in sentences:
        weights = [float(w) for w in sentence["weights"]]
        top = max(weights, default=0.0) or 1.0
        words = " ".join(
            _word(str(token), weight / top, hue(0), fixed(weight, 3))
            for token, weight in zip(sentence["tokens"], weights, strict=True)
        )
        share = float(sentence["weight"])
        bar = f'<i class="bar" style="--w:{share / most:.3f}" title="{escape(fixed(share, 3))}"></i>'
        lines.append(f"<li>{bar}<span>{words}</span></li>")
    said = f"{number + 1}. {example['actual']}, predicted as {example['predicted']}"
    return f'<div class="attended"><b class="said">{escape(said)}</b><ul>{"".join(lines)}</ul></div>'


def _word(token: str, depth: float, colour: str, title: str) -> str:
    depth = min(1.0, depth) if math.isfinite(depth) else 0.0
    style = f"--w:{depth:.3f};--h:{colour}"
    return f'<span class="w" style="{style}" title="{escape(title)}">{escape(token)}</span>'


def _marked(
    tokens: Sequence[str], spans: set[tuple[int, int, str]], others: set[tuple[int, int, str]], odd: str
) -> str:
    """The sentence with its spans marked; one that is not among the `others` is called `odd`."""
    pieces, at = [], 0
    for start, end, label in sorted(spans):
        if not at <= start < end <= len(tokens):
            continue  # spans that overlap one before them can't be shown in a line
        pieces += [escape(token) for token in tokens[at:start]]
        kind = "right" if (start, end, label) in others else odd
        inside = escape(" ".join(tokens[start:end]))
        sign = {"right": "✓", "missed": "–", "wrong": "✗"}[kind]
        pieces.append(f'<mark class="{kind}" title="{kind}">{inside}<sub>{escape(label)} {sign}</sub></mark>')
        at = end
    return " ".join([*pieces, *(escape(token) for token in tokens[at:])])


def _value(value: Any) -> str:
    if isinstance(value, float):
        return plain(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
