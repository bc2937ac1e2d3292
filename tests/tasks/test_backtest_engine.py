"""A backtest by workers gives the bytes of one in this process."""

from __future__ import annotations

import numpy as np
import pytest

from seqloom.engines import LocalEngine
from seqloom.errors import SettingError
from seqloom.tasks import Forecaster


def _wave() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    time = np.datetime64("2024-01-01T00", "ms") + 3_600_000 * np.arange(90)
    load = np.sin(np.arange(90) / 3) + draw.normal(0, 0.1, 90)
    return {"time": np.tile(time, 2), "shop": np.repeat(["a", "b"], 90), "load": np.concatenate([load, load + 1])}


@pytest.mark.parametrize("model", ["damped-persistence", "linear"])
def test_a_backtest_by_workers_is_the_same(model: str, one_thread: None) -> None:
    import polars

    forecaster = Forecaster(model=model, lookback=6, horizon=2, epochs=2, batch_size=16, levels=(80,))
    how = {"target": "load", "time": "time", "id": "shop", "n_windows": 3}
    one = forecaster.cross_validate(polars.DataFrame(_wave()), **how)
    two = forecaster.cross_validate(polars.DataFrame(_wave()), **how, engine=LocalEngine(2))
    assert one.metrics == two.metrics
    assert list(one.columns) == list(two.columns)
    for name, values in one.columns.items():
        assert values.dtype == two.columns[name].dtype
        assert np.array_equal(values, two.columns[name], equal_nan=values.dtype.kind == "f")


def test_what_a_worker_raises_is_raised_here() -> None:
    values = np.sin(np.arange(60) / 3)
    forecaster = Forecaster(model="gru", transform="log", lookback=6, horizon=2, epochs=1, batch_size=16)
    with pytest.raises(SettingError, match=r"^transform: "):
        forecaster.cross_validate(values, target="column_0", n_windows=2, engine=LocalEngine(2))
    with pytest.raises(SettingError, match=r"^engine: expected one of local, ray"):
        forecaster.cross_validate(values, target="column_0", n_windows=2, engine="dask")
