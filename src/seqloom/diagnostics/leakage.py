"""Does the future reach a forecast or a fitted scaler? Two checks that change the later rows and compare bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqloom_runtime.errors import SeqloomError, SettingError

__all__ = ["PERTURBATIONS", "LeakResult", "LeakageError", "check_fit", "check_forecast"]

PERTURBATIONS = ("noise", "huge", "missing", "zero", "reversed")
"""What is done to the later rows: random numbers, ±1e30, NaN, zeros, and the same rows in reverse order."""


class LeakageError(SeqloomError, AssertionError):
    """A result depends on rows that lie in its future: says which result and under which change of those rows."""


@dataclass(frozen=True)
class LeakResult:
    """What a check found.

    passed: no bit differed. differed: for each difference, "result, later rows: perturbation". max_difference: the
    largest absolute difference of two numbers; infinite where a shape, a type, a text or a NaN changed.
    perturbations: those that were tried and changed at least one value.
    """

    passed: bool
    differed: tuple[str, ...]
    max_difference: float
    perturbations: tuple[str, ...]

    def raise_for_leak(self) -> None:
        """Raise LeakageError where the check failed."""
        if not self.passed:
            raise LeakageError(
                f"Later rows reach the result: {'; '.join(self.differed)} (largest difference "
                f"{self.max_difference:g}). Use nothing after the forecast's origin, and fit on training rows only."
            )


def check_forecast(
    predict: Callable[[np.ndarray], Any],
    values: np.ndarray,
    origin_row: int | np.ndarray,
    *,
    known: Sequence[int] = (),
    perturbations: Sequence[str] = PERTURBATIONS,
    seed: int = 0,
) -> LeakResult:
    """Change all rows after the origin, in several ways, and compare the forecast bit by bit.

    predict: values (R, F) or (R,) to the forecast from the origin, an array or a mapping of arrays; it gets a copy.
    origin_row: the last known row; or a mask (R,) of the rows that are later, for example for several series.
    known: columns known in advance, left as they are. Raises SettingError where no later value can be changed, and
    where `predict` gives other bits for the same values (then a change proves nothing).

    >>> check_forecast(lambda x: x[4] + 1, np.arange(10.0), 4).passed
    True
    >>> check_forecast(lambda x: x[:6].mean(), np.arange(10.0), 4).passed
    False
    """
    values = np.asarray(values)
    if isinstance(origin_row, np.ndarray):
        later = np.asarray(origin_row)
        if later.dtype != bool or later.shape != values.shape[:1]:
            raise SettingError(
                f"origin_row: expected a row or a mask of shape {values.shape[:1]}, got {later.dtype} of {later.shape}."
            )
    else:
        later = np.arange(len(values)) > origin_row
    return _compare(lambda x: _named(predict(x), "forecast"), values, later, known, perturbations, seed)


def check_fit(
    fit: Callable[[Any], Mapping[str, Any]],
    values: np.ndarray | Sequence[str],
    train_end_row: int | np.ndarray,
    *,
    perturbations: Sequence[str] = PERTURBATIONS,
    seed: int = 0,
) -> LeakResult:
    """Change all rows after the training end, in several ways, refit, and compare every fitted array bit by bit.

    fit: values to a mapping of arrays: scaler, vocabulary, fill values; it gets a copy. values: (R, F) or (R,) numbers,
    or R texts, of which the later ones are replaced by new words, by nothing, and by themselves in reverse order.
    train_end_row: the first row that is not for training, or a mask (R,) of the rows that are not. Raises SettingError
    as `check_forecast` does.

    >>> values = np.array([1.0, 2.0, 3.0, 9.0])
    >>> check_fit(lambda x: {"mean": x[:3].mean()}, values, 3).passed
    True
    >>> check_fit(lambda x: {"mean": x.mean()}, values, 3).differed[0]
    'mean, later rows: noise'
    """
    if isinstance(values, np.ndarray):
        rows = values
    else:
        rows = np.empty(len(values), dtype=object)
        rows[:] = list(values)
    later = train_end_row if isinstance(train_end_row, np.ndarray) else np.arange(len(rows)) >= train_end_row
    if later.dtype != bool or later.shape != rows.shape[:1]:
        raise SettingError(
            f"train_end_row: expected a row or a mask of shape {rows.shape[:1]}, got {later.dtype} of {later.shape}."
        )
    convert = (lambda x: x) if isinstance(values, np.ndarray) else list

    def fitted(x: np.ndarray) -> dict[str, np.ndarray]:
        return _named(fit(convert(x)), "fitted")

    return _compare(fitted, rows, later, (), perturbations, seed)


def _compare(
    run: Callable[[np.ndarray], dict[str, np.ndarray]],
    values: np.ndarray,
    later: np.ndarray,
    known: Sequence[int],
    perturbations: Sequence[str],
    seed: int,
) -> LeakResult:
    for name in perturbations:
        if name not in PERTURBATIONS:
            raise SettingError(f"perturbations: expected some of {', '.join(PERTURBATIONS)}, got {name!r}.")
    numeric = values.dtype.kind in "biuf"
    if numeric and values.dtype.kind != "f":
        values = values.astype(np.float64)
    expected = run(values.copy())
    # Twice on the same values first: dropout, or threads that sum in another order, would look like a leak.
    again = run(values.copy())
    unstable = [name for name in expected if name not in again or not _same_bits(expected[name], again[name])]
    if unstable or set(again) != set(expected):
        raise SettingError(
            f"Two runs on the same values gave different bits for {', '.join(unstable) or 'the names of the results'}, "
            "so a difference would prove nothing; fix the seed and the number of threads."
        )
    tried: list[str] = []
    differed: list[str] = []
    largest = 0.0
    for name in perturbations:
        # A new generator for each: a perturbation does the same whichever others are asked for.
        changed = _perturb(values, later, known, name, np.random.default_rng(seed))
        if changed is None:
            continue
        tried.append(name)
        found = run(changed)
        for key in sorted(expected.keys() | found.keys()):
            old, new = expected.get(key), found.get(key)
            if old is None or new is None or not _same_bits(old, new):
                differed.append(f"{key}, later rows: {name}")
                largest = max(largest, _difference(old, new))
    if not tried:
        raise SettingError(
            "There is no later value to change, so the check would prove nothing; choose an earlier row."
        )
    return LeakResult(not differed, tuple(differed), largest, tuple(tried))


def _perturb(
    values: np.ndarray, later: np.ndarray, known: Sequence[int], name: str, rng: np.random.Generator
) -> np.ndarray | None:
    """A copy with the later rows changed, or None where this changes nothing."""
    result = values.copy()
    part = values[later]
    if values.dtype.kind in "biuf":
        spread = np.nanmax(np.abs(part), initial=1.0, where=np.isfinite(part)) if part.size else 1.0
        changed = {
            "noise": lambda: rng.normal(0.0, 3.0 * spread, part.shape),
            # A leak by way of a sum or a mean is lost in rounding unless the value is far out of range.
            "huge": lambda: rng.choice([-1e30, 1e30], part.shape),
            # Fill values are fitted too, and counts of missing rows may steer what is trained.
            "missing": lambda: np.full(part.shape, np.nan),
            "zero": lambda: np.zeros(part.shape),
            # The same values in another order: a leak of the order alone, as by sorting or differencing.
            "reversed": lambda: part[::-1],
        }[name]()
    else:
        words = [f"unseen{number} " * (1 + number % 3) for number in range(len(part))]
        texts = {"noise": words, "missing": [""] * len(part), "reversed": list(part[::-1])}.get(name)
        if texts is None:
            return None
        changed = np.empty(part.shape, dtype=object)
        changed[:] = texts
    result[later] = changed
    # A calendar or a plan is known ahead: a forecast may depend on its later rows.
    for column in known:
        result[:, column] = values[:, column]
    same = (
        np.array_equal(result, values, equal_nan=True) if values.dtype.kind == "f" else bool((result == values).all())
    )
    return None if same else result


def _named(result: Any, name: str) -> dict[str, np.ndarray]:
    found = dict(result) if isinstance(result, Mapping) else {name: result}
    return {str(key): np.array(value) for key, value in found.items()}


def _same_bits(one: np.ndarray, two: np.ndarray) -> bool:
    if one.dtype != two.dtype or one.shape != two.shape:
        return False
    # Bytes and not ==: NaN must equal itself, and −0 differ from 0.
    return one.tolist() == two.tolist() if one.dtype == object else one.tobytes() == two.tobytes()


def _difference(old: np.ndarray | None, new: np.ndarray | None) -> float:
    if old is None or new is None or old.shape != new.shape or not {old.dtype.kind, new.dtype.kind} <= set("biuf"):
        return float("inf")
    before, after = old.astype(np.float64), new.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.where((before == after) | (np.isnan(before) & np.isnan(after)), 0.0, np.abs(before - after))
    return float(np.where(np.isnan(gap), np.inf, gap).max(initial=0.0))
