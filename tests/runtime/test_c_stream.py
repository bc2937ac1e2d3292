"""The C++ example goes through a saved model by seqloom/runtime.h, and says what Python says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqloom import FrameModel

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def built(*command: str) -> None:
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        pytest.skip("building the example needs a C++ compiler")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="module")
def program() -> Path:
    """examples/cpp_stream among the C++ tests, under sanitizers; made anew where a source changed."""
    run = str(ROOT / "runtime" / "native" / "tests" / "run.py")
    built(sys.executable, run, "--sanitize", "address,undefined", "--only", "no test, the program alone")
    return ROOT / "build" / "cpp-address-undefined" / "stream"


def streamed(program: Path, folder: Path, rows: np.ndarray) -> np.ndarray:
    """What the program answers to the rows (T, I): (T, O)."""
    text = "\n".join(",".join(repr(float(v)) for v in row) for row in rows)
    done = subprocess.run([str(program), str(folder)], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return np.array([[float(v) for v in line.split(",")] for line in done.stdout.splitlines()])


def sequences(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(seed).normal(3.0, 2.0, size=(24, 30, 2))
    return x, np.roll(x[:, :, 0], 1, axis=1)


MODELS: list[dict[str, Any]] = [
    {"model": "rnn", "activation": "relu"},
    {"model": "gru", "units": (7, 5), "layer_norm": True},
    {"model": "gru", "scaling": "none", "target_scaling": "none"},
    {"model": "lstm", "layers": 2, "peephole": True, "zoneout": 0.1},
    {"model": "lstm", "units": 6, "coupled": True, "layer_norm": True},
    {"model": "tcn", "channels": (6, 6, 9), "kernel_size": 3},
]


@pytest.mark.parametrize("options", MODELS, ids=lambda o: "-".join(map(str, o.values())))
def test_it_says_what_python_says(program: Path, tmp_path: Path, options: dict[str, Any]):
    x, y = sequences()
    model = FrameModel(
        epochs=2, learning_rate=0.02, **{"units": 8, **options} if options["model"] != "tcn" else options
    )
    model.fit(x, y).save(tmp_path / "model")
    expected = np.asarray(model.predict(x[:1]))[0]
    found = streamed(program, tmp_path / "model", x[0])[:, 0]
    assert np.abs(found - expected).max() < 2e-5 * np.abs(expected).max()
    # A mistake is seen: the order of the inputs turned round.
    assert np.abs(streamed(program, tmp_path / "model", x[0, :, ::-1])[:, 0] - expected).max() > 1e-3


@pytest.mark.parametrize("kind", ["label", "binary"])
def test_classes_and_answers_are_probabilities(program: Path, tmp_path: Path, kind: str):
    x, y = sequences(1)
    target = np.where(y > 3, "high", "low") if kind == "label" else np.stack([y > 3, y > 4], axis=2).astype(float)
    model = FrameModel(kind=kind, units=6, epochs=2).fit(x, target)
    model.save(tmp_path / "model")
    found = streamed(program, tmp_path / "model", x[0])
    assert np.abs(found - np.asarray(model.predict_proba(x[:1]))[0]).max() < 1e-6


def test_what_it_cannot_do_is_told(program: Path, tmp_path: Path):
    x, y = sequences(2)
    FrameModel(units=4, epochs=1, bidirectional=True).fit(x, y).save(tmp_path / "both")
    FrameModel(model="mean").fit(x, y).save(tmp_path / "mean")
    FrameModel(units=4, epochs=1).fit(x, y).save(tmp_path / "model")
    about = json.loads((tmp_path / "model" / "model.json").read_text())
    (tmp_path / "model" / "model.json").write_text(json.dumps({**about, "task": "forecast"}))
    for name, words in (
        ("both", "from its end"),
        ("mean", "baseline"),
        ("model", "'forecast'"),
        ("none", "expected a file"),
    ):
        done = subprocess.run(
            [str(program), str(tmp_path / name)], input="", capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
    FrameModel(units=4, epochs=1).fit(x, y).save(tmp_path / "model")
    command = [str(program), str(tmp_path / "model")]
    done = subprocess.run(command, input="1,2\n1,x\n", capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "line 2: expected 2 numbers separated by commas, got '1,x'" in done.stderr


@pytest.mark.deep
def test_it_is_built_as_its_own_file_says(tmp_path: Path):
    source, folder = str(ROOT / "examples" / "cpp_stream"), tmp_path / "build"
    cmake = shutil.which("cmake", path=str(Path(sys.executable).parent)) or "cmake"
    built(cmake, "-S", source, "-B", str(folder), "-DCMAKE_BUILD_TYPE=Release", "-DSEQLOOM_WERROR=ON")
    built(cmake, "--build", str(folder), "--parallel", "2")
    x, y = sequences()
    model = FrameModel(units=4, epochs=1).fit(x, y)
    model.save(tmp_path / "model")
    found = streamed(folder / "stream", tmp_path / "model", x[0])[:, 0]
    assert found == pytest.approx(np.asarray(model.predict(x[:1]))[0], rel=2e-5, abs=2e-5)
