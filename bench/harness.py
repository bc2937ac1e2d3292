"""Times cases on all peers in interleaved rounds: one peer works at a time, the order turns from round to round."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.cases import Case
from bench.convolutions import ConvCase

__all__ = ["Worker", "Workers", "measure", "roofline"]

ROOT = Path(__file__).resolve().parents[1]
SETTLE = 0.02  # seconds: OpenMP workers of the peer before spin for up to 8 ms


class Worker:
    """One peer in a process of its own."""

    def __init__(self, peer: str, threads: int, policy: str | None = None) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"},
            **({} if policy is None else {"OMP_WAIT_POLICY": policy}),
            "OMP_NUM_THREADS": str(threads),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "JAX_PLATFORMS": "cpu",
        }
        if peer.startswith("keras"):
            environment["KERAS_BACKEND"] = peer.split()[1]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", peer, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self.peer = peer

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for the answer; raises RuntimeError where the process died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.peer} ended with code {self._process.wait()} on {request}")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Workers:
    """All peers of a run; closed at the end of the block. policy: how idle OpenMP threads wait, None for its own."""

    def __init__(self, peers: Sequence[str], threads: int, policy: str | None = None) -> None:
        self._threads, self._policy = threads, policy
        self._workers = {peer: Worker(peer, threads, policy) for peer in peers}
        self._machine = Worker("machine", threads, policy)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in [*self._workers.values(), self._machine]:
            worker.close()

    def machine(self) -> dict[str, float]:
        """Operations a second of a large float32 product and of multiply-adds in registers, bytes a second; now."""
        return self._machine.ask(do="machine")

    def steady(self, case: Case, seconds: float) -> dict[str, dict[str, Any]]:
        """A loop of steps by each peer that can run the case, each in a new process while the others sleep."""
        found: dict[str, dict[str, Any]] = {}
        for peer in self._workers:
            worker = Worker(peer, self._threads, self._policy)
            try:
                if "cannot" not in worker.ask(do="prepare", case=case.to_json()):
                    found[peer] = worker.ask(do="steady", seconds=seconds)
            finally:
                worker.close()
        return found

    def memory(self, peer: str, case: Case | ConvCase) -> float:
        """MiB that a step of the case takes in a process that has run nothing else."""
        worker = Worker(peer, self._threads, self._policy)
        try:
            return worker.ask(do="memory", case=case.to_json())["step_mib"]
        finally:
            worker.close()

    def prepare(self, case: Case | ConvCase) -> tuple[dict[str, Worker], dict[str, Any]]:
        """The peers that can run the case, and what each said when it was warmed up."""
        said = {peer: worker.ask(do="prepare", case=case.to_json()) for peer, worker in self._workers.items()}
        return {peer: self._workers[peer] for peer, answer in said.items() if "cannot" not in answer}, said


def roofline(case: Case, machine: dict[str, float], seconds: float) -> dict[str, Any]:
    """The shares of the machine's multiply-adds and of its memory that a call used, and which of the two binds.

    machine: `peak` operations and `bandwidth` bytes a second. The binding one is what would take longer by itself;
    arrays that stay in the last cache move faster than `bandwidth`, so that its share may exceed 1.

    >>> from bench.cases import Case
    >>> found = roofline(Case("gru", 128, 120, 14, 32), {"peak": 2e11, "bandwidth": 1e10}, 0.01)
    >>> f"{found['fma_share']:.3f} {found['bytes_share']:.3f} {found['binds']}"
    '0.203 0.233 bytes'
    """
    compute, move = case.flops / machine["peak"], case.bytes_moved / machine["bandwidth"]
    return {
        "fma_share": compute / seconds,
        "bytes_share": move / seconds,
        "binds": "bytes" if move > compute else "multiply-adds",
    }


def measure(workers: Workers, case: Case | ConvCase, *, rounds: int = 7, seconds: float = 2.0) -> dict[str, Any]:
    """Time a case: median and spread of each peer in ms, and the ratio to ours taken round by round."""
    able, said = workers.prepare(case)
    share = seconds / rounds / max(len(able), 1)
    repeats = {peer: max(1, int(share / max(said[peer]["first"], 1e-7))) for peer in able}
    times: dict[str, list[float]] = {peer: [] for peer in able}
    machine: list[dict[str, float]] = []
    order = list(able)
    for number in range(rounds):
        machine.append(workers.machine())
        turned = order[number % len(order) :] + order[: number % len(order)]
        for peer in turned:
            time.sleep(SETTLE)
            times[peer].append(able[peer].ask(do="time", repeats=repeats[peer])["seconds"])
    can = {name: statistics.median(found[name] for found in machine) for name in machine[0]}
    rate = can["flops"]
    per = 1000 if case.mode == "stream" else 1  # a stream run holds 1000 steps
    result: dict[str, Any] = {"case": case.to_json(), "name": case.name, "machine": can, "peers": {}}
    for peer, taken in times.items():
        entry = {
            "ms": 1e3 * statistics.median(taken) / per,
            "ms_low": 1e3 * min(taken) / per,
            "ms_high": 1e3 * max(taken) / per,
            "error": said[peer]["error"],
            "sgemm_share": case.flops / (statistics.median(taken) / per) / rate,
        }
        if isinstance(case, Case):
            entry |= roofline(case, can, statistics.median(taken) / per)
        if peer != "seqloom" and "seqloom" in times:
            entry["ratio"] = statistics.median(t / o for t, o in zip(taken, times["seqloom"]))
        result["peers"][peer] = entry
    if isinstance(case, Case) and case.variant != "plain" and "seqloom" in able:
        plain = replace(case, variant="plain").to_json()
        result["of_plain"] = able["seqloom"].ask(do="beside", case=plain, seconds=seconds)["ratio"]
    if case.mode == "train" and case.variant == "plain":
        for peer in ("seqloom", "torch.nn"):
            if peer in able:
                result["peers"][peer]["step_mib"] = workers.memory(peer, case)
    result["cannot"] = {peer: answer["cannot"] for peer, answer in said.items() if "cannot" in answer}
    return result
