"""SIGKILL at any moment: the resumed run ends with the same bits, in the module and in every file."""

from __future__ import annotations

import itertools
import random
import signal
from pathlib import Path
from typing import Any

import pytest
from killed_runs import context, die_at_file_operation, finish, kill_after
from small_runs import folder_bits

from seqloom_runtime.files import read_json


def in_process(target: Any, *arguments: Any) -> int:
    process = context().Process(target=target, args=arguments)
    process.start()
    process.join(60)
    return process.exitcode


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, str]]:
    """What an undisturbed run gives: its result and its files."""
    folder = tmp_path_factory.mktemp("whole")
    assert in_process(finish, folder / "run", folder / "result.json") == 0
    return read_json(folder / "result.json"), folder_bits(folder / "run")


def check(folder: Path, result: Path, whole: tuple[dict[str, Any], dict[str, str]]) -> None:
    assert in_process(finish, folder, result) == 0
    found = read_json(result)
    assert found["weights"] == whole[0]["weights"]
    assert found["history"] == whole[0]["history"]
    assert folder_bits(folder) == whole[1]


def kill_at_random(tmp_path: Path, whole: Any, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    hits = 0
    for round_ in range(20 + kills):
        folder = tmp_path / f"run{round_}"
        for _ in range(5):
            hits += kill_after(folder, rng.uniform(0, 0.4 * whole[0]["seconds"]))
        check(folder, tmp_path / f"result{round_}.json", whole)
        if hits >= kills:
            return
    pytest.fail(f"only {hits} of {kills} kills fell into the training")


def test_killed_at_random_moments(tmp_path: Path, whole: Any) -> None:
    kill_at_random(tmp_path, whole, kills=2, seed=1)


@pytest.mark.deep
def test_killed_at_many_random_moments(tmp_path: Path, whole: Any) -> None:
    kill_at_random(tmp_path, whole, kills=30, seed=2)


def die_at(number: int, done: bool, tmp_path: Path, whole: Any) -> bool:
    """Returns False where the run ends before so many file operations."""
    folder = tmp_path / f"{number}{done}"
    code = in_process(die_at_file_operation, folder, number, done)
    if code == 0:
        return False
    assert code == -signal.SIGKILL
    check(folder, tmp_path / f"{number}{done}.json", whole)
    return True


@pytest.mark.parametrize(("number", "done"), [(8, True), (23, False), (41, False)])
def test_killed_between_two_file_operations(number: int, done: bool, tmp_path: Path, whole: Any) -> None:
    assert die_at(number, done, tmp_path, whole)


@pytest.mark.deep
def test_killed_at_every_file_operation(tmp_path: Path, whole: Any) -> None:
    count = 0
    for number in itertools.count(1):
        if not die_at(number, False, tmp_path, whole):
            break
        assert die_at(number, True, tmp_path, whole)
        count += 1
    assert count > 100
