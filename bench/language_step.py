"""A training step (forward and backward) of the PTB word model, 2×200 LSTM, batch 20, 35 steps, 10,000 words.

    python -m bench.language_step [--rounds 5] [--threads 2]

Ours beside torch.nn.LSTM without dropout, and beside a loop over time in torch with variational dropout (Gal &
Ghahramani 2016), all with a tied embedding and the same linear layer and cross-entropy. Each runs in a process of its
own, one after the other and around again; ratios are taken round by round. The second table has the layers alone, with
a given gradient in place of softmax and loss, which are the same for everyone and most of the step.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from bench.in_turn import in_turn

__all__ = ["main"]

BATCH, STEPS, WORDS, UNITS, LAYERS, DROPPED = 20, 35, 10_000, 200, 2, 0.2
PAIRS = {"seqloom": "torch.nn.LSTM", "seqloom, variational dropout": "torch loop, variational dropout"}


def main() -> None:
    """Start each run in turn and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="measured seconds of each run and round")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--run", choices=list(_runs()), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run is not None:
        print(*_time(arguments.run, arguments.seconds, arguments.threads))
        return
    said = in_turn(
        "bench.language_step",
        {name: {} for name in _runs()},
        ["--seconds", str(arguments.seconds)],
        rounds=arguments.rounds,
        threads=arguments.threads,
    )
    found = {name: [tuple(map(float, text.split())) for text in texts] for name, texts in said.items()}
    for number, title in enumerate(("whole step", "layers alone")):
        print(f"| {title} | ours ms (lowest–highest) | theirs ms (lowest–highest) | ratio |\n|---|---|---|---|")
        for own, other in PAIRS.items():
            ours, theirs = ([one[number] for one in found[name]] for name in (own, other))
            ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
            print(f"| {own} / {other} | {_said(ours)} | {_said(theirs)} | {ratio:.2f}× |")


def _said(taken: list[float]) -> str:
    return f"{statistics.median(taken):.1f} ({min(taken):.1f}–{max(taken):.1f})"


def _runs() -> dict[str, Callable[[], Any]]:
    return {
        "seqloom": lambda: _ours(0.0),
        "torch.nn.LSTM": _torch,
        "seqloom, variational dropout": lambda: _ours(DROPPED),
        "torch loop, variational dropout": _loop,
    }


def _ours(dropout: float) -> Any:
    from seqloom.tasks.language.network import LanguageSpec, build_language_network

    dropouts: dict[str, Any] = {"input_dropout": dropout, "recurrent_dropout": dropout, "output_dropout": dropout}
    spec = LanguageSpec(name="lstm", words=WORDS, embedding_size=UNITS, units=UNITS, layers=LAYERS, **dropouts)
    network = build_language_network(spec, 1)

    return network, lambda ids: network(ids)[0], network.logits


def _torch() -> Any:
    import torch

    embedding = torch.nn.Embedding(WORDS, UNITS)
    lstm = torch.nn.LSTM(UNITS, UNITS, LAYERS, batch_first=True)
    output = torch.nn.Linear(UNITS, WORDS)
    output.weight = embedding.weight
    return torch.nn.ModuleList([embedding, lstm, output]), lambda ids: lstm(embedding(ids))[0], output


def _loop() -> Any:
    import torch

    embedding = torch.nn.Embedding(WORDS, UNITS)
    cells = torch.nn.ModuleList(torch.nn.LSTMCell(UNITS, UNITS) for _ in range(LAYERS))
    output = torch.nn.Linear(UNITS, WORDS)
    output.weight = embedding.weight

    def mask() -> Any:
        return torch.empty(BATCH, UNITS).bernoulli_(1 - DROPPED).div_(1 - DROPPED)

    def features(ids: Any) -> Any:
        x = embedding(ids)
        for cell in cells:
            before, recurrent = mask(), mask()
            h = c = x.new_zeros(BATCH, UNITS)
            steps = []
            for t in range(STEPS):
                h, c = cell(x[:, t] * before, (h * recurrent, c))
                steps.append(h)
            x = torch.stack(steps, dim=1)
        return x * mask()[:, None]

    return torch.nn.ModuleList([embedding, cells, output]), features, output


def _time(name: str, seconds: float, threads: int) -> tuple[float, float]:
    """Median milliseconds of a step, whole and with the layers alone."""
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(1)
    network, features, logits = _runs()[name]()
    tokens = torch.randint(WORDS, (BATCH, STEPS + 1))
    gradient = torch.rand(BATCH, STEPS, UNITS) + 0.5

    def whole() -> None:
        found = logits(features(tokens[:, :-1])).flatten(0, 1)
        torch.nn.functional.cross_entropy(found, tokens[:, 1:].flatten()).backward()

    return _median(network, whole, seconds), _median(
        network, lambda: features(tokens[:, :-1]).backward(gradient), seconds / 2
    )


def _median(network: Any, step: Callable[[], None], seconds: float) -> float:
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken) < 6:
        for parameter in network.parameters():
            parameter.grad = None
        start = time.perf_counter()
        step()
        taken.append(time.perf_counter() - start)
    return 1e3 * statistics.median(taken[3:])


if __name__ == "__main__":
    main()
