"""A table larger than memory on the command line: `--cache`, `--memory`, and forecasts written part by part."""

from __future__ import annotations

import glob
import io
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqloom_runtime.errors import DataError, RunLockedError, SettingError, shown
from seqloom_runtime.files import folder_lock
from seqloom_runtime.limits import LEAST_MEMORY, MOST_MEMORY, checked_memory, in_words

from . import options as o

if TYPE_CHECKING:
    from seqloom_runtime.data.on_disk import StoredPanel

__all__ = [
    "CACHE",
    "MEMORY",
    "Cache",
    "Memory",
    "bytes_of",
    "forecast_parts",
    "forecast_stored",
    "stored_of",
    "stored_table",
]

_MEMORY = f"With --cache: memory that may be used, such as 2GB; at least {in_words(LEAST_MEMORY)}."
CACHE = o.Option(
    "cache",
    "Folder for the table as a panel on disk, made once of Parquet files and used again; what does not fit into memory "
    "is then read from there.",
    metavar="DIR",
    shown="the table is read into memory",
)
MEMORY = o.Option("memory", _MEMORY, metavar="SIZE", default="2GB", shown="2GB")
Cache = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Folder for DATA as a panel on disk, where it is larger than memory: Parquet files, whose forecasts go "
        "part by part into Parquet files in the folder --out.",
        show_default="DATA is read into memory",
        rich_help_panel="Data",
    ),
]
Memory = Annotated[
    str,
    typer.Option(metavar="SIZE", help=_MEMORY, rich_help_panel="Data"),
]
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", re.IGNORECASE)
_PART = re.compile(r"\.lock|part-\d{5,}\.parquet|\.part-\d{5,}\.parquet\.[0-9a-f]{12}\.tmp")
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_FORM = ("decimal", "thousands", "separator", "header", "sheet", "query", "file_column", "unfold")
_READ = ["zone", "max_fill", "time_format", "resample", "aggregate", "duplicates", "holidays", "fill"]
_ROWS = 400_000  # that are forecast together


def bytes_of(text: str) -> int:
    """Bytes of a size such as "2GB" or "800 MB", of 1,024 each; raises SettingError beyond what may be named.

    >>> bytes_of("2GB"), bytes_of("1.5g") == 3 << 29
    (2147483648, True)
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise SettingError(f"memory: expected a size such as 2GB or 800MB, got {shown(text)}.")
    size = float(found[1]) * 1024 ** _POWERS[found[2].lower()]
    return checked_memory(int(min(size, 2.0 * MOST_MEMORY)))  # of hundreds of digits it would be infinite


def stored_table(settings: Any, keep: Sequence[str], targets: Sequence[str]) -> tuple[StoredPanel, str | None]:
    """The panel on disk that the settings name, and its column of times."""
    for name in ("categories", "static"):
        if o.names(getattr(settings, name)):
            raise SettingError(
                f"{name}: a panel on disk (--cache) holds columns of numbers alone; leave --{name} or --cache out."
            )
    _refuse_form({name: getattr(settings, name) for name in _FORM})
    numbers, texts = o.marks_of(settings.missing)
    if texts:
        raise SettingError(f"missing: columns of Parquet files hold numbers, so {shown(texts[0])} marks none of them.")
    how = {name: getattr(settings, "time_zone" if name == "zone" else name) for name in _READ}
    season = o.rows_or_duration(settings.season) if settings.fill == "season" else None
    found = stored_of(
        settings.data,
        settings.cache,
        bytes_of(settings.memory),
        time=settings.time,
        id=settings.id,
        missing=numbers,
        season=season,
        keep=tuple(keep),
        target=tuple(targets),
        **how,
    )
    time = found.about["source"]["time"]
    return found, None if time == "none" else time


def stored_of(data: Any, cache: str, memory: int, **how: Any) -> StoredPanel:
    """`store_panel`, with a bar of its progress on a terminal."""
    from seqloom_runtime.data.on_disk import store_panel

    if data in (None, "-"):
        raise SettingError("cache: name the folder of Parquet files, or the files, that it is made of.")
    with _bar() as progress:
        return store_panel(data, cache, memory=memory, on_progress=progress, **how)


def _refuse_form(form: Mapping[str, Any]) -> None:
    for name, value in form.items():
        if value is not None:
            flag = "--no-" + name if value is False else "--" + name.replace("_", "-")
            raise SettingError(f"{flag}: Parquet files, which --cache is made of, have no such choice; leave it out.")


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """A function that draws how far a reading is, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda what, done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<28}"), BarColumn(bar_width=16), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def draw(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done)

        yield draw


def forecast_parts(
    model: Any, stored: StoredPanel, out: Path, forecast: Callable[[Any], Any]
) -> tuple[int, int, list[str]]:
    """Forecast from the end of every series of a panel on disk into Parquet files in the new folder `out`.

    Rows, series and notes of the forecasts; the folder stands once all are made. Series that can't be forecast are
    among the notes; raises DataError where that is all of them.
    """
    from seqloom_runtime.forecast.known_rows import observed

    _remove_left(out)
    building = out.with_name(f".{out.name}.{secrets.token_hex(6)}.tmp")
    building.mkdir()
    notes: dict[str, int] = {}
    rows = series = parts = 0
    problem: DataError | None = None
    try:
        with folder_lock(building), _bar() as progress:  # it says whether the process that made the folder lives
            for first, end in _groups(model, stored):
                low, high = int(stored.offsets[first]), int(stored.offsets[end])
                panel = _last_rows(model, stored.rows(low, high).select(model.columns_read_), observed)
                stored.forget()
                try:
                    table = forecast(panel)
                except DataError as error:
                    problem = problem or error
                    notes[str(error)] = notes.get(str(error), 0) + 1
                    continue
                frame = _frame(model, table)
                _write_part(building / f"part-{parts:05d}.parquet", frame)
                parts, rows, series = parts + 1, rows + frame.height, series + len(panel.ids)
                for note in table.notes:
                    notes[note] = notes.get(note, 0) + 1
                progress("series are forecast", end, len(stored.ids))
        if problem is not None and not parts:
            raise problem
        building.rename(out)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return rows, series, list(notes)


def _remove_left(out: Path) -> None:
    """Remove the folders in which killed processes made what was to become `out`.

    Such a folder has the lock of its process, which let go of it, and parts of ours alone: others are left as they are.
    """
    for folder in out.parent.glob(f".{glob.escape(out.name)}.*.tmp"):
        ours = re.fullmatch(r"[0-9a-f]{12}", folder.name[len(out.name) + 2 : -4]) and not folder.is_symlink()
        if not ours or not (folder / ".lock").is_file():
            continue
        with suppress(RunLockedError, OSError), folder_lock(folder):
            if all(_PART.fullmatch(each.name) and each.is_file() for each in folder.iterdir()):
                shutil.rmtree(folder)


def _groups(model: Any, stored: StoredPanel) -> Iterator[tuple[int, int]]:
    """Series first:end whose last rows are forecast together."""
    whole = hasattr(model, "baseline_") or hasattr(model, "members_")
    need = None if whole else _needed(model)
    first = rows = 0
    for at in range(len(stored.ids)):
        length = int(stored.offsets[at + 1] - stored.offsets[at])
        length = length if need is None else min(length, 2 * need)
        if at > first and (rows + length > _ROWS or int(stored.offsets[at + 1] - stored.offsets[first]) > 10 * _ROWS):
            yield first, at
            first, rows = at, 0
        rows += length
    yield first, len(stored.ids)


def _needed(model: Any) -> int:
    from seqloom_runtime.forecast.predicting import rows_needed

    return rows_needed(model.window_spec_, model.anchor_, model.season_) + model.features_.reach


def _last_rows(model: Any, panel: Any, observed: Callable[[Any, str], Any]) -> Any:
    """Of each series the rows that a network reads; all of them for the other models."""
    import numpy as np

    if hasattr(model, "baseline_") or hasattr(model, "members_"):
        return panel
    need, target = _needed(model), model.features_.roles.target
    measured, kept = observed(panel, target), np.zeros(len(panel), dtype=bool)
    for first, end in zip(panel.offsets[:-1].tolist(), panel.offsets[1:].tolist()):
        known = np.flatnonzero(measured[first:end])
        origin = first + int(known[-1]) if len(known) else end - 1
        kept[max(first, origin + 1 - need) : end] = True
    return panel.take(kept)


def _write_part(path: Path, frame: Any) -> None:
    """Write a frame of polars, which itself hides what the system says in errors of its own."""
    from seqloom_runtime.files import write_bytes

    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    write_bytes(path, buffer.getvalue())


def _frame(model: Any, table: Any) -> Any:
    from seqloom_runtime.forecast.frames import to_frame

    return to_frame(table, model, "polars")


def forecast_stored(
    model: Any,
    data: list[str] | None,
    cache: str,
    memory: str,
    asked: tuple[Any, ...],
    out: Path | None,
    json: bool,
    quiet: bool,
    engine: Any = None,
) -> None:
    """Forecast from the end of a table larger than memory, into a folder; `engine`: who forecasts its series."""
    from seqloom_runtime.forecast.frames import reading_of

    from .columns import json_text, say, say_lines

    if not data or out is None:
        raise SettingError("--cache: name DATA, the Parquet files, and --out, a new folder for the forecasts.")
    horizon, level, samples, seed = asked
    if samples is not None or seed is not None:
        raise SettingError("--samples: sample paths are drawn of tables in memory; leave it or --cache out.")
    if model.features_.roles.wide is not None or model.features_.roles.categories:
        raise SettingError("--cache: a panel on disk has one target, and no columns of words; leave it out.")
    columns = model.columns_read_
    how = {name: value for name, value in reading_of(model, columns).items() if name not in ("categories", "static")}
    how = {**how, "season": how["season"] if how["fill"] == "season" else None}
    how |= {"time": model.source_["time"], "id": model.source_["id"], "columns": columns, "target": (how["target"],)}
    stored = stored_of(data[0] if len(data) == 1 else data, cache, bytes_of(memory), **how)
    levels = None if level is None else o.numbers(level, "--level")

    def forecast(panel: Any) -> Any:
        return model.forecast(panel, horizon=o.rows_or_duration(horizon), levels=levels, engine=engine)

    rows, series, notes = forecast_parts(model, stored, out, forecast)
    notes = [*stored.notes, *notes]
    if json:
        say(json_text({"rows": rows, "series": series, "notes": notes, "out": str(out)}))
        return
    say(f"Forecast: {out} ({rows:,} rows of {series:,} series)")
    if not quiet:
        say_lines(notes)
