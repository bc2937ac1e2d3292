"""The drawings of a study: panels of lines or bars as Vega-Lite specifications, rendered to SVG and PNG.

A picture is a grid of panels. Labels are only ever data in it; the look and the colours are those of the report.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from seqloom_runtime.extras import need

from ..report.chart import library, look, rows_of
from ..report.missing import why_not_drawable
from ..report.style import LIGHT, Style, with_light_colours

__all__ = ["Bars", "Curve", "Picture", "Plot", "curve_of", "level", "png", "styles_for", "svg"]

_HUES = ("c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8")
_DASHES = ((1, 0), (8, 3), (2, 2))


@dataclass(frozen=True, eq=False)
class Curve:
    """One line of a plot: its name for the reader, its points, how it is drawn."""

    label: str
    x: Sequence[float]
    y: Sequence[float | None]
    style: Style
    width: float = 1.8


@dataclass(frozen=True, eq=False)
class Plot:
    """Lines over a common axis. `log`: the vertical axis by powers of ten; `low`, `high`: where it is cut."""

    x_title: str
    y_title: str
    curves: Sequence[Curve]
    title: str = ""
    log: bool = False
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class Bars:
    """Horizontal bars, one per label, from the top; `rule` draws a line at a value, such as the baseline's."""

    x_title: str
    labels: Sequence[str]
    values: Sequence[float | None]
    colours: Sequence[str]
    title: str = ""
    rule: float | None = None


@dataclass(frozen=True, eq=False)
class Picture:
    """One file of charts: its name, its heading, how to read it, and its panels, `columns` in a row."""

    name: str
    heading: str
    reading: str
    panels: Sequence[Plot | Bars]
    columns: int = 2
    width: int = 400
    height: int = 240

    def specification(self) -> dict[str, Any]:
        """The picture as a Vega-Lite specification whose colours are CSS variables."""
        alt = library()
        charts, datasets = [], {}
        for number, panel in enumerate(self.panels):
            key = f"rows{number}"
            if isinstance(panel, Plot):
                chart, datasets[key] = _lines(alt, panel, key)
                height = self.height
            else:
                chart, datasets[key] = _bars(alt, panel, key)
                # One bar has the same thickness whatever the number of rows.
                height = 26 * len(panel.labels)
            title = alt.Title(panel.title, anchor="start", fontSize=13, color="var(--ink)", offset=14)
            headed = {"title": title} if panel.title else {}
            charts.append(chart.properties(width=self.width, height=height, **headed))
        # Independent: each panel has lines of its own names, and a shared legend would list them all under each.
        grid = alt.concat(*charts, columns=self.columns, spacing=36).resolve_scale(
            color="independent", strokeDash="independent"
        )
        spec = grid.properties(background="transparent").configure(**look()).to_dict()
        # An address of another machine: the page must hold none, and the drawing library doesn't need it.
        spec.pop("$schema", None)
        spec["datasets"] = datasets
        spec["padding"] = 12
        longest = max((len(name) for panel in self.panels for name in _names(panel)), default=1)
        # Names are measured here in another font than the page's, so there is room for wider ones.
        fitted = {"columns": max(1, min(4, self.width // (7 * longest + 40))), "columnPadding": 12 + longest}
        spec["config"]["legend"] |= {"offset": 28, "labelLimit": 300, "title": None, **fitted}
        # Such a text would end the whole process inside the library, beyond any except.
        if reason := why_not_drawable(spec):
            raise ValueError(reason)
        return spec


def _names(panel: Plot | Bars) -> list[str]:
    """What stands in a panel's legend."""
    return [curve.label for curve in panel.curves] if isinstance(panel, Plot) else []


def styles_for(labels: Sequence[str], grey: str | None = None) -> dict[str, Style]:
    """A colour and a dash per label; `grey` names the one that is drawn as the baseline.

    >>> styles_for(["a", "b"])["b"].colour
    'var(--c2)'
    """
    coloured = [label for label in labels if label != grey]
    styles = {
        label: Style(f"var(--{_HUES[i % len(_HUES)]})", _DASHES[min(i // len(_HUES), len(_DASHES) - 1)])
        for i, label in enumerate(coloured)
    }
    return styles | ({grey: Style("var(--naive)", (5, 3))} if grey is not None else {})


def curve_of(label: str, values: Sequence[float | None], style: Style, *, dash: tuple[int, ...] | None = None) -> Curve:
    """A curve of numbers by epoch, from 1."""
    style = style if dash is None else replace(style, dash=dash)
    return Curve(label, range(1, len(values) + 1), values, style)


def level(label: str, value: float, last: float, style: Style | None = None) -> Curve:
    """A horizontal line at a value, from 1 to `last`."""
    return Curve(label, [1, max(last, 2)], [value, value], style or Style("var(--naive)", (5, 3)), 1.4)


def svg(picture: Picture, *, themed: bool = False) -> str:
    """The picture as SVG; `themed` keeps CSS variables as colours, for a page that sets them."""
    spec = picture.specification()
    drawn = str(_converter().vegalite_to_svg(spec if themed else with_light_colours(spec), allowed_base_urls=[]))
    numbers: dict[str, int] = {}

    def renumbered(found: re.Match[str]) -> str:
        return f"{found[1]}{picture.name}-{numbers.setdefault(found[2], len(numbers))}"

    # The drawing library counts its clip paths over the life of the process; ours start anew in each picture.
    return re.sub(r'(id="|url\(#)clip(\d+)', renumbered, drawn)


def png(picture: Picture) -> bytes:
    """The picture as PNG, on white, two pixels to the unit."""
    spec = with_light_colours(picture.specification()) | {"background": LIGHT["paper"]}
    title = {"text": picture.heading, "anchor": "start", "fontSize": 15, "color": LIGHT["ink"], "offset": 16}
    return bytes(_converter().vegalite_to_png(spec | {"title": title}, scale=2, allowed_base_urls=[]))


def _converter() -> Any:
    return need("vl_convert", "the page of a study")


def _lines(alt: Any, plot: Plot, key: str) -> tuple[Any, list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for number, curve in enumerate(plot.curves):
        points = rows_of(x=[float(x) for x in curve.x], y=[_number(y) for y in curve.y])
        rows += [{**point, "line": curve.label, "order": number} for point in points]
    labels = [curve.label for curve in plot.curves]
    colour = alt.Scale(domain=labels, range=[curve.style.colour for curve in plot.curves])
    dash = alt.Scale(domain=labels, range=[list(curve.style.dash) for curve in plot.curves])
    bounds: dict[str, Any] = {"type": "log"} if plot.log else {"zero": False}
    if plot.low is not None:
        bounds["domainMin"] = plot.low
    if plot.high is not None:
        bounds["domainMax"] = plot.high
    look_y: dict[str, Any] = {"title": plot.y_title, **_powers(plot)}
    layers = [
        alt.Chart(alt.NamedData(name=key))
        .transform_filter(f"datum.order === {number}")
        .mark_line(strokeWidth=curve.width, clip=True)
        .encode(
            x=alt.X("x:Q", scale=alt.Scale(nice=False, zero=False), axis=alt.Axis(title=plot.x_title, tickMinStep=1)),
            y=alt.Y("y:Q", scale=alt.Scale(**bounds), axis=alt.Axis(**look_y)),
            color=alt.Color("line:N", scale=colour, legend=alt.Legend(title=None, symbolType="stroke")),
            strokeDash=alt.StrokeDash("line:N", scale=dash, legend=alt.Legend(title=None)),
        )
        for number, curve in enumerate(plot.curves)
    ]
    return alt.layer(*layers), rows


def _powers(plot: Plot) -> dict[str, Any]:
    """Ticks at powers of ten alone, where the axis is logarithmic."""
    sizes = [y for curve in plot.curves for y in curve.y if y is not None and y > 0]
    if not plot.log or not sizes:
        return {}
    first, last = math.floor(math.log10(min(sizes))), math.ceil(math.log10(max(sizes)))
    # Vega labels 2, 3, 5 within a decade too, which overlap in a small panel.
    return {"values": [10.0**power for power in range(first, last + 1)], "format": "~g" if first >= -3 else ".0e"}


def _bars(alt: Any, bars: Bars, key: str) -> tuple[Any, list[dict[str, Any]]]:
    numbers = [_number(value) for value in bars.values]
    rows = rows_of(x=[float("nan") if value is None else value for value in numbers], order=list(range(len(numbers))))
    rows = [{**row, "label": label} for row, label in zip(rows, bars.labels, strict=True)]
    base = alt.Chart(alt.NamedData(name=key))
    order = alt.Y("label:N", sort=list(bars.labels), axis=alt.Axis(title=None, grid=False, labelLimit=220))
    x = alt.X("x:Q", scale=alt.Scale(zero=True), axis=alt.Axis(title=bars.x_title, grid=True))
    colour = alt.Color("label:N", scale=alt.Scale(domain=list(bars.labels), range=list(bars.colours)), legend=None)
    layers = [base.mark_bar(height={"band": 0.6}, opacity=0.85).encode(x=x, y=order, color=colour)]
    layers.append(
        base.mark_text(align="left", dx=4, fontSize=11, color="var(--ink)").encode(
            x=x, y=order, text=alt.Text("x:Q", format=",.4~g")
        )
    )
    if bars.rule is not None:
        line = base.transform_filter("datum.order === 0").mark_rule(color="var(--naive)", strokeDash=[5, 3])
        layers.append(line.encode(x=alt.datum(bars.rule)))
    return alt.layer(*layers), rows


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
