"""Models of texts behind the server: texts in; classes, tags, or other texts out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .problem import Problem
from .served import Ask, Reply, Served, refusal
from .tensors import Tensor

__all__ = ["served_text_model"]

_LONGEST = 100_000


_ESTIMATORS = {
    "classify": "TextClassifier",
    "tagging": "SequenceTagger",
    "translation": "Seq2Seq",
    "language": "LanguageModel",
}


def served_text_model(model: Any, task: str, name: str, settings: Mapping[str, Any]) -> Served:
    """The adapter of a fitted model of texts."""
    return {"classify": _Classes, "tagging": _Tags}.get(task, _Texts)(model, task, name, settings)


class _OfTexts(Served):
    takes = ("texts",)

    def __init__(self, model: Any, task: str, name: str, settings: Mapping[str, Any]) -> None:
        self._model, self.task, self.settings = model, task, settings
        usual = "source" if task == "translation" else "text"
        self.text_column = str(settings.get(usual) or usual)
        self.estimator = f"{_ESTIMATORS[task]}, {name}"
        self.inputs = (Tensor("text", "BYTES", (-1,)),)
        self.outputs = self._outputs()

    def _outputs(self) -> tuple[Tensor, ...]:
        return (Tensor("text", "BYTES", (-1,)),)


class _Classes(_OfTexts):
    def _outputs(self) -> tuple[Tensor, ...]:
        self._names = [str(label) for label in self._model.classes_]
        return Tensor("probabilities", "FP64", (-1, len(self._names))), Tensor("label", "BYTES", (-1,))

    def run(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """`text` (N,) → `probabilities` (N, K) and `label` (N,)."""
        p = self._model.predict_proba(_bounded(inputs["text"].tolist()))
        return {"probabilities": p, "label": np.array(self._names, dtype=object)[p.argmax(axis=1)]}

    def predict(self, ask: Ask) -> Reply:
        """The classes of texts, with the probability of each."""
        if ask.kind != "texts":
            raise refusal(self, ask.kind)
        p = self._model.predict_proba(_bounded(list(ask.texts)))
        labels = [self._names[at] for at in p.argmax(axis=1)]
        found = [
            {"label": label, "probabilities": dict(zip(self._names, row))} for label, row in zip(labels, p.tolist())
        ]
        columns = ("text", "label", *(f"p_{name}" for name in self._names))
        rows = [(text, label, *row) for text, label, row in zip(ask.texts, labels, p.tolist())]
        return Reply({"predictions": found}, columns, rows)

    def about(self) -> dict[str, Any]:
        """With the classes."""
        return {**super().about(), "classes": self._names}


class _Texts(_OfTexts):
    """What gives a text for each text: a translation, or a text that goes on."""

    def __init__(self, model: Any, task: str, name: str, settings: Mapping[str, Any]) -> None:
        super().__init__(model, task, name, settings)
        self.options = ("length", "temperature", "seed") if task == "language" else ()

    def run(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """`text` (N,) → `text` (N,)."""
        found = self._model.predict(_bounded(inputs["text"].tolist()))
        return {"text": np.array([*map(str, found), None], dtype=object)[:-1]}

    def predict(self, ask: Ask) -> Reply:
        """A text for each text."""
        if ask.kind != "texts":
            raise refusal(self, ask.kind)
        found = [str(text) for text in self._model.predict(_bounded(list(ask.texts)), **ask.options)]
        return Reply({"predictions": found}, ("text", "predicted"), list(zip(ask.texts, found)))


class _Tags(_OfTexts):
    def _outputs(self) -> tuple[Tensor, ...]:
        return (Tensor("tags", "BYTES", (-1,)),)

    def run(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """`text` (N,), words with spaces between → `tags` (N,), likewise."""
        tags = self._model.predict([text.split() for text in _bounded(inputs["text"].tolist())])
        return {"tags": np.array([*(" ".join(each) for each in tags), None], dtype=object)[:-1]}

    def predict(self, ask: Ask) -> Reply:
        """The tag of each word, words being what stands between spaces."""
        if ask.kind != "texts":
            raise refusal(self, ask.kind)
        sentences = [text.split() for text in _bounded(list(ask.texts))]
        tags = self._model.predict(sentences)
        found = [[{"word": w, "tag": t} for w, t in zip(words, each)] for words, each in zip(sentences, tags)]
        rows = [(at, w, t) for at, (words, each) in enumerate(zip(sentences, tags), 1) for w, t in zip(words, each)]
        return Reply({"predictions": found}, ("sentence", "word", "tag"), rows)


def _bounded(texts: list[str]) -> list[str]:
    for at, text in enumerate(texts, 1):
        if len(text) > _LONGEST:
            raise Problem(413, f"Text {at}: expected at most {_LONGEST:,} characters, got {len(text):,}; send a part.")
    return texts
