"""A search: what it is asked, its rounds of trials from wherever its storage stands, and what it found."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqloom_runtime.errors import FormatError, SettingError, shown
from seqloom_runtime.files import read_json, write_json

from ..engines import Engine, open_engine
from ..tasks.comparison.folder import RunFolder
from ..tasks.comparison.task import Task
from ..training.events import Notice
from .claims import Claims
from .dimensions import Choice, Dimension, Range, checked_space
from .records import write_trials
from .rounds import OWNER, RUNGS, STORAGE, Rounds, best_of
from .spaces import default_space
from .storage import (
    Ledger,
    Trial,
    file_of,
    full_url,
    lost_trials,
    refuse_without_packages,
    shown_place,
    sqlite_url,
    try_storage,
)
from .trial import Shared, made_for

__all__ = [
    "CLAIMS",
    "RUNGS",
    "SEARCH",
    "Search",
    "SearchPlan",
    "Searched",
    "open_ledger",
    "seed_of",
    "spaces_of",
    "storage_of",
]

SEARCH, CLAIMS = ".search", ".claims"
"""Folders among the checkpoints of a run, and in it: of trials that go on, and of who does them."""
_ROUND = 9


@dataclass(frozen=True)
class SearchPlan:
    """What a search is asked.

    trials: how many, the defaults among them. space: parameter → (low, high), (low, high, "log") or a list of values;
    None takes each model's own. models: those to search, by default every one that has a space. minutes: no round is
    begun after so many. storage: the URL of Optuna's storage, by default a file of the run folder. round: trials that
    are asked for at once. halving: whether trials are stopped that are behind others.
    """

    trials: int = 40
    space: Mapping[str, Any] | None = None
    models: Sequence[str] | None = None
    minutes: float | None = None
    storage: str | None = None
    round: int = _ROUND
    halving: bool = True

    def __post_init__(self) -> None:
        """Raise SettingError for a number that can't be."""
        for name, least, most in (("trials", 1, 100_000), ("round", 1, 10_000)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise SettingError(f"{name}: expected a whole number from {least} to {most:,}, got {shown(value)}.")
        if self.minutes is not None and not (isinstance(self.minutes, (int, float)) and 0 < self.minutes <= 1e6):
            raise SettingError(f"minutes: expected a number above 0, got {shown(self.minutes)}.")

    def to_json(self) -> dict[str, Any]:
        """As run.json holds it: what decides the result."""
        given = self.space
        return {
            "trials": self.trials,
            "round": self.round,
            "halving": self.halving,
            "space": None if given is None else {name: _plain(value) for name, value in given.items()},
            "models": None if self.models is None else list(self.models),
        }


@dataclass(frozen=True, eq=False)
class Searched:
    """What a search found: its trials by number, the best of them, and what was searched of each model."""

    trials: list[Trial]
    best: Trial
    spaces: dict[str, dict[str, Dimension]]
    names: dict[str, str] = field(default_factory=dict)  # model → the name of its tuned version in the comparison
    cut: str | None = None

    def sentences(self) -> list[str]:
        """What was done and found."""
        states = [trial.state for trial in self.trials]
        first = self.trials[[trial.model for trial in self.trials].index(self.best.model)]
        told = [
            f"{len(states)} trials: {states.count('complete')} completed, {states.count('pruned')} stopped early, "
            f"{states.count('failed')} failed."
        ]
        if not self.best.parameters:
            return [*told, f"None did better on validation than {self.best.model} with its defaults."]
        tried = ", ".join(f"{name}={_brief(value)}" for name, value in self.best.parameters.items())
        before = "" if first.score is None else f", the defaults {first.score:.5g}"
        told.append(f"The best is trial {self.best.number + 1} ({self.best.score:.5g} on validation{before}): {tried}.")
        return told + ([] if self.cut is None else [self.cut])


def _plain(value: Any) -> Any:
    """A dimension as JSON keeps it: a range differs from a list of values."""
    if isinstance(value, tuple):
        return {"range": list(value)}
    return value.to_json() if isinstance(value, (Range, Choice)) else list(value)


def _brief(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class Search:
    """A search as `compare_models` takes it: it finds the best trial's estimator, to take part beside the others."""

    def __init__(
        self,
        plan: SearchPlan,
        engine: str | Engine = "local",
        *,
        workers: int | None = None,
        address: str | None = None,
        wording: Callable[[str], str] = str,
    ) -> None:
        """Nothing is begun yet; `engine`, `workers` and `address` are those of `open_engine`."""
        self.plan, self._wording = plan, wording
        self._engine: tuple[str | Engine, int | None, str | None] = (engine, workers, address)
        self.found: Searched | None = None

    @contextmanager
    def ready(self, root: Path | None = None) -> Iterator[None]:
        """Hold the engine while the block runs, once the storage could be opened: before a run folder is made.

        `root`: the run folder to go on with, if any, whose search may have another storage: nothing is made there then.
        Raises SettingError where one of the two can't be had, MissingDependencyError without optuna.
        """
        refuse_without_packages()
        if root is not None:
            storage_of(self.plan, root)
        if self.plan.storage is not None:
            try_storage(self.plan.storage)
        asked = self._engine
        with open_engine(*asked) as engine:
            self._engine = (engine, None, None)
            try:
                yield
            finally:
                self._engine = asked

    def check(self, task: Task, estimators: Mapping[str, Any], parts: Mapping[str, tuple[Any, ...]]) -> None:
        """Raise SettingError where there is nothing to search, or what was asked to be can't be.

        MissingDependencyError without optuna.
        """
        refuse_without_packages()
        spaces_of(self.plan, Shared(task, estimators, parts))

    def __call__(
        self,
        task: Task,
        estimators: Mapping[str, Any],
        parts: Mapping[str, tuple[Any, ...]],
        folder: RunFolder | None,
        resume: bool,
        on_event: Callable[[Any], None] | None,
    ) -> dict[str, Any]:
        """Search, and return the tuned estimator under its name; nothing where the defaults are the best."""
        shared = Shared(task, estimators, parts)
        spaces = spaces_of(self.plan, shared)
        with ExitStack() as stack:
            engine = stack.enter_context(open_engine(*self._engine))
            place = None if folder is None else folder.checkpoint(SEARCH)
            # A run that is whole has nothing left to share, and stays as it is.
            claims = Claims(None if folder is None or folder.complete else folder.checkpoint(SEARCH) / CLAIMS)
            stack.enter_context(claims.alone(OWNER))
            if place is None and engine.shares_folders:
                place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="seqloom-tune-")))
            with claims.alone(STORAGE):
                ledger = open_ledger(self.plan, None if folder is None else folder.root)
            ledger.need_known(spaces)
            asked = (self.plan, shared, spaces, seed_of(estimators), ledger, engine, place, on_event)
            left = self.plan.trials - sum(trial.state != "asked" for trial in ledger.trials)
            if left and on_event is not None:
                on_event(Notice(_begins(self.plan, spaces, left)))
            cut = Rounds(*asked, claims).run()
            if cut and on_event is not None:
                on_event(Notice(self._wording(cut)))
        best = best_of(ledger.trials)
        found = Searched(ledger.trials, best, spaces, {best.model: f"{best.model}-tuned"}, cut)
        self.found = found
        if folder is not None:
            write_trials(folder.root, found, {model: estimators[model] for model in spaces})
            for trial in ledger.trials:
                folder.took(f"trial {trial.number + 1}", trial.seconds)
            if cut and not folder.complete:
                folder.record["cut"] = cut
            shutil.rmtree(folder.checkpoint(SEARCH), ignore_errors=True)
        if not best.parameters:
            return {}
        return {found.names[best.model]: made_for(shared, best.model, best.parameters, best.seed)}


def _begins(plan: SearchPlan, spaces: Mapping[str, Mapping[str, Dimension]], left: int) -> str:
    """What is about to be done, in a sentence."""
    over = "; ".join(f"{model} ({', '.join(space)})" for model, space in spaces.items())
    count = f"{left} trials" if left == plan.trials else f"{left} of {plan.trials} trials are left"
    return f"Search: {count}, in rounds of {min(plan.round, plan.trials)}, judged on validation, over {over}."


def seed_of(estimators: Mapping[str, Any]) -> int:
    """The run's seed, which is that of its estimators."""
    return int(next(iter(estimators.values())).get_params().get("seed", 0))


def spaces_of(plan: SearchPlan, shared: Shared) -> dict[str, dict[str, Dimension]]:
    """What is searched of each model; raises SettingError where that is nothing."""
    estimators = shared.estimators
    # A name may be another one's, as "rnn" is of a tagger's "elman".
    wanted = [name for name in plan.models or () if name in estimators] or list(estimators)
    found: dict[str, dict[str, Dimension]] = {}
    for name in wanted:
        usual = default_space(estimators[name], shared.task.suits)
        if usual and plan.space is not None:
            usual = checked_space(plan.space, estimators[name])
        if usual:
            found[name] = usual
    if not found:
        raise SettingError(
            f"model: {', '.join(wanted)}: nothing is trained there that a search could choose; name a network."
        )
    return found


def open_ledger(plan: SearchPlan, root: Path | None) -> Ledger:
    """The trials of the search in a run folder, or those of a new one, whose study the folder then keeps the name of.

    Raises SettingError where they are kept elsewhere or are gone.
    """
    url, study, begun = storage_of(plan, root)
    ledger = Ledger(url, study, begun)
    if root is not None and not begun:
        # Behind the study: a name in the folder says that its trials are there, whatever is killed when.
        place = None if plan.storage is None else full_url(plan.storage)
        write_json(root / "search.json", {"schema": 1, "study": study, "storage": place})
    return ledger


def storage_of(plan: SearchPlan, root: Path | None) -> tuple[str | None, str, bool]:
    """The URL of the storage, the study's name in it, and whether it was begun: whether the folder keeps that name.

    Raises SettingError where the trials are kept elsewhere, or in a file that is gone.
    """
    if root is None:
        return plan.storage, f"seqloom-{time.time_ns():x}", False
    path, url = root / "search.json", plan.storage or sqlite_url(root / "search.db")
    if not path.is_file():
        return url, f"seqloom-{root.resolve().name}-{time.time_ns():x}", False
    begun = read_json(path)
    if not isinstance(begun, dict) or not isinstance(begun.get("study"), str):
        raise FormatError(f"{path}: expected the name of a study; the file is damaged or foreign.")
    kept = begun.get("storage")
    if kept is None and plan.storage is not None:
        raise SettingError(
            f"storage: the trials of this search are kept in {root / 'search.db'}, not in {shown_place(url)}; leave "
            "storage= out."
        )
    if kept is not None and plan.storage is None:
        raise SettingError(f"storage: the trials of this search are kept elsewhere; resume it with storage='{kept}'.")
    if kept is not None and full_url(url) != (kept if "://" in str(kept) else sqlite_url(Path(str(kept)))):
        raise SettingError(
            f"storage: the trials of this search are not kept in {shown_place(url)}; resume it with storage='{kept}'."
        )
    if (file := file_of(url)) is not None and not file.is_file():
        raise lost_trials(str(file))  # before SQLite makes an empty one
    return url, begun["study"], True
