"""Colours and dashes of the report: one style per model, the same in every chart, told apart without colour too.

Charts name colours as CSS variables, so the page's style sheet alone decides between light, dark and print; PNG files
take the light values. The hues keep apart under the common colour-vision deficiencies, and every network line is solid,
every baseline dashed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .ranking import drawn_models
from .saved import ordered_models

__all__ = ["ACTUAL", "DARK", "IDEAL", "LIGHT", "Style", "css_variables", "hue", "model_styles", "with_light_colours"]

LIGHT = {
    "paper": "#ffffff",
    "panel": "#f5f7f9",
    "ink": "#1a2129",
    "muted": "#55606c",
    "line": "#d5dbe1",
    "grid": "#e7ebef",
    "accent": "#005a9e",
    "naive": "#6b7580",
    "c1": "#026cac",
    "c2": "#d35e00",
    "c3": "#028764",
    "c4": "#bd599a",
    "c5": "#795800",
    "c6": "#574ecd",
    "c7": "#884927",
    "c8": "#2d8aad",
}
DARK = {
    "paper": "#14181d",
    "panel": "#1c2229",
    "ink": "#e8ecf0",
    "muted": "#a3adb8",
    "line": "#36404a",
    "grid": "#29313a",
    "accent": "#6db6f2",
    "naive": "#98a3ae",
    "c1": "#50a0dc",
    "c2": "#ed863f",
    "c3": "#35c599",
    "c4": "#e994ca",
    "c5": "#e3c245",
    "c6": "#a799ff",
    "c7": "#ce9975",
    "c8": "#76c8de",
}
_VARIABLE = re.compile(r"var\(--([a-z0-9]+)\)")
# Eight, then the dashes change: more hues couldn't be told apart.
_HUES = ("c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8")
_SOLID = ((1, 0), (10, 2), (14, 3, 3, 3))
_DASHED = ((5, 3), (2, 2), (7, 3, 2, 3))
_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left")


@dataclass(frozen=True)
class Style:
    """How a series is drawn everywhere."""

    colour: str  # CSS variable reference
    dash: tuple[int, ...]
    shape: str = "circle"


ACTUAL = Style("var(--ink)", (1, 0))
IDEAL = Style("var(--muted)", (3, 3))
"""Of the line that a perfect model would draw."""


def model_styles(metrics: Mapping[str, Any]) -> dict[str, Style]:
    """A style per model: networks take the first hues and solid lines, baselines the next and dashes.

    The baseline that all are held against is grey.
    """
    names, reference = ordered_models(metrics), metrics.get("baseline") or "naive"
    kinds = {name: metrics["models"][name]["kind"] for name in names}
    # Networks first, so that the colours of one don't depend on how many baselines ran.
    coloured = [n for n in names if kinds[n] != "baseline"] + [
        n for n in names if kinds[n] == "baseline" and n != reference
    ]
    if len(coloured) > len(_HUES) and "best" in metrics:  # those that charts draw of many get hues of their own
        drawn = drawn_models(metrics, names)
        coloured.sort(key=lambda name: name not in drawn)  # stable: otherwise as they were
    styles: dict[str, Style] = {}
    for rank, name in enumerate(coloured):
        dashes = _DASHED if kinds[name] == "baseline" else _SOLID
        dash = dashes[min(rank // len(_HUES), len(dashes) - 1)]
        styles[name] = Style(f"var(--{_HUES[rank % len(_HUES)]})", dash, _SHAPES[rank % len(_SHAPES)])
    if kinds.get(reference) == "baseline":
        styles[reference] = Style("var(--naive)", _DASHED[0], "cross")
    return {name: styles[name] for name in names}


def hue(number: int) -> str:
    """The colour of class or channel `number`.

    >>> hue(0), hue(8)
    ('var(--c1)', 'var(--c1)')
    """
    return f"var(--{_HUES[number % len(_HUES)]})"


def css_variables(colours: Mapping[str, str]) -> str:
    """The colours as CSS custom properties."""
    return "".join(f"--{name}:{value};" for name, value in colours.items())


# Rows and choices hold data alone; walking thousands of them would find nothing.
_LEFT = ("datasets", "params")
# A column may be called "var(--c1)"; under these keys stand names, not colours.
_READERS_TEXT = ("values", "domain", "sort", "calculate", "text", "title", "description")


def with_light_colours(spec: dict[str, Any]) -> dict[str, Any]:
    """A specification with the light value for each colour `var(--name)`; a reader's texts in it stay as they are.

    >>> with_light_colours({"mark": {"stroke": "var(--c1)"}, "title": "var(--c1)"})
    {'mark': {'stroke': '#026cac'}, 'title': 'var(--c1)'}
    """
    return _light(spec, text=False)


def _light(value: Any, text: bool) -> Any:
    if isinstance(value, str):
        colour = None if text else _VARIABLE.fullmatch(value)
        return value if colour is None else LIGHT[colour[1]]
    if isinstance(value, dict):
        return {k: v if k in _LEFT else _light(v, text=k in _READERS_TEXT) for k, v in value.items()}
    return [_light(item, text) for item in value] if isinstance(value, (list, tuple)) else value
