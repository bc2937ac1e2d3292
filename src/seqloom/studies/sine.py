"""A sine wave, one step ahead from ten values, by small recurrent networks; then free-running on their own forecasts.

1,000 points of sin on [0, 100], windows of 10, the first 80 % to train on. Repeating the last value has a mean squared
error of 0.0049. Scripts that subtract truths (N,) from forecasts (N, 1) report another error: broadcasting makes all
N·N differences; the column "MSE with broadcasting bug" shows what that gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..nn import WeightPenalty
from ..report.style import ACTUAL
from ..training import FitSettings
from .job import Job
from .networks import CELLS, Passes, Reader, count
from .pictures import Curve, Picture, Plot, curve_of, level, styles_for
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["STUDY", "SineData", "sine_data"]

POINTS, WINDOW, UNITS = 1000, 10, 10
EPOCHS, QUICK_EPOCHS = 200, 2


@dataclass(frozen=True, eq=False)
class SineData:
    """x (N, 10, 1) and y (N, 1) of the windows to train on and of the later ones."""

    wave: np.ndarray
    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class _Kind:
    label: str
    cell: str
    options: tuple[tuple[str, Any], ...] = ()
    penalty: float = 0.0


_KINDS = {
    "rnn": _Kind("SimpleRNN(10)", "rnn"),
    "lstm": _Kind("LSTM(10)", "lstm"),
    "gru": _Kind("GRU(10)", "gru"),
    "rnn-relu": _Kind("SimpleRNN(10), ReLU", "rnn", (("activation", "relu"),)),
    "lstm-relu": _Kind("LSTM(10), ReLU", "lstm", (("activation", "relu"),)),
    "gru-relu": _Kind("GRU(10), ReLU", "gru", (("activation", "relu"),)),
    # As the lectures have it: kernel and recurrent regulariser of 0.01, dropout and recurrent dropout of 0.2.
    "rnn-regularised": _Kind(
        "SimpleRNN(10), ReLU, L2 0.01, dropout 0.2 / 0.2",
        "rnn",
        (("activation", "relu"), ("input_dropout", 0.2), ("recurrent_dropout", 0.2)),
        0.01,
    ),
    "gru-regularised": _Kind(
        "GRU(10), L2 1e-3, dropout 0.1 / 0.1", "gru", (("input_dropout", 0.1), ("recurrent_dropout", 0.1)), 1e-3
    ),
}


def sine_data() -> SineData:
    """The windows: 792 to train on, 198 later ones.

    >>> data = sine_data()
    >>> x, y = data.test
    >>> round(float((x[:, -1] - y).square().mean()), 4)
    0.0049
    """
    wave = np.sin(np.linspace(0, 100, POINTS))
    windows = np.lib.stride_tricks.sliding_window_view(wave, WINDOW + 1).astype(np.float32)
    x, y = torch.from_numpy(windows[:, :-1, None].copy()), torch.from_numpy(windows[:, -1:].copy())
    first = int(0.8 * len(x))
    return SineData(wave, (x[:first], y[:first]), (x[first:], y[first:]))


def _prepare(settings: StudySettings) -> Prepared:
    return Prepared(sine_data(), {"made": "sin on [0, 100]", "points": POINTS})


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    return [
        Row("naive", "last value", seeded=False),
        *(Row(name, kind.label) for name, kind in _KINDS.items()),
    ]


def _work(row: Row, data: SineData, job: Job) -> Outcome:
    x, y = data.test
    if row.name == "naive":
        return Outcome(_scores(x[:, -1], y, np.repeat(float(x[0, -1]), len(y))), 0)
    kind = _KINDS[row.name]
    body = CELLS[kind.cell](1, UNITS, seed=job.derived_seed("body"), **dict(kind.options))
    network = Reader(body, UNITS, 1, seed=job.derived_seed("output"))
    settings = FitSettings(
        epochs=job.settings.epochs or (QUICK_EPOCHS if job.settings.quick else EPOCHS),
        learning_rate=3e-3,
        keep_best=False,
        seed=job.derived_seed("training"),
    )
    history = job.train(
        network,
        Passes(*data.train, batch_size=32),
        lambda module, batch: functional.mse_loss(module(batch[0]), batch[1]),
        settings,
        lambda module: {"loss": functional.mse_loss(module(x), y).item()},
        penalty=_penalty(kind.penalty),
    )
    network.eval()
    with torch.no_grad():
        free = _run_on(network, x[:1], len(y))
        scores = _scores(network(x), y, free)
    curves = {
        "train": [epoch.train_loss for epoch in history.epochs],
        "test": [epoch.valid["loss"] for epoch in history.epochs],
    }
    return Outcome(scores, count(network), curves, {"free": [round(float(value), 6) for value in free]})


def _penalty(strength: float) -> Callable[[Any], Tensor] | None:
    if not strength:
        return None
    weights = WeightPenalty(l2_input=strength, l2_recurrent=strength)
    # The read-out stays free, as under a kernel regulariser of the recurrent layer alone.
    return lambda module: weights(module.body)


def _scores(forecast: Tensor, y: Tensor, free: np.ndarray) -> dict[str, float]:
    """MSE one step ahead, free-running, and as subtracting (N,) from (N, 1) would report it."""
    truth = y.numpy().astype(np.float64)
    found = forecast.numpy().astype(np.float64)
    return {
        "mse": float(np.mean((found - truth) ** 2)),
        "free_mse": float(np.mean((free - truth[:, 0]) ** 2)),
        "misprinted": float(np.mean((found - truth[:, 0]) ** 2)),
    }


def _run_on(network: nn.Module, window: Tensor, steps: int) -> np.ndarray:
    """Forecast a step, append it to the window, drop the oldest value, and so on."""
    values = np.empty(steps)
    for step in range(steps):
        following = network(window)
        values[step] = following.item()
        window = torch.cat([window[:, 1:], following[:, None]], dim=1)
    return values


def _say(results: Results) -> Iterator[str]:
    naive = results.median("naive", "mse")
    for row, _ in results.done():
        mse, wrong = results.median(row, "mse"), results.median(row, "misprinted")
        if row.name == "naive" or naive is None or mse is None or wrong is None:
            continue
        yield (
            f"{row.label}: MSE {mse:.2g}, {mse / naive:.2g} times that of the last value; with (N,) broadcast against "
            f"(N, 1) it would be reported as {wrong:.3f}."
        )


def _draw(results: Results) -> list[Picture]:
    x, y = results.data.test
    truth = y[:, 0].tolist()
    labels = [row.label for row, _ in results.done() if row.name != "naive"]
    styles = styles_for(labels)
    free, learning = [Curve("actual", range(1, len(truth) + 1), truth, ACTUAL, 2.4)], []
    for row, _ in results.done():
        outcomes = results.outcomes(row)
        if row.name == "naive" or not outcomes:
            continue
        free.append(curve_of(row.label, outcomes[0].details["free"], styles[row.label]))
        learning.append(curve_of(row.label, outcomes[0].curves["test"], styles[row.label]))
    if not learning:
        return []
    naive = float((x[:, -1] - y).square().mean())
    learning.append(level("last value", naive, max(len(curve.y) for curve in learning)))
    picture = Picture(
        "sine",
        "A sine wave by small recurrent networks",
        "Left: MSE one step ahead on the last 20 % by epoch; below the dashed line a network beats repeating the "
        "last value. Right: each network free-running on its own forecasts, for which none was trained.",
        [
            Plot("epoch", "mean squared error, one step ahead", learning, log=True),
            Plot("steps ahead", "free-running forecast", free, low=-1.6, high=1.6),
        ],
    )
    return [picture]


STUDY = Study(
    name="sine",
    title="A sine wave, one step ahead",
    about=(
        "1,000 points of sin on [0, 100]; ten values in, the next one out; training on the first 80 %.",
        "Mean squared error on the last 20 %: one step ahead, and free-running on the network's own forecasts.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("mse", "MSE", None),
        Column("free_mse", "free-running MSE", None),
        Column("misprinted", "MSE with broadcasting bug", 3),
        Column("seconds", "seconds", 1),
    ),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    say=_say,
    draw=_draw,
    takes=frozenset({"epochs"}),
)
