"""What a search tells while it runs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TrialFinished", "TrialsAsked"]


@dataclass(frozen=True)
class TrialsAsked:
    """A round of trials begins: `first` to `last` of at most `total`, numbers from 0."""

    first: int
    last: int
    total: int


@dataclass(frozen=True)
class TrialFinished:
    """A trial is done, stopped as others were better, or failed; `value` is its score on validation.

    score: the name of the value, as people read it, "" while no trial was scored. best: the value of the best trial so
    far, whose number is `leader`. epochs: how many the trial was trained for, where that is known. failed: why.
    """

    number: int
    total: int
    state: str  # complete, pruned or failed
    value: float | None
    best: float | None
    kept: bool = False  # an earlier process did it
    score: str = ""
    lower_is_better: bool = True
    leader: int | None = None
    epochs: int | None = None
    failed: str = ""
