"""`seqloom forecast`: from a table to a comparison with baselines, a forecast, and a report."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated

import typer

from ..errors import DataError, FormatError, Interrupted, SettingError
from . import options as o
from .signature import takes

__all__ = ["forecast"]

Out = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="New folder for the run; without it nothing is kept.", rich_help_panel="Output"),
]
Resume = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder of an interrupted run to finish, with the settings that it began with.",
        rich_help_panel="Output",
    ),
]


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
    if resume is not None:
        if out is not None:
            raise SettingError("--resume names the folder that the run goes on in, so --out can't be given with it.")
        settings = _settings_of(resume, settings, _given(context))
    _run(settings, out=out, resume=resume, as_json=json, quiet=quiet)


def _run(settings: o.Settings, *, out: Path | None, resume: Path | None, as_json: bool, quiet: bool) -> None:
    """Run what the settings ask for; print the table, and where everything was written."""
    from ..tasks.forecast import check_out, compare_forecasters
    from .plan import plan_for
    from .progress import Progress
    from .reading import load_table, require_report, threads_used
    from .showing import show_forecast

    if out is not None:
        check_out(out)
    if resume or out:
        require_report()
    with threads_used(settings.threads), _how_to_go_on(resume or out):
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
            from ..report import build

            build(run.directory)
    show_forecast(run, [*table.notes, *plan.notes], as_json=as_json, quiet=quiet)


@contextmanager
def _how_to_go_on(folder: Path | None) -> Iterator[None]:
    """Turn Ctrl-C inside the block into a sentence that says what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if folder is None:
            text = "Interrupted; nothing was kept, because no --out folder was given."
        elif (folder / "run.json").is_file():
            text = f"Interrupted; go on with: seqloom forecast --resume {shlex.quote(str(folder))}"
        else:
            text = "Interrupted before anything was written."
        raise Interrupted(text) from None


def _given(context: typer.Context) -> set[str]:
    """The settings that the command line named."""
    names = [field.name for field in fields(o.Settings)]
    return {name for name in names if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"}


def _settings_of(folder: Path, asked: o.Settings, given: set[str]) -> o.Settings:
    """The settings that the run in `folder` began with; raises where it holds none, or where others are asked for."""
    from ..files import read_json

    path = folder / "run.json"
    if not path.is_file():
        raise FormatError(f"--resume: expected a run folder with a run.json, found none in {folder}.")
    record = read_json(path)
    known = isinstance(record, dict) and isinstance(record.get("settings"), dict)
    if not known or record.get("command") != "forecast":
        raise FormatError(
            f"{path}: expected the record of a 'seqloom forecast' run; this is another file or a damaged one."
        )
    settings = o.recorded_settings(record["settings"], record.get("threads"), path)
    if "threads" in given:
        settings = replace(settings, threads=asked.threads)
    for name in sorted(given):
        was, now = getattr(settings, name), getattr(asked, name)
        if was != now:
            flag = "DATA" if name == "data" else "--" + name.replace("_", "-")
            raise SettingError(
                f"{flag}: the run in {folder} began with {was!r}, so it can't be resumed with {now!r}; leave it out, "
                "or start a new run with --out."
            )
    if settings.data is not None and not os.path.exists(settings.data):
        raise DataError(
            f"--resume: the run reads {settings.data}, which is not here; resume it in the folder where it was started."
        )
    return settings
