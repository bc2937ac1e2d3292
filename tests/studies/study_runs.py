"""Made-up studies, and runs that are killed at a chosen checkpoint, for the tests of the studies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqloom.errors import TrainingError
from seqloom.studies import Column, Outcome, Prepared, Results, Row, Study, StudySettings, run_study
from seqloom.studies.job import Job
from seqloom.studies.networks import Passes
from seqloom.training import FitSettings, Saved


class Killed(Exception):
    """Stands for the end of a process right after a checkpoint."""


def kill_after(saves: int) -> Callable[[Any], None]:
    """An event handler that ends the run at its `saves`-th checkpoint."""
    left = saves

    def handle(event: Any) -> None:
        nonlocal left
        left -= isinstance(event, Saved)
        if left <= 0:
            raise Killed

    return handle


def without_times(folder: Path) -> dict[str, Any]:
    """Everything that a run found, without the seconds."""
    results = json.loads((folder / "results.json").read_text())
    assert results.pop("timings")
    rows = {}
    for path in sorted((folder / "rows").iterdir()):
        row = json.loads(path.read_text())
        assert row.pop("seconds") >= 0
        row.pop("epoch_seconds")
        rows[path.name] = row
    return {"results": results, "rows": rows}


def made_rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    return [
        Row("guess", "a guess", seeded=False),
        Row("line", "a line | fitted", {"error": 0.25}, {"error": 0.5}),
        Row("worse", "too high a bar", goals={"error": 1e-9}),
        Row("broken", "a row that breaks", extra=True),
    ]


def made_work(row: Row, data: tuple[Tensor, Tensor], job: Job) -> Outcome:
    """A line through points; a guess of 0; and a row that breaks down."""
    x, y = data
    if row.name == "guess":
        return Outcome({"error": float(y.square().mean())}, 0, notes=["it guesses 0"])
    if row.name == "broken":
        raise TrainingError("The loss is nan at epoch 1, step 1.")
    line = nn.Linear(1, 1)
    random = torch.Generator().manual_seed(job.derived_seed("line"))
    with torch.no_grad():
        for parameter in line.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=random))

    def loss(module: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return (module(batch[0]) - batch[1]).square().mean()

    history = job.train(
        line,
        Passes(x, y, batch_size=4),
        loss,
        FitSettings(epochs=job.settings.epochs or 4, learning_rate=0.1, keep_best=False),
        lambda module: {"loss": loss(module, (x, y)).item()},
        goal=0.01 if row.name == "worse" else None,
    )
    curve = [epoch.valid["loss"] for epoch in history.epochs]
    return Outcome({"error": curve[-1]}, 2, {"error": curve})


def made_prepare(settings: StudySettings) -> Prepared:
    x = torch.linspace(-1, 1, 10)[:, None]
    return Prepared((x, 0.3 * x + 0.5), {"file": settings.data or "made up"}, ("The points were made up.",))


MADE = Study(
    name="made",
    title="A line through points",
    about=("Made up for tests.",),
    columns=(
        Column("parameters", "parameters", 0),
        Column("error", "error", 3),
        Column("epochs", "epochs", 0),
        Column("seconds", "seconds", 1),
    ),
    prepare=made_prepare,
    rows=made_rows,
    work=made_work,
    seeds=(0, 1, 2),
    takes=frozenset({"epochs", "time_limit", "data"}),
)


def run_made(directory: Path | None = None, **options: Any) -> Results:
    """Run the made-up study; settings and arguments in one list of options."""
    own = {"rows", "seeds", "resume", "on_event"}
    arguments = {name: options.pop(name) for name in own & set(options)}
    return run_study(MADE, StudySettings(**options), directory=directory, **arguments)


def score(results: Results, row: str, seed: int, key: str) -> float:
    """The number of one row for one seed, which must be there."""
    value = results.found[row, seed].value(key)
    assert value is not None, (row, seed, key)
    return value
