"""A search: rounds of trials, each halved where the epochs tell, until the trials or the time are used up.

Trials are asked for in rounds of a fixed size, and a rung is decided once every trial of the round has reached it. So
what is tried, what is stopped and what is best depends on no worker's speed: the same for any engine, any number of
workers, and for a search that was killed and went on.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqloom_runtime.errors import FormatError, SettingError, TrainingError, shown
from seqloom_runtime.files import read_json, write_json

from ..engines import Engine, Failed, open_engine
from ..tasks.comparison.folder import RunFolder
from ..tasks.comparison.task import Task
from ..training.events import Notice
from .asking import ask
from .dimensions import Choice, Dimension, Range, checked_space
from .events import TrialFinished, TrialsAsked
from .records import write_trials
from .spaces import default_space
from .storage import Ledger, Trial, shown_place, sqlite_url
from .trial import Shared, made_for, run_trial

__all__ = ["RUNGS", "Search", "SearchPlan", "Searched"]

RUNGS = (1 / 9, 1 / 3)
"""Shares of a trial's epochs behind which two of three trials are stopped (Jamieson & Talwalkar 2016, with η = 3)."""
_KEPT = 3
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
        told.append(f"The best is trial {self.best.number} ({self.best.score:.5g} on validation{before}): {tried}.")
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
        self._engine = (engine, workers, address)
        self.found: Searched | None = None

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
        seed = int(next(iter(estimators.values())).get_params().get("seed", 0))
        with ExitStack() as stack:
            engine = stack.enter_context(open_engine(*self._engine))
            place = None if folder is None else folder.checkpoint(".search")
            if place is None and engine.shares_folders:
                place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="seqloom-tune-")))
            ledger = Ledger(*_storage_of(self.plan, folder))
            rounds = _Rounds(self.plan, shared, spaces, seed, ledger, engine, place, on_event)
            cut = rounds.run()
            if cut and on_event is not None:
                on_event(Notice(self._wording(cut)))
        best = best_of(ledger.trials)
        found = Searched(ledger.trials, best, spaces, {best.model: f"{best.model}-tuned"}, cut)
        self.found = found
        if folder is not None:
            write_trials(folder.root, found, {model: estimators[model] for model in spaces})
            for trial in ledger.trials:
                folder.took(f"trial {trial.number}", trial.seconds)
            if cut and not folder.complete:
                folder.record["cut"] = cut
            shutil.rmtree(folder.checkpoint(".search"), ignore_errors=True)
        if not best.parameters:
            return {}
        return {found.names[best.model]: made_for(shared, best.model, best.parameters, best.seed)}


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


def best_of(trials: Sequence[Trial]) -> Trial:
    """The complete trial with the lowest value, the earlier of two alike; raises TrainingError where all failed."""
    complete = [trial for trial in trials if trial.value is not None]
    if not complete:
        texts = [str(trial.result.get("text", "")) for trial in trials if trial.state == "failed"]
        raise TrainingError(f"No trial could be completed; the first failed so: {next(iter(texts), 'unknown')}")
    return min(complete, key=lambda trial: (trial.value, trial.number))


def _storage_of(plan: SearchPlan, folder: RunFolder | None) -> tuple[str | None, str]:
    """The URL of the storage and the study's name in it, which the folder keeps, so that it can be moved."""
    if folder is None:
        return plan.storage, f"seqloom-{time.time_ns():x}"
    path, here = folder.root / "search.json", None if plan.storage is None else shown_place(plan.storage)
    if path.is_file():
        begun = read_json(path)
        if not isinstance(begun, dict) or not isinstance(begun.get("study"), str):
            raise FormatError(f"{path}: expected the name of a study; the file is damaged or foreign.")
        if begun.get("storage") != here:
            kept = begun.get("storage") or "search.db in the run folder"
            raise SettingError(f"storage: the trials of this search are kept in {kept}; go on with that.")
        name = begun["study"]
    else:
        name = f"seqloom-{folder.root.resolve().name}-{time.time_ns():x}"
        write_json(path, {"schema": 1, "study": name, "storage": here})
    return plan.storage or sqlite_url(folder.root / "search.db"), name


class _Rounds:
    """The rounds of a search, from wherever its storage stands."""

    def __init__(
        self,
        plan: SearchPlan,
        shared: Shared,
        spaces: dict[str, dict[str, Dimension]],
        seed: int,
        ledger: Ledger,
        engine: Engine,
        place: Path | None,
        on_event: Callable[[Any], None] | None,
    ) -> None:
        self.plan, self.shared, self.spaces, self.seed = plan, shared, spaces, seed
        self.ledger, self.engine, self.place, self.on_event = ledger, engine, place, on_event
        self.defaults = {model: shared.estimators[model].get_params() for model in spaces}

    def run(self) -> str | None:
        """Do all rounds; what cut them short in a sentence, None where nothing did."""
        total, size = self.plan.trials, self.plan.round
        for trial in self.ledger.trials:
            if trial.state != "asked":
                self._say(trial, kept=True)
        for first in range(0, total, size):
            numbers = range(first, min(first + size, total))
            done = len(self.ledger.trials) > numbers[-1] and all(
                self.ledger.trials[n].state != "asked" for n in numbers
            )
            if done:
                continue
            minutes = float(self.ledger.noted("minutes", 0.0))
            begun = len(self.ledger.trials) > first
            if self.plan.minutes is not None and minutes >= self.plan.minutes and not begun and first:
                return f"The time of {self.plan.minutes:g} minutes was up after {first} of {total} trials (minutes=)."
            began = time.monotonic()
            try:
                self._round(numbers)
            finally:
                self.ledger.note("minutes", round(minutes + (time.monotonic() - began) / 60, 4))
        return None

    def _round(self, numbers: range) -> None:
        if self.on_event is not None:
            self.on_event(TrialsAsked(numbers[0], numbers[-1], self.plan.trials))
        for number in numbers[len(self.ledger.trials) - numbers[0] :]:
            trial, distributions, values = ask(number, self.ledger.trials, self.spaces, self.defaults, self.seed)
            self.ledger.add(trial, distributions, values)
        trials = [self.ledger.trials[number] for number in numbers]
        for rung, share in enumerate(RUNGS if self.plan.halving else ()):
            running = [trial for trial in trials if trial.state == "asked"]
            self._work([trial for trial in running if rung not in trial.rungs], share, rung)
            self._halve(trials, rung)
        self._work([trial for trial in trials if trial.state == "asked"], None, len(RUNGS))

    def _work(self, trials: Sequence[Trial], share: float | None, rung: int) -> None:
        """Have trials fitted up to a share of their epochs, or to the end."""
        if not trials:
            return

        def take(index: int, found: Any) -> None:
            self._take(trials[index], rung, found)

        self.engine.run(run_trial, self.shared, [self._job(trial, share) for trial in trials], on_result=take)

    def _job(self, trial: Trial, share: float | None) -> dict[str, Any]:
        place = self._folder(trial) if self.engine.shares_folders else None
        return {
            "model": trial.model,
            "parameters": trial.parameters,
            "seed": trial.seed,
            "share": share,
            "directory": None if place is None else str(place),
        }

    def _folder(self, trial: Trial) -> Path | None:
        return None if self.place is None else self.place / f"trial-{trial.number:04d}"

    def _take(self, trial: Trial, rung: int, found: Any) -> None:
        if isinstance(found, Failed):
            found = {"state": "failed", "text": found.text if not found.kind else f"{found.kind}: {found.text}"}
        seconds = float(found.pop("seconds", 0.0))
        if found["state"] == "paused":
            trial.result = {}
            self.ledger.reach(trial, rung, found["rung"], seconds)
            return
        if found["state"] == "done" and found.get("rung") is not None and rung < len(RUNGS):
            # It ended before the rung did; what it reached stands in the rung's comparison.
            self.ledger.reach(trial, rung, found["rung"], 0.0)
        self.ledger.end(trial, "complete" if found["state"] == "done" else "failed", found, seconds)
        self._leave(trial)

    def _halve(self, trials: Sequence[Trial], rung: int) -> None:
        """Stop the trials of a round that are not among the best third of all that reached the rung so far."""
        here = [trial for trial in self.ledger.trials[: trials[-1].number + 1] if trial.rungs.get(rung) is not None]
        order = sorted(here, key=lambda trial: (trial.rungs[rung], trial.number))
        best = {trial.number for trial in order[: -(-len(order) // _KEPT)]}
        # The best of a round goes on too, and the defaults always: the result is told beside them.
        best |= {trial.number for trial in [t for t in order if t in trials][:1]}
        for trial in trials:
            reached = trial.rungs.get(rung) is not None
            if trial.state == "asked" and reached and trial.number not in best and trial.parameters:
                epochs = {"rung": trial.rungs[rung], "after": RUNGS[rung]}
                self.ledger.end(trial, "pruned", epochs)
                self._leave(trial)

    def _leave(self, trial: Trial) -> None:
        place = self._folder(trial)
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)
        self._say(trial)

    def _say(self, trial: Trial, kept: bool = False) -> None:
        if self.on_event is not None:
            done = [each for each in self.ledger.trials if each.value is not None]
            best = best_of(done).score if done else None
            self.on_event(TrialFinished(trial.number, self.plan.trials, trial.state, trial.score, best, kept))
