"""One picture file: its head, by which it is refused or bounded, and then its pixels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, printable
from ...extras import need
from ...limits import need_memory, reading

__all__ = ["SUFFIXES", "Head", "decode", "head_of"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm")
"""What a picture's file name ends in."""

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
_GREY, _COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
_MOST_PIXELS = 50_000_000
_ORIENTATION = 0x0112  # the tag of Exif


@dataclass(frozen=True)
class Head:
    """What a picture says of itself: height and width as it is looked at, whether in colour, transparent, turned."""

    path: Path
    height: int
    width: int
    colour: bool
    transparent: bool
    turned: bool


def head_of(path: str | os.PathLike[str], name: str | None = None) -> Head:
    """The head of a picture file, called `name` in messages; no pixel is decoded.

    Raises DataError for what is no picture, one with too many pixels, with several frames, or with more than 8 bits.
    """
    place = Path(path)
    with _opened(place, name) as (image, source):
        width, height = image.size
        if width * height > _MOST_PIXELS:
            raise DataError(
                f"{source}: expected at most {_MOST_PIXELS:,} pixels, it has {width:,} by {height:,}; scale it down."
            )
        frames = getattr(image, "n_frames", 1)
        if frames > 1:
            raise DataError(f"{source}: expected one picture, it holds {frames:,} frames; save one of them by itself.")
        if image.mode not in (*_GREY, *_COLOUR):
            raise DataError(
                f"{source}: expected 8 bits for each pixel and colour, it holds more (mode {printable(image.mode)}); "
                "convert it to 8 bits."
            )
        turned = image.getexif().get(_ORIENTATION, 1)
        # 5 to 8 are turned by a quarter: rows are then columns.
        if turned in (5, 6, 7, 8):
            width, height = height, width
        clear = image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info
        return Head(place, height, width, image.mode not in _GREY, clear, turned in range(2, 9))


def decode(head: Head, size: tuple[int, int], colour: bool, name: str | None = None) -> np.ndarray:
    """The pixels (H, W, C) uint8 at (height, width) `size`, C 3 with `colour` and else 1.

    Transparent parts are white; a picture of another size is scaled with antialiasing. Raises DataError where the file
    is damaged.
    """
    images = need("PIL.Image", "reading pictures")
    with _opened(head.path, name) as (image, source):
        # 4 bytes of each pixel, once more where it is turned or converted.
        need_memory(8 * head.height * head.width, f"{source}: the picture", error=DataError)
        if head.turned:
            image = need("PIL.ImageOps", "reading pictures").exif_transpose(image)
        if head.transparent:
            image = image.convert("RGBA")
            image = images.alpha_composite(images.new("RGBA", image.size, "white"), image)
        image = image.convert("RGB" if colour else "L")
        if image.size != (size[1], size[0]):
            image = image.resize((size[1], size[0]), images.Resampling.BILINEAR)
        return np.asarray(image, dtype=np.uint8).reshape(*size, 3 if colour else 1)


@contextmanager
def _opened(path: Path, name: str | None) -> Iterator[tuple[Any, str]]:
    """The picture as Pillow opens it, which reads the head alone, and what it is called."""
    images, source = need("PIL.Image", "reading pictures"), name or os.fspath(path)
    with reading(source, "picture"):
        if path.is_file() and not path.stat().st_size:
            raise DataError(f"{source}: the file is empty; leave it out.")
        # Its warnings are about sizes, which are bounded here, and about damage that it can live with.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                image = images.open(path, formats=_FORMATS)
            except images.UnidentifiedImageError:
                raise DataError(f"{source}: expected a picture (PNG, JPEG, …), it is damaged or none.") from None
            except images.DecompressionBombError:
                raise DataError(f"{source}: expected at most {_MOST_PIXELS:,} pixels, it has more.") from None
            with image:
                yield image, source
