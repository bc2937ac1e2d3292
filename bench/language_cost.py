"""What a language model costs: tokens per second, seconds per epoch and memory, at the sizes of the published corpora.

    python -m bench.language_cost [--steps 12] [--threads 2] [--only NAME,…]

The corpora are made: as many different words as Penn Treebank (10,000) or WikiText-103 (267,735), drawn by Zipf's law,
each at least once; an epoch is as many tokens as theirs. Every row is a process of its own, one after the other. Beside
the time that passed stands the processor's, which other programs on the machine change less; an epoch is told by both.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from typing import Any

__all__ = ["main"]

PTB, WIKITEXT = (10_000, 929_589), (267_735, 103_227_021)  # words, tokens of an epoch
_PUBLISHED: dict[str, Any] = {"epochs": 1, "optimizer": "adam", "schedule": "constant"}
_LARGE: dict[str, Any] = {"units": 400, "layers": 1, "batch_size": 20, "window": 35}
ROWS: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {
    "ptb-lstm": (PTB, {"model": "lstm", "units": 700, "layers": 3, "batch_size": 20, "window": 35}),
    "ptb-tcn": (PTB, {"model": "tcn", "units": 600, "layers": 4, "batch_size": 16, "window": 80, "scored": 40}),
    "ptb-awd": (PTB, {"recipe": "awd", "epochs": 1}),
    "wikitext-full": (WIKITEXT, {"model": "lstm", **_LARGE}),
    "wikitext-adaptive": (WIKITEXT, {"model": "lstm", "softmax": "adaptive", "tied": False, **_LARGE}),
    "wikitext-tcn": (
        WIKITEXT,
        {
            "model": "tcn",
            "units": 1000,
            "embedding_size": 400,
            "layers": 5,
            "softmax": "adaptive",
            "tied": False,
            "batch_size": 15,
            "window": 80,
            "scored": 40,
        },
    ),
}


def main() -> None:
    """Run each row and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=12, help="measured steps of each row")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--only", default=",".join(ROWS), help="rows, separated by commas")
    parser.add_argument("--run", choices=list(ROWS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run is not None:
        print(json.dumps(_measured(arguments.run, arguments.steps, arguments.threads)))
        return
    print("| row | words | parameters | tokens/s (by processor time) | hours per epoch (by processor time) | memory |")
    print("|---|---|---|---|---|---|")
    for name in arguments.only.split(","):
        command = [sys.executable, "-m", "bench.language_cost", "--run", name]
        command += ["--steps", str(arguments.steps), "--threads", str(arguments.threads)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        (words, tokens), _ = ROWS[name]
        rates = [found["tokens"] / found[clock] for clock in ("passed", "processor")]
        hours = [tokens / rate / 3600 for rate in rates]
        print(
            f"| {name} | {words:,} | {found['parameters'] / 1e6:.1f} M | {rates[0]:,.0f} ({rates[1]:,.0f}) | "
            f"{hours[0]:.2f} ({hours[1]:.2f}) | {found['memory'] / 1e9:.2f} GB |",
            flush=True,
        )


def _measured(name: str, steps: int, threads: int) -> dict[str, float]:
    """Seconds of a step and the tokens that it learns from, both clocks' medians; the process's largest memory."""
    import torch

    from seqloom import LanguageModel
    from seqloom.training.events import StepDone

    torch.set_num_threads(threads)
    (words, _), options = ROWS[name]
    options = {**_PUBLISHED, **options, "steps_per_epoch": steps + 2}
    recipe = options.pop("recipe", None)
    if recipe:
        options = {name: value for name, value in options.items() if name not in ("optimizer", "schedule")}
    model = LanguageModel(**options) if recipe is None else LanguageModel.from_recipe(recipe, **options)
    each = (model.scored or model.window) * model.batch_size
    clocks: list[tuple[int, float, float]] = []

    def listen(event: object) -> None:
        if isinstance(event, StepDone):
            clocks.append((event.step, time.perf_counter(), time.process_time() / threads))

    model.fit(_text(words, each * (steps + 4)), valid=_text(50, 200), on_event=listen)
    # Steps that follow at once share an event.
    taken = [[(after[n] - before[n]) / (after[0] - before[0]) for n in (1, 2)] for before, after in pairwise(clocks)]
    passed, processor = (statistics.median(one[clock] for one in taken) for clock in (0, 1))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "passed": passed,
        "processor": processor,
        "tokens": each,
        "parameters": model.n_parameters_,
        "memory": memory,
    }


def _text(words: int, tokens: int) -> str:
    """Every one of `words` once, then `tokens` by Zipf's law, twenty a line."""
    import numpy as np

    random = np.random.default_rng(0)
    share = np.cumsum(1 / np.arange(1, words + 1))
    ids = np.concatenate([np.searchsorted(share, random.random(tokens) * share[-1]), random.permutation(words)])
    return "\n".join(" ".join(f"w{n}" for n in line) for line in np.array_split(ids, len(ids) // 20)) + "\n"


if __name__ == "__main__":
    main()
