"""A comparison of models of one task on the same data, in a run folder that can be interrupted, resumed and drawn."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ...errors import DataError, SettingError
from ...files import write_json
from .evaluation import Evaluation
from .fingerprint import fingerprint, sizes
from .folder import SCHEMA, ModelFinished, ModelStarted, RunFolder, json_values, open_run, run_record
from .tables import history_csv, predictions_csv
from .words import statements

__all__ = ["Comparable", "Comparison", "compare_models"]

_FILES = ("metrics.json", "details.json", "history.csv", "predictions.csv")
_PARTS = ("train", "valid", "test")


class Comparable(Protocol):
    """What an estimator needs to take part."""

    n_parameters_: int
    notes_: list[str]

    def fit(
        self,
        *data: Any,
        valid: Any = None,
        directory: Any = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> Any:
        """Learn from `data`; `valid` chooses the best weights; checkpoints go to `directory`."""
        ...

    def evaluate(self, *data: Any) -> Evaluation:
        """What the fitted model is worth on `data`."""
        ...

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model folder."""
        ...


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a comparison found: the metrics as in `metrics.json`, the fitted estimators and their evaluations."""

    metrics: dict[str, Any]
    estimators: dict[str, Any]
    valid: dict[str, Evaluation]
    test: dict[str, Evaluation]
    directory: Path | None = None

    @property
    def best(self) -> Any:
        """The estimator with the best first score on the validation part."""
        return self.estimators[self.metrics["best"]]


@dataclass(eq=False)
class _Progress:
    """What has been computed so far, by model."""

    valid: dict[str, Evaluation] = field(default_factory=dict)
    test: dict[str, Evaluation] = field(default_factory=dict)


def compare_models(
    task: str,
    estimators: Mapping[str, Any],
    parts: Mapping[str, tuple[Any, ...]],
    *,
    baseline: str,
    baselines: Collection[str] = (),
    target: str | None = None,
    rows: Mapping[str, Sequence[Any]] | None = None,
    unit: str = "example",
    directory: str | os.PathLike[str] | None = None,
    resume: bool = False,
    on_event: Callable[[Any], None] | None = None,
    settings: Mapping[str, Any] | None = None,
    source: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Comparison:
    """Fit each of `estimators` (by name) on the same data, evaluate them all, and keep the best.

    task: the command's name, for run.json and the report. parts: "train", "valid" and "test", each the positional
    arguments of `fit` and `evaluate`; `fit` gets valid as a tuple, or as itself where it is a single argument. The
    best model has the best first score on the valid part; the test part chooses nothing. `baseline` names the model
    that the others are held against, `baselines` further ones that are no networks; the report draws them dashed.
    `target` is what is predicted, in words; `rows` names the examples of "valid" and "test", as their file does, where
    the evaluations count them from 0; `unit` is what an example is called. With `directory` everything is written
    there (docs/files.md), and `resume=True` goes on where an interrupted run stopped, to the same bytes; a finished run
    is left as it is. `settings` and `source` (the files) are recorded, with a fingerprint of the data.

    Raises SettingError where names don't fit, and where the folder can't be used as `open_run` does; DataError where
    a part is missing or models are not scored alike; what `fit` raises passes through.
    """
    _check(estimators, parts, baseline, baselines)
    record = run_record(
        task,
        {"models": list(estimators)} if settings is None else settings,
        seed,
        {**(source or {}), "fingerprint": fingerprint(parts), "examples": sizes(parts)},
    )
    record["parameters"] = {name: _parameters(estimator) for name, estimator in estimators.items()}
    root = None if directory is None else Path(directory)
    progress = _Progress()
    with ExitStack() as stack:
        folder = None if root is None else stack.enter_context(open_run(root, record, resume, _FILES))
        for index, name in enumerate(estimators):
            place = (index, len(estimators))
            _fit_one(progress, name, estimators[name], parts, folder, resume, on_event or _tell_nobody, place)
            for held, part in ((progress.valid, "valid"), (progress.test, "test")):
                if rows and part in rows:
                    held[name] = held[name].with_rows(rows[part])
        kinds = {name: "baseline" if name in {baseline, *baselines} else "network" for name in estimators}
        about = {"target": target, "unit": unit, "examples": sizes(parts)}
        metrics = {"schema": SCHEMA, "task": task, **about, **_conclude(estimators, progress, kinds, baseline)}
        run = Comparison(metrics, dict(estimators), progress.valid, progress.test, root)
        if folder is not None and not folder.complete:
            _write(run, folder)
    return run


def _check(estimators: Mapping[str, Any], parts: Mapping[str, Any], baseline: str, baselines: Collection[str]) -> None:
    for name in (baseline, *baselines):
        if name not in estimators:
            raise SettingError(f"baseline: expected one of the models {', '.join(estimators)}, got {name!r}.")
    for name in estimators:
        if not name or name.startswith(".") or set(name) & set("/\\"):
            raise SettingError(f"models: expected names that can be those of folders, got {name!r}.")
    for part in _PARTS:
        if not parts.get(part):
            raise DataError(f"parts: expected the data of {', '.join(_PARTS)}; {part} is missing.")


def _parameters(estimator: Any) -> dict[str, Any]:
    """An estimator's parameters as run.json holds them; what JSON can't hold by its kind."""
    kept = {}
    for name, value in estimator.get_params().items() if hasattr(estimator, "get_params") else ():
        try:
            kept[name] = json_values(value, name)
        except SettingError:
            kept[name] = f"a {type(value).__name__}"
    return kept


def _tell_nobody(event: Any) -> None:
    """Nobody asked for events."""


def _fit_one(
    progress: _Progress,
    name: str,
    estimator: Any,
    parts: Mapping[str, tuple[Any, ...]],
    folder: RunFolder | None,
    resume: bool,
    send: Callable[[Any], None],
    place: tuple[int, int],
) -> None:
    send(ModelStarted(name, *place))
    began = time.perf_counter()
    checkpoint = None if folder is None else folder.checkpoint(name)
    if checkpoint is not None:
        checkpoint.mkdir(parents=True, exist_ok=True)
    valid = parts["valid"]
    estimator.fit(
        *parts["train"],
        valid=valid[0] if len(valid) == 1 else valid,
        directory=checkpoint,
        resume=resume and checkpoint is not None,
        on_event=send,
    )
    if checkpoint is not None and not any(checkpoint.iterdir()):
        checkpoint.rmdir()  # a model that is fitted at once keeps none
    progress.valid[name] = estimator.evaluate(*valid)
    progress.test[name] = estimator.evaluate(*parts["test"])
    seconds = round(time.perf_counter() - began, 3)
    if folder is not None:
        folder.took(name, seconds)
    send(ModelFinished(name, *place, seconds))


def _conclude(
    estimators: Mapping[str, Any], progress: _Progress, kinds: Mapping[str, str], baseline: str
) -> dict[str, Any]:
    first = progress.valid[baseline]
    for name in estimators:
        for part, evaluation in (("valid", progress.valid[name]), ("test", progress.test[name])):
            if evaluation.first != first.first:
                raise DataError(
                    f"{name}: expected {first.first!r} as the first score on {part}, as for {baseline}, got "
                    f"{evaluation.first!r}."
                )
    best = baseline
    for name, evaluation in progress.valid.items():
        if first.better(evaluation.scores[first.first], progress.valid[best].scores[first.first]):
            best = name
    evaluations = [*progress.valid.values(), *progress.test.values()]
    notes = [note for estimator in estimators.values() for note in estimator.notes_]
    return {
        "scores": list(dict.fromkeys(name for evaluation in evaluations for name in evaluation.scores)),
        "lower_is_better": sorted({name for evaluation in evaluations for name in evaluation.lower_is_better or ()}),
        "models": {
            name: {
                "kind": kinds[name],
                "parameters": int(estimator.n_parameters_),
                "best_epoch": getattr(getattr(estimator, "history_", None), "best_epoch", None),
                "valid": dict(progress.valid[name].scores),
                "test": dict(progress.test[name].scores),
            }
            for name, estimator in estimators.items()
        },
        "baseline": baseline,
        "best": best,
        "statements": statements(progress.valid, progress.test, baseline, best),
        "notes": list(dict.fromkeys(notes)),
    }


def _write(run: Comparison, folder: RunFolder) -> None:
    root, best = folder.root, run.metrics["best"]
    details = {name: dict(evaluation.details) for name, evaluation in run.test.items()}
    write_json(root / "details.json", {"schema": SCHEMA, "part": "test", "models": details})
    history_csv(root / "history.csv", run.estimators)
    predictions_csv(root / "predictions.csv", {"valid": run.valid, "test": run.test}, best)
    run.best.save(root / "model")
    write_json(root / "metrics.json", run.metrics)
    folder.finish()
