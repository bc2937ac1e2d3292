"""From settings and a table to the models and their parameters, with a sentence for each choice made for the user."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import Panel, Split, WindowSpec
from ..diagnostics import BASELINES
from ..errors import SettingError, shown
from ..tasks import Forecaster
from ..tasks.forecast import lengths_for
from ..tasks.forecast.windowed import observed_part
from . import options as o
from .tables import Settings

__all__ = ["Plan", "plan_for", "usual_epochs"]

# On small tables epochs are short and many are needed, on large ones few suffice; patience ends them earlier.
_STEPS, _FEWEST, _MOST = 1500, 20, 300


@dataclass(frozen=True)
class Plan:
    """The models by name, the parameters that they share, and what was chosen because no flag said it."""

    models: tuple[str, ...]
    parameters: dict[str, Any]
    notes: tuple[str, ...]


def plan_for(settings: Settings, panel: Panel, target: str) -> Plan:
    """Resolve the settings against the table; raises SettingError for a value that can't be, naming it."""
    usual = lengths_for(panel.frequency)
    notes = []
    given = o.parameters_of(settings, "Forecaster")
    lengths = {name: getattr(usual, name) for name in ("lookback", "horizon", "season") if name not in given}
    chosen = [f"--{name} {rows:.6g}" for name, rows in lengths.items() if rows is not None]
    if chosen:
        notes.append(f"Not given and chosen for rows of {panel.frequency.label}: {', '.join(chosen)}.")
    parameters: dict[str, Any] = {**given, **lengths}
    models = list(dict.fromkeys(o.names(settings.model)))
    if not models:
        raise SettingError(f"--model: expected one or more names of models, got {shown(settings.model)}.")
    # Only the default list is shortened; whoever asks for `seasonal` by name gets the error that tells what it needs.
    if parameters["season"] is None and settings.model == settings.defaults()["model"]:
        models.remove("seasonal")
        notes.append(
            "The seasonal baseline is left out: rows without times have no known season; give one with --season."
        )
    # All before the first is trained: the last model's wrong setting would else show after hours.
    for name in ("naive", *models):
        Forecaster(model=name, **parameters).check(panel)
    if settings.epochs is None and not set(models) <= set(BASELINES):
        parameters["epochs"], steps = usual_epochs(parameters, observed_part(panel, target))
        each = f"{steps:,} {'batch' if steps == 1 else 'batches'}"
        notes.append(
            f"Not given and chosen for the number of training rows: --epochs {parameters['epochs']} (of {each})."
        )
    return Plan(tuple(models), parameters, tuple(notes))


def usual_epochs(parameters: dict[str, Any], panel: Panel) -> tuple[int, int]:
    """Epochs that make about 1,500 optimizer steps (20 epochs at least, 300 at most), and the steps of one epoch.

    The training windows are counted from the rows before the split; those that gaps or repairs cost are not known yet.
    """
    steps = parameters.get("steps_per_epoch")
    if steps is None:
        lengths = {name: panel.frequency.rows(parameters[name], name) for name in ("lookback", "horizon", "every")}
        span = WindowSpec(**lengths, at=parameters["at"]).span
        train_end = Split.make(panel, parameters["split"]).train_end
        parts = zip(panel.offsets[:-1], panel.offsets[1:])
        rows = [int(np.count_nonzero(panel.tick[first:end] < train_end)) for first, end in parts]
        windows = sum(max(0, count - span + 1) for count in rows)
        steps = max(1, math.ceil(windows / parameters["batch_size"]))
    return min(max(math.ceil(_STEPS / steps), _FEWEST), _MOST), steps
