"""ETTh2, the column OT alone: 336 hours to 24, 96 and 336 ahead, scored in standard deviations of the training rows.

Every method gets the 11,520 rows of training and validation and, to forecast from, the rows before each of the
2,880 − h + 1 origins of the test part. No command, network or scaler sees a test row while it trains.
"""

from __future__ import annotations

import csv
import datetime
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from . import ours, peers
from .scores import coverage, mae, mse
from .tables import ETTH2_PARTS, Table, etth2
from .work import LEVELS, Means, Record, Work

__all__ = ["HORIZONS", "LOOKBACK", "etth2_work", "origins_of"]

LOOKBACK = 336
HORIZONS = (24, 96, 336)
SEEN = 3 * LOOKBACK  # rows before an origin that `predict` is shown
TRAIN, VALID, TEST = ETTH2_PARTS
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "seqloom": (),
    "seqloom --preset good": ("--preset", "good"),
    "seqloom --preset best": ("--preset", "best"),
    **{f"seqloom --model {name}": ("--model", name) for name in ("linear", "nlinear", "dlinear", "gru", "lstm", "tcn")},
}
LINEAR = {"max_steps": 1000, "learning_rate": 1e-3}
NETWORKS: Mapping[str, tuple[str, str, Mapping[str, object]]] = {
    "neuralforecast NLinear": ("neuralforecast", "NLinear", {**LINEAR, "loss": "MSE"}),
    "neuralforecast DLinear": ("neuralforecast", "DLinear", {**LINEAR, "loss": "MSE"}),
    "neuralforecast NLinear, MAE": ("neuralforecast", "NLinear", {**LINEAR, "loss": "MAE"}),
    "neuralforecast NHITS": ("neuralforecast", "NHITS", {"loss": "MSE"}),
    "neuralforecast TCN": ("neuralforecast", "TCN", {"loss": "MSE"}),
    "neuralforecast LSTM": ("neuralforecast", "LSTM", {"loss": "MSE"}),
    "darts NLinear": ("darts", "NLinearModel", {"n_epochs": 10, "batch_size": 32}),
    "darts DLinear": ("darts", "DLinearModel", {"n_epochs": 10, "batch_size": 32}),
    "darts NHiTS": ("darts", "NHiTSModel", {"n_epochs": 5, "batch_size": 32}),
    "darts TCN": ("darts", "TCNModel", {"n_epochs": 5, "batch_size": 32}),
    "darts LSTM": ("darts", "BlockRNNModel", {"n_epochs": 5, "batch_size": 32, "model": "LSTM"}),
}


def etth2_work() -> Iterator[Work]:
    """Every method at every horizon; networks with three seeds, the first seed of all before the second of any."""
    for horizon in HORIZONS:
        yield Work("etth2", f"etth2-{horizon}", "last value", 0, ("test",), _last_value(horizon))
    for seed in range(3):
        for horizon in HORIZONS:
            for command, arguments in COMMANDS.items():
                if ours.takes(arguments):
                    yield Work(
                        "etth2", f"etth2-{horizon}", command, seed, ("test",), _command(horizon, arguments, seed)
                    )
            for method in NETWORKS:
                work = _network(method, horizon, seed)
                yield Work("etth2", f"etth2-{horizon}", method, seed, ("test",), work, peer=True)


def origins_of(horizon: int) -> np.ndarray:
    """The first rows of the test windows: (2,880 − horizon + 1,)."""
    return np.arange(TRAIN + VALID, TRAIN + VALID + TEST - horizon + 1)


def _scaled(table: Table) -> np.ndarray:
    """The target in standard deviations of the training rows, from their mean."""
    train = table.values[:TRAIN]
    return (table.values - train.mean()) / train.std()


def _record(table: Table, horizon: int, values: np.ndarray) -> Record:
    """Scores of (N, H) forecasts, in standard deviations, of all test windows."""
    scaled = _scaled(table)
    truth = np.stack([scaled[origin : origin + horizon] for origin in origins_of(horizon)])
    return {"scores": {"mse": mse(truth, values), "mae": mae(truth, values)}}


def _last_value(horizon: int) -> Callable[[Means, Sequence[str]], dict[str, Record]]:
    def run(means: Means, wanted: Sequence[str]) -> dict[str, Record]:
        table = etth2(means.data)
        last = _scaled(table)[origins_of(horizon) - 1]
        return {wanted[0]: {**_record(table, horizon, np.repeat(last[:, None], horizon, axis=1)), "seconds": 0.0}}

    return run


def _network(method: str, horizon: int, seed: int) -> Callable[[Means, Sequence[str]], dict[str, Record]]:
    def run(means: Means, wanted: Sequence[str]) -> dict[str, Record]:
        assert means.peers is not None
        table = etth2(means.data)
        library, model, settings = NETWORKS[method]
        scaled = _scaled(table)
        contexts = [scaled[origin - LOOKBACK : origin] for origin in origins_of(horizon)]
        lengths = {"horizon": horizon, "lookback": LOOKBACK, "valid": VALID}
        train = [scaled[: TRAIN + VALID]]
        job = peers.NetworkJob(library, model, train, contexts, **lengths, seed=seed, settings=settings)
        found, facts = peers.ask(means.peers, job, threads=means.threads)
        return {wanted[0]: {**_record(table, horizon, found["forecasts"]), **facts}}

    return run


def _command(horizon: int, arguments: Sequence[str], seed: int) -> Callable[[Means, Sequence[str]], dict[str, Record]]:
    def run(means: Means, wanted: Sequence[str]) -> dict[str, Record]:
        table = etth2(means.data)
        path = table.before(TRAIN + VALID, means.scratch / "etth2.csv")
        out = means.scratch / "etth2"
        shutil.rmtree(out, ignore_errors=True)
        split = ("--lookback", str(LOOKBACK), "--split", f"{TRAIN},{VALID}", "--seed", str(seed))
        said = ours.forecast(path, horizon, (*split, *arguments), threads=means.threads, out=out)
        times = [datetime.datetime.fromisoformat(row[0]) for row in csv.reader(table.lines)]

        def seen() -> Iterator[dict[str, Any]]:
            for origin in origins_of(horizon):
                rows = slice(origin - SEEN, origin)
                yield {"date": times[rows], table.target: table.values[rows]}

        found = ours.forecast_each(out / "model", seen(), horizon, table.target)
        train = table.values[:TRAIN]
        record = _record(table, horizon, (found.values - train.mean()) / train.std())
        truth = np.stack([table.values[origin : origin + horizon] for origin in origins_of(horizon)])
        for level in LEVELS:
            if level in found.bounds:
                record["scores"][f"within_{level}"] = coverage(truth, *found.bounds[level])
        return {wanted[0]: {**record, "seconds": said.seconds, "chosen": said.chosen}}

    return run
