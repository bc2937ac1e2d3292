"""Engines: what goes between processes, results in order, failures and deaths of workers, Ctrl-C."""

from __future__ import annotations

import math
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqloom.engines import Failed, LocalEngine, make_engine
from seqloom.engines.packing import pack, unpack
from seqloom.errors import DataError, FormatError, SettingError, TrainingError


def test_values_come_back_as_they_went() -> None:
    value = {
        "a": [1, 2.5, None, True, "é\n"],
        "b": {"": {"x": -math.inf}, "times": np.array(["2024-01-01"], "datetime64[s]")},
        "c": (np.zeros((0, 3), np.float32), np.arange(6).reshape(2, 3)[:, ::2], np.array(["ab", "c"])),
        "d": np.float64(0.1),
    }
    back = unpack(pack(value))
    assert back["a"] == value["a"]
    assert back["b"][""] == {"x": -math.inf}
    assert back["b"]["times"].dtype == value["b"]["times"].dtype
    assert back["c"][0].shape == (0, 3)
    assert back["c"][1].tolist() == [[0, 2], [3, 5]]
    assert back["c"][2].tolist() == ["ab", "c"]
    assert back["d"] == 0.1
    assert math.isnan(unpack(pack(math.nan)))


@pytest.mark.parametrize("value", [object(), {1: 2}, np.array([object()]), {"a": {1, 2}}])
def test_what_is_no_value_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        pack(value)


@pytest.mark.parametrize("cut", [0, 5, 30, -1])
def test_a_damaged_message_is_one_sentence(cut: int) -> None:
    with pytest.raises(FormatError, match="damaged"):
        unpack(pack({"a": np.arange(9)})[:cut])


def square(shared: Any, job: Any, tell: Any) -> Any:
    tell({"begun": job})
    time.sleep(0.02 * (3 - job % 4))
    return {"job": job, "found": shared["values"] * job, "threads": torch.get_num_threads(), "pid": os.getpid()}


@pytest.mark.parametrize("workers", [1, 3])
def test_results_stand_in_the_order_of_the_jobs(workers: int) -> None:
    told: list[Any] = []
    seen: list[int] = []
    found = LocalEngine(workers).run(
        square,
        {"values": np.arange(3.0)},
        range(5),
        on_result=lambda index, result: seen.append(index),
        on_told=lambda index, value: told.append((index, value["begun"])),
    )
    assert [each["job"] for each in found] == list(range(5))
    assert found[4]["found"].tolist() == [0.0, 4.0, 8.0]
    assert {each["threads"] for each in found} == {1}
    assert os.getpid() not in {each["pid"] for each in found}
    assert sorted(seen) == list(range(5))
    assert sorted(told) == [(n, n) for n in range(5)]


def fails(shared: Any, job: Any, tell: Any) -> Any:
    if job == "data":
        raise DataError("load: no window.")
    if job == "other":
        raise ZeroDivisionError("by nothing")
    if job == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "once" and not Path(shared).exists():
        Path(shared).touch()
        os._exit(3)
    return job


def test_a_job_that_fails_or_whose_worker_dies_is_one_result(tmp_path: Path) -> None:
    data, other, dies, once, well = LocalEngine(2).run(
        fails, str(tmp_path / "seen"), ["data", "other", "dies", "once", "well"]
    )
    assert data == Failed("DataError", "load: no window.")
    assert isinstance(data.error(), DataError)
    assert isinstance(other.error(), TrainingError)
    assert "ZeroDivisionError: by nothing" in str(other.error())
    assert dies.kind == ""
    assert "3 worker processes were ended in turn, the last by signal 9" in dies.text
    assert (once, well) == ("once", "well")


def sleeps(shared: Any, job: Any, tell: Any) -> Any:
    tell(os.getpid())
    time.sleep(60)


def test_ctrl_c_ends_the_workers() -> None:
    pids: list[int] = []

    def stop(index: int, value: Any) -> None:
        pids.append(value)
        if len(pids) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LocalEngine(2).run(sleeps, None, [1, 2, 3], on_told=stop)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_engines_by_name() -> None:
    assert make_engine("local", workers=3).workers == 3
    assert make_engine().workers >= 1
    with pytest.raises(SettingError, match=r"^engine: expected one of local, ray, got 'rai'\. Did you mean 'ray'"):
        make_engine("rai")
    for workers in (0, True, 1.5):
        with pytest.raises(SettingError, match=r"^workers: expected a whole number"):
            make_engine(workers=workers)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match=r"^ray_address: only the engine 'ray' has one"):
        make_engine(address="10.0.0.1:6379")
