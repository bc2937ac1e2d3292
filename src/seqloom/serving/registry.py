"""The models that a server offers: by name and version, loaded anew where their folder changes.

A folder that changed is loaded beside the old model, which goes on answering; only a good one takes its place, in one
assignment. What was accepted before is answered by the model that it was accepted for.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from seqloom_runtime.errors import SettingError, shown

from .described import Described
from .models import files_of, load_model, records_of
from .problem import Problem

__all__ = ["Entry", "Registry", "Source", "checked", "signature_of", "sources_of"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VERSION = re.compile(r"[1-9][0-9]{0,9}|0")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")

Signature = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Source:
    """A folder that was named on the command line: a model, or with `versions` one in each subfolder with a number."""

    name: str
    version: str
    path: Path
    versions: bool = False

    def found(self) -> dict[str, Path]:
        """Version → folder, as they are now."""
        if not self.versions:
            return {self.version: self.path}
        try:
            return {p.name: p for p in self.path.iterdir() if _VERSION.fullmatch(p.name) and p.is_dir()}
        except (OSError, ValueError):
            return {}


@dataclass(frozen=True)
class Entry:
    """A loaded model. `generation` counts the loads of this server: with name and version it is one model for ever."""

    name: str
    version: str
    path: Path
    generation: int
    about: Described
    signature: Signature

    @property
    def key(self) -> tuple[str, str, int]:
        """What requests for it are queued under."""
        return (self.name, self.version, self.generation)


class Registry:
    """Name → version → entry."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, Entry]] = {}

    def put(self, entry: Entry) -> Entry | None:
        """Offer a model from now on; the one that it takes the place of, if any."""
        versions = self._entries.setdefault(entry.name, {})
        old = versions.get(entry.version)
        versions[entry.version] = entry
        return old

    def drop(self, name: str, version: str) -> Entry | None:
        """Offer a version no more."""
        return self._entries.get(name, {}).pop(version, None)

    def find(self, name: str, version: str | None = None) -> Entry:
        """The entry; without a version that with the highest number. Raises Problem where there is none."""
        versions = self._entries.get(name)
        if not versions:
            known = ", ".join(sorted(each for each, held in self._entries.items() if held)) or "none now"
            asked, colon, number = name.partition(":")
            if colon and self._entries.get(asked) and _VERSION.fullmatch(number):
                place = f"/v1/models/{asked}/versions/{number}/predict"
                raise Problem(404, f"There is no model {shown(name)}; version {number} of {asked} is at {place}.")
            raise Problem(404, f"There is no model {shown(name)}; this server has {known}.")
        if version is None:
            return versions[max(versions, key=int)]
        if version not in versions:
            known = ", ".join(sorted(versions, key=int))
            raise Problem(404, f"The model {name} has no version {shown(version)}; there is {known}.")
        return versions[version]

    def versions(self, name: str) -> list[str]:
        """The versions of a model, rising."""
        return sorted(self._entries.get(name, {}), key=int)

    def held(self, name: str, version: str) -> Entry | None:
        """The entry, or None."""
        return self._entries.get(name, {}).get(version)

    def __iter__(self) -> Iterator[Entry]:
        return iter([self._entries[name][v] for name in sorted(self._entries) for v in self.versions(name)])


def sources_of(runs: Iterable[tuple[str, Path]]) -> list[Source]:
    """The sources of folders, each with its label: NAME, NAME:VERSION, or "" for the folder's own name.

    Raises SettingError for a name that is none, or is there twice.
    """
    found: list[Source] = []
    for label, path in runs:
        name, _, version = label.partition(":") if label else (_own_name(path), "", "")
        if not _NAME.fullmatch(name):
            raise SettingError(
                f"RUN: expected a name of letters, digits, dots, dashes, as in co2={path}, got {shown(name)}."
            )
        if version and not _VERSION.fullmatch(version):
            raise SettingError(
                f"RUN: expected a version that is a whole number, as in co2:2=FOLDER, got {shown(version)}."
            )
        several = (
            not version
            and not any(file.is_file() for file in files_of(path))
            and bool(Source(name, "1", path, True).found())
        )
        source = Source(name, version or "1", path, several)
        for other in found:
            if other.name == name and (other.version == source.version or other.versions or several):
                raise SettingError(
                    f"RUN: two models are called {shown(name)}; name them, as in first={other.path} second={path}, or "
                    f"give versions, as in {name}:1=… {name}:2=…"
                )
        found.append(source)
    return found


def checked(sources: Iterable[Source]) -> list[str]:
    """Load every model of these sources; a sentence on each. Raises what loading raises."""
    told = []
    for source in sources:
        for version, path in sorted(source.found().items(), key=lambda item: int(item[0])):
            served = load_model(path)
            tensors = ", ".join(f"{t.name} {t.datatype} {list(t.shape)}" for t in served.inputs)
            takes = " or ".join(served.takes)
            told.append(
                f"{source.name}, version {version}: {served.estimator}. It takes {takes}, as tensors {tensors}."
            )
            told += served.notes
    return told


def _own_name(path: Path) -> str:
    """The folder's name, with a dash for what no name holds."""
    return _UNFIT.sub("-", os.path.basename(os.path.abspath(path))).strip("-._")


def signature_of(path: Path) -> Signature | None:
    """What changes when a model folder, or the record of its run, is written anew; None where a file of the model is
    missing."""
    try:
        looks = [_seen(file.stat()) for file in files_of(path)]
    except OSError:
        return None
    for record in records_of(path):
        with contextlib.suppress(OSError):
            looks.append(_seen(record.stat()))
    return tuple(looks)


def _seen(look: os.stat_result) -> tuple[int, int, int]:
    return (look.st_ino, look.st_size, look.st_mtime_ns)
