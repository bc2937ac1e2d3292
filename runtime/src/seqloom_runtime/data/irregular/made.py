"""Made records like those of an intensive-care unit, of which the best possible risk is known exactly.

A patient is in one of four hidden states and moves between them, or into the event, at constant rates (a Markov chain
in continuous time, rates in events per hour). Rows come at random times, more often the worse the state; at a row each
column is measured with a probability of the state, and its value is normal around the state's mean. Which columns are
measured, and when, therefore says as much as the values. What a row's past says about the state is the forward
algorithm of a Markov-modulated Poisson process, and of the states follows the probability of the event within a
horizon: no model that reads the same rows can rank better, on average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import SettingError
from ..decisions import Decision
from .onsets import within_horizon
from .records import Records

__all__ = ["MadeRecords", "exact_risk", "made_records"]

COLUMNS = ("heart_rate", "mean_pressure", "respiration", "temperature", "lactate", "oxygen")
_START = np.array([0.55, 0.28, 0.13, 0.04])  # stable, watched, deteriorating, critical
# Row i, column j: the rate at which state i becomes j; the last column is the event.
_MOVES = np.array(
    [
        [0.0, 0.05, 0.0, 0.0, 0.0005],
        [0.08, 0.0, 0.06, 0.0, 0.001],
        [0.0, 0.07, 0.0, 0.09, 0.008],
        [0.0, 0.0, 0.06, 0.0, 0.14],
    ]
)
_ROWS = np.array([0.5, 0.7, 1.1, 1.8])  # rows per hour in each state
_MEASURED = np.array(
    [
        [0.70, 0.40, 0.50, 0.25, 0.02, 0.10],
        [0.70, 0.50, 0.50, 0.25, 0.06, 0.20],
        [0.75, 0.65, 0.60, 0.30, 0.22, 0.40],
        [0.85, 0.80, 0.70, 0.30, 0.45, 0.60],
    ]
)
_MEANS = np.array(
    [
        [80.0, 82.0, 16.0, 37.0, 1.4, 96.5],
        [86.0, 79.0, 18.0, 37.2, 1.7, 95.5],
        [94.0, 74.0, 20.5, 37.4, 2.3, 94.0],
        [103.0, 67.0, 23.0, 37.5, 3.2, 92.0],
    ]
)
_SPREADS = np.array([18.0, 15.0, 5.5, 0.7, 1.1, 3.5])
_STAY = (18.0, 54.0)  # hours until a patient leaves, where no event ends the record
_MOST = 100_000


@dataclass(frozen=True, eq=False)
class MadeRecords:
    """records: with the event at every step. risk (rows,) float64: the exact probability, given the rows until then,
    that the event comes within the horizon."""

    records: Records
    risk: np.ndarray


def made_records(count: int, *, seed: int = 0, horizon: float = 6.0) -> MadeRecords:
    """`count` records of six columns over 18 to 54 hours, and the best possible risk at each row.

    The same seed makes the same records. Raises SettingError for a count below 1 or too large, or a horizon that isn't
    above 0.

    >>> made = made_records(3, seed=1)
    >>> len(made.records), made.records.columns[:2], bool(((made.risk > 0) & (made.risk < 1)).all())
    (3, ('heart_rate', 'mean_pressure'), True)
    """
    if not 1 <= count <= _MOST:
        raise SettingError(f"count: expected 1 to {_MOST:,} records, got {count}.")
    if not horizon > 0:
        raise SettingError(f"horizon: expected hours above 0, got {horizon}.")
    draw = np.random.Generator(np.random.Philox(key=seed))
    record, times, states, onset = _lived(draw, count)
    order = np.lexsort((times, record))
    times, values = times[order], _measured(draw, states[order])
    offsets = np.concatenate([[0], np.cumsum(np.bincount(record, minlength=count))]).astype(np.int64)
    records = Records(
        values,
        times,
        offsets,
        COLUMNS,
        tuple(f"p{n:05d}" for n in range(count)),
        target=within_horizon(times, offsets, onset, horizon),
        every_step=True,
        onset=onset,
        unit="h",
        horizon=horizon,
        label="event",
        classes=("no event", "event"),
        decisions=[Decision("event", f"{count:,} made records; the event is asked for within {horizon:g} h.")],
    )
    return MadeRecords(records, exact_risk(records, horizon))


def _lived(draw: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The rows of all records, as record, time and hidden state, each (rows,); and the events (N,), NaN for none."""
    state = _drawn(draw, np.tile(_START, (count, 1)))
    now, leaves, onset = np.zeros(count), draw.uniform(*_STAY, count), np.full(count, np.nan)
    there = np.arange(count)
    rows = [(there, now, state.copy())]  # everyone has a row at the start
    sums = np.cumsum(np.column_stack([_MOVES, _ROWS]), axis=1)  # a move, the event, or a row
    while len(there):
        now = now + draw.exponential(1.0, len(there)) / sums[state, -1]
        stays = now < leaves[there]
        there, now, state = there[stays], now[stays], state[stays]
        what = (draw.random(len(there))[:, None] * sums[state, -1:] >= sums[state]).sum(axis=1)
        row, event = what == len(_START) + 1, what == len(_START)
        rows.append((there[row], now[row], state[row]))
        onset[there[event]] = now[event]
        state = np.where(what < len(_START), what, state)
        there, now, state = there[~event], now[~event], state[~event]
    record, times, states = (np.concatenate(parts) for parts in zip(*rows))
    return record, times, states, onset


def _measured(draw: np.random.Generator, states: np.ndarray) -> np.ndarray:
    """Values (rows, D) of rows in these states, NaN where a column isn't measured."""
    values = draw.normal(_MEANS[states], _SPREADS)
    there = draw.random(values.shape) < _MEASURED[states]
    there[~there.any(axis=1), 0] = True  # a row holds something
    return np.where(there, np.round(values, 2), np.nan)


def _drawn(draw: np.random.Generator, weights: np.ndarray) -> np.ndarray:
    """A position in each row of weights (N, K), drawn with them."""
    sums = np.cumsum(weights, axis=1)
    return (draw.random(len(sums))[:, None] * sums[:, -1:] >= sums).sum(axis=1)


def exact_risk(records: Records, horizon: float) -> np.ndarray:
    """(rows,) float64: P(event within `horizon` | the rows so far), by the forward algorithm; of made records alone."""
    states = len(_START)
    inside = _MOVES[:, :states] - np.diag(_MOVES.sum(axis=1))  # the generator of the states before the event
    silent = _Exponential(inside - np.diag(_ROWS))  # between two rows: no row, and no event
    survives = _Exponential(inside)(np.array([horizon]))[0].sum(axis=1)  # (K,)
    seen = _log_likelihood(records.values)
    lengths, starts = records.lengths, records.offsets[:-1]
    belief = np.tile(np.log(_START), (len(records), 1))
    risk = np.empty(len(records.values))
    for step in range(int(lengths.max())):
        there = np.flatnonzero(lengths > step)
        rows = starts[there] + step
        if step:
            gaps = records.times[rows] - records.times[rows - 1]
            moved = np.einsum("nk,nkj->nj", np.exp(belief[there]), silent(gaps)) * _ROWS
            belief[there] = np.log(np.maximum(moved, 1e-300))
        now = belief[there] + seen[rows]
        now -= np.logaddexp.reduce(now, axis=1)[:, None]
        belief[there] = now
        risk[rows] = 1.0 - np.exp(now) @ survives
    return risk


def _log_likelihood(values: np.ndarray) -> np.ndarray:
    """(rows, K): the log-likelihood of a row's measurements and gaps in each state."""
    there = ~np.isnan(values)[:, None, :]
    z = (np.nan_to_num(values)[:, None, :] - _MEANS) / _SPREADS
    # Heart rate alone also stands where chance would have left the row empty.
    found = np.where(there, np.log(_MEASURED) - 0.5 * z**2, np.log1p(-_MEASURED)).sum(axis=2)
    # A row in which chance left everything out holds the heart rate after all: it stands alone with or without luck.
    alone = there[:, 0, 0] & (there[:, 0, 1:].sum(axis=1) == 0)
    return found - np.where(alone[:, None], np.log(_MEASURED[:, 0]), 0.0)


class _Exponential:
    """exp(A t) for many t, from the eigenvectors of A (K, K)."""

    def __init__(self, matrix: np.ndarray) -> None:
        self._roots, self._vectors = np.linalg.eig(matrix)
        self._inverse = np.linalg.inv(self._vectors)

    def __call__(self, times: np.ndarray) -> np.ndarray:
        """(N,) → (N, K, K)."""
        grown = np.exp(self._roots * times[:, None])
        return np.real(np.einsum("ik,nk,kj->nij", self._vectors, grown, self._inverse))
