"""Records with gaps and embeddings of sequences written as ONNX, beside float64 twins; what has no form says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_cases import exported, redraw, twin_of, within

import seqloom
from seqloom.tasks.exporting import export_model
from seqloom.tasks.records.network import gaps_of
from seqloom.tasks.sequences.models import run_network
from seqloom.tasks.similarity.learning import embedded
from seqloom_runtime.data.irregular import made_records
from seqloom_runtime.data.sequences import Sequences
from seqloom_runtime.errors import SettingError
from seqloom_runtime.probability import logistic
from seqloom_runtime.records.inputs import record_inputs

BRIEF: dict[str, Any] = {"epochs": 1, "steps_per_epoch": 1, "units": 4}


@pytest.mark.parametrize(
    ("options", "opset"),
    [
        ({"model": "gru-d"}, 17),
        ({"model": "lstm", "layers": 2}, 22),
        ({"model": "gru-forward"}, 26),
        ({"model": "rnn", "gaps": "features"}, 19),
    ],
)
def test_records(options: dict[str, Any], opset: int, tmp_path: Path) -> None:
    records = made_records(30, seed=1).records
    model: Any = seqloom.RecordModel(**BRIEF, **options).fit(records)
    redraw(model.model_.network, opset)
    file = exported(model, tmp_path, opset=opset)
    lengths = records.lengths[:6]
    values = np.full((6, lengths.max(), len(records.columns)), np.nan)
    times = np.zeros(values.shape[:2])
    for n, (start, length) in enumerate(zip(records.offsets, lengths)):
        values[n, :length], times[n, :length] = (
            each[start : start + length] for each in (records.values, records.times)
        )
    got = file(values=values, times=times, lengths=lengths)["risk"]
    kept = np.arange(values.shape[1]) < lengths[:, None]
    steps, own = record_inputs(records, model.scale_, gaps_of(model.model, model.gaps)), model.model_
    nets = (own.network, twin_of(own.network))
    each = [logistic(run_network(net, steps, own.scale, own.spec))[: int(lengths.sum()), 0] for net in nets]
    within(got[kept], *each)


def test_embeddings(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    rows = [rng.normal(3, 2, (n, 2)).astype(np.float32) for n in (5, 2, 7, 4, 6, 3)]
    model: Any = seqloom.SequenceSimilarity(embedding_size=3, validation_fraction=0.0, **BRIEF).fit(
        rows, list("ababab")
    )
    redraw(model.model_.network, 2)
    file, lengths = exported(model, tmp_path), np.array([len(row) for row in rows])
    x = np.zeros((6, 7, 2), np.float32)
    for row, to in zip(rows, x):
        to[: len(row)] = row
    nets = (model.model_.network, twin_of(model.model_.network))
    each = [embedded(net, Sequences.make(rows), model.model_.scale) for net in nets]
    within(file(x=x, lengths=lengths)["embedding"], *each)


def test_what_cannot_be_exported_says_why(tmp_path: Path) -> None:
    records = made_records(30, seed=1).records
    told = {
        "the baseline reads nothing": (seqloom.RecordModel(model="prevalence").fit(records), False),
        "begins with a record's own first time": (seqloom.RecordModel(**BRIEF).fit(records), True),
        "it writes by a search over tokens": (seqloom.Seq2Seq(), False),
        "a mean over all windows that cover it": (seqloom.AnomalyDetector(), False),
    }
    for sentence, (model, stateful) in told.items():
        with pytest.raises(SettingError, match=sentence):
            export_model(model, tmp_path / "m.onnx", 17, stateful)
    assert not list(tmp_path.iterdir())
