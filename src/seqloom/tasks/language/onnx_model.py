"""A language model as an ONNX file: tokens and a state in, the log-probabilities of the next tokens and the state out.

One step at a time, or as many as a program likes. The tokens and their numbers stand beside the file as JSON.
"""

from __future__ import annotations

import os
from typing import Any

from torch import nn

from seqloom_runtime.data.text import Corpus
from seqloom_runtime.errors import SettingError
from seqloom_runtime.language.predictor import END

from ...nn.onnx_graph import Graph
from ...nn.onnx_layers import linear
from ...nn.onnx_rules import Export, Value, tensor
from ..exporting import beside, looked_up, save_graph
from ..networks.body import RecurrentBody
from ..networks.onnx_bodies import steps_of
from .adaptive import AdaptiveSoftmax
from .model import LanguageModel
from .network import LanguageNetwork
from .stack import RecurrentStack

__all__ = ["save_onnx"]


def save_onnx(model: LanguageModel, path: str | os.PathLike[str], graph: Graph, stateful: bool) -> dict[str, Any]:
    """Write the file, always with its state, and the vocabulary; returns the record.

    Raises SettingError for what has no form there.
    """
    network = model.model_
    if not isinstance(network, LanguageNetwork):
        raise SettingError(
            f"The model {model.model!r} can't be exported to ONNX: the baselines are tables of counts, which grow "
            "with the text; fit one of rnn, gru, lstm or tcn."
        )
    export, words = Export(graph, stateful=True), network.spec.words
    ids = graph.input("ids", ["batch", "time"], "the tokens as numbers", "INT64")
    x = Value(looked_up(export, network.embedding.weight, ids), network.spec.embedding_size)
    features = _features(export.inside("body"), network.body, x)
    found = _log_probabilities(export, network, features)
    about = "ln P of each token of the vocabulary behind each step"
    graph.output(found, "log_probabilities", ["batch", "time", words], about)
    file = beside(path, "vocabulary")
    graph.metadata |= {"vocabulary": file, "start": model.start_}
    told = [
        f"Input ids: tokens as numbers, (batch, time), any number of steps; {file} has the vocabulary. A text begins "
        f"with {model.start_}.",
        "The state goes in and comes out: zeros at first, then what came out before (…_next).",
        f"Output log_probabilities: ln P of each of the {words} tokens behind each step, (batch, time, {words}).",
    ]
    if model.cache or model.dynamic_rate:
        told.append("The cache and the dynamic evaluation of a text are not in the file.")
    return save_graph(graph, path, model, "language", told, {file: _recipe(model)})


def _features(export: Export, body: Any, x: Value) -> Value:
    if not isinstance(body, RecurrentStack):
        return steps_of(export, body, x)[0]
    for number, layer in enumerate(body.layers):
        assert isinstance(layer, RecurrentBody)
        x, _ = steps_of(export.inside(str(number)), layer, x)
    return x


def _log_probabilities(export: Export, network: LanguageNetwork, features: Value) -> str:
    graph = export.graph
    if network.softmax is not None:
        return _adaptive(export.inside("softmax"), network.softmax, features.name)
    logits = graph.node("MatMul", features.name, tensor(export, "weight", network.weight.t()))
    return graph.node("LogSoftmax", graph.node("Add", logits, tensor(export, "bias", network.bias)), axis=-1)


def _adaptive(export: Export, softmax: AdaptiveSoftmax, features: str) -> str:
    """`AdaptiveSoftmax.log_prob`: the head's words, then those of each cluster behind the cluster's own."""
    graph, first = export.graph, softmax.shortlist_size
    head = graph.node("LogSoftmax", linear(export.inside("head"), softmax.head, features), axis=-1)
    parts = [graph.node("Slice", head, graph.whole(0), graph.whole(first), graph.whole(2))]
    for number, cluster in enumerate(softmax.tail):
        assert isinstance(cluster, nn.Sequential)
        inner = features
        for place, layer in enumerate(cluster):
            assert isinstance(layer, nn.Linear)
            inner = linear(export.inside(f"{number}_{place}"), layer, inner)
        at = first + number
        own = graph.node("Slice", head, graph.whole(at), graph.whole(at + 1), graph.whole(2))
        parts.append(graph.node("Add", graph.node("LogSoftmax", inner, axis=-1), own))
    return graph.node("Concat", *parts, axis=2)


def _recipe(model: LanguageModel) -> dict[str, Any]:
    words = model.vocabulary_
    unknown = words.unknown_id
    other = "characters that aren't there have no number" if unknown is None else f"others are {unknown}"
    said = "Split the text at white space; each line end is <eos>." if model.level == "word" else "Take each character."
    steps = [
        said,
        f"A token's number is its index in the list words, from 0; {other}.",
        f"A text begins with {model.start_}.",
    ]
    known = [word for word in words.words if word not in (words.unknown, END)][:3]
    text = f"{' '.join(known)}\n" if model.level == "word" else "".join(known)
    corpus = Corpus(text, model.level, END)
    return {
        "format": 1,
        "steps": steps,
        "example": {"text": text, "ids": corpus.encode(words).tolist()},
        "level": model.level,
        "start": model.start_,
        "unknown": unknown,
        "words": list(words.words),
    }
