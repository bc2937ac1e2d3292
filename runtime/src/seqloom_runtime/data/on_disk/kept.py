"""The folder that a panel on disk is kept in: whether it may be made there, whether it holds the one that is asked for,
and its removal, which touches no file but its own."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import FormatError, SettingError, shown
from ..table import Table
from .partitions import Partitions
from .reading_how import HowRead
from .stored import ARRAYS, HEADER, StoredPanel

__all__ = ["CHOSEN", "held", "place_for", "removed", "require_place"]

CHOSEN = ("columns", "keep", "target")
_NAMES = "ids.json"
_OWN = {HEADER, _NAMES, ".lock", *(f"{name}.bin" for name in ARRAYS)}
_TELLING = {_NAMES, "tick.bin", "offsets.bin"}  # by which a folder without a header is known


def place_for(cache: str | os.PathLike[str], data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> Path:
    """The folder `cache`, links followed; raises SettingError for a link to nothing, and for one within the data."""
    if os.path.islink(cache) and not os.path.exists(cache):
        raise SettingError(f"cache: {cache} is a link to what isn't there; remove it, or name another folder.")
    path = Path(os.path.realpath(cache))
    for each in [data] if isinstance(data, (str, os.PathLike)) else data:
        table = Path(os.path.realpath(each))
        if path == table or table in path.parents:
            raise SettingError(f"cache: {cache} lies in the table's own {each}; name a folder outside it.")
    return path


def require_place(path: Path, cache: str | os.PathLike[str]) -> Path:
    """The folder beside `path` in which the panel is built; raises SettingError where it can't be made there."""
    if not path.parent.is_dir():
        raise SettingError(f"cache: the folder {path.parent} doesn't exist.")
    if path in (here := Path(os.path.realpath(os.curdir)), *here.parents):
        raise SettingError(f"cache: {cache} is the folder that you work in; name a new one in it.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise SettingError(f"cache: {cache} can't be made, as you may not write to {path.parent}.")
    if (others := _others(path)) and path.is_dir():
        raise SettingError(
            f"cache: {cache} is to be made anew but holds other files too, such as {shown(others[0])}; move them "
            "elsewhere."
        )
    building = path.parent / f".{path.name}.building"
    if building.is_symlink() or (building.exists() and not building.is_dir()):
        raise SettingError(f"cache: {building} is in the way, as the panel is built there; move it elsewhere.")
    return building


def held(
    path: Path, cache: str | os.PathLike[str], table: Partitions, how: HowRead
) -> tuple[StoredPanel | None, tuple[str, ...]]:
    """The panel in the folder where it is that of the table; else None, and why it is made anew where one was there."""
    if not path.exists():
        return None, ()
    if not path.is_dir():
        raise SettingError(f"cache: {cache} is a file; give the path of a new folder, or of an empty one.")
    found = {each.name for each in path.iterdir()}
    headed = (path / HEADER).is_file()
    if found and not headed and not (_TELLING <= found <= _OWN):
        raise SettingError(f"cache: {cache} holds other files; give the path of a new folder, or of an empty one.")
    if not found:
        return None, ()
    try:
        kept = StoredPanel.open(path)
    except FormatError as damage:
        return None, (f"The panel on disk in {cache} was made anew: {str(damage).rstrip('.')}.",)
    about = kept.about["source"]
    if about["paths"] != list(table.paths):
        was, now = about["name"], table.source
        if was == now:
            was, now = (" and ".join(map(shown, paths)) for paths in (about["paths"], table.paths))
        raise SettingError(
            f"cache: {cache} holds the panel of {was}, not of {now}; give another folder, or remove that one."
        )
    if (name := _other(kept, how)) is not None:
        before, now = kept.columns if name in CHOSEN else about["how"].get(name), how.to_json()[name]
        for column in (now if name in CHOSEN else [now] if name in ("id", "time") and now != "none" else []) or ():
            if column and not set(column.split(",")) <= set(table.schema):
                Table(dict.fromkeys(table.schema), table.source, 0).require(column)  # a slip, and no other panel
        before, now = (", ".join(map(str, each)) if isinstance(each, (list, tuple)) else each for each in (before, now))
        raise SettingError(
            f"cache: {cache} was made with {name}={shown(before)}, now it is {shown(now)}; give another folder, or "
            "remove that one."
        )
    if about["fingerprint"] != table.fingerprint:
        return None, (f"The panel on disk in {cache} was made anew, as files of {table.source} have changed.",)
    return replace(kept, notes=(f"{cache} holds the panel on disk; it is used again.",)), ()


def removed(path: Path) -> None:
    """Remove the panel in a folder, and the folder; raises OSError where other files came into it meanwhile."""
    if not path.exists():
        return
    if others := _others(path):
        raise SettingError(f"cache: {path} holds other files now, such as {shown(others[0])}; move them elsewhere.")
    for each in path.iterdir():
        each.unlink()
    path.rmdir()


def _others(path: Path) -> list[str]:
    """The names in a folder that are none of a panel's."""
    if not path.is_dir():
        return []
    return sorted(each.name for each in path.iterdir() if each.name not in _OWN or each.is_dir())


def _other(found: StoredPanel, how: HowRead) -> str | None:
    """What is asked for and differs from what the panel was made with: what was found out then may be named now."""
    was, mine = found.about["source"]["how"], json.loads(json.dumps(how.to_json()))
    resolved = {"time": found.about["source"]["time"], "zone": found.zone, "time_format": found.time_format}
    for name, value in mine.items():
        if name in CHOSEN:
            fits = (value is None and was.get(name) is None) or (value is not None and set(value) <= set(found.columns))
        elif name == "frequency":
            grid = found.frequency
            fits = how.frequency is None or (grid.kind, grid.n, grid.zone, grid.closed) == (
                how.frequency.kind,
                how.frequency.n,
                how.frequency.zone,
                how.frequency.closed,
            )
        else:
            fits = value == was.get(name) or (name in resolved and value == resolved[name])
        if not fits:
            return name
    return None
