"""Puts a saved run together as one HTML page that needs nothing from outside, and its charts as PNG files."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from ..errors import FormatError, MissingDependencyError
from ..files import write_bytes, write_text
from .chart import Chart, Control, Figure
from .error_charts import coverage_figure, day_figure, step_figure, training_figures
from .forecast_charts import forecast_figure, residual_figure, test_figure
from .saved import SavedRun, read_run
from .scores import table_html
from .sections import answer, asked, data_quality, settings
from .style import DARK, LIGHT, Style, css_variables, light_colours
from .wording import tied

__all__ = ["build", "figures"]

_PNG_WIDTH = {"coverage": 520, "residuals": 560, "steps": 560, "day": 560, "losses": 480}


def build(run_dir: str | os.PathLike[str]) -> Path:
    """Draw the run folder `run_dir`: writes report.html and charts/*.png into it and returns the page's path.

    Reads only what is saved there; the same files give the same bytes. Each file is replaced atomically.
    Raises FormatError where the folder is not a run folder or a file is missing or damaged, MissingDependencyError
    where the packages that draw are not installed, and OSError where the folder can't be written.
    """
    run = read_run(run_dir)
    try:
        parts = figures(run)
        page = _page(run, parts)
    except (KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{run.folder}: a file of the run folder lacks or misstates a value: {error!r}.") from error
    pictures = {f"{chart.name}.png": _png(figure, chart) for figure in parts for chart in figure.charts}
    folder = run.folder / "charts"
    folder.mkdir(exist_ok=True)
    for stale in sorted(folder.glob("*.png")):
        if stale.name not in pictures:
            stale.unlink()
    for name, picture in pictures.items():
        write_bytes(folder / name, picture)
    write_text(run.folder / "report.html", page)
    return run.folder / "report.html"


def figures(run: SavedRun) -> list[Figure]:
    """The figures of the page, in its order; those that the run has nothing for are left out."""
    found = [forecast_figure(run), test_figure(run), step_figure(run), day_figure(run)]
    found += [*training_figures(run), residual_figure(run), coverage_figure(run)]
    return [figure for figure in found if figure is not None]


def _converter() -> Any:
    try:
        import vl_convert
    except ImportError:
        raise MissingDependencyError(
            "The report needs vl-convert-python, which is not installed: pip install 'seqloom[app]'"
        ) from None
    return vl_convert


@functools.cache
def _chart_library() -> str:
    code = str(_converter().javascript_bundle())
    return re.sub(r"</(?=script)|<!--", lambda match: "\\x3c" + match[0][1:], code, flags=re.IGNORECASE)


def _png(figure: Figure, chart: Chart) -> bytes:
    spec = json.loads(light_colours(json.dumps(chart.spec)))
    spec.update(width=_PNG_WIDTH.get(figure.key, 960), background=LIGHT["paper"])
    spec["config"]["legend"].update(offset=24)
    spec["title"] = _title(figure, chart)
    spec["padding"] = 12
    picture = _converter().vegalite_to_png(spec, scale=2, allowed_base_urls=[])
    return bytes(picture)


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


def _page(run: SavedRun, parts: list[Figure]) -> str:
    script = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    colours = (
        f":root{{color-scheme:light dark;{css_variables(LIGHT)}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{css_variables(DARK)}}}}}\n"
    )
    code = _chart_library()
    target = str(run.metrics["target"])
    source = str(run.source.get("source") or run.data.get("source") or "")
    title = f"Forecast of {target}"
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(code, script)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>\n{colours}{style}</style>\n</head>\n"
    )
    after = {figure.key: _figure(figure) for figure in parts}
    body = [
        f'<body>\n<header>\n<h1>{escape(title)}</h1>\n<p class="sub">{escape(source)}</p>\n</header>\n<main>',
        _section("asked", "What was asked", asked(run)),
        _section("answer", "The answer", answer(run)),
        _section("models", "All models", _models(run)),
        *after.values(),
        _section("data", "Data quality", data_quality(run)),
        _section("settings", "Settings and how to run it again", settings(run)),
        "</main>\n<footer>Drawn by seqloom from the files of this run folder; nothing else is loaded.</footer>",
        "<noscript><p>The charts need JavaScript; they are also pictures in the folder charts.</p></noscript>",
    ]
    blocks = [_json_block(f"{k}-{name}", value) for name, chart in _named(parts) for k, value in _blocks(chart)]
    scripts = [f"<script>{code}</script>", f"<script>{script}</script>"]
    return head + "\n".join(body + blocks + scripts) + "\n</body>\n</html>\n"


def _policy(*scripts: str) -> str:
    """Nothing is fetched, and only these two scripts run: a script smuggled in with the data could not."""
    digests = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    rest = "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; script-src {digests}; {rest}"


def _section(key: str, heading: str, inner: str) -> str:
    return (
        f'<section id="{key}" aria-labelledby="h-{key}">\n<h2 id="h-{key}">{escape(heading)}</h2>\n{inner}\n</section>'
    )


def _models(run: SavedRun) -> str:
    unit = run.metrics.get("unit")
    reading = "A star and bold type mark the best of a column; skill is the error saved against naive."
    errors = f"MAE and RMSE are in {escape(str(unit))}" if unit else "MAE and RMSE are in the unit of the target"
    return (
        f'<p class="reading">{reading}</p>\n{table_html(run.metrics)}\n<p class="note">{errors}; “std.” '
        "counts in standard deviations of the target over the training rows. "
        "The model was chosen by its error on the first two thirds of the validation rows (the rest sets the "
        "intervals); test was only looked at.</p>"
    )


def _named(parts: list[Figure]) -> list[tuple[str, Chart]]:
    return [(chart.name, chart) for figure in parts for chart in figure.charts]


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


def _figure(figure: Figure) -> str:
    shape = "one" if len(figure.charts) == 1 else ""
    shape = {"coverage": "square", "losses": "small"}.get(figure.key, shape)
    panels = "".join(_panel(figure, chart) for chart in figure.charts)
    legend = "".join(f"<li>{_swatch(style, mark)}{escape(name)}</li>" for name, style, mark in figure.legend)
    controls = "".join(_select(control) for control in figure.controls)
    if any(chart.overview for chart in figure.charts):
        moves = (("earlier", "◀", "Earlier"), ("later", "▶", "Later"), ("in", "+", "Zoom in"), ("out", "−", "Zoom out"))
        buttons = "".join(
            f'<button type="button" data-move="{m}" aria-label="{t}" title="{t}">{s}</button>' for m, s, t in moves
        )
        controls += f'<span class="buttons">{buttons}<button type="button" data-move="all">Show all</button></span>'
    links = ", ".join(f'<a href="charts/{chart.name}.png">{chart.name}.png</a>' for chart in figure.charts)
    notes = " ".join(escape(tied(note)) for note in figure.notes)
    inner = (
        f'<p class="reading">{escape(figure.reading)}</p>\n<figure aria-labelledby="h-{figure.key}">'
        + (f'<ul class="legend">{legend}</ul>' if legend else "")
        + (f'<div class="controls">{controls}</div>' if controls else "")
        + f'<div class="panels {shape}">{panels}</div><figcaption>{notes} As a picture: {links}</figcaption></figure>'
    )
    return _section(figure.key, figure.heading, inner)


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
