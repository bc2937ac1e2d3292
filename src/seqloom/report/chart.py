"""What the charts share: axes, line charts over wide rows, and the parts of a figure as plain data.

A chart is a Vega-Lite specification with inline rows (at most `ROWS_PER_CHART`), made with altair and free of anything
that differs from one build to the next. Column and model names are only ever data in it: fields have names of our own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.extras import need

from .style import IDEAL, Style
from .wording import decimals_for

if TYPE_CHECKING:
    import altair

__all__ = [
    "Axis",
    "Band",
    "Chart",
    "Control",
    "Figure",
    "Line",
    "choice",
    "coloured",
    "diagonal",
    "hover",
    "legend_of",
    "library",
    "line_chart",
    "look",
    "rows_chosen_by",
    "rows_of",
    "specification",
    "tooltips",
    "unchecked",
    "with_choices",
    "x_of",
]

_TIME_FORMAT = {
    "year": "%Y",
    "quarter": "%b %Y",
    "month": "%b %Y",
    "week": "%-d %b",
    "date": "%-d %b",
    "day": "%-d %b",
    "hours": "%H:%M",
    "minutes": "%H:%M",
    "seconds": "%H:%M:%S",
    "milliseconds": "%H:%M:%S.%L",
}
# Vega's own time format would need a date, and shift by the reader's time zone.
_CLOCK = "format(floor(datum.value / 60), '02d') + ':' + format(datum.value % 60, '02d')"


Mark = tuple[str, Style, str]
"""An entry of a legend: its name, its style, and what is drawn (line, band, bar or point)."""


@dataclass(frozen=True)
class Axis:
    """The horizontal axis of a line chart: what its numbers are."""

    title: str
    kind: str = "number"  # number | time (milliseconds since 1970, UTC) | clock (minutes of the day)
    values: tuple[float, ...] = ()  # where its marks stand, where not left to the drawing


@dataclass(frozen=True)
class Line:
    """One line: the field of the rows, its name for the reader, and how it is drawn."""

    field: str
    label: str
    style: Style
    width: float = 1.8
    points: bool = False


@dataclass(frozen=True)
class Band:
    """A filled area between two fields."""

    low: str
    high: str
    label: str
    style: Style
    opacity: float = 0.2


@dataclass(frozen=True)
class Control:
    """A choice above a figure that sets a parameter of its charts."""

    signal: str
    label: str
    options: tuple[tuple[Any, str], ...]  # value, text


@dataclass(frozen=True, eq=False)
class Chart:
    """One chart: its file name in charts/, its specification, and what a reader who can't see it is told."""

    name: str
    spec: dict[str, Any]
    text: str
    title: str = ""
    hover: Mapping[str, Any] | None = None
    overview: dict[str, Any] | None = None  # a small chart with a brush that sets the window of this one


@dataclass(frozen=True, eq=False)
class Figure:
    """One or more charts side by side under a heading, with one sentence on how to read them."""

    reading: str
    charts: tuple[Chart, ...]
    legend: tuple[Mark, ...] = ()
    controls: tuple[Control, ...] = ()
    notes: tuple[str, ...] = ()
    after: str = ""  # HTML below the charts; its maker has escaped it
    key: str = ""  # those of its section where it has none of its own
    heading: str = ""
    shape: str = "wide"  # of its charts: wide, pair (side by side), square or small (several in a row)


def library() -> Any:
    """The altair module; raises MissingDependencyError where it is not installed."""
    return need("altair", "the report")


@contextmanager
def unchecked() -> Iterator[None]:
    """Inside the block charts are made without altair's checks against the schema of Vega-Lite, a quarter of the time.

    What they would find is a mistake in a chart's making, which the tests look for with the checks on.
    """
    schema = need("altair.utils.schemapi", "the report")
    with schema.debug_mode(False):
        yield


def rows_of(**columns: np.ndarray | Sequence[Any]) -> list[dict[str, Any]]:
    """Columns of equal length as a list of rows; floats rounded to 6 digits, NaN as None.

    >>> rows_of(x=np.array([1.0, 2.0]), a=np.array([0.12345678, np.nan]))
    [{'x': 1, 'a': 0.123457}, {'x': 2, 'a': None}]
    """
    cells = [
        # Positions exactly, values to 6 digits: rounded milliseconds since 1970 would be seconds off; values make
        # most of the page's size.
        [_cell(v, exact=name in ("at", "x", "x2")) for v in np.asarray(column).tolist()]
        for name, column in columns.items()
    ]
    return [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]


def _cell(value: Any, exact: bool) -> Any:
    if not isinstance(value, float):
        return value
    if not np.isfinite(value):
        return None
    short = float(f"{value:.15g}" if exact else f"{value:.6g}")
    # 1 instead of 1.0 saves two bytes a cell; above 2⁵³ JavaScript can't hold every whole number.
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def line_chart(
    rows: list[dict[str, Any]],
    axis: Axis,
    lines: Sequence[Line],
    *,
    y_title: str,
    bands: Sequence[Band] = (),
    zero: bool = False,
    height: int = 260,
    filters: Sequence[str] = (),
    marks: Sequence[altair.LayerChart | altair.Chart] = (),
    clip: bool = False,
) -> dict[str, Any]:
    """A layered chart of wide rows: the field `at`, one per line, two per band; `filters` are fields to choose by."""
    alt = library()
    base = rows_chosen_by(*filters)
    x = x_of(axis)
    y_axis = alt.Axis(title=y_title)
    scale = alt.Scale(zero=zero, nice=True)
    marked = coloured([l.label for l in lines], [l.style for l in lines], "line", strokeDash="dash")
    layers: list[Any] = []
    # Before the lines, which would otherwise lie under the bands.
    for band in bands:
        area = base.mark_area(opacity=band.opacity, color=band.style.colour, clip=clip)
        layers.append(area.encode(x=x, y=alt.Y(f"{band.low}:Q", axis=y_axis, scale=scale), y2=f"{band.high}:Q"))
    for line in lines:
        point = {"size": 28, "filled": True} if line.points else False
        named = base.transform_calculate(line=json.dumps(line.label))  # a quoted text is a Vega expression too
        layers.append(
            named.mark_line(strokeWidth=line.width, point=point, clip=clip).encode(
                x=x,
                y=alt.Y(f"{line.field}:Q", axis=y_axis, scale=scale),
                **marked,
            )
        )
    return specification(alt.layer(*layers, *marks), height, rows)


def rows_chosen_by(*parameters: str) -> Any:
    """The chart's rows whose fields of these names have the values that the reader chose.

    The rows themselves join last, in `specification`: altair would copy and check each of them.
    """
    alt = library()
    # Named: the rows are filled in once and shared by all layers; altair would copy them into each.
    base = alt.Chart(alt.NamedData(name="rows"))
    for name in parameters:
        # ===: a series called "1" is not step 1.
        base = base.transform_filter(f"datum.{name} === {name}")
    return base


def with_choices(spec: dict[str, Any], **values: Any) -> dict[str, Any]:
    """The specification with a parameter for each choice, set to its first value."""
    return {**spec, "params": [*spec.get("params", []), *({"name": k, "value": v} for k, v in values.items())]}


def choice(signal: str, label: str, names: Sequence[str]) -> tuple[Control, ...]:
    """A control that chooses between names, where there are several."""
    return (Control(signal, label, tuple((n, n or "(unnamed)") for n in names)),) if len(names) > 1 else ()


def coloured(names: Sequence[str], styles: Sequence[Style], field: str = "m", **others: str) -> dict[str, Any]:
    """Encodings that give each name in `field` the colour of its style, and by `others`, as in `strokeDash="dash"`, its
    dash or shape."""
    alt = library()
    ranges = {
        "colour": [s.colour for s in styles],
        "dash": [list(s.dash) for s in styles],
        "shape": [s.shape for s in styles],
    }
    made = {}
    for channel, kind in {"color": "colour", **others}.items():
        scale = alt.Scale(domain=list(names), range=ranges[kind])
        symbol = {"symbolType": "stroke"} if channel == "color" and "strokeDash" in others else {}
        legend = alt.Legend(title=None, **symbol)
        made[channel] = getattr(alt, channel[0].upper() + channel[1:])(f"{field}:N", scale=scale, legend=legend)
    return made


def tooltips(*fields: tuple[str, str] | tuple[str, str, str]) -> list[Any]:
    """What stands beside the pointer: for each field its type as in "x:Q", its name for the reader, and its format."""
    alt = library()
    return [alt.Tooltip(f[0], title=f[1], **({"format": f[2]} if len(f) == 3 else {})) for f in fields]


def diagonal(low: float, high: float, x: Any, y: Any) -> Any:
    """The dashed line on which both axes are equal."""
    alt = library()
    ends = alt.Chart(alt.InlineData(values=[{"x": end, "y": end} for end in (low, high)]))
    return ends.mark_line(color=IDEAL.colour, strokeDash=list(IDEAL.dash), strokeWidth=1.2).encode(x=x, y=y)


def legend_of(lines: Sequence[Line], bands: Sequence[Band] = ()) -> tuple[Mark, ...]:
    """The legend of a line chart."""
    filled = tuple((b.label, Style(b.style.colour, b.style.dash, str(b.opacity)), "band") for b in bands)
    return (*((line.label, line.style, "line") for line in lines), *filled)


def hover(axis: Axis, lines: Sequence[Line], values: Any, bands: Sequence[Band] = ()) -> dict[str, Any]:
    """What the page shows beside the pointer: the fields, their names, colours and the decimals that suit `values`."""
    decimals = decimals_for([v for v in np.asarray(values, dtype=float).ravel().tolist() if v == v])
    fields = [{"label": line.label, "fields": [line.field], "colour": line.style.colour} for line in lines]
    fields += [{"label": b.label, "fields": [b.low, b.high], "colour": b.style.colour} for b in bands]
    return {"x": {"label": axis.title, "kind": axis.kind}, "series": fields, "decimals": decimals}


def x_of(axis: Axis) -> Any:
    alt = library()
    if axis.kind == "time":
        # UTC: times are drawn as they were read, not moved to where the page is opened.
        ticks = {"values": list(axis.values)} if axis.values else {"tickCount": {"expr": "width / 90"}}
        look = alt.Axis(title=axis.title, format=_TIME_FORMAT, labelOverlap=True, **ticks)
        return alt.X("at:T", scale=alt.Scale(type="utc", nice=False), axis=look)
    if axis.kind == "clock":
        look = alt.Axis(title=axis.title, values=list(range(0, 1441, 180)), labelExpr=_CLOCK, labelOverlap=True)
        return alt.X("at:Q", scale=alt.Scale(domain=[0, 1440]), axis=look)
    ticks = {"values": list(axis.values)} if axis.values else {"tickMinStep": 1, "tickCount": {"expr": "width / 70"}}
    look = alt.Axis(title=axis.title, labelOverlap=True, **ticks)
    return alt.X("at:Q", scale=alt.Scale(zero=False, nice=False), axis=look)


def specification(chart: Any, height: int, rows: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """The chart as a Vega-Lite specification as wide as its container, in the report's look; `rows` is its data."""
    whole = chart.properties(width="container", height=height, background="transparent").configure(**look())
    spec = whole.to_dict(validate=need("altair.utils.schemapi", "the report").DEBUG_MODE)
    # An address of another machine: the page holds none, and the library doesn't need it.
    spec.pop("$schema", None)
    if rows is not None:
        spec["datasets"] = {"rows": rows, **spec.get("datasets", {})}
    # fit-x: the width is the container's, which a phone makes narrow; the height stays readable.
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    spec["padding"] = {"left": 2, "right": 14, "top": 6, "bottom": 4}
    return spec


def look() -> dict[str, Any]:
    """The configuration of every chart: fonts, axes, legend; colours are CSS variables."""
    axis = {
        "labelColor": "var(--muted)",
        "titleColor": "var(--ink)",
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "gridColor": "var(--grid)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
    }
    return {
        "font": "system-ui, 'Liberation Sans', Arial, sans-serif",
        "axis": axis,
        "axisY": {
            # Upright above the axis: a turned title is hard to read, and cut off on short charts.
            "titleAngle": 0,
            "titleAlign": "left",
            "titleAnchor": "start",
            "titleBaseline": "bottom",
            "titleX": 0,
            "titleY": -8,
            "domain": False,
            "ticks": False,
            "labelPadding": 6,
        },
        "axisX": {"grid": False, "titlePadding": 8},
        "view": {"stroke": None},
        # Descriptions of single marks would be Vega expressions with our titles in them, where a backslash is an
        # escape; the page describes each chart as a whole.
        "mark": {"aria": False},
        "legend": {
            "orient": "top",
            "labelColor": "var(--ink)",
            "labelFontSize": 12,
            "symbolStrokeWidth": 2,
            "columns": 4,
        },
    }
