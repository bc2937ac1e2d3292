"""What the training loop adds to a step: `fit` beside a bare loop on a tiny network, in interleaved rounds.

    python -m bench.training_overhead

Processor time of one thread, so that other work on the machine disturbs little. The bare loop has the same fused
optimizer and nothing else: no NaN guard, no gradient norm, no history.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seqloom.training import FitSettings, fit

__all__ = ["main"]

STEPS, ROUNDS = 1500, 9


class Endless:
    """The same batch for ever, with a position."""

    def __init__(self, batch: tuple[Tensor, Tensor]) -> None:
        self.batch, self.position = batch, 0

    def __next__(self) -> tuple[Tensor, Tensor]:
        self.position += 1
        return self.batch

    def state(self) -> dict[str, int]:
        """Where it is."""
        return {"position": self.position}

    def restore(self, state: dict[str, int]) -> None:
        """Go back to a position."""
        self.position = state["position"]


def loss(module: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The mean squared error."""
    return nn.functional.mse_loss(module(batch[0]), batch[1])


def network() -> nn.Module:
    """Two small layers."""
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))


def bare(batch: tuple[Tensor, Tensor]) -> None:
    """The least that trains."""
    module = network()
    optimizer = torch.optim.Adam(module.parameters(), fused=True)
    for _ in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        loss(module, batch).backward()
        optimizer.step()


def main() -> None:
    """Print microseconds a step: the median over the rounds."""
    torch.set_num_threads(1)
    batch = torch.randn(32, 8), torch.randn(32, 1)
    whole = FitSettings(epochs=1)
    endless = FitSettings(epochs=1, steps_per_epoch=STEPS, clip_norm=1.0)

    def silent(event: Any) -> None:
        pass

    ways: dict[str, Callable[[], Any]] = {
        "bare loop": lambda: bare(batch),
        "fit, a list": lambda: fit(network(), [batch] * STEPS, loss, settings=whole),
        "fit, an endless iterator, clipping, events": lambda: fit(
            network(), Endless(batch), loss, settings=endless, on_event=silent
        ),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.process_time()
            way()
            times[name].append((time.process_time() - began) / STEPS * 1e6)
    base = times["bare loop"]
    for name, found in times.items():
        extra = statistics.median(one - other for one, other in zip(found, base))
        print(f"{name:44s} {statistics.median(found):7.1f} µs a step   {extra:+7.1f} µs")


if __name__ == "__main__":
    main()
