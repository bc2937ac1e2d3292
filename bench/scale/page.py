"""The measurements as a page of Markdown and a chart: docs/scale.md and docs/scale.svg."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bench.scale.phases import PHASES

__all__ = ["chart", "engine_table", "exponent", "growth_table"]

FEW = 0.05  # seconds and, times a hundred, megabytes under which a figure is mostly the start of something


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The slope of log cost over log size by least squares: 1 for what grows in proportion, 2 for a square.

    >>> round(exponent([10, 100, 1000], [0.5, 5, 50]), 6)
    1.0
    """
    x, y = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    middle, height = sum(x) / len(x), sum(y) / len(y)
    return sum((a - middle) * (b - height) for a, b in zip(x, y)) / sum((a - middle) ** 2 for a in x)


def growth_table(rows: Sequence[Mapping[str, Any]], size: str, unit: str) -> str:
    """One line for each phase: processor seconds at each size, the cost of one more, and the exponent."""
    sizes = [row[size] for row in rows]
    head = f"| phase, processor seconds | {' | '.join(f'{each:,}' for each in sizes)} | µs per {unit} | exponent |"
    lines = [head, "|---" * (len(sizes) + 3) + "|"]
    for name, meaning in PHASES.items():
        costs = [row["phases"][name]["processor"] for row in rows]
        lines.append(_line(meaning, sizes, costs, FEW, 1e6, "{:.2f}"))
    memory = [row["peak"] for row in rows]
    lines.append(_line("most anonymous memory, MB (bytes in the next column)", sizes, memory, 100 * FEW, 1e6, "{:.0f}"))
    return "\n".join(lines)


def _line(title: str, sizes: Sequence[int], costs: Sequence[float], few: float, scale: float, form: str) -> str:
    """A row of the table; the exponent is that of the sizes from which the cost is more than the start of something."""
    told = [(size, cost) for size, cost in zip(sizes, costs) if cost > few]
    slope = f"{exponent(*zip(*told)):.2f}" if len(told) >= 3 else "–"
    more = scale * (costs[-1] - costs[0]) / (sizes[-1] - sizes[0])
    each = f"{more:,.3g}" if more < 1000 else f"{more:,.0f}"
    each = each if costs[-1] - costs[0] > few else "–"
    return f"| {title} | {' | '.join(form.format(cost) for cost in costs)} | {each} | {slope} |"


def engine_table(found: Sequence[Mapping[str, Any]], kind: str) -> str:
    """Wall seconds for each engine and count; its start is told once."""
    counts = sorted({row["count"] for row in found if row["kind"] == kind})
    heads = [f"{count} {kind[:-1] if count == 1 else kind}, s" for count in counts]
    lines = [f"| engine | start, s | {' | '.join(heads)} | each, s |"]
    lines.append("|---" * (len(counts) + 3) + "|")
    for engine, workers in dict.fromkeys((row["engine"], row["workers"]) for row in found):
        of = {
            row["count"]: row
            for row in found
            if (row["kind"], row["engine"], row["workers"]) == (kind, engine, workers)
        }
        if len(of) < len(counts):
            continue
        seconds = [of[count]["seconds"] for count in counts]
        start = sorted(of[count]["start"] for count in counts)[len(counts) // 2]
        each = (seconds[-1] - seconds[0]) / (counts[-1] - counts[0])
        name = f"{engine}, {workers} worker{'s' if workers > 1 else ''}"
        lines.append(f"| {name} | {start:.2f} | {' | '.join(f'{value:.2f}' for value in seconds)} | {each:.3g} |")
    return "\n".join(lines)


def chart(by_rows: Sequence[Mapping[str, Any]], by_series: Sequence[Mapping[str, Any]]) -> str:
    """Seconds of each phase and the peak of memory over rows and over series, all axes logarithmic, as SVG."""
    import altair as alt
    import polars as pl
    import vl_convert

    points = []
    for rows, size, title in ((by_rows, "rows", "rows of one series"), (by_series, "series", "series of 200 rows")):
        for row in rows:
            for name in PHASES:
                cost = max(row["phases"][name]["processor"], 1e-4)
                points.append({"size": row[size], "cost": cost, "phase": name, "over": title, "what": "time"})
            points.append({"size": row[size], "cost": row["peak"], "phase": "all", "over": title, "what": "memory"})
    frame = pl.DataFrame(points)
    charts = []
    for what, title in (("time", "processor seconds"), ("memory", "anonymous memory, MB")):
        for over in dict.fromkeys(frame["over"]):
            part = frame.filter((pl.col("what") == what) & (pl.col("over") == over))
            charts.append(
                alt.Chart(part)
                .mark_line(point=True)
                .encode(
                    x=alt.X("size:Q", title=over, scale=alt.Scale(type="log"), axis=alt.Axis(format="~s")),
                    y=alt.Y("cost:Q", title=title, scale=alt.Scale(type="log"), axis=alt.Axis(format="~g")),
                    color=alt.Color("phase:N", sort=[*PHASES, "all"], title=None),
                )
                .properties(width=330, height=230)
            )
    whole = (charts[0] | charts[1]) & (charts[2] | charts[3])
    return vl_convert.vegalite_to_svg(whole.to_json(), allowed_base_urls=[])
