"""`seqloom reproduce`: the field's published tables, run again row by row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqloom_runtime.errors import FormatError, SettingError, shown

from ..studies import STUDIES, find_study
from . import options as o
from .engine_options import EngineName, RayAddress, Workers, chosen_engine
from .running import how_to_go_on

if TYPE_CHECKING:
    from ..studies import Results, StudySettings

__all__ = ["reproduce"]

_PANEL = "Study"


def _option(text: str, *names: str, metavar: str | None = None, panel: str = _PANEL, shown: Any = None) -> Any:
    """An option of this command."""
    keywords: dict[str, Any] = {} if shown is None else {"show_default": shown}
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=panel, **keywords)


Name = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="Which study; without a name they are listed.", show_default=False),
]
Out = Annotated[
    Path | None, _option("New folder for the run; without it nothing is kept.", metavar="DIR", panel="Output")
]
Resume = Annotated[
    Path | None,
    _option("Folder of a run to go on with; --rows and --seeds may add to it.", metavar="DIR", panel="Output"),
]
Rows = Annotated[str | None, _option("Rows to run.", metavar="A,B,…", shown="all but the extra ones")]
Seeds = Annotated[str | None, _option("Seeds to run each row with.", metavar="N,M,…", shown="the study's own")]
Quick = Annotated[
    bool, _option("Seconds instead of minutes, to see that it runs; the figures mean nothing.", "--quick")
]
Data = Annotated[
    str | None, _option("File or folder of the data.", metavar="PATH", shown="the folder that SEQLOOM_DATA names")
]
Epochs = Annotated[int | None, _option("Epochs per row.", metavar="N", shown="the study's own")]
Length = Annotated[int | None, _option("Steps of a sequence.", metavar="N", shown="the study's own")]
TimeLimit = Annotated[
    float | None, _option("Minutes of training per row, then it stops after the epoch.", metavar="MIN", shown="none")
]
Threads = Annotated[int | None, _option("Threads to compute with.", metavar="N", shown="torch's choice")]


@dataclass(frozen=True)
class _Asked:
    """What the command line asked for."""

    name: str | None
    out: Path | None
    resume: Path | None
    rows: tuple[str, ...] | None
    seeds: tuple[int, ...] | None
    settings: dict[str, Any]
    threads: int | None
    record: dict[str, Any] | None = None


def reproduce(
    name: Name = None,
    out: Out = None,
    resume: Resume = None,
    rows: Rows = None,
    seeds: Seeds = None,
    quick: Quick = False,
    data: Data = None,
    epochs: Epochs = None,
    length: Length = None,
    time_limit: TimeLimit = None,
    threads: Threads = None,
    engine: EngineName = None,
    workers: Workers = None,
    ray_address: RayAddress = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Run a published table again, row by row; each result is kept when it is done, so a run can be resumed.

    Without NAME the studies are listed.
    """
    if name is None and resume is None:
        _list(json)
        return
    settings = {"quick": quick, "data": data, "epochs": epochs, "length": length, "time_limit": time_limit}
    asked = _Asked(
        name,
        out,
        resume,
        None if rows is None else o.names(rows),
        None if seeds is None else o.numbers(seeds, "--seeds", int),
        settings,
        threads,
    )
    chosen = _resumed(asked) if resume is not None else asked
    with chosen_engine(engine, workers, ray_address) as done_by:
        _run(chosen, done_by, as_json=json, quiet=quiet)


def _run(asked: _Asked, engine: Any, *, as_json: bool, quiet: bool) -> None:
    from ..studies import StudySettings, run_study
    from .progress import Progress
    from .reading import require_report, threads_used

    assert asked.name is not None
    study = find_study(asked.name)
    settings = StudySettings(**asked.settings)
    folder = asked.resume or asked.out
    if folder is not None:
        require_report()
    shown = Progress(bar=not quiet and not as_json, notices=not quiet)
    with threads_used(asked.threads), how_to_go_on("reproduce", folder), shown as progress:
        results = run_study(
            study,
            settings,
            rows=asked.rows,
            seeds=asked.seeds,
            directory=folder,
            resume=asked.resume is not None,
            on_event=progress,
            engine=engine,
        )
    _show(results, folder, as_json=as_json, quiet=quiet)


def _resumed(asked: _Asked) -> _Asked:
    """What the run in the folder began with; raises where the command line asks for something else."""
    from ..studies.folder import read_record, recorded_settings

    assert asked.resume is not None
    if asked.out is not None:
        raise SettingError("--resume names the folder that the run goes on in, so --out can't be given with it.")
    record = read_record(asked.resume)
    where = asked.resume / "run.json"
    name = record.get("study")
    if name not in STUDIES:
        raise FormatError(f"{where}: it names no study of this version: {shown(name)}.")
    if asked.name not in (None, name):
        raise SettingError(
            f"--resume: the run in {asked.resume} is of the study {shown(name)}, not {shown(asked.name)}."
        )
    settings: StudySettings = recorded_settings(record, where)
    for key, value in asked.settings.items():
        was = getattr(settings, key)
        if value not in (None, False) and value != was:
            raise SettingError(
                f"--{key.replace('_', '-')}: the run in {asked.resume} began with {shown(was)}, so it can't be resumed "
                f"with {shown(value)}; leave it out, or start a new run with --out."
            )
    threads = record.get("threads") if asked.threads is None else asked.threads
    return replace(
        asked,
        name=name,
        rows=tuple(dict.fromkeys([*record["rows"], *(asked.rows or ())])),
        seeds=tuple(dict.fromkeys([*record["seeds"], *(asked.seeds or ())])),
        settings={key: getattr(settings, key) for key in asked.settings},
        threads=threads,
        record=record,
    )


def _list(as_json: bool) -> None:
    from .columns import json_text, say, text_table

    if as_json:
        say(json_text({name: about for name, (_, about) in STUDIES.items()}))
        return
    names = list(STUDIES)
    say(text_table([("study", names), ("what it shows", [STUDIES[name][1] for name in names])], right_from=2))
    say()
    say("Run one with: seqloom reproduce NAME --out DIR (--quick to try it out)")


def _show(results: Results, folder: Path | None, *, as_json: bool, quiet: bool) -> None:
    from .columns import json_text, say, say_lines, text_table

    if as_json:
        say(json_text({**results.to_json(), "out": None if folder is None else str(folder)}))
        return
    table = results.table()
    columns = [(heading, [row[i] for row in table.rows]) for i, heading in enumerate(table.headings)]
    if quiet:
        say(text_table(columns))
        return
    say(results.study.title)
    say_lines(results.about)
    say()
    say(text_table(columns))
    say()
    say_lines([*results.sentences(), *results.remarks()])
    say()
    if folder is None:
        say("Nothing was kept, because no --out folder was given.")
    else:
        say(f"Report: {folder}/report.html")
        say(f"Everything else (results.json, results.md, rows, charts): {folder}")
