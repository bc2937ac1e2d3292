"""A seeded part of the attack on model folders and checkpoints; `python -m tests.attack` runs it for hours."""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path

import pytest
import torch

from seqloom import load
from seqloom_runtime.loading import TASKS

from . import checkpoints, model_folders, runtime_folders
from .mutations import blob_of
from .verdict import judged

# One of each family; the others train longer than this test may take.
_QUICK = (
    "forecast damped-persistence", "forecast linear", "forecast gru", "forecast conv", "forecast tcn",
    "forecast of series",
    "classifier conv", "regressor gru", "binary last", "labels tcn", "text bow", "text bow-forest", "text han",
    "tags frequent", "tags crf", "language bigram", "language rnn", "word vectors",
    "translation memory", "translation lstm", "anomalies seasonal-residual", "anomalies gru-vae", "similar gru",
    "pictures lenet", "pictures resnet-18",
    "records prevalence", "records gru-d", "records lstm-forward",
    "transcription nearest", "transcription conv-gru",
    "frames advection", "frames conv-lstm", "captions nearest", "captions gru", "films lstm",
)  # fmt: skip


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    torch.set_num_threads(1)


def test_a_copy_without_damage_loads(tmp_path: Path) -> None:
    """Else every damaged one would be refused for the wrong reason."""
    for kind in _QUICK:
        saved = model_folders.saved_model(kind)
        model_folders.write_folder(tmp_path, saved.header, blob_of(saved.arrays))
        saved.use(load(tmp_path))
        assert model_folders.check(tmp_path, saved.use) is None, kind
        if saved.header["task"] in TASKS:
            runtime_folders.ask(tmp_path, saved)


@pytest.mark.filterwarnings("ignore")  # numbers without sense may well overflow
def test_damaged_models_are_refused_or_predict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_folders, "KINDS", {kind: model_folders.KINDS[kind] for kind in _QUICK})
    ends = [judged(action) for _, action in itertools.islice(model_folders.cases(seed=1), 200)]
    assert [finding.detail for _, _, finding in ends if finding is not None] == []
    assert {end for end, _, _ in ends} == {"accepted", "refused"}


@pytest.mark.filterwarnings("ignore")
def test_damaged_checkpoints_are_refused_or_resumed() -> None:
    draw = random.Random(1)
    ends = [judged(lambda: checkpoints.attack(draw.randrange(2**62))) for _ in range(40)]
    assert [finding.detail for _, _, finding in ends if finding is not None] == []
    assert {end for end, _, _ in ends} == {"accepted", "refused"}


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
def test_many_damaged_models_and_checkpoints() -> None:
    for name, action in itertools.islice(model_folders.cases(seed=2), 5000):
        assert judged(action)[2] is None, name
