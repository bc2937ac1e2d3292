"""docs/accuracy.md: tables made of the kept rows alone; what is missing is shown as missing, and losses stay in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from .etth2 import HORIZONS
from .goals import goals
from .m4 import PUBLISHED
from .results import Results
from .small import STATISTICAL
from .steps import CELLS, LIBRARIES
from .summary import means_by_table, small_summary
from .tables import SMALL, TOLD

__all__ = ["write_page"]

INTRO = """# How good the forecasts are

Written by `python -m bench.accuracy` from `bench/accuracy/results.jsonl`; don't edit by hand. Every method forecasts
the same windows (`bench/accuracy/tables.py`) and gets the rows before each origin alone; one set of functions scores
them all. Ours are made by `seqloom forecast` as a user types it (`--model X` takes the better of X and naive on
validation). Peers run in an environment of their own (`bench/accuracy-constraints.txt`). Lower is better unless said
otherwise; losses stay in, and a cell without a number was not run or could not be forecast. "CPU s" are processor
seconds of the whole process, from starting Python to the end, which other work on the machine changes little."""


def write_page(results: Results, path: Path) -> None:
    """Write the page anew."""
    parts = [INTRO, _versions(results), _goals(results), _small(results), _m4(results), _etth2(results), _runs(results)]
    parts += [_intervals(results), _steps(results), _failed(results)]
    path.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")


def _versions(results: Results) -> str:
    """What was measured: commits of ours, versions of the peers."""
    commits = sorted({row["commit"] for row in results.rows.values() if row["method"].startswith("seqloom")})
    versions: dict[str, str] = {}
    for row in results.rows.values():
        versions |= row.get("versions", {})
    said = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return f"Ours: commits {', '.join(commits) or 'none yet'}. Peers: {said or 'none yet'}."


def _small(results: Results) -> str:
    every = {**SMALL, **TOLD}
    methods = results.methods(every)
    methods.sort(key=lambda name: (name not in STATISTICAL, name))
    errors = {name: means_by_table(results, name, every) for name in methods}
    summary = small_summary(errors)
    if summary["best"] is None:
        return ""
    rows = [
        [table, str(entry.season), str(entry.horizon), *(_number(errors[m].get(table)) for m in methods)]
        for table, entry in every.items()
    ]
    over = [
        [method, str(count), f"{mean:.3f}", f"{hindsight:.3f}", f"{worst:.2f}", *_small_extras(results, method)]
        for method, (count, mean, hindsight, worst) in sorted(summary["relative"].items(), key=lambda item: item[1][1])
    ]
    head = [
        "method",
        "tables",
        "to the best single",
        "to the best of each",
        "worst",
        "80 %",
        "95 %",
        "CPU s",
    ]
    return "\n\n".join(
        [
            "## Small tables",
            "Test MAE, mean over five origins spread over the last two horizons. The horizon is a season where the "
            "times tell one, else 12, of austa's years 4; nobody is told more than the times tell, but in the last two "
            "rows, where all are told the season. Ours is the bare command with the horizon. AutoARIMA runs without a "
            "season where it is longer than 24 rows; peers get gaps bridged by a line.",
            _table(["table", "season", "horizon", *methods], rows),
            f"Geometric means of the ratios of MAE to that of {summary['best']}, the best single statistical method "
            "over the first fifteen tables, and to the best statistical method of each table in hindsight, with the "
            "worst of these; the share of the test rows inside the intervals; processor seconds of a forecast.",
            _table(head, over),
        ]
    )


def _goals(results: Results) -> str:
    said = {True: "met", False: "missed", None: "not measured"}
    rows = [[goal.what, goal.wanted, _number(goal.value), said[goal.met]] for goal in goals(results)]
    about = "Means over seeds unless the worst is meant. Seconds are processor seconds: those of two cores are fewer."
    return "\n\n".join(["## Goals", about, _table(["what", "wanted", "measured", ""], rows)])


def _small_extras(results: Results, method: str) -> list[str]:
    rows = [row for table in SMALL for row in results.of(table, method)]
    return [*_inside(rows), _seconds(rows)]


def _inside(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Mean coverage of the rows that have intervals, by level."""
    cells = []
    for level in ("80", "95"):
        found = [row["scores"][f"within_{level}"] for row in rows if f"within_{level}" in row["scores"]]
        cells.append(f"{fmean(found):.0f} %" if found else "–")
    return cells


def _m4(results: Results) -> str:
    found = {method: results.of("m4_weekly", method) for method in results.methods(["m4_weekly"])}
    if not found:
        return ""
    rows = [
        (
            fmean(row["scores"]["smape"] for row in each),
            _line(method, each, ("smape", "mase")),
        )
        for method, each in found.items()
    ]
    rows += [
        (smape, [name, f"{smape:.3f}", f"{mase:.3f}", "–", "–", "–", ""]) for name, (smape, mase) in PUBLISHED.items()
    ]
    head = ["method", "sMAPE", "MASE", "80 %", "95 %", "CPU s", "chosen"]
    return "\n\n".join(
        [
            "## M4 weekly",
            "359 series, 13 weeks ahead; means over series, and over seeds with their standard deviation where there "
            "are several. Ours is one command on the training rows (`--id id --horizon 13 --split 2584,13`), the model "
            "chosen on the origin 13 weeks back. neuralforecast's networks read 52 weeks, scaled by window.",
            _table(head, [row for _, row in sorted(rows, key=lambda row: row[0])]),
        ]
    )


def _etth2(results: Results) -> str:
    parts = []
    for horizon in HORIZONS:
        name = f"etth2-{horizon}"
        found = {method: results.of(name, method) for method in results.methods([name])}
        rows = [
            (
                fmean(row["scores"]["mse"] for row in each),
                _line(method, each, ("mse", "mae")),
            )
            for method, each in found.items()
        ]
        if rows:
            head = [f"{horizon} hours ahead", "MSE", "MAE", "80 %", "95 %", "CPU s", "chosen"]
            parts.append(_table(head, [row for _, row in sorted(rows, key=lambda row: row[0])]))
    if not parts:
        return ""
    about = (
        "The column `OT` alone, lookback 336, all 2,880 − h + 1 windows of the test part, in standard deviations of "
        "the training rows; means over seeds, with their standard deviation where there are several. Networks of the "
        "peers train on all windows with their library's settings (linear ones 1,000 steps at 0.001) and stop early on "
        "the validation rows."
    )
    return "\n\n".join(["## ETTh2", about, *parts])


def _runs(results: Results) -> str:
    rows = []
    for name, title in (("co2-run", "CO2, a year ahead"), ("case-55", "200 days, sales = 10 + 40 promo + noise")):
        for method in results.methods([name]):
            each = results.of(name, method)
            values = ", ".join(f"{row['scores']['mae']:.3g}" for row in sorted(each, key=lambda row: row["seed"]))
            rows.append([title, method, values, _seconds(each)])
    if not rows:
        return ""
    about = "Test MAE of a bare run on the part that the command keeps for it, by seed."
    return "\n\n".join(["## Whole runs", about, _table(["table", "method", "MAE by seed", "CPU s"], rows)])


def _intervals(results: Results) -> str:
    rows = []
    for name in ("co2", "jena", "etth2", "m4_weekly"):
        for method in results.methods([f"intervals-{name}"]):
            for row in results.of(f"intervals-{name}", method):
                scores = row["scores"]
                poor = [_number(scores.get(f"below_half_{level}")) for level in ("80", "95")]
                cells = [name, method, str(row["chosen"]), str(row["origins"]), *_inside([row])]
                rows.append([*cells, " / ".join(poor) if name == "m4_weekly" else ""])
    if not rows:
        return ""
    about = (
        "Share of the test rows inside the intervals of the model that a bare command chose, over rolling origins "
        "behind its training rows; of M4 weekly also the percentage of series that hold less than half the level."
    )
    head = ["table", "method", "chosen", "origins", "80 %", "95 %", "series below half"]
    return "\n\n".join(["## Intervals over rolling origins", about, _table(head, rows)])


def _steps(results: Results) -> str:
    rows = []
    for cell in CELLS:
        found = {row["window"]: row for row in results.of(f"steps-{cell}")}
        for library in LIBRARIES:
            if library in found:
                scores = found[library]["scores"]
                cells = [f"{scores['seconds']:.3g}", f"{scores['ratio']:.2f}×", f"{scores['mib']:.0f}"]
                rows.append([cell.upper(), library, *cells, str(found[library]["threads"])])
    if not rows:
        return ""
    about = (
        "100 training steps of a forecaster of 128 units, batch 128, lookback 120, horizon 24, as each library trains "
        "it: a fit of 150 steps less one of 50, median of three rounds in turn; ratios round by round. With one thread "
        "these are processor seconds. Default patches: several rows are one step, another network than the others'."
    )
    head = ["cell", "library", "seconds", "its time over ours", "peak MiB", "threads"]
    return "\n\n".join(["## Time of training", about, _table(head, rows)])


def _failed(results: Results) -> str:
    """What could not be forecast, and why."""
    rows = [
        [dataset, method, str(seed), window, str(row["failed"]).replace("|", "\\|")]
        for (dataset, method, seed, window), row in sorted(results.rows.items())
        if "failed" in row
    ]
    if not rows:
        return ""
    return "\n\n".join(["## Not forecast", _table(["table", "method", "seed", "window", "why"], rows)])


def _line(method: str, rows: Sequence[Mapping[str, Any]], scores: Sequence[str]) -> list[str]:
    """A method's line: scores over seeds, coverage, seconds, and the models that were chosen."""
    return [method, *(_spread(rows, score) for score in scores), *_inside(rows), _seconds(rows), _chosen(rows)]


def _spread(rows: Sequence[Mapping[str, Any]], score: str) -> str:
    """The mean of a score over seeds, and its standard deviation where there are several."""
    values = [row["scores"][score] for row in rows]
    return f"{fmean(values):.4g}" + (f" ± {stdev(values):.2g}" if len(values) > 1 and stdev(values) > 0 else "")


def _seconds(rows: Sequence[Mapping[str, Any]]) -> str:
    """Mean processor seconds."""
    found = [row["cpu"] for row in rows if "cpu" in row]
    return _number(fmean(found)) if found else "–"


def _chosen(rows: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(dict.fromkeys(str(row["chosen"]) for row in rows if row.get("chosen")))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
