"""The kernels of one instruction set hold no instruction of a wider one, and give the linker nothing to merge."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        platform.machine() not in ("x86_64", "AMD64"), reason="one instruction set only on this machine"
    ),
]

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "runtime" / "build"  # where an editable install of the runtime leaves what it compiled
SOURCES = sorted(path.name for path in (ROOT / "runtime/native/src").glob("*.cpp"))
WIDER = {  # what may not appear in the files whose name ends so
    "avx512": r"%tmm",
    "avx2": r"%zmm|%[xy]mm(1[6-9]|2\d|3[01])\b|%k[0-7]\b",
    "": r"%[yz]mm|%k[0-7]\b|^\s*[0-9a-f]+:\s+v[a-z]",  # every AVX instruction begins with a v
}


def output(*command: str) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"reading object code needs {command[0]}")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def object_file(source: str) -> str:
    """Of the installed module: the newest, where the runtime was installed for several versions of Python."""
    found = sorted(BUILT.glob(f"*/CMakeFiles/seqloom_core.dir/**/{source}.o"), key=lambda path: path.stat().st_mtime)
    if not found:
        pytest.skip("the runtime was not compiled here: make install-dev")
    return str(found[-1])


@pytest.mark.parametrize("source", SOURCES)
def test_no_instruction_of_a_wider_set(source: str):
    code = output("objdump", "-d", "--no-show-raw-insn", object_file(source))
    wider = WIDER[next(ending for ending in WIDER if source.removesuffix(".cpp").endswith(ending))]
    assert code.count("\n") > 50
    assert re.findall(f"^.*(?:{wider}).*$", code, re.MULTILINE) == []


def test_the_wide_builds_are_wide():
    """So that the test above looks at the right files in the right way."""
    for source, register in (
        ("scan_avx2.cpp", "%ymm"),
        ("scan_avx512.cpp", "%zmm"),
        ("conv_avx2.cpp", "%ymm"),
        ("conv_avx512.cpp", "%zmm"),
    ):
        code = output("objdump", "-d", "--no-show-raw-insn", object_file(source))
        assert code.count(register) > 1000
        assert re.search(WIDER[""], code, re.MULTILINE)


@pytest.mark.parametrize("family", ["scan", "conv"])
@pytest.mark.parametrize("isa", ["avx2", "avx512"])
def test_nothing_of_a_wide_build_can_be_merged_into_another(isa: str, family: str):
    """A weak symbol, such as an inline function with external linkage, would stand for all builds once linked."""
    symbols = output("nm", "--defined-only", object_file(f"{family}_{isa}.cpp")).split("\n")
    shared = [line for line in symbols if re.search(r"^\w* [^a-z] ", line) and " V DW.ref" not in line]
    assert len(shared) == 1
    assert f"{isa}_{'conv_' if family == 'conv' else ''}kernels" in shared[0]
