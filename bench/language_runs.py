"""The language models' rows for a few minutes each: cost, memory, and the curve that a row is on.

    python -m bench.language_runs [--minutes 4] [--only ptb] [--share 0.1] [--out build/language-runs]

The Penn Treebank is the original, found as `seqloom reproduce` finds it; text8, WikiText-103 and LAMBADA are corpora
made in their layout (`bench.made_corpora`), text8 in its whole length, of the others `share`. Each row is a process
that does what the study does, reading, counting, training, validating and scoring the test text, but stops training
after so many minutes, validates more often, and on less text. Seconds are the process's own on one thread, which other
programs on the machine change less than the time that passes. What stands between two marks of docs/studies.md is
replaced by the table; rows that the folder holds already aren't run again.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from bench.made_corpora import LENGTHS, make_corpus
from bench.studies import between_marks

__all__ = ["MARKS", "ROWS", "line_of", "main", "power_law"]

MARKS = "<!-- minutes of the language models: first line -->", "<!-- minutes of the language models: last line -->"
ROWS = (
    *(("ptb-chars", row) for row in ("tcn", "lstm")),
    *(("ptb-words", row) for row in ("tcn", "lstm")),
    *(("text8", row) for row in ("tcn", "lstm")),
    *(("wikitext-103", row) for row in ("tcn", "tcn-adaptive", "lstm")),
    *(("lambada", row) for row in ("tcn", "tcn-adaptive", "lstm")),
)
_HEADINGS = (
    *("study", "row", "training tokens", "kinds", "parameters", "minutes", "seconds before training"),
    *("seconds per step", "steps of a pass", "hours of a pass", "memory"),
    *("validation score by step", "goal", "at about epoch"),
)
_POINTS, _HELD = 8, 60_000  # validations of a run; characters of a part that validates or tests
_FAR = 10  # of the published number of epochs: an extrapolation beyond is none
_FARTHEST = 50  # logarithm of a step


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the rows that the folder lacks, each in a process of its own, and write the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=4.0, help="training of each row")
    parser.add_argument("--share", type=float, default=0.1, help="of WikiText-103's and LAMBADA's length")
    parser.add_argument("--only", help="rows whose study or name holds this text")
    parser.add_argument("--out", type=Path, default=Path("build/language-runs"))
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--page", type=Path, default=Path(__file__).resolve().parents[1] / "docs" / "studies.md")
    given = parser.parse_args(arguments)
    if given.run is not None:
        print(json.dumps(_run(given.run[0], given.run[1], given.out / "made", given.minutes)))
        return
    for study, row in ROWS:
        file = given.out / f"{study}.{row}.json"
        if file.exists() or (given.only and given.only not in f"{study} {row}"):
            continue
        if study in LENGTHS:
            make_corpus(study, given.out / "made", 1.0 if study == "text8" else given.share)
        command = [sys.executable, "-m", "bench.language_runs", "--run", study, row]
        command += ["--minutes", str(given.minutes), "--out", str(given.out)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        given.out.mkdir(parents=True, exist_ok=True)
        file.write_text(done.stdout)
        print(line_of(json.loads(done.stdout)), flush=True)
    kept = [given.out / f"{study}.{row}.json" for study, row in ROWS]
    found = [json.loads(file.read_text()) for file in kept if file.exists()]
    lines = [f"| {' | '.join(_HEADINGS)} |", "| --- | --- |" + " ---: |" * (len(_HEADINGS) - 2), *map(line_of, found)]
    given.page.write_text(between_marks(given.page.read_text(), "\n".join(lines) + "\n", MARKS))


def _run(study: str, row: str, made: Path, minutes: float) -> dict[str, Any]:
    """What a row costs, and its scores, as JSON values."""
    import torch

    from seqloom.studies import StudySettings, find_study
    from seqloom.studies.job import Job

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    began = time.process_time()
    settings = StudySettings(data=str(made) if study in LENGTHS else None, time_limit=minutes)
    found = find_study(study)
    prepared = found.prepare(settings)
    chosen = next(one for one in found.rows(settings, prepared) if one.name == row)
    texts = prepared.data
    parts = {name: text if name == "train" else _shortened(text, study) for name, text in texts.parts.items()}
    seen: dict[str, Any] = {}
    with patch("seqloom.tasks.checkpointing.fit", _for_a_while(minutes, seen, began)):
        outcome = found.work(chosen, replace(texts, parts=parts), Job(chosen, 0, settings))
    column = next(column for column in found.columns if column.key in ("bits", "perplexity"))
    return {
        "study": study,
        "row": chosen.label,
        "key": column.key,
        "decimals": column.decimals,
        "goal": chosen.goals.get(column.key),
        "test": outcome.scores[column.key],
        "parameters": outcome.parameters,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "minutes": minutes,
        **seen,
    }


def _shortened(text: str, study: str) -> str:
    """The first lines of a part that validates or tests; passages all, as there are few."""
    end = text.rfind("\n", 0, _HELD)
    return text if study == "lambada" else text[: end + 1 or _HELD]


def _for_a_while(minutes: float, seen: dict[str, Any], began: float) -> Callable[..., Any]:
    """`seqloom.training.fit` that stops after `minutes`, and validates some times on the way; `seen` takes the cost."""
    from seqloom.tasks.language.network import LanguageNetwork
    from seqloom.training import fit

    def short(module: Any, batches: Any, loss: Any, *, settings: Any, validate: Any, **rest: Any) -> Any:
        network = next(part for part in module.modules() if isinstance(part, LanguageNetwork))
        # What the loop calls a step of a given number needs batches without an end; these are.
        before = time.process_time()
        first = replace(settings, epochs=1, steps_per_epoch=1, monitor="loss")
        fit(module, batches, loss, settings=first, penalty=rest.get("penalty"))
        each = time.process_time() - before
        an_epoch = settings.steps_per_epoch or len(batches)
        every = max(1, min(an_epoch, round(60 * minutes / each / _POINTS)))
        epochs = math.ceil(settings.epochs * an_epoch / every)  # the schedule is that of the whole training
        start, spent = time.process_time(), [0.0]

        def watched(one: Any) -> Mapping[str, float]:
            now = time.process_time()
            score = validate(one)
            spent[0] += time.process_time() - now
            return score

        history = fit(
            module,
            batches,
            loss,
            settings=replace(settings, epochs=epochs, steps_per_epoch=every),
            validate=watched,
            **{**rest, "stop": lambda _: time.process_time() - start > 60 * minutes},
        )
        rows = history.epochs
        seen.update(
            before=before - began,
            step=(time.process_time() - start - spent[0]) / rows[-1].step,
            curve=[[row.step, row.valid["loss"]] for row in rows],
            steps=len(batches),
            tokens=_tokens(batches),
            epoch=an_epoch,
            epochs=settings.epochs,
            kinds=network.spec.words,
        )
        return history

    return short


def _tokens(batches: Any) -> int:
    """Of the training text."""
    return len(batches._ids)


def power_law(curve: Sequence[Sequence[float]], goal: float) -> float | None:
    """The step at which a·step^−b, through the later half of the points (step, loss), comes down to `goal`.

    It has no floor, so it is early rather than late. None where the loss doesn't fall, or hardly.

    >>> round(power_law([(1, 8.0), (2, 4.0), (4, 2.0)], 1.0))
    8
    """
    steps, losses = np.log(np.array(curve[(len(curve) - 1) // 2 :], dtype=float)).T
    if len(steps) < 2:
        return None
    slope, level = np.polyfit(steps, losses, 1)
    exponent = math.inf if slope >= 0 else (math.log(goal) - level) / slope
    return None if exponent > _FARTHEST else math.exp(exponent)


def line_of(found: Mapping[str, Any]) -> str:
    """A line of the table."""
    to_score: Callable[[float], float] = math.exp if found["key"] == "perplexity" else lambda nats: nats / math.log(2)
    digits = found["decimals"] if found["key"] == "bits" else 0
    # The scores of a made text say nothing, and have no goal.
    made = found["study"] in LENGTHS
    points = ["–"] if made else [f"{step:,}: {to_score(loss):,.{digits}f}" for step, loss in found["curve"]]
    said, when = "–", "–"
    if found["goal"] is not None and not made:
        said = f"≤ {found['goal']:,.{found['decimals']}f}"
        nats = math.log(found["goal"]) if found["key"] == "perplexity" else found["goal"] * math.log(2)
        step = power_law(found["curve"], nats)
        epoch = math.inf if step is None else step / found["epoch"]
        # A curve that has hardly begun to fall says nothing about where it ends.
        when = "too early to tell" if epoch > _FAR * found["epochs"] else f"{epoch:,.1f} of {found['epochs']}"
    cells = (
        *(found["study"], found["row"], f"{found['tokens']:,}", f"{found['kinds']:,}", f"{found['parameters']:,}"),
        *(f"{found['minutes']:g}", f"{found['before']:,.0f}", f"{found['step']:.3g}", f"{found['steps']:,}"),
        *(f"{found['step'] * found['steps'] / 3600:,.2f}", f"{found['memory'] / 1e9:.2f} GB"),
        *("; ".join(points), said, when),
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
