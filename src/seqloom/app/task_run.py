"""A comparison of sequence or text models from the command line: run, drawn, printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from .running import how_to_go_on, settings_for

__all__ = ["Prepared", "run_task"]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a command made of its settings: the arguments of `compare_models`, and a sentence for each choice made."""

    estimators: Mapping[str, Any]
    parts: Mapping[str, tuple[Any, ...]]
    baseline: str
    baselines: tuple[str, ...] = ()
    target: str | None = None
    rows: Mapping[str, Any] | None = None
    unit: str = "example"
    source: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def run_task(
    command: str,
    asked: Any,
    context: typer.Context,
    prepare: Callable[[Any], Prepared],
    *,
    out: Path | None,
    resume: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run what the settings ask for (those of the run to resume, where one is); print the table and where it all is."""
    settings = settings_for(command, asked, context, out, resume)
    from ..tasks.comparison import check_out, compare_models
    from .progress import Progress
    from .reading import require_report, threads_used
    from .showing import draw_report
    from .task_showing import show_comparison

    if out is not None:
        check_out(out)
    if resume or out:
        require_report()
    with threads_used(settings.threads), how_to_go_on(command, resume or out):
        prepared = prepare(settings)
        with Progress(bar=not quiet and not as_json, notices=not quiet) as progress:
            run = compare_models(
                command,
                prepared.estimators,
                prepared.parts,
                baseline=prepared.baseline,
                baselines=prepared.baselines,
                target=prepared.target,
                rows=prepared.rows,
                unit=prepared.unit,
                source=prepared.source,
                settings=settings.record(),
                seed=settings.seed,
                directory=resume or out,
                resume=resume is not None,
                on_event=progress,
            )
        if run.directory is not None:
            draw_report(run.directory)
    show_comparison(run, prepared.notes, as_json=as_json, quiet=quiet)
