"""MNIST as sequences: 28 × 28 grey digits read pixel by pixel, in rows or in one fixed permutation."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable

import numpy as np

from ...errors import DataError, SettingError, shown
from ...limits import need_memory, reading
from ..named import DownloadProgress, NamedFile
from ..sources import file_bytes, source_name

__all__ = ["MNIST_FILES", "load_mnist", "pixel_order", "read_idx"]

_SITES = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_MEAN, _STD = 0.1307, 0.3081  # of the training pixels in 0..1, as published
_ORDER_SEED = 784
_MOST_AXES = 32
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def _file(name: str, size: int, sha256: str) -> NamedFile:
    return NamedFile("mnist", name, size, sha256, tuple(site + name for site in _SITES))


MNIST_FILES = {
    "train": (
        _file(
            "train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
        ),
        _file("train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    ),
    "test": (
        _file("t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        _file("t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
}


def load_mnist(
    part: str = "train",
    *,
    permuted: bool = False,
    cache: str | os.PathLike[str] | None = None,
    download: bool = False,
    on_progress: Callable[[DownloadProgress], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Sequential MNIST: x (N, 784, 1) float32 and labels y (N,) int64; 60,000 in "train", 10,000 in "test".

    Pixels run row by row from the top left, as (p/255 − 0.1307)/0.3081; with `permuted` in the order of `pixel_order`.
    Source: LeCun, Cortes, Burges; the task: Le, Jaitly, Hinton, arXiv 1504.00941. Raises DataError where the files are
    not there, see `NamedFile.locate`.
    """
    if part not in MNIST_FILES:
        raise SettingError(f"part: expected one of {', '.join(MNIST_FILES)}, got {part!r}.")
    paths = [file.locate(cache, download=download, on_progress=on_progress) for file in MNIST_FILES[part]]
    images, labels = (read_idx(path) for path in paths)
    fits = images.ndim == 3 and images.shape[1:] == (28, 28) and labels.shape == images.shape[:1]
    if not fits or not len(images) or images.dtype != np.uint8:
        raise DataError(
            f"{paths[0]}: expected (N, 28, 28) images of bytes and (N,) labels, got {images.shape} of {images.dtype} "
            f"and {labels.shape}."
        )
    need_memory(images.size * 16, f"{paths[0]}: {len(images):,} images", error=DataError)
    shades = ((np.arange(256) / 255 - _MEAN) / _STD).astype(np.float32)
    pixels = images.reshape(len(images), -1)
    if permuted:
        pixels = pixels[:, pixel_order()]
    return shades[pixels][:, :, None], labels.astype(np.int64)


def pixel_order() -> np.ndarray:
    """The one permutation (784,) int64 of the pixels that permuted MNIST uses here.

    >>> order = pixel_order()
    >>> order[:4].tolist(), bool((np.sort(order) == np.arange(784)).all())
    ([145, 524, 261, 637], True)
    """
    return np.random.Generator(np.random.Philox(key=_ORDER_SEED)).permutation(784)


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """An IDX file, plain or gzip, as an array; raises DataError where it is damaged or something else.

    Format: two zero bytes, a type, the number of axes, each axis as a big-endian uint32, then the values.
    """
    source = source_name(path)
    with reading(source, "IDX file"):
        return _parse_idx(file_bytes(path, "an IDX file", "IDX"), source)


def _parse_idx(data: bytes, source: str) -> np.ndarray:
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES or len(data) < 4 + 4 * data[3]:
        raise DataError(f"{source}: expected an IDX file, its first bytes are {data[:4].hex(' ') or 'missing'}.")
    if not 1 <= data[3] <= _MOST_AXES:
        raise DataError(f"{source}: expected an IDX file of 1 to {_MOST_AXES} axes, it says {data[3]}.")
    shape = struct.unpack_from(f">{data[3]}I", data, 4)
    kind, body = np.dtype(_TYPES[data[2]]), memoryview(data)[4 + 4 * data[3] :]
    expected = math.prod(shape) * kind.itemsize
    if len(body) != expected:
        raise DataError(
            f"{source}: expected {expected:,} bytes for shape {shown(shape)}, found {len(body):,}; fetch it again."
        )
    return np.frombuffer(body, kind).reshape(shape).astype(kind.newbyteorder("="))
