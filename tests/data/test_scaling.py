"""Standardising: exact statistics, per series, what is left out, and the way through a file."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqloom.errors import DataError, FormatError, NotFittedError, SettingError
from seqloom_runtime.data.frequency import Frequency
from seqloom_runtime.data.panel import Panel
from seqloom_runtime.data.scaling import Standardizer

NAN = np.nan


def panel_of(values: np.ndarray, lengths: list[int] | None = None, filled: np.ndarray | None = None) -> Panel:
    values = np.atleast_2d(np.asarray(values, dtype=np.float64).T).T
    lengths = [len(values)] if lengths is None else lengths
    return Panel(
        values=values,
        columns=tuple("yxwv"[: values.shape[1]]),
        time=None,
        tick=np.concatenate([np.arange(n) for n in lengths]),
        frequency=Frequency.steps(),
        ids=tuple("abcdef"[: len(lengths)]),
        offsets=np.cumsum([0, *lengths]),
        filled=np.zeros(values.shape, dtype=bool) if filled is None else filled,
    )


def exact(values: np.ndarray) -> tuple[float, float]:
    """Mean and population standard deviation in rational arithmetic."""
    numbers = [Fraction(float(value)) for value in values]
    mean = sum(numbers, Fraction(0)) / len(numbers)
    variance = sum(((number - mean) ** 2 for number in numbers), Fraction(0)) / len(numbers)
    return float(mean), math.sqrt(variance)


def everything(panel: Panel) -> np.ndarray:
    return np.ones(len(panel), dtype=bool)


@given(st.lists(st.integers(-(10**9), 10**9), min_size=2, max_size=30), st.sampled_from([0.0, 1e9, -1e12]))
def test_statistics_are_exact_to_rounding(numbers: list[int], shift: float) -> None:
    values = np.array(numbers) / 1024 + shift
    panel = panel_of(values)
    scaler = Standardizer().fit(panel, everything(panel))
    mean, std = exact(values)
    assert scaler.mean is not None
    assert scaler.std is not None
    assert scaler.mean[0] == pytest.approx(mean, rel=1e-14, abs=1e-14 * max(abs(values)))
    if std == 0:
        assert scaler.std[0] == 1
    else:
        assert scaler.std[0] == pytest.approx(std, rel=1e-12, abs=4e-16 * np.ptp(values))


def test_stable_far_from_zero() -> None:
    values = 1e15 + np.array([1.0, 2.0, 3.0, 4.0])
    panel = panel_of(values)
    scaler = Standardizer().fit(panel, everything(panel))
    assert scaler.transform(panel.values).ravel() == pytest.approx(np.array([-3, -1, 1, 3]) / math.sqrt(5), abs=1e-12)


@pytest.mark.parametrize("factor", [1e-300, 1e200, 1e307])
def test_very_small_and_very_large_values(factor: float) -> None:
    panel = panel_of(np.array([1.0, -2.0, 4.0]) * factor)
    scaler = Standardizer().fit(panel, everything(panel))
    assert scaler.transform(panel.values).std() == pytest.approx(1.0)


def test_values_too_far_apart() -> None:
    panel = panel_of(np.array([1.7e308, -1.7e308]))
    with pytest.raises(DataError, match="'y' holds values too far apart"):
        Standardizer().fit(panel, everything(panel))


@pytest.mark.parametrize("value", [0.1, -3.3e7, 0.0])
def test_constant_columns_have_std_one(value: float) -> None:
    panel = panel_of(np.full(1001, value))
    scaler = Standardizer().fit(panel, everything(panel))
    assert (scaler.mean, scaler.std) == (np.array([value]), np.array([1.0]))
    assert (scaler.transform(panel.values) == 0).all()


def test_only_measured_training_rows_count() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((50, 3))
    filled = rng.random((50, 3)) < 0.2
    values[rng.random((50, 3)) < 0.2] = NAN
    rows = np.arange(50) < 30
    scaler = Standardizer().fit(panel_of(values, filled=filled), rows)
    assert scaler.mean is not None
    assert scaler.std is not None
    for column in range(3):
        chosen = values[:30, column][~filled[:30, column] & ~np.isnan(values[:30, column])]
        assert (scaler.mean[column], scaler.std[column]) == pytest.approx(exact(chosen), rel=1e-13)
    later = values.copy()
    later[30:] = 1e30
    again = Standardizer().fit(panel_of(later, filled=filled), rows)
    assert {k: v.tobytes() for k, v in again.to_arrays().items()} == {
        k: v.tobytes() for k, v in scaler.to_arrays().items()
    }


def test_transform_keeps_nan_and_inverse_undoes_it() -> None:
    values = np.random.default_rng(1).normal(250, 9, (20, 2))
    values[3, 1] = NAN
    panel = panel_of(values)
    scaler = Standardizer().fit(panel, everything(panel))
    scaled = scaler.transform(values)
    assert scaled.dtype == np.float64
    assert np.isnan(scaled).tolist() == np.isnan(values).tolist()
    assert np.nanmean(scaled, axis=0) == pytest.approx(0, abs=1e-13)
    assert np.nanstd(scaled, axis=0) == pytest.approx(1)
    assert scaler.inverse(scaled) == pytest.approx(values, nan_ok=True, rel=1e-14)


def test_per_series() -> None:
    values = np.array([[1.0, 5], [3, 5], [9, 9], [100, 0], [300, 4], [7, 7]])
    panel = panel_of(values, [3, 3])
    rows = np.array([True, True, False] * 2)
    scaler = Standardizer(per_series=True).fit(panel, rows)
    assert scaler.ids == ("a", "b")
    assert scaler.mean is not None
    assert scaler.std is not None
    assert scaler.mean.tolist() == [[2, 5], [200, 2]]
    assert scaler.std.tolist() == [[1, 1], [100, 2]]
    scaled = scaler.transform(values, panel.series_index)
    assert scaled.tolist() == [[-1, 0], [1, 0], [7, 4], [-1, -1], [1, 1], [-1.93, 2.5]]
    assert scaler.inverse(scaled, panel.series_index) == pytest.approx(values)
    swapped = scaler.transform(values[[0, 3]], np.array([1, 0]))
    assert swapped.tolist() == [[-1.99, 1.5], [98, -5]]


def test_unseen_series() -> None:
    panel = panel_of(np.array([1.0, 2.0, 3.0, 4.0]), [2, 2])
    scaler = Standardizer(per_series=True).fit(panel, np.array([True, True, False, False]))
    with pytest.raises(DataError, match="Series 'b' has no measured value of column 'y' in the training rows"):
        scaler.transform(panel.values, panel.series_index)
    assert scaler.transform(panel.values[:2], np.array([0, 0])).ravel().tolist() == [-1, 1]
    assert np.isnan(scaler.transform(np.full((1, 1), NAN), np.array([1]))).all()
    for number in (2, -1):
        with pytest.raises(DataError, match=f"Row 1 belongs to series number {number}, but .* fitted on 2"):
            scaler.transform(panel.values[:2], np.array([0, number]))
    with pytest.raises(SettingError, match="needs the series of each row"):
        scaler.transform(panel.values)
    with pytest.raises(SettingError, match=r"shape \(4,\), got \(1,\)"):
        scaler.transform(panel.values, np.array([0]))


def test_refusals() -> None:
    panel = panel_of(np.array([[1.0, NAN], [2.0, NAN], [3.0, 1.0]]))
    with pytest.raises(DataError, match="Column 'x' has no measured value in the training rows"):
        Standardizer().fit(panel, np.array([True, True, False]))
    with pytest.raises(SettingError, match=r"mask of shape \(3,\)"):
        Standardizer().fit(panel, np.array([0, 1]))
    with pytest.raises(NotFittedError, match=r"call fit"):
        Standardizer().transform(panel.values)
    scaler = Standardizer().fit(panel, everything(panel))
    with pytest.raises(DataError, match=r"shape \(rows, 2\), as fitted, got \(3, 1\)"):
        scaler.transform(panel.values[:, :1])


@pytest.mark.parametrize("per_series", [False, True])
def test_there_and_back(per_series: bool) -> None:
    panel = panel_of(np.random.default_rng(2).standard_normal((12, 2)), [5, 7])
    scaler = Standardizer(per_series=per_series).fit(panel, everything(panel))
    arrays = scaler.to_arrays()
    assert {(array.dtype.name, array.flags.c_contiguous) for array in arrays.values()} == {("float64", True)}
    again = Standardizer.from_arrays(arrays, ids=scaler.ids, columns=scaler.columns)
    assert again.per_series == per_series
    series = panel.series_index
    assert again.transform(panel.values, series).tobytes() == scaler.transform(panel.values, series).tobytes()
    arrays["mean"][:] = 0
    assert again.mean is not None
    assert (again.mean != 0).all()


def test_a_series_without_statistics_survives_the_file() -> None:
    panel = panel_of(np.array([1.0, 2.0, 3.0, 4.0]), [2, 2])
    scaler = Standardizer(per_series=True).fit(panel, np.array([True, True, False, False]))
    again = Standardizer.from_arrays(scaler.to_arrays(), ids=("a", "b"))
    with pytest.raises(DataError, match="Series 'b' has no measured value of column number 0"):
        again.transform(panel.values, panel.series_index)


@pytest.mark.parametrize(
    ("arrays", "ids", "text"),
    [
        ({"mean": np.zeros(2)}, (), "arrays 'mean' and 'std'"),
        ({"mean": np.zeros(2), "std": np.ones(3)}, (), "of one shape"),
        ({"mean": np.zeros(2, np.float32), "std": np.ones(2, np.float32)}, (), "float64"),
        ({"mean": np.zeros((1, 1, 1)), "std": np.ones((1, 1, 1))}, (), "of one shape"),
        ({"mean": np.zeros(2), "std": np.array([1.0, 0.0])}, (), "positive"),
        ({"mean": np.zeros(2), "std": np.array([1.0, -1.0])}, (), "positive"),
        ({"mean": np.array([0.0, NAN]), "std": np.ones(2)}, (), "finite"),
        ({"mean": np.array([NAN, NAN]), "std": np.array([NAN, NAN])}, (), "finite"),
        ({"mean": np.zeros((2, 1)), "std": np.ones((2, 1))}, ("a",), "don't fit 1 series"),
    ],
)
def test_damaged_arrays(arrays: dict[str, np.ndarray], ids: tuple[str, ...], text: str) -> None:
    with pytest.raises(FormatError, match=text):
        Standardizer.from_arrays(arrays, ids)
