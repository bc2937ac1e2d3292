"""The files of Keras, read as data: `.keras` archives and HDF5 files, bounded before memory is asked for.

Nothing in a file is executed or imported, and nothing outside it is opened: links to other files, external storage and
virtual data sets are refused, as is anything that claims far more than is stored.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqloom_runtime import files
from seqloom_runtime.errors import FormatError, printable, shown
from seqloom_runtime.extras import need
from seqloom_runtime.limits import in_words, need_memory, read_limit, read_stream, reading

__all__ = ["Archive", "Legacy", "Opened", "Stored", "opened"]

_MEMBERS = 1000  # of an archive; Keras writes three, and a few more for vocabularies
_DIRECTORY = 1 << 20  # bytes of the archive's list of members
_RATIO = 200  # how many times its stored bytes something may claim to hold; weights shrink by a tenth
_SMALL = 1 << 20  # bytes that anything may claim
_DOCUMENT = 64 << 20  # bytes of JSON
_NAMES = 100_000  # of layers, or of the weights of one
_HEAP = b"GCOL\1\0\0\0"  # where strings of any length lie: signature, version, three empty bytes
_FILTERS = (1, 2, 3, 32000)  # deflate, shuffle, checksum, LZF: others would load a plugin of the system


class Stored:
    """The weights of a file, by layer."""

    def take(self, name: str, place: str, parts: Sequence[tuple[str, int]]) -> list[np.ndarray]:
        """The arrays of a layer, in Keras's order; raises FormatError where there are more or fewer.

        name: the layer's. place: where a `.keras` file has it. parts: for each group within, its path and how many.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """Raise FormatError where weights were left over."""


@dataclass
class Opened:
    """A file of Keras: the model as JSON says it, the major version that wrote it, and its weights."""

    source: str
    model: Any
    version: int
    weights: Stored
    backend: str = ""


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Opened]:
    """Open a `.keras` or HDF5 file by its content, whatever its name.

    Raises FormatError for a damaged or foreign file, OSError where it can't be opened, MissingDependencyError without
    h5py.
    """
    h5py = need("h5py", "reading a file of Keras")
    source = printable(os.fspath(path))
    data = files.read_whole(path, 3)  # the file, what is unpacked of it, and the modules that are made
    with reading(source, "file of Keras", error=FormatError):
        if data[:4] == b"PK\x03\x04":
            documents, packed = _unpacked(data, source)
            version = _major(_field(documents["metadata.json"], "keras_version"), source)
            _check_heaps(packed, source)
            with h5py.File(io.BytesIO(packed), "r") as file:
                weights = Archive(_Tree(h5py, file, source, len(packed)))
                yield Opened(source, documents["config.json"], version, weights)
        elif data[:8] == b"\x89HDF\r\n\x1a\n":
            _check_heaps(data, source)
            with h5py.File(io.BytesIO(data), "r") as file:
                tree = _Tree(h5py, file, source, len(data))
                yield _legacy(tree, file)
        else:
            raise FormatError(
                f"{source}: expected a .keras archive or an HDF5 file of Keras, found neither; save the model with "
                "model.save('model.keras')."
            )


def _check_heaps(data: bytes, source: str) -> None:
    """Refuse HDF5 heaps of strings whose objects don't add up: the library would look for their end for ever."""
    at = data.find(_HEAP)
    while at >= 0:
        end = at + int.from_bytes(data[at + 8 : at + 16], "little")
        place = at + 16
        # An object: its number (2 bytes), 6 bytes, its size (8), then itself, by eights. Number 0 is the room that is
        # left, of which the size counts the 16 bytes too.
        while place + 16 <= min(end, len(data)):
            size = int.from_bytes(data[place + 8 : place + 16], "little")
            step = size if data[place : place + 2] == b"\0\0" else 16 + (size + 7) // 8 * 8
            place = place + step if step >= 16 else len(data) + 1
        if not at + 16 <= place <= end <= len(data):
            raise FormatError(f"{source}: expected a file of Keras, its strings are damaged at byte {at:,}.")
        at = data.find(_HEAP, at + 1)


def _legacy(tree: _Tree, file: Any) -> Opened:
    """A whole model in one HDF5 file."""
    said = tree.text(file, "model_config")
    if said is None:
        raise FormatError(
            f"{tree.source}: holds weights without the model that they belong to; save the whole model, with "
            "model.save('model.keras'), not save_weights."
        )
    # Keras itself takes a file that names no version for one of Keras 1.
    group = tree.child(file, "model_weights")
    version = tree.text(group, "keras_version") or tree.text(file, "keras_version") or "1"
    backend = tree.text(group, "backend") or tree.text(file, "backend") or ""
    model = _parsed(said, f"{tree.source}: model_config")
    return Opened(tree.source, model, _major(version, tree.source), Legacy(tree, group), backend)


def _unpacked(data: bytes, source: str) -> tuple[dict[str, Any], bytes]:
    """The JSON documents of a `.keras` archive, and its HDF5 file."""
    _check_directory(data, source)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        names = [member.filename for member in members]
        if len(members) > _MEMBERS or len(set(names)) < len(names):
            raise FormatError(f"{source}: expected at most {_MEMBERS} files in the archive, each with its own name.")
        documents = {name: _member(archive, members, name, _DOCUMENT, source) for name in _DOCUMENTS}
        packed = _member(archive, members, "model.weights.h5", read_limit(), source)
    return {name: _parsed(text, f"{source}: {name}") for name, text in documents.items()}, packed


_DOCUMENTS = ("metadata.json", "config.json")


def _check_directory(data: bytes, source: str) -> None:
    """Hold the archive's own words on its list of members against bounds, before the list is read."""
    at = data.rfind(b"PK\x05\x06", max(0, len(data) - 65_557))
    if at < 0 or at + 22 > len(data):
        raise FormatError(f"{source}: expected a .keras archive, it is cut off before its end.")
    count, size = int.from_bytes(data[at + 10 : at + 12], "little"), int.from_bytes(data[at + 12 : at + 16], "little")
    if count > _MEMBERS or size > _DIRECTORY:
        raise FormatError(f"{source}: expected at most {_MEMBERS} files in the archive, it lists more.")


def _member(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], name: str, limit: int, source: str) -> bytes:
    member = next((member for member in members if member.filename == name), None)
    if member is None:
        raise FormatError(f"{source}: expected a .keras archive, it holds no {name}.")
    if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FormatError(f"{source}: {name} is encrypted or packed in a way that Keras doesn't write.")
    if member.file_size > min(limit, max(_RATIO * member.compress_size, _SMALL)):
        raise FormatError(
            f"{source}: {name} claims {in_words(member.file_size)}, unpacked from {in_words(member.compress_size)}; "
            f"at most {in_words(limit)}, and {_RATIO} times what is stored, are read."
        )
    need_memory(2 * member.file_size, f"{source}: {name}", error=FormatError)
    with archive.open(member) as file:
        return read_stream(file, f"{source}: {name}", limit)


def _parsed(text: str | bytes, source: str) -> Any:
    if len(text) > _DOCUMENT:
        raise FormatError(f"{source}: holds {in_words(len(text))} of JSON; at most {in_words(_DOCUMENT)} are read.")
    with reading(source, "JSON document", error=FormatError):
        value = json.loads(text.decode("utf-8") if isinstance(text, bytes) else text)
    if not isinstance(value, dict):
        raise FormatError(f"{source}: expected a JSON object, found {shown(value)}.")
    return value


def _field(document: dict[str, Any], name: str) -> str:
    return str(document.get(name, ""))


def _major(version: str, source: str) -> int:
    major = version.partition(".")[0]
    if major not in ("1", "2", "3"):
        raise FormatError(f"{source}: expected a file of Keras 1, 2 or 3, it names version {shown(version)}.")
    return int(major)


@dataclass
class _Tree:
    """An HDF5 file, one hard link at a time."""

    h5py: Any
    file: Any
    source: str
    size: int
    read: int = field(default=0)

    def child(self, group: Any, path: str) -> Any:
        """What lies at a path below a group; raises FormatError where it isn't there, or lies elsewhere."""
        for name in path.split("/"):
            kind = group.get(name, getlink=True) if isinstance(group, self.h5py.Group) and _plain(name) else None
            if kind is None:
                raise FormatError(f"{self.source}: expected {shown(path)} in the file, it isn't there.")
            if not isinstance(kind, self.h5py.HardLink):
                raise FormatError(f"{self.source}: {shown(path)} is a link to another place, which is not followed.")
            group = group[name]
        return group

    def has(self, group: Any, name: str) -> bool:
        return isinstance(group, self.h5py.Group) and _plain(name) and group.get(name, getlink=True) is not None

    def array(self, group: Any, path: str) -> np.ndarray:
        """The numbers at a path, float32 or float64, once all that they claim has been held against what is stored."""
        data, where = self.child(group, path), f"{self.source}: {shown(path)}"
        if not isinstance(data, self.h5py.Dataset):
            raise FormatError(f"{where} should be an array.")
        plan = data.id.get_create_plist()
        # Before its shape is asked for: a virtual data set may open its sources to know it.
        if plan.get_layout() == self.h5py.h5d.VIRTUAL or plan.get_external_count():
            raise FormatError(f"{where} keeps its numbers in another file, which is not opened.")
        if any(plan.get_filter(k)[0] not in _FILTERS for k in range(plan.get_nfilters())):
            raise FormatError(f"{where} is packed by a filter that Keras doesn't use.")
        if data.dtype.kind != "f" or data.dtype.itemsize not in (2, 4, 8) or data.shape is None:
            raise FormatError(f"{where} should hold floating-point numbers, not {shown(data.dtype)}.")
        stored, claimed = data.id.get_storage_size(), data.size * max(data.dtype.itemsize, 4)
        if claimed > max(_RATIO * stored, _SMALL if stored else 0) or stored > self.size:
            raise FormatError(
                f"{where} claims {in_words(claimed)} in shape {shown(tuple(data.shape))}, "
                f"{in_words(stored)} are stored."
            )
        self.read += claimed
        if self.read > read_limit():
            raise FormatError(f"{where}: the file's weights take more than the {in_words(read_limit())} that are read.")
        need_memory(3 * claimed, where, error=FormatError)
        array = np.asarray(data[()])
        if not np.isfinite(array).all():
            raise FormatError(
                f"{where} holds NaN or infinite numbers, so the model was saved after its training failed."
            )
        return array.astype(np.float64 if array.dtype.itemsize == 8 else np.float32)

    def text(self, group: Any, name: str) -> str | None:
        """An attribute that is one string; None where there is none of that name."""
        found = self._strings(group, name)
        return None if found is None else "".join(found[:1])

    def names(self, group: Any, name: str) -> list[str]:
        """An attribute that is a list of strings, which Keras cuts in pieces name0, name1, … where it is long."""
        found = self._strings(group, name)
        if found is not None:
            return found
        names: list[str] = []
        for k in range(_NAMES):
            piece = self._strings(group, f"{name}{k}")
            if piece is None:
                break
            names += piece
        return names

    def _strings(self, group: Any, name: str) -> list[str] | None:
        if name not in group.attrs:
            return None
        about, where = group.attrs.get_id(name), f"{self.source}: attribute {shown(name)}"
        count = int(np.prod(about.shape, dtype=np.float64)) if about.shape is not None else 0
        if count == 0:
            return []
        if count > _NAMES or about.get_storage_size() > self.size:
            raise FormatError(f"{where} claims more than the file holds.")
        if self.h5py.check_string_dtype(about.dtype) is None:
            raise FormatError(f"{where} should be text.")
        values = np.asarray(group.attrs[name], dtype=object).ravel()
        texts = [v.decode("utf-8") if isinstance(v, bytes) else v for v in values]
        if not all(isinstance(text, str) for text in texts):
            raise FormatError(f"{where} should be text.")
        return [str(text) for text in texts]


def _plain(name: str) -> bool:
    return name not in ("", ".", "..") and "\0" not in name


class Archive(Stored):
    """The weights inside a `.keras` archive: a group for each layer, by its class and place."""

    def __init__(self, tree: _Tree):
        self.tree = tree

    def take(self, name: str, place: str, parts: Sequence[tuple[str, int]]) -> list[np.ndarray]:
        tree, found = self.tree, []
        if not sum(count for _, count in parts):
            return []
        base = tree.child(self._top(), place)
        # Keras finds layers by class and place alone; where the file names them too, the names have to agree.
        told = tree.text(tree.child(base, "vars"), "name") if tree.has(base, "vars") else None
        if told not in (None, "", name):
            raise FormatError(f"{tree.source}: layer {shown(name)} finds the weights of {shown(told)} in its place.")
        for path, count in parts:
            group = tree.child(base, path) if count else ()
            if len(group) != count:
                raise FormatError(f"{tree.source}: layer {shown(name)} has {len(group)} arrays, expected {count}.")
            found += [tree.array(group, str(k)) for k in range(count)]
        return found

    def _top(self) -> Any:
        # The first .keras files, of TensorFlow 2.12 to 2.15, called the layers so.
        older = "_layer_checkpoint_dependencies"
        return self.tree.child(self.tree.file, older if self.tree.has(self.tree.file, older) else "layers")


class Legacy(Stored):
    """The weights inside an HDF5 model: a group for each layer by its name, with a list of its arrays in order."""

    def __init__(self, tree: _Tree, group: Any):
        self.tree, self.group = tree, group
        self.known = set(tree.names(group, "layer_names"))
        self.left: dict[str, list[str]] = {}

    def take(self, name: str, place: str, parts: Sequence[tuple[str, int]]) -> list[np.ndarray]:
        """place: the name of the group, which is that of the model within the model where there is one."""
        tree, count = self.tree, sum(count for _, count in parts)
        if place not in self.left:
            if place not in self.known:
                raise FormatError(f"{tree.source}: the file has no weights of layer {shown(name)}.")
            self.left[place] = tree.names(tree.child(self.group, place), "weight_names")
        names = self.left[place]
        if len(names) < count:
            raise FormatError(f"{tree.source}: layer {shown(name)} has {len(names)} arrays, expected {count}.")
        self.left[place] = names[count:]
        group = tree.child(self.group, place)
        return [tree.array(group, one) for one in names[:count]]

    def finish(self) -> None:
        for name, left in self.left.items():
            if left:
                raise FormatError(f"{self.tree.source}: layer {shown(name)} has {len(left)} arrays more than expected.")
