"""Rolling-origin evaluation: forecasts from several cutoffs, each knowing only what came before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data import Panel
from ...diagnostics import coverage, mae, make_baseline, rmse, skill
from ...errors import DataError, SettingError
from .predicting import ForecastTable, forecast_ahead
from .windowed import history_of

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["Backtest", "BacktestPlan", "backtest"]


@dataclass(frozen=True)
class BacktestPlan:
    """Which columns, and which cutoffs: `step` and `gap` in rows or as durations."""

    target: str
    inputs: Sequence[str] | None
    future: tuple[str, ...]
    n_windows: int
    step: int | str | None
    refit: bool
    gap: int | str


@dataclass(frozen=True, eq=False)
class Backtest:
    """The forecasts of a rolling-origin evaluation and their scores.

    `columns` holds one row per cutoff, series and step: cutoff, id, time, step, actual, forecast, naive, and a low and a
    high column per level. `metrics` holds mae, rmse, naive_mae, skill, coverage by level, cutoffs and fits.
    """

    columns: dict[str, np.ndarray]
    metrics: dict[str, Any]


def backtest(
    forecaster: Forecaster, panel: Panel, plan: BacktestPlan, on_event: Callable[[Any], None] | None = None
) -> Backtest:
    """Run the plan; raises SettingError where the series has too few rows for it, saying how many are missing."""
    rows = panel.frequency.rows
    horizon = rows(forecaster.horizon, "horizon")
    step = horizon if plan.step is None else rows(plan.step, "step")
    gap = 0 if plan.gap == 0 else rows(plan.gap, "gap")
    if plan.n_windows < 1:
        raise SettingError(f"n_windows: expected a whole number of at least 1, got {plan.n_windows}.")
    last = int(panel.tick.max()) - horizon
    cutoffs = [last - step * back for back in range(plan.n_windows - 1, -1, -1)]
    first_tick = int(panel.tick.min())
    need = rows(forecaster.lookback, "lookback") + 2 * horizon
    have = cutoffs[0] - gap - first_tick + 1
    if have < need:
        raise SettingError(
            f"{plan.n_windows} windows {step} rows apart leave {max(have, 0)} rows before the first cutoff (less the gap of {gap}), and "
            f"lookback and horizon need at least {need}: {need - have} rows too few; use fewer windows or a smaller step."
        )
    pieces: list[dict[str, np.ndarray]] = []
    fits = 0
    for number, cutoff in enumerate(cutoffs):
        if number == 0 or plan.refit:
            _fit_before(forecaster, panel, plan, cutoff - gap, on_event)
            fits += 1
        pieces.append(_forecast_from(forecaster, panel, plan.target, cutoff))
    columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    return Backtest(columns, _metrics(columns, len(cutoffs), fits))


def _fit_before(
    forecaster: Forecaster, panel: Panel, plan: BacktestPlan, cutoff: int, on_event: Callable[[Any], None] | None
) -> None:
    past = panel.take(np.flatnonzero(panel.tick <= cutoff))
    split = forecaster.split
    try:
        forecaster.split = _without_test(past, split, forecaster)
        data = forecaster.prepare(past, target=plan.target, inputs=plan.inputs, future=plan.future)
        forecaster.fit_prepared(data, on_event=on_event)
    finally:
        forecaster.split = split


def _without_test(panel: Panel, split: Sequence[float] | str, forecaster: Forecaster) -> tuple[int, int]:
    """The split's proportion of training to validation rows, over all rows: every row before the cutoff is used."""
    from ...data import Split

    whole = Split.make(panel, split)
    ticks = np.unique(panel.tick)
    train, valid = (
        int((ticks < whole.train_end).sum()),
        int(((ticks >= whole.train_end) & (ticks < whole.valid_end)).sum()),
    )
    part = max(round(len(ticks) * valid / (train + valid)), panel.frequency.rows(forecaster.horizon, "horizon"))
    return len(ticks) - part, part


def _forecast_from(forecaster: Forecaster, panel: Panel, target: str, cutoff: int) -> dict[str, np.ndarray]:
    past = panel.take(np.flatnonzero(panel.tick <= cutoff))
    shown = past
    if forecaster.features_.roles.future:  # later rows of known columns are shown, later targets are not
        shown = _hide_target(panel, target, cutoff)
    table = forecast_ahead(forecaster, shown)
    steps = forecaster.window_spec_.steps
    actual, naive = _actual_and_naive(panel, past, target, table, steps)
    piece = {
        "cutoff": np.repeat(_time_at(panel, cutoff), len(table.ids)),
        "id": table.ids,
        "time": table.times,
        "step": np.tile(steps, len(table.ids) // len(steps)),
        "actual": actual,
        "forecast": table.values,
        "naive": naive,
    }
    for level, (low, high) in table.bounds.items():
        piece |= {f"low_{level}": low, f"high_{level}": high}
    return piece


def _hide_target(panel: Panel, target: str, cutoff: int) -> Panel:
    from dataclasses import replace

    values = panel.values.copy()
    values[panel.tick > cutoff, panel.columns.index(target)] = np.nan
    return replace(panel, values=values)


def _actual_and_naive(
    panel: Panel, past: Panel, target: str, table: ForecastTable, steps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    actual = np.full(len(table.ids), np.nan)
    naive = np.full(len(table.ids), np.nan)
    for index in range(len(past.ids)):
        series, before = panel.series(past.ids[index]), past.series(index)
        here = slice(index * len(steps), (index + 1) * len(steps))
        history = history_of(before, target, np.ones(len(before.values), bool))
        observed = np.isfinite(before.column(target)) & ~before.filled[:, before.columns.index(target)]
        origin = int(np.flatnonzero(observed)[-1])
        naive[here] = make_baseline("naive").fit(history).forecast(history, np.array([origin]), steps)[0]
        wanted = before.tick[origin] + steps
        position = np.searchsorted(series.tick, wanted)
        found = position < len(series.tick)
        found[found] = series.tick[position[found]] == wanted[found]
        rows = position[found]
        values = np.where(series.filled[rows, series.columns.index(target)], np.nan, series.column(target)[rows])
        actual[here][found] = values
    return actual, naive


def _time_at(panel: Panel, tick: int) -> np.ndarray:
    ticks = np.array([tick])
    return ticks if panel.time is None else panel.frequency.times(ticks)


def _metrics(columns: dict[str, np.ndarray], cutoffs: int, fits: int) -> dict[str, Any]:
    scored = np.isfinite(columns["actual"])
    if not scored.any():
        raise DataError("None of the forecast rows has an observed target, so nothing can be scored.")
    actual, forecast, naive = (columns[name][scored] for name in ("actual", "forecast", "naive"))
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
