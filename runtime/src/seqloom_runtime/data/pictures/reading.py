"""Pictures and their labels: a folder with a sub-folder for each class, a table of paths, or files alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, SettingError, shown
from ...limits import need_memory
from ..decisions import Decision
from ..sequences.files import said, table_from
from ..several import parquet_files
from .decoding import SUFFIXES, Head, decode, head_of

__all__ = ["LabelledPictures", "holds_pictures", "read_pictures"]

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

_MOST = 2_000_000
_COLOURS = ("grey", "colour")
_LONGEST_SIDE = 4096


@dataclass(frozen=True, eq=False)
class LabelledPictures:
    """Pictures (N, H, W, C) uint8, C 1 (grey) or 3 (red, green, blue); `labels` (N,) texts or None; `ids` their paths.

    `decisions` say what was decided where they could be read in several ways.
    """

    pixels: np.ndarray
    labels: np.ndarray | None
    ids: tuple[str, ...]
    decisions: list[Decision] = field(default_factory=list)


def holds_pictures(path: Any) -> bool:
    """Whether the path is a folder or the file of a picture, or several such; nothing is opened."""
    if isinstance(path, (list, tuple)):
        return bool(path) and all(holds_pictures(part) for part in path)
    if not isinstance(path, (str, os.PathLike)):
        return False
    # A folder of Parquet files is one table.
    return not parquet_files(Path(path)) if os.path.isdir(path) else _named_picture(os.fspath(path))


def read_pictures(
    path: Paths,
    *,
    image_column: str | None = None,
    label: str | None = None,
    image_size: int | tuple[int, int] | None = None,
    colour: str | None = None,
    labelled: bool = True,
    **form: Any,
) -> LabelledPictures:
    """The pictures of a folder, whose sub-folders are the classes; of a table with a column of paths; or files.

    image_column, label: of a table, whose paths start at its folder; `form` says how it is written, as for
    `read_table`. image_size: (height, width), or both in one number, to which all are scaled; without it all must be of
    one size. colour: "grey" or "colour"; by default colour where any picture has it. labelled: whether there must be
    labels. Raises DataError for a picture that can't be read, for mixed sizes, and where there is none; SettingError
    for what isn't possible.
    """
    size = _size(image_size)
    if colour not in (None, *_COLOURS):
        raise SettingError(f"colour: expected one of {', '.join(_COLOURS)}, got {shown(colour)}.")
    decisions: list[Decision] = []
    if image_column is not None:
        found = _of_table(path, image_column, label, form, labelled)
    else:
        for name, value in {"label": label, **said(form)}.items():
            if value not in (None, ()):
                raise SettingError(f"{name}: pictures have no such choice without a table of paths; leave {name} out.")
        found = _of_folder(path, labelled, decisions)
    names, labels = [name for name, _, _ in found], [label for _, _, label in found]
    heads = [head_of(place, name) for name, place, _ in found]
    height, width = size or _one_size(heads, names)
    in_colour = _colour(heads, colour, decisions)
    _tell(heads, (height, width), decisions)
    channels = 3 if in_colour else 1
    need_memory(
        len(heads) * height * width * channels,
        f"image_size: {len(heads):,} pictures of {height} by {width} pixels",
        "Name a smaller image_size.",
    )
    pixels = np.empty((len(heads), height, width, channels), np.uint8)
    for number, head in enumerate(heads):
        pixels[number] = decode(head, (height, width), in_colour, names[number])
    return LabelledPictures(pixels, np.array(labels) if labelled else None, tuple(names), decisions)


Found = tuple[str, Path, str]
"""What a picture is called, where it lies, its label."""


def _of_folder(path: Paths, labelled: bool, decisions: list[Decision]) -> list[Found]:
    if not labelled:
        parts = [path] if isinstance(path, (str, os.PathLike)) else path
        found = [one for part in parts for one in _unlabelled(Path(part))]
        if not found:
            raise DataError(f"{os.fspath(parts[0])}: expected pictures ({', '.join(SUFFIXES[:4])}, …), there are none.")
        return found
    if not isinstance(path, (str, os.PathLike)):
        raise DataError(
            f"{os.fspath(path[0])}: expected one folder with a sub-folder for each class, got several paths."
        )
    root = Path(path)
    if not root.is_dir():
        raise DataError(f"{path}: expected a folder with a sub-folder of pictures for each class.")
    classes = [place for place in sorted(root.iterdir()) if place.is_dir() and not place.name.startswith(".")]
    loose = [place for place in root.iterdir() if _named_picture(place.name)]
    if not classes:
        raise DataError(
            f"{path}: expected a sub-folder of pictures for each class, "
            f"there {'are only pictures' if loose else 'is none'}; sort them into folders named as the classes, or "
            "give a table of their paths and labels."
        )
    if loose:
        raise DataError(
            f"{loose[0]}: expected pictures in the classes' folders alone; move it into one, or leave it out."
        )
    found, others = [], []
    for place in classes:
        inside = list(_files(place))
        named = [one for one in inside if _named_picture(one.name)]
        others += [one for one in inside if not _named_picture(one.name)]
        nested = next((one for one in named if one.parent != place), None)
        if nested is not None:
            raise DataError(
                f"{nested}: expected the pictures of a class in its folder itself, not deeper; where "
                f"{shown(place.name)} is a part of the data, such as train, give that folder by itself."
            )
        if not named:
            raise DataError(f"{place}: expected pictures of the class {shown(place.name)}, there are none; remove it.")
        found += [(f"{place.name}/{one.name}", one, place.name) for one in named]
    if others:
        some = ", ".join(one.name for one in others[:3]) + (", …" if len(others) > 3 else "")
        files = "file that is no picture is" if len(others) == 1 else "files that are no pictures are"
        decisions.append(Decision("left out", f"{len(others):,} {files} left out ({some}); nothing need be done."))
    return found


def _unlabelled(path: Path) -> list[Found]:
    if not path.is_dir():
        return [(os.fspath(path), path, "")]
    return [(os.fspath(one.relative_to(path)), one, "") for one in _files(path) if _named_picture(one.name)]


def _of_table(path: Paths, column: str, label: str | None, form: Mapping[str, Any], labelled: bool) -> list[Found]:
    if not isinstance(path, (str, os.PathLike)) or os.path.isdir(path):
        raise DataError(f"image_column: expected one table with the column {shown(column)}, got {shown(path)}.")
    if labelled and label is None:
        raise DataError(f"{path}: nothing says what is to be predicted; name the column of the labels (label=).")
    table = table_from(path, said(form), (column, label))
    for name in (column, *([label] if labelled and label is not None else [])):
        table.require(name)
    places = [str(cell) for cell in table.cells[column]]
    labels = [""] * len(places)
    if labelled and label is not None:
        labels = [str(cell) for cell in table.cells[label]]
    root, found = Path(path).parent, []
    for number, (place, answer) in enumerate(zip(places, labels, strict=True)):
        for name, value in ((column, place), (label, answer if labelled else "-")):
            if not value.strip() or value == "None":
                raise DataError(f"{path}: expected {shown(name)} in each row, row {number + 1} of the table has none.")
        if not (root / place).is_file():
            raise DataError(
                f"{path}: expected pictures under {shown(column)}, there is no file {shown(place)} in {root}."
            )
        found.append((place, root / place, answer))
    return found


def _files(folder: Path) -> Iterator[Path]:
    """All files under a folder in order, but hidden ones; raises DataError where there are too many."""
    count = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            count += 1
            if count > _MOST:
                raise DataError(f"{folder}: expected at most {_MOST:,} files, there are more.")
            if not name.startswith(".") and name != "Thumbs.db":
                yield Path(place, name)


def _named_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _size(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    good = len(pair) == 2 and all(isinstance(side, int) and not isinstance(side, bool) for side in pair)
    if not good or not 1 <= min(pair) <= max(pair) <= _LONGEST_SIDE:
        raise SettingError(
            f"image_size: expected pixels (28) or height and width (28,40), each 1 to {_LONGEST_SIDE}, got "
            f"{shown(value)}."
        )
    return pair[0], pair[1]


def _one_size(heads: Sequence[Head], names: Sequence[str]) -> tuple[int, int]:
    first = heads[0]
    for head, name in zip(heads, names):
        if (head.height, head.width) != (first.height, first.width):
            raise DataError(
                f"{name}: expected pictures of one size, it has {head.height} by {head.width} pixels (height by width),"
                f" {names[0]} has {first.height} by {first.width}; name a size to scale all to (image_size=)."
            )
    return first.height, first.width


def _colour(heads: Sequence[Head], asked: str | None, decisions: list[Decision]) -> bool:
    if asked is not None:
        return asked == "colour"
    count = sum(head.colour for head in heads)
    if count in (0, len(heads)):
        return count > 0
    decisions.append(
        Decision(
            "colour",
            f"{count:,} of {len(heads):,} pictures are in colour, so all are read so; colour='grey' reads grey.",
        )
    )
    return True


def _tell(heads: Sequence[Head], size: tuple[int, int], decisions: list[Decision]) -> None:
    other = sum((head.height, head.width) != size for head in heads)
    if other:
        text = f"{other:,} of {len(heads):,} pictures are scaled to {size[0]} by {size[1]} pixels, as was asked"
        decisions.append(Decision("size", f"{text} (image_size=)."))
    clear = sum(head.transparent for head in heads)
    if clear:
        text = f"{clear:,} of {len(heads):,} pictures can be transparent, which is read as white; nothing need be done."
        decisions.append(Decision("transparent", text))
    turned = sum(head.turned for head in heads)
    if turned:
        text = f"{turned:,} of {len(heads):,} pictures are turned as their Exif data says; nothing need be done."
        decisions.append(Decision("turned", text))
