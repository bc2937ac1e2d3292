"""`python -m bench.gpu`: the recurrent layers on a CUDA device, beside torch.nn and a loop in torch; under 5 minutes.

Each plain cell at three shapes (ours hands it to cuDNN, as torch.nn does), each variant at the first of them by the way
it has today: training steps, forward and backward. The sides take turns within each round, a step is waited for, and a
ratio is the other side's time over ours of the same round. Memory is what a step holds at its highest beyond what was
held before it; the error is that of the output and of every gradient against the same layer in float64 on the CPU.
`--device cpu` runs the same on the processor, to try the program where there is no such device.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from bench.cases import HEADLINE, Case, variants
from bench.loops import EagerLoop
from bench.peers import CannotRun, data_for, error_of, our_layer, torch_layer

__all__ = ["main", "measured"]

SHAPES = (HEADLINE, (32, 64, 256, 512), (512, 24, 14, 64))
SIDES = ("seqloom", "torch.nn", "torch loop")
RANDOM = ("variational", "zoneout")  # whose float64 twin would draw other numbers


def main() -> int:
    """Measure and print one table; 2 where there is no such device."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.1, help="time of each side's turn")
    parser.add_argument("--only", help="measure only cases whose name holds this text")
    parser.add_argument("--out", type=Path, help="write every figure as JSON")
    chosen = parser.parse_args()
    if chosen.device != "cpu" and not torch.cuda.is_available():
        print(
            "torch finds no CUDA device here (torch.cuda.is_available() is False); --device cpu tries the program "
            "without one.",
            file=sys.stderr,
        )
        return 2
    device = torch.device(chosen.device)
    torch.manual_seed(1)
    print(f"{_name(device)}, torch {torch.__version__}, cuDNN {torch.backends.cudnn.version() or 'none'}\n")
    head = (
        "case",
        "ours ms, by",
        "torch.nn ms (ratio)",
        "loop ms (ratio)",
        "MiB ours / torch.nn / loop",
        "error ours / torch.nn",
    )
    print(f"| {' | '.join(head)} |")
    print("|---|---|---|---|---|---|")
    rows = []
    for case in cases():
        if chosen.only is None or chosen.only in case.name:
            rows.append(measured(case, device, chosen.rounds, chosen.seconds))
            print(_line(rows[-1]), flush=True)
    if chosen.out is not None:
        chosen.out.write_text(json.dumps(rows, indent=1))
    return 0


def cases() -> list[Case]:
    """Every plain cell at every shape, then the variants at the first."""
    plain = [Case(kind, *shape, "train") for shape in SHAPES for kind in ("gru", "lstm", "elman")]
    return [*plain, *variants(shapes=(HEADLINE,))]


def measured(case: Case, device: torch.device, rounds: int, seconds: float) -> dict[str, Any]:
    """Medians over rounds of each side's step, in ms, and of the others' ratios; memory, errors, and ours' engine."""
    layers: dict[str, torch.nn.Module] = {}
    steps: dict[str, Callable[[], None]] = {}
    for side, make in (("seqloom", our_layer), ("torch.nn", torch_layer), ("torch loop", EagerLoop)):
        try:
            layers[side] = make(case).to(device).train()
        except CannotRun:
            continue
        steps[side] = _step(layers[side], side, case, device)
    memory = {side: _memory(step, device) for side, step in steps.items()}
    times: dict[str, list[float]] = {side: [] for side in steps}
    for number in range(rounds):
        order = list(steps)
        for side in order[number % len(order) :] + order[: number % len(order)]:
            times[side].append(_timed(steps[side], device, seconds))
    twins = (
        {"seqloom", "torch.nn"}
        if case.variant == "plain"
        else {"seqloom"} - ({"seqloom"} if case.variant in RANDOM else set())
    )
    x = torch.from_numpy(data_for(case)[0]).to(device)
    return {
        "case": case.name,
        "ms": {side: 1e3 * statistics.median(found) for side, found in times.items()},
        "ratio": {
            side: statistics.median(a / b for a, b in zip(found, times["seqloom"])) for side, found in times.items()
        },
        "mib": memory,
        "error": {side: error_of(layers[side].eval(), case) for side in layers if side in twins},
        "engine": layers["seqloom"].explain(x),  # pyright: ignore[reportCallIssue]
    }


def _step(layer: Any, side: str, case: Case, device: torch.device) -> Callable[[], None]:
    """A training step, forward and backward with a given gradient."""
    x_array, mask_array = data_for(case)
    x, mask = torch.from_numpy(x_array).to(device), torch.from_numpy(mask_array).to(device)
    lengths = torch.from_numpy(mask_array.sum(axis=1))
    gradient = torch.rand(case.batch, case.time, case.units, device=device) + 0.5
    masked = case.variant == "mask"

    def forward() -> torch.Tensor:
        if side == "torch loop":
            return layer(x, mask)
        if side == "seqloom":
            return layer(x, mask=mask)[0] if masked else layer(x)[0]
        if not masked:
            return layer(x)[0]
        rnn = torch.nn.utils.rnn
        packed = rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return rnn.pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=case.time)[0]

    def step() -> None:
        for parameter in layer.parameters():
            parameter.grad = None
        forward().backward(gradient)

    return step


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _memory(step: Callable[[], None], device: torch.device) -> float | None:
    """MiB that a step holds at most; the step before it makes plans and buffers that stay."""
    step()
    step()
    if device.type != "cuda":
        return None
    _wait(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    step()
    _wait(device)
    return (torch.cuda.max_memory_allocated(device) - before) / 2**20


def _timed(step: Callable[[], None], device: torch.device, seconds: float) -> float:
    """Seconds of a step, the median of a turn; one step before it, so that clocks and caches are those of a loop."""
    step()
    _wait(device)
    found: list[float] = []
    end = time.perf_counter() + seconds
    while not found or time.perf_counter() < end:
        begin = time.perf_counter()
        step()
        _wait(device)
        found.append(time.perf_counter() - begin)
    return statistics.median(found)


def _name(device: torch.device) -> str:
    return (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"the processor, {torch.get_num_threads()} threads"
    )


def _line(row: dict[str, Any]) -> str:
    engine = row["engine"].split(" runs on the ")[-1].split(" engine")[0]

    def other(side: str) -> str:
        return "–" if side not in row["ms"] else f"{row['ms'][side]:.3g} ({row['ratio'][side]:.2f}×)"

    def listed(values: dict[str, float | None], sides: tuple[str, ...], form: str) -> str:
        return " / ".join("–" if values.get(side) is None else format(values[side], form) for side in sides)

    cells = (
        row["case"],
        f"{row['ms']['seqloom']:.3g}, {engine}",
        other("torch.nn"),
        other("torch loop"),
        listed(row["mib"], SIDES, ".1f"),
        listed(row["error"], SIDES[:2], ".1e"),
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
