"""A report on disk: one HTML page that needs nothing from outside, and its charts as PNG files."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from seqloom_runtime.extras import need
from seqloom_runtime.files import remove_temporaries, write_bytes, write_text

from . import beside
from .chart import Chart, Control, Figure
from .chart_library import chart_library
from .missing import attempt, why_not_drawable
from .style import DARK, LIGHT, Style, css_variables, with_light_colours
from .wording import tied

__all__ = ["Document", "Part", "Words", "begin_pictures", "check_figure", "page_html", "write_document"]

_PAIRED = re.compile(r"\\ud[89ab]", re.IGNORECASE)  # the first half of a character beyond U+FFFF, as JSON escapes it
_PNG_WIDTH = {"wide": 960, "pair": 560, "square": 520, "small": 480}


@dataclass(frozen=True)
class Words:
    """A part of the page that is words, tables or small drawings: `html` is trusted, its maker has escaped it."""

    key: str
    heading: str
    html: str


Part = Words | Figure


@dataclass(frozen=True, eq=False)
class Document:
    """A page: its title, what stands under it, and its parts in order."""

    title: str
    source: str
    parts: Sequence[Part]

    @property
    def figures(self) -> list[Figure]:
        """The parts that are charts."""
        return [part for part in self.parts if isinstance(part, Figure)]


def check_figure(figure: Figure) -> None:
    """Raise ValueError where one of its charts holds what the page can't."""
    for chart in figure.charts:
        if reason := why_not_drawable(chart.spec):
            raise ValueError(reason)
        for _, block in _blocks(chart):
            json.dumps(block, allow_nan=False)


def write_document(folder: Path, document: Document) -> Path:
    """Write charts/*.png and report.html into `folder`, each atomically; stale pictures are removed.

    A picture that can't be drawn is left out, and the page says which and why.
    """
    pictures: dict[str, bytes] = {}
    missing: dict[str, str] = {}
    for figure in document.figures:
        for chart in figure.charts:
            picture, reason = attempt(lambda figure=figure, chart=chart: _png(figure, chart))
            if picture is None:
                missing[chart.name] = reason
            else:
                pictures[f"{chart.name}.png"] = picture
    # Everything is made before anything is written: a failure leaves the old report as it was.
    page = page_html(document, missing)
    place = folder / "charts"
    place.mkdir(exist_ok=True)
    for stale in sorted(place.glob("*.png")):
        # An earlier run of another version may have drawn charts that this one lacks.
        if stale.name not in pictures:
            stale.unlink()
    remove_temporaries(place)  # of a process that was killed while it wrote
    remove_temporaries(folder, "report.html")
    for name, picture in pictures.items():
        write_bytes(place / name, picture)
    write_text(folder / "report.html", page)
    return folder / "report.html"


def begin_pictures(figure: Figure) -> None:
    """Have its charts drawn beside what follows, where there is a process for it (`beside`)."""
    for chart in figure.charts:
        # What is wrong with one is told where the picture is asked for.
        with contextlib.suppress(Exception):
            beside.begin(chart.name, chart, _picture(figure, chart))


def _png(figure: Figure, chart: Chart) -> bytes:
    if picture := beside.ready(chart.name, chart):
        return picture
    # No address is allowed: a specification can't make the library fetch anything.
    drawn = need("vl_convert", "the report").vegalite_to_png(_picture(figure, chart), scale=2, allowed_base_urls=[])
    return bytes(drawn)


def _picture(figure: Figure, chart: Chart) -> dict[str, Any]:
    """The specification of a chart as a picture; raises ValueError where it can't be one."""
    spec = with_light_colours(chart.spec)
    # A picture has no container whose width it could take.
    spec.update(width=_PNG_WIDTH[figure.shape], background=LIGHT["paper"])
    spec["config"] = {**spec["config"], "legend": {**spec["config"]["legend"], "offset": 24}}
    spec["title"] = _title(figure, chart)
    spec["padding"] = 12
    if reason := why_not_drawable(spec):
        raise ValueError(reason)
    return _without_limits(spec) if _PAIRED.search(json.dumps(spec)) else spec


def _without_limits(spec: dict[str, Any]) -> dict[str, Any]:
    """The specification with labels that are never cut: Vega cuts an emoji, which is two units to it, into halves, and
    the picture fails.
    """

    def walked(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: 0 if k == "labelLimit" else v if k == "datasets" else walked(v) for k, v in value.items()}
        return [walked(item) for item in value] if isinstance(value, list) else value

    free = walked(spec)
    for part in ("axis", "legend"):
        free["config"][part] = {**free["config"][part], "labelLimit": 0}
    return free


def _title(figure: Figure, chart: Chart) -> dict[str, Any]:
    """What the page says around a chart, for the picture alone: its heading, the choices shown, what is shaded."""
    text = f"{figure.heading}: {chart.title}" if chart.title else figure.heading
    choices = [
        f"{control.label.lower()} {control.options[0][1]}" for control in figure.controls if "params" in chart.spec
    ]
    shaded = [name for name, _, mark in figure.legend if mark == "band"]
    below = "; ".join(choices + ([f"shaded: {', '.join(shaded)}"] if shaded else []))
    look = {"anchor": "start", "fontSize": 14, "color": LIGHT["ink"], "subtitleColor": LIGHT["muted"], "offset": 12}
    return {"text": text, **({"subtitle": below} if below else {}), **look}


def page_html(document: Document, missing: Mapping[str, str] | None = None) -> str:
    """The whole page as HTML; `missing` says of charts by name why there is no picture of them."""
    script = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    colours = (
        f":root{{color-scheme:light dark;{css_variables(LIGHT)}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{css_variables(DARK)}}}}}\n"
    )
    code = chart_library()
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(code, script)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(document.title)}</title>\n<style>\n{colours}{style}</style>\n</head>\n"
    )
    body = [
        f"<body>\n<header>\n<h1>{escape(document.title)}</h1>",
        f'<p class="sub">{escape(document.source)}</p>\n</header>\n<main>',
        *(
            _figure(part, missing or {}) if isinstance(part, Figure) else _section(part.key, part.heading, part.html)
            for part in document.parts
        ),
        "</main>\n<footer>Drawn by seqloom from the files of this run folder; nothing else is loaded.</footer>",
        "<noscript><p>The charts need JavaScript; they are also pictures in the folder charts.</p></noscript>",
    ]
    charts = [chart for figure in document.figures for chart in figure.charts]
    blocks = [_json_block(f"{key}-{chart.name}", value) for chart in charts for key, value in _blocks(chart)]
    scripts = [f"<script>{code}</script>", f"<script>{script}</script>"]
    return head + "\n".join(body + blocks + scripts) + "\n</body>\n</html>\n"


def _policy(*scripts: str) -> str:
    """Nothing is fetched, and only these two scripts run: a script smuggled in with the data could not."""
    # By hash, and not unsafe-inline: a policy that allowed our two scripts by that would allow any.
    digests = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    rest = "style-src 'unsafe-inline'; img-src data:; media-src data:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; script-src {digests}; {rest}"


def _section(key: str, heading: str, inner: str) -> str:
    return (
        f'<section id="{key}" aria-labelledby="h-{key}">\n<h2 id="h-{key}">{escape(heading)}</h2>\n{inner}\n</section>'
    )


def _blocks(chart: Chart) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [("spec", _without_legends({**chart.spec, "description": chart.text}))]
    if chart.overview is not None:
        small = _without_legends({**chart.overview, "description": "The whole period, small: drag to choose a window."})
        found.append(("overview", small))
    if chart.hover is not None:
        found.append(("hover", chart.hover))
    return found


def _json_block(key: str, value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # "</script>" in a column's name would end the block; JSON reads the escape back.
    safe = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f'<script type="application/json" id="{key}">{safe}</script>'


def _without_legends(value: Any) -> Any:
    """The page has legends of its own, which wrap on a phone and are read out."""
    if isinstance(value, dict):
        kept = {
            k: None if k == "legend" else v if k in ("values", "datasets") else _without_legends(v)
            for k, v in value.items()
        }
        return {k: v for k, v in kept.items() if v is not None or k == "legend" or value[k] is None}
    return [_without_legends(item) for item in value] if isinstance(value, list) else value


def _figure(figure: Figure, missing: Mapping[str, str]) -> str:
    shape = "one" if figure.shape in ("wide", "pair") and len(figure.charts) == 1 else figure.shape
    panels = "".join(_panel(figure, chart) for chart in figure.charts)
    legend = "".join(f"<li>{_swatch(style, mark)}{escape(name)}</li>" for name, style, mark in figure.legend)
    controls = "".join(_select(control) for control in figure.controls)
    if any(chart.overview for chart in figure.charts):
        moves = (("earlier", "◀", "Earlier"), ("later", "▶", "Later"), ("in", "+", "Zoom in"), ("out", "−", "Zoom out"))
        buttons = "".join(
            f'<button type="button" data-move="{m}" aria-label="{t}" title="{t}">{s}</button>' for m, s, t in moves
        )
        controls += f'<span class="buttons">{buttons}<button type="button" data-move="all">Show all</button></span>'
    notes = " ".join(escape(tied(note)) for note in figure.notes)
    inner = (
        f'<p class="reading">{escape(figure.reading)}</p>\n<figure aria-labelledby="h-{figure.key}">'
        + (f'<ul class="legend">{legend}</ul>' if legend else "")
        + (f'<div class="controls">{controls}</div>' if controls else "")
        + f'<div class="panels {shape}">{panels}</div><figcaption>{notes} {_links(figure, missing)}</figcaption>'
        + f"{figure.after}</figure>"
    )
    return _section(figure.key, figure.heading, inner)


def _links(figure: Figure, missing: Mapping[str, str]) -> str:
    """Where the charts are as pictures, and which of them could not be drawn."""
    names = [chart.name for chart in figure.charts]
    links = ", ".join(f'<a href="charts/{name}.png">{name}.png</a>' for name in names if name not in missing)
    said = [
        f"The picture {name}.png is missing: it could not be drawn ({missing[name]})."
        for name in names
        if name in missing
    ]
    return " ".join([*([f"As a picture: {links}"] if links else []), *map(escape, said)])


def _panel(figure: Figure, chart: Chart) -> str:
    title = f"<h3>{escape(chart.title)}</h3>" if chart.title else ""
    hover = f' data-hover="hover-{chart.name}"' if chart.hover is not None else ""
    height = f' style="min-height:{chart.spec["height"] + 40}px"'
    small = (
        f'<div class="overview" data-role="overview" data-spec="overview-{chart.name}"></div>' if chart.overview else ""
    )
    large = f'<div class="chart" data-role="main" data-spec="spec-{chart.name}"{hover}{height}></div>'
    return f'<div class="panel">{title}{large}{small}</div>'


def _select(control: Control) -> str:
    options = "".join(
        f'<option value="{escape(json.dumps(value, ensure_ascii=False))}">{escape(text)}</option>'
        for value, text in control.options
    )
    choice = f'<select data-signal="{control.signal}" autocomplete="off">{options}</select>'
    return f"<label>{escape(control.label)}{choice}</label>"


def _swatch(style: Style, mark: str) -> str:
    colour = style.colour
    dash = "" if style.dash[1] == 0 else f' stroke-dasharray="{" ".join(str(d) for d in style.dash)}"'
    drawn = {
        "line": f'<path d="M0 6h26" stroke="{colour}" stroke-width="2.5"{dash}/>',
        "band": f'<rect width="26" height="12" fill="{colour}" opacity="{style.shape}"/>',
        "bar": f'<rect width="26" height="12" fill="{colour}" opacity="0.75"/>',
        "point": _POINTS.get(style.shape, _POINTS["circle"]).format(colour=colour),
    }[mark]
    return f'<svg width="26" height="12" viewBox="0 0 26 12" aria-hidden="true" fill="none">{drawn}</svg>'


_POINTS: Mapping[str, str] = {
    "circle": '<circle cx="13" cy="6" r="5" fill="{colour}"/>',
    "square": '<rect x="8" y="1" width="10" height="10" fill="{colour}"/>',
    "triangle-up": '<path d="M13 1l6 10h-12z" fill="{colour}"/>',
    "diamond": '<path d="M13 0l6 6l-6 6l-6-6z" fill="{colour}"/>',
    "triangle-down": '<path d="M13 11l6-10h-12z" fill="{colour}"/>',
    "cross": '<path d="M11 1h4v3h3v4h-3v3h-4v-3h-3v-4h3z" fill="{colour}"/>',
    "triangle-right": '<path d="M8 0v12l10-6z" fill="{colour}"/>',
    "triangle-left": '<path d="M18 0v12l-10-6z" fill="{colour}"/>',
}
