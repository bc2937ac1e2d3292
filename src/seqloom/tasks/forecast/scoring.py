"""What forecasts of the validation or test windows are worth, beside the naive forecast of the same windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqloom_runtime.forecast.targets import of_target, owner_of
from seqloom_runtime.statistical.target_history import baseline_forecast
from seqloom_runtime.tables import ROWS_WRITTEN

from ...diagnostics import (
    SCORES,
    Quantiles,
    by_step,
    by_time_of_day,
    coverage,
    interval_score,
    mae,
    make_baseline,
    mean_width,
    measured,
    score,
)
from ..comparison import Evaluation
from .by_series import errors_by_series
from .choosing import ratio_to, standing
from .masking import known_only
from .windowed import ForecastData

__all__ = ["measure_forecasts", "statements"]

_MOST_TOLD = 6  # models with a sentence each; the table above tells of all
_LEVEL = 0.005  # a skill this near to 0 is level with the naive forecast


def measure_forecasts(
    data: ForecastData,
    part: str,
    forecasts: np.ndarray,
    offsets: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
) -> Evaluation:
    """Scores, predictions, and errors by step and hour of `forecasts` (N, K) of the part `valid` or `test`.

    Windows that could not be forecast (NaN) are not counted, nor are steps whose target was not measured. `offsets`:
    level → what is added to the forecasts for the low and high end of an interval, (K,) or (N, K). The rank is the MAE
    over naive's on the windows that choose. A ratio, so that a model which can't forecast every window is not judged on
    easier ones than the others. `details["scores"]` holds all that metrics.json says of the part.
    """
    offsets = offsets or {}
    naive = baseline_forecast(make_baseline("naive").fit(data.history), data.history, data.part(part), data.spec.steps)
    scored = np.asarray(np.isfinite(forecasts).all(axis=1))
    found = _scores(data, part, forecasts, naive, scored, offsets if part == "test" else {})
    choosing = np.isin(data.part(part), data.choose)
    stands = standing(data, data.part(part)[choosing], forecasts[choosing], naive[choosing])
    scores = {name: found[name] for name in _measured() if found[name] is not None and np.isfinite(found[name])}
    every = max(1, -(-(len(data.valid) + len(data.test)) * len(data.spec.steps) // ROWS_WRITTEN))
    return Evaluation(
        scores,
        predictions=_predictions(data, part, forecasts, offsets, every),
        details=_finite(
            {
                "scores": found,
                "choosing": vars(stands).copy(),
                "by_step": _by_step(data, part, forecasts, scored),
                "by_time_of_day": _by_time_of_day(data, part, forecasts, scored),
                "targets": _by_target(data, part, forecasts, naive, scored, offsets if part == "test" else {}),
            }
        ),
        rank=_against_naive(data, part, forecasts, naive, scored),
        every=every,
        by_series=errors_by_series(data, part, forecasts, naive, scored) if part == "test" else {},
    )


def _measured() -> list[str]:
    """The scores of forecasts, in the order of the table of scores."""
    return [name for name, entry in SCORES.items() if "forecasts" in entry.measures]


def _scores(
    data: ForecastData,
    part: str,
    forecasts: np.ndarray,
    naive: np.ndarray,
    scored: np.ndarray,
    offsets: Mapping[str, tuple[np.ndarray, np.ndarray]],
    place: int | None = None,
) -> dict[str, Any]:
    """The scores of the windows that are `scored`; of the target at `place` among several, in its own unit."""
    if not scored.any():
        return {**dict.fromkeys(_measured()), "windows": 0}
    origins = data.part(part)
    unit = data.unit(origins[scored]) if place is None else 1.0
    truth, forecast = data.truth(origins)[scored] / unit, forecasts[scored] / unit
    std = data.std[origins][scored][:, None] / unit
    known, found, reference, scale = known_only(truth, forecast, naive[scored] / unit, std)
    in_sample = data.mase_scale if place is None else data.mase_scale_of(place)
    squared = data.rmsse_scale_of(place)
    result: dict[str, Any] = score(
        known,
        found,
        target_scale=scale,
        mase_scale=in_sample,
        rmsse_scale=squared,
        baseline_mae=mae(known, reference),
    )
    result["windows"] = len(truth)
    if offsets:
        ends = {level: [_of(side, scored) / unit for side in sides] for level, sides in offsets.items()}
        bounds = {k: known_only(truth, forecast + low, forecast + high)[1:] for k, (low, high) in ends.items()}
        result |= _quantile_scores(known, found, bounds)
        there = {k: np.isfinite(low) for k, (low, _) in bounds.items()}  # a target may lack a level that others have
        bounds = {k: (low[there[k]], high[there[k]]) for k, (low, high) in bounds.items() if there[k].any()}
        result["coverage"] = {k: coverage(known[there[k]], *sides) for k, sides in bounds.items()}
        result["width"] = {k: mean_width(*sides) for k, sides in bounds.items()}
        result["winkler"] = {k: interval_score(known[there[k]], *sides, _share(k)) for k, sides in bounds.items()}
    return result


def _quantile_scores(
    known: np.ndarray, found: np.ndarray, bounds: Mapping[str, Sequence[np.ndarray]]
) -> dict[str, float | None]:
    """The scores of quantiles: the forecast as the median, between the ends of all intervals, where all are there."""
    wide = sorted(bounds, key=_share, reverse=True)
    sides = [*(bounds[k][0] for k in wide), found, *(bounds[k][1] for k in reversed(wide))]
    levels = [*((1 - _share(k)) / 2 for k in wide), 0.5, *((1 + _share(k)) / 2 for k in reversed(wide))]
    there = np.logical_and.reduce([np.isfinite(side) for side in sides])
    if not there.any():
        return {}
    return measured("quantiles", Quantiles(known[there], np.stack([s[there] for s in sides], axis=1), tuple(levels)))


def _share(level: str) -> float:
    """A level in percent as a fraction: 99.9 is 0.999, not 0.9990000000000001."""
    return round(float(level) / 100, 12)


def _by_target(
    data: ForecastData,
    part: str,
    forecasts: np.ndarray,
    naive: np.ndarray,
    scored: np.ndarray,
    offsets: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> list[dict[str, Any]]:
    """The scores of each of several targets in its own unit, in their order; none of one."""
    wide, at = data.features.roles.wide, of_target(data, data.part(part))
    places = range(0 if wide is None else len(wide.targets))
    return [_scores(data, part, forecasts, naive, scored & (at == place), offsets, place) for place in places]


def _against_naive(
    data: ForecastData, part: str, forecasts: np.ndarray, naive: np.ndarray, scored: np.ndarray
) -> float:
    """MAE (RMSE of intermittent demand) over naive's; below 1 is better, inf where nothing was scored."""
    origins = data.part(part)
    use = scored & np.isin(origins, data.choose) if part == "valid" else scored
    if not use.any():
        return float("inf")
    unit = data.choosing_unit(origins[use])
    truth, forecast, naive = known_only(data.truth(origins[use]) / unit, forecasts[use] / unit, naive[use] / unit)
    power = 2 if data.intermittent else 1
    error, reference = (float((np.abs(each - truth) ** power).mean()) for each in (forecast, naive))
    return ratio_to(error, reference, data.intermittent)


def _predictions(
    data: ForecastData,
    part: str,
    forecasts: np.ndarray,
    offsets: Mapping[str, tuple[np.ndarray, np.ndarray]],
    every: int,
) -> dict[str, np.ndarray]:
    """One row per step and scored window, of every n-th window only; text is made of no more rows than those."""
    picked = slice(None, None, every)
    origins, steps, panel = data.part(part)[picked], data.spec.steps, data.panel
    roles = data.features.roles
    names = np.array([owner_of(roles, name) for name in panel.ids], dtype=object)
    forecast = forecasts[picked].T
    at = of_target(data, origins)
    several = {}
    if roles.wide is not None:
        several = {"target": np.tile(np.array(roles.wide.targets, dtype=object)[at], len(steps))}
    columns = {
        "id": np.tile(names[panel.series_of(origins)], len(steps)),
        **several,
        "origin": np.tile(data.row_texts(origins), len(steps)),
        "step": np.repeat(steps, len(origins)),
        "time": data.row_texts(origins + steps[:, None]).ravel(),
        "actual": data.truth(origins).T.ravel(),
        "predicted": forecast.ravel(),
    }
    for level, sides in offsets.items():
        low, high = (forecast + np.atleast_2d(_of(side, picked)).T for side in sides)  # (K, 1) or (K, N) are added
        columns |= {f"low_{level}": low.ravel(), f"high_{level}": high.ravel()}
    return columns


def _of(side: np.ndarray, windows: Any) -> np.ndarray:
    """The offsets of these windows, of (N, K) alone."""
    return side if side.ndim == 1 else side[windows]


def _by_step(data: ForecastData, part: str, forecasts: np.ndarray, scored: np.ndarray) -> dict[str, Any]:
    """Mean absolute error by step ahead."""
    steps = data.spec.steps
    errors: list[Any] = [None] * len(steps)
    if scored.any():
        origins = data.part(part)[scored]
        unit = data.unit(origins)
        truth, forecast = data.truth(origins) / unit, forecasts[scored] / unit
        known = ~np.isnan(truth)
        if known.all():
            errors = by_step(truth, forecast, steps)["mae"]
        else:
            each = zip(truth.T, forecast.T, known.T)
            errors = [mae(t[use], f[use]) if use.any() else None for t, f, use in each]
    return {"steps": [int(step) for step in steps], "mae": errors}


def _by_time_of_day(data: ForecastData, part: str, forecasts: np.ndarray, scored: np.ndarray) -> dict[str, Any] | None:
    """Mean absolute error by the local hour of the forecast row, or None where rows are a day or more apart."""
    history = data.history
    if history.slot is None or history.slots_per_day is None or history.slots_per_day < 2:
        return None
    bins = min(24, history.slots_per_day)
    origins = data.part(part)[scored]
    if not len(origins):
        return {"minutes": None, "mae": [None] * bins}
    slots, unit = history.slot[origins[:, None] + data.spec.steps], data.unit(origins)
    truth, forecast, slots = known_only(data.truth(origins) / unit, forecasts[scored] / unit, slots)
    found = by_time_of_day(truth, forecast, slots, history.slots_per_day, bins=bins)
    return {"minutes": found["minutes"], "mae": found["mae"]}


def _finite(value: Any) -> Any:
    """Numbers that overflowed as None, which is how a file says that there is none."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, np.ndarray)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def statements(models: Mapping[str, Mapping[str, Any]], best: str, baseline: str = "naive") -> list[str]:
    """One plain sentence per model: how it stands to the naive forecast on validation and on test, better or worse.
    Of more than `_MOST_TOLD` models only the chosen one has a sentence, and the others one together.

    models: name → `valid` and `test`, each with windows, skill and mae.
    """
    lines = []
    told = [name for name in models if name != baseline]
    others = [name for name in told if name != best] if len(told) > _MOST_TOLD else []
    for name in told:
        scores = models[name]
        if name in others:
            continue
        valid, test = (_against(scores[part], baseline) for part in ("valid", "test"))
        if scores["valid"]["windows"] == scores["test"]["windows"] == 0:
            lines.append(f"{name} has no scored windows.")
            continue
        lines.append(f"{name}{' (selected)' if name == best else ''} {valid} on validation and {test} on test.")
    if others:
        better = [sum((models[name][part]["skill"] or 0) >= _LEVEL for name in others) for part in ("valid", "test")]
        lines.append(
            f"Of the {len(others)} other models {better[0]} {'is' if better[0] == 1 else 'are'} better than {baseline} "
            f"on validation and {better[1]} on test."
        )
    if best == baseline:
        lines.insert(
            0, f"No model did better than {baseline} on the validation rows that choose: use the {baseline} forecast."
        )
    return lines


def _against(scores: dict[str, Any], baseline: str) -> str:
    if not scores["windows"]:
        return "has no scored windows"
    value = scores["skill"]
    if value is None:  # naive makes no error at all, so there is no ratio
        return f"is level with {baseline}" if scores["mae"] == 0 else f"is worse than {baseline}, which makes no error,"
    percent = abs(value) * 100
    if abs(value) < _LEVEL:
        return f"is level with {baseline}"
    return f"is {percent:.0f} % {'better' if value > 0 else 'worse'} than {baseline}"
