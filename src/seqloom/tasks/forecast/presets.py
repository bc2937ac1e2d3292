"""Presets: which models are candidates, and how much work each may be, counted beforehand and not timed.

A unit of work is about a second of one core (`diagnostics.baseline_cost`). What a preset leaves out, it says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqloom_runtime.data import Panel, Split
from seqloom_runtime.forecast.mixture import ENSEMBLE
from seqloom_runtime.statistical.fitted_runs import FEWEST_ROWS

from ...diagnostics import BASELINES, baseline_cost, week_beside
from ...diagnostics.classical import STLETS
from .bounded import is_intermittent
from .models import candidate_changes, is_network

__all__ = ["PRESETS", "USUAL_PRESET", "Candidates", "Preset", "candidates_for", "models_of", "work_allowed", "work_of"]


@dataclass(frozen=True)
class Preset:
    """One preset: the models that it tries, in order, and the most work that one of them, and all of them, may be.

    cost: what a run takes, in words, as measured on tables of 30 to 2,800 rows with 2 cores.
    """

    name: str
    models: tuple[str, ...]
    each: float
    total: float
    cost: str


_STATISTICAL = (
    "damped-persistence",
    "ets",
    "auto-ets",
    "log-auto-ets",
    "theta",
    "auto-theta",
    "log-auto-theta",
    "stl-ets",
    "mstl",
    "log-mstl",
    "arima",
    "log-arima",
    "croston",
    "tsb",
)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "fast",
            (
                "naive",
                "seasonal",
                "seasonal-week",
                "damped-persistence",
                "auto-ets",
                "auto-theta",
                "croston",
                "tsb",
                ENSEMBLE,
            ),
            5.0,
            10.0,
            "4 processor seconds: no network",
        ),
        Preset(
            "good",
            (
                "naive",
                "seasonal",
                "seasonal-week",
                *_STATISTICAL,
                "linear",
                "log-linear",
                "gru",
                "log-gru",
                "encoder-decoder",
                ENSEMBLE,
            ),
            30.0,
            90.0,
            "8 to 25 processor seconds on small tables",
        ),
        Preset(
            "best",
            (
                "naive",
                "seasonal",
                "seasonal-week",
                "drift",
                *_STATISTICAL,
                "linear",
                "dense",
                "gru",
                "gru@1",
                "gru@2",
                "log-linear",
                "log-gru",
                "log-gru@1",
                "lstm",
                "encoder-decoder",
                ENSEMBLE,
            ),
            400.0,
            1200.0,
            "12 processor seconds and more: three seeds of networks",
        ),
    )
}
USUAL_PRESET = "good"
_MOST_NAMED = 8  # candidates in a short sentence
_INTERMITTENT = ("croston", "tsb")
_AHEAD = ("encoder-decoder",)
"""Only where something is known of the rows ahead, which it alone of the networks reads step by step."""
_SMALL = ("linear",)
_ENOUGH = 2 * FEWEST_ROWS
"""Training rows of the longest series, below which no network but the linear model is tried."""


@dataclass(frozen=True)
class Candidates:
    """The models that a preset tries on a table: estimated work by name, and why others are left out."""

    preset: str
    models: tuple[str, ...]
    work: dict[str, float] = field(default_factory=dict)
    cut: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What run.json says of them."""
        work = {name: round(value, 3) for name, value in self.work.items()}
        return {"preset": self.preset, "models": list(self.models), "work": work, "cut": self.cut}

    def notes(self, *, short: bool = False) -> list[str]:
        """Which models were tried and which not, in sentences; `short`: many are counted, where a table names them."""
        named = ", ".join(self.models)
        if short and len(self.models) > _MOST_NAMED:
            named = f"{len(self.models)} models, from {self.models[0]} to {self.models[-1]}"
        told = [f"Candidates of preset='{self.preset}': {named} (others by model=)."]
        if self.cut:
            reasons = {why: [name for name, other in self.cut.items() if other == why] for why in self.cut.values()}
            each = [f"{', '.join(names)} ({why})" for why, names in reasons.items()]
            told.append(f"Left out: {', '.join(each)}.")
        return told


def models_of(preset: str, ahead: bool) -> tuple[str, ...]:
    """The models of a preset, in order; ahead: whether columns or holidays are known of the rows ahead."""
    return tuple(name for name in PRESETS[preset].models if ahead or name not in _AHEAD)


def candidates_for(
    preset: str,
    panel: Panel,
    split: Any,
    season: float | str | None,
    target: str,
    no_season: str = "no season is known; season= gives one",
    *,
    ahead: bool = False,
) -> Candidates:
    """The models of a preset that the table allows: those whose season is known, and whose work fits.

    `split` and `season` as the forecaster has them; no_season: why there is no season, where there is none. target: the
    column whose training rows must be above 0 where a network is to read their logarithms. ahead: as in `models_of`.
    """
    chosen, models = PRESETS[preset], models_of(preset, ahead)
    if isinstance(season, str):
        season = float(panel.frequency.rows(season, "season"))
    rows, series = _training_rows(panel, split)
    unfit, longest = _unfit(panel, split, target), _longest(panel, split)
    admitted, work, cut, total = set(), {}, {}, 0.0
    needs = {name: work_of(name, rows, series, season, len(panel.values)) for name in models}
    for name in sorted(models, key=needs.__getitem__):  # the cheapest first; of equals in their order
        if name in BASELINES and BASELINES[name].season == "required" and season is None:
            cut[name] = no_season
            continue
        if name == "seasonal-week" and week_beside(season) is None:
            continue  # a season of a year, or of days, has no week beside it
        if name.startswith("log-") and unfit["log-"]:
            cut[name] = unfit["log-"]
            continue
        too_few = _too_few(name, longest, season)
        if too_few:
            cut[name] = too_few
            continue
        if name in _INTERMITTENT and unfit["intermittent"]:
            continue  # which would only be asked of a target that is mostly 0
        need = needs[name]
        if need > chosen.each or total + need > chosen.total:
            most = chosen.each if need > chosen.each else max(chosen.total - total, 0.0)
            cut[name] = f"about {need:,.0f} units of work, a second each, where {most:,.0f} are left"
            continue
        admitted.add(name)
        total += need
        if need >= 0.001:
            work[name] = need
    return Candidates(preset, tuple(name for name in models if name in admitted), work, cut)


def work_allowed(preset: str) -> dict[str, float]:
    """The parameter `time_limit` where it is not given: none that the preset itself admits is above it."""
    each = PRESETS[preset].each
    return {"time_limit": each} if each > 30 else {}  # the usual one


def work_of(name: str, rows: int, series: int, season: float | None, windows: int) -> float:
    """About what fitting and scoring a statistical model costs, in units of work; 0 of a network, which trains a number
    of steps that is not the table's.

    >>> work_of("theta", 200, 1, 12.0, 60) < work_of("stl-ets", 1000, 1, 52.0, 400) < work_of("ets", 1000, 359, None, 0)
    True
    """
    if name == ENSEMBLE or is_network(name):
        return 0.0
    need = baseline_cost(name, rows, series, season)
    if name == "stl-ets":  # STL runs anew at each origin that is scored
        need += min(windows, 200) * STLETS.pass_work(rows, season)
    return need


def _longest(panel: Panel, split: Any) -> int:
    """Training rows of the series that has most of them."""
    rows = np.bincount(panel.series_index[panel.tick < Split.make(panel, split).train_end])
    return int(rows.max(initial=0))


def _too_few(name: str, rows: int, season: float | None) -> str:
    """Why so many training rows are too few for that model, in words; "" where they are not."""
    if name in BASELINES and BASELINES[name].statsmodels:
        # Those that can do without their season do so.
        required = BASELINES[name].season == "required" and season is not None
        need = FEWEST_ROWS + (2 * round(season or 0) if required else 0)
        why = " for a season of " + f"{season:,.6g} rows" if required else ""
        return f"needs {need} training rows in a row{why}, there are {rows}" if rows < need else ""
    if name != ENSEMBLE and is_network(name) and candidate_changes(name)["model"] not in _SMALL and rows < _ENOUGH:
        return f"{rows} training rows are few for a network of thousands of weights"
    return ""


def _unfit(panel: Panel, split: Any, target: str) -> dict[str, str]:
    """Why models of logarithms, and those of intermittent demand, are not for this target; "" where they are."""
    values = panel.column(target)[(panel.tick < Split.make(panel, split).train_end)]
    values = values[np.isfinite(values)]
    positive = bool(len(values)) and values.min() > 0
    return {
        "log-": "" if positive else "the training rows are not all above 0",
        "intermittent": "" if is_intermittent(values) else "few of the training rows are 0",
    }


def _training_rows(panel: Panel, split: Any) -> tuple[int, int]:
    """Training rows of the series on the mean, rounded up, and how many series there are."""
    end = Split.make(panel, split).train_end
    series = max(len(panel.ids), 1)
    return -(-int((panel.tick < end).sum()) // series), series
