"""Minutes per epoch of the studies' rows beside a plain torch.nn rendering of the same settings.

    python -m bench.study_speed [--threads 2] [--turns 5] [--seconds 1.5] [--only jsb]

Ours is what `seqloom reproduce` itself would train: network, batches, loss and settings are caught where the study
hands them to the training loop, and each turn is a run of that loop. The plain rendering (`bench.plain_studies`) has
the same sizes, dropouts, optimizer and clipping, and trains on the very same batches in a bare loop. The two take turns
of equally many steps in one process, a ratio is taken turn by turn. What stands between two marks of docs/studies.md is
replaced by the table.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from bench.plain_studies import PlainLanguage, PlainReader, plain_optimizer, plain_step
from bench.studies import between_marks
from seqloom.studies import StudySettings, find_study
from seqloom.studies.adding import MODELS as ADDING
from seqloom.studies.copy_memory import MODELS as COPY
from seqloom.studies.job import Job
from seqloom.studies.long_memory import Model
from seqloom.studies.music import JSB_MODELS, LARGE_MODELS
from seqloom.studies.networks import count
from seqloom.studies.sequential_mnist import MODELS as MNIST
from seqloom.studies.study import Prepared, Row
from seqloom.training import FitSettings, fit

__all__ = ["CASES", "MARKS", "Case", "Caught", "Timed", "caught", "main", "plain_loss", "speed_table", "timed"]

MARKS = "<!-- speed of the studies: first line -->", "<!-- speed of the studies: last line -->"
WARM, MOST = 2, 400  # steps before the first turn; of a turn at most
_REST = 0.02  # seconds between turns, in which idle threads stop spinning


@dataclass(frozen=True)
class Case:
    """One row of a study; `models` has its published sizes, None for a language model, which says them itself."""

    study: str
    row: str
    goal: float
    models: dict[str, Model] | None


CASES = (
    *(Case("sequential-mnist", row, 3.0, MNIST) for row in ("tcn", "lstm", "gru")),
    *(Case("adding", row, 3.0, ADDING) for row in ("tcn", "lstm", "gru")),
    *(Case("copy-memory", row, 3.0, COPY) for row in ("tcn", "lstm", "gru")),
    *(Case("jsb", row, 1.3, JSB_MODELS) for row in ("tcn", "lstm", "gru")),
    *(Case("nottingham", row, 1.3, LARGE_MODELS) for row in ("tcn", "lstm")),
    *(Case("ptb-chars", row, 1.3, None) for row in ("tcn", "lstm")),
)


class Caught(BaseException):
    """What a study hands to the training loop, thrown in place of training it."""

    def __init__(self, module: nn.Module, batches: Iterable[Any], loss: Callable[..., Tensor], **given: Any) -> None:
        super().__init__()
        self.module, self.batches, self.loss, self.penalty = module, batches, loss, given.get("penalty")
        self.settings: FitSettings = given["settings"]

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.settings.steps_per_epoch or len(self.batches)  # pyright: ignore[reportArgumentType]


def _throw(module: nn.Module, batches: Iterable[Any], loss: Callable[..., Tensor], **given: Any) -> None:
    raise Caught(module, batches, loss, **given)


def caught(study: str, row: str, prepared: Prepared, settings: StudySettings) -> tuple[Row, Caught]:
    """The row, and what it would train: on the data of `prepared`, which several rows may share."""
    found = find_study(study)
    chosen = next(one for one in found.rows(settings, prepared) if one.name == row)
    with patch("seqloom.studies.job.fit", _throw), patch("seqloom.tasks.checkpointing.fit", _throw):
        try:
            found.work(chosen, prepared.data, Job(chosen, 0, settings))
        except Caught as thrown:
            return chosen, thrown
    raise ValueError(f"{study} {row} trains nothing")


def plain_loss(case: Case, ours: Caught, batch: Any, quick: bool) -> tuple[nn.Module, Callable[[Any], Tensor]]:
    """The plain rendering of what was caught, and its loss on a batch."""
    if case.models is None:
        network: Any = getattr(ours.module, "module", ours.module)
        windowed = network is ours.module
        scored = int((batch.targets >= 0)[0].sum()) if windowed else None
        module = PlainLanguage(network.spec, scored)
        return module, module.loss
    model = case.models[case.row].suited(None, quick)
    network = ours.module
    inputs, outputs = int(batch[0].shape[-1]), int(network.output.out_features)  # pyright: ignore
    module = PlainReader(model, inputs, outputs, last=bool(network.last))
    # The study's own loss takes any module of those shapes.
    return module, lambda one: ours.loss(module, one)


@dataclass(frozen=True)
class Timed:
    """Seconds of a step in each turn, of ours and of the plain rendering; steps of an epoch; numbers trained."""

    case: Case
    label: str
    ours: Sequence[float]
    plain: Sequence[float]
    steps: int
    parameters: tuple[int, int]

    @property
    def ratios(self) -> list[float]:
        """Of the turns, the plain rendering's time over ours."""
        return [b / a for a, b in zip(self.ours, self.plain, strict=True)]


def timed(case: Case, prepared: Prepared, settings: StudySettings, turns: int, seconds: float) -> Timed:
    """Train both in turns of so many steps that the slower one takes about `seconds`."""
    row, ours = caught(case.study, case.row, prepared, settings)
    batches = list(islice(iter(ours.batches), min(MOST, ours.steps)))
    plain, loss = plain_loss(case, ours, batches[0], settings.quick)
    optimizer = plain_optimizer(ours.settings.optimizer, ours.settings.learning_rate, plain)
    schedule = replace(ours.settings, epochs=1, steps_per_epoch=None, monitor="loss", checkpoint_every=None)

    def run_ours(part: list[Any]) -> None:
        fit(ours.module, part, ours.loss, settings=schedule, penalty=ours.penalty)

    def run_plain(part: list[Any]) -> None:
        plain.train()
        for batch in part:
            plain_step(plain, optimizer, loss(batch), ours.settings.clip_norm)

    took = [_seconds(run, batches[:WARM]) for run in (run_ours, run_plain) for _ in range(2)]
    slower = max(took[1], took[3]) / len(batches[:WARM])
    part = batches[: max(1, min(len(batches), round(seconds / slower)))]
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(turns):
        for kept, run in zip(found, (run_ours, run_plain), strict=True):
            time.sleep(_REST)
            kept.append(_seconds(run, part) / len(part))
    return Timed(case, row.label, *found, ours.steps, (count(ours.module), count(plain)))


def _seconds(run: Callable[[list[Any]], None], part: list[Any]) -> float:
    began = time.perf_counter()
    run(part)
    return time.perf_counter() - began


def speed_table(found: Sequence[Timed], threads: int, turns: int) -> str:
    """The Markdown table, and in a sentence what was reached."""
    lines = [
        "| study | row | steps per epoch | ours, minutes per epoch | plain torch.nn, minutes per epoch | ratio "
        "(lowest–highest) | goal |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    missed = []
    for one in found:
        middle = statistics.median(one.ratios)
        met = middle >= one.case.goal
        cells = (
            *(one.case.study, one.label, f"{one.steps:,}"),
            *(_minutes(times, one.steps) for times in (one.ours, one.plain)),
            f"{middle:.2f}× ({min(one.ratios):.2f}–{max(one.ratios):.2f})",
            f"≥ {one.case.goal:g}× {'✓' if met else '✗'}",
        )
        lines.append("| " + " | ".join(cells) + " |")
        missed += [] if met else [f"`{one.case.study}` {one.label}"]
    said = f"{len(found) - len(missed)} of {len(found)} rows reach the goal."
    said += f" Missed: {', '.join(missed)}." if missed else ""
    how = (
        f"Written by `python -m bench.study_speed`, {threads} {'thread' if threads == 1 else 'threads'}, medians of "
        f"{turns} turns each. Validation is in neither."
    )
    return "\n".join(lines) + f"\n\n{said} {how}\n"


def _minutes(seconds: Sequence[float], steps: int) -> str:
    minutes = [one * steps / 60 for one in seconds]
    digits = 1 if min(minutes) >= 10 else 2 if min(minutes) >= 0.1 else 4
    low, high = (f"{one:.{digits}f}" for one in (min(minutes), max(minutes)))
    return f"{statistics.median(minutes):.{digits}f} ({low}–{high})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Time every case, print its line, write the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of a turn of the slower one, about")
    parser.add_argument("--only", help="cases whose study or row holds this text; the page is left alone")
    parser.add_argument("--quick", action="store_true", help="small networks on little data; the page is left alone")
    parser.add_argument("--page", type=Path, default=Path(__file__).resolve().parents[1] / "docs" / "studies.md")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    settings = StudySettings(quick=given.quick)
    chosen = [case for case in CASES if not given.only or given.only in f"{case.study} {case.row}"]
    found: list[Timed] = []
    for study in dict.fromkeys(case.study for case in chosen):
        prepared = find_study(study).prepare(settings)
        for case in (case for case in chosen if case.study == study):
            found.append(timed(case, prepared, settings, given.turns, given.seconds))
            print(speed_table(found[-1:], given.threads, given.turns).splitlines()[2], flush=True)
    if not given.only and not given.quick:
        text = speed_table(found, given.threads, given.turns)
        given.page.write_text(between_marks(given.page.read_text(), text, MARKS))


if __name__ == "__main__":
    main()
