"""The wheel of the runtime in a bare environment: it brings what it says, and predicts what the checkout predicts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import seqloom

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
import numpy as np
import seqloom_runtime
from seqloom_runtime.native import flavour
found = seqloom_runtime.load(sys.argv[1]).predict_proba(np.load(sys.argv[2]))
np.save(sys.argv[3], found)
print(flavour(), *sorted(name for name in sys.modules if name in ("torch", "seqloom")), seqloom_runtime.__file__)
"""


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command without what the tests' own environment sets."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | environment
    return subprocess.run([*map(str, command)], env=kept, capture_output=True, text=True, check=False, timeout=600)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with NumPy and safetensors alone."""
    folder = tmp_path_factory.mktemp("bare")
    assert run(sys.executable, "-m", "venv", folder).returncode == 0
    python = folder / "bin" / "python"
    command = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1")
    done = run(*command, "--timeout", "20", "-c", ROOT / "constraints.txt", "numpy", "safetensors")
    if done.returncode:
        pytest.skip(f"NumPy and safetensors can't be had here: {done.stderr.strip().splitlines()[-1:]}")
    return python


@pytest.fixture(scope="module")
def pure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel without the native module, which takes no compiler."""
    folder = tmp_path_factory.mktemp("pure")
    for name in ("CMakeLists.txt", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / "runtime" / name, folder)
    for name in ("native", "src"):
        ignored = shutil.ignore_patterns("__pycache__", "_native*")
        shutil.copytree(ROOT / "runtime" / name, folder / name, ignore=ignored)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-C", "wheel.cmake=false")
    done = run(sys.executable, "-m", "pip", "wheel", *options, "-w", folder / "wheels", folder)
    assert done.returncode == 0, done.stderr
    return next((folder / "wheels").glob("*.whl"))


def predicted(python: Path, wheel: Path, folder: Path) -> tuple[np.ndarray, np.ndarray, str]:
    """What seqloom and the wheel predict with the same model, and what the wheel says of itself."""
    walks = np.random.default_rng(0).normal(size=(12, 15, 2)).cumsum(axis=1)
    model = seqloom.SequenceClassifier(units=6, epochs=1).fit(walks, ["a", "b"] * 6)
    model.save(folder / "m")
    np.save(folder / "x.npy", walks)
    install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
    done = run(python, *install, "--force-reinstall", wheel)
    assert done.returncode == 0, done.stderr
    done = run(python, "-I", "-c", PROGRAM, folder / "m", folder / "x.npy", folder / "y.npy")
    assert done.returncode == 0, done.stderr
    return model.predict_proba(walks), np.load(folder / "y.npy"), done.stdout.strip()


@pytest.mark.deep
def test_a_wheel_without_the_module_runs_in_a_bare_environment(bare: Path, pure: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(pure) as packed:
        names = packed.namelist()
    assert any(name.endswith("LICENSE") for name in names)
    assert not [name for name in names if "native" in name and name.endswith((".cpp", ".so"))]
    ours, theirs, said = predicted(bare, pure, tmp_path)
    np.testing.assert_allclose(theirs, ours, rtol=1e-5)
    assert said.startswith("pure Python: no native module ")
    assert str(bare.parents[1]) in said
    assert "torch" not in said


@pytest.fixture(scope="module")
def made() -> Path:
    """The wheel of `make wheels` for this Python."""
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    wheels = [wheel for wheel in (ROOT / "dist").glob("seqloom_runtime-*.whl") if f"-{tag}-" in wheel.name]
    if not wheels:
        pytest.skip("there are no wheels: make wheels")
    return wheels[0]


@pytest.mark.slow  # the wheel first: without one no bare environment is made
def test_wheels_of_make_wheels_run_in_a_bare_environment(made: Path, bare: Path, tmp_path: Path) -> None:
    assert "manylinux" in made.name
    ours, theirs, said = predicted(bare, made, tmp_path)
    assert theirs.tobytes() == ours.tobytes()
    assert said.startswith("compiled (")
