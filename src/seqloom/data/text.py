"""The public names of `seqloom_runtime.data.text`: tokenizers, padding, batches by length, readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqloom_runtime.lazy import lazy_names

if TYPE_CHECKING:
    from seqloom_runtime.data.text import (
        CharTokenizer,
        Corpus,
        Coverage,
        LabelledTexts,
        LengthBuckets,
        LengthSorted,
        NamedText,
        SparseRows,
        StreamOrder,
        SubwordTokenizer,
        TaggedSentences,
        TextFile,
        TextPairs,
        TokenBatch,
        Tokenizer,
        TokenStreams,
        TokenWindows,
        Vocabulary,
        WordMatrix,
        WordTokenizer,
        WordVectors,
        find_named_text,
        load_tokenizer,
        mark_digits,
        one_hot,
        pad_sequences,
        read_corpus,
        read_labelled,
        read_named_text,
        read_pairs,
        read_sources,
        read_tagged,
        read_vectors,
    )

__all__ = [
    "CharTokenizer",
    "Corpus",
    "Coverage",
    "LabelledTexts",
    "LengthBuckets",
    "LengthSorted",
    "NamedText",
    "SparseRows",
    "StreamOrder",
    "SubwordTokenizer",
    "TaggedSentences",
    "TextFile",
    "TextPairs",
    "TokenBatch",
    "TokenStreams",
    "TokenWindows",
    "Tokenizer",
    "Vocabulary",
    "WordMatrix",
    "WordTokenizer",
    "WordVectors",
    "find_named_text",
    "load_tokenizer",
    "mark_digits",
    "one_hot",
    "pad_sequences",
    "read_corpus",
    "read_labelled",
    "read_named_text",
    "read_pairs",
    "read_sources",
    "read_tagged",
    "read_vectors",
]

__getattr__, __dir__ = lazy_names("seqloom_runtime.data", dict.fromkeys(__all__, "text"), __all__)
