"""Fitted statistical methods as numbers, and back: what was fitted on each series, so that none is fitted again.

In JSON stand the rows of each fit and its numbers; arrays stand one behind the other in one array, and the JSON says
where each begins and how long it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np

from ..errors import FormatError, shown
from ..saved_fields import field_of, is_number
from .arima import AppliedArima, ArimaFit, Order
from .exponential import AppliedAutoETS, AppliedETS, ETSFit
from .fitted_runs import FittedRuns, Run
from .logged import Logged
from .mstl import AppliedMSTL, MSTLFit
from .stl_ets import AppliedSTLETS, STLFit
from .target_history import Baseline, TargetHistory
from .theta import AppliedAutoTheta, AppliedTheta, ThetaFit, ThetaLine

__all__ = ["APPLIED", "numbers_of", "restore", "restored"]

Season = float | None

APPLIED: Mapping[str, tuple[Callable[[Any], FittedRuns], type]] = MappingProxyType(
    {
        "ets": (AppliedETS, ETSFit),
        "damped-trend": (AppliedETS, ETSFit),
        "theta": (AppliedTheta, ThetaLine),
        "stl-ets": (AppliedSTLETS, STLFit),
        "arima": (AppliedArima, ArimaFit),
        "auto-ets": (AppliedAutoETS, ETSFit),
        "auto-theta": (AppliedAutoTheta, ThetaFit),
        "mstl": (AppliedMSTL, MSTLFit),
    }
)
"""By name what applies a method, of a season, and what was fitted on a series."""

_INNER = {"order": Order, "ets": ETSFit}  # fields that hold a record of their own
_MOST = 10**7  # rows, coefficients
_LONGEST = 100  # coefficients of a polynomial that is worked out at every row


def numbers_of(baseline: Baseline) -> tuple[dict[str, Any], np.ndarray] | None:
    """A fitted statistical method as JSON values and an array (N,) float64; None where it has no such form."""
    fitted = baseline.inner if isinstance(baseline, Logged) else baseline
    if not isinstance(fitted, FittedRuns):
        return None
    numbers: list[np.ndarray] = []
    runs = [
        {"series": series, "first": run.first, "rows": len(run.values), "stretch": run.stretch}
        | {"fit": _plain(run.fitted, numbers)}
        for series, run in fitted._runs.items()
    ]
    body: dict[str, Any] = {"season": fitted.season, "left_season": fitted._left_season, "runs": runs}
    if isinstance(baseline, Logged):
        least, most = baseline.bounds
        body["logarithms"] = {"least": _placed(least, numbers), "most": _placed(most, numbers)}
    return body, np.concatenate(numbers) if numbers else np.empty(0)


def restored(name: str, season: float | None, body: Any, numbers: np.ndarray, history: TargetHistory) -> Baseline:
    """The method of that name, as it was fitted on the rows of `history`, from what `numbers_of` gave.

    Raises FormatError where it can't be that.
    """
    made, _ = APPLIED[name.removeprefix("log-")]
    baseline: Baseline = made(season)
    baseline.name = name.removeprefix("log-")
    if name.startswith("log-"):
        baseline = Logged(baseline)
    restore(baseline, body, numbers, history)
    return baseline


def restore(baseline: Baseline, body: Any, numbers: np.ndarray, history: TargetHistory) -> None:
    """Put into a method that is not fitted what `numbers_of` gave of one that was, on the rows of `history`."""
    fitted = baseline.inner if isinstance(baseline, Logged) else baseline
    if not isinstance(fitted, FittedRuns) or not np.isfinite(numbers).all():
        raise FormatError(f"model.json: no numbers of a fit belong to the model {shown(baseline.name)}.")
    kind = APPLIED[baseline.name.removeprefix("log-")][1]
    if isinstance(baseline, Logged):
        edges = field_of(body, "logarithms", dict)
        least, most = (_array(edges.get(side), numbers) for side in ("least", "most"))
        if not 2 <= len(least) == len(most) <= int(history.series_of_row.max(initial=0)) + 2 or not (least > 0).all():
            raise FormatError("model.json: the bounds of the logarithms are not those of the series.")
        baseline.bounds = least, most
        history = baseline.logarithms(history)
    season, left = body.get("season"), body.get("left_season")
    if not all(each is None or (isinstance(each, int) and 2 <= each <= _MOST) for each in (season, left)):
        raise FormatError(f"model.json: expected a season in rows, found {shown(season)} and {shown(left)}.")
    fitted.season, fitted._left_season = season, left
    for entry in field_of(body, "runs", list):
        series, run = _run(entry, history)
        if series in fitted._runs:
            raise FormatError(f"model.json: the series {series} was fitted twice.")
        fitted._runs[series] = replace(run, fitted=_record(kind, field_of(entry, "fit", dict), numbers))


def _run(entry: Any, history: TargetHistory) -> tuple[int, Run]:
    whole = [entry.get(name) for name in ("series", "first", "rows", "stretch")]
    if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in whole):
        raise FormatError(f"model.json: expected the rows of a fit, found {shown(entry)}.")
    series, first, rows, stretch = whole
    if not (rows and first + rows <= history.rows):
        raise FormatError(f"model.json: a fit has rows {first} to {first + rows}, the model holds {history.rows}.")
    here = slice(first, first + rows)
    values = history.values[here]
    same = (history.series_of_row[here] == series).all() and (history.start[here] == stretch).all()
    if not same or not np.isfinite(values).all():
        raise FormatError("model.json: the rows of a fit are not rows of one series without a gap.")
    return series, Run(first, values, stretch)


def _plain(value: Any, numbers: list[np.ndarray]) -> Any:
    """A record of a fit as JSON values, its arrays put behind `numbers`."""
    if isinstance(value, np.ndarray):
        return _placed(value, numbers)
    if is_dataclass(value):
        return {own.name: _plain(getattr(value, own.name), numbers) for own in fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item, numbers) for key, item in value.items()}
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _placed(array: np.ndarray, numbers: list[np.ndarray]) -> list[int]:
    """Where an array begins among the numbers, and how long it is."""
    at = sum(len(each) for each in numbers)
    numbers.append(np.asarray(array, dtype=np.float64))
    return [at, len(array)]


def _array(place: Any, numbers: np.ndarray) -> np.ndarray:
    good = isinstance(place, list) and len(place) == 2 and all(type(each) is int for each in place)
    if not good or not (place[0] >= 0 and place[1] > 0 and place[0] + place[1] <= len(numbers)):
        raise FormatError(f"model.json: expected where numbers of a fit stand, found {shown(place)}.")
    return numbers[place[0] : place[0] + place[1]]


def _record(kind: type, value: Mapping[str, Any], numbers: np.ndarray) -> Any:
    """A record of a fit from its JSON values."""
    names = {own.name: str(own.type) for own in fields(kind)}
    if set(value) != set(names):
        raise FormatError(f"model.json: expected {', '.join(names)} of a fit, found {shown(sorted(value))}.")
    found = kind(**{name: _field(name, hint, value[name], numbers) for name, hint in names.items()})
    _check(found)
    return found


def _field(name: str, hint: str, item: Any, numbers: np.ndarray) -> Any:
    if name in _INNER:
        return _record(_INNER[name], item, numbers) if isinstance(item, dict) else _refuse(name, item)
    if item is None and (hint.endswith("None") or name == "aicc"):
        return np.inf if name == "aicc" else None
    if hint.startswith("np.ndarray"):
        return _array(item, numbers)
    if hint.startswith("dict"):
        if not isinstance(item, dict) or not item or not all(key.isdecimal() for key in item):
            _refuse(name, item)
        return {int(key): _array(place, numbers) for key, place in item.items()}
    if hint.startswith(("bool", "str")):
        good = isinstance(item, (bool, str)) and isinstance(item, bool) == (hint == "bool")
        return item if good else _refuse(name, item)
    if (
        item is None
        or not is_number(item)
        or (hint.startswith("int") and not isinstance(item, int))
        or abs(item) > 1e300
    ):
        _refuse(name, item)
    return item


def _refuse(name: str, item: Any) -> NoReturn:
    raise FormatError(f"model.json: {shown(item)} can't be the {shown(name)} of a fit.")


def _check(found: Any) -> None:
    """Raise FormatError for numbers of a fit that contradict each other."""
    good = True
    if isinstance(found, ETSFit):
        count = 1 + found.trend + (found.seasonal is not None) + (found.trend and found.damped)
        good = found.seasonal in (None, "add", "mul") and found.error in ("add", "mul") and len(found.params) == count
        good = good and (found.season is None) == (found.seasonal is None) and (found.slope is None) != found.trend
    elif isinstance(found, ArimaFit):
        season = found.season or 1
        good = 0 <= found.d <= 2 and 0 <= found.D <= 1 and 0 < season <= 1000
        good = good and max(len(found.a), len(found.b)) <= _LONGEST + 2 * season
    elif isinstance(found, MSTLFit):
        good = 0 <= found.start <= _MOST and all(len(part) == rows for rows, part in found.factors.items())
    elif isinstance(found, STLFit):
        good = (found.rest is None) == (found.season is None)
        good = good and (found.rest is None or found.season is None or len(found.rest) == len(found.season))
    if not good:
        raise FormatError("model.json: the numbers of a fit don't belong together.")
