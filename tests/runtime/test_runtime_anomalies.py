"""Anomalies: the runtime scores and flags the rows that seqloom does, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runtime_cases import agree, imported_alone, same, three

import seqloom_runtime
from seqloom import AnomalyDetector
from seqloom.tasks.networks import names_for
from seqloom_runtime.anomalies.baselines import BASELINES
from seqloom_runtime.errors import DataError, FormatError
from seqloom_runtime.model_folder import read_model, write_model


def rows(count: int = 400, columns: int = 1, seed: int = 0) -> np.ndarray:
    """A season of 12 rows with noise, (R,) or (R, F)."""
    noise = np.random.default_rng(seed).normal(size=(count, columns))
    found = np.sin(np.arange(count) * np.pi / 6)[:, None] * (1 + np.arange(columns)) + 0.1 * noise
    found[count // 2] += 4.0
    return found[:, 0] if columns == 1 else found


def fitted(model: str = "gru-autoencoder", data: Any = None, **options: Any) -> Any:
    """A small one."""
    small: dict[str, Any] = {"season": 12, "window": 8, "units": 5, "code": 2, "epochs": 1, "steps_per_epoch": 5}
    return AnomalyDetector(model=model, **{**small, **options}).fit(rows() if data is None else data)


@pytest.mark.parametrize("model", [*names_for("anomalies"), *BASELINES])
def test_the_runtime_scores_the_same(tmp_path: Path, model: str) -> None:
    new = rows(90, seed=4)
    new[17] = np.nan
    agree(fitted(model), tmp_path / "m", lambda m: m.predict(new), lambda m: m.predict(new.tolist()))


def test_columns_online_and_layers(tmp_path: Path) -> None:
    estimator = fitted("lstm-vae", rows(columns=2), online=True, layers=2)
    agree(estimator, tmp_path / "m", lambda m: m.predict(rows(50, 2, seed=3)))


def test_tables_of_dates_and_series(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    times = np.tile(np.datetime64("2024-01-01", "h") + np.arange(200), 2)
    frame = pandas.DataFrame({"id": np.repeat(["a", "b"], 200), "at": times, "y": rows(400), "z": rows(400, seed=8)})
    estimator = AnomalyDetector(model="seasonal-residual", season=12).fit(frame, time="at", id="id")
    _, loaded, model = three(estimator, tmp_path / "m")
    for other in (loaded, model):
        assert estimator.predict(frame).equals(other.predict(frame))
    plain = {name: frame[name].to_numpy() for name in frame.columns}
    found = model.predict(plain)
    same(found["score"], estimator.predict(frame)["score"].to_numpy())
    with pytest.raises(DataError):
        model.predict(frame.drop(columns=["z"]))


@pytest.mark.parametrize(
    ("fields", "arrays", "words"),
    [
        ({"window": 9}, {}, "not those beside it"),
        ({"window": True}, {}, "'window'"),
        ({"threshold": -1.0}, {}, "threshold"),
        ({"columns": ["a", "b"]}, {}, "'spread'|scaler|expected"),
        ({"source": 3}, {}, "source"),
        ({}, {"spread": np.zeros(1)}, "above 0"),
        ({}, {"more": np.zeros(1)}, "belongs to nothing"),
    ],
    ids=str,
)
def test_damage_is_refused(tmp_path: Path, fields: dict[str, Any], arrays: dict[str, Any], words: str) -> None:
    fitted().save(tmp_path / "m")
    header, found = read_model(tmp_path / "m")
    body = {k: v for k, v in {**header, **fields}.items() if k not in ("format", "schema", "task", "files", "checksum")}
    write_model(tmp_path / "m", header["task"], body, {**found, **arrays})
    with pytest.raises(FormatError, match=words):
        seqloom_runtime.load(tmp_path / "m")


def test_a_planted_mistake_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator, _, model = three(fitted(), tmp_path / "m")
    before = estimator.predict(rows(60))
    monkeypatch.setattr(model.model.start, "bias", model.model.start.bias + np.float32(0.01))
    with pytest.raises(AssertionError):
        same(before, model.predict(rows(60)))


def test_torch_is_not_imported(tmp_path: Path) -> None:
    fitted().save(tmp_path / "m")
    assert imported_alone(tmp_path / "m", "model.predict(np.zeros(40))") == []
