"""The chart library that every page holds, as it stands in `vega.js.gz`.

That file is Vega, Vega-Lite and Vega-Embed (BSD 3-clause, see vega.LICENSE.txt) as vl-convert bundles them, which takes
over a second; unpacking takes a hundredth. tests/report/test_chart_library.py holds it to the pinned vl-convert, and
writes it anew when it is run as a program.
"""

from __future__ import annotations

import functools
import gzip
import re
from pathlib import Path

__all__ = ["PACKED", "chart_library", "packed"]

PACKED = Path(__file__).with_name("vega.js.gz")
_ENDING = re.compile(r"</(?=script)|<!--", re.IGNORECASE)


@functools.cache
def chart_library() -> str:
    """The script, with nothing in it that would end or hide the element that it stands in."""
    return gzip.decompress(PACKED.read_bytes()).decode("utf-8")


def packed(bundle: str) -> bytes:
    """The bytes of the file for a bundle of the library: the same for the same bundle."""
    code = _ENDING.sub(lambda match: "\\x3c" + match[0][1:], bundle)
    # Packed with no time in it and as far as it goes.
    return gzip.compress(code.encode("utf-8"), compresslevel=9, mtime=0)
