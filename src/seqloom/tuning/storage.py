"""Where a search keeps its trials: a storage of Optuna's, SQLite in the run folder or a database of one's own.

All that decides how a search goes on stands in its trials. A trial is put there whole, in one transaction, before it
begins; what a rung or its end found is one attribute. So whenever a search is killed, what is there is true.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqloom_runtime.data.database_urls import safe_name, secrets_in
from seqloom_runtime.errors import FormatError, SeqloomError, SettingError, TrainingError, brief
from seqloom_runtime.extras import need, refuse_without
from seqloom_runtime.limits import reading

from .dimensions import Choice, Dimension

__all__ = [
    "Ledger",
    "Trial",
    "distribution",
    "file_of",
    "full_url",
    "import_optuna",
    "lost_trials",
    "refuse_without_packages",
    "shown_place",
    "sqlite_url",
    "try_storage",
]

_STATES = ("asked", "complete", "pruned", "failed")
_DRIVERS = {"MySQLdb": "mysqlclient", "psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary"}
"""A database's driver whose package has another name, and that package."""


def refuse_without_packages() -> None:
    """Raise MissingDependencyError where what a search needs is not installed; nothing is imported yet."""
    for module in ("optuna", "sqlalchemy"):
        refuse_without(module, "tuning")


def import_optuna() -> Any:
    """The optuna package, silent; raises MissingDependencyError where it is missing."""
    optuna = need("optuna", "tuning")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    return optuna


def distribution(dimension: Dimension) -> Any:
    """A dimension as Optuna has it."""
    kinds = import_optuna().distributions
    if isinstance(dimension, Choice):
        return kinds.CategoricalDistribution(dimension.values)
    if dimension.whole:
        return kinds.IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return kinds.FloatDistribution(dimension.low, dimension.high, log=dimension.log)


@dataclass(eq=False)
class Trial:
    """A trial as it stands: what it tries, and what each rung and its end found so far.

    rungs: the lowest monitored value by rung, None where nothing was monitored. done: the epochs and steps until the
    last rung. result: what `run_trial` returned at the end. state: asked, complete, pruned or failed.
    """

    number: int
    model: str
    parameters: dict[str, Any]
    seed: int
    state: str = "asked"
    rungs: dict[int, float | None] = field(default_factory=dict)
    done: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def value(self) -> float | None:
        """What the search lowers, of a complete trial."""
        return self.result.get("value") if self.state == "complete" else None

    @property
    def score(self) -> float | None:
        """The value as the score that it is, which may be better where it is higher."""
        value, about = self.value, self.result.get("score") or {}
        return value if value is None or about.get("lower_is_better", True) else -value

    @property
    def named(self) -> dict[str, Any]:
        """The parameters under the names that the storage has, which differ between models."""
        return {f"{self.model}.{name}": value for name, value in self.parameters.items()}


class Ledger:
    """The trials of one study, read from its storage and written through to it."""

    def __init__(self, storage: str | None, study: str, begun: bool = False) -> None:
        """Open or make the study in the storage at a URL, in memory where it is None; only open one that was `begun`.

        Raises SettingError where the storage can't be opened or lacks the study, TrainingError where it can't be
        written.
        """
        self._optuna = import_optuna()
        self._url = storage
        with _opening(storage):
            kept = self._optuna.storages.InMemoryStorage() if storage is None else _kept(storage)
            if begun:
                try:
                    kept.get_study_id_from_name(study)
                except KeyError:
                    raise lost_trials(self._place) from None
            self._study = self._optuna.create_study(
                storage=kept, study_name=study, direction="minimize", load_if_exists=True
            )
        self._ids: dict[int, int] = {}
        self.trials = [self._read(frozen) for frozen in self._frozen()]
        for trial in self.trials:
            if trial.result:  # killed between a trial's result and its state
                self.end(trial, trial.state, trial.result)

    @property
    def _place(self) -> str:
        return "the storage" if self._url is None else shown_place(self._url)

    def _frozen(self) -> list[Any]:
        """The trials as Optuna has them."""
        with reading(self._place, "storage of trials", error=FormatError), self._told():
            return self._study.get_trials(deepcopy=False)

    def _read(self, frozen: Any) -> Trial:
        about = frozen.user_attrs
        try:
            trial = Trial(frozen.number, str(about["model"]), dict(about["parameters"]), int(about["seed"]))
            rungs = {int(key.partition(":")[2]): v for key, v in about.items() if key.startswith("rung:")}
            trial.rungs = {rung: _number(rungs[rung]["value"]) for rung in sorted(rungs)}
            trial.result = dict(about.get("result", {}))
            reached = rungs[max(rungs)] if rungs else {}
            trial.done = {name: _number(reached[name]) for name in ("epochs", "steps") if name in reached}
            last = trial.result or reached
            trial.seconds = float(last.get("seconds", 0.0))
            trial.state = str(trial.result.get("end", "asked"))
            if trial.state not in _STATES or (_number(trial.value) is None and trial.state == "complete"):
                raise ValueError
        except (AttributeError, KeyError, TypeError, ValueError):
            raise self._foreign(frozen.number) from None
        self._ids[trial.number] = frozen._trial_id
        return trial

    def _foreign(self, number: int) -> FormatError:
        return FormatError(f"{self._place}: trial {number} was not written by seqloom tune, or it is damaged.")

    def need_known(self, spaces: Mapping[str, Mapping[str, Dimension]]) -> None:
        """Raise FormatError where a trial has a model or a parameter that is not searched."""
        for trial in self.trials:
            if not set(trial.parameters) <= set(spaces.get(trial.model, ())) or trial.model not in spaces:
                raise self._foreign(trial.number)

    def refresh(self) -> list[Trial]:
        """Read what other processes noted; the trials that ended since."""
        ended = []
        for frozen in self._frozen():
            if frozen.number == len(self.trials):
                self.trials.append(self._read(frozen))
            elif self.trials[frozen.number].state != "asked":
                continue
            trial, now = self.trials[frozen.number], self._read(frozen)
            trial.rungs, trial.done, trial.result = now.rungs, now.done, now.result
            trial.seconds, trial.state = now.seconds, now.state
            if trial.state != "asked":
                ended.append(trial)
        return ended

    def add(self, trial: Trial, distributions: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Put a new trial there, in one transaction; `values` are those that the distributions hold."""
        frozen = self._optuna.trial.create_trial(
            state=self._optuna.trial.TrialState.RUNNING,
            params=dict(values),
            distributions=dict(distributions),
            user_attrs={"model": trial.model, "parameters": trial.parameters, "seed": trial.seed},
        )
        with self._told():
            self._study.add_trial(frozen)
        newest = self._frozen()[-1]
        if newest.number != trial.number:
            raise TrainingError(
                f"{shown_place(self._url or 'the storage')}: another search adds trials to this study at the same "
                "time; wait for it, or search in another folder."
            )
        self._ids[trial.number] = newest._trial_id
        self.trials.append(trial)

    def reach(
        self, trial: Trial, rung: int, value: float | None, seconds: float, done: Mapping[str, Any] | None = None
    ) -> None:
        """Note the lowest monitored value of a rung, and the epochs and steps until there."""
        trial.rungs[rung], trial.seconds, trial.done = value, round(trial.seconds + seconds, 3), dict(done or {})
        with self._told():
            self._attribute(trial, f"rung:{rung}", {"value": value, "seconds": trial.seconds, **trial.done})
            if value is not None:
                self._study._storage.set_trial_intermediate_value(self._ids[trial.number], rung, value)

    def end(self, trial: Trial, state: str, result: Mapping[str, Any], seconds: float = 0.0) -> None:
        """Note how a trial ended: complete, pruned or failed."""
        trial.state, trial.seconds = state, round(trial.seconds + seconds, 3)
        trial.result = {**result, "end": state, "seconds": trial.seconds}
        states = self._optuna.trial.TrialState
        if self._finished(trial):
            return
        told = {"complete": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}[state]
        value = trial.value if state == "complete" else self._last(trial) if state == "pruned" else None
        with self._told():
            self._attribute(trial, "result", trial.result)
            self._study._storage.set_trial_state_values(
                self._ids[trial.number], told, None if value is None else [value]
            )

    def note(self, name: str, value: Any) -> None:
        """Note a JSON value of the whole study."""
        with self._told():
            self._study.set_user_attr(name, value)

    def noted_number(self, name: str) -> float:
        """The number that was noted under a name, 0 where none was."""
        with reading(self._place, "storage of trials", error=FormatError), self._told():
            return float(_number(self._study.user_attrs.get(name)) or 0.0)

    def _finished(self, trial: Trial) -> bool:
        with self._told():
            return self._study._storage.get_trial(self._ids[trial.number]).state.is_finished()

    @staticmethod
    def _last(trial: Trial) -> float | None:
        return trial.rungs[max(trial.rungs)] if trial.rungs else None

    def _attribute(self, trial: Trial, name: str, value: Any) -> None:
        self._study._storage.set_trial_user_attr(self._ids[trial.number], name, json.loads(json.dumps(value)))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever the database says becomes one sentence."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except self._optuna.exceptions.UpdateFinishedTrialError:
            # Another process that shares the search has just noted the same end, which follows from the same results.
            return
        except Exception as error:
            if not type(error).__module__.startswith(("optuna", "sqlalchemy", "sqlite3", "alembic")):
                raise
            raise _sentence(self._place, error) from None


def lost_trials(place: str) -> SettingError:
    """The refusal of a storage that has not, or no longer, the trials of a search that was begun there."""
    return SettingError(
        f"storage: {place} has no trials of this search, which was begun there; put that database back, or start a new "
        "search in another folder."
    )


def full_url(url: str) -> str:
    """The URL of a storage as search.json keeps it: a file by its absolute path, so that it is the same from anywhere,
    others without password and options."""
    if url.startswith("sqlite:///"):
        return sqlite_url(Path(shown_place(url)))
    return safe_name(url)


def file_of(url: str) -> Path | None:
    """The file of a storage, None where it is on a server or in memory."""
    place = shown_place(url)
    return Path(place) if url.startswith("sqlite:///") and place not in ("", ":memory:") else None


def try_storage(url: str) -> None:
    """Open the storage at a URL and let go of it; raises SettingError where it can't be opened."""
    with _opening(url):
        _kept(url).engine.dispose()


def _kept(url: str) -> Any:
    kept = import_optuna().storages.RDBStorage(url, engine_kwargs=_engine(url))
    _ahead(kept.engine)
    return kept


@contextmanager
def _opening(url: str | None) -> Iterator[None]:
    """Whatever a database, its driver or the reading of its URL raises becomes one sentence, without the password."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SeqloomError:
        raise
    except Exception as error:  # drivers raise what they like
        if url is None or (isinstance(error, OSError) and error.errno is not None):
            raise
        text, place = str(error.__cause__ or error), shown_place(url)
        if isinstance(error, ImportError):
            missing = getattr(error.__cause__ or error, "name", None)
            if not missing:
                raise
            package = _DRIVERS.get(missing, missing)
            raise SettingError(
                f"storage: {place} needs {missing}, which is not installed: run pip install '{package}'."
            ) from None
        for secret in secrets_in(url):
            text = text.replace(secret, "…")
        raise _sentence(place, error, text) from None


def _sentence(place: str, error: Exception, text: str | None = None) -> Exception:
    text = str(error.__cause__ or error) if text is None else text
    whole, reason = f"{error} {text}", brief(text.partition("\n")[0], 200)
    if "locked" in whole:
        return SettingError(f"storage: {place} is locked by another search; wait for it, or use another storage.")
    if "full" in whole or "disk I/O" in whole:
        return TrainingError(f"{place} can't be written ({reason}); what was found so far is kept there.")
    return SettingError(
        f"storage: {place} can't be used ({reason}); write sqlite:///FILE.db, whose folder is there, or "
        "postgresql://USER@HOST/NAME."
    )


def _number(value: Any) -> float | None:
    """A number that stands in the storage; raises ValueError where it is something else."""
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    raise ValueError


def _engine(url: str) -> dict[str, Any]:
    """How long to wait for another writer of a file, unless the URL says so (`?timeout=SECONDS`)."""
    return {"connect_args": {"timeout": 20}} if url.startswith("sqlite") and "timeout=" not in url else {}


def _ahead(engine: Any) -> None:
    """Have a file of SQLite's write ahead: a process that is killed loses nothing, and no write waits for the disk."""
    if engine.dialect.name != "sqlite":
        return
    events = need("sqlalchemy.event", "tuning")

    def ready(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA synchronous=NORMAL")

    events.listen(engine, "connect", ready)
    engine.dispose()
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")


def shown_place(url: str) -> str:
    """The place of a storage in words: the file, or the URL without its password."""
    if url.startswith("sqlite:///"):
        return url.removeprefix("sqlite:///").partition("?")[0]
    return safe_name(url) if "://" in url else brief(url)


def sqlite_url(path: Path) -> str:
    """The URL of a file."""
    return f"sqlite:///{path.resolve()}"
