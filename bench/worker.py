"""A peer's process: reads one JSON request a line, prepares or times a case, answers one JSON line.

Run as `python -m bench.worker PEER THREADS`. One process per peer keeps backends and OpenMP runtimes apart; the
parent lets only one of them work at a time.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from bench.cases import Case
from bench.convolutions import CONV_PEERS, ConvCase
from bench.peers import SIDES, CannotRun, Step

__all__ = ["main"]


def main() -> None:
    """Serve requests until standard input ends."""
    peer, threads = sys.argv[1], int(sys.argv[2])
    _settle(peer, threads)
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever a library prints stays out of the answers
    step: Step | None = None
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, Any]
        if request["do"] == "prepare":
            step, answer = _prepare(peer, request["case"])
        elif request["do"] == "time":
            assert step is not None
            _warm_up(step)
            began = time.perf_counter()
            for _ in range(request["repeats"]):
                step()
            answer = {"seconds": (time.perf_counter() - began) / request["repeats"]}
        elif request["do"] == "steady":
            assert step is not None
            answer = _steady(step, request["seconds"])
        elif request["do"] == "beside":
            assert step is not None
            answer = {"ratio": _beside(step, _make(peer, request["case"]), request["seconds"])}
        elif request["do"] == "memory":
            answer = {"step_mib": _step_memory(peer, request["case"])}
        else:
            answer = _machine(threads)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _warm_up(step: Step) -> None:
    """Twenty milliseconds of steps, one at least: the peers before have emptied the caches and the threads sleep."""
    began = time.perf_counter()
    step()
    while time.perf_counter() - began < 0.02:
        step()


def _steady(step: Step, seconds: float) -> dict[str, Any]:
    """A loop as a user's training is, one step after the other: median, 10th and 90th percentile of a step in seconds.

    The first tenth is not counted.
    """
    began = time.perf_counter()
    marks = [began]
    while marks[-1] - began < seconds or len(marks) < 12:
        step()
        marks.append(time.perf_counter())
    taken = sorted(after - before for before, after in itertools.pairwise(marks) if before - began >= seconds / 10)
    low, middle, high = (taken[int(share * (len(taken) - 1))] for share in (0.1, 0.5, 0.9))
    return {"seconds": middle, "low": low, "high": high, "steps": len(taken)}


def _beside(step: Step, other: Step, seconds: float) -> float:
    """The median of a step's time over another's, in turn: what else the machine does falls on both alike."""
    _warm_up(other)
    _warm_up(step)
    ratios: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() - began < seconds or len(ratios) < 9:
        marks = [time.perf_counter()]
        for each in (other, step):
            each()
            marks.append(time.perf_counter())
        ratios.append((marks[2] - marks[1]) / (marks[1] - marks[0]))
    return statistics.median(ratios)


def _machine(threads: int) -> dict[str, float]:
    """What the machine can do just now: a large product of torch's, multiply-adds in registers, and its memory."""
    from seqloom_runtime.native import module

    native = module()
    if native is None:
        raise RuntimeError("the benchmark measures the compiled engine, and this installation has none.")
    return {
        "flops": _sgemm(),
        "peak": native.peak_operations(threads),
        "peak_one": native.peak_operations(1),
        "bandwidth": native.memory_bandwidth(8 << 20, threads),
    }


def _settle(peer: str, threads: int) -> None:
    """The same threads and the same treatment of denormal numbers for every peer."""
    if peer in ("seqloom", "seqloom scan", "torch.nn", "torch loop", "torch.compile", "sgemm"):
        import torch

        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
    if peer == "keras tensorflow":
        import tensorflow as tf  # pyright: ignore[reportMissingImports]  (only where the bench extra is installed)

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def _make(peer: str, case: dict[str, Any]) -> Step:
    """The step of a case; raises CannotRun."""
    if case["kind"] != "tcn":
        return SIDES[peer](Case(**case))
    if peer not in CONV_PEERS:
        raise CannotRun(f"{peer} takes no part in the convolutions")
    return CONV_PEERS[peer](ConvCase(**case))


def _prepare(peer: str, case: dict[str, Any]) -> tuple[Step | None, dict[str, Any]]:
    try:
        step = _make(peer, case)
    except CannotRun as reason:
        return None, {"cannot": str(reason)}
    step()
    began = time.perf_counter()
    step()
    seconds = time.perf_counter() - began
    while time.perf_counter() - began < 0.2:
        step()
    error = getattr(step, "error", None)
    return step, {"first": seconds, "error": None if error is None else error()}


def _step_memory(peer: str, case: dict[str, Any]) -> float:
    """MiB by which three steps raise the peak of this process, which must have run nothing before."""
    step = _make(peer, case)
    before = _memory("VmRSS")
    _forget_peak()
    for _ in range(3):
        step()
    return max(0, _memory("VmHWM") - before) / 1024


def _memory(name: str) -> int:
    """A figure of this process in KiB: VmRSS, what is resident now, or VmHWM, its peak; 0 where the system has none."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def _forget_peak() -> None:
    """Let the peak begin anew, so that it is this case's and not an earlier one's."""
    refs = Path("/proc/self/clear_refs")
    if refs.exists():
        refs.write_text("5")


def _sgemm(size: int = 1536) -> float:
    """Operations a second of one large float32 product, the best of five: what the machine can do just now."""
    import torch

    a, b = torch.randn(size, size), torch.randn(size, size)
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - began)
    return 2.0 * size**3 / best


if __name__ == "__main__":
    main()
