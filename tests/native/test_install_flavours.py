"""Both ways to be installed: compiled, and pure Python where no compiler is found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seqloom_runtime import native

ROOT = Path(__file__).resolve().parents[2]
COMPILER_WORDS = ("gcc", "g++", "c++", "clang", "cpp")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a wheel is built from, so that the build folders of the checkout stay as they are."""
    folder = tmp_path_factory.mktemp("sources")
    for name in ("CMakeLists.txt", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / "runtime" / name, folder)
    for name in ("native", "src"):
        shutil.copytree(
            ROOT / "runtime" / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_native*")
        )
    return folder


@pytest.fixture(scope="module")
def path_without_compiler(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with every program of this machine but the compilers and CMake."""
    folder = tmp_path_factory.mktemp("bin")
    for where in ("/usr/bin", "/bin", "/usr/local/bin"):
        for program in Path(where).iterdir() if Path(where).is_dir() else ():
            name = program.name
            hidden = name in ("cc", "c89", "c99", "cmake", "ninja") or any(word in name for word in COMPILER_WORDS)
            if not hidden and not (folder / name).exists() and os.access(program, os.X_OK):
                (folder / name).symlink_to(program)
    return str(folder)


def install(sources: Path, target: Path, *options: str, path: str | None = None) -> str:
    """Install the sources with pip; return what it printed."""
    environment = {k: v for k, v in os.environ.items() if k not in ("CC", "CXX") or path is None}
    if path is not None:
        environment["PATH"] = path
    command = [sys.executable, "-m", "pip", "install", "-v", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*command, *options, str(target), str(sources)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def flavour(target: Path) -> str:
    """The flavour of the runtime that lies in a folder."""
    code = (
        f"import sys; sys.path.insert(0, {str(target)!r})\n"
        "import seqloom_runtime.native as n; print(n.__file__, n.flavour(), sep='|')"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    place, words = done.stdout.strip().split("|")
    assert place.startswith(str(target))
    return words


def test_where_there_is_a_compiler_the_module_is_there():
    """A build that fails falls back to pure Python: it must not do so unseen where it can be compiled."""
    if shutil.which("g++") is None or os.environ.get("SEQLOOM_NATIVE") == "0":
        pytest.skip("no compiler on PATH, or the module is turned off")
    assert native.flavour().startswith("compiled (")


@pytest.mark.slow
def test_without_a_compiler_it_installs_as_pure_python(sources: Path, path_without_compiler: str, tmp_path: Path):
    said = install(sources, tmp_path, "--target", path=path_without_compiler)
    assert "seqloom-runtime was installed without its native module" in said
    assert flavour(tmp_path) == "pure Python: no native module"


@pytest.mark.slow
def test_without_a_compiler_an_editable_install_works(sources: Path, path_without_compiler: str, tmp_path: Path):
    command = "import scikit_build_core.build as b, sys; print(b.build_editable(sys.argv[1]))"
    environment = {k: v for k, v in os.environ.items() if k not in ("CC", "CXX")} | {"PATH": path_without_compiler}
    done = subprocess.run(
        [sys.executable, "-c", command, str(tmp_path)],
        cwd=sources,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().endswith("py3-none-any.whl")
    unpacked = tmp_path / "site"
    shutil.unpack_archive(next(tmp_path.glob("*.whl")), unpacked, "zip")
    assert not list(unpacked.rglob("_native*"))
    assert any(str(sources) in text.read_text() for text in unpacked.glob("*seqloom_runtime*") if text.is_file())


@pytest.mark.deep
def test_with_a_compiler_it_installs_compiled(sources: Path, tmp_path: Path):
    if shutil.which("g++") is None:
        pytest.skip("no compiler on PATH")
    install(sources, tmp_path, "--target")
    assert flavour(tmp_path).startswith("compiled (")
