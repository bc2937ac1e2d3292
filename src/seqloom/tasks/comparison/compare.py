"""A comparison of models of one task on the same data, in a run folder that can be interrupted, resumed and drawn."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from seqloom_runtime.errors import DataError, SeqloomError, SettingError
from seqloom_runtime.files import write_json

from ...engines import Engine, one_thread, open_engine
from ..checkpointing import Checkpointing
from ..estimator import refuse_without_packages_of
from .evaluation import Evaluation
from .folder import SCHEMA, ModelFinished, ModelStarted, RunFolder, json_values, open_run, run_record
from .spread import fit_by_engine
from .task import Task

__all__ = ["Comparable", "Comparison", "Search", "compare_models"]

_PARTS = ("train", "valid", "test")


class Search(Protocol):
    """What finds further estimators, by name."""

    def check(self, task: Task, estimators: Mapping[str, Any], parts: Mapping[str, tuple[Any, ...]]) -> None:
        """Raise SettingError where the search can't be made, before anything is written."""

    def __call__(
        self,
        task: Task,
        estimators: Mapping[str, Any],
        parts: Mapping[str, tuple[Any, ...]],
        folder: RunFolder | None,
        resume: bool,
        on_event: Callable[[Any], None] | None,
    ) -> Mapping[str, Any]:
        """Search, and return what was found."""
        ...


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


def compare_models(
    task: str | Task,
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
    about: Mapping[str, Any] | None = None,
    given: Mapping[str, str] | None = None,
    wording: Callable[[str], str] | None = None,
    keep: bool = False,
    search: Search | None = None,
    engine: str | Engine | None = None,
) -> Comparison:
    """Fit each of `estimators` (by name) on the same data, evaluate them all, and keep the best.

    task: the command's name, for run.json and the report; or a `Task`, which knows target, rows, unit and source
    itself. parts: "train", "valid" and "test", each the positional arguments of `fit` and `evaluate`; `fit` gets valid
    as a tuple, or as itself where it is a single argument. The best model has the best first score on the valid part;
    the test part chooses nothing. `baseline` names the model that the others are held against, `baselines` further ones
    that are no networks; the report draws them dashed. `target` is what is predicted, in words; `rows` names the
    examples of "valid" and "test", as their file does, where the evaluations count them from 0; `unit` is what an
    example is called. With `directory` everything is written there (docs/files.md), and `resume=True` goes on where an
    interrupted run stopped, to the same bytes; a finished run is left as it is. `settings` and `source` (the files) are
    recorded, with a fingerprint of the data; `about` holds further values for run.json. `wording` puts the library's
    sentences into other words, such as the flags of a command, before they are written. `keep` saves every model,
    the best in model and the others in models/NAME. `search` finds further estimators, which take part too, before any
    is fitted (`seqloom.tuning`). With `engine` ("local", "ray" or one of `seqloom.engines`) models are fitted side by
    side by its workers, and everything is computed with one thread: the same bytes for any engine and any number of
    workers.

    Raises SettingError where names or the engine don't fit, and where the folder can't be used as `open_run` does;
    DataError where a part is missing or models are not scored alike, MissingDependencyError where a package that one
    needs is not installed; what `fit` raises passes through.
    """
    _check(estimators, parts, baseline, baselines)
    if isinstance(task, str):
        task = Task(task, target=target, unit=unit, rows=rows, source=source)
    task.wording = wording or str
    asked = {"models": list(estimators)} if settings is None else settings
    root = None if directory is None else Path(directory)
    if search is not None:
        search.check(task, estimators, parts)  # before anything is written
    with ExitStack() as stack:
        workers = None if engine is None else _engine_in(stack, engine)
        record = run_record(task.name, asked, seed, task.data(parts))
        record |= {**dict(about or {}), **({} if given is None else {"given": dict(given)})}
        record["parameters"] = {name: _parameters(estimator) for name, estimator in estimators.items()}
        folder = None if root is None else stack.enter_context(open_run(root, record, resume, task.files))
        if search is not None:
            further = search(task, estimators, parts, folder, resume, on_event)
            estimators = {**estimators, **further}
            if folder is not None:
                folder.found({name: _parameters(estimator) for name, estimator in further.items()})
        fits = _Fits(task, parts, _places(folder, workers, stack), resume, on_event)
        if workers is not None:
            names = [name for name, each in estimators.items() if task.is_job(name, each, {baseline, *baselines})]
            fits.by(workers, {name: estimators[name] for name in names})
        fitted, valid, test, told = _evaluated(fits, estimators, folder)
        after = Checkpointing(None if folder is None else folder.checkpoint(".after"), resume, on_event)
        metrics = _conclude(task, fitted, valid, test, baseline, {baseline, *baselines}, told, after)
        run = Comparison(metrics, fitted, valid, test, root)
        if folder is not None and not folder.complete:
            task.write(folder.root, run)
            for name in fitted if keep else ():
                if name != metrics["best"]:
                    (folder.root / "models").mkdir(exist_ok=True)
                    fitted[name].save(folder.root / "models" / name)
            task.final(run.best).save(folder.root / "model")
            write_json(folder.root / "metrics.json", run.metrics)
            folder.finish()
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
    refuse_without_packages_of(estimators.values())


@dataclass(eq=False)
class _Fits:
    """How the models of a comparison are fitted: one by one, after workers have fitted some of them.

    failed: why models failed in a worker that the task goes on without; seconds: of those that workers fitted.
    """

    task: Task
    parts: Mapping[str, tuple[Any, ...]]
    place: Callable[[str], Any]
    resume: bool
    on_event: Callable[[Any], None] | None
    failed: Mapping[str, SeqloomError] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    def by(self, engine: Engine, estimators: Mapping[str, Any]) -> None:
        """Have these fitted by the workers of an engine."""
        found = fit_by_engine(engine, self.task, estimators, self.parts, self.place, self.on_event)
        self.failed, self.seconds = found

    def tell(self, event: Any) -> None:
        if self.on_event is not None:
            self.on_event(event)

    def fit(self, name: str, estimator: Any) -> None:
        """Fit one model; of one that a worker fitted only its checkpoint is read, which there is nothing to tell of."""
        if name in self.failed:
            raise self.failed[name]
        checkpoint, there = self.place(name), name in self.seconds
        if checkpoint is not None:
            checkpoint.mkdir(parents=True, exist_ok=True)
        goes_on = (self.resume or there) and checkpoint is not None
        self.task.fit(estimator, self.parts, Checkpointing(checkpoint, goes_on, None if there else self.on_event))
        if checkpoint is not None and not any(checkpoint.iterdir()):
            checkpoint.rmdir()  # a model that is fitted at once keeps none


def _engine_in(stack: ExitStack, engine: str | Engine) -> Engine:
    """The engine until the stack ends, and one thread for what is computed here, as in its workers."""
    stack.enter_context(one_thread())
    return stack.enter_context(open_engine(engine))


def _places(folder: RunFolder | None, engine: Engine | None, stack: ExitStack) -> Callable[[str], Any]:
    """Where the checkpoint of a model is kept: in the run's folder, in a passing one for an engine, or nowhere."""
    if folder is not None:
        return folder.checkpoint
    if engine is None:
        return lambda name: None
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="seqloom-fits-"))).joinpath


def _evaluated(
    fits: _Fits, estimators: Mapping[str, Any], folder: RunFolder | None
) -> tuple[dict[str, Any], dict[str, Evaluation], dict[str, Evaluation], list[str]]:
    """The estimators that could be fitted, what each is worth on valid and on test, and why others were left out."""
    fitted: dict[str, Any] = {}
    valid: dict[str, Evaluation] = {}
    test: dict[str, Evaluation] = {}
    told: list[str] = []
    task, parts = fits.task, fits.parts
    for index, (name, estimator) in enumerate(estimators.items()):
        fits.tell(ModelStarted(name, index, len(estimators)))
        began = time.perf_counter()
        try:
            fits.fit(name, estimator)
        except SeqloomError as problem:
            note = task.left_out(name, problem)
            if note is None:
                raise
            told.append(note)
            fits.tell(ModelFinished(name, index, len(estimators), round(time.perf_counter() - began, 3)))
            continue
        fitted[name] = estimator
        valid[name] = task.evaluate(estimator, "valid", parts["valid"])
        test[name] = task.evaluate(estimator, "test", parts["test"])
        seconds = round(time.perf_counter() - began + fits.seconds.get(name, 0.0), 3)
        if folder is not None:
            folder.took(name, seconds)
        fits.tell(ModelFinished(name, index, len(estimators), seconds))
    return fitted, valid, test, told


def _parameters(estimator: Any) -> dict[str, Any]:
    """An estimator's parameters as run.json holds them; what JSON can't hold by its kind."""
    kept = {}
    for name, value in estimator.get_params().items() if hasattr(estimator, "get_params") else ():
        try:
            kept[name] = json_values(value, name)
        except SettingError:
            kept[name] = f"a {type(value).__name__}"
    return kept


def _conclude(
    task: Task,
    estimators: Mapping[str, Any],
    valid: Mapping[str, Evaluation],
    test: Mapping[str, Evaluation],
    baseline: str,
    baselines: Collection[str],
    told: Sequence[str],
    after: Checkpointing,
) -> dict[str, Any]:
    """The contents of metrics.json: the best model by the validation part, and what every model is worth."""
    first = valid[baseline]
    for name in estimators:
        for part, evaluation in (("valid", valid[name]), ("test", test[name])):
            if evaluation.rank is None and evaluation.first != first.first:
                raise DataError(
                    f"{name}: expected {first.first!r} as the first score on {part}, as for {baseline}, got "
                    f"{evaluation.first!r}."
                )
    best = task.choose(valid, baseline)
    notes = task.notes(told, estimators)
    return {
        "schema": SCHEMA,
        "task": task.name,
        **task.about(valid, test),
        "models": {
            name: {
                "kind": task.kind(estimator, "baseline" if name in baselines else "network"),
                "parameters": int(estimator.n_parameters_),
                **task.model_facts(estimator, valid[name], test[name]),
            }
            for name, estimator in estimators.items()
        },
        "baseline": baseline,
        "best": best,
        "statements": task.statements(valid, test, baseline, best),
        "notes": [task.wording(note) for note in (*notes, *task.conclude(estimators[best], after))],
        **task.concluded(),
    }
