"""Model folders of the sequence estimators: every damaged field is refused, and none runs anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sequence_cases import fitted

import seqloom
from seqloom.errors import FormatError
from seqloom_runtime.model_folder import read_model, write_model


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    made = {"classifier": "gru", "regressor": "lstm", "binary": "last", "labels": "rnn", "values": "last"}
    for task, model in made.items():
        fitted(task, model, epochs=1).save(root / task)
    return {task: root / task for task in made}


def changed(source: Path, target: Path, fields: dict[str, Any], arrays: dict[str, Any]) -> Path:
    """The folder with other fields (dotted paths; ... to remove one) and arrays, its checksums right again."""
    header, found = read_model(source)
    for path, value in fields.items():
        place: Any = header
        *above, last = path.split(".")
        for name in above:
            place = place[name]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    for name, value in arrays.items():
        if value is ...:
            del found[name]
        else:
            found[name] = np.asarray(value(found[name]) if callable(value) else value)
    task = header["task"]
    body = {k: v for k, v in header.items() if k not in ("format", "schema", "task", "files", "checksum")}
    write_model(target, task, body, found)
    return target


def test_an_unchanged_copy_loads(folders: dict[str, Path], tmp_path: Path) -> None:
    for task, folder in folders.items():
        seqloom.load(changed(folder, tmp_path / task, {}, {}))


@pytest.mark.parametrize(
    ("task", "fields", "arrays", "words"),
    [
        ("classifier", {"coding.labels": ["up", "down"]}, {}, "expected sorted, different labels"),
        ("classifier", {"coding.labels": ["up"]}, {}, "at least two labels"),
        ("classifier", {"coding.labels": ["a", "b", "c"]}, {}, "network"),
        ("classifier", {"coding.type": "whole"}, {}, "labels of type whole"),
        ("classifier", {"coding.type": "float"}, {}, "labels of type text"),
        ("classifier", {"coding.kind": "numbers"}, {}, "is not that of SequenceClassifier"),
        ("classifier", {"coding": {"kind": "classes"}}, {}, "lacks a field"),
        ("classifier", {"coding": ...}, {}, "'coding' is missing"),
        ("classifier", {"parameters.units": 10**6}, {}, "differs from what the other fields say"),
        ("classifier", {"network.body.units": 10**6, "parameters.units": 10**6}, {}, "has .* weights, the file holds"),
        ("classifier", {"network.body.kind": "lstm"}, {}, "network"),
        ("classifier", {"network.body.kind": "os.system"}, {}, "kind: expected one of"),
        ("classifier", {"network.outputs": 0}, {}, "expected body, outputs and every_step"),
        ("classifier", {"network.every_step": True}, {}, "network"),
        ("classifier", {"network": ...}, {}, "network: expected"),
        ("classifier", {"parameters.model": "transformer"}, {}, "model: expected one of"),
        ("classifier", {"parameters.extra": 1}, {}, "the parameter 'extra' is unknown"),
        ("classifier", {"parameters.seed": ...}, {}, "the parameter 'seed' is missing"),
        ("classifier", {"parameters.class_weight": {"pairs": 3}}, {}, "don't fit together"),
        ("classifier", {"parameters.class_weight": {"pairs": [["up", -1]]}}, {}, "class_weight: expected"),
        ("classifier", {"channels": []}, {}, "channels"),
        ("classifier", {"channels": ["a", "a"]}, {}, "different names under 'channels'"),
        ("classifier", {"channels": ["a", "b", "c"]}, {}, "finite means and deviations under 'scale'"),
        ("classifier", {"lengths": [5, 3]}, {}, "the shortest and longest length"),
        ("classifier", {"lengths": [1.0, 3]}, {}, "the shortest and longest length"),
        ("classifier", {"n_parameters": 5}, {}, "'n_parameters' is 5"),
        ("classifier", {"notes": [3]}, {}, "expected texts under 'notes'"),
        ("classifier", {}, {"scale.std": lambda a: a * 0}, "deviations above 0"),
        ("classifier", {}, {"scale.mean": lambda a: a * np.nan}, "finite means"),
        ("classifier", {}, {"scale.mean": ...}, "expected 'scale.mean'"),
        ("classifier", {}, {"scale.mean": lambda a: a.astype(np.float32)}, "1 axes of float64"),
        ("classifier", {"parameters.scaling": "none"}, {}, "belong to scaling that is off"),
        ("classifier", {}, {"stray": [1.0]}, "'stray' belongs to nothing"),
        ("classifier", {}, {"target.mean": [1.0]}, "target.mean"),
        ("classifier", {}, {"network.output.weight": lambda a: a * np.inf}, "NaN or infinite weights"),
        ("classifier", {}, {"network.output.weight": lambda a: a.T}, "expected 'output.weight' of shape"),
        ("classifier", {}, {"network.output.bias": ...}, "weights, the file holds"),
        ("regressor", {"coding.columns": 2}, {}, "true for 'flat' with one column|flat"),
        ("regressor", {"coding.flat": 1}, {}, "'flat'"),
        ("regressor", {"coding.columns": 0}, {}, "whole number of columns"),
        ("regressor", {}, {"target.std": ...}, "expected 'target.std'"),
        ("binary", {}, {"baseline.values": lambda a: a[:1]}, "doesn't fit the model"),
        ("binary", {}, {"baseline.values": lambda a: a * np.inf}, "doesn't fit the model"),
        ("binary", {"network": {}}, {}, "is no network, but one is described"),
        ("binary", {}, {"network.x": [1.0]}, "'network.x' belongs to nothing"),
        ("values", {}, {"baseline.values": lambda a: -a}, "deviations above 0"),
        ("labels", {"parameters.kind": "value"}, {}, "is not that of FrameModel"),
        ("labels", {"parameters.classes": ["a"]}, {}, "classes: expected"),
    ],
)
def test_damage_is_refused(
    folders: dict[str, Path], tmp_path: Path, task: str, fields: dict[str, Any], arrays: dict[str, Any], words: str
) -> None:
    with pytest.raises(FormatError, match=words):
        seqloom.load(changed(folders[task], tmp_path / "m", fields, arrays))


def test_a_task_of_another_estimator_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    header, arrays = read_model(folders["classifier"])
    body = {k: v for k, v in header.items() if k not in ("format", "schema", "task", "files", "checksum")}
    for task in ("sequence-regressor", "frame-model", "forecast", "pickle"):
        write_model(tmp_path / task, task, body, arrays)
        with pytest.raises(FormatError):
            seqloom.load(tmp_path / task)
