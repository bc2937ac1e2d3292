"""What a fit finds is a frozen record that the estimator itself assigns: no function reaches into an estimator."""

from __future__ import annotations

import ast
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

import seqloom.tasks

TASKS = Path(seqloom.tasks.__file__).parent
RECORDS = {
    "anomalies.learning": "anomalies.detector.AnomalyDetector",
    "embedding.model": "embedding.model.WordEmbedder",
    "forecast.fitting": "forecast.forecaster.Forecaster",
    "captions.learning": "captions.model.Captioner",
    "frames.learning": "frames.model.FramePredictor",
    "language.learning": "language.model.LanguageModel",
    "records.learning": "records.model.RecordModel",
    "sequences.learning": "sequences.base.SequenceEstimator",
    "similarity.learning": "similarity.model.SequenceSimilarity",
    "tagging.learning": "tagging.tagger.SequenceTagger",
    "transcription.learning": "transcription.model.Transcriber",
    "translation.learning": "translation.model.Seq2Seq",
    "text.learning": "text.classifier.TextClassifier",
}


def assigned(tree: ast.AST) -> list[str]:
    """Learned attributes (name_) that are set on anything but self, and calls of setattr on anything but self."""
    found = []
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = [part for target in node.targets for part in getattr(target, "elts", [target])]
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            targets = [node.target]
        elif isinstance(node, ast.Call) and ast.unparse(node).startswith(("setattr(", "object.__setattr__(")):
            found += [ast.unparse(node)] if ast.unparse(node.args[0]) != "self" else []
        found += [
            ast.unparse(target)
            for target in targets
            if isinstance(target, ast.Attribute) and target.attr.endswith("_") and ast.unparse(target.value) != "self"
        ]
    return found


@pytest.mark.parametrize("path", sorted(TASKS.rglob("*.py")), ids=lambda path: path.relative_to(TASKS).as_posix())
def test_no_function_sets_what_an_estimator_learned(path: Path) -> None:
    found = assigned(ast.parse(path.read_text(encoding="utf-8")))
    # A tokenizer, which is no estimator, is given the vocabulary that was counted for it.
    assert [target for target in found if target != "tokenizer.vocabulary_"] == []


def test_the_search_finds_what_it_looks_for() -> None:
    odd = "model.notes_ = []\na.x_, b = 1, 2\nm.n_ += 1\nsetattr(model, name, 1)\nself.kept_ = 1"
    assert sorted(assigned(ast.parse(odd))) == ["a.x_", "m.n_", "model.notes_", "setattr(model, name, 1)"]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_frozen_and_names_the_attributes(record: str) -> None:
    kind = import_module(f"seqloom.tasks.{record}").Fitted
    assert kind.__dataclass_params__.frozen
    module, _, name = RECORDS[record].rpartition(".")
    estimator = getattr(import_module(f"seqloom.tasks.{module}"), name)
    known = {attribute for base in estimator.__mro__ for attribute in vars(base).get("__annotations__", {})}
    assert {f"{field.name}_" for field in fields(kind)} <= known
