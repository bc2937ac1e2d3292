"""A comparison of forecasters on one table: what forecasting tells and writes beyond the other tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqloom_runtime.data import Decision, Panel, Split
from seqloom_runtime.data.decisions import SETTING
from seqloom_runtime.data.on_disk import SampledPanel
from seqloom_runtime.errors import DataError, SeqloomError, SettingError, TrainingError, shown
from seqloom_runtime.files import write_json
from seqloom_runtime.forecast.features import Features
from seqloom_runtime.forecast.forecast_table import ForecastTable
from seqloom_runtime.forecast.mixture import ENSEMBLE
from seqloom_runtime.forecast.roles import Inputs, Roles
from seqloom_runtime.forecast.targets import table_rows

from ...diagnostics import BASELINES
from ...engines import Engine
from ..checkpointing import Checkpointing
from ..comparison import Comparison, Evaluation, Task, compare_models
from ..comparison.compare import Search
from ..comparison.tables import history_csv, predictions_csv
from .bounded import is_intermittent
from .choosing import Standing, best_of
from .chosen_lengths import with_lengths
from .drawn_series import drawn_series
from .explained_run import ExplainedRun
from .forecaster import Forecaster
from .made_fits import made_fit
from .models import candidate_changes, is_network
from .panel_errors import PanelErrors
from .prepared_data import PreparedData
from .preset_models import of_preset
from .presets import USUAL_PRESET, Candidates
from .recent import recent_rows
from .refitting import refitted
from .scoring import statements
from .stored_training import about_stored, training_windows
from .targets import listed_plainly, targets_record, unit_of_data
from .told import joined_notes, left_out_together, same_forecasts
from .windowed import ForecastData

__all__ = ["ForecastRun", "candidate", "check_members", "compare_forecasters"]

_BASELINE = "naive"
_HISTORY = ("model", "epoch", "step", "learning_rate", "train_loss", "valid_loss", "valid_mae")


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastRun(Comparison):
    """What a comparison found: the metrics as in `metrics.json`, the fitted forecasters, and the forecast of the best.

    `final` is the best one fitted once more on all rows, which made the forecast and is saved, or the best one itself.
    `table` has no rows where the best model can't forecast from the end of the data; the metrics' notes say why.
    """

    table: ForecastTable
    data: ForecastData
    final: Forecaster

    @property
    def forecasters(self) -> dict[str, Forecaster]:
        """The fitted forecasters by model."""
        return self.estimators


def compare_forecasters(
    panel: Panel,
    models: Sequence[str] | None,
    parameters: Mapping[str, Any],
    *,
    target: str,
    inputs: Inputs = None,
    future: Sequence[str] = (),
    source: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    directory: str | os.PathLike[str] | None = None,
    resume: bool = False,
    on_event: Callable[[Any], None] | None = None,
    decisions: Sequence[Decision] = (),
    optional: Collection[str] = (),
    refit: bool = True,
    ahead: int | None = None,
    preset: str = USUAL_PRESET,
    candidates: Candidates | None = None,
    given: Mapping[str, str] | None = None,
    wording: Callable[[str], str] | None = None,
    search: Search | None = None,
    about: Mapping[str, Any] | None = None,
    engine: str | Engine | None = None,
) -> ForecastRun:
    """Fit each of `models` (names as in `Forecaster`) on the same windows, score them all, and forecast with the best.

    None takes those of the `preset` (fast, good or best) whose estimated work fits this table; run.json says which, and
    why others are left out. `candidates`: what a caller chose so itself, to be recorded.

    `parameters` are the forecasters' other parameters. The naive baseline always takes part; "ensemble" averages the
    best few of the others, and is the best unless one of them is clearly better (two standard errors); those that are
    `optional` are left out with a note where they can't be fitted. With `refit` the best one is fitted once more on all
    rows, once all are scored, for the forecast and the saved model; `ahead` rows are forecast, where that is not the
    horizon. The best model is chosen
    on the first two thirds of the validation rows; test rows choose nothing. With `directory` everything is written
    there (see docs/files.md) and `resume=True` goes on where an interrupted run stopped, to the same bytes; a finished
    run is left as it is. `settings` and `source` (the names of the time and id columns) are recorded, and beside the
    decisions of the reading those that were taken before. `given`, `wording`, `search`, `about` and
    `engine` are as in `compare_models`.

    Raises SettingError, DataError and TrainingError as `Forecaster.fit` does, and SettingError, FormatError and
    RunLockedError where the folder can't be used.

    >>> import numpy as np
    >>> from seqloom.data import Panel
    >>> panel = Panel.from_numpy(np.sin(np.arange(300) / 4), ["load"])
    >>> parameters = {"lookback": 8, "horizon": 2, "epochs": 3, "batch_size": 16, "learning_rate": 0.02}
    >>> run = compare_forecasters(panel, ["linear"], parameters, target="load")
    >>> run.metrics["best"], list(run.metrics["models"]), len(run.table.values)
    ('linear', ['naive', 'linear'], 2)
    """
    if models is None:
        models, parameters, candidates, optional = of_preset(preset, panel, parameters, target, inputs, future)
        decisions = [*decisions, *(Decision(SETTING, note) for note in candidates.notes())]
    decisions = [*decisions, *(Decision(SETTING, said) for said in about_stored(panel, refit))]
    if any(map(is_network, models)):
        parameters, chosen = loss_for(parameters, panel, target)
        decisions = [*decisions, *(Decision(SETTING, note) for note in chosen)]
    named = list(dict.fromkeys(models))
    check_members(parameters, named)
    models = list(dict.fromkeys([_BASELINE, *named]))
    if ENSEMBLE in models:  # which averages the others, so that it comes last
        models.remove(ENSEMBLE)
        models.append(ENSEMBLE)
    forecasters = {name: candidate(name, parameters, models) for name in models}
    first = forecasters[_BASELINE]
    roles = Roles.choose(panel, target, inputs, future, first.static, first.categories)
    suited, notes = with_lengths(first, panel, roles, named)
    decisions = [*decisions, *(Decision(SETTING, note) for note in notes)]
    for forecaster in forecasters.values():
        forecaster.set_params(lookback=suited.lookback, horizon=suited.horizon, split=suited.split)
        forecaster.check(panel)
    data = forecasters[_BASELINE].prepare(panel, target=target, inputs=inputs, future=future)
    for forecaster in forecasters.values():
        data.transformed(forecaster.transform)  # which a table may not allow: said before the first is trained
    task = _Forecasting(panel, data, {"time": None, "id": None, "frame": "polars", **(source or {})}, decisions)
    task.candidates, task.may_fail, task.refit, task.ahead = forecasters, frozenset(optional), refit, ahead
    task.refit = refit and not isinstance(panel, SampledPanel)  # whose rows are some of those that are known
    asked = {"target": target, "models": models, "inputs": inputs, "future": future, **parameters}
    run = compare_models(
        task,
        forecasters,
        {part: (data, part) for part in ("train", "valid", "test")},
        baseline=_BASELINE,
        baselines=[name for name in models if name in BASELINES],
        directory=directory,
        resume=resume,
        on_event=on_event,
        settings=settings or asked,
        seed=forecasters[_BASELINE].seed,
        given=given,
        wording=wording,
        about={**({} if candidates is None else {"candidates": candidates.to_json()}), **(about or {})},
        search=search,
        engine=engine,
    )
    return ForecastRun(**vars(run), table=task.table, data=data, final=task.final(run.best))


def check_members(parameters: Mapping[str, Any], models: Sequence[str]) -> None:
    """Raise SettingError where members are named and no ensemble is among the models."""
    if parameters.get("members") and ENSEMBLE not in models:
        raise SettingError(
            "members: only an ensemble has members, and none is among the models; add 'ensemble' to them, or leave "
            "members out."
        )


def candidate(name: str, parameters: Mapping[str, Any], models: Sequence[str]) -> Forecaster:
    """The candidate `name`; "gru@1" is a gru with the next seed, "log-gru" one of the target's logarithms, and the
    ensemble chooses from all others."""
    changes = candidate_changes(name)
    changes["seed"] = parameters.get("seed", 0) + changes.pop("seeds_on")
    changes["refit"] = False  # nothing is fitted on rows that are yet to be scored
    if name == ENSEMBLE:
        others = tuple(dict.fromkeys(other for other in models if other != ENSEMBLE))
        given = parameters.get("members") or others
        changes["members"] = (given,) if isinstance(given, str) else given
        for member in changes["members"]:
            if member not in others:
                raise SettingError(
                    f"members: expected models that are compared ({', '.join(others)}), got {shown(member)}; name it "
                    "as a model too."
                )
    return Forecaster().set_params(**{**parameters, **changes})


def loss_for(parameters: Mapping[str, Any], panel: Panel, target: str) -> tuple[dict[str, Any], list[str]]:
    """The parameters, with the loss whose forecast is the mean where the target is intermittent and no loss or
    distribution was given; and a sentence on it."""
    told = "loss" in parameters or parameters.get("distribution") is not None
    if told or panel.wide is not None or target not in panel.columns:  # which is refused later, by name
        return dict(parameters), []
    split = Split.make(panel, parameters.get("split", Forecaster().split))
    if not is_intermittent(panel.column(target)[panel.tick < split.train_end]):
        return dict(parameters), []
    return {**parameters, "loss": "mse"}, ["Not given and chosen for a target that is often 0: loss='mse' of networks."]


def _columns_of_words(features: Features) -> dict[str, Any]:
    """What metrics.json says of the categories and static columns that networks read, where there are any."""
    words = {c.column: [*c.words, *(["another value"] if c.other else [])] for c in features.categories}
    static = list(features.roles.static)
    return {**({"categories": words} if words else {}), **({"static": static} if static else {})}


class _Forecasting(Task):
    """Forecasting: windows of one table are the examples, and the best model forecasts on from its end."""

    files = ("data.json", "metrics.json", "history.csv", "predictions.csv", "forecast.csv")

    def __init__(
        self, panel: Panel, data: ForecastData, source: Mapping[str, Any], decisions: Sequence[Decision]
    ) -> None:
        roles = data.features.roles
        target = roles.target if roles.wide is None else listed_plainly(roles.wide.targets)
        super().__init__("forecast", target=target, unit=unit_of_data(data), source=source)
        self._panel, self._data, self._decisions = panel, data, tuple(decisions)
        self._prepared = PreparedData(panel, data)
        self._series = PanelErrors(panel, data, source.get("id"))
        self.table = ForecastTable.empty(data.panel)
        self.candidates: Mapping[str, Forecaster] = {}
        self.may_fail: frozenset[str] = frozenset()
        self.refit = False
        self.ahead: int | None = None
        self._final: Forecaster | None = None
        self._explained: ExplainedRun | None = None

    def data(self, parts: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
        quality = self._panel.quality
        return {
            "source": None if quality is None else quality.source,
            "fingerprint": self._panel.fingerprint(),
            "rows": table_rows(self._panel),
        }

    def fit(self, estimator: Forecaster, parts: Mapping[str, tuple[Any, ...]], checkpoints: Checkpointing) -> None:
        estimator.fit_prepared(
            self._prepared.of(estimator),
            source=self.source,
            directory=checkpoints.directory,
            resume=checkpoints.resume,
            on_event=checkpoints.on_event,
            fitted=self._members(estimator) if estimator.model == ENSEMBLE else None,
        )

    def is_job(self, name: str, estimator: Forecaster, baselines: Collection[str]) -> bool:
        """Networks and statistical methods are; the ensemble averages what the others became."""
        kind = BASELINES.get(estimator.model)
        return estimator.model != ENSEMBLE and (kind is None or kind.statsmodels)

    def handed_over(self, estimator: Forecaster) -> dict[str, Any] | None:
        return made_fit(estimator, self._prepared.of(estimator)) if estimator.model in BASELINES else None

    def take_over(self, name: str, handed: dict[str, Any]) -> None:
        estimator = self.candidates[name]
        self._prepared.of(estimator).fits[estimator.model] = handed

    def suits(self, estimator: Forecaster) -> bool:
        return self._prepared.suits(estimator)

    def evaluate(self, estimator: Forecaster, part: str, data: tuple[Any, ...]) -> Evaluation:
        return estimator.evaluate(self._prepared.of(estimator), part)

    def _members(self, ensemble: Forecaster) -> dict[str, Forecaster]:
        """The candidates that are fitted by now, of those that it may choose from."""
        return {
            name: self.candidates[name]
            for name in self.candidates
            if name in ensemble.members and hasattr(self.candidates[name], "notes_")
        }

    def left_out(self, name: str, problem: SeqloomError) -> str | None:
        if name not in self.may_fail or not isinstance(problem, (DataError, TrainingError)):
            return None
        return f"{name} is left out: {problem}"

    def kind(self, estimator: Forecaster, usual: str) -> str:
        return ENSEMBLE if estimator.model == ENSEMBLE else usual

    def choose(self, valid: Mapping[str, Evaluation], baseline: str) -> str:
        stands = {
            name: Standing(
                float("inf") if each.rank is None else each.rank,
                each.details["choosing"]["error"],
                0,
                each.details["choosing"]["apart"] or float("inf"),
            )
            for name, each in valid.items()
        }
        return best_of(stands, baseline, ENSEMBLE)

    def about(self, valid: Mapping[str, Evaluation], test: Mapping[str, Evaluation]) -> dict[str, Any]:
        data = self._data
        spec = data.spec
        return {
            **targets_record(data, valid, test),
            **self._series.about(),
            "target": self.target,
            "unit": self.unit,
            "target_scale": data.target_scale,
            "inputs": list(data.features.names),
            **_columns_of_words(data.features),
            "lookback": spec.lookback,
            "horizon": spec.horizon,
            "every": spec.every,
            "at": spec.at,
            "step_label": data.panel.frequency.label,
            "windows": {
                "train": training_windows(data),
                "valid": len(data.valid),
                "valid_choosing": len(data.choose),
                "test": len(data.test),
                "dropped": {reason: int(count) for reason, count in data.windows.dropped.items()},
            },
        }

    def model_facts(self, estimator: Forecaster, valid: Evaluation, test: Evaluation) -> dict[str, Any]:
        step, hour = valid.details["by_step"], valid.details["by_time_of_day"]
        later = test.details["by_time_of_day"]
        if hour is not None:
            minutes = hour["minutes"] or later["minutes"]
            hour = minutes and {"minutes": minutes, "valid_mae": hour["mae"], "test_mae": later["mae"]}
        return {
            "anchor": estimator.anchor_,
            "choosing_mae": estimator.choosing_mae_,
            "choosing": valid.details["choosing"],
            **_shares(estimator),
            "valid": valid.details["scores"],
            "test": test.details["scores"],
            "by_step": {
                "steps": step["steps"],
                "valid_mae": step["mae"],
                "test_mae": test.details["by_step"]["mae"],
            },
            "by_time_of_day": hour,
            **self._series.facts(test),
        }

    def statements(
        self, valid: Mapping[str, Evaluation], test: Mapping[str, Evaluation], baseline: str, best: str
    ) -> list[str]:
        both = {"valid": valid, "test": test}
        scores = {name: {part: both[part][name].details["scores"] for part in both} for name in valid}
        return [*statements(scores, best, baseline), *same_forecasts(valid, test)]

    def notes(self, left_out: Sequence[str], estimators: Mapping[str, Forecaster]) -> list[str]:
        return [*left_out_together(left_out), *joined_notes(estimators)]

    def conclude(self, best: Forecaster, checkpoints: Checkpointing) -> list[str]:
        """Forecast past the end; where that can't be, the comparison stands without it and says why.

        All scores are made by now, so that the rows of the test may be learned from.
        """
        data = self._prepared.of(best)
        self._explained = ExplainedRun.of(best, data)
        notes = list(self._explained.notes)
        if self.refit:
            known, members = best.notes_, self._members(best) if best.model == ENSEMBLE else None
            self._final = best = refitted(best, data, checkpoints, members)
            notes += best.notes_[len(known) :]
        try:
            self.table = best.forecast(horizon=self.ahead)
        except (DataError, SettingError) as error:
            self.table = ForecastTable.empty(
                best.context_, best.radii_, f"No forecast past the end of the data: {error}"
            )
        return [*notes, *self.table.notes]

    def concluded(self) -> dict[str, Any]:
        return {} if self._explained is None else self._explained.to_json(self._final)

    def final(self, best: Forecaster) -> Forecaster:
        return best if self._final is None else self._final

    def write(self, root: Path, run: Comparison) -> None:
        quality = self._data.panel.quality
        chosen = [replace(decision, text=self.wording(decision.text)).to_json() for decision in self._decisions]
        found: dict[str, Any] = {"columns": [], "findings": [], "repairs": []}
        found = found if quality is None else quality.worded(self.wording).to_json()
        if chosen:
            found["decisions"] = [*found.get("decisions", ()), *chosen]
        if recent := recent_rows(self._data):
            found["recent"] = recent
        found["drawn"] = drawn_series(self._panel, self._data.features.roles.target)
        tested = run.test[run.metrics["best"]]
        found |= self._series.extremes(tested, run.best, run.estimators[_BASELINE], self._prepared.of(run.best))
        write_json(root / "data.json", found)
        history_csv(root / "history.csv", run.estimators, _HISTORY)
        predictions_csv(root / "predictions.csv", {"valid": run.valid, "test": run.test}, run.metrics["best"])
        self._series.write(root / "series.csv", self._series.columns(tested))
        self.table.write_csv(root / "forecast.csv", run.best.features_.roles.target, run.best.zone_)


def _shares(estimator: Forecaster) -> dict[str, Any]:
    """The members of an ensemble with their weights."""
    if estimator.model != ENSEMBLE:
        return {}
    return {"members": {member.name: member.weight for member in estimator.members_.members}}
