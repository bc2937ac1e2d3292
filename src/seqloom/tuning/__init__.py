"""Searching for hyperparameters: trials chosen by what was found so far, on validation alone, the best kept."""

from __future__ import annotations

from .dimensions import Choice, Range, parse_space
from .events import TrialFinished, TrialsAsked
from .joining import Join, Joined
from .search import Search, SearchPlan
from .spaces import default_space
from .tuner import Tuning, tune

__all__ = [
    "Choice",
    "Join",
    "Joined",
    "Range",
    "Search",
    "SearchPlan",
    "TrialFinished",
    "TrialsAsked",
    "Tuning",
    "default_space",
    "parse_space",
    "tune",
]
