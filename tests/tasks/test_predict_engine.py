"""Forecasts of many series by workers are those of one process, bit for bit, with the same sentences."""

from __future__ import annotations

import os
import signal
from typing import Any

import numpy as np
import pytest

from seqloom import Forecaster
from seqloom.data import Panel
from seqloom.engines import LocalEngine
from seqloom.errors import DataError, TrainingError

SHOPS = 40


def shops(rows: int, first: int = 0) -> Panel:
    """Series of unlike lengths; one is too short to be forecast, one has no value at its end."""
    draw = np.random.default_rng(7)
    names, ticks, values = [], [], []
    for shop in range(SHOPS):
        level = draw.normal(20, 4)
        own = 2 if shop == 11 else rows - shop % 5
        step = np.arange(first, first + own)
        load = level + 3 * np.sin(step / 2) + draw.normal(0, 0.3, own)
        if shop == 23:
            load[-2:] = np.nan
        names += [f"shop {shop:02d}"] * own
        ticks.append(step)
        values.append(load)
    columns = {"id": np.array(names), "time": np.concatenate(ticks), "load": np.concatenate(values)}
    import polars

    return Panel.from_frame(polars.DataFrame(columns), time="time", id="id", columns=["load"])


@pytest.fixture(scope="module")
def panel() -> Panel:
    return shops(60)


def fitted(panel: Panel, model: str, **more: Any) -> Forecaster:
    shape: dict[str, Any] = {"lookback": 8, "horizon": 3, "epochs": 1, "steps_per_epoch": 3, "units": 4}
    forecaster = Forecaster(model=model, **shape, batch_size=16, levels=(80,), **more)
    return forecaster.fit(panel, target="load")


def same(one: Any, two: Any) -> None:
    assert one.ids.tolist() == two.ids.tolist()
    assert one.times.tolist() == two.times.tolist()
    assert one.values.tobytes() == two.values.tobytes()
    assert list(one.bounds) == list(two.bounds)
    for level, sides in one.bounds.items():
        for here, there in zip(sides, two.bounds[level]):
            assert here.tobytes() == there.tobytes()
    assert one.notes == two.notes


@pytest.mark.parametrize(
    ("model", "more"),
    [
        pytest.param("gru", {}, marks=pytest.mark.deep),
        ("gru", {"distribution": "normal"}),
        pytest.param("theta", {}, marks=pytest.mark.deep),
        ("ensemble", {"members": ["naive", "theta", "linear"]}),
    ],
)
def test_workers_forecast_what_one_process_does(
    panel: Panel, model: str, more: dict[str, Any], one_thread: None
) -> None:
    forecaster = fitted(panel, model, **more)
    told: list[int] = []
    later = () if model == "theta" else (shops(30, 40),)  # which goes on from the very rows of its fit alone
    for data in (None, *later):
        alone = forecaster.forecast(data)
        by = forecaster.forecast(data, engine=LocalEngine(2), on_event=lambda event: told.append(event.done))
        same(alone, by)
        assert len(alone.values) == 3 * SHOPS
    assert told[-1] == SHOPS
    assert told == sorted(told[: len(told) // (1 + len(later))]) * (1 + len(later))


def test_a_frame_comes_back_as_it_went(panel: Panel) -> None:
    forecaster = fitted(panel, "naive")
    frame = forecaster.predict(engine=LocalEngine(2))
    assert frame.equals(forecaster.predict()) if hasattr(frame, "equals") else frame is not None


def test_what_none_of_them_can_forecast_is_the_same_sentence(panel: Panel) -> None:
    forecaster = fitted(panel, "gru")
    short = shops(5)
    with pytest.raises(DataError) as alone:
        forecaster.forecast(short)
    with pytest.raises(DataError) as by:
        forecaster.forecast(short, engine=LocalEngine(2))
    assert str(by.value) == str(alone.value)


def test_workers_that_die_end_it_in_one_sentence(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    from seqloom_runtime.forecast.predicting import SeriesAhead

    forecaster = fitted(panel, "naive")
    monkeypatch.setattr(SeriesAhead, "stretch", lambda self, first, last: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(TrainingError, match="3 worker processes were ended in turn"):
        forecaster.forecast(engine=LocalEngine(2))
