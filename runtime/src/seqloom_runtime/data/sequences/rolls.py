"""Files of piano rolls: a collection of pieces in parts, in the forms of the polyphonic music benchmarks."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..sources import source_name
from .music import PARTS, original_rolls, packed_rolls

__all__ = ["is_rolls", "read_rolls"]


def is_rolls(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a collection of piano rolls: a .mat, or an .npz with the arrays train_roll and train_len."""
    place = Path(path)
    if place.suffix == ".mat":
        return place.is_file()
    if place.suffix != ".npz" or not place.is_file():
        return False
    try:
        with zipfile.ZipFile(place) as archive:
            return {"train_roll.npy", "train_len.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False  # whoever reads it as sequences says what is wrong with it


def read_rolls(path: str | os.PathLike[str]) -> dict[str, list[np.ndarray]]:
    """The pieces (frames, 88) float32 of 0 and 1 of each part: train, valid, test.

    Raises DataError where the file is damaged or something else; a .mat needs SciPy.
    """
    place = Path(path)
    read = original_rolls if place.suffix == ".mat" else packed_rolls
    found = {part: read(place, part) for part in PARTS}
    for part, pieces in found.items():
        short = next((number for number, piece in enumerate(pieces) if len(piece) < 2), None)
        if short is not None:
            raise DataError(
                f"{source_name(path)}, part {part}, piece {short} (from 0): expected at least 2 frames, got "
                f"{len(pieces[short])}; leave it out."
            )
    return found
