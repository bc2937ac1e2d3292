"""D. Time series."""

# Torch types a module's parts as tensors or modules, and statsmodels has no types: examples stay free of casts.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false, reportAttributeAccessIssue=false, reportIndexIssue=false
from __future__ import annotations

import numpy as np
import torch
from statsmodels.datasets import co2, sunspots

import seqloom
from handbook.draw import bars, chain, lines, matrix, stacked
from handbook.measured import figure, table
from seqloom import nn
from seqloom.data import Panel, Standardizer, Windows, WindowSpec
from seqloom.diagnostics import mae
from seqloom.studies.lstm_vs_conv import waves
from seqloom.studies.sine import sine_data


def d1() -> str:
    """Window generator

    A window has an origin, the last known row; it reads back by the lookback and forecasts up to the horizon, each
    N-th row. Windows are an index over the table: a batch is one gather, never all windows at once.
    """
    panel = Panel.from_numpy(np.arange(12.0))
    spec = WindowSpec(lookback=6, horizon=4, every=2)
    windows = Windows(panel, spec, target="column_0", inputs=["column_0"])
    assert windows.origins.tolist() == [4, 5, 6, 7]
    shown = np.zeros((4, 12))
    for n, origin in enumerate(windows.origins):
        shown[n, origin + spec.input_offsets] = 1
        shown[n, origin + spec.steps] = -1
    assert (np.flatnonzero(shown[0] > 0).tolist(), np.flatnonzero(shown[0] < 0).tolist()) == ([0, 2, 4], [6, 8])
    rows = [f"origin {origin}" for origin in windows.origins]
    return matrix(shown, rows=rows, columns=[str(n) for n in range(12)], numbers=False, cell=30)


def d2() -> str:
    """Standardising with the training rows alone

    Mean and standard deviation of the training rows, and of no other: altering later rows changes nothing before
    them.
    """
    values = np.concatenate([np.random.default_rng(0).normal(5, 2, 80), np.full(20, 500.0)])
    train = np.arange(100) < 80
    scaler = Standardizer().fit(Panel.from_numpy(values), train)
    altered = np.where(train, values, -1e6)
    again = Standardizer().fit(Panel.from_numpy(altered), train)
    assert (scaler.mean == again.mean).all()
    assert (scaler.std == again.std).all()
    leaking = (values - values.mean()) / values.std()
    honest = scaler.transform(values[:, None]).ravel()
    assert abs(honest[:80].mean()) < 1e-9 < abs(leaking[:80].mean())
    return lines({"training statistics": honest[:80], "statistics of all rows": leaking[:80]}, up="training rows")


def d3() -> str:
    """Naive baselines

    Last value, the value a season before, the line through first and last, the mean: what every model is held
    against.
    """
    months = 100 + 0.3 * np.arange(132) + 20 * np.sin(2 * np.pi * np.arange(132) / 12)
    shown = {"actual": months[96:]}
    for name in ("naive", "seasonal", "drift", "mean"):
        model = seqloom.Forecaster(model=name, lookback=24, horizon=12, season=12).fit(months[:120])
        shown[name] = np.concatenate([np.full(24, np.nan), model.predict()["column_0"]])
    np.testing.assert_allclose(shown["naive"][24:], months[119])
    np.testing.assert_allclose(shown["seasonal"][24:], months[108:120])
    return lines(shown)


def d4() -> str:
    """Linear and dense networks

    The window laid flat: one matrix, or one with a hidden layer. A linear model is hard to beat on many tables.
    """
    lookback, columns, steps = 120, 14, 1
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(lookback * columns, steps))
    dense = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(lookback * columns, 32), torch.nn.ReLU(), torch.nn.Linear(32, steps)
    )
    counts = {name: sum(p.numel() for p in net.parameters()) for name, net in (("linear", linear), ("dense", dense))}
    assert counts == {"linear": 1_681, "dense": 53_825}
    boxes = ["window (120, 14)", "flat 1,680", "Dense 32", "ReLU", "Dense 1"]
    return stacked(chain(boxes), bars(counts, unit=" parameters"))


def d5() -> str:
    """Networks that forecast

    Recurrent ones with dropout, stacked or in both directions, convolutions, both together, a TCN: each a name of
    `--model`.
    """
    t = np.arange(300)
    wave = np.sin(2 * np.pi * t / 24) + 0.3 * np.sin(2 * np.pi * t / 7)
    errors = {}
    for name in ("naive", "rnn", "lstm", "tcn"):
        extra = {} if name == "naive" else {"epochs": 2, "units": 8}
        model = seqloom.Forecaster(model=name, lookback=48, horizon=6, **extra).fit(wave[:294])
        errors[name] = mae(wave[294:], model.predict()["column_0"])
    assert errors["tcn"] < errors["naive"]
    return bars(errors, unit=" MAE")


def d6() -> str:
    """The Jena temperature

    The temperature a day ahead, from half a year of weather: on validation networks lead, on test "same as now" does.
    Half a year teaches little about the next season, and the table says so. `seqloom reproduce jena`; MAE in standard
    deviations.
    """
    rows = table("### Temperature in Jena")
    assert len(rows) > 8
    shown = {}
    for part in ("validation MAE", "test MAE"):
        found = {row["model"]: figure(row[part]) for row in rows[:8]}
        shown[part] = bars({f"{name}, {part.split()[0]}": value for name, value in found.items()})
    return stacked(*shown.values())


def d7() -> str:
    """LSTM against convolution on a generated series

    x_t = sin(φ + 20π t/137) sin(φ + π t/137) + noise: 128 points in, the next ten out. Dilation lets the convolutions
    see 61 points instead of 17; the LSTM gets as far with 685 numbers. `seqloom reproduce lstm-vs-conv`.
    """
    conv = [nn.CausalConv1d(1 if n == 0 else 32, 32, 5) for n in range(4)]
    counts = {
        "4 × Conv 32×5": sum(p.numel() for layer in conv for p in layer.parameters()) + 33,
        "SimpleRNN(12)": sum(p.numel() for p in nn.RNN(1, 12).parameters()) + 13,
        "LSTM(12)": sum(p.numel() for p in nn.LSTM(1, 12).parameters()) + 13,
    }
    assert list(counts.values()) == [15_681, 181, 685]
    noisy, clean = waves(1000, 138)
    last = noisy[800:, 128:]
    errors = [float(np.mean((last - guess) ** 2)) for guess in (0, noisy[800:, 127:128], clean[800:, 128:])]
    np.testing.assert_allclose(errors, [0.282, 0.483, 0.010], rtol=0.12)  # published for another draw of the series
    return lines({"with noise": noisy[0], "without": clean[0]})


def d8() -> str:
    """A sine wave

    A thousand points of sin on [0, 100], ten in, the next one out. The usual script's printed error is a broadcasting
    mistake: (N,) against (N, 1) compares every forecast with every truth.
    """
    (x, y), wave = sine_data().test, sine_data().wave
    persistence = float((x[:, -1] - y).square().mean())
    assert abs(persistence - 0.0049) < 5e-5
    wrong = float(np.mean((x[:, -1].numpy() - y[:, 0].numpy()) ** 2))
    assert wrong > 100 * persistence
    model = seqloom.zoo.load("sine")
    right = float(np.mean((model.predict(x.numpy()) - y[:, 0].numpy()) ** 2))
    errors = {"zoo's GRU(10)": right, "last value": persistence, "last value, broadcast": wrong}
    return stacked(lines({"": wave}), bars(errors, unit=" MSE", log=True))


def d9() -> str:
    """Passengers, a stock index, sunspots

    The classics. A stock index is near to a random walk: no model beats its last value by much, and the table says
    so. Sunspots have a period that isn't one.
    """
    spots = np.asarray(sunspots.load_pandas().data["SUNACTIVITY"], dtype=float)
    errors = {}
    for name in ("naive", "mean", "linear", "theta"):
        model = seqloom.Forecaster(model=name, lookback=33, horizon=11).fit(spots[:-11])
        errors[name] = mae(spots[-11:], model.predict()["column_0"])
    assert errors["linear"] < errors["naive"]
    return stacked(lines({"": spots}, up="sunspots, yearly from 1700"), bars(errors, unit=" MAE of the last 11 years"))


def d10() -> str:
    """The series itself

    All of it, and its first stretch below: what a model is asked is best seen before a model is asked. The report of
    every forecast begins so.
    """
    weeks = co2.load_pandas().data["co2"].to_numpy()
    assert len(weeks) == 2284
    return stacked(lines({"": weeks}, up="CO2, all weeks"), lines({"": weeks[:104]}, up="the first two years"))
