"""A body and a head that a user registers are there for every part of a task, with no file of the package touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sequence_cases import walks
from torch import Tensor, nn

from seqloom import SequenceClassifier, load
from seqloom.errors import FormatError, SettingError
from seqloom.tasks import Forecaster, SequenceTagger, TextClassifier
from seqloom.tasks.comparison import compare_models
from seqloom.tasks.networks import (
    Body,
    BodyKind,
    HeadKind,
    Model,
    register_body,
    register_head,
    register_models,
    registry,
    seeded_linear,
)
from seqloom_runtime.files import read_json

TASKS = ("sequences", "text", "tagging", "forecast")


class Average(Body):
    """The mean of all steps so far, through one linear layer."""

    def __init__(self, spec: Any, seed: Any) -> None:
        super().__init__(spec, seed)
        self.linear = seeded_linear(spec.inputs, spec.units, torch.Generator().manual_seed(seed))

    def steps(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x if mask is None else x * mask[:, :, None]
        return self.linear(x.cumsum(dim=1) / torch.arange(1, x.shape[1] + 1)[:, None])


class Doubled(nn.Module):
    """Twice what a linear layer reads out."""

    def __init__(self, features: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.linear = seeded_linear(features, outputs, generator)

    def forward(self, features: Tensor) -> Tensor:
        return 2 * self.linear(features)


@pytest.fixture
def average() -> Iterator[None]:
    """The body `average` in four tasks, and among the sequences' models one with a head of its own."""
    kind = BodyKind("average", "the mean so far", "tests", Average, options=("units", "pooling"))
    register_body(kind, tasks=TASKS)
    register_head(HeadKind("doubled", "twice a linear one", lambda f, o, generator, **_: Doubled(f, o, generator)))
    register_models("sequences", {"average-doubled": Model("average", head="doubled")})
    yield
    del registry._bodies["average"], registry._heads["doubled"], registry._models["sequences"]["average-doubled"]
    for task in TASKS:
        del registry._models[task]["average"]


def test_a_registered_body_and_head_are_in_the_comparison_and_in_saved_models(average: None, tmp_path: Path) -> None:
    x = walks(40, equal=True)
    y = np.where(x[:, -1, 0] > 0, "up", "down")
    names = ("majority", "average", "average-doubled")
    models = {name: SequenceClassifier(model=name, units=4, epochs=2) for name in names}
    parts = {"train": (x[:24], y[:24]), "valid": (x[24:32], y[24:32]), "test": (x[32:], y[32:])}
    found = compare_models("sequences", models, parts, baseline="majority", directory=tmp_path / "run")
    assert set(names) == set(found.estimators) == set(read_json(tmp_path / "run" / "metrics.json")["models"])
    for name in names[1:]:
        model = SequenceClassifier(model=name, units=4, epochs=2).fit(x, y)
        assert model.n_parameters_ == (2 + 1) * 4 + (4 + 1) * 2
        model.save(tmp_path / name)
        assert np.array_equal(load(tmp_path / name).predict_proba(x), model.predict_proba(x))


def test_other_tasks_find_it_too(average: None, tmp_path: Path) -> None:
    words, tags = [["fly", "to", "boston"], ["to", "denver", "please"]] * 6, [["O", "O", "C"], ["O", "C", "O"]] * 6
    tagger = SequenceTagger(model="average", epochs=1, units=4).fit(words, tags)
    tagger.save(tmp_path / "tagger")
    assert load(tmp_path / "tagger").predict(words) == tagger.predict(words)
    texts, labels = ["win a prize", "see you at home"] * 8, ["spam", "ham"] * 8
    classifier = TextClassifier(model="average", epochs=1, units=4).fit(texts, labels)
    classifier.save(tmp_path / "text")
    assert np.array_equal(load(tmp_path / "text").predict_proba(texts), classifier.predict_proba(texts))
    forecaster = Forecaster(model="average", lookback=8, horizon=2, units=4, epochs=1)
    forecaster.fit(np.sin(np.arange(120.0)), target="column_0").save(tmp_path / "forecast")
    assert np.array_equal(load(tmp_path / "forecast").forecast().values, forecaster.forecast().values)


def test_without_the_registration_the_saved_model_is_refused_by_name(tmp_path: Path, request: Any) -> None:
    request.getfixturevalue("average")
    x = walks(20)
    y = np.arange(20) % 2
    SequenceClassifier(model="average", units=2, epochs=1).fit(x, y).save(tmp_path / "m")
    table = registry._models["sequences"]
    entry = table.pop("average")
    try:
        with pytest.raises(FormatError, match=r"model: expected one of .*average-doubled"):
            load(tmp_path / "m")
        with pytest.raises(SettingError, match="model: expected one of"):
            SequenceClassifier(model="average").fit(x, y)
    finally:
        table["average"] = entry


def test_a_taken_name_and_an_unknown_part_are_refused() -> None:
    with pytest.raises(SettingError, match="body: expected a name that is free, got 'gru'"):
        register_body(BodyKind("gru", "", "", Average))
    with pytest.raises(SettingError, match="task: expected one of"):
        register_models("painting", {"x": Model("gru")})
    with pytest.raises(SettingError, match="head: expected one of linear"):
        register_models("sequences", {"x": Model("gru", head="neck")})
    assert "x" not in registry._models["sequences"]
