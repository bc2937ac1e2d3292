"""`seqloom forecast`: from a table to a comparison with baselines, a forecast, and a report."""

from __future__ import annotations

from pathlib import Path

import typer

from . import options as o
from .running import Out, Resume, how_to_go_on, settings_for
from .signature import takes

__all__ = ["forecast"]


@takes(o.Settings)
def forecast(
    settings: o.Settings,
    context: typer.Context,
    out: Out = None,
    resume: Resume = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Compare models with naive baselines on a table, forecast with the best, and draw a report.

    Without DATA it forecasts the weekly CO2 series that statsmodels bundles, a year ahead.

    A DURATION is written as 10min, 24h, 5d, 2w, 3mo or 1y.
    """
    settings = settings_for("forecast", settings, context, out, resume)
    _run(settings, out=out, resume=resume, as_json=json, quiet=quiet)


def _run(settings: o.Settings, *, out: Path | None, resume: Path | None, as_json: bool, quiet: bool) -> None:
    """Run what the settings ask for; print the table, and where everything was written."""
    from ..tasks.forecast import check_out, compare_forecasters
    from .plan import plan_for
    from .progress import Progress
    from .reading import load_table, require_report, threads_used
    from .showing import draw_report, show_forecast

    if out is not None:
        check_out(out)
    if resume or out:
        require_report()
    with threads_used(settings.threads), how_to_go_on("forecast", resume or out):
        table = load_table(settings)
        plan = plan_for(settings, table.panel, table.target)
        with Progress(bar=not quiet and not as_json, notices=not quiet) as progress:
            run = compare_forecasters(
                table.panel,
                plan.models,
                plan.parameters,
                target=table.target,
                inputs=o.names(settings.inputs) or None,
                future=o.names(settings.future),
                source={"time": table.time, "id": settings.id},
                settings=settings.record(),
                directory=resume or out,
                resume=resume is not None,
                on_event=progress,
            )
        if run.directory is not None:
            draw_report(run.directory)
    show_forecast(run, [*table.notes, *plan.notes], as_json=as_json, quiet=quiet)
