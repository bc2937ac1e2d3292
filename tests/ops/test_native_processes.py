"""The compiled scan in several Python threads and processes: same bits, no lock held, no interrupt lost."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time

import pytest
import torch

from seqloom.ops.cell import Cell, Weights
from seqloom.ops.scan import scan
from seqloom_runtime import native

pytestmark = pytest.mark.skipif(native.module() is None, reason="this installation has no native module")


class Job:
    """A call of the scan with fixed numbers; `run` returns the bytes of its outputs and gradients."""

    def __init__(self, kind: str, seed: int, batch: int = 40, steps: int = 12, hidden: int = 33):
        generator = torch.Generator().manual_seed(seed)
        gates = {"elman": 1, "gru": 3, "lstm": 4}[kind]
        normal = lambda *shape: 0.3 * torch.randn(shape, generator=generator)  # noqa: E731
        self.cell = Cell(kind)
        self.x, self.h, self.c = normal(batch, steps, 5), normal(batch, hidden), normal(batch, hidden)
        self.arrays = [normal(n, gates * hidden).requires_grad_() for n in (5, hidden)]

    def run(self) -> bytes:
        state = (self.h, self.c) if self.cell.kind == "lstm" else self.h
        y, _ = scan(self.cell, self.x, state, Weights(*self.arrays), backend="native")
        grads = torch.autograd.grad(y.square().sum(), self.arrays)
        return b"".join(t.detach().numpy().tobytes() for t in (y, *grads))


JOBS = [("gru", 1), ("lstm", 2), ("elman", 3), ("gru", 4)]


@pytest.mark.parametrize("own", [False, True], ids=["torch's threads", "own threads"])
@pytest.mark.parametrize("threads", [1, 3])
def test_four_python_threads_get_the_same_bits(threads: int, own: bool):
    module = native.module()
    assert module is not None
    before, shared = torch.get_num_threads(), module.sharing_openmp()
    torch.set_num_threads(threads)
    if own:
        module.stop_sharing_openmp()
    try:
        jobs = [Job(*job) for job in JOBS]
        expected = [job.run() for job in jobs]
        wrong: list[str] = []
        start = threading.Barrier(4)

        def work(number: int) -> None:
            torch.set_num_threads(threads)  # torch keeps this for each thread
            start.wait()
            for turn in range(50):
                which = (number + turn) % len(jobs)
                if jobs[which].run() != expected[which]:
                    wrong.append(f"thread {number}, turn {turn}")

        workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert not any(worker.is_alive() for worker in workers)
        assert wrong == []
    finally:
        if shared:
            module.share_openmp("torch")
        torch.set_num_threads(before)


def test_other_python_threads_run_meanwhile():
    """The interpreter's lock is released: without that a waiting thread gets no turn before the call returns."""
    job = Job("lstm", 5, batch=64, steps=400, hidden=160)
    ticks: list[float] = []
    stop = threading.Event()

    def tick() -> None:
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    other = threading.Thread(target=tick)
    other.start()
    with torch.no_grad():
        before = time.perf_counter()
        scan(job.cell, job.x, (job.h, job.c), Weights(*job.arrays), backend="native")
        after = time.perf_counter()
    stop.set()
    other.join()
    assert after - before > 0.01
    margin = (after - before) / 5
    assert sum(before + margin < t < after - margin for t in ticks) >= 2


START = """
import os, signal, sys, threading, time
sys.path.insert(0, "tests/ops"); sys.path.insert(0, "tests")
import torch
from test_native_processes import Job
torch.set_num_threads(2)
"""


def run_python(code: str) -> str:
    """What code prints in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", START + code],
        cwd=os.path.join(os.path.dirname(__file__), "../.."),
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


def test_a_child_of_fork_gets_the_same_bits():
    code = """
job = Job("gru", 1)
expected = job.run()
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if all(job.run() == expected for _ in range(5)) else 1)
    assert os.waitpid(pid, 0)[1] == 0
print(job.run() == expected)
"""
    assert run_python(code) == "True"


def test_fork_while_another_thread_is_inside_the_scan():
    """The child has none of the parent's threads, whatever these held when it was made."""
    code = """
jobs = [Job("gru", 1), Job("lstm", 2)]
expected = [job.run() for job in jobs]
stop = threading.Event()
def busy():
    while not stop.is_set():
        jobs[1].run()
thread = threading.Thread(target=busy)
thread.start()
for _ in range(8):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        with torch.no_grad():  # no autograd: its own threads don't survive a fork
            ok = all(job.run_forward() == whole[: len(job.run_forward())] for job, whole in zip(jobs, expected))
        os._exit(0 if ok else 1)
    assert os.waitpid(pid, 0)[1] == 0
stop.set()
thread.join()
print("done")
"""
    forward = """
def run_forward(self):
    from seqloom.ops.scan import scan
    from seqloom.ops.cell import Weights
    state = (self.h, self.c) if self.cell.kind == "lstm" else self.h
    return scan(self.cell, self.x, state, Weights(*self.arrays), backend="native")[0].numpy().tobytes()
Job.run_forward = run_forward
"""
    assert run_python(forward + code) == "done"


def test_workers_of_a_data_loader():
    """Two forked processes that run the scan in turn with the parent."""
    code = """
from torch.utils.data import DataLoader, Dataset
job = Job("gru", 1)
expected = job.run()
class Items(Dataset):
    def __len__(self): return 8
    def __getitem__(self, k): return int(job.run() == expected)
total = 0
for batch in DataLoader(Items(), batch_size=2, num_workers=2, multiprocessing_context="fork"):
    total += int(batch.sum()) + int(job.run() == expected)
print(total)
"""
    assert run_python(code) == "12"


def test_an_interrupt_during_a_call_is_delivered_after_it():
    code = """
job = Job("lstm", 5, batch=64, steps=1500, hidden=160)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell is started ignoring it
sent = []
def interrupt():
    time.sleep(0.02)
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
start = time.perf_counter()
try:
    with torch.no_grad():
        from seqloom.ops.cell import Weights
        from seqloom.ops.scan import scan
        scan(job.cell, job.x, (job.h, job.c), Weights(*job.arrays), backend="native")
        returned = time.perf_counter()
        time.sleep(5)
except KeyboardInterrupt:
    print(time.perf_counter() - sent[0] < 4, sent[0] > start)
expected = Job("gru", 1).run()
print(Job("gru", 1).run() == expected)
"""
    assert run_python(code).split() == ["True", "True", "True"]


PAGES = """
import resource, torch
from seqloom.nn import GRU

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        kept = [torch.ones(1 << 19) for _ in range(6)]  # 2 MiB each, all given back at once
        del kept
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
faults()
GRU(4, 64)(torch.zeros(64, 64, 4))[0].sum().backward()
faults()
print(faults())
"""


def faults_with(**variables: str) -> int:
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_", "SEQLOOM_KEEP"))}
    found = subprocess.run(
        [sys.executable, "-c", PAGES], env={**plain, **variables}, capture_output=True, text=True, check=True
    )
    return int(found.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator alone is told to keep pages")
def test_freed_memory_is_kept_unless_the_user_says_otherwise():
    """Torch's arrays beside a large result of ours stop asking for the same pages again: 6·512 of them a turn."""
    left_alone = faults_with(SEQLOOM_KEEP_PAGES="0")
    if left_alone < 1_000:
        pytest.skip(f"the system hands out memory in large pages here: {left_alone} faults without keeping any")
    assert faults_with() < 400


@pytest.mark.deep
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator alone is told to keep pages")
def test_who_tells_the_allocator_himself_is_left_alone():
    assert faults_with(MALLOC_TRIM_THRESHOLD_="1000000") >= 1_000 or faults_with(SEQLOOM_KEEP_PAGES="0") < 1_000
