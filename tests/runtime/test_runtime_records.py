"""Models of records with gaps: the runtime tells the same risks as seqloom, whole and row by row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runtime_cases import agree, imported_alone, three

import seqloom_runtime
from seqloom import RecordModel
from seqloom.data.irregular import Records, made_records
from seqloom.tasks.networks import names_for
from seqloom.tasks.predictor import runs_without_torch
from seqloom_runtime.errors import DataError, FormatError
from seqloom_runtime.model_folder import read_model, write_model
from seqloom_runtime.records.inputs import RecordScale

RECORDS = made_records(50, seed=3).records


def fitted(model: str = "gru", records: Records = RECORDS, **parameters: Any) -> Any:
    """A small one."""
    return RecordModel(model=model, units=5, epochs=1, batch_size=16, **parameters).fit(records)


def streamed(model: Any) -> list[float]:
    """The risks of one record, row by row."""
    times, values = next(iter(RECORDS.take(np.array([4]))))
    stream = model.stream()
    return [stream.step(time, row) for time, row in zip(times, values)]


@pytest.mark.parametrize("model", [*names_for("records"), "prevalence"])
def test_the_runtime_tells_the_same_risks(tmp_path: Path, model: str) -> None:
    estimator = fitted(model)
    if hasattr(estimator.model_, "spec") and not runs_without_torch(estimator.model_.spec.body.kind):
        return
    agree(estimator, tmp_path / "m", lambda m: m.predict(RECORDS), streamed)


@pytest.mark.parametrize("gaps", ["forward", "features"])
def test_one_answer_for_each_record(tmp_path: Path, gaps: str) -> None:
    target = np.arange(len(RECORDS)) % 2.0
    labelled = Records(RECORDS.values, RECORDS.times, RECORDS.offsets, RECORDS.columns, RECORDS.ids, target=target)
    agree(fitted("lstm", labelled, gaps=gaps, layers=2), tmp_path / "m", lambda m: m.predict(labelled))


def test_a_stream_says_what_predict_says(tmp_path: Path) -> None:
    _, _, model = three(fitted("lstm"), tmp_path / "m")
    np.testing.assert_allclose(streamed(model), model.predict(RECORDS)[4], rtol=1e-5)
    stream = model.stream()
    stream.step(1.0, [np.nan] * 6)
    for time, row in (1.0, [0.0] * 6), (2.0, [0.0]), (np.nan, [0.0] * 6), (2.0, [np.inf] * 6):
        with pytest.raises(DataError):
            stream.step(time, row)


def test_a_planted_mistake_is_caught(tmp_path: Path) -> None:
    _, _, model = three(fitted("lstm"), tmp_path / "m")
    other = replace(model, scale=RecordScale(model.scale.mean, model.scale.std, model.scale.age * 1.01))
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(streamed(other), model.predict(RECORDS)[4], rtol=1e-5)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"columns": ["a", "a"]}, "different names"),
        ({"horizon": None}, "a horizon above 0"),
        ({"labels": ["x", "x"]}, "two different names"),
        ({"age": -1}, "'age' above 0"),
        ({"columns": ["a"]}, "finite means"),
        ({"network": 3}, "network: expected"),
        ({"every_step": False, "horizon": None, "threshold": None}, "not those of the columns"),
    ],
    ids=str,
)
def test_damage_is_refused(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    fitted().save(tmp_path / "m")
    header, arrays = read_model(tmp_path / "m")
    body = {k: v for k, v in {**header, **fields}.items() if k not in ("format", "schema", "task", "files", "checksum")}
    write_model(tmp_path / "m", header["task"], body, arrays)
    with pytest.raises(FormatError, match=words):
        seqloom_runtime.load(tmp_path / "m")


def test_torch_is_not_imported(tmp_path: Path) -> None:
    fitted().save(tmp_path / "m")
    asks = "\n".join(
        [
            "from seqloom_runtime.data.irregular import Records",
            "offsets, times = np.array([0, 3]), np.array([0.0, 1.0, 4.0])",
            "columns = model.columns",
            "model.predict(Records(np.zeros((3, len(columns))), times, offsets, columns, ('a',), unit=model.unit))",
            "model.stream().step(0.0, [0.0] * len(columns))",
        ]
    )
    assert imported_alone(tmp_path / "m", asks) == []
