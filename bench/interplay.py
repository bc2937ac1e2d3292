"""A training step of ours right after a parallel torch operation, whose OpenMP workers may still spin on a core.

    python -m bench.interplay

Times the GRU's headline step alone, right after a large torch product, and 20 ms after it, in turns, once for each
OMP_WAIT_POLICY in a process of its own; prints medians in milliseconds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

__all__ = ["main"]

ROUNDS = 60


def main() -> None:
    """Run the measurement under each policy."""
    if len(sys.argv) > 1:
        _measure(sys.argv[1])
        return
    print("policy, alone ms, right after ms, 20 ms after ms")
    for policy in ("default", "active", "passive"):
        environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
        if policy != "default":
            environment["OMP_WAIT_POLICY"] = policy
        subprocess.run([sys.executable, "-m", "bench.interplay", policy], env=environment, check=True)


def _measure(policy: str) -> None:
    import torch

    from bench.cases import HEADLINE, Case
    from bench.peers import ours

    step = ours(Case("gru", *HEADLINE))
    a, b = torch.randn(768, 768), torch.randn(768, 768)

    def timed(before: float | None) -> float:
        if before is not None:
            torch.mm(a, b)
            time.sleep(before)
        else:
            time.sleep(0.05)
        began = time.perf_counter()
        step()
        return 1e3 * (time.perf_counter() - began)

    for _ in range(5):
        step()
    rounds = [[timed(None), timed(0.0), timed(0.02)] for _ in range(ROUNDS)]
    print(policy, *(f"{statistics.median(column):.2f}" for column in zip(*rounds)), sep=", ", flush=True)


if __name__ == "__main__":
    main()
