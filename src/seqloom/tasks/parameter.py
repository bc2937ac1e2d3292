"""`Parameter`: an entry of the table of parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .constraints import Constraint

__all__ = ["Parameter"]


@dataclass(frozen=True)
class Parameter:
    """One parameter of the estimators.

    constraint: what it may be. default: where an estimator has no other. help: what it is, in one line without a full
    stop. panel: of the command line's help. unit: what its value counts, as the help's metavar; "" for the usual one of
    its kind. shown: the default in words, where it is None. flag: on the command line, where it isn't the name.
    source: the name that others give it, or the paper that introduced it.
    """

    name: str
    constraint: Constraint
    default: Any
    help: str
    panel: str = "Models"
    unit: str = ""
    shown: str = ""
    flag: str = ""
    source: str = ""
