"""A process that takes part in the search of another one: it does trials, and leaves the rest to that one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from seqloom_runtime.errors import FormatError, SettingError
from seqloom_runtime.files import read_json

from ..engines import Engine, open_engine
from ..tasks.comparison.folder import RunFolder, versions
from ..tasks.comparison.task import Task
from .claims import Claims
from .rounds import STORAGE, Rounds
from .search import CLAIMS, SEARCH, SearchPlan, open_ledger, seed_of, spaces_of
from .trial import Shared

__all__ = ["Join", "Joined"]


class Joined(Exception):
    """The search is over, or goes on without this process: nothing is left for it to do; the message says which."""


class Join:
    """A search as `compare_models` takes it, which ends with `Joined` in place of a result."""

    def __init__(
        self,
        root: Path,
        plan: SearchPlan,
        engine: str | Engine = "local",
        *,
        workers: int | None = None,
        address: str | None = None,
    ) -> None:
        """`root`: the run folder of the search; `plan`: what that was asked."""
        self.root, self.plan, self._engine = root, plan, (engine, workers, address)

    def check(self, task: Task, estimators: Mapping[str, Any], parts: Mapping[str, tuple[Any, ...]]) -> None:
        """Nothing: the call itself writes nothing before it has looked."""

    def __call__(
        self,
        task: Task,
        estimators: Mapping[str, Any],
        parts: Mapping[str, tuple[Any, ...]],
        folder: RunFolder | None,
        resume: bool,
        on_event: Callable[[Any], None] | None,
    ) -> dict[str, Any]:
        """Do trials until all are done; raises Joined then, SettingError where this process would find others."""
        self._check(task, parts)
        shared = Shared(task, estimators, parts)
        place = self.root / "checkpoint" / SEARCH
        claims = Claims(place / CLAIMS, owner=False)
        if not (self.root / "search.json").is_file() or not claims.there:
            raise Joined(f"There is no search going on in {self.root}.")
        with ExitStack() as stack:
            engine = stack.enter_context(open_engine(*self._engine))
            with claims.alone(STORAGE):
                ledger = open_ledger(self.plan, self.root)
            before = sum(trial.state != "asked" for trial in ledger.trials)
            spaces = spaces_of(self.plan, shared)
            ledger.need_known(spaces)
            asked = (self.plan, shared, spaces, seed_of(estimators), ledger, engine, place, on_event)
            cut = Rounds(*asked, claims, joined=True).run()
        done = sum(trial.state != "asked" for trial in ledger.trials)
        told = f"{done - before} trials were done while this process took part, {done} of {self.plan.trials} by now."
        raise Joined(f"{told} {cut or 'The process that began the search fits the best and scores it.'}")

    def _check(self, task: Task, parts: Mapping[str, tuple[Any, ...]]) -> None:
        path = self.root / "run.json"
        record = read_json(path)
        if not isinstance(record, dict):
            raise FormatError(f"{path}: expected the record of a run; it is damaged.")
        for what, there, here in (
            ("data", record.get("data"), task.data(parts)),
            ("versions", record.get("versions"), versions()),
        ):
            if there != here:
                raise SettingError(
                    f"join: the {what} of the search in {self.root} differ from those here, so that its trials would "
                    "not be the same; leave it out."
                )
