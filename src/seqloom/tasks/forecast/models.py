"""The forecast models by name, in one place: networks, the baselines and statistical methods, and their average."""

from __future__ import annotations

from typing import Any

from seqloom_runtime.forecast.mixture import ENSEMBLE

from ...diagnostics import BASELINES
from ..networks import names_for

__all__ = ["ENSEMBLE", "MODELS", "TOLD", "candidate_changes", "is_network"]

MODELS = names_for("forecast", before=(ENSEMBLE,), after=BASELINES)
TOLD = (
    (
        "damped",
        "'damped-trend' is exponential smoothing with a damped trend; 'damped-persistence' is the last value, shrunk "
        "towards the usual one, and was called 'damped' before.",
    ),
)
"""What to say about names that are no model's."""
"""What `model=` may name. The constraint, the comparison, saved models and `--help` follow it."""


NETWORK_NAMES = names_for("forecast")


def is_network(name: str) -> bool:
    """Whether a model of that name is a network; a candidate's name too, such as "log-gru@1"."""
    return candidate_changes(name)["model"] not in (*BASELINES, ENSEMBLE)


def candidate_changes(name: str) -> dict[str, Any]:
    """The parameters that a candidate's name fixes: "gru@1" is a gru with the seed + 1 (`seeds_on`), "log-gru" one of
    the target's logarithms.

    >>> candidate_changes("log-gru@2")
    {'model': 'gru', 'seeds_on': 2, 'transform': 'log'}
    >>> candidate_changes("log-arima")
    {'model': 'log-arima', 'seeds_on': 0}
    """
    model, _, number = name.partition("@")
    seeds_on = int(number) if number.isdecimal() else 0
    bare = model.removeprefix("log-")
    if model not in BASELINES and bare != model and bare in NETWORK_NAMES:
        return {"model": bare, "seeds_on": seeds_on, "transform": "log"}
    return {"model": model, "seeds_on": seeds_on}
