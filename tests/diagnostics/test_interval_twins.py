"""The compiled quantiles and walk of rolling intervals: the bits of their NumPy twins, whatever the errors."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from seqloom_runtime import native
from seqloom_runtime.statistical import misses
from seqloom_runtime.statistical.misses import Misses
from seqloom_runtime.statistical.rolling_intervals import RollingIntervals

pytestmark = pytest.mark.skipif(native.module() is None, reason="seqloom was installed without its native module")

KINDS = {
    "drawn": lambda errors: errors,
    "ties": np.round,
    "constant": lambda errors: np.full_like(errors, 1.5),
    "nothing": np.zeros_like,
    "signed zeros": lambda errors: np.where(np.abs(errors) < 1, np.copysign(0.0, errors), np.round(errors)),
    "unknown": lambda errors: np.full_like(errors, np.nan),
    "holes": lambda errors: np.where(np.abs(errors) % 1 < 0.5, np.nan, errors),
}


def drawn(seed: int, kind: str, ticks: int, series: int) -> dict[str, Any]:
    """Windows of series at irregular ticks, and the settings of their intervals."""
    rng = np.random.default_rng(seed)
    horizon = [1, 4, 12, 30, 70][seed % 5]
    steps = np.arange(1, horizon + 1) if seed % 3 else np.unique(rng.integers(1, horizon + 1, 3))
    of, tick = np.repeat(np.arange(series), ticks), np.tile(np.cumsum(rng.integers(1, 2 + seed % 2, ticks)), series)
    errors = KINDS[kind](rng.standard_t(4, (len(of), len(steps))) * np.sqrt(steps) + 0.4)
    keep = rng.permutation(np.flatnonzero(rng.random(len(of)) < (0.7 if seed % 4 == 0 else 1)))
    begin = int(rng.integers(-3, tick[-1] + 3))
    return {
        "windows": (of[keep], tick[keep], errors[keep]),
        "steps": steps,
        "levels": ((0.8,), (0.05, 0.5, 0.95), (0.9, 0.1))[seed % 3],
        "scale": rng.random(series) + 0.5,
        "group": np.zeros(series, np.int64) if seed % 2 else np.arange(series),
        "since": begin - int(rng.choice([4, 60, 9999])),
        "begin": begin,
        "end": max(begin, int(tick[-1])),
    }


def found(case: dict[str, Any]) -> list[np.ndarray]:
    """All that intervals tell: gone on with at once, in two parts, at the end and from an earlier tick."""
    of, tick, errors = case["windows"]
    known = np.where(tick[:, None] + case["steps"] <= case["begin"], errors, np.nan)
    about = {"since": case["since"], "begin": case["begin"]}
    start = RollingIntervals.make(
        case["levels"], case["steps"], case["scale"], case["group"], (of, tick, known), **about
    )
    everyone, middle = np.arange(-1, len(case["scale"])), (case["begin"] + case["end"]) // 2
    state, low, high = start.rolled(of, tick, errors, case["end"])
    results = [low, high, state.factors, *state.offsets(everyone), *state.back_at(middle).offsets(everyone)]
    alone = start.gone_on(of, tick, errors, case["end"])
    assert np.array_equal(alone.factors.view(np.int64), state.factors.view(np.int64))
    half, low, high = start.rolled(of, tick, errors, middle)
    return [*results, low, high, half.gone_on(of, tick, errors, case["end"]).factors]


def check_twins(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        without.setenv("SEQLOOM_NATIVE", "0")
        expected = found(case)
    for threads in (1, 2, 3):
        with monkeypatch.context() as several:
            several.setattr(native, "threads", lambda threads=threads: threads)
            # One truth value: where the tests run in CI, the difference of two long lists takes minutes to be drawn.
            same = [part.tobytes() for part in found(case)] == [part.tobytes() for part in expected]
            assert same, f"{threads} threads"


@pytest.mark.parametrize("kind", KINDS)
def test_native_bits_are_those_of_numpy(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed, ticks in enumerate([1, 7, 7, 90, 90, 90, 90, 300, 700 if kind == "drawn" else 90]):
        check_twins(drawn(seed, kind, ticks, 1 + seed % 3), monkeypatch)


def test_a_longer_walk_than_quantiles_are_held_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of a walk leave no trace."""
    case = drawn(2, "drawn", 3000, 1)
    whole = found(case)
    monkeypatch.setattr("seqloom_runtime.statistical.rolling_intervals._AT_ONCE", 3)
    monkeypatch.setattr("seqloom_runtime.statistical.rolling_intervals._PIECE", 50)
    same = [part.tobytes() for part in found(case)] == [part.tobytes() for part in whole]
    assert same
    check_twins(case, monkeypatch)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recent_quantiles.FORGOTTEN", 5),  # that of the compiled quantiles alone
        ("recent_quantiles._Sorted.flipped", lambda self: self),
        ("rolling_intervals.coming_of", lambda steps, stride: np.ones(len(steps))),
        ("misses._thresholds", lambda error, centre, reach: np.where(error == 0, -np.inf, np.abs(error) / reach)),
        ("misses.Misses._follow", lambda self, slot: None),
    ],
)
def test_the_check_catches_a_mistake(name: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"seqloom_runtime.statistical.{name}", value)
    with pytest.raises(AssertionError):  # noqa: PT012
        for seed in (2, 3, 4):
            check_twins(drawn(seed, "drawn", 700, 1), monkeypatch)


def test_where_the_last_bits_decide_numpy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error at the very end of an interval that has grown: the compiled walk takes NumPy's exp."""
    asked = []
    monkeypatch.setattr(misses, "_grown", lambda factor: asked.append(factor) or float(np.exp(factor)))
    found = []
    for setting in ("1", "0"):
        monkeypatch.setenv("SEQLOOM_NATIVE", setting)
        errors = np.array([[float(np.exp(0.3))], [np.nextafter(np.exp(0.3), 9)]])
        walk = Misses(np.array([[0.3]]), (0.5,), np.array([2]), (np.zeros(2, np.int64), np.array([0, 1]), errors), 0)
        base = np.zeros((1, 2, 1, 1)), np.ones((1, 2, 1, 1))
        for start, end in pairwise((0, 2, 5)):
            rows = slice(0, 2) if start == 0 else slice(2, 2)
            walk.go_on(rows, start, end, np.zeros(rows.stop - rows.start, np.int64), base)
        found.append(walk.factors.tobytes())
    assert asked == [0.3, 0.3]
    assert found[0] == found[1]
