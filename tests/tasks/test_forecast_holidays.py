"""Holidays: inputs known in advance, saved with the model; trading days whose gaps are holidays are no gaps."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

import seqloom
from seqloom.data import Panel
from seqloom.errors import SettingError
from seqloom.tasks import Forecaster
from seqloom_runtime.data.frequency import Frequency

holidays = pytest.importorskip("holidays", reason="the holidays package is not installed")
START = dt.date(2021, 1, 4)


def days(count):
    return [START + dt.timedelta(i) for i in range(count)]


def test_inputs_are_known_ahead_and_saved(tmp_path):
    closed = holidays.country_holidays("DE", subdiv="BY", years=range(2020, 2024))
    dates = days(712)  # the forecast starts on 17 December 2022
    frame = pl.DataFrame({"day": dates, "y": [float(d.weekday()) - 6.0 * (d in closed) for d in dates]})
    model = Forecaster(model="linear", lookback=7, horizon=14, holidays="de-by", anchor="none", epochs=60)
    model.set_params(learning_rate=0.02)
    model.fit(frame, target="y", time="day")
    ahead = model.predict()
    value = dict(zip(ahead["day"].to_list(), ahead["y"].to_list()))
    for day in (dt.date(2022, 12, 25), dt.date(2022, 12, 26)):
        assert value[day] < value[day - dt.timedelta(7)] - 4  # the same weekday a week before was no holiday
    assert any("DE-BY" in note for note in model.notes_)
    model.save(tmp_path / "model")
    again = seqloom.load(tmp_path / "model")
    assert again.predict().equals(ahead)
    assert again.predict(frame).equals(ahead)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("DEE", "did you mean"),
        ("DE-XX", "known parts are BB"),
        ("", "expected a country"),
        ("own.csv", "got 'own.csv'; put dates"),
    ],
)
def test_unknown_calendars_are_refused_with_advice(name, part):
    from seqloom_runtime.data.holidays import check_holidays

    with pytest.raises(SettingError, match=part):
        check_holidays(name)


def test_trading_days_without_holidays_have_no_missing_rows():
    closed = holidays.financial_holidays("NYSE", years=range(2020, 2025))
    dates = [d for d in days(1000) if d.weekday() < 5 and d not in closed]
    frame = pl.DataFrame({"day": dates, "close": np.arange(len(dates)) + 0.5})
    plain, trading = Panel.from_frame(frame, time="day"), Panel.from_frame(frame, time="day", holidays="NYSE")
    assert len(plain) > len(dates) == len(trading)
    assert (np.diff(trading.tick) == 1).all()
    assert not trading.filled.any()
    later = trading.frequency.times(np.arange(trading.tick[-1] + 1, trading.tick[-1] + 400)).astype("M8[D]").tolist()
    known = holidays.financial_holidays("NYSE", years=range(2020, 2030))
    assert not [day for day in later if day in known or day.weekday() > 4]
    assert Frequency.from_json(trading.frequency.to_json()) == trading.frequency
    hole = frame.filter(pl.col("day") != dates[300])
    assert len(Panel.from_frame(hole, time="day", holidays="NYSE")) == len(dates)  # a true gap is repaired as ever
