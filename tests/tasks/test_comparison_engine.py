"""Models of a comparison fitted by workers: the same files as without, failures, an end in between."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqloom.data import Panel
from seqloom.engines import LocalEngine, one_thread
from seqloom.errors import TrainingError
from seqloom.tasks import SequenceClassifier
from seqloom.tasks.comparison import compare_models
from seqloom.tasks.forecast import compare_forecasters

RNG = np.random.default_rng(3)
MONTHS = np.arange(132)
PANEL = Panel.from_numpy(40 + MONTHS / 9 + 8 * np.sin(MONTHS * np.pi / 6) + RNG.normal(0, 1, 132), ["sales"])
PARAMETERS = {"lookback": 12, "horizon": 3, "season": 12, "epochs": 2, "batch_size": 16, "units": 4, "time_limit": 99.0}
MODELS = ["stl-ets", "log-arima", "gru", "ensemble"]


class Apart(LocalEngine):
    """Worker processes as those of a cluster elsewhere: they see no folder of the run."""

    shares_folders = False


def files_of(root: Path) -> dict[str, bytes]:
    """All of a run but what differs between any two runs."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in (".lock", "run.json")
    }


def forecasts(root: Path | None, engine: Any, models: Any = MODELS, **how: Any) -> Any:
    return compare_forecasters(PANEL, models, PARAMETERS, target="sales", directory=root, engine=engine, **how)


def test_forecasters_are_the_same_bytes_whoever_fits_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    told: list[str] = []
    with one_thread():
        forecasts(tmp_path / "here", None)
    three = LocalEngine(3)
    forecasts(tmp_path / "one", Apart(1))
    forecasts(tmp_path / "three", three, on_event=lambda event: told.append(type(event).__name__))
    here = files_of(tmp_path / "here")
    assert len(here) > 10
    assert files_of(tmp_path / "one") == here
    assert files_of(tmp_path / "three") == here
    assert told.count("FitFinished") == 3  # not naive, not the ensemble
    assert told.count("FitProgress") >= 2
    assert told.count("StepDone") == 0  # nothing is trained twice
    record = json.loads((tmp_path / "three" / "run.json").read_text())
    assert record["threads"] == 1
    assert set(record["timings"]) == {"naive", *MODELS}


def test_a_method_that_a_worker_fitted_is_not_fitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from seqloom.diagnostics.fitting import Fitting

    class Once(LocalEngine):
        def run(self, work: Any, shared: Any, jobs: Any, **how: Any) -> list[Any]:
            found = super().run(work, shared, jobs, **how)
            monkeypatch.setattr(Fitting, "fit", lambda self, history: pytest.fail("it was fitted once more"))
            return found

    run = forecasts(None, Once(2), ["theta"], refit=False)
    assert list(run.estimators) == ["naive", "theta"]


def classifier(**changes: Any) -> SequenceClassifier:
    return SequenceClassifier(**{"model": "gru", "units": 4, "epochs": 2, "batch_size": 8, **changes})


def parts() -> dict[str, tuple[Any, Any]]:
    rng = np.random.default_rng(1)

    def part(count: int) -> tuple[Any, Any]:
        labels = [("up", "down")[i % 2] for i in range(count)]
        return [rng.normal(0.5 if label == "up" else -0.5, 1, (9, 2)) for label in labels], labels

    return {"train": part(24), "valid": part(12), "test": part(12)}


def classified(root: Path, engine: Any, resume: bool = False, **changes: Any) -> Any:
    models = {
        "majority": classifier(model="majority"),
        "gru": classifier(),
        "conv": classifier(model="conv", **changes),
    }
    how: dict[str, Any] = {"baseline": "majority", "directory": root, "resume": resume, "engine": engine}
    return compare_models("sequences", models, parts(), **how)


class Ended(LocalEngine):
    """Ctrl-C once the first model is fitted."""

    def run(self, work: Any, shared: Any, jobs: Any, *, on_result: Any = None, on_told: Any = None) -> list[Any]:
        def take(index: int, found: Any) -> None:
            on_result(index, found)
            raise KeyboardInterrupt

        return super().run(work, shared, jobs, on_result=take, on_told=on_told)


def test_an_ended_run_goes_on_to_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    classified(tmp_path / "whole", LocalEngine(2))
    with pytest.raises(KeyboardInterrupt):
        classified(tmp_path / "ended", Ended(1))
    assert not (tmp_path / "ended" / "metrics.json").exists()
    classified(tmp_path / "ended", LocalEngine(1), resume=True)
    assert files_of(tmp_path / "ended") == files_of(tmp_path / "whole")


def test_a_model_that_fails_in_a_worker_ends_the_run_as_it_does_here(tmp_path: Path) -> None:
    with one_thread(), pytest.raises(TrainingError) as here:
        classified(tmp_path / "here", None, learning_rate=1e30, clip_norm=None)
    with pytest.raises(TrainingError) as there:
        classified(tmp_path / "there", LocalEngine(2), learning_rate=1e30, clip_norm=None)
    assert str(there.value) == str(here.value)


def test_an_optional_model_that_fails_is_a_note(tmp_path: Path) -> None:
    short = {**PARAMETERS, "time_limit": 1e-9}
    how: dict[str, Any] = {"target": "sales", "optional": ("theta",), "refit": False}
    run = compare_forecasters(PANEL, ["theta", "linear"], short, engine=LocalEngine(2), **how)
    assert list(run.estimators) == ["naive", "linear"]
    assert any(note.startswith("theta is left out: Baseline 'theta' is estimated at") for note in run.metrics["notes"])
