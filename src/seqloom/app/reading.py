"""From what the command line names to a panel, a target and a time column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..data import Panel, guess_time_column, read_table
from ..errors import SettingError
from . import options as o

__all__ = ["Table", "load_table", "read_file", "threads_used"]


@dataclass(frozen=True, eq=False)
class Table:
    """A panel with the names that the forecast needs, and a sentence for everything that was chosen for the user."""

    panel: Panel
    target: str
    time: str | None
    notes: tuple[str, ...] = ()


def load_table(settings: Mapping[str, Any]) -> Table:
    """Read the file (or the bundled series) that `settings` name, with the columns that they name."""
    notes: list[str] = []
    if settings["data"] is None:
        panel, time = _co2(), "time"
        notes.append("No DATA was given: this is the weekly CO2 series at Mauna Loa that statsmodels bundles.")
    else:
        panel, time = read_file(
            settings["data"],
            settings["time"],
            settings["encoding"],
            settings["decimal"],
            id=settings["id"],
            columns=_columns(settings),
            zone=settings["time_zone"],
            missing=o.numbers(settings["missing"], "--missing"),
            max_fill=settings["max_fill"],
        )
        if settings["time"] is None:
            notes.append(
                f"--time was not given: {f'{time!r} holds the times' if time else 'the rows are steps without times'}."
            )
    target = settings["target"]
    if target is None:
        if len(panel.columns) != 1:
            raise SettingError(
                f"--target: say which column to forecast; the table has {', '.join(map(repr, panel.columns))}."
            )
        target = panel.columns[0]
        notes.append(f"--target was not given: {target!r}, the only column of numbers.")
    panel.column(target)
    return Table(panel, target, time, tuple(notes))


def read_file(path: str, time: str | None, encoding: str, decimal: str, **how: Any) -> tuple[Panel, str | None]:
    """A panel from a file, and its time column: the one that is named, or the only one that holds times."""
    table = read_table(path, encoding=encoding, decimal=decimal)
    chosen = guess_time_column(table) if time is None else time
    return Panel.from_frame(table, time=chosen, **how), chosen


@contextmanager
def threads_used(count: int | None) -> Iterator[None]:
    """Let torch use `count` threads inside the block; None leaves its own choice."""
    import torch

    before = torch.get_num_threads()
    if count is not None:
        if count < 1:
            raise SettingError(f"--threads: expected a whole number of at least 1, got {count}.")
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _columns(settings: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Only the columns in use are read where the inputs are named."""
    inputs = o.names(settings["inputs"])
    if not inputs or settings["target"] is None:
        return None
    return tuple(dict.fromkeys((*inputs, settings["target"], *o.names(settings["future"]))))


def _co2() -> Panel:
    from statsmodels.datasets import co2

    frame = co2.load_pandas().data.reset_index(names="time")
    return Panel.from_frame(frame, time="time")
