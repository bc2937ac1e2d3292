"""The rounds of a search: asked for, done and halved, by one process or by several that share them.

A rung is decided once every trial of the round has reached it. So what is tried, what is stopped and what is best
depends on no worker's speed: the same for any engine, any number of workers and processes.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqloom_runtime.errors import TrainingError

from ..engines import Engine, Failed
from .asking import ask
from .claims import PAUSE, Claims
from .dimensions import Dimension
from .events import TrialFinished, TrialsAsked
from .records import score_told
from .storage import Ledger, Trial
from .trial import Shared, run_trial

if TYPE_CHECKING:
    from .search import SearchPlan

__all__ = ["OWNER", "RUNGS", "STORAGE", "Rounds", "best_of"]

RUNGS = (1 / 9, 1 / 3)
"""Shares of a trial's epochs behind which two of three trials are stopped (Jamieson & Talwalkar 2016, with η = 3)."""
OWNER, HALVING, STORAGE = "owner", "halving", "storage"
"""Claims beside those of the trials: of the process that began the search, of whoever stops trials, of whoever opens
the storage, whose tables two processes at once would both make."""
_KEPT = 3
_AT_ONCE = 2


def best_of(trials: Sequence[Trial]) -> Trial:
    """The complete trial with the lowest value, the earlier of two alike; raises TrainingError where all failed."""
    complete = [trial for trial in trials if trial.value is not None]
    if not complete:
        texts = [str(trial.result.get("text", "")) for trial in trials if trial.state == "failed"]
        raise TrainingError(f"No trial could be completed; the first failed so: {next(iter(texts), 'unknown')}")
    return min(complete, key=lambda trial: (trial.value, trial.number))


class Rounds:
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
        claims: Claims,
        joined: bool = False,
    ) -> None:
        """`place`: where trials keep their checkpoints. joined: another process asks for the rounds and ends it all."""
        self.plan, self.shared, self.spaces, self.seed = plan, shared, spaces, seed
        self.ledger, self.engine, self.place, self.on_event = ledger, engine, place, on_event
        self.claims, self.joined = claims, joined
        self.defaults = {model: shared.estimators[model].get_params() for model in spaces}

    def run(self) -> str | None:
        """Do all rounds; what cut them short in a sentence, None where nothing did."""
        total, size = self.plan.trials, self.plan.round
        for trial in self.ledger.trials:
            if trial.state != "asked":
                self._say(trial, kept=True)
        for first in range(0, total, size):
            numbers = range(first, min(first + size, total))
            if self.joined and not self._asked(numbers):
                return "The process that began this search has ended; go on with it by resume=True."
            done = len(self.ledger.trials) > numbers[-1] and all(
                self.ledger.trials[n].state != "asked" for n in numbers
            )
            if done:
                continue
            if self.joined:
                self._round(numbers)
                continue
            minutes = self.ledger.noted_number("minutes")
            begun = len(self.ledger.trials) > first
            if self.plan.minutes is not None and minutes >= self.plan.minutes and not begun and first:
                return f"The time of {self.plan.minutes:g} minutes was up after {first} of {total} trials (minutes=)."
            began = time.monotonic()
            try:
                self._round(numbers)
            finally:
                self.ledger.note("minutes", round(minutes + (time.monotonic() - began) / 60, 4))
        return None

    def _asked(self, numbers: range) -> bool:
        """Wait until the process that began the search has asked for a round; False where it has ended."""
        while True:
            self._refresh()
            if len(self.ledger.trials) > numbers[-1]:
                return True
            with ExitStack() as stack:
                if self.claims.take(stack, OWNER) or not self.claims.there:
                    return False
            time.sleep(PAUSE)

    def _round(self, numbers: range) -> None:
        if self.on_event is not None:
            self.on_event(TrialsAsked(numbers[0], numbers[-1], self.plan.trials))
        for number in numbers[len(self.ledger.trials) - numbers[0] :] if not self.joined else ():
            trial, distributions, values = ask(number, self.ledger.trials, self.spaces, self.defaults, self.seed)
            self.ledger.add(trial, distributions, values)
        trials = [self.ledger.trials[number] for number in numbers]
        for rung, share in enumerate(RUNGS if self.plan.halving else ()):
            self._work(trials, share, rung)
            with self.claims.alone(HALVING):  # what it stops follows from what all reached, whoever looks first
                self._refresh()
                self._halve(trials, rung)
        self._work(trials, None, len(RUNGS))

    def _work(self, trials: Sequence[Trial], share: float | None, rung: int) -> None:
        """Have trials fitted up to a share of their epochs, or to the end, by this process or those that share it."""
        while left := self._left(trials, rung):
            with ExitStack() as stack:
                mine = self._mine(left, rung, stack)
                if mine:
                    self._fit(mine, share, rung)
            if not mine:
                if self.joined and not self.claims.there:
                    return
                time.sleep(PAUSE)

    def _left(self, trials: Sequence[Trial], rung: int) -> list[Trial]:
        """Those that have not reached the rung."""
        self._refresh()
        return [trial for trial in trials if trial.state == "asked" and rung not in trial.rungs]

    def _mine(self, left: Sequence[Trial], rung: int, stack: ExitStack) -> list[Trial]:
        """Those that this process takes for now: all where nobody shares them, else a few for each worker."""
        if not self.claims.shared:
            return list(left)
        taken: list[Trial] = []
        for trial in left:
            if len(taken) < _AT_ONCE * self.engine.workers and self.claims.take(stack, f"trial-{trial.number:04d}"):
                taken.append(trial)
        # Whoever held one of them before may have noted its result since they were looked at.
        return self._left(taken, rung)

    def _refresh(self) -> None:
        if self.claims.shared:
            for trial in self.ledger.refresh():
                self._say(trial)

    def _fit(self, trials: Sequence[Trial], share: float | None, rung: int) -> None:
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
            if found.of_the_system:  # a full disk ends the search and no trial: --resume goes on with them all
                raise found.error()
            found = {"state": "failed", "text": found.text if not found.kind else f"{found.kind}: {found.text}"}
        seconds = float(found.pop("seconds", 0.0))
        if found["state"] == "paused":
            trial.result = {}
            done = {"epochs": found["epochs"], "steps": found["steps"]}
            self.ledger.reach(trial, rung, found["rung"], seconds, done)
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
                found = {"rung": trial.rungs[rung], "after": RUNGS[rung], **trial.done}
                self.ledger.end(trial, "pruned", found)
                self._leave(trial)

    def _leave(self, trial: Trial) -> None:
        place = self._folder(trial)
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)
        self._say(trial)

    def _say(self, trial: Trial, kept: bool = False) -> None:
        if self.on_event is None:
            return
        done = [each for each in self.ledger.trials if each.value is not None]
        best = best_of(done) if done else None
        score = None if best is None else best.result.get("score")
        self.on_event(
            TrialFinished(
                number=trial.number,
                total=self.plan.trials,
                state=trial.state,
                value=trial.score,
                best=None if best is None else best.score,
                kept=kept,
                score="" if score is None else score_told(score),
                lower_is_better=score is None or bool(score["lower_is_better"]),
                leader=None if best is None else best.number,
                epochs=trial.result.get("epochs"),
                failed=str(trial.result.get("text") or ""),
            )
        )
