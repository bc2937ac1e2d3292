"""M4 weekly: 359 series of 80 to 2,597 weeks, 13 weeks ahead, scored by sMAPE and MASE as the competition did.

Ours is one command on a table of the training rows, all series ending in the same week; the model is chosen on the
origin 13 weeks back (`--split`), and the command never sees a test row.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np

from . import ours, peers
from .scores import coverage, mase, smape
from .tables import m4_weekly
from .work import LEVELS, Means, Record, Work

__all__ = ["HORIZON", "PUBLISHED", "m4_record", "m4_work", "weeks_of"]

HORIZON = 13
LOOKBACK = 4 * HORIZON
LAST_WEEK = datetime.date(2019, 12, 30)
DATASET, WINDOW = "m4_weekly", "test"
PUBLISHED = {
    "best entry (published)": (6.582, 2.107),
    "ES-RNN, the winner overall (published)": (7.817, 2.356),
    "Theta (published)": (9.093, 2.637),
    "naive (published)": (9.161, 2.777),
    "MLP (published)": (21.349, 13.568),
}
"""sMAPE and MASE from the competition's tables."""

STATISTICAL = ("SeasonalNaive", "AutoTheta", "AutoETS")  # AutoARIMA takes hours here
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "seqloom": (),
    "seqloom --preset good": ("--preset", "good"),
    "seqloom --preset best": ("--preset", "best"),
}
SHORT = {"start_padding_enabled": True, "scaler_type": "standard", "val_check_steps": 100}
NETWORKS: Mapping[str, tuple[str, str, Mapping[str, object]]] = {
    "neuralforecast NHITS": ("neuralforecast", "NHITS", SHORT),
    "neuralforecast MLP": ("neuralforecast", "MLP", SHORT),
    "neuralforecast NLinear": ("neuralforecast", "NLinear", {**SHORT, "max_steps": 1000, "learning_rate": 1e-3}),
    "neuralforecast LSTM": ("neuralforecast", "LSTM", SHORT),
    "neuralforecast GRU": ("neuralforecast", "GRU", SHORT),
}


def m4_work() -> Iterator[Work]:
    """Every method on M4 weekly; networks with three seeds."""
    for method in STATISTICAL:
        yield Work("m4", DATASET, method, 0, (WINDOW,), _statistical(method), peer=True)
    for seed in range(3):
        for command, arguments in COMMANDS.items():
            if ours.takes(arguments):
                yield Work("m4", DATASET, command, seed, (WINDOW,), _command((*arguments, "--seed", str(seed))))
        for method in NETWORKS:
            yield Work("m4", DATASET, method, seed, (WINDOW,), _network(method, seed), peer=True)


def m4_record(
    train: Sequence[np.ndarray],
    truth: np.ndarray,
    values: np.ndarray,
    bounds: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> Record:
    """The scores of (S, 13) forecasts: sMAPE and MASE as means over series, coverage over all and by series."""
    scores = {
        "smape": smape(truth, values),
        "mase": fmean(mase(y, f, past) for y, f, past in zip(truth, values, train)),
    }
    for level, (low, high) in bounds.items():
        if np.isfinite(low).all() and np.isfinite(high).all():
            scores[f"within_{level}"] = coverage(truth, low, high)
            each = np.array([coverage(*sides) for sides in zip(truth, low, high)])
            scores[f"below_half_{level}"] = float(100 * np.mean(each < float(level) / 2))
    return {"scores": scores}


def weeks_of(series: Mapping[str, np.ndarray]) -> list[str]:
    """Mondays, as many as the longest series has rows: the data has no dates, and series are aligned at their ends."""
    longest = max(len(values) for values in series.values())
    return [(LAST_WEEK - datetime.timedelta(weeks=longest - 1 - week)).isoformat() for week in range(longest)]


def _statistical(method: str) -> Callable[[Means, Sequence[str]], dict[str, Record]]:
    def run(means: Means, wanted: Sequence[str]) -> dict[str, Record]:
        assert means.peers is not None
        train, test = m4_weekly(means.data)
        job = peers.StatisticalJob(method, list(train.values()), season=1, horizon=HORIZON)
        found, facts = peers.ask(means.peers, job, threads=means.threads)
        bounds = {level: (found[f"low_{level}"], found[f"high_{level}"]) for level in LEVELS}
        record = m4_record(list(train.values()), np.stack(list(test.values())), found["forecasts"], bounds)
        return {wanted[0]: {**record, **facts}}

    return run


def _network(method: str, seed: int) -> Callable[[Means, Sequence[str]], dict[str, Record]]:
    def run(means: Means, wanted: Sequence[str]) -> dict[str, Record]:
        assert means.peers is not None
        train, test = m4_weekly(means.data)
        library, model, settings = NETWORKS[method]
        series = list(train.values())
        lengths = {"horizon": HORIZON, "lookback": LOOKBACK, "valid": HORIZON}
        job = peers.NetworkJob(library, model, series, series, **lengths, seed=seed, settings=settings)
        found, facts = peers.ask(means.peers, job, threads=means.threads)
        record = m4_record(series, np.stack(list(test.values())), found["forecasts"], {})
        return {wanted[0]: {**record, **facts}}

    return run


def _scored(
    train: Sequence[np.ndarray],
    truth: np.ndarray,
    values: np.ndarray,
    bounds: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> Record:
    """As `m4_record`; raises RuntimeError where series have no forecast, with the scores of the others."""
    there = np.asarray(np.isfinite(values).all(axis=1))
    if there.all():
        return m4_record(train, truth, values, bounds)
    lost = f"{np.count_nonzero(~there)} of {len(there)} series have no forecast"
    if not there.any():
        raise RuntimeError(lost)
    others = [past for past, known in zip(train, there) if known]
    scores = m4_record(others, truth[there], values[there], {})["scores"]
    raise RuntimeError(f"{lost}; the others have a sMAPE of {scores['smape']:.3f} and a MASE of {scores['mase']:.3f}")


def _command(arguments: Sequence[str]) -> Callable[[Means, Sequence[str]], dict[str, Record]]:
    def run(means: Means, wanted: Sequence[str]) -> dict[str, Record]:
        train, test = m4_weekly(means.data)
        weeks = weeks_of(train)
        path = ours.long_table(means.scratch / "m4_weekly.csv", train, weeks)
        split = f"{len(weeks) - HORIZON},{HORIZON}"
        said = ours.forecast(path, HORIZON, ("--id", "id", "--split", split, *arguments), threads=means.threads)
        order = [said.names.index(name) for name in train]
        bounds = {level: (low[order], high[order]) for level, (low, high) in said.bounds.items()}
        record = _scored(list(train.values()), np.stack(list(test.values())), said.values[order], bounds)
        return {wanted[0]: {**record, "seconds": said.seconds, "chosen": said.chosen}}

    return run
