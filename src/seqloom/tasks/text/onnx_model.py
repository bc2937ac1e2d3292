"""A text classifier as an ONNX file: the ids of a text's words in, calibrated probabilities out.

How a text becomes ids stands beside the file as JSON: the tokenizer with its vocabulary, and each step in a sentence.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from seqloom_runtime.errors import SettingError, shown
from seqloom_runtime.text.bow import BagClassifier
from seqloom_runtime.text.encoding import LONG_NUMBER, LONGEST_SENTENCE, SENTENCE_END, encode_texts, numbers_by_length

from ...nn.onnx_graph import Graph
from ...nn.onnx_rules import Export, Value
from ..exporting import beside, calibrated, looked_up, save_graph
from ..networks.onnx_bodies import counted, summary_of
from .classifier import TextClassifier
from .labels import classes_to_json
from .networks import TextNetwork
from .onnx_bodies import first_alone

__all__ = ["save_onnx"]


def save_onnx(classifier: TextClassifier, path: str | os.PathLike[str], graph: Graph, stateful: bool) -> dict[str, Any]:
    """Write the file and its tokenizer; returns the record. Raises SettingError for what has no form there."""
    bag: Any = getattr(classifier, "bag_", None)
    learned: Any = getattr(classifier, "learned_", None)
    why = None
    if bag is None and learned is None:
        why = "the baseline reads nothing; its answer is the same for every text"
    elif bag is not None and bag.forest is not None:
        why = "a forest of decision trees has no form in ONNX's standard operators; fit bow or a network"
    elif stateful and (bag is not None or not learned.network.encoder.causal):
        why = "it needs a text's words at once, so it has no state to carry"
    if why is not None:
        raise SettingError(f"The model {classifier.model!r} can't be exported to ONNX: {why}.")
    export = Export(graph, stateful)
    sentences = classifier.model == "han"
    axes: list[int | str] = ["batch", *(["sentences", "words"] if sentences else ["time"])]
    ids = graph.input("ids", axes, "the words of the texts as numbers, 0 behind each end", "INT64")
    said = "the words of each sentence, 0 behind the last" if sentences else "the words of each text"
    if not stateful:
        export.lengths = graph.input("lengths", axes[:-1], said, "INT64")
    if bag is not None:
        logits = _of_bag(export, bag, ids)
    else:
        assert learned is not None
        logits = _of_network(export, learned.network, ids)
    p = calibrated(graph, logits, classifier.temperature_)
    classes = classes_to_json(classifier.classes_)
    graph.output(p, "probabilities", ["batch", len(classes)], "of the classes, in their order", "DOUBLE")
    file = beside(path, "tokenizer")
    graph.metadata |= {"classes": classes, "tokenizer": file}
    about = [
        f"Input ids: the words of the texts as numbers, ({', '.join(map(str, axes))}), 0 behind each end; {file} has "
        "the vocabulary, and how a text becomes numbers.",
        *([] if stateful else [f"Input lengths: {said}, ({', '.join(map(str, axes[:-1]))})."]),
        f"Output probabilities: calibrated, of {', '.join(shown(label) for label in classes)}.",
    ]
    return save_graph(graph, path, classifier, "classify", about, {file: _recipe(classifier)})


def _of_network(export: Export, network: TextNetwork, ids: str) -> str:
    graph = export.graph
    ids = first_alone(export, ids) if network.distinct else ids
    x = Value(looked_up(export, network.embedding.weight, ids), network.embedding.size)
    encoded = summary_of(export.inside("encoder"), network.encoder, x)
    y = export.inside("output").apply(network.output, Value(encoded, network.encoder.output_size, None))
    if y.width > 1:
        return y.name
    return graph.node("Concat", graph.node("Sub", y.name, y.name), y.name, axis=1)  # two classes: softmax(0, z)


def _of_bag(export: Export, bag: BagClassifier, ids: str) -> str:
    """`WordMatrix.transform`, then weights and bias, in float64."""
    graph, mode = export.graph, bag.matrix.mode
    assert bag.weights is not None
    assert bag.bias is not None
    assert export.lengths is not None
    word_weights = bag.matrix.to_arrays()["weights"]
    batch = graph.node("Gather", graph.node("Shape", ids), graph.whole(0))
    shape = graph.node("Concat", batch, graph.whole(len(word_weights)), axis=0)
    none = graph.cast(graph.node("ConstantOfShape", shape), "DOUBLE")
    real = graph.cast(counted(export, ids), "DOUBLE")
    counts = graph.node("ScatterElements", none, ids, real, axis=1, reduction="add")
    if mode == "binary":
        values = graph.node("Min", counts, graph.wide_number(1.0))
    elif mode == "frequency":
        words = graph.node("Unsqueeze", graph.node("Max", export.lengths, graph.whole_number(1)), graph.whole(1))
        values = graph.node("Div", counts, graph.cast(words, "DOUBLE"))
    elif mode == "tfidf-log":
        some = graph.node("Min", counts, graph.wide_number(1.0))
        log = graph.node("Log", graph.node("Max", counts, graph.wide_number(1.0)))
        values = graph.node("Mul", graph.node("Add", some, log), graph.weight("word_weights", word_weights))
    else:
        values = graph.node("Mul", counts, graph.weight("word_weights", word_weights))
    if mode == "tfidf":
        squares = graph.node("ReduceSum", graph.node("Mul", values, values), graph.whole(1), keepdims=1)
        norm = graph.node("Sqrt", squares)
        # A text without a known word is a row of zeros.
        norm = graph.node("Where", graph.node("Greater", norm, graph.wide_number(0.0)), norm, graph.wide_number(1.0))
        values = graph.node("Div", values, norm)
    values = graph.cast(graph.cast(values, "FLOAT"), "DOUBLE")  # as the matrix holds them
    z = graph.node("MatMul", values, graph.weight("weights", np.asarray(bag.weights)))
    z = graph.node("Add", z, graph.weight("bias", np.asarray(bag.bias)))
    return graph.node("Concat", graph.node("Sub", z, z), z, axis=1) if bag.weights.shape[1] == 1 else z


def _recipe(classifier: TextClassifier) -> dict[str, Any]:
    """How a text becomes numbers: values for a program, and sentences for who writes it."""
    tokenizer, bag = classifier.tokenizer_, hasattr(classifier, "bag_")
    most = None if bag or classifier.model == "bow-dense" else int(classifier.max_length)
    words = tokenizer.to_json()
    steps = []
    if not classifier.long_numbers:
        steps.append(f"Replace every digit of what the pattern {LONG_NUMBER.pattern} finds by 0.")
    if classifier.model == "han":
        steps.append(
            f"Split the text into sentences at what the pattern {SENTENCE_END.pattern} finds; drop empty ones."
        )
    steps += [*(["Remove HTML tags."] if tokenizer.strip_tags else []), *(["Lower-case."] if tokenizer.lower else [])]
    if tokenizer.characters:
        steps.append("Put a space on both sides of each character of a script that is written without spaces.")
    steps.append("Put a space on both sides of each character of marks, replace each character of filters by a space.")
    steps.append("Split at white space.")
    vocabulary = tokenizer.vocabulary
    other = "words that aren't there are left out"
    other = other if vocabulary.unknown is None else f"words that aren't there are {vocabulary.unknown_id}"
    first = vocabulary.first
    steps.append(
        f"A word's number is its index in the list tokenizer.vocabulary.words plus {first} (the list's first word is "
        f"number {first}); {other}."
    )
    if most is not None:
        steps.append(f"Of more than {most} words keep the {classifier.keep} {most}.")
    if classifier.model == "han":
        steps.append(f"Cut a sentence of more than {LONGEST_SENTENCE} words into pieces of so many.")
    steps.append("Put zeros behind the shorter ones; lengths says how many words there are.")
    return {
        "format": 1,
        "steps": steps,
        "example": _example(classifier),
        "first": vocabulary.first,
        "unknown": vocabulary.unknown_id,
        "long_numbers": bool(classifier.long_numbers),
        "max_length": most,
        "keep": classifier.keep,
        "sentences": {"pattern": SENTENCE_END.pattern, "longest": LONGEST_SENTENCE}
        if classifier.model == "han"
        else None,
        "tokenizer": words,
    }


def _example(classifier: TextClassifier) -> dict[str, Any]:
    """One text and its numbers, for a program to be checked by: (words), of a model of sentences (sentences, words)."""
    vocabulary, sentences = classifier.tokenizer_.vocabulary, classifier.model == "han"
    known = " ".join(vocabulary.words[vocabulary.first : vocabulary.first + 3])
    text = f"{known}, unseenword" + (f". {known}" if sentences else "")
    read = text if classifier.long_numbers else numbers_by_length([text])[0]
    most = None if hasattr(classifier, "bag_") or classifier.model == "bow-dense" else int(classifier.max_length)
    found = encode_texts(classifier.tokenizer_, [read], most, classifier.keep, sentences=sentences)
    ids, _ = found.batch(np.array([0]))
    return {"text": text, "ids": ids[0].tolist()}
