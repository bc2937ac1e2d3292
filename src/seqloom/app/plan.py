"""From settings and a table to the models and their parameters, with a sentence for each choice made for the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqloom_runtime.data import Decision, Panel, Split, WindowSpec
from seqloom_runtime.data.decisions import SETTING
from seqloom_runtime.data.on_disk import SampledPanel
from seqloom_runtime.errors import SettingError, shown, suggest
from seqloom_runtime.forecast.known_rows import observed_part
from seqloom_runtime.forecast.roles import Inputs, Roles
from seqloom_runtime.forecast.stored_rows import training_windows_of
from seqloom_runtime.statistical.fitted_runs import FEWEST_ROWS

from ..diagnostics import BASELINES
from ..tasks import Forecaster
from ..tasks.forecast import candidate, lengths_for
from ..tasks.forecast.budget import usual_training
from ..tasks.forecast.chosen_lengths import length_notes, rows_text, with_values
from ..tasks.forecast.comparison import check_members, loss_for
from ..tasks.forecast.models import is_network
from ..tasks.forecast.presets import PRESETS, Candidates, Preset, candidates_for, models_of, work_allowed
from ..tasks.forecast.shortening import FEWEST, Fitting, fit_lengths
from . import options as o
from .flags import in_flags
from .tables import Settings

__all__ = ["Plan", "plan_for", "training_windows"]


@dataclass(frozen=True)
class Plan:
    """The models by name, the parameters that they share, and what was chosen because no flag said it.

    ahead: rows to forecast, where the table holds no windows of so many in each part and the horizon is a shorter one.
    """

    models: tuple[str, ...]
    parameters: dict[str, Any]
    decisions: tuple[Decision, ...]
    candidates: Candidates | None = None
    ahead: int | None = None

    @property
    def optional(self) -> tuple[str, ...]:
        """The models that nobody named, which may be left out where they can't be fitted."""
        return () if self.candidates is None else self.candidates.models

    @property
    def notes(self) -> list[str]:
        """The sentences of the decisions."""
        return [decision.text for decision in self.decisions]


def plan_for(settings: Settings, panel: Panel, target: str, *, inputs: Inputs = None, parts: bool = True) -> Plan:
    """Resolve the settings against the table; raises SettingError for a value that can't be, naming it.

    `inputs` are those of `settings` unless named, as those of a long panel are. `parts` says whether the table is to be
    split: a backtest cuts it elsewhere, and says itself where it can't.
    Raises SettingError or DataError where the table holds no window of what was given, with values that work.
    """
    given = o.parameters_of(settings, "Forecaster")
    preset = _preset(settings)
    ahead = bool(settings.future) or settings.holidays is not None
    models = list(dict.fromkeys(o.names(settings.model) if preset is None else models_of(preset.name, ahead)))
    if not models:
        raise SettingError(f"--model: expected one or more names of models, got {shown(settings.model)}.")
    usual_models = settings.model == settings.defaults()["model"]
    free = [name for name in models if not _needs_season(name)] if usual_models else models
    reads = o.inputs_named(settings.inputs, panel.columns) if inputs is None else inputs
    named = (given.get("static", ()), given.get("categories", ()))
    roles = Roles.choose(panel, target, reads, o.names(settings.future), *named)
    fitting, beyond = _fitted(settings, roles, panel, given, free), None
    if parts and settings.split == settings.defaults()["split"] and _goes_on(fitting, given, roles, free):
        beyond = panel.frequency.rows(given["horizon"], "horizon")
        given = {**given, "horizon": fitting.together["horizon"]}
        fitting = _fitted(settings, roles, panel, given, free)
    if fitting.problem is not None and (parts or fitting.known < FEWEST):
        _check_models(free, {**given, **fitting.values, **fitting.together}, panel, fitting)
        told = with_values(fitting)
        raise type(told)(in_flags(str(told)))
    parameters: dict[str, Any] = {**given, **fitting.values}
    notes = list(map(in_flags, length_notes(fitting, given, panel, ("lookback", "horizon", "season"))))
    if beyond is not None:
        notes.insert(
            0,
            f"--horizon {settings.horizon}: the table has {rows_text(fitting.rows)}, too few to train, choose and "
            f"score so far ahead; models are scored {rows_text(int(given['horizon']))} ahead, and the forecast goes "
            "on from its own forecasts.",
        )
    # Only the default list is shortened; whoever asks for `seasonal` by name gets the error that tells what it needs.
    if fitting.found_season is not None:
        notes.append(_found_season(fitting.found_season))
    if parameters["season"] is None and usual_models and preset is None:
        models = [name for name in models if not _needs_season(name)]
        notes.append(f"The seasonal baseline is left out: {_why_no_season(fitting, panel)} with --season.")
    elif "season" not in given:
        notes += _season_notes(parameters["season"], fitting, models, panel)
    tried = None
    if preset is not None:
        why = f"{_why_no_season(fitting, panel)} with --season"
        tried = candidates_for(preset.name, panel, parameters["split"], parameters["season"], target, why, ahead=ahead)
        models = [name for name in models if name in tried.models]
        notes += map(in_flags, tried.notes(short=True))
        if settings.time_limit == settings.defaults()["time_limit"]:
            parameters |= work_allowed(preset.name)
    if any(is_network(name) for name in models):
        parameters, chosen_loss = loss_for(parameters, panel, target)
        notes += map(in_flags, chosen_loss)
    _check_models(models, parameters, panel, fitting)
    if settings.epochs is None and any(is_network(name) for name in models):
        chosen = usual_training(parameters, training_windows(parameters, observed_part(panel, target)))
        each = f"{chosen['steps_per_epoch']:,} batches"
        notes.append(
            f"Not given and chosen for the number of training rows: --epochs {chosen['epochs']} (at most, of {each}), "
            f"--batch-size {chosen['batch_size']}, --learning-rate {chosen['learning_rate']:g}."
        )
    return Plan(tuple(models), parameters, tuple(Decision(SETTING, note) for note in notes), tried, beyond)


def _preset(settings: Settings) -> Preset | None:
    """The preset that names the models, None where they are named themselves or the command has none."""
    asked = vars(settings).get("preset")
    if asked is None:
        return None
    if asked not in PRESETS:
        raise SettingError(
            f"--preset: expected one of {', '.join(PRESETS)}, got {shown(asked)}.{suggest(asked, PRESETS)}"
        )
    if settings.model == settings.defaults()["model"]:
        return PRESETS[asked]
    if asked != settings.defaults()["preset"]:
        raise SettingError(f"--preset: {asked} names the models, and --model does too; leave one of them out.")
    return None


def _needs_season(name: str) -> bool:
    return name in BASELINES and BASELINES[name].season == "required"


def _fitted(settings: Settings, roles: Roles, panel: Panel, given: dict[str, Any], models: list[str]) -> Fitting:
    split_given = settings.split != settings.defaults()["split"]
    known = {name: value for name, value in given.items() if name != "split"}
    return fit_lengths(panel, known, roles, models, make=Forecaster, split=given["split"], split_given=split_given)


def _goes_on(fitting: Fitting, given: dict[str, Any], roles: Roles, models: list[str]) -> bool:
    """Whether a shorter horizon alone would do, past which each of the models can read its own forecasts."""
    if fitting.problem is None or "horizon" not in given or given.get("at", "path") != "path":
        return False
    kept = fitting.together.get("lookback") == given.get("lookback", fitting.together.get("lookback"))
    other = set(roles.inputs) | set(roles.future) > {roles.target}
    return kept and "horizon" in fitting.together and not (other and any(map(is_network, models)))


def _why_no_season(fitting: Fitting, panel: Panel) -> str:
    usual = lengths_for(panel.frequency).season
    if usual is not None:
        return (
            f"the usual season of {usual:,.6g} rows of {panel.frequency.label} is longer than the "
            f"{rows_text(fitting.train_rows)} to train on; give a shorter one"
        )
    if panel.time is None:
        return "rows without times have no known season; give one"
    return f"rows of {panel.frequency.label} have no known season; give one"


def _found_season(season: int) -> str:
    return (
        f"Not given and found in the training rows, as rows without times tell none: --season {season} (--season 1 "
        "goes without)."
    )


def _season_notes(season: float | None, fitting: Fitting, models: list[str], panel: Panel) -> list[str]:
    """What a usual season that the training rows are too few for means to the models that were named."""
    usual = lengths_for(panel.frequency).season
    there = f"there are {rows_text(fitting.train_rows)} to train on"
    seasonal = [name for name in models if name in BASELINES and BASELINES[name].season == "optional"]
    short = season is not None and FEWEST_ROWS + 2 * round(season) > fitting.train_rows
    if (season is None or short) and usual is not None and seasonal:
        return [
            f"{', '.join(seasonal)}: fitted without a season, because {there}, too few for the usual season of "
            f"{usual:,.6g} rows; give a shorter one with --season."
        ]
    if season is not None and season > fitting.train_rows and "seasonal" in models:
        return [
            f"seasonal can't be scored before a season of {season:,.6g} rows has passed, and {there}; give a shorter "
            "one with --season, or more rows."
        ]
    return []


def _check_models(models: list[str], parameters: dict[str, Any], panel: Panel, fitting: Fitting) -> None:
    """Raise SettingError for what no length would mend, and where the table can't hold what a pooled network reads."""
    chosen = {change.name for change in fitting.shortened} | set(fitting.together)
    if "lookback" in chosen:
        for name, needed in fitting.reads.items():
            _check_reading(name, needed, parameters, fitting.train_rows)
    elif fitting.problem is not None:
        return
    check_members(parameters, models)
    # All before the first is trained: the last model's wrong setting would else show after hours.
    for name in ("naive", *models):
        candidate(name, parameters, ("naive", *models)).check(panel)


def _check_reading(name: str, needed: int, parameters: dict[str, Any], train_rows: int) -> None:
    rows = parameters["lookback"]
    if isinstance(rows, int) and needed > rows:
        smaller = (
            f", or make it smaller: --channels {_channels(parameters['units'])} --kernel-size 3" if rows >= 3 else ""
        )
        raise SettingError(
            f"--model: {name!r} needs windows of at least {rows_text(needed)}, and with {rows_text(train_rows)} to "
            f"train on they hold {rows_text(rows)}; leave it out{smaller}."
        )


def _channels(units: Any) -> str:
    return ",".join(map(str, units)) if isinstance(units, (list, tuple)) else str(units)


def training_windows(parameters: dict[str, Any], panel: Panel) -> int:
    """How many windows train, counted from the rows before the split: gaps and repairs may cost some of them."""
    lengths = {name: panel.frequency.rows(parameters[name], name) for name in ("lookback", "horizon", "every")}
    span = WindowSpec(**lengths, at=parameters["at"]).span
    split = Split.make(panel, parameters["split"])
    if isinstance(panel, SampledPanel) and panel.stored is not None:
        return training_windows_of(panel.stored, WindowSpec(**lengths, at=parameters["at"]), split)
    train_end = split.train_end
    parts = zip(panel.offsets[:-1], panel.offsets[1:])
    rows = [int(np.count_nonzero(panel.tick[first:end] < train_end)) for first, end in parts]
    return sum(max(0, count - span + 1) for count in rows)
