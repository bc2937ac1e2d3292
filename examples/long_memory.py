"""How far back can a model look? The published tasks with the published settings, one run at a time.

    python examples/long_memory.py adding                       # TCN on the adding problem, 600 steps
    python examples/long_memory.py copy --model lstm --minutes 30 --goal 0.001
    python examples/long_memory.py permuted-mnist --directory runs/pmnist    # an interrupted run goes on from there
    python examples/long_memory.py jsb --small                  # a few epochs on a part, to see that it runs

Tasks and settings: Bai, Kolter and Koltun, arXiv 1803.01271, table 1 and appendix. The gradient is clipped where the
paper says so, and after the backward pass (the published programs for copy memory and music clipped before it, which
clips nothing). Sequences that were not trained on choose the best epoch, and others again are scored at the end.
MNIST and the music are looked for in the folder that SEQLOOM_DATA names, or with --cache fetched into that one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqloom import FrameModel, SequenceClassifier, SequenceRegressor
from seqloom.training import EpochDone
from seqloom_runtime.data.sequences import adding_problem, copy_memory, load_mnist, load_music, next_frames

__all__ = ["TASKS", "Task", "main", "run"]

Parts = dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Task:
    """Data, estimator and settings of one published row; `recurrent` is for lstm, gru and rnn."""

    make: type[SequenceClassifier] | type[SequenceRegressor] | type[FrameModel]
    data: Callable[[argparse.Namespace], Parts]
    score: str
    shared: Mapping[str, Any]
    tcn: Mapping[str, Any]
    recurrent: Mapping[str, Any]


def adding(options: argparse.Namespace) -> Parts:
    """50,000 sequences of 600 steps to train on, 1,000 each to choose and to score."""
    return {
        part: adding_problem(count, options.steps or (50 if options.small else 600), seed=options.seed * 3 + number)
        for number, (part, count) in enumerate(counts(options, 50_000).items())
    }


def copy(options: argparse.Namespace) -> Parts:
    """10,000 sequences with a delay of 1,000, 1,000 each to choose and to score."""
    return {
        part: copy_memory(count, options.steps or (20 if options.small else 1000), seed=options.seed * 3 + number)
        for number, (part, count) in enumerate(counts(options, 10_000).items())
    }


def counts(options: argparse.Namespace, train: int) -> dict[str, int]:
    """How many sequences each part has."""
    return {"train": 64, "valid": 32, "test": 32} if options.small else {"train": train, "valid": 1000, "test": 1000}


def mnist(options: argparse.Namespace) -> Parts:
    """55,000 digits to train on, 5,000 to choose, and the 10,000 of the test set."""
    arguments = {"permuted": options.task == "permuted-mnist", "cache": options.cache, "download": bool(options.cache)}
    (x, y), test = load_mnist("train", **arguments), load_mnist("test", **arguments)
    parts = {"train": (x[:55_000], y[:55_000]), "valid": (x[55_000:], y[55_000:]), "test": test}
    few = {"train": 64, "valid": 32, "test": 32} if options.small else {}
    return {part: (a[: few.get(part)], b[: few.get(part)]) for part, (a, b) in parts.items()}


def music(options: argparse.Namespace) -> Parts:
    """The pieces of a collection, each frame with the one that follows it."""
    return {
        part: next_frames(
            load_music(options.task, part, cache=options.cache, download=bool(options.cache))[
                : 6 if options.small else None
            ]
        )
        for part in ("train", "valid", "test")
    }


_PLAIN = {"scaling": "none", "learning_rate": 2e-3, "batch_size": 32}
_CHORALES = {**_PLAIN, "kind": "binary", "batch_size": 1, "reduction": "sum", "epochs": 100, "patience": 10}
TASKS = {
    "adding": Task(
        SequenceRegressor,
        adding,
        "mse",
        {**_PLAIN, "target_scaling": "none", "epochs": 10},
        {"units": 24, "levels": 8, "kernel_size": 8, "clip_norm": None},
        {"units": 130, "clip_norm": 5.0},
    ),
    "copy": Task(
        FrameModel,
        copy,
        "log_loss",
        {**_PLAIN, "kind": "label", "classes": range(10), "optimizer": "rmsprop", "learning_rate": 5e-4, "epochs": 50},
        {"units": 10, "levels": 8, "kernel_size": 8, "dropout": 0.05, "clip_norm": 1.0},
        {"units": 50, "between_dropout": 0.05, "clip_norm": 1.0},
    ),
    "mnist": Task(
        SequenceClassifier,
        mnist,
        "accuracy",
        {**_PLAIN, "batch_size": 64, "epochs": 20},
        {"units": 25, "levels": 8, "kernel_size": 7, "dropout": 0.05, "clip_norm": None},
        {"units": 130, "clip_norm": 1.0, "optimizer": "rmsprop", "learning_rate": 1e-3},
    ),
    "jsb": Task(
        FrameModel,
        music,
        "nll",
        _CHORALES,
        {"units": 150, "levels": 2, "kernel_size": 3, "dropout": 0.5, "clip_norm": 0.4},
        {"units": 200, "layers": 2, "between_dropout": 0.2, "clip_norm": 1.0},
    ),
    "nottingham": Task(
        FrameModel,
        music,
        "nll",
        _CHORALES,
        {"units": 150, "levels": 4, "kernel_size": 6, "dropout": 0.2, "clip_norm": 0.4},
        {"units": 500, "between_dropout": 0.1, "clip_norm": 1.0, "learning_rate": 4e-3},
    ),
}
TASKS["permuted-mnist"] = TASKS["mnist"]


def run(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, float]:
    """Train one model on one task, telling of each epoch; returns the scores on sequences it never saw."""
    task, began = TASKS[options.task], time.monotonic()
    parts = task.data(options)
    settings = {**task.shared, **(task.tcn if options.model == "tcn" else task.recurrent), "seed": options.seed}
    if options.epochs is not None or options.small:
        settings["epochs"] = options.epochs or 2
    estimator = task.make(model=options.model, **settings)

    def tell(event: Any) -> None:
        if isinstance(event, EpochDone):
            row, minutes = event.row, (time.monotonic() - began) / 60
            found = ", ".join(f"{name} {value:.5g}" for name, value in row.valid.items())
            say(f"epoch {row.epoch:3d}  {minutes:6.1f} min  train loss {row.train_loss:.5g}  held out: {found}")

    def enough(row: Any) -> bool:
        late = options.minutes is not None and time.monotonic() - began > 60 * options.minutes
        return late or (options.goal is not None and row.valid["loss"] < options.goal)

    estimator.fit(
        *parts["train"],
        valid=parts["valid"],
        directory=options.directory,
        resume=options.directory is not None,
        on_event=tell,
        stop=enough,
    )
    for note in estimator.notes_:
        say(note)
    scores = dict(estimator.evaluate(*parts["test"]).scores)
    steps = int(np.max([len(sequence) for sequence in parts["test"][0]]))
    say(
        f"{options.task}, {options.model} of {estimator.n_parameters_:,} weights, up to {steps:,} steps: "
        f"{task.score} {scores[task.score]:.5g} on the test part"
    )
    return scores


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description="How far back can a model look?")
    parser.add_argument("task", choices=sorted(TASKS))
    parser.add_argument("--model", choices=("tcn", "lstm", "gru", "rnn"), default="tcn")
    parser.add_argument("--steps", type=int, help="length of the adding problem, delay of the copy task")
    parser.add_argument("--epochs", type=int, help="at most; the task's own number by default")
    parser.add_argument("--minutes", type=float, help="stop after the epoch that reaches this time")
    parser.add_argument("--goal", type=float, help="stop at this loss on the held-out part")
    parser.add_argument("--directory", help="where checkpoints are kept; a run that was stopped goes on from them")
    parser.add_argument("--cache", help="folder to fetch MNIST or music into")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a few sequences and two epochs")
    run(parser.parse_args(arguments), lambda line: print(line, flush=True))


if __name__ == "__main__":
    main(sys.argv[1:])
