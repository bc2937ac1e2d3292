"""A forecaster's folder forecasts the same bytes in the runtime, in seqloom and before it was saved."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqloom
import seqloom_runtime
from seqloom import Forecaster
from seqloom.tasks.forecast.running import TorchNetwork
from seqloom.tasks.networks import names_for
from seqloom_runtime.errors import DataError, FormatError, SettingError
from seqloom_runtime.forecast import network as network_module
from seqloom_runtime.forecast.predictor import ForecastPredictor
from seqloom_runtime.forward import BODIES
from seqloom_runtime.forward import MODELS as FORWARD
from seqloom_runtime.model_folder import read_model, write_model

ROWS = np.arange(150)
WAVE = np.sin(ROWS / 4) + 0.1 * np.random.default_rng(1).normal(size=len(ROWS)) + 12
SMALL: dict[str, Any] = {"lookback": 16, "horizon": 4, "epochs": 1, "steps_per_epoch": 2, "units": 4}
RULES = ("naive", "seasonal", "drift", "mean", "damped-persistence", "croston", "tsb")
OPTIONS: dict[str, dict[str, Any]] = {
    "quantiles": {"model": "gru", "loss": "quantiles"},
    "normal": {"model": "gru", "distribution": "normal", "normalise": "standard"},
    "student-t": {"model": "linear", "distribution": "student-t"},
    "negative-binomial": {"model": "dense", "distribution": "negative-binomial"},
    "tweedie": {"model": "linear", "distribution": "tweedie"},
    "unequal": {"model": "lstm", "units": (5, 3), "activation": ("tanh", "relu")},
    "patches": {"model": "rnn", "patch": 3, "bidirectional": True},
    "reverse": {"model": "gru", "reverse": True, "linear_skip": False},
    "attention": {"model": "encoder-decoder", "attention": True, "cell": "lstm"},
    "seasonal-level": {"model": "linear", "normalise": "seasonal", "season": 8},
    "seasonal-anchor": {"model": "gru", "anchor": "seasonal", "season": 8},
    "no-anchor": {"model": "gru", "anchor": "none", "normalise": "last"},
    "log": {"model": "gru", "transform": "log"},
    "box-cox": {"model": "dense", "transform": "box-cox", "at": "last"},
    "every": {"model": "gru", "every": 2},
}


def saved(tmp_path: Path, values: Any = WAVE, target: Any = "column_0", **parameters: Any) -> tuple[Forecaster, Any]:
    """A fitted forecaster and what the runtime makes of its folder."""
    forecaster = Forecaster(**{**SMALL, **parameters}).fit(values, target=target)
    forecaster.save(tmp_path / "model")
    return forecaster, seqloom_runtime.load(tmp_path / "model")


def same(one: dict[str, np.ndarray], *others: dict[str, np.ndarray]) -> None:
    for other in others:
        assert list(one) == list(other)
        for name, values in one.items():
            assert values.dtype == other[name].dtype
            assert values.tolist() == other[name].tolist() or values.tobytes() == other[name].tobytes(), name


def agree(forecaster: Forecaster, running: Any, folder: Path, *given: Any, **asked: Any) -> dict[str, np.ndarray]:
    found = running.predict(*given, **asked)
    same(found, forecaster.predict(*given, **asked), seqloom.load(folder / "model").predict(*given, **asked))
    return found


@pytest.mark.parametrize("model", [*names_for("forecast"), *RULES])
def test_every_model_forecasts_the_same_bytes(tmp_path: Path, model: str) -> None:
    if model in FORWARD["forecast"] and FORWARD["forecast"][model].body not in BODIES:
        pytest.skip(f"no forward pass of {model} yet")
    extra = {"season": 8} if model == "seasonal" else {}
    forecaster, running = saved(tmp_path, model=model, kernel_size=2, pool_size=2, channels=(3, 3), **extra)
    agree(forecaster, running, tmp_path)
    agree(forecaster, running, tmp_path, np.concatenate([WAVE, WAVE[-9:] + 1]))
    if hasattr(forecaster, "learned_"):
        assert type(forecaster.network_) is network_module.ForecastNetwork
        x = np.random.default_rng(2).normal(size=(5, 16, 1)).astype(np.float32)
        ours, torchs = running.network_(x), TorchNetwork(forecaster.learned_.network)(x)
        np.testing.assert_allclose(ours, torchs, rtol=2e-5, atol=2e-6)
        # A window's numbers hang on no other one.
        assert ours[2:3].tobytes() == running.network_(x[2:3]).tobytes()


@pytest.mark.parametrize("options", OPTIONS)
def test_options_forecast_the_same_bytes(tmp_path: Path, options: str) -> None:
    forecaster, running = saved(tmp_path, values=np.round(WAVE), **OPTIONS[options])
    agree(forecaster, running, tmp_path)
    agree(forecaster, running, tmp_path, np.round(np.concatenate([WAVE, WAVE[-9:]])), levels=[50, 80])
    if OPTIONS[options].get("at") != "last":
        agree(forecaster, running, tmp_path, horizon=12)
    agree(forecaster, running, tmp_path, samples=3, seed=5)


def test_without_the_compiled_module_it_forecasts_the_same_to_rounding(tmp_path: Path) -> None:
    _, running = saved(tmp_path, model="gru", loss="quantiles")
    script = "import sys, seqloom_runtime; print(seqloom_runtime.load(sys.argv[1]).predict()['column_0'].tolist())"
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model")],
        env={"SEQLOOM_NATIVE": "0", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    np.testing.assert_allclose(eval_list(told), running.predict()["column_0"], rtol=1e-5)


def eval_list(text: str) -> list[float]:
    return [float(each) for each in text.strip()[1:-1].split(",")]


def test_plain_input_imports_nothing_but_numpy(tmp_path: Path) -> None:
    times = np.datetime64("2024-01-01T00", "s") + ROWS * np.timedelta64(3600, "s")
    frame = {"time": times, "y": WAVE}
    forecaster = Forecaster(**SMALL, model="gru").fit(frame, target="y", time="time")
    forecaster.save(tmp_path / "model")
    script = """
import sys, numpy as np, seqloom_runtime
running = seqloom_runtime.load(sys.argv[1])
running.predict()
rows = np.arange(60)
times = np.datetime64("2024-01-09T00", "s") + rows * np.timedelta64(3600, "s")
found = running.predict({"time": times, "y": rows * 1.0})
heavy = ("torch", "seqloom", "scipy", "statsmodels", "polars", "narwhals")
print(found["time"][0], [name for name in heavy if name in sys.modules])
"""
    command = [sys.executable, "-c", script, str(tmp_path / "model")]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told.strip() == "2024-01-11T12:00:00.000000 []"


def test_a_mapping_of_columns_is_a_table(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    times = np.datetime64("2024-01-01T00", "s") + ROWS * np.timedelta64(3600, "s")
    columns = {"shop": ["a"] * 75 + ["b"] * 75, "when": times[np.r_[0:75, 0:75]], "y": WAVE, "price": WAVE * 2}
    fit = {"target": "y", "time": "when", "id": "shop", "future": ["price"]}
    frame = Forecaster(**SMALL, model="gru", fill_future="carry").fit(pandas.DataFrame(columns), **fit)
    plain = Forecaster(**SMALL, model="gru", fill_future="carry").fit(columns, **fit)
    plain.save(tmp_path / "model")
    running = seqloom_runtime.load(tmp_path / "model")
    found = agree(plain, running, tmp_path)
    assert found["shop"].tolist() == ["a"] * 4 + ["b"] * 4
    same(found, {name: values.to_numpy() for name, values in frame.predict().items()})
    agree(plain, running, tmp_path, {**columns, "y": columns["y"] + 1})


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    _, running = saved(tmp_path, model="gru")
    with pytest.raises(DataError, match="reads 16 rows"):
        running.predict(WAVE[-3:])
    with pytest.raises(SettingError, match="horizon: expected a positive"):
        running.predict(horizon=0)
    header, arrays = read_model(tmp_path / "model")
    body = {key: value for key, value in header.items() if key not in ("format", "schema", "task", "files", "checksum")}
    name = next(name for name in arrays if name.startswith("network."))
    spoiled = [
        ({**body, "network": {**body["network"], "units": 5}}, arrays),
        ({**body, "network": {**body["network"], "name": "newest"}}, arrays),
        ({**body, "network": {**body["network"], "input_steps": 17}}, arrays),
        ({**body, "anchor": "seasonal"}, arrays),
        ({**body, "windows": {**body["windows"], "horizon": 10**9}}, arrays),
        ({**body, "parameters": {**body["parameters"], "seed": "x"}}, arrays),
        (body, {**arrays, name: arrays[name] * np.float32("nan")}),
        (body, {key: array for key, array in arrays.items() if key != name}),
        (body, {**arrays, "network.more": arrays[name]}),
    ]
    for number, (header, held) in enumerate(spoiled):
        write_model(tmp_path / str(number), "forecast", header, held)
        with pytest.raises(FormatError):
            seqloom_runtime.load(tmp_path / str(number))


def test_a_planted_mistake_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, running = saved(tmp_path, model="gru", linear_skip=True)
    before = running.predict()["column_0"]
    monkeypatch.setattr(network_module.LinearSkip, "__call__", lambda self, window, future: np.float32(0.25))
    assert not np.array_equal(before, running.predict()["column_0"])


@pytest.mark.parametrize("parameters", [
    {"model": "gru", "anchor": "last", "normalise": "none"},
    {"model": "lstm", "anchor": "none", "distribution": "tweedie", "layers": 2},
    {"model": "tcn", "anchor": "none", "loss": "quantiles", "transform": "log"},
], ids=lambda parameters: parameters["model"])  # fmt: skip
def test_a_stream_forecasts_as_a_window_that_begins_with_it(tmp_path: Path, parameters: dict[str, Any]) -> None:
    _, running = saved(tmp_path, linear_skip=False, **parameters)
    stream = running.stream()
    found = [stream.step(row) for row in WAVE[:16, None]]
    np.testing.assert_allclose(found[-1], running.predict(WAVE[:16])["column_0"], rtol=1e-5)
    kept = stream.state()
    ahead = stream.step(WAVE[16:17])
    stream.restore(kept)
    assert stream.step(WAVE[16:17]).tobytes() == ahead.tobytes()
    stream.reset()
    assert stream.step(WAVE[:1]).tobytes() == found[0].tobytes()
    two = running.stream(batch_size=2)
    np.testing.assert_allclose(two.step(np.array([[WAVE[0]], [WAVE[0]]]))[1], found[0], rtol=1e-5)
    with pytest.raises(SettingError, match="rows: expected the shape"):
        stream.step(WAVE[:2])
    with pytest.raises(DataError, match="finite"):
        stream.step(np.array([np.nan]))


def test_a_stream_says_why_there_is_none(tmp_path: Path) -> None:
    for number, (parameters, why) in enumerate(
        [({"model": "naive"}, "whole tables"), ({"model": "gru"}, "normalise"), ({"model": "linear"}, "normalise")]
    ):
        (tmp_path / str(number)).mkdir()
        with pytest.raises(SettingError, match=why):
            saved(tmp_path / str(number), **parameters)[1].stream()


@pytest.mark.parametrize("model", ["gru", "damped-persistence"])
def test_threads_share_one_model(tmp_path: Path, model: str) -> None:
    _, running = saved(tmp_path, model=model)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: running.predict()["column_0"].tobytes(), range(24)))
    assert set(found) == {running.predict()["column_0"].tobytes()}


def test_changed_weights_are_seen(tmp_path: Path) -> None:
    forecaster, _ = saved(tmp_path, model="gru")
    before = forecaster.predict()["column_0"]
    dict(forecaster.learned_.network.named_parameters())["output.bias"].data.add_(1.0)
    assert (forecaster.predict()["column_0"] > before).all()


def test_the_predictor_holds_no_more_than_it_says() -> None:
    assert {"predict", "forecast", "read", "stream"} <= set(dir(ForecastPredictor))
