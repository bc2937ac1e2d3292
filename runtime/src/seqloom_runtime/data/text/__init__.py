"""Text: vocabularies, tokenizers, padding, batches by length, and readers of labelled, tagged and raw texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...lazy import lazy_names

if TYPE_CHECKING:
    from .batches import LengthBuckets, LengthSorted
    from .characters import CharTokenizer
    from .corpus import Corpus, read_corpus
    from .embeddings import Coverage, WordVectors
    from .labelled import LabelledTexts, read_labelled
    from .matrices import SparseRows, WordMatrix, one_hot
    from .named import NamedText, find_named_text, read_named_text
    from .padding import pad_sequences
    from .pairs import TextPairs, read_pairs, read_sources
    from .saved_tokenizer import load_tokenizer
    from .stored import TextFile
    from .streams import StreamOrder, TokenBatch, TokenStreams, TokenWindows
    from .subword import SubwordTokenizer
    from .tagged import TaggedSentences, mark_digits, read_tagged
    from .tokenizer import Tokenizer
    from .vector_files import read_vectors
    from .vocabulary import Vocabulary
    from .words import WordTokenizer

_HOME = {
    "CharTokenizer": "characters",
    "Corpus": "corpus",
    "Coverage": "embeddings",
    "LabelledTexts": "labelled",
    "LengthBuckets": "batches",
    "LengthSorted": "batches",
    "NamedText": "named",
    "SparseRows": "matrices",
    "StreamOrder": "streams",
    "SubwordTokenizer": "subword",
    "TaggedSentences": "tagged",
    "TextFile": "stored",
    "TextPairs": "pairs",
    "TokenBatch": "streams",
    "TokenStreams": "streams",
    "TokenWindows": "streams",
    "Tokenizer": "tokenizer",
    "Vocabulary": "vocabulary",
    "WordMatrix": "matrices",
    "WordTokenizer": "words",
    "WordVectors": "embeddings",
    "find_named_text": "named",
    "load_tokenizer": "saved_tokenizer",
    "mark_digits": "tagged",
    "one_hot": "matrices",
    "pad_sequences": "padding",
    "read_corpus": "corpus",
    "read_labelled": "labelled",
    "read_named_text": "named",
    "read_pairs": "pairs",
    "read_sources": "pairs",
    "read_tagged": "tagged",
    "read_vectors": "vector_files",
}

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

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
