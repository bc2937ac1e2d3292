"""What every test shares: Hypothesis profiles, one thread unless a test asks for more, the data folder."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch loads; two test processes share two cores

SLOW = [HealthCheck.too_slow]
settings.register_profile("fast", max_examples=15, deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.register_profile("deep", max_examples=500, deadline=None, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


def pytest_collection_finish() -> None:
    """What was collected lives to the end: the collector needn't look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    """A test that asks for threads leaves none to the next: a fork of a process that has used some hangs in them."""
    before = torch.get_num_threads()
    yield
    if torch.get_num_threads() != before:
        torch.set_num_threads(before)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One torch thread in this test, whatever it sets, and after it as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Python's own handler of SIGINT, also where the tests run as a shell's background job, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets: SEQLOOM_DATA, or ../shared/data beside the checkout."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SEQLOOM_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"the real data sets are not at {folder}; set SEQLOOM_DATA to their folder")
    return folder
