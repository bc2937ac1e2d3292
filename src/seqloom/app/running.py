"""The one way in which a command trains models: its options, a resumed run's settings, the run, what Ctrl-C leaves."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from seqloom_runtime.errors import DataError, FormatError, Interrupted, SeqloomError, SettingError, shown

from . import options as o
from .engine_options import EngineName, RayAddress, Workers, chosen_engine
from .flags import SETTINGS, command_of, in_flags, to_resume, trains
from .ranks import alone, restarted, training_together
from .signature import takes
from .streams import tell

__all__ = [
    "TRAINING",
    "Out",
    "Prepared",
    "Resume",
    "how_to_go_on",
    "refuse_missing_files",
    "run_training",
    "settings_for",
    "training_command",
]

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


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a command made of its settings.

    compare: fits and scores the models; takes what `compare_models` does beside the data: settings, directory, resume,
    on_event. notes: a sentence for each choice that was made for the user. first: sentences that are told before the
    training too, which may be in vain without what they ask for. record: the settings with what was found out, such as
    columns, which a later `predict` needs; None where that is nothing.
    """

    compare: Callable[..., Any]
    notes: Sequence[str] = ()
    first: Sequence[str] = ()
    record: Any = None
    read: Sequence[str] = ()


TRAINING: dict[str, Callable[[Any], Prepared]] = {}
"""How each training command reads its data, by the command's name; `tune` runs the same."""


def training_command(
    name: str, group: type[o.Asked], prepare: Callable[[Any], Prepared], about: str
) -> Callable[..., None]:
    """The command `name`: it takes the settings `group`, reads its data with `prepare`, and its help says `about`."""

    def command(
        settings: Any,
        ctx: typer.Context,  # not `context`, which is an option of `tag`
        out: Out = None,
        resume: Resume = None,
        engine: EngineName = None,
        workers: Workers = None,
        ray_address: RayAddress = None,
        json: o.Json = False,
        quiet: o.Quiet = False,
    ) -> None:
        if resume is None and restarted(out):
            out, resume = None, out
        chosen = settings_for(name, settings, ctx, out, resume)
        if engine is not None:
            chosen = chosen.but(threads=_one_thread(name, chosen.threads))
        with chosen_engine(engine, workers, ray_address) as fitted_by:
            further = None if fitted_by is None else {"engine": fitted_by}
            run_training(name, chosen, prepare, out=out, resume=resume, as_json=json, quiet=quiet, further=further)

    SETTINGS[name], TRAINING[name] = group, prepare
    command.__name__, command.__doc__, command.__module__ = name, about, prepare.__module__
    return takes(group)(command)


def _one_thread(name: str, threads: int | None) -> int:
    """The thread with which a run whose models workers fit is computed; raises SettingError where others were asked."""
    if not alone():
        raise SettingError(
            f"--engine: it has worker processes of its own; start 'seqloom {name}' without torchrun, or leave it out."
        )
    if threads not in (None, 1):
        raise SettingError(
            f"--threads: a worker has one thread, so that with --engine all is computed with one; got {threads}: use "
            "--threads 1 or leave --engine out."
        )
    return 1


def run_training(
    command: str,
    settings: Any,
    prepare: Callable[[Any], Prepared],
    *,
    out: Path | None,
    resume: Path | None,
    as_json: bool,
    quiet: bool,
    typed: str | None = None,
    further: Mapping[str, Any] | None = None,
    told: Callable[[], Sequence[str]] | None = None,
    notes_first: bool = False,
) -> None:
    """Run what the settings ask for, draw the report, print the table and where it all is.

    typed: the command as it is typed, where that is not its name. further: what `compare` takes beside the settings;
    told: sentences that are known once it is done. notes_first: what was read and chosen is told before too.
    """
    from ..tasks.comparison.folder import check_out
    from .progress import Progress
    from .reading import check_threads, require_report, threads_used

    if out is not None:
        # Before the data is read: a folder that is taken is known in a millisecond, not after a minute.
        check_out(out)
    refuse_missing_files(command, settings)
    if resume or out:
        require_report()
    check_threads(settings.threads)
    with (
        training_together(typed or command, out, resume) as place,
        how_to_go_on(typed or command, resume or out),
    ):
        quiet = quiet or not place.speaks
        prepared = prepare(settings)
        for sentence in () if quiet or as_json else prepared.first:
            tell(sentence)
        before = [*prepared.notes, *prepared.read] if notes_first and not as_json else ()
        shown = Progress(bar=not quiet and not as_json, notices=not quiet, before=before)
        # Behind the reading of the data, as torch takes seconds to load and what can't be read is known without it.
        with threads_used(settings.threads):
            with shown as progress:
                run = prepared.compare(
                    settings=(prepared.record or settings).record(),
                    given=o.given_flags(settings),
                    directory=place.resume or place.out,
                    resume=place.resume is not None,
                    on_event=progress,
                    wording=partial(in_flags, command=command),
                    **(further or {}),
                )
            from .showing import draw_report, show_run

            if run.directory is not None and place.speaks:
                # Still inside: Ctrl-C while it draws says how to go on, too.
                draw_report(run.directory)
    if place.speaks:
        notes = [*prepared.notes, *prepared.first, *(() if told is None else told())]
        show_run(run, notes, as_json=as_json, quiet=quiet)


def refuse_missing_files(command: str, settings: Any) -> None:
    """Raise DataError, with the sentence of reading, where a file that is to be read isn't there: before torch loads.

    A plain word may be the name of a text that comes along. `sequences` asks first what is to be predicted, and a panel
    on disk has a sentence of its own.
    """
    from seqloom_runtime.data.database_urls import is_database
    from seqloom_runtime.data.sources import STDIN, refuse_missing

    data = getattr(settings, "data", None)
    if getattr(settings, "cache", None) is not None or command == "sequences":
        return
    for each in data if isinstance(data, list) else [data]:
        if isinstance(each, str) and each != STDIN and not is_database(each) and (os.sep in each or "." in each):
            refuse_missing(each)


def settings_for(
    command: str, asked: Any, context: typer.Context, out: Path | None, resume: Path | None, typed: str | None = None
) -> Any:
    """The settings to run with: those asked for, or, where a run is resumed, those that it began with.

    typed: the command as it is typed, where that is not its name.

    Raises SettingError where flags say something else than the run to resume, FormatError where there is none, and
    DataError where a file that it reads is gone.
    """
    if resume is None:
        return asked
    if out is not None:
        raise SettingError("--resume names the folder that the run goes on in, so --out can't be given with it.")
    from seqloom_runtime.files import read_json

    path = resume / "run.json"
    if not path.is_file():
        raise FormatError(f"--resume: expected a run folder with a run.json, found none in {resume}.")
    record = read_json(path)
    known = isinstance(record, dict) and isinstance(record.get("settings"), dict)
    other, typed = record.get("command") if isinstance(record, dict) else None, typed or command
    if known and isinstance(other, str) and trains(other) and command_of(record) != typed:
        raise FormatError(
            f"{path}: expected the record of a 'seqloom {typed}' run, this is one of 'seqloom {command_of(record)}'; "
            f"use {to_resume(record, resume)} instead."
        )
    if not known or other != command:
        raise FormatError(
            f"{path}: expected the record of a 'seqloom {typed}' run; this is another file or a damaged one."
        )
    # A flag that is not named keeps the value that the run began with, even where the default has changed since.
    settings = o.recorded_settings(record["settings"], record.get("threads"), path, type(asked))
    given = _given(context, asked)
    # The one setting that may change: it decides how fast, and at most the last bits.
    if "threads" in given:
        settings = settings.but(threads=asked.threads)
    if "data" in given and asked.record().get("data") == settings.data:
        settings = settings.but(data=asked.data)  # with the password, which no record holds
    for name in sorted(given):
        was, now = getattr(settings, name), getattr(asked, name)
        if was != now:
            flag = "DATA" if name == "data" else "--" + name.replace("_", "-")
            raise SettingError(
                f"{flag}: the run in {resume} began with {shown(was)}, so it can't be resumed with {shown(now)}; "
                "leave it out, or start a new run with --out."
            )
    for data in settings.data if isinstance(settings.data, list) else [settings.data]:
        _check_source(data, resume)
    return settings


def _check_source(data: str | None, run: Path) -> None:
    """Raise DataError where what a run reads can't be read again; standard input can, by piping the same into it."""
    from seqloom_runtime.data.database_urls import is_database
    from seqloom_runtime.data.sources import STDIN, is_stream

    if data is None or data == STDIN or is_database(data):
        return
    # What a shell gave the earlier process under a number is another file, if any, under that number now.
    if os.path.exists(data) and not is_stream(data) and not data.startswith("/dev/fd/"):
        return
    if is_stream(data) or data.startswith("/dev/"):
        raise DataError(
            f"--resume: the run in {run} read {data}, a pipe, which can't be read again; save what came out of it as a "
            "file and start a new run with that."
        )
    raise DataError(f"--resume: the run reads {data}, which is not here; resume it in the folder where it was started.")


def _given(context: typer.Context, settings: Any) -> set[str]:
    """The settings that the command line named."""
    return {
        name for name in settings.defaults() if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    }


def _go_on(command: str, folder: Path) -> str:
    """What to type, or why nothing helps: a run that read a pipe needs its data once more."""
    from seqloom_runtime.files import read_json

    line = f"seqloom {command} --resume {shlex.quote(str(folder))}"
    record = read_json(folder / "run.json")
    settings = record.get("settings") if isinstance(record, dict) else None
    data = settings.get("data") if isinstance(settings, dict) else None
    # Standard input can be given again; a path such as /dev/fd/63 is gone with its shell.
    if data == "-" or (isinstance(data, list) and "-" in data):
        return f"resume with the same data piped in again: ... | {line}"
    if isinstance(data, str) and os.path.exists(data) and not (os.path.isfile(data) or os.path.isdir(data)):
        return f"this run can't be resumed, as its data came from a pipe ({data}); start a new one from a file."
    if not alone():
        return f"resume with the torchrun that started it and: -m {line}"
    return f"resume with: {line}"


@contextmanager
def how_to_go_on(command: str, folder: Path | None) -> Iterator[None]:
    """Turn Ctrl-C inside the block into a sentence that says what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if folder is None:
            text = "Interrupted; nothing was kept, because no --out folder was given."
        elif (folder / "run.json").is_file():
            said = _go_on(command, folder)
            text = f"Interrupted. {said[:1].upper()}{said[1:]}"
        else:
            text = "Interrupted before anything was written."
        raise Interrupted(text) from None
    except BaseException as fault:  # whatever ends the run, a panic too; it goes on upwards with one note more
        if folder is not None and not isinstance(fault, SeqloomError) and (folder / "run.json").is_file():
            # What the machine refused it may grant later: the command line shows notes behind its sentence.
            fault.add_note(f"Then {_go_on(command, folder)}")
        raise
