"""A tagger as an ONNX file: the ids of a sentence's words in, the tag of each and the scores of all tags out.

With a CRF the tags are those of the best sequence, found in the graph, and the scores what it is found from. The words
and their ids stand beside the file as JSON.
"""

from __future__ import annotations

import os
from typing import Any

from seqloom_runtime.errors import SettingError, shown
from seqloom_runtime.tagging.frequent import FrequentTags
from seqloom_runtime.tagging.predictor import words_read

from ...nn.onnx_crf import decoded
from ...nn.onnx_graph import Graph
from ...nn.onnx_rules import Export, Value
from ..exporting import beside, looked_up, save_graph
from ..networks.onnx_bodies import counted, steps_of
from .network import TaggingNetwork
from .tagger import SequenceTagger

__all__ = ["save_onnx"]


def save_onnx(tagger: SequenceTagger, path: str | os.PathLike[str], graph: Graph, stateful: bool) -> dict[str, Any]:
    """Write the file and its vocabulary; returns the record. Raises SettingError for what has no form there."""
    model, export = tagger.model_, Export(graph, stateful)
    if stateful and (why := _ahead(model)) is not None:
        raise SettingError(f"The model {tagger.model!r} can't be exported with a state: {why}.")
    ids = graph.input("ids", ["batch", "time"], "the words of the sentences as numbers, 0 behind each end", "INT64")
    file = beside(path, "vocabulary")
    about = [
        f"Input ids: the words of the sentences as numbers, (batch, time), 0 behind each end; {file} has the "
        "vocabulary, and how a word becomes a number."
    ]
    count = len(tagger.tags_)
    if isinstance(model, FrequentTags):
        tags = graph.node("Gather", graph.weight("tag_of_word", model.tag), ids, axis=0)
    else:
        if not stateful:
            export.lengths = graph.input("lengths", ["batch"], "the words of each sentence", "INT64")
            about.append("Input lengths: the words of each sentence, (batch).")
        scores = _scores(export, model, ids)
        graph.output(scores, "scores", ["batch", "time", count], "of each tag, in their order, before any softmax")
        if model.crf is None:
            tags = graph.node("ArgMax", scores, axis=2, keepdims=0)
        else:
            tags = decoded(export.inside("crf"), model.crf, scores, counted(export, ids))
    graph.output(tags, "tags", ["batch", "time"], "the numbers of the most likely tags", "INT64")
    graph.metadata |= {"tags": list(tagger.tags_), "vocabulary": file}
    found = "that of the best sequence" if getattr(model, "crf", None) is not None else "the likeliest of each word"
    about.append(f"Output tags: the number of the tag, {found}: {', '.join(shown(tag) for tag in tagger.tags_)}.")
    if not isinstance(model, FrequentTags):
        about.append(f"Output scores: of each of the {count} tags, (batch, time, {count}).")
    return save_graph(graph, path, tagger, "tagging", about, {file: _recipe(tagger)})


def _ahead(model: Any) -> str | None:
    """Why a tagger has no state to carry; None where it has one."""
    if isinstance(model, FrequentTags):
        return "it looks at each word alone"
    if model.crf is not None:
        return "its CRF looks at whole sentences; fit with crf=False"
    if model.spec.context:
        return f"a step sees words ahead (context={model.spec.context}); fit with context=0"
    return None if model.body.causal else "it reads in both directions"


def _scores(export: Export, network: TaggingNetwork, ids: str) -> str:
    """`TaggingNetwork.forward` in evaluation."""
    graph, context, size = export.graph, network.spec.context, network.spec.embedding_size
    x = looked_up(export, network.embedding.weight, ids)
    if context:
        wide = graph.node("Pad", x, graph.whole(0, context, 0, 0, context, 0), graph.number(0.0))
        parts = []
        for shift in range(2 * context + 1):
            end = graph.whole(shift - 2 * context) if shift < 2 * context else graph.whole(2**62)
            parts.append(graph.node("Slice", wide, graph.whole(shift), end, graph.whole(1)))
        x = graph.node("Concat", *parts, axis=2)
    features, _ = steps_of(export.inside("body"), network.body, Value(x, (2 * context + 1) * size))
    return export.inside("output").apply(network.output, features).name


def _recipe(tagger: SequenceTagger) -> dict[str, Any]:
    words = tagger.vocabulary_
    steps = [
        *(["Lower-case each word."] if tagger.lower else []),
        *(["Replace each digit of a word by 0."] if tagger.digits else []),
        "A word's number is its index in the list words, from 0 (padding and the unknown word are in the list); words "
        f"that aren't there are {words.unknown_id}.",
        "Put zeros behind the shorter sentences; lengths says how many words there are.",
    ]
    example = [*words.words[words.first : words.first + 2], "unseenword"]
    return {
        "format": 1,
        "steps": steps,
        "example": {"words": example, "ids": words.ids(words_read(example, tagger.lower, tagger.digits))},
        "lower": bool(tagger.lower),
        "digits": bool(tagger.digits),
        "unknown": words.unknown_id,
        "words": list(words.words),
    }
