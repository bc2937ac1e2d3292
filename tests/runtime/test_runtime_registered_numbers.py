"""Models and bodies of numbers and pictures that a user registered: seqloom runs by torch what the runtime lacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runtime_cases import close, same
from sequence_cases import targets, walks

import seqloom
import seqloom_runtime
from seqloom.tasks.loading import _TASKS
from seqloom.tasks.networks import BodyKind, Model, register_body, register_models, registry
from seqloom.tasks.networks.body import DenseBody
from seqloom.tasks.predictor import has_form
from seqloom_runtime.errors import FormatError, SettingError
from seqloom_runtime.loading import TASKS

SMALL: dict[str, Any] = {"units": 5, "epochs": 1, "batch_size": 4}
NAMED = ("anomalies", "similarity", "captions")
WALKS = walks(16)


@pytest.fixture
def mine() -> Iterator[None]:
    """A model of the name `mine` in each task, and a body of that name, which the runtime lacks."""
    for task in NAMED:
        register_models(task, {"mine": Model("gru")})
    options = ("units", "layers", "activation", "stack", "activations")
    register_body(BodyKind("mine", "as dense", "tests", DenseBody, options=options), tasks=("sequences",))
    yield
    for task in (*NAMED, "sequences"):
        del registry._models[task]["mine"]
    del registry._bodies["mine"]


def fitted(task: str, model: str) -> tuple[Any, Any]:
    """A fitted estimator, and a function that asks one."""
    if task == "anomalies":
        rows = np.sin(np.arange(300) / 2)
        found = seqloom.AnomalyDetector(model=model, window=6, season=12, code=2, **SMALL).fit(rows)
        return found, lambda m: m.predict(rows)["score"]
    if task == "similarity":
        found = seqloom.SequenceSimilarity(model=model, embedding_size=3, **SMALL).fit(
            WALKS, targets("classifier", WALKS)
        )
        return found, lambda m: m.embed(WALKS)
    shown = np.random.default_rng(0).random((12, 8, 8)).astype(np.float32)
    found = seqloom.Captioner(model=model, channels=(3, 4), **SMALL).fit(shown, ["up it is", "down", "so"] * 4)
    return found, lambda m: m.attend(shown[0])[1]


@pytest.mark.parametrize("task", NAMED)
@pytest.mark.usefixtures("mine")
def test_a_model_says_what_the_same_network_says_here(tmp_path: Path, task: str) -> None:
    found, ask = fitted(task, "mine")
    assert not has_form(task, "mine")
    said = ask(found)
    found.save(tmp_path / "m")
    same(ask(seqloom.load(tmp_path / "m")), said)
    with pytest.raises(FormatError, match="mine"):
        seqloom_runtime.load(tmp_path / "m")
    # The draws hang on the model's name: the weights are brought over, and what was measured with them.
    other = fitted(task, "gru-autoencoder" if task == "anomalies" else "gru")[0]
    network, theirs = (m.model_.network if task == "similarity" else m.model_ for m in (other, found))
    network.load_state_dict(theirs.state_dict())
    if task == "anomalies":
        other.spread_ = found.spread_
    close(ask(other), said)


@pytest.mark.usefixtures("mine")
def test_a_body_is_run_by_torch(tmp_path: Path) -> None:
    found: Any = None
    for task in ("classifier", "binary"):
        kind = seqloom.SequenceClassifier if task == "classifier" else seqloom.FrameModel
        options = {} if task == "classifier" else {"kind": "binary"}
        y = targets(task, WALKS)
        found, plain = (kind(model=name, **options, **SMALL).fit(WALKS, y) for name in ("mine", "gru"))
        found.save(tmp_path / task)
        same(seqloom.load(tmp_path / task).predict_proba(WALKS), found.predict_proba(WALKS))
        with pytest.raises(FormatError, match="mine"):
            seqloom_runtime.load(tmp_path / task)
        assert np.shape(found.predict_proba(WALKS)[0]) == np.shape(plain.predict_proba(WALKS)[0])
    with pytest.raises(SettingError, match="mine"):
        found.stream()


def test_every_task_is_read_by_the_runtime() -> None:
    assert set(TASKS) == set(_TASKS)


def test_the_zoo_is_read_by_the_runtime() -> None:
    root = Path(seqloom.__file__).parent / "zoo"
    folders = sorted(file.parent for file in root.rglob("model.json"))
    assert len(folders) >= 8
    for folder in folders:
        assert hasattr(seqloom_runtime.load(folder), "predict") or "shakespeare" in str(folder)
