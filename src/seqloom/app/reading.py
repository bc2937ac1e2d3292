"""From what the command line names to a panel, a target and a time column."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from seqloom_runtime.data import Decision, Panel, Table, choose_time, read_table
from seqloom_runtime.data.on_disk import SampledPanel
from seqloom_runtime.data.series_names import id_columns, with_series_names
from seqloom_runtime.errors import SettingError, shown
from seqloom_runtime.extras import need, refuse_without

from . import options as o
from .faults import DRAWING_SPACE, need_space
from .future_cells import refuse_empty_future
from .tables import Settings, TableOptions

__all__ = ["Named", "check_threads", "load_table", "read_file", "require_report", "threads_used"]

_FORM = ("encoding", "decimal", "thousands", "separator", "header", "skip", "sheet", "query", "file_column", "unfold")
# torch takes any number and fails while starting them.
_MOST_THREADS = 1024


@dataclass(frozen=True, eq=False)
class Named:
    """A panel with the names that the forecast needs (of several targets, the long one), and a sentence for
    everything that was chosen for the user."""

    panel: Panel
    target: str
    time: str | None
    inputs: tuple[str, ...] | str | None = None
    future: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()

    @property
    def notes(self) -> list[str]:
        """The sentences of the decisions."""
        return [decision.text for decision in self.decisions]


def load_table(settings: Settings) -> Named:
    """Read the file (or the bundled series) that `settings` name, with the columns that they name."""
    said: list[Decision] = []
    future = o.names(settings.future)
    for name in _named(settings.target):
        _check_target(name, settings.time, settings.id)
    _check_named(settings, _named(settings.target))
    if settings.data is None:
        panel, time = _co2(settings), "time"
        about = "No DATA was given: this is the weekly CO2 series at Mauna Loa that statsmodels bundles."
        said.append(Decision("source", about))
    else:
        panel, time = read_file(settings.data, settings)
        if settings.time is None:
            held = f"{shown(time)} holds the times" if time else "the rows are steps without times"
            said.append(Decision("time", f"--time was not given: {held}.", time, "time"))
    targets = _named(settings.target, panel.columns)
    inputs = o.inputs_named(settings.inputs, panel.columns)
    if settings.target is None:
        # A guess among several columns would be a wrong forecast that looks right.
        target, why = _only_target(panel, _names(inputs), future)
        said.append(Decision("target", f"--target was not given: {shown(target)}, {why}.", target, "target"))
        targets = (target,)
    for name in targets:
        _check_target(name, time, settings.id)
        panel.column(name)
    _check_named(settings, targets)
    others = o.names(settings.static), o.names(settings.categories)
    from ..tasks.forecast.targets import EVERY, chosen_targets  # with torch, once the columns are there

    chosen = chosen_targets(panel, targets[0] if len(targets) == 1 else targets or EVERY, inputs, future, *others)
    if isinstance(panel, SampledPanel):
        if chosen.panel.wide is not None:
            raise SettingError("--target: a panel on disk (--cache) has one target at a time; name one column.")
        said += [Decision("source", note, None, "cache") for note in panel.stored.notes] if panel.stored else []
    reads = chosen.inputs if chosen.inputs is None or isinstance(chosen.inputs, str) else tuple(chosen.inputs)
    return Named(chosen.panel, chosen.target, time, reads, tuple(chosen.future), tuple(said))


def _named(target: str | None, columns: Container[str] = ()) -> tuple[str, ...]:
    """The columns that --target names; none where it is left out or stands for all of them.

    What is a column as it stands, with its commas, is that one. Raises SettingError where it names nothing.
    """
    if target is None:
        return ()
    names = (target,) if target in columns else o.names(target)
    if not names:
        raise SettingError(f"--target: expected the name of a column, or several with commas between, got {target!r}.")
    return () if names == ("*",) and "*" not in columns else names


def _names(inputs: tuple[str, ...] | str | None) -> tuple[str, ...]:
    """The inputs that are named: none where they are left to the models, or every column is one."""
    return inputs if isinstance(inputs, tuple) else ()


def _check_named(settings: Settings, targets: Sequence[str]) -> None:
    """Raise SettingError where columns are named for parts that contradict each other."""
    from seqloom_runtime.forecast.roles import check_named

    lists = {name: o.names(getattr(settings, name)) for name in ("future", "static", "categories")}
    check_named(
        targets=targets,
        time=o.names(settings.time),
        id=o.names(settings.id),
        inputs=o.inputs_named(settings.inputs),
        **lists,
    )


def _only_target(panel: Panel, inputs: Sequence[str], future: Sequence[str]) -> tuple[str, str]:
    """The column to forecast where none is named, and why it is that one; raises SettingError where several may be."""
    numbers = [name for name in panel.columns if name not in panel.words and name not in panel.static]
    if len(numbers) == 1 and numbers[0] not in future:
        others = " that changes within the series" if panel.static else ""
        return numbers[0], f"the only column of numbers{others}"
    left = [name for name in numbers if name not in inputs and name not in future]
    if inputs and len(left) == 1:
        return left[0], "the only column of numbers besides those of --inputs and --future"
    if len(inputs) == 1 and inputs[0] not in future:
        return inputs[0], "the only one of --inputs"
    numbers = numbers or list(panel.columns)
    listed = ", ".join(map(shown, numbers[:12])) + (", …" if len(numbers) > 12 else "")
    choice = [name.replace(",", ",,") for name in (left if len(left) > 1 else numbers)[:2]]
    raise SettingError(
        f"--target: which column is to be forecast? The table has {listed}; name one, as --target "
        f"{shlex.quote(choice[0])}, several, as --target {shlex.quote(','.join(choice))}, or all: --target '*'."
    )


def _check_target(target: str | None, time: str | None, id: str | None) -> None:
    if target is not None and target in (time, id, *id_columns(id)):
        held = "times" if target == time else "names of the series"
        raise SettingError(f"--target: {shown(target)} holds the {held}; name a column of numbers.")


def read_file(path: str | Sequence[str], how: TableOptions) -> tuple[Panel, str | None]:
    """A panel from one or several files, and its time: the column that is named, or the one that is found to hold it.

    Columns that the settings of a forecast name are read even where they hold no numbers, which is then an error.
    """
    if getattr(how, "cache", None) is not None:
        return _read_stored(how)
    table = read_table(
        path,
        **{name: getattr(how, name) for name in _FORM},
        missing=o.marks_of(how.missing)[1],
    )
    table, id = with_series_names(table, how.id)
    time = choose_time(table, how.time, how.time_format).time
    if not isinstance(how, Settings):
        return _panel(table, time, id, how, None), time
    targets, future = _named(how.target, table.cells), o.names(how.future)
    inputs = o.inputs_named(how.inputs, table.cells)
    for name in targets:
        if name in table.cells and how.fill_future is None:
            refuse_empty_future(table, name, future, id, o.names(how.categories))
    keep = tuple(dict.fromkeys((*_names(inputs), *targets, *future, *o.names(how.static))))
    # Only the columns in use are read where the inputs are named.
    return _panel(table, time, id, how, keep if _names(inputs) and targets else None, keep, targets), time


def _read_stored(how: Any) -> tuple[Panel, str | None]:
    """The rows of a panel on disk that fit into memory, and its time."""
    from .stored import bytes_of, stored_table

    memory = bytes_of(how.memory)  # before what takes time
    from ..tasks.forecast.stored_training import sampled

    inputs, targets = o.inputs_named(how.inputs), _named(how.target)
    stored, time = stored_table(how, (*_names(inputs), *o.names(how.future)), targets)
    split = o.parameters_of(how, "Forecaster")["split"]
    return sampled(stored, memory, split), time


def check_threads(count: int | None) -> None:
    """Raise SettingError for a number of threads that can't be."""
    if count is not None and not 1 <= count <= _MOST_THREADS:
        raise SettingError(f"--threads: expected a whole number from 1 to {_MOST_THREADS}, got {count}.")


@contextmanager
def threads_used(count: int | None) -> Iterator[None]:
    """Let torch use `count` threads inside the block; None leaves its own choice."""
    check_threads(count)
    import torch

    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    # Tried with Python's threads first, whose failure is an exception.
    _start_threads(torch.get_num_threads())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _start_threads(count: int) -> None:
    """Start as many threads as torch will; raises RuntimeError where the machine grants fewer.

    torch's own runtime ends the process there.
    """
    go = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(count - 1):
            # They wait, so that all exist at once, as torch's would.
            thread = threading.Thread(target=go.wait, daemon=True)
            thread.start()
            started.append(thread)
    finally:
        go.set()
        for thread in started:
            thread.join()


def _panel(
    table: Table,
    time: str | None,
    id: str | None,
    how: TableOptions,
    columns: tuple[str, ...] | None,
    keep: Sequence[str] = (),
    targets: Sequence[str] = (),
) -> Panel:
    return Panel.from_frame(
        table,
        time=time,
        id=id,
        columns=columns,
        zone=how.time_zone,
        missing=o.marks_of(how.missing)[0],
        max_fill=how.max_fill,
        time_format=how.time_format,
        resample=how.resample,
        aggregate=how.aggregate,
        duplicates=how.duplicates,
        holidays=how.holidays,
        fill=how.fill,
        season=o.rows_or_duration(how.season) if how.fill == "season" else None,
        keep=keep,
        categories=o.names(how.categories),
        static=o.names(how.static),
        target=targets,
    )


def _co2(settings: Settings) -> Panel:
    co2 = need("statsmodels.datasets.co2", "the bundled CO2 series (where no DATA is named)")
    for name in ("time", "id", "time_zone"):
        if getattr(settings, name) is not None:
            raise SettingError(
                f"--{name.replace('_', '-')}: the bundled CO2 series takes none; name the DATA it is for."
            )
    frame: Any = co2.load_pandas().data
    table = Table.from_frame(frame.reset_index(names="time"))
    return _panel(Table(table.cells, "CO2 at Mauna Loa", table.rows), "time", None, settings, None)


def require_report() -> None:
    """Refuse at once, not after the training, where the packages that draw the report are missing or can't start."""
    for module in ("altair", "polars", "vl_convert"):
        refuse_without(module, "--out: the report")
    need_space(DRAWING_SPACE, "--out: drawing the report")
