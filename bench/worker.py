"""A peer's process: reads one JSON request a line, prepares or times a case, answers one JSON line.

Run as `python -m bench.worker PEER THREADS`. One process per peer keeps backends and OpenMP runtimes apart; the
parent lets only one of them work at a time.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

from bench.cases import Case
from bench.peers import PEERS, CannotRun, Step

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
            step, answer = _prepare(peer, Case(**request["case"]))
        elif request["do"] == "time":
            assert step is not None
            began = time.perf_counter()
            for _ in range(request["repeats"]):
                step()
            answer = {"seconds": (time.perf_counter() - began) / request["repeats"]}
        else:
            answer = {"flops": _sgemm()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _settle(peer: str, threads: int) -> None:
    """The same threads and the same treatment of denormal numbers for every peer."""
    if peer in ("seqloom", "torch.nn", "torch loop", "sgemm"):
        import torch

        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
    if peer == "keras tensorflow":
        import tensorflow as tf  # pyright: ignore[reportMissingImports]  (only where the bench extra is installed)

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def _prepare(peer: str, case: Case) -> tuple[Step | None, dict[str, Any]]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        step = PEERS[peer](case)
    except CannotRun as reason:
        return None, {"cannot": str(reason)}
    step()
    began = time.perf_counter()
    step()
    seconds = time.perf_counter() - began
    while time.perf_counter() - began < 0.2:
        step()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return step, {"first": seconds, "peak_kib": after, "grown_kib": after - before}


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
