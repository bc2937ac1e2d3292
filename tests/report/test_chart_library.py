"""The chart library in the package is what the pinned vl-convert bundles; run as a program it writes it anew."""

from __future__ import annotations

import gzip
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from seqloom.report.chart_library import PACKED, chart_library, packed

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


def test_the_file_holds_what_the_pinned_version_bundles() -> None:
    vl_convert = pytest.importorskip("vl_convert")
    pinned = re.search(r"^vl-convert-python==(\S+)$", CONSTRAINTS.read_text(), re.MULTILINE)
    assert pinned is not None
    if version("vl-convert-python") != pinned[1]:
        pytest.skip(f"installed is vl-convert {version('vl-convert-python')}, the file is of {pinned[1]}")
    # The text and not the bytes: how well gzip packs hangs on the zlib of the machine.
    assert chart_library() == gzip.decompress(packed(vl_convert.javascript_bundle())).decode()


def test_a_script_element_can_hold_it() -> None:
    assert not re.search(r"</script|<!--", chart_library(), re.IGNORECASE)
    assert gzip.decompress(packed("a</SCRIPT>b<!--c</p>")) == b"a\\x3c/SCRIPT>b\\x3c!--c</p>"


if __name__ == "__main__":
    import vl_convert

    bundle: Any = vl_convert.javascript_bundle
    PACKED.write_bytes(packed(bundle()))
