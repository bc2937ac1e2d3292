"""Stateful against stateless training: a stock that moves with the weather of days that a window does not show.

The weather x_t of a day is 0, 1 or 2, each as likely. A level starts at 2; it rises by one (to at most 2) where
x_{t−3} = 1, then falls by one (to at least 0) where x_t = 0. The question is whether the level is above 0 on the day
after a window of two days. Windows follow one another without overlap, so a network whose state is carried from window
to window can know the level, and one that starts each window anew can't.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from seqloom_runtime.data.text import StreamOrder

from .. import nn as seqnn
from ..training import FitSettings, derive_seed
from .job import Job
from .networks import count, glorot_linear
from .pictures import Picture, Plot, curve_of, level, styles_for
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["STUDY", "Market", "ceilings", "market"]

DAYS, TRAIN, VALID, WINDOW, STREAMS, UNITS, EPOCHS = 40_000, 20_000, 10_000, 2, 50, 4, 100
QUICK = {"days": 4_000, "epochs": 2}
_LABELS = {
    "stateless": "SimpleRNN(4), stateless",
    "stateful": "SimpleRNN(4), stateful",
    "stateful-gru": "GRU(4), stateful",
    "stateful-lstm": "LSTM(4), stateful",
}
_CELLS = {"stateless": seqnn.RNN, "stateful": seqnn.RNN, "stateful-gru": seqnn.GRU, "stateful-lstm": seqnn.LSTM}


@dataclass(frozen=True, eq=False)
class Market:
    """weather (N,) int64 of each day, and whether the level is above zero on it (N,) bool."""

    weather: np.ndarray
    up: np.ndarray

    def part(self, start: int, stop: int) -> Market:
        """The days start … stop − 1."""
        return Market(self.weather[start:stop], self.up[start:stop])


def market(days: int, seed: int) -> Market:
    """Draw the weather of `days` days and follow the level through them.

    >>> made = market(1000, seed=1)
    >>> made.weather.max(), 0.4 < made.up.mean() < 0.7
    (np.int64(2), np.True_)
    """
    weather = np.random.default_rng(seed).integers(0, 3, days)
    return Market(weather, _levels(weather) > 0)


def ceilings(made: Market) -> tuple[float, float]:
    """The best accuracy on these days without state (from the two days before) and with it (level and three days).

    A table of what happened more often in each situation, looked up on the same days: no rule can do better on them.
    """
    # The first days, whose past is not all there, are left out for both ceilings alike.
    day = np.arange(4, len(made.weather))
    two = made.weather[day - 2] * 3 + made.weather[day - 1]
    levels = _levels(made.weather)
    all_known = ((levels[day - 1] * 3 + made.weather[day - 3]) * 3 + made.weather[day - 2]) * 3 + made.weather[day - 1]

    def best(situation: np.ndarray) -> float:
        counts = np.zeros((int(situation.max()) + 1, 2))
        np.add.at(counts, (situation, made.up[day].astype(int)), 1)
        return float(counts.max(axis=1).sum() / counts.sum())

    return best(two), best(all_known)


def _levels(weather: np.ndarray) -> np.ndarray:
    out = np.empty(len(weather), dtype=np.int64)
    stock = 2
    for day, today in enumerate(weather):
        if day >= 3 and weather[day - 3] == 1:
            stock = min(2, stock + 1)
        if today == 0:
            stock = max(0, stock - 1)
        out[day] = stock
    return out


class _Windows:
    """Batches of windows in streams: x (B, 2, 3) one-hot, y (B, 1), and whether a carried state starts anew."""

    def __init__(self, made: Market) -> None:
        self._x = functional.one_hot(torch.from_numpy(made.weather), 3).float()
        self._y = torch.from_numpy(made.up).float()
        windows = (len(made.weather) - 1) // WINDOW // STREAMS * STREAMS  # whole streams alone
        self._order = StreamOrder(windows * WINDOW, STREAMS, WINDOW)

    def __iter__(self) -> _Windows:
        return self

    def __len__(self) -> int:
        return len(self._order)

    def __next__(self) -> tuple[Tensor, Tensor, bool]:
        fresh = self._order.position == 0
        return self._batch(next(self._order), fresh)

    def once(self) -> Iterator[tuple[Tensor, Tensor, bool]]:
        """One epoch in order, without moving the iterator."""
        return (self._batch(self._order.at(place), place == 0) for place in range(len(self)))

    def state(self) -> dict[str, int]:
        """Position in the order, as JSON values."""
        return self._order.state()

    def restore(self, state: dict[str, int]) -> None:
        """Continue from `state`."""
        self._order.restore(state)

    def _batch(self, days: np.ndarray, fresh: bool) -> tuple[Tensor, Tensor, bool]:
        return self._x[days], self._y[days[:, -1] + 1, None], fresh


class _Forecast(nn.Module):
    """The body over a window and a linear layer on its last output; `carried` goes on from the window before."""

    def __init__(self, body: seqnn.Recurrent, carried: bool, seed: int) -> None:
        super().__init__()
        self.carried = carried
        self.body: nn.Module = seqnn.Stateful(body, STREAMS) if carried else body
        self.output = glorot_linear(body.output_size, 1, seed)

    def forward(self, x: Tensor, fresh: bool) -> Tensor:
        """x (B, 2, 3) → logits (B, 1)."""
        y = self.body(x, fresh=fresh) if self.carried else self.body(x)[0]
        return self.output(y[:, -1])


def _prepare(settings: StudySettings) -> Prepared:
    days = QUICK["days"] if settings.quick else DAYS
    made = market(days, derive_seed(0, "weather-stock"))
    train, valid = days * TRAIN // DAYS, days * VALID // DAYS
    parts = {
        "train": made.part(0, train),
        "valid": made.part(train, train + valid),
        "test": made.part(train + valid, days),
    }
    without, known = ceilings(parts["test"])
    notes = [
        f"Upper bounds of the accuracy on the test days: {without:.3f} from two days alone, {known:.3f} from the level "
        "and the last three days (known figures for the task: 0.649 and 0.886)."
    ]
    return Prepared(parts, {"days": days}, notes)


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    goals = {"stateless": {}, "stateful": {"accuracy": 0.73}}
    networks = [Row(name, label, goals=goals.get(name, {})) for name, label in _LABELS.items()]
    return [Row("majority", "majority class", seeded=False), *networks]


def _work(row: Row, data: dict[str, Market], job: Job) -> Outcome:
    if row.name == "majority":
        answer = data["train"].up.mean() > 0.5
        return Outcome({"accuracy": float((data["test"].up == answer).mean())}, 0)
    body = _CELLS[row.name](3, UNITS, seed=job.derived_seed("body"))
    network = _Forecast(body, row.name != "stateless", job.derived_seed("output"))
    parts = {name: _Windows(part) for name, part in data.items()}
    settings = FitSettings(
        epochs=job.settings.epochs or (QUICK["epochs"] if job.settings.quick else EPOCHS),
        learning_rate=1e-2,
        clip_norm=1.0,
        monitor="error",
        seed=job.derived_seed("training"),
    )

    def measured(part: str) -> tuple[float, float]:
        """Accuracy and log loss on one pass over a part."""
        # The carried state is a buffer, and a pass over validation days would leave their end in it.
        held = {name: buffer.clone() for name, buffer in network.named_buffers()}
        found = [(network(x, fresh), y) for x, y, fresh in parts[part].once()]
        for name, buffer in network.named_buffers():
            buffer.copy_(held[name])  # training goes on from its own state
        logits, y = (torch.cat(values) for values in zip(*found))
        loss = functional.binary_cross_entropy_with_logits(logits, y).item()
        return ((logits > 0) == (y > 0.5)).float().mean().item(), loss

    history = job.train(
        network,
        parts["train"],
        lambda module, batch: functional.binary_cross_entropy_with_logits(module(batch[0], batch[2]), batch[1]),
        settings,
        lambda _: {"error": 1 - measured("valid")[0]},
    )
    network.eval()
    with torch.no_grad():
        accuracy, loss = measured("test")
    best = 1 - min(epoch.valid["error"] for epoch in history.epochs)
    scores = {"accuracy": accuracy, "loss": loss, "valid_accuracy": best}
    return Outcome(scores, count(network), {"accuracy": [1 - epoch.valid["error"] for epoch in history.epochs]})


def _say(results: Results) -> Iterator[str]:
    without, with_state = (results.median(name, "accuracy") for name in ("stateless", "stateful"))
    if without is not None and with_state is not None:
        yield f"Stateful training changes the network's test accuracy by {100 * (with_state - without):+.1f} points."


def _draw(results: Results) -> list[Picture]:
    networks = results.first_outcomes("majority")
    if not networks:
        return []
    styles = styles_for([row.label for row, _ in networks])
    curves = [curve_of(row.label, outcome.curves["accuracy"], styles[row.label]) for row, outcome in networks]
    last = max(len(curve.y) for curve in curves)
    without, known = ceilings(results.data["test"])
    curves += [level("upper bound, stateless", without, last), level("upper bound, stateful", known, last)]
    reading = "Validation accuracy by epoch; dashed, the upper bounds without and with the state."
    return [
        Picture(
            "weather-stock", "A stock that follows the weather", reading, [Plot("epoch", "validation accuracy", curves)]
        )
    ]


STUDY = Study(
    name="weather-stock",
    title="A stock that follows the weather, stateless and stateful",
    about=(
        "Will the stock be above zero on the day after two days of weather? Its level is the sum of what came before.",
        "Networks see windows of two days; one resets its state at each window, the others carry it on.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("accuracy", "test accuracy", 4, higher_is_better=True),
        Column("loss", "test log loss", 4),
        Column("valid_accuracy", "best validation accuracy", 4, higher_is_better=True),
        Column("epoch_seconds", "seconds per epoch", 2),
    ),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    say=_say,
    draw=_draw,
    takes=frozenset({"epochs"}),
)
