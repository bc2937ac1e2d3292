"""Forecasts of many series by the workers of an engine: each job is a stretch of series."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from seqloom_runtime.errors import DataError
from seqloom_runtime.forecast.predicting import SeriesAhead, Spread, Stretch
from seqloom_runtime.forecast.stand_in import Lost

from ...engines import Engine, Failed, open_engine

__all__ = ["SeriesForecast", "spread_by"]

_LONGEST = 512
_JOBS = 32
"""A job has the 32nd part of the series, 512 at most: the same stretches for any number of workers."""


@dataclass(frozen=True)
class SeriesForecast:
    """Workers have forecast `done` of `total` series by now."""

    done: int
    total: int


@contextmanager
def spread_by(engine: str | Engine | None, on_event: Callable[[Any], None] | None) -> Iterator[Spread | None]:
    """Who forecasts the series while the block runs: the workers of an engine, or None for this process itself."""
    if engine is None:
        yield None
        return
    with open_engine(engine) as workers:
        yield _over(workers, on_event)


def _over(engine: Engine, on_event: Callable[[Any], None] | None) -> Spread:
    """Stretches by the workers of an engine, which are those that one process makes, bit for bit."""

    def spread(ahead: SeriesAhead) -> Sequence[Stretch]:
        total = len(ahead.panel.ids)
        length = max(1, min(_LONGEST, -(-total // _JOBS)))
        jobs = [[first, min(first + length, total)] for first in range(0, total, length)]
        done = 0

        def tell(index: int, found: Any) -> None:
            nonlocal done
            done += jobs[index][1] - jobs[index][0]
            if on_event is not None:
                on_event(SeriesForecast(done, total))

        return [_stretch_of(found) for found in engine.run(_stretch_job, ahead, jobs, on_result=tell)]

    return spread


def _stretch_job(shared: SeriesAhead, job: Sequence[int], tell: Callable[[Any], None]) -> dict[str, Any]:
    """A stretch of series, in a worker."""
    found = shared.stretch(job[0], job[1])
    return {
        "values": found.values,
        "knots": found.knots,
        "notes": found.notes,
        "refused": [str(error) for error in found.refused],
        "why": found.lost.why,
        "replaced": found.lost.replaced,
    }


def _stretch_of(found: Any) -> Stretch:
    if isinstance(found, Failed):
        raise found.error()
    refused = [DataError(text) for text in found["refused"]]
    return Stretch(found["values"], found["knots"], found["notes"], refused, Lost(found["why"], found["replaced"]))
