"""A search that several processes share: the same trials as one alone, also where one of them dies with a claim."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from searches import SPACE, Folder, InTurn
from tiny_task import PARTS, Line

from seqloom.errors import SettingError
from seqloom.tasks.comparison import Task
from seqloom.tasks.comparison.folder import versions
from seqloom.tuning import Join, Joined, Search, SearchPlan
from seqloom_runtime.files import read_json, write_json

pytest.importorskip("optuna")
PLAN = SearchPlan(trials=10, round=5, space=SPACE)


class Slow(Line):
    """Takes a while, so that another process finds something left to do."""

    def fit(self, *data: Any, **how: Any) -> Line:
        time.sleep(0.1)
        return super().fit(*data, **how)


class Counts(InTurn):
    """Writes down how many jobs this process did."""

    def __init__(self, path: Path, die_at: int = 0) -> None:
        super().__init__(1)
        self.path, self.die_at, self.done = path, die_at, 0

    def run(self, work: Any, shared: Any, jobs: Any, *, on_result: Any = None, on_told: Any = None) -> list[Any]:
        def counted(shared: Any, job: Any, tell: Any) -> Any:
            self.done += 1
            self.path.write_text(str(self.done))
            if self.done == self.die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return work(shared, job, tell)

        return super().run(counted, shared, jobs, on_result=on_result, on_told=on_told)


def trials_of(root: Path, engine: Any, model: type[Line] = Line) -> list[dict[str, Any]]:
    """A search in a folder, as the process that begins it does it."""
    root.mkdir(exist_ok=True)
    task, folder = Task("line"), Folder(root)
    write_json(root / "run.json", {"data": task.data(PARTS), "versions": versions()})
    Search(PLAN, engine)(task, {"line": model()}, PARTS, folder, True, None)  # pyright: ignore[reportArgumentType]
    assert not list((root / "checkpoint").rglob("*"))
    return read_json(root / "trials.json")["trials"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that one process did."""
    root = tmp_path_factory.mktemp("alone") / "run"
    trials_of(root, InTurn(1))
    return root


def trials_in(root: Path) -> list[dict[str, Any]]:
    return read_json(root / "trials.json")["trials"]


def join(root: Path, engine: Any) -> str:
    """Take part in a search; what was said at the end."""
    with pytest.raises(Joined) as ended:
        Join(root, PLAN, engine)(Task("line"), {"line": Slow()}, PARTS, None, False, None)
    return str(ended.value)


def forked(do: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        signal.alarm(120)  # a copy that waits for what never comes must not keep its parent for ever
        torch.set_num_threads(
            1
        )  # a copy has none of the threads that this process may have used, and would wait for them
        try:
            do()
            code = 0
        finally:
            os._exit(code)
    return child


def takes_part(root: Path, count: Path, die_at: int = 0) -> int:
    """A process that takes part as soon as the search has begun: its number."""

    def do() -> None:
        while not (root / "search.json").is_file():
            time.sleep(0.01)
        said = join(root, Counts(count, die_at))
        count.with_suffix(".said").write_text(said)

    return forked(do)


def test_two_processes_find_what_one_finds(tmp_path: Path, alone: Path) -> None:
    root, mine, other = tmp_path / "shared", Counts(tmp_path / "mine"), tmp_path / "other"
    child = takes_part(root, other)
    assert trials_of(root, mine, Slow) == trials_in(alone)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (tmp_path / "shared" / "trials.csv").read_bytes() == (alone / "trials.csv").read_bytes()
    assert int(other.read_text()) > 0
    assert mine.done > 0
    assert " trials were done while this process took part" in other.with_suffix(".said").read_text()


def test_what_a_process_that_died_had_claimed_is_done_again(tmp_path: Path, alone: Path) -> None:
    root, other = tmp_path / "shared", tmp_path / "other"
    child = takes_part(root, other, die_at=2)
    assert trials_of(root, InTurn(1), Slow) == trials_in(alone)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert other.read_text() == "2"


def test_a_search_whose_first_process_died_is_left_to_be_gone_on_with(tmp_path: Path, alone: Path) -> None:
    root = tmp_path / "shared"
    root.mkdir()

    def begin() -> None:
        trials_of(root, Counts(tmp_path / "mine", die_at=7))

    child = forked(begin)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    said = join(root, InTurn(1))
    assert said.endswith("The process that began this search has ended; go on with it by resume=True.")
    assert "5 of 10 by now" in said  # the round that was begun is done
    assert trials_of(root, InTurn(1)) == trials_in(alone)


def test_what_can_not_be_joined_is_one_sentence(tmp_path: Path, alone: Path) -> None:
    root = shutil.copytree(alone, tmp_path / "over")
    assert join(root, InTurn(1)) == f"There is no search going on in {root}."
    for what in ("data", "versions"):
        record = read_json(root / "run.json")
        write_json(root / "run.json", {**record, what: {"other": 1}})
        with pytest.raises(SettingError, match=rf"^join: the {what} of the search in .* differ from those here"):
            Join(root, PLAN, InTurn(1))(Task("line"), {"line": Line()}, PARTS, None, False, None)
        write_json(root / "run.json", record)
