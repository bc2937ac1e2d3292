"""The peers: an environment of their own, made by `python -m bench.accuracy peers FOLDER`, and jobs by files.

They are kept out of the project's environment: they bring about 90 packages, among them PyTorch Lightning, of which two
releases of 2026 were malware. bench/accuracy-constraints.txt pins all of them, Lightning to a release of 2025.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["CONSTRAINTS", "NetworkJob", "StatisticalJob", "ask", "make_environment", "python_of"]

HERE = Path(__file__).resolve().parent
CONSTRAINTS = HERE.parent / "accuracy-constraints.txt"
WANTED = ("statsforecast", "neuralforecast", "darts", "pytorch-lightning", "torch")
SECONDS = 7200  # that one job may take


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"


def make_environment(folder: Path) -> Path:
    """Make the environment with the pinned versions, or bring it up to them; its interpreter."""
    python = python_of(folder)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "-q", "-c", str(CONSTRAINTS), *WANTED], check=True)
    return python


class StatisticalJob(dict[str, Any]):
    """A job of `statistical_worker.py`: a forecast from the end of each series."""

    worker = "statistical_worker.py"

    def __init__(self, method: str, series: Sequence[np.ndarray], *, season: int, horizon: int) -> None:
        super().__init__(method=method, season=season, horizon=horizon, levels=[80, 95])
        self.arrays: dict[str, Any] = {f"series_{number}": np.asarray(v, float) for number, v in enumerate(series)}


class NetworkJob(dict[str, Any]):
    """A job of `network_worker.py`: train on the series, forecast from the end of each context."""

    worker = "network_worker.py"

    def __init__(
        self,
        library: str,
        model: str,
        series: Sequence[np.ndarray],
        contexts: Sequence[np.ndarray],
        *,
        horizon: int,
        lookback: int,
        valid: int,
        seed: int,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        lengths = {"horizon": horizon, "lookback": lookback, "valid": valid}
        super().__init__(library=library, model=model, **lengths, seed=seed, settings=dict(settings or {}))
        self.arrays: dict[str, Any] = {f"series_{number}": np.asarray(v, float) for number, v in enumerate(series)}
        self.arrays |= {f"context_{number}": np.asarray(values, float) for number, values in enumerate(contexts)}


def ask(python: Path, job: StatisticalJob | NetworkJob, *, threads: int = 1) -> tuple[dict[str, np.ndarray], Any]:
    """Arrays and facts of the answer; raises RuntimeError with the last line that a failed worker wrote."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {name: str(threads) for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS")}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "job.json").write_text(json.dumps({**job, "threads": threads}), encoding="utf-8")
        np.savez(folder / "job.npz", **job.arrays)
        done = subprocess.run(
            [str(python), str(HERE / job.worker), str(folder)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=environment,
            cwd=folder,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{job.worker}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        with np.load(folder / "answer.npz", allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        return found, json.loads((folder / "answer.json").read_text(encoding="utf-8"))
