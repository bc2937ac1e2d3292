"""What clipping and optimizer add to a training step at the lectures' shape, in interleaved rounds.

    python -m bench.whole_step [gru lstm elman]

B128 T120 I14 H32, every output and Adam, the norm of the gradient clipped. "bare" is forward pass, loss and backward
pass; "fit" is `seqloom.training.fit`, its guards and history included.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bench.training_overhead import Endless
from seqloom import nn
from seqloom.ops import mse_loss
from seqloom.training import Adam, FitSettings, fit

__all__ = ["main"]

KINDS: dict[str, Any] = {"gru": nn.GRU, "lstm": nn.LSTM, "elman": nn.RNN}
STEPS, ROUNDS, CLIP = 50, 9, 1.0


def ways(kind: str) -> dict[str, Callable[[], Any]]:
    """Functions that run STEPS steps each."""
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(128, 120, 14, generator=generator)
    target = torch.rand(128, 120, 32, generator=generator) - 0.5
    layer = KINDS[kind](14, 32, seed=1).train()
    weights = list(layer.parameters())
    theirs, ours = torch.optim.Adam(weights, fused=True), Adam(weights)

    def error(module: Any, batch: tuple[Tensor, Tensor]) -> Tensor:
        return mse_loss(module(batch[0])[0], batch[1])

    def bare() -> None:
        for weight in weights:
            weight.grad = None
        error(layer, (x, target)).backward()

    def torch_step() -> None:
        bare()
        torch.nn.utils.clip_grad_norm_(weights, CLIP)
        theirs.step()

    def our_step() -> None:
        bare()
        ours.clipped_step(clip_norm=CLIP)

    def steps(one: Callable[[], None]) -> Callable[[], Any]:
        return lambda: [one() for _ in range(STEPS)]

    settings = FitSettings(epochs=1, steps_per_epoch=STEPS, clip_norm=CLIP, keep_best=False)
    batches = Endless((x, target))
    return {
        "bare": steps(bare),
        "clip_grad_norm_, torch.optim.Adam(fused=True)": steps(torch_step),
        "seqloom.training.Adam.clipped_step": steps(our_step),
        "fit": lambda: fit(layer, batches, error, settings=settings),
    }


def main() -> None:
    """Print milliseconds a step, and what each way adds to the bare one, the median of the rounds."""
    for kind in sys.argv[1:] or KINDS:
        found = ways(kind)
        times: dict[str, list[float]] = {name: [] for name in found}
        for round_number in range(ROUNDS + 1):
            for name, way in found.items():
                began = time.perf_counter()
                way()
                if round_number:  # the first warms up
                    times[name].append((time.perf_counter() - began) / STEPS * 1e3)
        for name, each in times.items():
            added = statistics.median(one / base - 1 for one, base in zip(each, times["bare"], strict=True))
            print(f"{kind:6s} {name:46s} {statistics.median(each):7.3f} ms a step {added:+7.1%}", flush=True)


if __name__ == "__main__":
    main()
