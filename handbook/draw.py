"""Small pictures as SVG text: lines, bars, matrices with their numbers, chains of layers.

Text and axes are drawn in `currentColor`, so that they follow a light or a dark page. Same values, same bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

__all__ = ["bars", "chain", "lines", "matrix", "stacked", "svg"]

COLOURS = ("#00897b", "#e65100", "#5e35b1", "#c2185b", "#1e88e5", "#7cb342", "#6d4c41", "#546e7a")
_WIDTH = 640


def svg(body: str, width: float, height: float, title: str = "") -> str:
    """A picture around its marks."""
    named = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<svg class="picture" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" '
        f'width="{_n(width)}" height="{_n(height)}" role="img" font-family="sans-serif" font-size="12">'
        f"{named}{body}</svg>"
    )


def _n(value: float) -> str:
    """A coordinate, at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if math.isfinite(value) else "0"


def number(value: float) -> str:
    """A number for a label: four digits at most."""
    if not math.isfinite(value):
        return "–"
    if abs(value) >= 1000 and float(value).is_integer():
        return f"{value:,.0f}".replace("-", "−")
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        text = f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) < 1000 else f"{value:,.0f}"
        return text.replace("-0", "0") if text in ("-0",) else text.replace("-", "−")
    return re.sub(r"(\.0)?e([+-])0?", r"e\2", f"{value:.1e}").replace("e+", "e").replace("-", "−")


def _text(x: float, y: float, text: str, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" fill="currentColor"{more}>{escape(text)}</text>'


def _ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers between two values."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def lines(
    series: Mapping[str, Any],
    x: Any = None,
    *,
    across: str = "step",
    up: str = "",
    log: bool = False,
    points: bool = False,
    height: float = 240,
) -> str:
    """Series of equal or unequal length over their positions or over `x`; `log`: powers of ten upwards."""
    values = {name: np.asarray(each, dtype=float).ravel() for name, each in series.items()}
    at = {
        name: np.arange(len(each)) if x is None else np.asarray(x, dtype=float)[: len(each)]
        for name, each in values.items()
    }
    if log:
        values = {name: np.log10(np.where(each > 0, each, np.nan)) for name, each in values.items()}
    every = np.concatenate(list(values.values()))
    low, high = float(np.nanmin(every)), float(np.nanmax(every))
    pad = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    low, high = low - pad, high + pad
    left = float(min(each.min() for each in at.values()))
    right = float(max(each.max() for each in at.values()))
    right = right if right > left else left + 1
    x0, x1, y0, y1 = 56.0, _WIDTH - 14.0, height - 34.0, 34.0

    def place(a: float, b: float) -> tuple[float, float]:
        return x0 + (a - left) / (right - left) * (x1 - x0), y0 + (b - low) / (high - low) * (y1 - y0)

    marks = [_text(4, 14, up)] if up else []
    powers = range(math.ceil(low), math.floor(high) + 1)
    for tick in _ticks(low, high) if not log or high - low < 1.5 else powers[:: 1 + len(powers) // 7]:
        y = place(left, tick)[1]
        said = number(10.0**tick) if log else number(tick)
        marks.append(f'<path d="M{_n(x0)} {_n(y)}H{_n(x1)}" stroke="currentColor" stroke-opacity="0.14"/>')
        marks.append(_text(x0 - 6, y + 4, said, "end"))
    marks += [_text(place(tick, low)[0], y0 + 16, number(tick), "middle") for tick in _ticks(left, right, 6)]
    marks.append(_text(x1, height - 4, across, "end"))
    for n, (name, each) in enumerate(values.items()):
        colour, drawn, begun = COLOURS[n % len(COLOURS)], [], False
        for a, b in zip(at[name], each):
            if math.isfinite(b):
                px, py = place(float(a), float(b))
                drawn.append(f"{'L' if begun else 'M'}{_n(px)} {_n(py)}")
                if points:
                    marks.append(f'<circle cx="{_n(px)}" cy="{_n(py)}" r="3" fill="{colour}"/>')
            begun = math.isfinite(b)
        marks.append(f'<path d="{"".join(drawn)}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
    marks.append(_legend(list(values), 24 + 6.4 * len(up)))
    return svg("".join(marks), _WIDTH, height, up)


def _legend(names: Sequence[str], x: float) -> str:
    if len(names) < 2 and not names[0]:
        return ""
    marks, at = [], max(x, 56.0)
    for n, name in enumerate(names):
        marks.append(f'<rect x="{_n(at)}" y="6" width="12" height="9" fill="{COLOURS[n % len(COLOURS)]}"/>')
        marks.append(_text(at + 17, 15, name))
        at += 28 + 6.1 * len(name)
    return "".join(marks)


def bars(values: Mapping[str, float], *, unit: str = "", log: bool = False) -> str:
    """A horizontal bar for each name, its value behind it; names without a value are left out."""
    values = {name: value for name, value in values.items() if math.isfinite(value)}
    wide = max(len(name) for name in values)
    x0 = min(260.0, 14 + 6.8 * wide)
    sizes = {name: math.log10(max(value, 1e-300)) if log else value for name, value in values.items()}
    low = min(0.0, *sizes.values()) if not log else math.floor(min(sizes.values()) - 0.2)
    high = max(sizes.values()) if log else max(0.0, *sizes.values())
    scale = (_WIDTH - x0 - 110) / ((high - low) or 1)
    marks = []
    for n, (name, value) in enumerate(values.items()):
        y, start = 8 + 24 * n, x0 + ((0 if not log else low) - low) * scale
        end = x0 + (sizes[name] - low) * scale
        marks.append(_text(x0 - 8, y + 13, name, "end"))
        marks.append(
            f'<rect x="{_n(min(start, end))}" y="{y}" width="{_n(max(abs(end - start), 1))}" height="16" '
            f'fill="{COLOURS[n % len(COLOURS)]}"/>'
        )
        marks.append(_text(max(start, end) + 6, y + 13, f"{number(value)}{unit}"))
    return svg("".join(marks), _WIDTH, 16 + 24 * len(values))


def matrix(
    values: Any,
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    numbers: bool = True,
    title: str = "",
    cell: float | None = None,
) -> str:
    """Cells coloured by their value (green above 0, orange below), with their numbers."""
    grid = np.atleast_2d(np.asarray(values, dtype=float))
    count, width = grid.shape
    x0 = 10 + (6.2 * max((len(row) for row in rows), default=0) + 6 if rows else 0)
    y0 = 8 + (18 if title else 0) + (16 if columns else 0)
    size = cell or min(52.0 if numbers else 22.0, (_WIDTH - x0 - 6) / width)
    tall = min(size, 26.0) if numbers else size
    most = float(np.nanmax(np.abs(grid))) or 1.0
    marks = [_text(x0, 16, title)] if title else []
    marks += [_text(x0 + (n + 0.5) * size, y0 - 5, name, "middle") for n, name in enumerate(columns)]
    if not numbers:
        edge = f'width="{_n(width * size)}" height="{_n(count * tall)}" fill="none" stroke="currentColor"'
        marks.append(f'<rect x="{_n(x0)}" y="{_n(y0)}" {edge} stroke-opacity="0.3"/>')
    for i in range(count):
        if rows:
            marks.append(_text(x0 - 6, y0 + (i + 0.5) * tall + 4, rows[i], "end"))
        for j in range(width):
            value = float(grid[i, j])
            if value == 0 and not numbers:
                continue
            x, y = x0 + j * size, y0 + i * tall
            share = abs(value) / most if math.isfinite(value) else 0
            colour = COLOURS[0] if value >= 0 else COLOURS[1]
            marks.append(
                f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(size - 1)}" height="{_n(tall - 1)}" fill="{colour}" '
                f'fill-opacity="{_n(0.75 * share)}"/>'
            )
            if numbers:
                marks.append(_text(x + size / 2, y + tall / 2 + 4, number(value), "middle"))
    return svg("".join(marks), x0 + width * size + 6, y0 + count * tall + 6, title)


def chain(boxes: Sequence[str], *, below: Sequence[str] = ()) -> str:
    """Layers one behind the other, each in a box with an arrow to the next; `below`: a note under each box."""
    marks, x, y, row = [], 8.0, 10.0, 64 if below else 48
    for n, name in enumerate(boxes):
        wide = max(60.0, 20 + 6.9 * max(len(name), len(below[n]) if below else 0))
        if x + wide > _WIDTH - 8 and n:
            x, y = 30.0, y + row
        if n:
            marks.append(_text(x - 20, y + 20, "→"))
        marks.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(wide)}" height="30" rx="4" fill="{COLOURS[0]}" '
            f'fill-opacity="0.16" stroke="{COLOURS[0]}"/>'
        )
        marks.append(_text(x + wide / 2, y + 19, name, "middle"))
        if below:
            marks.append(_text(x + wide / 2, y + 45, below[n], "middle", ' fill-opacity="0.75"'))
        x += wide + 26
    return svg("".join(marks), _WIDTH, y + row)


def stacked(*pictures: str) -> str:
    """Pictures one below the other."""
    return "".join(pictures)
