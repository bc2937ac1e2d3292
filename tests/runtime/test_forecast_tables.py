"""Tables of several series, targets and columns forecast the same bytes in the runtime as in seqloom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqloom
import seqloom_runtime
from seqloom import Forecaster
from seqloom_runtime.data import holidays as holidays_module
from seqloom_runtime.errors import MissingDependencyError

DAYS = np.datetime64("2022-01-03", "s") + np.arange(120) * np.timedelta64(86400, "s")
NOISE = np.random.default_rng(7).normal(size=240)
WAVE = 30 + 5 * np.sin(np.arange(240) * 2 * np.pi / 7) + NOISE
SMALL: dict[str, Any] = {"lookback": 14, "horizon": 5, "epochs": 1, "steps_per_epoch": 2, "units": 4, "season": 7}


def table(rows: int = 120, shift: float = 0.0) -> dict[str, Any]:
    """Two shops of daily sales, with a price known in advance, words, a static column and holes."""
    times = np.concatenate([DAYS[:rows], DAYS[:rows]])
    sales = np.concatenate([WAVE[:rows], 3 * WAVE[120 : 120 + rows]]) + shift
    sales[[40, 41, rows + 60]] = np.nan
    weather = np.array(["sun", "rain", "sun", "snow"] * (rows // 2), dtype=object)
    return {
        "shop": np.repeat(np.array(["north", "south"], dtype=object), rows),
        "day": times,
        "sales": sales,
        "price": np.concatenate([WAVE[rows::-1][:rows], WAVE[:rows]]),
        "weather": weather,
        "size": np.repeat([4.0, 9.0], rows),
    }


def ahead(columns: dict[str, Any], rows: int) -> dict[str, Any]:
    """The table without the last `rows` targets of each shop."""
    sales = columns["sales"].copy()
    half = len(sales) // 2
    sales[half - rows : half] = sales[-rows:] = np.nan
    return {**columns, "sales": sales}


def agree(forecaster: Forecaster, folder: Path, *asked: tuple[Any, dict[str, Any]]) -> list[dict[str, np.ndarray]]:
    forecaster.save(folder)
    running, again, found = seqloom_runtime.load(folder), seqloom.load(folder), []
    for given, how in asked:
        one, *others = (model.predict(*given, **how) for model in (running, forecaster, again))
        for other in others:
            assert list(one) == list(other)
            for name, values in one.items():
                same = values.tolist() == other[name].tolist() or values.tobytes() == other[name].tobytes()
                assert same, (name, how)
        table, theirs = running.forecast(*given, **how), forecaster.forecast(*given, **how)
        assert table.notes == theirs.notes
        found.append(one)
    return found


@pytest.mark.parametrize("parameters", [
    {"model": "gru", "calendar": True, "fill": "none"},
    {"model": "encoder-decoder", "calendar": True, "scaling": "pooled", "loss": "quantiles"},
    {"model": "linear", "missing_flags": False, "normalise": "standard", "distribution": "normal"},
    {"model": "ensemble", "members": ["gru", "ets", "naive"]},
    {"model": "auto-theta"},
], ids=lambda parameters: parameters["model"])  # fmt: skip
def test_series_with_columns(tmp_path: Path, parameters: dict[str, Any]) -> None:
    forecaster = Forecaster(**{**SMALL, "fill_future": "carry", "categories": ["weather"], **parameters})
    known: dict[str, Any] = {"future": ["price"], "inputs": ["price", "weather", "size"]}
    forecaster.fit(ahead(table(), 5), target="sales", time="day", id="shop", **known)
    newer = ahead(table(), 2)
    stranger = {**newer, "shop": np.where(newer["shop"] == "south", "east", newer["shop"])}
    asked: list[tuple[Any, dict[str, Any]]] = [((), {}), ((), {"samples": 4}), ((newer,), {"levels": [60, 90]})]
    if parameters["model"] not in ("auto-theta",):
        asked.append(((stranger,), {}))
    assert len(agree(forecaster, tmp_path, *asked)[0]["sales"]) == 10


def test_a_wide_table(tmp_path: Path) -> None:
    columns = {"day": DAYS, "a": WAVE[:120], "b": np.abs(np.round(WAVE[120:] - 30)), "c": 50 * WAVE[:120][::-1]}
    forecaster = Forecaster(**SMALL, model="gru").fit(columns, target=["a", "b", "c"], time="day")
    (found, *_) = agree(forecaster, tmp_path, ((), {}), ((), {"horizon": 12}), (({**columns, "a": WAVE[120:]},), {}))
    assert {"a", "b", "c", "a_low_80"} <= set(found)


def test_holidays_are_kept_as_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("holidays")
    columns = {"day": DAYS, "y": WAVE[:120]}
    forecaster = Forecaster(**SMALL, model="gru", holidays="DE,FR").fit(columns, target="y", time="day")
    expected, later = forecaster.predict()["y"], {"day": DAYS + np.timedelta64(3 * 366 * 86400, "s"), "y": WAVE[:120]}
    newer, far = forecaster.predict(later)["y"], {**later, "day": DAYS + np.timedelta64(20 * 366 * 86400, "s")}
    forecaster.save(tmp_path)

    def missing() -> None:
        raise MissingDependencyError("pip install holidays")

    monkeypatch.setattr(holidays_module, "_package", missing)
    monkeypatch.setattr(holidays_module, "need", lambda package, what: missing())
    running = seqloom_runtime.load(tmp_path)
    assert running.predict()["y"].tobytes() == expected.tobytes()
    assert running.predict(later)["y"].tobytes() == newer.tobytes()
    with pytest.raises(MissingDependencyError):
        running.predict(far)
