"""Examples as HTML: mistakes, words shaded by belief or attention, spans, generated text; all of it escaped here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from .style import hue
from .task_saved import TaskRun
from .wording import decimals_for, fixed, list_words, plain

__all__ = ["attention_html", "mistakes_html", "samples_html", "spans_html", "tables_html", "tokens_html"]

_LONGEST = 1200
_MOST_TOKENS = 400
_CHANNELS = 4
_WIDTH, _HEIGHT = 180.0, 40.0


def mistakes_html(run: TaskRun) -> str:
    """Lists of the mistakes with the highest loss, the best model's first; empty where no model lists any."""
    held = run.held("mistakes")
    parts = [_mistakes_list(examples) for examples in held.values()]
    return _per_model(list(held), parts)


def tokens_html(number: int, example: Mapping[str, Any], classes: Sequence[str]) -> str:
    """The words of one example, each coloured by the class believed after it, the deeper the surer."""
    words = []
    floor = 1 / len(classes)
    for token, row in list(zip(example["tokens"], example["probabilities"], strict=True))[:_MOST_TOKENS]:
        top = max(range(len(classes)), key=lambda k: row[k])
        depth = max(0.0, (float(row[top]) - floor) / (1 - floor))
        words.append(_word(str(token), depth, hue(top), f"{classes[top]} {fixed(float(row[top]), 2)}"))
    more = " …" if len(example["tokens"]) > _MOST_TOKENS else ""
    said = f"{number + 1}. {example['actual']}, taken for {example['predicted']}"
    return f'<p class="words"><b class="said">{escape(said)}</b> {" ".join(words)}{more}</p>'


def attention_html(run: TaskRun) -> str:
    """Texts with their sentences and words shaded by how much the model attends to them; empty where none does."""
    held = run.held("attention")
    return _per_model(list(held), ["".join(_attended(n, e) for n, e in enumerate(held[name])) for name in held])


def spans_html(run: TaskRun) -> str:
    """Sentences with the spans that should be marked and those that were; empty where there are none."""
    held = run.held("spans")
    parts = []
    for examples in held.values():
        rows = []
        for example in examples:
            actual, predicted = (
                {(int(a), int(b), str(label)) for a, b, label in example[key]} for key in ("actual", "predicted")
            )
            tokens = [str(token) for token in example["tokens"]]
            sure = _marked(tokens, actual, lambda span, other=predicted: "right" if span in other else "missed")
            said = _marked(tokens, predicted, lambda span, other=actual: "right" if span in other else "wrong")
            row = escape(str(example.get("row", "")))
            rows.append(
                f'<div class="pair"><p><span class="said">{row} actual</span> {sure}</p>'
                f'<p><span class="said">predicted</span> {said}</p></div>'
            )
        parts.append(_box("Sentences", "".join(rows)))
    return _per_model(list(held), parts)


def samples_html(run: TaskRun) -> str:
    """Generated text after its prompt; empty where there is none."""
    held = run.held("samples")
    parts = []
    for samples in held.values():
        blocks = []
        for sample in samples:
            how = list_words([f"{name} {_value(value)}" for name, value in (sample.get("settings") or {}).items()])
            text = f"<b>{escape(str(sample.get('prompt', '')))}</b>{escape(str(sample['text']))}"
            blocks.append(f'<p class="note">{escape(how)}</p><pre tabindex="0">{text}</pre>')
        parts.append("".join(blocks))
    return _per_model(list(held), parts)


def tables_html(run: TaskRun) -> str:
    """Other tables that a model gave; empty where there are none."""
    held = run.held("tables")
    parts = []
    for tables in held.values():
        made = []
        for table in tables:
            sides = [_align(cell) for cell in table["rows"][0]] if table["rows"] else ["text"] * len(table["columns"])
            head = "".join(
                f'<th scope="col" class="{side}">{escape(str(name))}</th>'
                for name, side in zip(table["columns"], sides, strict=True)
            )
            rows = "".join(
                "<tr>" + "".join(f'<td class="{_align(cell)}">{escape(_value(cell))}</td>' for cell in row) + "</tr>"
                for row in table["rows"]
            )
            made.append(
                f"<h3>{escape(str(table['title']))}</h3>"
                f'<p class="reading">{escape(str(table.get("reading", "")))}</p>{_scroll(head, rows, table["title"])}'
            )
        parts.append("".join(made))
    return _per_model(list(held), parts)


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


def _per_model(names: Sequence[str], parts: Sequence[str]) -> str:
    """The first model's part in the open, the others' behind their names."""
    if not parts:
        return ""
    rest = "".join(
        f"<details><summary>{escape(name)}</summary>{part}</details>" for name, part in zip(names[1:], parts[1:])
    )
    title = f"<h3>{escape(names[0])}</h3>" if len(names) > 1 else ""
    return title + parts[0] + rest


def _mistakes_list(examples: Sequence[Mapping[str, Any]]) -> str:
    if not examples:
        return "<p>None.</p>"
    decimals = decimals_for([float(example["loss"]) for example in examples])
    items = []
    for example in examples:
        drawn = sparkline(example["series"]) if example.get("series") else ""
        text = str(example.get("text", ""))
        shown = escape(text[:_LONGEST]) + (" …" if len(text) > _LONGEST else "")
        actual, predicted = (f"<b>{escape(_value(example[key]))}</b>" for key in ("actual", "predicted"))
        loss = escape(fixed(float(example["loss"]), decimals))
        row = f"row {escape(_value(example['row']))}: " if "row" in example else ""
        items.append(
            f'<li><span class="note">{row}actual {actual}, predicted {predicted}, loss {loss}</span>'
            f"{drawn}<p>{shown}</p></li>"
        )
    return _box("Mistakes", f'<ol class="mistakes">{"".join(items)}</ol>')


def _attended(number: int, example: Mapping[str, Any]) -> str:
    sentences = example["sentences"]
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
    said = f"{number + 1}. {example['actual']}, taken for {example['predicted']}"
    return f'<div class="attended"><b class="said">{escape(said)}</b><ul>{"".join(lines)}</ul></div>'


def _word(token: str, depth: float, colour: str, title: str) -> str:
    depth = min(1.0, depth) if math.isfinite(depth) else 0.0
    style = f"--w:{depth:.3f};--h:{colour}"
    return f'<span class="w" style="{style}" title="{escape(title)}">{escape(token)}</span>'


def _marked(tokens: Sequence[str], spans: set[tuple[int, int, str]], judge: Any) -> str:
    pieces, at = [], 0
    for start, end, label in sorted(spans):
        if not at <= start < end <= len(tokens):
            continue  # spans that overlap one before them can't be shown in a line
        pieces += [escape(token) for token in tokens[at:start]]
        kind = judge((start, end, label))
        inside = escape(" ".join(tokens[start:end]))
        sign = {"right": "✓", "missed": "–", "wrong": "✗"}[kind]
        pieces.append(f'<mark class="{kind}" title="{kind}">{inside}<sub>{escape(label)} {sign}</sub></mark>')
        at = end
    return " ".join([*pieces, *(escape(token) for token in tokens[at:])])


def _scroll(head: str, rows: str, label: Any) -> str:
    return _box(label, f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")


def _box(label: Any, inner: str) -> str:
    """What may be long, in a box that scrolls."""
    return f'<div class="scroll tall" tabindex="0" role="region" aria-label="{escape(str(label))}">{inner}</div>'


def _align(value: Any) -> str:
    return "num" if isinstance(value, (int, float)) and not isinstance(value, bool) else "text"


def _value(value: Any) -> str:
    if isinstance(value, float):
        return plain(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
