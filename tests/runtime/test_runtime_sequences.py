"""Classifiers, regressors and frame models of sequences: the runtime predicts what seqloom does, bit for bit."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runtime_cases import agree, imported_alone, same, three
from sequence_cases import ALL, fitted, walks

import seqloom_runtime
from seqloom.tasks.predictor import runs_without_torch
from seqloom_runtime.errors import DataError, FormatError, SettingError
from seqloom_runtime.model_folder import read_model, write_model
from seqloom_runtime.sequences import scale


def asks(task: str) -> list[Any]:
    """What can be asked of a model of the task: unequal and equal sequences, and one alone."""
    lists, arrays = walks(17, seed=5), walks(6, equal=True, seed=6)
    found = [lambda model, x=x: model.predict(x) for x in (lists, arrays, lists[3:4])]
    if task not in ("regressor", "values"):
        found += [lambda model, x=x: model.predict_proba(x) for x in (lists, arrays)]
    return found


@pytest.mark.parametrize(("task", "model"), ALL, ids=[f"{task}-{model}" for task, model in ALL])
def test_the_runtime_predicts_the_same_bytes(tmp_path: Path, task: str, model: str) -> None:
    estimator = fitted(task, model, epochs=1)
    if hasattr(estimator.model_, "spec") and not runs_without_torch(estimator.model_.spec.body.kind):
        estimator.save(tmp_path / "m")
        with pytest.raises(FormatError, match=estimator.model_.spec.body.kind):
            seqloom_runtime.load(tmp_path / "m")
        return
    agree(estimator, tmp_path / "m", *asks(task))


@pytest.mark.parametrize(
    "options",
    [
        {"model": "lstm", "layers": 2, "bidirectional": True, "peephole": True, "pooling": "attention"},
        {"model": "gru", "units": (5, 3), "reverse": True, "layer_norm": True, "pooling": "max"},
        {"model": "rnn", "activation": "relu", "scaling": "none", "pooling": "mean", "zoneout": 0.1},
    ],
    ids=str,
)
def test_options_and_poolings(tmp_path: Path, options: dict[str, Any]) -> None:
    agree(fitted("classifier", epochs=1, **options), tmp_path / "m", *asks("classifier"))


def test_a_row_does_not_hang_on_those_beside_it(tmp_path: Path) -> None:
    _, _, model = three(fitted("classifier", epochs=1), tmp_path / "m")
    x = walks(700, seed=9, longest=40)
    together = model.predict_proba(x)
    for number in (0, 311, 699):
        same(model.predict_proba(x[number : number + 1])[0], together[number])


def test_music_goes_on_alike(tmp_path: Path) -> None:
    estimator = fitted("binary", "lstm", epochs=1)
    agree(
        estimator,
        tmp_path / "m",
        lambda model: model.generate(length=20, seed=3),
        lambda model: model.generate(np.ones((3, 2)), 9, temperature=0),
    )
    model = seqloom_runtime.load(tmp_path / "m")
    for bad, words in ({"length": -1}, "length: expected"), ({"temperature": "hot"}, "temperature"):
        with pytest.raises(SettingError, match=words):
            model.generate(**bad)
    with pytest.raises(DataError, match="prompt"):
        model.generate(np.ones((2, 5)))


@pytest.mark.parametrize("task", ["values", "labels", "binary"])
@pytest.mark.parametrize("model", ["gru", "lstm", "tcn", "mean", "majority"])
def test_a_stream_says_what_predict_says(tmp_path: Path, task: str, model: str) -> None:
    if (model == "majority") != (task == "labels") and model in ("mean", "majority"):
        return
    estimator = fitted(task, model, epochs=1, layers=1)
    if hasattr(estimator.model_, "spec") and not runs_without_torch(estimator.model_.spec.body.kind):
        return
    x = walks(4, equal=True, seed=8)
    for one in three(estimator, tmp_path / "m"):
        whole = one.predict(x) if task == "values" else one.predict_proba(x)
        stream = one.stream(4)
        found = np.stack([stream.step(x[:, t]) for t in range(x.shape[1])], axis=1)
        np.testing.assert_allclose(found.reshape(whole.shape), whole, rtol=1e-4, atol=1e-5)
        stream.reset()
        first, state = stream.step(x[:, 0]), stream.state()
        again = stream.step(x[:, 1])
        stream.restore(state)
        same(stream.step(x[:, 1]), again)
        same(first, found[:, 0])
        assert one.stream().step(x[0, 0]).shape == found.shape[2:]
        for bad in (x[0], x[:, 0, :1], "x", np.full((4, 2), np.nan)):
            with pytest.raises(DataError, match="step"):
                stream.step(bad)
        with pytest.raises(SettingError, match="batch_size"):
            one.stream(0)


def test_a_model_that_looks_ahead_has_no_stream(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="both directions"):
        three(fitted("values", bidirectional=True, epochs=1), tmp_path / "m")[2].stream()


def test_a_stream_keeps_no_memory_from_step_to_step(tmp_path: Path) -> None:
    stream = three(fitted("values", epochs=1), tmp_path / "m")[2].stream()
    x = walks(1, equal=True)[0, 0]
    tracemalloc.start()
    try:
        for _ in range(50):
            stream.step(x)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(500):
            stream.step(x)
        assert tracemalloc.get_traced_memory()[0] - before < 2000
    finally:
        tracemalloc.stop()


def test_threads_share_a_model(tmp_path: Path) -> None:
    model = three(fitted("classifier", "lstm", epochs=1), tmp_path / "m")[2]
    x = walks(60, seed=2)
    expected = model.predict_proba(x)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: model.predict_proba(x), range(16)):
            same(found, expected)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    _, _, model = three(fitted("classifier", epochs=1), tmp_path / "m")
    with pytest.raises(DataError, match="expected 2 channels"):
        model.predict(np.zeros((3, 5, 4)))
    with pytest.raises(DataError, match="finite"):
        model.predict(np.full((3, 5, 2), np.nan))


@pytest.mark.parametrize(
    ("fields", "arrays", "words"),
    [
        ({"channels": ["a"]}, {}, "finite means"),
        ({"lengths": [0, 2]}, {}, "lengths"),
        ({"coding": {"kind": "classes", "type": "text", "labels": ["a", "b", "c"]}}, {}, "inputs and outputs"),
        ({"coding": {"kind": "words"}}, {}, "lacks a field"),
        ({"network": None}, {}, "network: expected"),
        ({}, {"network.output.bias": None}, "output.bias"),
        ({}, {"network.output.bias": np.full(2, np.nan, np.float32)}, "NaN"),
        ({}, {"network.output.bias": np.zeros(3, np.float32)}, "shape"),
        ({}, {"network.body.recurrent.cells.0.w_h": np.zeros((10**4, 3), np.float32)}, "shape"),
        ({}, {"network.more": np.zeros(3, np.float32)}, "belongs to nothing"),
        ({}, {"scale.std": np.zeros(2)}, "deviations above 0"),
    ],
    ids=str,
)
def test_damage_is_refused(
    tmp_path_factory: pytest.TempPathFactory, fields: dict[str, Any], arrays: dict[str, Any], words: str
) -> None:
    root = tmp_path_factory.mktemp("damaged")
    fitted("classifier", epochs=1).save(root / "m")
    header, found = read_model(root / "m")
    body = {k: v for k, v in {**header, **fields}.items() if k not in ("format", "schema", "task", "files", "checksum")}
    found = {name: array for name, array in {**found, **arrays}.items() if array is not None}
    write_model(root / "m", header["task"], body, found)
    with pytest.raises(FormatError, match=words):
        seqloom_runtime.load(root / "m")


def test_a_network_that_drops_steps_has_no_outputs_at_each(tmp_path: Path) -> None:
    fitted("labels", "conv", epochs=1).save(tmp_path / "m")
    header, arrays = read_model(tmp_path / "m")
    body = {k: v for k, v in header.items() if k not in ("format", "schema", "task", "files", "checksum")}
    for network in ({"joined": 2}, {"body": {**header["network"]["body"], "pool_size": 2}}):
        write_model(tmp_path / "m", header["task"], {**body, "network": {**header["network"], **network}}, arrays)
        with pytest.raises(FormatError, match="keep every step"):
            seqloom_runtime.load(tmp_path / "m")


def test_a_planted_mistake_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = fitted("classifier", epochs=1)
    x = walks(5)
    before = estimator.predict_proba(x)
    estimator.save(tmp_path / "m")
    monkeypatch.setattr(scale.Scale, "scaled", lambda self, values: values.astype(np.float32))
    with pytest.raises(AssertionError):
        same(before, seqloom_runtime.load(tmp_path / "m").predict_proba(x))


def test_torch_is_not_imported(tmp_path: Path) -> None:
    fitted("classifier", epochs=1).save(tmp_path / "m")
    assert imported_alone(tmp_path / "m", "model.predict_proba(np.zeros((3, 5, 2)))") == []
