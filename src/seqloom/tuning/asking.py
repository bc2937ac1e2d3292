"""What a search tries next: the defaults of each model first, then what a tree-structured Parzen estimator proposes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ..training import derive_seed
from .dimensions import Dimension
from .storage import Trial, distribution, import_optuna

__all__ = ["ask"]

_STARTUP = 8
"""Trials at random before the estimator says anything; Optuna takes 10, which is a quarter of a usual search."""

Spaces = Mapping[str, Mapping[str, Dimension]]


def ask(
    number: int, trials: Sequence[Trial], spaces: Spaces, defaults: Mapping[str, Mapping[str, Any]], seed: int
) -> tuple[Trial, dict[str, Any], dict[str, Any]]:
    """Trial `number` of a search, whose earlier ones are `trials`; its distributions and values for the storage.

    It follows from the arguments alone: a generator for each trial, so that a search which was killed while it asked
    asks the same again. Trials that have not ended yet count as bad ones, so that a round does not ask for one thing
    (`constant_liar`).
    """
    models = list(spaces)
    own = derive_seed(seed, "trial", str(number))
    if number < len(models):
        model = models[number]
        # The first trial of a model has its defaults and the run's seed: the search then never ends below them.
        trial = Trial(number, model, {}, seed)
        return trial, *_held(model, models, spaces, defaults[model])
    optuna = import_optuna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = optuna.samplers.TPESampler(
            seed=own % (1 << 32), n_startup_trials=_STARTUP, multivariate=False, constant_liar=True
        )
        study = optuna.create_study(sampler=sampler, direction="minimize")
        study.add_trials([_told(optuna, trial, models, spaces, defaults) for trial in trials])
        asked = study.ask()
        model = models[0] if len(models) == 1 else asked.suggest_categorical("model", models)
        parameters = {name: _suggest(asked, f"{model}.{name}", dimension) for name, dimension in spaces[model].items()}
    trial = Trial(number, model, parameters, own)
    return trial, dict(asked.distributions), dict(asked.params)


def _suggest(asked: Any, name: str, dimension: Dimension) -> Any:
    from .dimensions import Choice

    if isinstance(dimension, Choice):
        return asked.suggest_categorical(name, dimension.values)
    if dimension.whole:
        return int(asked.suggest_int(name, int(dimension.low), int(dimension.high), log=dimension.log))
    return float(asked.suggest_float(name, dimension.low, dimension.high, log=dimension.log))


def _held(
    model: str, models: Sequence[str], spaces: Spaces, values: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The distributions of a model's space and the values that lie in them: a default may lie outside."""
    known: dict[str, Any] = {}
    distributions: dict[str, Any] = {}
    if len(models) > 1:
        from .dimensions import Choice

        distributions["model"], known["model"] = distribution(Choice(tuple(models))), model
    for name, dimension in spaces[model].items():
        if name in values and dimension.holds(values[name]):
            distributions[f"{model}.{name}"], known[f"{model}.{name}"] = distribution(dimension), values[name]
    return distributions, known


def _told(
    optuna: Any, trial: Trial, models: Sequence[str], spaces: Spaces, defaults: Mapping[str, Mapping[str, Any]]
) -> Any:
    """A trial as the estimator sees it."""
    states = optuna.trial.TrialState
    values = trial.parameters or defaults[trial.model]
    distributions, known = _held(trial.model, models, spaces, values)
    state = {"asked": states.RUNNING, "complete": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}
    last = {rung: value for rung, value in trial.rungs.items() if value is not None}
    value = trial.value if trial.state == "complete" else last[max(last)] if last and trial.state == "pruned" else None
    return optuna.trial.create_trial(
        state=state[trial.state] if trial.state != "pruned" or last else states.FAIL,
        value=value,
        params=known,
        distributions=distributions,
        intermediate_values=last,
    )
