"""Leakage checks pass for honest pipelines and fail on planted leaks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seqloom.diagnostics.leakage import PERTURBATIONS, LeakageError, check_fit, check_forecast
from seqloom.errors import SettingError
from seqloom_runtime.data.frequency import Frequency
from seqloom_runtime.data.panel import Panel
from seqloom_runtime.data.scaling import Standardizer
from seqloom_runtime.data.windows import Windows, WindowSpec
from seqloom_runtime.gather import gather_windows

TRAIN, ROWS, ORIGIN = 60, 100, 80
VALUES = np.random.default_rng(0).normal(10.0, 3.0, (ROWS, 2))


def panel_of(values: np.ndarray) -> Panel:
    return Panel(
        values=values,
        columns=("y", "x"),
        time=None,
        tick=np.arange(len(values)),
        frequency=Frequency.steps(),
        ids=("",),
        offsets=np.array([0, len(values)]),
        filled=np.zeros(values.shape, dtype=bool),
    )


def forecast(values: np.ndarray, *, fit_rows: int = TRAIN, shift: int = 0) -> np.ndarray:
    """Scale, cut the window at the origin, apply a fixed linear model, scale back."""
    panel = panel_of(values)
    scaler = Standardizer().fit(panel, np.arange(ROWS) < fit_rows)
    scaled = scaler.transform(panel.values).astype(np.float32)
    window = gather_windows(scaled, np.array([ORIGIN]), -5 + shift, 6, 1)[0]
    weights = np.random.default_rng(1).standard_normal((12, 3))
    return window.ravel().astype(np.float64) @ weights


def test_an_honest_forecast_passes() -> None:
    result = check_forecast(forecast, VALUES, ORIGIN)
    assert (result.passed, result.differed, result.max_difference) == (True, (), 0.0)
    assert result.perturbations == PERTURBATIONS
    result.raise_for_leak()


def test_a_scaler_fitted_on_all_rows_is_found() -> None:
    result = check_forecast(
        lambda values: forecast(values, fit_rows=ROWS), VALUES, ORIGIN, perturbations=["noise", "zero"]
    )
    assert not result.passed
    assert result.differed == ("forecast, later rows: noise", "forecast, later rows: zero")
    assert 0 < result.max_difference < 1e6
    with pytest.raises(LeakageError, match="Later rows reach the result: forecast, later rows: noise"):
        result.raise_for_leak()


def test_a_scaler_fitted_one_row_too_far_is_found() -> None:
    assert check_forecast(lambda values: forecast(values, fit_rows=ORIGIN + 1), VALUES, ORIGIN).passed
    leak = check_forecast(lambda values: forecast(values, fit_rows=ORIGIN + 2), VALUES, ORIGIN, perturbations=["noise"])
    assert not leak.passed


def test_an_off_by_one_target_as_input_is_found() -> None:
    result = check_forecast(lambda values: forecast(values, shift=1), VALUES, ORIGIN)
    assert len(result.differed) == len(PERTURBATIONS)
    assert result.max_difference == np.inf  # NaN came through


def test_one_bit_is_enough() -> None:
    """A leak below any tolerance: the forecast moves by one unit in the last place."""

    def predict(values: np.ndarray) -> np.ndarray:
        return np.nextafter(values[ORIGIN, 0], np.inf if np.isnan(values[-1, 0]) else -np.inf)

    result = check_forecast(predict, VALUES, ORIGIN)
    assert result.differed == ("forecast, later rows: missing",)
    assert 0 < result.max_difference < 1e-14


@pytest.mark.parametrize(
    ("peek", "caught"),
    [
        (lambda later: np.isnan(later).any() * 1.0, {"missing"}),
        (lambda later: np.sort(later[:, 0]), {"noise", "huge", "missing", "zero"}),
        (lambda later: later[0, 0] > later[-1, 0], {"missing", "zero", "reversed"}),
        (lambda later: np.abs(later).max() > 1e20, {"huge"}),
    ],
)
def test_each_perturbation_finds_its_leak(peek: Any, caught: set[str]) -> None:
    values = np.sort(VALUES, axis=0)[::-1]  # falling, so that the order of the later rows shows
    result = check_forecast(lambda x: peek(x[ORIGIN + 1 :]), values, ORIGIN)
    assert caught <= {text.split(": ")[1] for text in result.differed}


def test_known_columns_and_masks() -> None:
    def reads_future_x(values: np.ndarray) -> np.ndarray:
        return values[ORIGIN + 1 : ORIGIN + 4, 1]

    assert not check_forecast(reads_future_x, VALUES, ORIGIN).passed
    assert check_forecast(reads_future_x, VALUES, ORIGIN, known=[1]).passed
    later = np.zeros(ROWS, dtype=bool)  # two series of 50 rows, each with an origin
    later[40:50] = later[90:] = True
    assert check_forecast(lambda values: values[[39, 89]], VALUES, later).passed
    assert not check_forecast(lambda values: values[[39, 90]], VALUES, later).passed


def test_mappings_shapes_and_types_are_compared() -> None:
    assert check_forecast(lambda x: {"low": x[0], "high": x[1]}, VALUES, ORIGIN).passed
    result = check_forecast(lambda x: {"low": x[0], "high": x[-1]}, VALUES, ORIGIN, perturbations=["zero"])
    assert result.differed == ("high, later rows: zero",)
    for grows in (
        lambda x: np.zeros(3 if np.isnan(x).any() else 2),
        lambda x: np.zeros(2, np.float32 if np.isnan(x).any() else np.float64),
        lambda x: {"a": 1.0} if np.isnan(x).any() else {"a": 1.0, "b": 2.0},
    ):
        result = check_forecast(grows, VALUES, ORIGIN)
        assert {text.split(": ")[1] for text in result.differed} == {"missing"}


def test_values_are_not_changed() -> None:
    def careless(values: np.ndarray) -> np.ndarray:
        values[:] = 0
        return values[0]

    before = VALUES.tobytes()
    assert check_forecast(careless, VALUES, ORIGIN).passed
    assert VALUES.tobytes() == before


def test_integers_are_turned_into_floats() -> None:
    assert check_forecast(lambda x: x[3] * 2, np.arange(10), 3).passed
    assert not check_forecast(lambda x: x[4] * 2, np.arange(10), 3).passed


def test_checks_that_prove_nothing_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(SettingError, match="Two runs on the same values gave different bits for forecast"):
        check_forecast(lambda x: rng.standard_normal(2), VALUES, ORIGIN)
    with pytest.raises(SettingError, match="no later value to change"):
        check_forecast(forecast, VALUES, ROWS - 1)
    with pytest.raises(SettingError, match="no later value to change"):
        check_forecast(lambda x: x[0], VALUES, ORIGIN, known=[0, 1])
    with pytest.raises(SettingError, match="expected some of noise"):
        check_forecast(forecast, VALUES, ORIGIN, perturbations=["nan"])
    with pytest.raises(SettingError, match=r"mask of shape \(100,\)"):
        check_forecast(forecast, VALUES, np.zeros(5, bool))
    one = check_forecast(lambda x: x[ROWS - 2], VALUES, ROWS - 2)
    assert one.perturbations == ("noise", "huge", "missing", "zero")  # one row reversed is the same row


def fitted(values: np.ndarray, rows: int) -> dict[str, np.ndarray]:
    return Standardizer().fit(panel_of(values), np.arange(len(values)) < rows).to_arrays()


def test_check_fit_passes_and_fails() -> None:
    assert check_fit(lambda values: fitted(values, TRAIN), VALUES, TRAIN).passed
    result = check_fit(lambda values: fitted(values, ROWS), VALUES, TRAIN)
    assert {"mean, later rows: noise", "std, later rows: huge"} <= set(result.differed)
    with pytest.raises(LeakageError):
        result.raise_for_leak()
    assert not check_fit(lambda values: fitted(values, TRAIN + 1), VALUES, TRAIN).passed


def test_check_fit_finds_backward_filling_and_window_choice() -> None:
    values = VALUES.copy()
    values[TRAIN - 1, 0] = np.nan

    def fill_value(x: np.ndarray) -> dict[str, float]:
        known = np.flatnonzero(np.isfinite(x[:, 0]))
        return {"fill": x[known[known >= TRAIN - 1][0], 0] if (known >= TRAIN - 1).any() else 0.0}

    assert not check_fit(fill_value, values, TRAIN).passed

    def windows(x: np.ndarray) -> dict[str, np.ndarray]:
        # One target step, so that a window whose target is missing goes (of several steps, the others would stay).
        spec = WindowSpec(4, 2, at="last")
        found = Windows(panel_of(x), spec, target="y", inputs=["y", "x"]).origins
        return {"train": found[found + 2 < TRAIN], "too far": found[found + 1 < TRAIN]}

    assert set(check_fit(windows, VALUES, TRAIN).differed) == {"too far, later rows: missing"}


def test_check_fit_on_texts() -> None:
    texts = ["the cat sat", "on the mat", "a dog ate", "my homework"]

    def vocabulary(part: slice) -> Any:
        def fit(texts: list[str]) -> dict[str, np.ndarray]:
            assert isinstance(texts, list)
            return {"words": np.array(sorted({word for text in texts[part] for word in text.split()}))}

        return fit

    assert check_fit(vocabulary(slice(3)), texts, 3).perturbations == ("noise", "missing")
    assert check_fit(vocabulary(slice(3)), texts, 3).passed
    leak = check_fit(vocabulary(slice(None)), texts, 3)
    assert leak.differed == ("words, later rows: noise", "words, later rows: missing")
    assert leak.max_difference == np.inf
    assert check_fit(lambda t: {"first": np.array(t[2])}, texts, 2).differed[-1] == "first, later rows: reversed"
