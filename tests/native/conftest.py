"""A test build of the module, shared by the tests that need one."""

from __future__ import annotations

import fcntl
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from seqloom_runtime import native

ROOT = Path(__file__).resolve().parents[2]


def _tool(name: str) -> str:
    """The program of this environment where it has one, else the system's, else skip."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    return found or pytest.skip(f"a test build of the module needs {name}")


@pytest.fixture(scope="session")
def planted_build() -> Path:
    """The folder of a build with SEQLOOM_PLANTED, build/planted; made anew where a source changed."""
    nanobind = pytest.importorskip("nanobind", reason="a test build of the module needs nanobind")
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        pytest.skip("a test build of the module needs a C++ compiler")
    folder, ninja = ROOT / "build" / "planted", _tool("ninja")
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "CMAKE_MAKE_PROGRAM": ninja,
        "CMAKE_BUILD_TYPE": "Release",
        "Python_EXECUTABLE": sys.executable,
        "nanobind_DIR": nanobind.cmake_dir(),
        "SEQLOOM_PLANTED": "ON",
        "SEQLOOM_WERROR": "ON",
        "SEQLOOM_KERNEL_LEVEL": "-Og",  # which mistakes are caught is asked here, not how fast
        "CMAKE_CXX_FLAGS_RELEASE": "-O0 -DNDEBUG",
    }
    flags = [f"-D{name}={value}" for name, value in settings.items()]
    configure = [_tool("cmake"), "-S", str(ROOT / "runtime"), "-B", str(folder), "-G", "Ninja", *flags]
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # parallel test workers take turns
        for command in (configure, [ninja, "-C", str(folder)]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


@pytest.fixture(scope="session")
def planted(planted_build: Path) -> ModuleType:
    """The compiled module with mistakes to switch on."""
    (path,) = planted_build.glob("_native*.so")
    spec = importlib.util.spec_from_file_location("seqloom_runtime._native", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run_the_planted_module(planted: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The operators call the test build, without a mistake until the test plants one."""
    monkeypatch.setattr(native, "_load", lambda: planted)
    yield
    planted.plant(0)
