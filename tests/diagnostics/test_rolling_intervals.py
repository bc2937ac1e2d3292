"""Rolling intervals against plain loops, what they may know, that they hold under drift, and going on in parts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seqloom_runtime.statistical.rolling_intervals import RollingIntervals

STEPS = np.array([1, 2, 4])
LEVELS = (0.5, 0.9)


def windows(rng: np.random.Generator, series: int, ticks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors of every series at every tick, of unlike sizes, some unknown."""
    of, tick = np.repeat(np.arange(series), ticks), np.tile(np.arange(ticks), series)
    errors = (rng.standard_t(4, (len(of), len(STEPS))) + 0.4) * (1 + of[:, None]) * np.sqrt(STEPS)
    errors[rng.random(errors.shape) < 0.05] = np.nan
    order = rng.permutation(len(of))
    return of[order], tick[order], errors[order]


def started(found: tuple[np.ndarray, np.ndarray, np.ndarray], scale: list[float], since: int, begin: int):
    series, tick, errors = found
    known = np.where(tick[:, None] + STEPS <= begin, errors, np.nan)
    group = np.zeros(len(scale), np.int64)
    return RollingIntervals.make(LEVELS, STEPS, np.array(scale), group, (series, tick, known), since=since, begin=begin)


def quantile(values: list[tuple[float, float]], level: float, coming: float) -> float:
    """The smallest value up to which `level` of all weight lies, `coming` being that of one more, beyond all others."""
    mass, total = 0.0, sum(weight for _, weight in values)
    for value, weight in sorted(values):
        mass += weight
        if mass >= level * (total + coming) - 1e-9:
            return value
    return max(value for value, _ in values)


def base(error: dict[tuple[int, int, int], float], count: int, since: int, now: int) -> dict:
    """(series, level, step) → centre and radius from the errors that are known."""
    half, prior = max(4 * STEPS[-1], 50), int(STEPS[-1]) * len(STEPS)
    known = {key: 0.5 ** ((now - key[1] - key[2]) / half) for key in error if since <= key[1] + key[2] <= now}
    mass = {k: sum(w for key, w in known.items() if key[2] == k) for k in STEPS.tolist()}
    mean = {k: sum(abs(error[key]) * w for key, w in known.items() if key[2] == k) / mass[k] for k in mass}
    own = [1.0] * count
    for s in range(count) if count > 1 else ():
        mine = {key: w for key, w in known.items() if key[0] == s}
        total = sum(abs(error[key]) / mean[key[2]] * w for key, w in mine.items())
        weight = sum(mine.values())
        own[s] = (total / weight) ** (weight / (weight + prior))
    ends = {}
    for k in mass:
        pairs = [(error[key] / own[key[0]], w) for key, w in known.items() if key[2] == k]
        tail = 0.5 * mass[k] / (mass[k] + 20)
        for level in LEVELS:
            coming = k**0.5 if level >= 0.9 else 1.0
            middle, flipped = quantile([(abs(e), w) for e, w in pairs], level, coming), [(-e, w) for e, w in pairs]
            high = (1 - tail) * middle + tail * quantile(pairs, (1 + level) / 2, coming)
            low = -(1 - tail) * middle - tail * quantile(flipped, (1 + level) / 2, coming)
            for s in range(count):
                ends[s, level, k] = own[s] * (low + high) / 2, own[s] * (high - low) / 2
    return ends


def issue(ends: dict, factor: dict, series: int) -> dict[float, list[tuple[float, float]]]:
    """level → low and high per step; none inside that of a lower level, or beside the forecast."""
    found: dict[float, list[tuple[float, float]]] = {}
    inner = [(0.0, 0.0)] * len(STEPS)
    for level in LEVELS:
        grown = math.exp(factor[series, level])
        both = [ends[series, level, k] for k in STEPS.tolist()]
        inner = [(min(low, c - r * grown), max(high, c + r * grown)) for (low, high), (c, r) in zip(inner, both)]
        found[level] = inner
    return found


def by_hand(found: tuple[np.ndarray, ...], scale: list[float], since: int, begin: int, end: int) -> dict:
    """(series, tick) → {level: low and high per step}, in loops over what is known, as the module's text says it."""
    error = {(s, t, k): e / scale[s] for s, t, row in zip(*found) for k, e in zip(STEPS.tolist(), row) if e == e}
    count, horizon = len(scale), int(STEPS[-1])
    factor = {(s, level): 0.0 for s in range(count) for level in LEVELS}
    ends = base(error, count, since, begin)
    issued = {(s, t): issue(ends, factor, s) for s in range(count) for t in range(begin - horizon, begin + 1)}
    for now in range(begin + 1, end + 1):
        if (now - begin) % (max(4 * horizon, 50) // 4) == 0:
            ends = base(error, count, since, now)
        for s, level in factor:
            known = [(at, k) for at, k in enumerate(STEPS.tolist()) if (s, now - k, k) in error]
            sides = [(issued[s, now - k][level][at], error[s, now - k, k]) for at, k in known]
            if sides:
                missed = float(np.mean([not low <= e <= high for (low, high), e in sides]))
                factor[s, level] += (missed - (1 - level)) / max(horizon, 25)
        issued |= {(s, now): issue(ends, factor, s) for s in range(count)}
    return {key: {level: np.array(ends).T * scale[key[0]] for level, ends in of.items()} for key, of in issued.items()}


@pytest.mark.parametrize("scale", [[1.0], [0.7, 2.5]])
def test_intervals_are_what_loops_give(scale: list[float]) -> None:
    found = windows(np.random.default_rng(len(scale)), len(scale), 70)
    start = started(found, scale, 12, 36)
    state, low, high = start.rolled(*found, 69)
    expected = by_hand(found, scale, 12, 36, 69)
    assert state.at == 69
    for row, (series, tick) in enumerate(zip(*found[:2])):
        if tick < 36:
            assert np.isnan(low[row]).all()
            continue
        for place, level in enumerate(LEVELS):
            np.testing.assert_allclose([low[row, place], high[row, place]], expected[series, tick][level], rtol=1e-6)


def check_what_is_known() -> None:
    """Other errors of targets behind an origin leave its interval, bit for bit; those up to it don't."""
    found = windows(np.random.default_rng(5), 2, 90)
    start = started(found, [1.0, 1.0], 10, 40)
    series, tick, errors = found
    _, low, high = start.rolled(*found, 89)
    for origin in (40, 47, 63):
        changed = np.where(tick[:, None] + STEPS > origin, 100 - 3 * errors, errors)
        _, low_then, high_then = start.rolled(series, tick, changed, 89)
        here = (tick <= origin) & (tick >= 40)
        np.testing.assert_array_equal(low_then[here], low[here])
        np.testing.assert_array_equal(high_then[here], high[here])
    told = np.where(tick[:, None] + STEPS > 41, 100.0, errors)
    assert not np.array_equal(start.rolled(series, tick, told, 89)[1][tick == 80], low[tick == 80])


def test_an_interval_knows_no_error_behind_its_origin() -> None:
    check_what_is_known()


@pytest.mark.parametrize("ahead", [1, 4])
def test_the_check_catches_a_leak(ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = RollingIntervals._bases
    monkeypatch.setattr(RollingIntervals, "_bases", lambda self, now: honest(self, now + ahead))
    with pytest.raises(AssertionError):
        check_what_is_known()


def test_ends_hold_each_other_and_the_forecast() -> None:
    found = windows(np.random.default_rng(2), 3, 120)
    _, low, high = started(found, [1.0] * 3, 10, 50).rolled(*found, 119)
    here = found[1] >= 50
    assert (low[here] <= 0).all()
    assert (high[here] >= 0).all()
    assert (np.diff(low[here], axis=1) <= 0).all()
    assert (np.diff(high[here], axis=1) >= 0).all()


def test_they_hold_where_errors_drift_and_where_series_differ() -> None:
    rng = np.random.default_rng(0)
    ticks, size = np.arange(1800), np.array([1.0, 20.0, 0.01])
    series, tick = np.repeat(np.arange(3), 1800), np.tile(ticks, 3)
    drift = np.exp(np.sin(ticks / 250) + ticks / 1500)[tick]
    errors = rng.normal(0.5, 1.0, (5400, 3)) * (size[series] * drift)[:, None] * np.sqrt(STEPS)
    begin = 200
    known = np.where(tick[:, None] + STEPS <= begin, errors, np.nan)
    start = RollingIntervals.make(
        (0.8, 0.95), STEPS, np.ones(3), np.zeros(3, np.int64), (series, tick, known), since=100, begin=begin
    )
    _, low, high = start.rolled(series, tick, errors, 1799)
    later = tick >= begin + 200  # by then the sizes are learned
    inside = (low[later] <= errors[later, None]) & (errors[later, None] <= high[later])
    for place, (least, most) in enumerate([(0.77, 0.83), (0.93, 0.97)]):
        shares = [inside[series[later] == number, place].mean() for number in range(3)]
        assert all(least <= share <= most for share in shares), shares
        blocks = inside[:, place].reshape(3, 2, 700, 3).mean(axis=(2, 3))
        blocks = inside[:, place].reshape(3, 2, 700, 3).mean(axis=(2, 3))
        assert (np.abs(blocks - (least + most) / 2) < 0.05).all()


def test_an_earlier_state_is_made_again_from_what_was_known() -> None:
    found = windows(np.random.default_rng(7), 2, 80)
    start = started(found, [1.0, 2.0], 10, 40)
    late = start.rolled(*found, 79)[0]
    both = np.array([0, 1])
    for tick in (20, 40, 41, 60, 79, 100):
        series, at, errors = found
        known = np.where(at[:, None] + STEPS <= tick, errors, np.nan)
        direct = started((series, at, known), [1.0, 2.0], 10, min(tick, 40))
        if tick > 40:
            direct = direct.rolled(series, at, known, min(tick, 79))[0]
        for one, two in zip(late.back_at(tick).offsets(both), direct.offsets(both)):
            np.testing.assert_allclose(one, two, rtol=1e-9)


def test_thinning_keeps_the_latest_windows() -> None:
    found = windows(np.random.default_rng(7), 2, 80)
    state = started(found, [1.0, 2.0], 10, 40).rolled(*found, 79)[0]
    few = state.thinned(90)
    assert len(few.tick) == 30
    np.testing.assert_array_equal(few.tick[-15:], state.tick[-15:])
    assert (np.diff(few.tick) >= 0).all()
    assert few.tick[0] == state.tick[0]
    assert state.thinned(10**6) is state


def test_a_series_without_errors_takes_those_of_all() -> None:
    found = windows(np.random.default_rng(3), 2, 60)
    state = started(found, [1.0, 1.0], 0, 50)
    low, high = state.offsets(np.array([-1, 0]))
    assert (high[0] > 0).all()
    assert not np.array_equal(high[0], high[1])
    assert (low[0] < 0).all()
