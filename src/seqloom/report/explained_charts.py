"""What a forecast rests on: columns by permutation importance, lags by attribution, a linear forecast taken apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .chart import (
    Axis,
    Chart,
    Figure,
    Line,
    choice,
    hover,
    legend_of,
    library,
    line_chart,
    rows_chosen_by,
    rows_of,
    specification,
    tooltips,
    with_choices,
)
from .markup import data_table
from .saved import SavedRun
from .style import ACTUAL, Style, hue
from .thin import ROWS_PER_CHART, thin
from .wording import decimals_for, duration, fixed, list_words, per_cent, signed_per_cent, whole, with_unit

__all__ = ["columns_figure", "decomposed_figure", "explained_figures", "lags_figure"]

_MOST_BARS, _MOST_LINES, _MOST_TERMS = 20, 6, 10
_PIXELS = 22  # of a bar
_MOST_OF_IT = 0.9


def explained_figures(run: SavedRun) -> list[Figure] | None:
    """Columns, lags and terms, each where there is something to show."""
    about = run.metrics["explained"]
    figures = (columns_figure(run, about), lags_figure(run, about), decomposed_figure(run, about))
    return [figure for figure in figures if figure is not None] or None


def columns_figure(run: SavedRun, about: Mapping[str, Any]) -> Figure | None:
    """Bars of how far the error rises where a column is permuted, beside its share of the attribution; None of one."""
    columns: Sequence[Mapping[str, Any]] = about["columns"]
    if len(columns) < 2:
        return None
    unit, total = about.get("unit"), sum(float(column["attribution"] or 0) for column in columns)
    permuted = [column for column in columns if column["rise"] is not None]
    charts = []
    if permuted:
        spec = _bars(
            [str(column["name"]) for column in permuted],
            [float(column["rise"]) for column in permuted],
            [float(column["spread"] or 0) for column in permuted],
            with_unit("rise of the MAE", unit),
        )
        said = list_words([f"{c['name']} {_signed(c['rise'])}" for c in permuted[:3]])
        charts.append(Chart("columns", spec, f"Bars: rise of the error by permuted column. {said}.", "Permuted"))
    if total > 0:
        ranked = sorted(columns, key=lambda column: -float(column["attribution"] or 0))
        shares = [100 * float(column["attribution"] or 0) / total for column in ranked]
        names = [str(column["name"]) for column in ranked]
        spec = _bars(names, shares, None, "share of the attribution (%)")
        said = list_words([f"{n} {per_cent(s / 100)}" for n, s in zip(names[:3], shares)])
        charts.append(Chart("attribution", spec, f"Bars: share of attribution by column. {said}.", "Attributed"))
    if not charts:
        return None
    reading = (
        "Permuted: how far the mean absolute error rises where a column's values come from other windows; the line is "
        "one standard deviation over the permutations. Attributed: integrated gradients, how far a column moves the "
        "forecast. Columns that say the same share their importance."
    )
    notes = [_windows(about)]
    if len(columns) > _MOST_BARS:
        notes.append(f"The first {_MOST_BARS} of {whole(len(columns))} columns are drawn.")
    heading = f"Columns that matter to {_whose(run, about)}"
    after = _table(columns, float(about["error"] or 0), total, unit)
    return Figure(reading, tuple(charts), (), (), tuple(notes), after, "columns", heading, "pair")


def lags_figure(run: SavedRun, about: Mapping[str, Any]) -> Figure | None:
    """The mean attribution by lag, a line for each of the columns that move the forecast most; None of one lag."""
    held: Sequence[Mapping[str, Any]] = about["by_lag"]
    lags = np.array(about["lags"], dtype=np.float64)
    if len(lags) < 2 or not held:
        return None
    ranked = sorted(held, key=lambda each: -sum(float(v or 0) for v in each["values"]))[:_MOST_LINES]
    values = np.array([[np.nan if v is None else v for v in each["values"]] for each in ranked], dtype=np.float64).T
    dots = len(lags) <= 40
    styles = [Style(hue(i), (1, 0)) for i in range(len(ranked))]
    lines = [Line(f"v{i}", str(each["name"]), styles[i], points=dots) for i, each in enumerate(ranked)]
    kept = thin(lags, values, max(ROWS_PER_CHART // 2, 2 + 3 * len(lines)))
    rows = rows_of(at=lags[kept], **{line.field: values[kept, i] for i, line in enumerate(lines)})
    one = duration(1, run.metrics.get("step_label"))
    axis = Axis("rows before the last known row" + (f" (one row is {one})" if one else ""))
    what = "mean |attribution|"
    unit = "transformed" if about.get("scale") else about.get("unit")
    spec = line_chart(rows, axis, lines, y_title=with_unit(what, unit), zero=True)
    top = int(np.nanargmax(values[:, 0]))
    text = (
        f"Line chart: mean absolute attribution by lag of {list_words([line.label for line in lines])}. That of "
        f"{lines[0].label} is highest {whole(int(lags[top]))} rows before the last known row."
    )
    reading = (
        "How far each past value moves the forecast, by how many rows it lies before the last known one (0). The "
        "target is read relative to the window's level, which carries the newest value into the forecast by itself."
    )
    steps = [int(step) for step in about["steps"]]
    gap = float(about["gap"] or 0)
    off = f"to within {per_cent(gap, 2)}" if gap >= 5e-5 else "exactly"
    ahead = list_words([str(step) for step in steps])
    notes = (f"Integrated gradients of the forecast {ahead} rows ahead; they add up {off} to what they explain.",)
    chart = Chart("lags", spec, text, hover=hover(axis, lines, values))
    reading = f"{reading} {_concluded(run, about, lags, held)}"
    return Figure(
        reading, (chart,), legend_of(lines), (), notes, "", "lags", f"Lags that matter to {_whose(run, about)}"
    )


def _whose(run: SavedRun, about: Mapping[str, Any]) -> str:
    """The model that is explained; of an ensemble the member with its share of the average."""
    share = _share(run, about)
    return str(about["model"]) if share is None else f"{about['model']}, {per_cent(share, 0)} of the ensemble"


def _share(run: SavedRun, about: Mapping[str, Any]) -> float | None:
    members = run.metrics["models"][run.metrics["best"]].get("members")
    share = members.get(about["model"]) if isinstance(members, Mapping) else None
    return float(share) if isinstance(share, (int, float)) else None


def _concluded(run: SavedRun, about: Mapping[str, Any], lags: np.ndarray, held: Sequence[Mapping[str, Any]]) -> str:
    """What to conclude: within how many rows most of the attribution lies, and how much of the forecast that is."""
    total = np.sum([[0.0 if v is None else float(v) for v in each["values"]] for each in held], axis=0)
    order = np.argsort(lags)
    reached = np.cumsum(total[order])
    if not reached[-1] > 0:
        return ""
    far = int(lags[order][np.searchsorted(reached, _MOST_OF_IT * reached[-1])]) + 1
    end = "a longer lookback would tell it little more" if far <= 0.75 * len(lags) else "it uses its whole lookback"
    share = _share(run, about)
    rest = "" if share is None else " The other members of the ensemble are not explained here."
    rows = "the newest row" if far == 1 else f"the newest {whole(far)} rows"
    return f"{per_cent(_MOST_OF_IT, 0)} of what {about['model']} rests on lies in {rows}, so that {end}.{rest}"


def decomposed_figure(run: SavedRun, about: Mapping[str, Any]) -> Figure | None:
    """The forecast of a linear model as a sum of terms; None of other models."""
    held: Sequence[Mapping[str, Any]] = about["decomposed"]
    if not held or len(held[0]["times"]) < 1:
        return None
    names = list(dict.fromkeys(str(term["name"]) for each in held for term in each["terms"]))[:_MOST_TERMS]
    styles = [Style(hue(i), (1, 0) if i < 8 else (5, 3)) for i in range(len(names))]
    lines = [Line(f"v{i}", name, styles[i], points=True) for i, name in enumerate(names)]
    lines.append(Line("f", "forecast", ACTUAL, 2.2, points=True))
    rows: list[dict[str, Any]] = []
    every = max(1, ROWS_PER_CHART // (len(held) * (len(lines) + 1)))
    for each in held:
        terms = {str(term["name"]): np.array(term["values"], dtype=np.float64) for term in each["terms"]}
        total = np.array(each["total"], dtype=np.float64)
        level = terms.get("level", np.zeros(len(total)))
        # The level is most of a forecast: drawn with it, all other terms would be one flat line.
        nothing = np.full(len(total), np.nan)
        shown = {line.field: terms.get(line.label, nothing) for line in lines if line.label != "level"}
        shown |= {"f": total - level}
        kept = np.arange(0, len(total), max(1, -(-len(total) // every)))
        at = np.arange(1, len(total) + 1, dtype=np.float64)
        rows += rows_of(at=at[kept], s=[str(each["series"])] * len(kept), **{k: v[kept] for k, v in shown.items()})
    drawn = [line for line in lines if line.label != "level"]
    axis = Axis("steps ahead")
    unit = "transformed" if about.get("scale") else about.get("unit")
    spec = line_chart(rows, axis, drawn, y_title=with_unit("relative to the level", unit), filters=("s",))
    series = [str(each["series"]) for each in held]
    chart = Chart(
        "decomposed",
        with_choices(spec, s=series[0]),
        f"Line chart: the forecast less the level, and its terms {list_words([line.label for line in drawn[:-1]])}.",
        hover=hover(axis, drawn, [row[line.field] for row in rows for line in drawn if row[line.field] is not None]),
    )
    first = held[0]
    reading = (
        f"The forecast of {about['model']}, a linear model, is exactly the window's level and these terms, added up. "
        "Columns count from their mean over the training rows."
    )
    notes = (_first_step(first, unit),)
    heading = "The forecast as a sum"
    return Figure(
        reading, (chart,), legend_of(drawn), choice("s", "Series", series), notes, "", "decomposed", heading
    )  # fmt: skip


def _first_step(each: Mapping[str, Any], unit: str | None) -> str:
    values = [float(term["values"][0]) for term in each["terms"]]
    decimals = decimals_for([float(each["total"][0]), *values])
    parts = " + ".join(f"{term['name']} {fixed(v, decimals)}" for term, v in zip(each["terms"], values))
    of = f" of {each['series']}" if each["series"] else ""
    end = f" {unit}" if unit else ""
    return f"The first step{of}: {parts} = {fixed(float(each['total'][0]), decimals)}{end}."


def _windows(about: Mapping[str, Any]) -> str:
    block, count = int(about["block"]), int(about["permutations"])
    if not count:
        return "Too few windows choose for a permutation."
    what = f"blocks of {whole(block)} consecutive windows" if block > 1 else "single windows"
    kept = "" if about["season_kept"] else ", less than a season, so that part of the rise is that of the season"
    looked = f"{whole(about['windows'])} of the windows that choose, none of the test set"
    return f"{looked}; {what} change places{kept}; {whole(count)} permutations."


def _table(columns: Sequence[Mapping[str, Any]], error: float, total: float, unit: str | None) -> str:
    decimals = decimals_for([c["rise"] for c in columns if c["rise"] is not None])
    rows = []
    for column in columns[:200]:
        rise, spread = column["rise"], column["spread"]
        rows.append(
            [
                str(column["name"]),
                fixed(rise, decimals),
                fixed(spread, decimals),
                signed_per_cent(rise / error) if rise is not None and error > 0 else "–",
                per_cent(float(column["attribution"] or 0) / total) if total > 0 else "–",
            ]
        )
    heads = ("Column", with_unit("Rise of the MAE", unit), "Std over permutations", "Rise (%)", "Share of attribution")
    return data_table("Importance of the columns", heads, rows, range(1, 5))


def _signed(value: float) -> str:
    return f"{value:+.4g}".replace("-", "−")


def _bars(names: Sequence[str], values: Sequence[float], spreads: Sequence[float] | None, title: str) -> dict[str, Any]:
    """Horizontal bars, the first on top, with a line of one standard deviation to both sides."""
    alt = library()
    names, sizes = names[:_MOST_BARS], np.asarray(values[:_MOST_BARS], dtype=np.float64)
    wide = np.zeros(len(sizes)) if spreads is None else np.asarray(spreads[:_MOST_BARS], dtype=np.float64)
    rows = rows_of(m=list(names), v=sizes, lo=sizes - wide, hi=sizes + wide)
    base = rows_chosen_by()
    y = alt.Y("m:N", sort=None, axis=alt.Axis(title=None, labelLimit=150))
    x = alt.X("v:Q", axis=alt.Axis(title=title, tickCount={"expr": "width / 70"}, grid=True))
    tips = tooltips(("m:N", "column"), ("v:Q", title, ".4~g"))
    layers = [base.mark_bar(color="var(--c1)", opacity=0.85, height={"band": 0.7}).encode(x=x, y=y, tooltip=tips)]
    if spreads is not None:
        rule = base.mark_rule(color="var(--ink)", strokeWidth=1.4)
        layers.append(rule.encode(x=alt.X("lo:Q"), x2="hi:Q", y=y))
    return specification(alt.layer(*layers), _PIXELS * len(names) + 50, rows)
