"""Fitted estimators as ONNX files: which task has a writer, and what the tasks' writers share."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seqloom_runtime import files
from seqloom_runtime.errors import SettingError, brief

from ..nn.onnx_graph import Graph
from ..nn.onnx_rules import Export

__all__ = ["beside", "calibrated", "export_model", "looked_up", "names_of", "save_graph", "standardised", "yes"]

# The package of each estimator whose `onnx_model` writes it; a class derived from one is written as that one is.
_PACKAGES = {
    "FilmClassifier": "sequences",
    "Forecaster": "forecast",
    "FrameModel": "sequences",
    "LanguageModel": "language",
    "PictureClassifier": "sequences",
    "RecordModel": "records",
    "SequenceClassifier": "sequences",
    "SequenceRegressor": "sequences",
    "SequenceSimilarity": "similarity",
    "SequenceTagger": "tagging",
    "TextClassifier": "text",
}
_SEARCH = "it writes by a search over tokens, which a graph of operators doesn't hold"
_WHY_NOT = {
    "AnomalyDetector": "a row's score is a mean over all windows that cover it, and a graph reads one",
    "Captioner": _SEARCH,
    "FramePredictor": "it reads its own frames, one after another; its recurrent layer alone has to_onnx",
    "Seq2Seq": _SEARCH,
    "Transcriber": _SEARCH,
    "WordEmbedder": "it is a table of vectors, which are written as text",
}
_LONGEST = 2000  # characters of the names in a sentence


def export_model(estimator: Any, path: str | os.PathLike[str], opset: int, stateful: bool) -> dict[str, Any]:
    """Write a fitted estimator as an ONNX file; returns the record of its metadata, whose `about` says what is in it.

    Raises SettingError, with the reason, for what has no form there; MissingDependencyError without the onnx package.
    """
    package = next((_PACKAGES[base.__name__] for base in type(estimator).__mro__ if base.__name__ in _PACKAGES), None)
    if package is None:
        name = type(estimator).__name__
        why = _WHY_NOT.get(name, f"there is a form for {', '.join(_PACKAGES)} alone")
        raise SettingError(f"A {name} can't be exported to ONNX: {why}.")
    module = importlib.import_module(f".{package}.onnx_model", __package__)
    return module.save_onnx(estimator, path, Graph(opset), stateful)


def save_graph(
    graph: Graph,
    path: str | os.PathLike[str],
    estimator: Any,
    task: str,
    about: Sequence[str],
    beside: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the file with what there is to say of it, and the JSON files beside it first; returns the record."""
    graph.metadata |= {"task": task, "model": estimator.model, "about": [brief(text, _LONGEST) for text in about]}
    for name, value in (beside or {}).items():
        files.write_json(Path(path).with_name(name), value)
    graph.save(path, type(estimator).__name__)
    return {"format": 1, **graph.metadata}


def beside(path: str | os.PathLike[str], what: str) -> str:
    """The name of a JSON file that stands beside an ONNX file: m.onnx has m.tokenizer.json."""
    return f"{Path(path).name.removesuffix('.onnx')}.{what}.json"


def standardised(graph: Graph, raw: str, scale: Any) -> str:
    """Numbers (…, C) → (x − mean) / std as float32, worked out in float64: see `sequences.prepared.Scale`."""
    if scale.mean is None or scale.std is None:
        return graph.cast(raw, "FLOAT")
    wide = graph.node("Sub", graph.cast(raw, "DOUBLE"), _row(graph, scale.mean))
    return graph.cast(graph.node("Div", wide, _row(graph, scale.std)), "FLOAT")


def _row(graph: Graph, values: Any) -> str:
    return graph.array(np.atleast_1d(np.asarray(values, dtype=np.float64)))


def calibrated(graph: Graph, logits: str, temperature: float = 1.0) -> str:
    """softmax(z / T) in float64, as `diagnostics.softmax` works it out: (…, K)."""
    wide = graph.cast(logits, "DOUBLE")
    if temperature != 1.0:
        wide = graph.node("Div", wide, graph.wide_number(temperature))
    return graph.node("Softmax", wide, axis=-1)


def yes(graph: Graph, logits: str) -> str:
    """σ(z) in float64, as `seqloom_runtime.probability.logistic` works it out."""
    half = graph.wide_number(0.5)
    tanh = graph.node("Tanh", graph.node("Mul", half, graph.cast(logits, "DOUBLE")))
    return graph.node("Mul", half, graph.node("Add", graph.wide_number(1.0), tanh))


def looked_up(export: Export, weight: torch.Tensor, ids: str) -> str:
    """Rows of an embedding (V, E) by their numbers (…): (…, E)."""
    return export.graph.node("Gather", export.graph.weight("embedding", weight), ids, axis=0)


def names_of(labels: Any) -> list[Any]:
    """Labels as JSON values."""
    return [label.item() if isinstance(label, (np.generic, torch.Tensor)) else label for label in labels]
