"""The options of a command whose work may be done by worker processes or a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from seqloom_runtime.errors import SettingError

from .streams import tell

__all__ = ["EngineName", "RayAddress", "Workers", "chosen_engine", "warn_of_ports"]

_PANEL = "Workers"

EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="Who does the work: local (processes of this machine) or ray.",
        show_default="this process",
        rich_help_panel=_PANEL,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Worker processes, each with one thread.",
        show_default="one for each processor",
        rich_help_panel=_PANEL,
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Address of a Ray cluster, with --engine ray.",
        show_default="one is started here",
        rich_help_panel=_PANEL,
    ),
]


@contextmanager
def chosen_engine(name: str | None, workers: int | None, address: str | None) -> Iterator[Any]:
    """The engine that was named while the block runs, None where none was; raises SettingError for what it has not."""
    if name is None:
        for flag, value in (("workers", workers), ("ray_address", address)):
            if value is not None:
                raise SettingError(f"{flag}: it goes with an engine; name one (engine=), or leave it out.")
        yield None
        return
    from ..engines import open_engine

    if name == "ray":
        warn_of_ports(address)
    with open_engine(name, workers, address) as engine:
        yield engine


def warn_of_ports(address: str | None) -> None:
    """Say what an open port of Ray means, where a cluster is reached over one."""
    if address is not None:
        from ..engines import OPEN_PORTS

        tell(f"Note: {OPEN_PORTS}")
