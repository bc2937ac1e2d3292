"""`tune`: the best parameters of an estimator, found by trials that are judged on validation alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqloom_runtime.errors import SettingError

from ..engines import Engine
from ..tasks.comparison import Comparison, compare_models
from .drawn_parts import drawn_parts
from .records import trials_json
from .search import Search, SearchPlan

__all__ = ["Tuning", "tune"]

_TASKS = {
    "SequenceClassifier": "sequences",
    "SequenceRegressor": "sequences",
    "FrameModel": "sequences",
    "PictureClassifier": "sequences",
    "FilmClassifier": "sequences",
    "TextClassifier": "classify",
    "SequenceTagger": "tag",
    "LanguageModel": "lm",
    "WordEmbedder": "embed",
    "Seq2Seq": "translate",
    "Captioner": "caption",
    "FramePredictor": "frames",
    "RecordModel": "sequences",
    "Transcriber": "transcribe",
}


@dataclass(frozen=True, eq=False)
class Tuning:
    """What a search found.

    best: the estimator with the best validation score, fitted; itself one with the defaults where no trial was better.
    parameters: what the best trial changed. trials: a record for each trial, as in trials.json. comparison: the
    defaults and the best on validation and, looked at once, on the test part.
    """

    best: Any
    parameters: dict[str, Any]
    trials: list[dict[str, Any]]
    importance: dict[str, float]
    comparison: Comparison


def tune(
    estimator: Any,
    data: Any,
    *,
    space: Mapping[str, Any] | None = None,
    trials: int = 40,
    engine: str | Engine = "local",
    workers: int | None = None,
    ray_address: str | None = None,
    minutes: float | None = None,
    storage: str | None = None,
    round: int = 9,
    halving: bool = True,
    valid: Any = None,
    test: Any = None,
    target: str | Sequence[str] | None = None,
    time: str | None = None,
    id: str | Sequence[str] | None = None,
    inputs: Any = None,
    future: Sequence[str] = (),
    directory: str | os.PathLike[str] | None = None,
    resume: bool = False,
    on_event: Callable[[Any], None] | None = None,
) -> Tuning:
    """Search for the best parameters of `estimator` in `trials` trials, and fit the best.

    Trials are chosen by a tree-structured Parzen estimator (Optuna), in rounds of `round`, and those that are behind
    others at a ninth and a third of their epochs are stopped (`halving`). The first has the estimator's own parameters.
    Trials are judged on the validation part alone; the test part is looked at once, with the defaults and the best.

    estimator: with the parameters that no trial changes. data: a table for a Forecaster, with `target`, `time`, `id`,
    `inputs` and `future` as in its `fit`; a table for an AnomalyDetector, with `time`, `id`, as `inputs` the columns
    that it looks at and as `target` the one that says what is anomalous, if any; for other estimators what their `fit`
    takes, a tuple where that is several, and `valid` and `test` likewise, or without them shares of the data
    (`validation_fraction`), drawn by the seed, of a running text its end.
    space: parameter → (low, high), (low, high, "log") or a list of values; by default what matters to the model, around
    its defaults. engine: "local", worker processes of this machine (`workers`, by
    default one for each processor), or "ray" (`ray_address`), or one that `seqloom.engines` made; results are the same
    bytes for any. minutes: no round is begun after so many. storage: the URL of a database for the trials. With
    `directory` everything is written there (docs/files.md), and `resume=True` goes on with a search that was ended.

    Raises SettingError for a space or an engine that can't be, MissingDependencyError without optuna, TrainingError
    where no trial could be completed, and what the estimator's `fit` raises.
    """
    plan = SearchPlan(trials, space, None, minutes, storage, round, halving)
    search = Search(plan, engine, workers=workers, address=ray_address)
    how: dict[str, Any] = {"directory": directory, "resume": resume, "on_event": on_event, "search": search}
    how["about"] = {"search": plan.to_json()}
    with search.ready(Path(directory) if directory is not None and resume else None):
        if type(estimator).__name__ == "Forecaster":
            run = _forecasters(estimator, data, target, time, id, inputs, future, how)
        elif type(estimator).__name__ == "AnomalyDetector":
            run = _detectors(estimator, data, target, time, id, inputs, how)
        else:
            run = _others(estimator, data, valid, test, how)
    found = search.found
    assert found is not None
    told = trials_json(found, {found.best.model: run.estimators[found.best.model]})
    tuned = told["tuned"] or found.best.model
    best = run.estimators[tuned]
    return Tuning(best, found.best.parameters, told["trials"], told["importance"][found.best.model], run)


def _forecasters(
    estimator: Any, data: Any, target: Any, time: Any, id: Any, inputs: Any, future: Any, how: dict[str, Any]
) -> Comparison:
    from ..tasks.forecast import compare_forecasters
    from ..tasks.forecast.chosen_panel import chosen_panel

    chosen = chosen_panel(estimator, data, target, time, id, inputs, future)
    parameters = estimator.get_params()
    model = parameters.pop("model")
    return compare_forecasters(
        chosen.panel,
        [model],
        parameters,
        target=chosen.target,
        inputs=chosen.inputs,
        future=chosen.future,
        refit=bool(estimator.refit),
        **how,
    )


def _detectors(
    estimator: Any, data: Any, target: Any, time: Any, id: Any, inputs: Any, how: dict[str, Any]
) -> Comparison:
    """A table cut in time; `inputs`: the columns that are looked at, `target`: the one that says what is anomalous."""
    from ..tasks.anomalies import compare_detectors, read_rows

    if target is not None and not isinstance(target, str):
        raise SettingError("target: of a detector it is the one column that says what is anomalous.")
    panel, _, time, _ = read_rows(estimator, data, time, id, None if inputs is None else list(inputs), target)
    model, seed = str(estimator.model), int(estimator.seed)
    source = {"time": time, "id": id}
    return compare_detectors(panel, {model: estimator}, labels=target, source=source, baseline=model, seed=seed, **how)


def _others(estimator: Any, data: Any, valid: Any, test: Any, how: dict[str, Any]) -> Comparison:
    task = _TASKS.get(type(estimator).__name__)
    if task is None:
        raise SettingError(f"estimator: expected one that learns from parts, got a {type(estimator).__name__}.")
    parts = drawn_parts(estimator, data if isinstance(data, tuple) else (data,), valid, test)
    model = str(getattr(estimator, "model", type(estimator).__name__))
    return compare_models(
        task, {model: estimator}, parts, baseline=model, seed=int(getattr(estimator, "seed", 0)), **how
    )
