"""Conformal radii against a count by hand, their coverage on exchangeable data, and what is refused."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.diagnostics import conformal
from seqloom.errors import DataError, SettingError
from seqloom_runtime.statistical import levels as levels_module

LEVELS = st.lists(st.integers(1, 99), min_size=1, max_size=5, unique=True).map(lambda p: [x / 100 for x in p])


def slow_radius(errors: list[float], percent: int) -> float:
    """The smallest error r such that at least percent/100 of n + 1 lie at or below it when the new one does not."""
    n = len(errors)
    for radius in sorted(abs(e) for e in errors):
        if 100 * sum(abs(e) <= radius for e in errors) >= percent * (n + 1):
            return radius
    return math.inf


@given(st.integers(1, 60), LEVELS, st.integers(0, 2**32 - 1))
def test_radii_equal_a_count(count: int, levels: list[float], seed: int) -> None:
    residuals = np.random.default_rng(seed).normal(size=(count, 3))
    radii = conformal.calibrate_available(residuals, levels)
    dropped = levels_module.dropped_levels(count, levels)
    assert radii.shape == (len(levels), 3)
    for level, row in zip(levels, radii):
        expected = [slow_radius(residuals[:, k].tolist(), round(100 * level)) for k in range(3)]
        if level in dropped:
            assert np.isnan(row).all()
            assert expected == [math.inf] * 3
            assert (
                f"at least {levels_module.smallest_count(level)} calibration windows, there are {count}"
                in dropped[level]
            )
        else:
            assert row.tolist() == expected
    one = conformal.calibrate_available(residuals[:, 1], levels)
    np.testing.assert_array_equal(one, radii[:, 1])


@given(st.integers(99, 140), LEVELS, st.integers(0, 2**32 - 1))
def test_intervals_are_nested(count: int, levels: list[float], seed: int) -> None:
    radii = conformal.calibrate(np.random.default_rng(seed).standard_t(2, (count, 4)), sorted(levels))
    assert (np.diff(radii, axis=0) >= 0).all()


def test_smallest_count_is_where_the_rank_fits() -> None:
    for percent in range(1, 100):
        level = Fraction(percent, 100)
        needed = next(n for n in range(1, 200) if math.ceil((n + 1) * level) <= n)
        assert levels_module.smallest_count(percent / 100) == needed
    assert levels_module.smallest_count(0.995) == 199


def test_ranks_are_exact_where_floats_round() -> None:
    # 0.55 * 20 is 11.000000000000002 in floats: the 11th error, not the 12th.
    errors = np.arange(1.0, 20.0)[:, None]
    assert conformal.calibrate(errors, [0.55]).item() == 11.0
    assert conformal.calibrate(errors, [0.95]).item() == 19.0


def test_marginal_coverage_on_exchangeable_errors() -> None:
    # Over calibration sets of n errors, the mean coverage is exactly ceil((n + 1) p) / (n + 1) for continuous errors.
    rng = np.random.default_rng(11)
    count, sets, levels = 24, 4000, [0.5, 0.8, 0.9]
    errors = rng.standard_cauchy((count, sets))
    radii = conformal.calibrate(errors, levels)
    new = np.abs(rng.standard_cauchy(sets))
    for level, row in zip(levels, radii):
        expected = math.ceil((count + 1) * Fraction(str(level))) / (count + 1)
        measured = float(np.mean(new <= row))
        assert measured == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / sets))
        assert level <= expected <= level + 1 / (count + 1)


def test_sign_and_order_of_residuals_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=(40, 2))
    radii = conformal.calibrate(residuals, [0.8, 0.95])
    np.testing.assert_array_equal(conformal.calibrate(-residuals, [0.8, 0.95]), radii)
    np.testing.assert_array_equal(conformal.calibrate(rng.permutation(np.abs(residuals)), [0.8, 0.95]), radii)
    np.testing.assert_array_equal(conformal.calibrate(residuals, [0.95, 0.8]), radii[::-1])


def test_apply_and_measure_equal_loops() -> None:
    rng = np.random.default_rng(4)
    actual, forecast = rng.normal(size=(30, 3)), rng.normal(size=(30, 3))
    radii = rng.uniform(0.2, 2, (2, 3))
    low, high = conformal.apply(forecast, radii)
    assert low.shape == high.shape == (2, 30, 3)
    table = conformal.measure(actual, forecast, radii, [0.8, 0.995])
    assert list(table["coverage"]) == ["80", "99.5"]
    for index, name in enumerate(table["coverage"]):
        inside = [[abs(actual[i, k] - forecast[i, k]) <= radii[index, k] for k in range(3)] for i in range(30)]
        assert table["coverage"][name] == pytest.approx(np.mean(inside))
        assert table["by_step"][name] == pytest.approx(np.mean(inside, axis=0).tolist())
        assert table["width"][name] == pytest.approx(2 * radii[index].mean())
        for i, k in np.ndindex(30, 3):
            assert low[index, i, k] == forecast[i, k] - radii[index, k]
            assert high[index, i, k] == forecast[i, k] + radii[index, k]


def test_too_few_windows_are_refused_and_the_open_levels_named() -> None:
    errors = np.ones((18, 2))
    with pytest.raises(DataError, match="Level 95 % needs at least 19 calibration windows, there are 18; use more"):
        conformal.calibrate(errors, [0.8, 0.95])
    assert list(levels_module.dropped_levels(18, [0.8, 0.95, 0.99])) == [0.95, 0.99]
    assert levels_module.dropped_levels(19, [0.8, 0.95]) == {}
    assert conformal.calibrate_available(np.empty((0, 2)), [0.8]).shape == (1, 2)


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([80], r"level: expected a fraction between 0 and 1, got 80. Write 0.8 for 80 %"),
        ([0.0], "got 0.0"),
        ([1.0], "got 1.0"),
        (["0.8"], "got '0.8'"),
        ([0.8, 0.8], "each level once"),
        ([math.nan], "got nan"),
    ],
)
def test_bad_levels_are_refused(levels: list[float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        conformal.calibrate(np.ones((30, 2)), levels)


def test_bad_arrays_are_refused() -> None:
    errors = np.ones((30, 2))
    errors[4, 1] = np.nan
    with pytest.raises(DataError, match=r"residuals: 1 values are NaN or infinite, the first at index \(4, 1\)"):
        conformal.calibrate(errors, [0.8])
    with pytest.raises(DataError, match=r"residuals: expected shape \(N windows, K steps\)"):
        conformal.calibrate(np.ones((3, 2, 2)), [0.8])
    with pytest.raises(DataError, match=r"expected \(N, K\) and \(L, K\), got \(3, 2\) and \(1, 4\)"):
        conformal.apply(np.ones((3, 2)), np.ones((1, 4)))
    with pytest.raises(DataError, match=r"levels: expected one per row of radii \(1\), got 2"):
        conformal.measure(np.ones((3, 2)), np.ones((3, 2)), np.ones((1, 2)), [0.5, 0.8])
    with pytest.raises(DataError, match="actual: expected the shape of forecast"):
        conformal.measure(np.ones((2, 2)), np.ones((3, 2)), np.ones((1, 2)), [0.5])
