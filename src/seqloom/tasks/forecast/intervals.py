"""Prediction intervals of a forecaster: split-conformal, calibrated on validation rows that chose nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from seqloom_runtime.forecast.targets import listed, of_target, own_series
from seqloom_runtime.statistical.fitted_runs import FEWEST_ROWS

from ...diagnostics import calibrate_available, level_name, smallest_count
from .windowed import ForecastData

__all__ = ["calibrate_forecast", "calibrating_from"]


def calibrate_forecast(
    data: ForecastData, forecast: Callable[[np.ndarray], np.ndarray], levels: Sequence[float]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Radii by level, each (K,), or (T, K) of T targets, in the target's unit, and a sentence for each level that had
    too few rows. A target that has too few of a level that others have is NaN there.

    `forecast` maps origins (N,) to (N, K). Each step is calibrated on the residuals whose target row lies in the last
    third of the validation rows, or in all of them where these are too few to be shared out; only single targets there
    count, so a long path loses nothing but its own tail.
    """
    spec, tick, since = data.spec, data.panel.tick, calibrating_from(data)
    origins = data.windows.origins
    first, last = tick[origins] + spec.steps[0], tick[origins] + spec.steps[-1]
    origins = data.scored(origins[(last >= since) & (first < data.split.valid_end)])
    target_tick = tick[origins][:, None] + spec.steps
    usable = (target_tick >= since) & (target_tick < data.split.valid_end)
    truth = np.where(usable, data.truth(origins), np.nan)
    residuals = np.abs(truth - forecast(origins))
    fractions = [round(level / 100, 12) for level in levels]  # 99.9 % is 0.999, not 0.9990000000000001
    wide, at = data.features.roles.wide, of_target(data, origins)
    # Each of several targets by its own errors, as their units may differ: (levels, targets, K).
    groups = [residuals[at == place] for place in range(1 if wide is None else len(wide.targets))]
    found = np.stack([_radii(group, fractions) for group in groups], axis=1)
    counts = [int(np.isfinite(group).sum(axis=0).min()) for group in groups]
    unmade = np.isfinite(truth) & ~np.isfinite(residuals)  # the model has no forecast there
    lost = [int(unmade[at == place].sum(axis=0).max()) for place in range(len(groups))]
    radii: dict[str, np.ndarray] = {}
    notes: list[str] = []
    for fraction, values in zip(fractions, found):
        name = level_name(fraction)
        known = np.isfinite(values).all(axis=1)
        if known.any():
            # A target with too few errors has no interval, and takes that of no other.
            radii[name] = values[0] if wide is None else np.where(known[:, None], values, np.nan)
        if known.all():
            continue
        few = [place for place, there in enumerate(known) if not there]
        whose = f" for {listed(wide.targets[place] for place in few)}" if wide is not None else ""
        which = (
            "the last third of the validation rows holds"
            if since > data.split.train_end
            else "the validation rows hold"
        )
        what = f"{which} {_errors(min(counts[place] for place in few))} of some step"
        need = smallest_count(fraction)
        remedy = _remedy(data, {place: need + lost[place] for place in few})
        notes.append(f"No {name} % interval{whose}: {what}, and {name} % needs at least {need} errors; {remedy}.")
    if radii and since == data.split.train_end:
        notes.append(
            "The validation rows are too few to be shared between windows that choose and rows that calibrate the "
            "intervals: all do both, so that the intervals may be narrow until later rows widen them."
        )
    return radii, notes


def _errors(count: int) -> str:
    return "1 error" if count == 1 else f"{count} errors"


def _remedy(data: ForecastData, wanted: Mapping[int, int]) -> str:
    """What to do for so many errors of each step, by target, which the last third of the validation rows is to hold."""
    spec, rows, test = data.spec, len(data.panel.ticks), data.split.part_rows(data.panel)["test"]
    third, by_horizon = _third_for(data, wanted)
    valid = 3 * third
    train = rows - valid - test
    if train >= max(FEWEST_ROWS, rows // 2, spec.lookback + spec.horizon):
        # Without one given, more validation rows would make it longer.
        horizon = f" horizon={spec.horizon}" if by_horizon else ""
        return f"use more validation rows, such as split={train},{valid}{horizon}"
    if len(set(own_series(data.panel))) > 1:
        return f"that takes about {valid:,} validation rows of each series, which a table of {rows:,} times can't spare"
    return f"that takes about {valid:,} validation rows, which a table of {rows:,} rows can't spare"


def _third_for(data: ForecastData, wanted: Mapping[int, int]) -> tuple[int, bool]:
    """How many rows before the end of validation hold `wanted` errors of each step of each target, and whether a
    shorter horizon would need fewer, as the last rows are no targets of its first steps."""
    panel, spec, end = data.panel, data.spec, data.split.valid_end
    ticks = panel.ticks[panel.ticks < end]
    origins = data.scored(data.windows.origins)
    at = of_target(data, origins)
    found, by_horizon = 0, False
    for place, count in wanted.items():
        own, rows_of = origins[at == place], []
        for step in spec.steps.tolist():
            rows = own + step
            held = panel.tick[rows[data.measured[rows]]]
            held = held[held < end]
            if len(held) < count:  # more than there are, at the same rate
                rows_of.append(-(-count * len(ticks) // max(1, len(held))))
            else:
                rows_of.append(len(ticks) - int(np.searchsorted(ticks, np.partition(held, -count)[-count])))
        found, by_horizon = max(found, *rows_of), by_horizon or rows_of[0] > rows_of[-1]
    return found, by_horizon


def calibrating_from(data: ForecastData) -> int:
    """The tick from which validation rows calibrate: of their last third, or where that leaves none, of all."""
    return data.calibrate_from if data.calibrate_from < data.split.valid_end else data.split.train_end


def _radii(residuals: np.ndarray, fractions: Sequence[float]) -> np.ndarray:
    """The radii (levels, K) that the residuals (N, K), NaN where not usable, give; NaN where there are too few."""
    return np.stack([calibrate_available(step[np.isfinite(step)], fractions) for step in residuals.T], axis=1)
