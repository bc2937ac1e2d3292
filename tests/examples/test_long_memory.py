"""The published tasks run as a program; their models have the published sizes."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "long_memory.py"


@pytest.fixture(scope="module")
def example() -> Any:
    spec = importlib.util.spec_from_file_location("long_memory", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["long_memory"] = module
    spec.loader.exec_module(module)
    return module


def told(example: Any, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(example, "print", lambda line, flush: lines.append(line), raising=False)
    example.main(list(arguments))
    return lines


@pytest.mark.parametrize(("task", "weights"), [("adding", 70_369), ("copy", 12_530)])
def test_made_tasks(example: Any, monkeypatch: pytest.MonkeyPatch, task: str, weights: int) -> None:
    lines = told(example, monkeypatch, task, "--small")
    assert [line.split()[:2] for line in lines[:2]] == [["epoch", "1"], ["epoch", "2"]]
    assert f"tcn of {weights:,} weights" in lines[-1]
    again = told(example, monkeypatch, task, "--small")
    assert lines[-1] == again[-1]
    assert "lstm of" in told(example, monkeypatch, task, "--small", "--model", "lstm", "--epochs", "1")[-1]


def test_real_tasks(example: Any, monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    monkeypatch.setenv("SEQLOOM_DATA", str(data_dir))
    images = {
        part: (np.zeros((60_000 if part == "train" else 99, 9, 1), np.float32), None) for part in ("train", "test")
    }
    images = {part: (x, np.arange(len(x)) % 10) for part, (x, _) in images.items()}
    monkeypatch.setattr(example, "load_mnist", lambda part, **_: images[part])
    assert "tcn of 66,910 weights" in told(example, monkeypatch, "permuted-mnist", "--small", "--epochs", "1")[-1]
    assert "tcn of 269,938 weights" in told(example, monkeypatch, "jsb", "--small", "--epochs", "1")[-1]


def test_it_stops_when_time_is_up_and_goes_on_where_it_was(
    example: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arguments = ("copy", "--small", "--directory", str(tmp_path / "run"))
    lines = told(example, monkeypatch, *arguments, "--goal", "1e9")
    assert [line.startswith("epoch") for line in lines] == [True, False, False, False]
    assert told(example, monkeypatch, *arguments)[-1] == lines[-1]  # a run that ended is not trained further


def test_it_runs_as_a_program(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", [str(PROGRAM), "adding", "--small", "--steps", "8"])
    runpy.run_path(str(PROGRAM), run_name="__main__")
    said = capfd.readouterr()
    assert "up to 8 steps: mse" in said.out
    assert not said.err
