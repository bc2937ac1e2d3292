"""LSTM against causal convolution on a generated series: ten steps ahead at once, then 80 and 800 recursively.

x_t = sin(φ + 20π·t/137)·sin(φ + π·t/137) + N(0, 0.1²), φ uniform in [0, 2π). A network reads x_0 … x_127 and gives an
output at every position; output p stands for x_{p+10}, and loss and score use the last ten, which stand for x_128 …
x_137. For more steps the ten forecasts are appended and the network reads on. The known figures, 0.0224 without
dilation and 0.0112 with it, are those of convolutions without an activation: such a stack is a linear filter, and least
squares on as many past values shows how far it can get on this draw (over many draws 0.0231 and 0.0116). Two more rows
put a ReLU behind each convolution.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..nn import LSTM, RNN, CausalConv1d
from ..report.style import ACTUAL, Style
from ..training import FitSettings
from .job import Job
from .networks import Passes, Reader, count
from .pictures import Curve, Picture, Plot, level, styles_for
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["STUDY", "Waves", "waves"]

LOOKBACK, STEPS, NOISE, PERIOD = 128, 10, 0.1, 137
_SIZES, _QUICK_SIZES = (800, 200), (48, 16)
_HORIZONS, _QUICK_HORIZONS = (10, 80, 800), (10, 20, 40)
_Forecast = Callable[[Tensor], Tensor]  # the series so far (N, T) → its next ten values (N, 10)


@dataclass(frozen=True, eq=False)
class Waves:
    """Series (N, T) that go on beyond their first 138 points, and the same without noise."""

    noisy: Tensor
    clean: Tensor
    train: int
    horizons: tuple[int, ...]

    def split(self) -> tuple[Tensor, Tensor]:
        """The first 138 points of the training and of the validation series."""
        points = self.noisy[:, : LOOKBACK + STEPS]
        return points[: self.train], points[self.train :]


@dataclass(frozen=True)
class _Kind:
    label: str
    epochs: int
    goal: float | None = None
    dilations: tuple[int, ...] = ()
    activation: str = "identity"
    cell: str = ""


_KINDS = {
    "conv": _Kind("4×Conv1D(32, 5)", 100, 0.0228, (1, 1, 1, 1)),
    "conv-dilated": _Kind("4×Conv1D(32, 5), dilations 1, 2, 4, 8", 100, 0.0118, (1, 2, 4, 8)),
    "rnn": _Kind("SimpleRNN(12)", 500, cell="rnn"),
    "lstm": _Kind("LSTM(12)", 500, 0.0120, cell="lstm"),
    "conv-relu": _Kind("4×Conv1D(32, 5), ReLU", 100, 0.0228, (1, 1, 1, 1), "relu"),
    "conv-dilated-relu": _Kind("4×Conv1D(32, 5), dilations 1, 2, 4, 8, ReLU", 100, 0.0118, (1, 2, 4, 8), "relu"),
}
_PLAIN = {
    "zero": "zero forecast",
    "last": "last value",
    "linear-17": "least squares on 17 values",
    "linear-61": "least squares on 61 values",
}


def waves(count: int, points: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """`count` series of `points` values with noise and without: (N, T) float64 each.

    >>> noisy, clean = waves(4, 138)
    >>> noisy.shape, bool(np.abs(clean).max() <= 1), round(float((noisy - clean).std()), 1)
    ((4, 138), True, 0.1)
    """
    # The figures rest on this one draw: NumPy keeps the streams of its bit generators from version to version.
    rng = np.random.Generator(np.random.Philox(key=seed))
    phase = rng.uniform(0, 2 * np.pi, (count, 1))
    t = np.arange(points)
    clean = np.sin(phase + 20 * np.pi * t / PERIOD) * np.sin(phase + np.pi * t / PERIOD)
    return clean + rng.normal(0, NOISE, clean.shape), clean


def _prepare(settings: StudySettings) -> Prepared:
    sizes, horizons = (_QUICK_SIZES, _QUICK_HORIZONS) if settings.quick else (_SIZES, _HORIZONS)
    noisy, clean = (torch.from_numpy(part).float() for part in waves(sum(sizes), LOOKBACK + horizons[-1]))
    identity = {"made": "two sines and noise", "series": list(sizes), "horizons": list(horizons)}
    return Prepared(Waves(noisy, clean, sizes[0], horizons), identity)


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    rows = [Row(name, label, seeded=False) for name, label in _PLAIN.items()]
    for name, kind in _KINDS.items():
        goals = {} if kind.goal is None else {"mse": kind.goal}
        rows.append(Row(name, kind.label, goals=goals))
    return rows


def _work(row: Row, data: Waves, job: Job) -> Outcome:
    if row.name in _PLAIN:
        forecast, parameters = _plain(row.name, data)
        return _outcome(data, forecast, parameters, {})
    kind = _KINDS[row.name]
    network = _network(kind, job)
    epochs = job.settings.epochs or (2 if job.settings.quick else kind.epochs)
    train, valid = (part[:, :, None] for part in data.split())
    settings = FitSettings(
        epochs=epochs, learning_rate=1e-3, keep_best=False, seed=job.derived_seed("training"), checkpoint_every=None
    )

    def loss(module: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        points = batch[0]
        return (module(points[:, :LOOKBACK])[:, -STEPS:] - points[:, LOOKBACK:]).square().mean()

    history = job.train(
        network,
        Passes(train, batch_size=128),
        loss,
        settings,
        lambda module: {"loss": loss(module, (valid,)).item()},
    )
    network.eval()
    # What a convolution sees is shorter than the lookback; a recurrent layer reads everything from the start.
    seen = LOOKBACK if kind.dilations else None

    def following(points: Tensor) -> Tensor:
        with torch.no_grad():
            return network(points[:, -seen if seen else 0 :, None])[:, -STEPS:, 0]

    curves = {
        "train": [row.train_loss for row in history.epochs],
        "valid": [row.valid["loss"] for row in history.epochs],
    }
    return _outcome(data, following, count(network), curves)


def _network(kind: _Kind, job: Job) -> Reader:
    """Keras's start: Glorot uniform, biases 0, the LSTM's forget bias 1."""
    if kind.cell:
        body = (LSTM if kind.cell == "lstm" else RNN)(1, 12, seed=job.derived_seed("body"))
        return Reader(body, 12, 1, seed=job.derived_seed("output"), last=False)
    random = torch.Generator().manual_seed(job.derived_seed("body"))
    widths = [1, 32, 32, 32]
    options: dict[str, Any] = {"activation": kind.activation, "init": "glorot", "seed": random}
    layers = [CausalConv1d(width, 32, 5, dilation=d, **options) for width, d in zip(widths, kind.dilations)]
    return Reader(nn.Sequential(*layers), 32, 1, seed=job.derived_seed("output"), last=False)


def _plain(name: str, data: Waves) -> tuple[_Forecast, int]:
    """A forecast without training: zeros, the last value, or the linear filter that least squares gives."""
    if name == "zero":
        return lambda points: torch.zeros(len(points), STEPS), 0
    if name == "last":
        return lambda points: points[:, -1:].expand(-1, STEPS), 0
    seen = int(name.removeprefix("linear-"))
    train = data.split()[0].double()
    ends = range(LOOKBACK - STEPS, LOOKBACK)
    inputs = torch.cat([train[:, end - seen + 1 : end + 1] for end in ends])
    targets = torch.cat([train[:, end + STEPS] for end in ends])
    # In float64: neighbouring values of a smooth series are nearly collinear.
    weights = torch.linalg.lstsq(_with_one(inputs), targets[:, None]).solution

    def forecast(points: Tensor) -> Tensor:
        windows = points[:, -(seen + STEPS - 1) :].double().unfold(1, seen, 1)
        return (_with_one(windows) @ weights)[..., 0].float()

    return forecast, seen + 1


def _with_one(inputs: Tensor) -> Tensor:
    return torch.cat([inputs, torch.ones(*inputs.shape[:-1], 1, dtype=inputs.dtype)], dim=-1)


def _outcome(data: Waves, forecast: _Forecast, parameters: int, curves: dict[str, list[float]]) -> Outcome:
    """Mean squared errors over the validation series up to each horizon; one series to look at."""
    known = data.noisy[data.train :, :LOOKBACK]
    points = known
    while points.shape[1] < LOOKBACK + data.horizons[-1]:
        points = torch.cat([points, forecast(points)], dim=1)
    found = points[:, LOOKBACK : LOOKBACK + data.horizons[-1]].double()
    error = (found - data.noisy[data.train :, LOOKBACK:].double()).square()
    keys = ("mse", "mse_1", "mse_2")
    scores = {key: _finite(error[:, :steps].mean()) for key, steps in zip(keys, data.horizons)}
    blocks = error.mean(0).reshape(-1, STEPS).mean(1)
    details = {"series": [_finite(value) for value in found[0]], "by_block": [_finite(value) for value in blocks]}
    notes = ["free-running, it diverged beyond the range of floating point."] if scores["mse_2"] is None else []
    return Outcome(scores, parameters, curves, details, notes)


def _finite(value: Tensor) -> float | None:
    """Six digits, or None for what is no number any more."""
    number = float(f"{float(value):.6g}")
    return number if math.isfinite(number) else None


def _say(results: Results) -> Iterator[str]:
    horizons = results.data.horizons
    zero = results.median("zero", "mse_2")
    for row, _ in results.done():
        value = results.median(row, "mse_2")
        if row.name in _KINDS and value is not None and zero is not None:
            word = "better" if value < zero else "worse"
            yield f"{row.label}: over {horizons[-1]} steps {word} than the zero forecast (MSE {value:.3g}, {zero:.3g})."
    yield f"The noise has variance {NOISE**2:.3f}, a lower bound of every forecast's expected MSE."


def _draw(results: Results) -> list[Picture]:
    data: Waves = results.data
    shown = results.first_outcomes(*_PLAIN)
    if not shown:
        return []
    styles = styles_for([row.label for row, _ in shown])
    total = data.horizons[-1]
    truth = data.clean[data.train, LOOKBACK:].tolist()
    known = data.noisy[data.train, LOOKBACK - 60 : LOOKBACK].tolist()
    near = [Curve("observed", range(-59, 1), known, Style("var(--muted)", (1, 0)))]
    first = min(100, total)
    near.append(Curve("actual, without noise", range(1, first + 1), truth[:first], ACTUAL, 2.2))
    far = []
    for row, outcome in shown:
        steps = range(1, total + 1)
        # Beyond the chart by far: drawn, a line to 10²⁰ would leave no room for the others.
        series = [value if value is not None and abs(value) < 10 else None for value in outcome.details["series"]]
        near.append(Curve(row.label, range(1, first + 1), series[:first], styles[row.label], 1.3))
        came = Curve("actual, without noise", steps, truth, ACTUAL, 1.6)
        ours = Curve("forecast", steps, series, styles[row.label], 1.6)
        far.append(Plot("steps ahead", "", [came, ours], row.label, low=-1.6, high=1.6))
    first_steps = Plot("steps ahead", "value", near, "The first steps of one series", low=-1.6, high=1.6)
    errors, learning = [], []
    for row, outcome in shown:
        blocks = [value if value is not None and value < 10 else None for value in outcome.details["by_block"]]
        errors.append(Curve(row.label, [STEPS * (i + 1) for i in range(len(blocks))], blocks, styles[row.label]))
        valid = outcome.curves["valid"]
        learning.append(Curve(row.label, range(1, len(valid) + 1), valid, styles[row.label]))
    zero = results.median("zero", "mse")
    if zero is not None:
        errors.append(level("zero forecast", zero, total))
    learning.append(
        level("noise variance", NOISE**2, max(len(curve.y) for curve in learning), Style("var(--c7)", (2, 2)))
    )
    by_steps = Plot("steps ahead", "MSE of ten steps", errors, "Error by horizon", high=1.0)
    by_epoch = Plot("epoch", "validation MSE, ten steps ahead", learning, "Learning curves", log=True)
    reading = (
        "Free-running, a network that has learned the dynamics continues the oscillation; one that has not decays, "
        "drifts, or diverges, as an unstable linear filter does."
    )
    return [
        Picture("lstm-vs-conv", "LSTM against convolution", reading, [first_steps, by_epoch, by_steps], 2, 440),
        Picture("lstm-vs-conv-far", f"{total} steps ahead", reading, far, 1, 960, 110),
    ]


STUDY = Study(
    name="lstm-vs-conv",
    title="LSTM against causal convolution on a generated series",
    about=(
        "1,000 series of two sines and noise: 128 points in, the next ten out, then 80 and 800 recursively.",
        "Adam 1e-3, batches of 128, MSE on 200 validation series; convolutions 100 epochs, recurrent layers 500.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("mse", "MSE, 10 steps"),
        Column("mse_1", "MSE, 80 steps", 3),
        Column("mse_2", "MSE, 800 steps", 3),
        Column("epochs", "epochs", 0),
        Column("seconds", "seconds", 0),
    ),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    seeds=(0, 1, 2, 3, 4),
    say=_say,
    draw=_draw,
    takes=frozenset({"epochs", "time_limit"}),
)
