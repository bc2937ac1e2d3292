"""Rolling-origin evaluation: forecasts from several cutoffs, each knowing only what came before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data import Panel, Split
from seqloom_runtime.data.filling import carried_ends
from seqloom_runtime.errors import DataError, SettingError, shown
from seqloom_runtime.forecast.forecast_table import ForecastTable
from seqloom_runtime.forecast.known_rows import history_of, observed, observed_part
from seqloom_runtime.forecast.predicting import forecast_ahead
from seqloom_runtime.forecast.roles import Inputs, Roles
from seqloom_runtime.forecast.targets import owner_of

from ...diagnostics import coverage, mae, make_baseline, rmse, skill
from ...engines import Engine, Failed
from .chosen_lengths import with_lengths
from .settings import window_spec

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["Backtest", "BacktestPlan", "CutoffDone", "backtest"]


@dataclass(frozen=True)
class BacktestPlan:
    """Which columns, and which cutoffs: `step` and `gap` in rows or as durations."""

    target: str
    inputs: Inputs
    future: tuple[str, ...]
    n_windows: int
    step: int | str | None
    refit: bool
    gap: int | str


@dataclass(frozen=True, eq=False)
class Backtest:
    """The forecasts of a rolling-origin evaluation and their scores.

    `columns` holds one row per cutoff, series and step: cutoff, id, time, step, actual, forecast, naive, and a low and
    a high column per level; NaN where nothing was measured, or a series could not be forecast. `metrics` holds mae,
    rmse, naive_mae, skill, coverage by level, cutoffs, fits, and rows: how many were scored. Of several targets, a
    further column `target` names that of each row, `metrics["targets"]` holds the same scores of each in its own unit,
    and those over all count in standard deviations of the training rows (where each target is scaled by its own).
    `notes` say which lengths were chosen for the table, and which columns no model reads.
    """

    columns: dict[str, np.ndarray]
    metrics: dict[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CutoffDone:
    """A cutoff of a backtest is forecast, `done` of `total` by now."""

    done: int
    total: int


def backtest(
    forecaster: Forecaster,
    panel: Panel,
    plan: BacktestPlan,
    on_event: Callable[[Any], None] | None = None,
    engine: Engine | None = None,
) -> Backtest:
    """Run the plan; raises SettingError where the series has too few rows for it, saying how many are missing.

    With an engine the cutoffs of a plan that trains anew for each are done by its workers, each with one thread.
    """
    roles = Roles.choose(panel, plan.target, plan.inputs, plan.future, forecaster.static, forecaster.categories)
    forecaster, notes = with_lengths(forecaster, panel, roles, parts=False)
    forecaster.check(panel)
    cutoffs, gap = _cutoffs(forecaster, panel, plan)
    part = _validation_share(forecaster, panel, plan.target)
    if engine is not None and plan.refit:
        pieces, units = _by_engine(engine, _Cutoffs(forecaster, panel, plan, gap, part), cutoffs, on_event)
        fits = len(cutoffs)
    else:
        pieces, units, fits, worker = [], [], 0, forecaster
        for number, cutoff in enumerate(cutoffs):
            if number == 0 or plan.refit:
                worker = _fit_before(forecaster, panel, plan, cutoff - gap, part, on_event)
                fits += 1
            piece, unit = _piece_from(worker, panel, plan.target, cutoff)
            pieces.append(piece)
            units.append(unit)
    names = dict.fromkeys(name for piece in pieces for name in piece)  # an early fit may have too few rows for a level
    columns = {
        name: np.concatenate([piece[name] if name in piece else np.full(len(piece["id"]), np.nan) for piece in pieces])
        for name in names
    }
    metrics = _metrics(columns, np.concatenate(units), len(cutoffs), fits)
    if (wide := panel.wide) is not None:
        metrics["targets"] = {}
        for name in wide.targets:
            own = {key: values[columns["target"] == name] for key, values in columns.items()}
            if _scored(own).any():
                metrics["targets"][name] = _metrics(own, np.ones(len(own["id"])), len(cutoffs), fits)
    return Backtest(columns, metrics, (*notes, *roles.notes()))


@dataclass(frozen=True, eq=False)
class _Cutoffs:
    """What every cutoff of a backtest reads."""

    forecaster: Forecaster
    panel: Panel
    plan: BacktestPlan
    gap: int
    part: float


def _by_engine(
    engine: Engine, shared: _Cutoffs, cutoffs: list[int], on_event: Callable[[Any], None] | None
) -> tuple[list[dict[str, np.ndarray]], list[np.ndarray]]:
    """The piece and the units of each cutoff, in order; raises what the first of them that failed did."""
    done = 0

    def tell(index: int, found: Any) -> None:
        nonlocal done
        done += 1
        if on_event is not None:
            on_event(CutoffDone(done, len(cutoffs)))

    pieces, units = [], []
    for found in engine.run(_cutoff_job, shared, cutoffs, on_result=tell):
        if isinstance(found, Failed):
            raise found.error()
        piece = {name: np.array(v, dtype=object) if isinstance(v, list) else v for name, v in found["piece"].items()}
        pieces.append(piece)
        units.append(found["units"])
    return pieces, units


def _cutoff_job(shared: _Cutoffs, cutoff: int, tell: Callable[[Any], None]) -> dict[str, Any]:
    """One cutoff, in a worker: texts as lists, as no array of objects goes between processes."""
    before = cutoff - shared.gap
    worker = _fit_before(shared.forecaster, shared.panel, shared.plan, before, shared.part, None)
    piece, units = _piece_from(worker, shared.panel, shared.plan.target, cutoff)
    return {"piece": {name: v.tolist() if v.dtype == object else v for name, v in piece.items()}, "units": units}


def _piece_from(worker: Forecaster, panel: Panel, target: str, cutoff: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The forecasts from a cutoff, and the unit of each row's error (N,)."""
    piece = _forecast_from(worker, panel, target, cutoff)
    units = np.asarray(worker.features_.units_of(piece["id"]))
    owners = {name: owner_of(worker.features_.roles, name) for name in set(piece["id"].tolist())}
    piece["id"] = np.array([owners[name] for name in piece["id"]], dtype=object)
    return piece, units


def _cutoffs(forecaster: Forecaster, panel: Panel, plan: BacktestPlan) -> tuple[list[int], int]:
    """The last known tick of every forecast, and the gap in rows."""
    count = plan.n_windows
    if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
        raise SettingError(f"n_windows: expected a whole number of at least 1, got {shown(count)}.")
    if not isinstance(plan.refit, bool):
        raise SettingError(f"refit: expected True or False, got {shown(plan.refit)}.")
    rows = panel.frequency.rows
    spec = window_spec(forecaster, panel.frequency)
    horizon = spec.horizon
    step = horizon if plan.step is None else rows(plan.step, "step")
    gap = 0 if plan.gap == 0 and not isinstance(plan.gap, bool) else rows(plan.gap, "gap")
    part = observed_part(panel, plan.target)
    last = int(part.tick.max()) - horizon
    first = last - step * (int(count) - 1)
    need = spec.lookback + 2 * horizon
    have = first - gap - int(part.tick.min()) + 1
    if have < need:
        raise SettingError(
            f"{shown(count)} windows {shown(step)} rows apart leave {max(have, 0)} rows before the first cutoff (less "
            f"the gap of {shown(gap)}), and lookback and horizon need at least {need}: {shown(need - have)} rows too "
            f"few; use {_fewer(last - gap - int(part.tick.min()) + 1 - need, step)}."
        )
    return list(range(first, last + 1, step)), gap


def _fewer(spare: int, step: int) -> str:
    """What would work in place of too many windows, where the last cutoff has `spare` rows more than one needs."""
    if spare < 0:
        return "a shorter lookback or horizon, or more rows"
    most = spare // step + 1
    return f"at most {shown(most)} {'window' if most == 1 else 'windows'}, or a smaller step"


def _validation_share(forecaster: Forecaster, panel: Panel, target: str) -> float:
    """The validation rows' share of training and validation rows together, by the forecaster's split of all rows."""
    part = observed_part(panel, target)
    rows = Split.make(part, forecaster.split).part_rows(part)
    return rows["validation"] / (rows["training"] + rows["validation"])


def _fit_before(
    forecaster: Forecaster,
    panel: Panel,
    plan: BacktestPlan,
    cutoff: int,
    share: float,
    on_event: Callable[[Any], None] | None,
) -> Forecaster:
    """A new forecaster like this one, fitted on the rows up to `cutoff`, all of them for training and validation."""
    past = observed_part(carried_ends(panel.take(panel.tick <= cutoff)), plan.target)
    ticks = len(np.unique(past.tick))
    valid = max(round(ticks * share), window_spec(forecaster, panel.frequency).horizon)
    worker = type(forecaster)(**{**forecaster.get_params(), "split": (ticks - valid, valid)})
    data = worker.prepare(past, target=plan.target, inputs=plan.inputs, future=plan.future)
    return worker.fit_prepared(data, on_event=on_event)


def _forecast_from(forecaster: Forecaster, panel: Panel, target: str, cutoff: int) -> dict[str, np.ndarray]:
    past = panel.take(panel.tick <= cutoff)
    shown = past
    if forecaster.features_.roles.future:  # later rows of known columns are shown, later targets are not
        values = panel.values.copy()
        values[panel.tick > cutoff, panel.columns.index(target)] = np.nan
        shown = replace(panel, values=values)
    table = forecast_ahead(forecaster, shown)
    steps = forecaster.window_spec_.steps
    actual, naive = _actual_and_naive(panel, past, target, table, steps)
    piece = {
        "cutoff": np.repeat(_time_at(panel, cutoff), len(table.ids)),
        "id": table.ids,
        **_targets(panel, table.ids),
        "time": table.times,
        "step": np.tile(steps, len(table.ids) // len(steps)),
        "actual": actual,
        "forecast": table.values,
        "naive": naive,
    }
    for level, (low, high) in table.bounds.items():
        piece |= {f"low_{level}": low, f"high_{level}": high}
    return piece


def _targets(panel: Panel, ids: np.ndarray) -> dict[str, np.ndarray]:
    """The column that names each row's target, where there are several."""
    if panel.wide is None:
        return {}
    return {"target": np.array([panel.wide.parts(name)[1] for name in ids], dtype=object)}


def _actual_and_naive(
    panel: Panel, past: Panel, target: str, table: ForecastTable, steps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What came, and the naive forecast, for each row of the table; NaN where nothing was measured."""
    actual = np.full(len(table.ids), np.nan)
    naive = np.full(len(table.ids), np.nan)
    names = {name or target: name for name in panel.ids}
    for first in range(0, len(table.ids), len(steps)):
        name = names[table.ids[first]]
        here = slice(first, first + len(steps))
        series, before = panel.series(name), past.series(name)
        history = history_of(before, target, np.ones(len(before.values), bool))
        origin = int(np.flatnonzero(observed(before, target))[-1])
        naive[here] = make_baseline("naive").fit(history).forecast(history, np.array([origin]), steps)[0]
        wanted = before.tick[origin] + steps
        rows = np.minimum(np.searchsorted(series.tick, wanted), len(series.tick) - 1)
        there = (series.tick[rows] == wanted) & observed(series, target)[rows]
        actual[here] = np.where(there, series.column(target)[rows], np.nan)
    return actual, naive


def _time_at(panel: Panel, tick: int) -> np.ndarray:
    ticks = np.array([tick])
    return ticks if panel.time is None else panel.frequency.times(ticks)


def _scored(columns: dict[str, np.ndarray]) -> np.ndarray:
    return np.isfinite(columns["actual"]) & np.isfinite(columns["forecast"])


def _metrics(columns: dict[str, np.ndarray], units: np.ndarray, cutoffs: int, fits: int) -> dict[str, Any]:
    """The scores of the rows, whose errors are divided by `units` (N,)."""
    scored = _scored(columns)
    if not scored.any():
        raise DataError("None of the forecast rows has an observed target, so nothing can be scored.")
    actual, forecast, naive = (columns[name][scored] / units[scored] for name in ("actual", "forecast", "naive"))
    naive_mae = mae(actual, naive)
    metrics: dict[str, Any] = {
        "mae": mae(actual, forecast),
        "rmse": rmse(actual, forecast),
        "naive_mae": naive_mae,
        "skill": skill(mae(actual, forecast), naive_mae) if naive_mae > 0 else None,
        "coverage": {},
        "cutoffs": cutoffs,
        "fits": fits,
        "rows": int(scored.sum()),
    }
    for name in columns:
        if name.startswith("low_"):
            level = name.removeprefix("low_")
            low, high = columns[name], columns[f"high_{level}"]
            use = scored & np.isfinite(low)
            if use.any():
                metrics["coverage"][level] = coverage(columns["actual"][use], low[use], high[use])
    return metrics
