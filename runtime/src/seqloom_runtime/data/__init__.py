"""Tables of measurements as panels (reading, repairs, windows, splits, scaling, batches), and text (`data.text`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .batches import ShuffledOrigins
    from .calendar import calendar_features, day_slots, usable_cycles
    from .cycles import repeating_cycles
    from .decisions import Decision
    from .frequency import Frequency
    from .on_disk import StoredPanel, store_panel
    from .panel import Panel
    from .quality import ColumnSummary, Finding, Quality, Repair
    from .reading import guess_time_column, read_panel, read_table
    from .scaling import Standardizer
    from .splits import Split, SplitOrigins
    from .table import Table
    from .text import (
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
        read_tagged,
        read_vectors,
    )
    from .time_columns import choose_time
    from .windows import Windows, WindowSpec

# Lazy (PEP 562): importing the package reads no file of its own before a name is used.
_HOME = {
    "CharTokenizer": "text",
    "ColumnSummary": "quality",
    "Corpus": "text",
    "Coverage": "text",
    "Decision": "decisions",
    "Finding": "quality",
    "Frequency": "frequency",
    "LabelledTexts": "text",
    "LengthBuckets": "text",
    "LengthSorted": "text",
    "NamedText": "text",
    "Panel": "panel",
    "Quality": "quality",
    "Repair": "quality",
    "ShuffledOrigins": "batches",
    "SparseRows": "text",
    "Split": "splits",
    "SplitOrigins": "splits",
    "Standardizer": "scaling",
    "StoredPanel": "on_disk",
    "StreamOrder": "text",
    "SubwordTokenizer": "text",
    "Table": "table",
    "TaggedSentences": "text",
    "TokenBatch": "text",
    "TokenStreams": "text",
    "TokenWindows": "text",
    "Tokenizer": "text",
    "Vocabulary": "text",
    "WindowSpec": "windows",
    "Windows": "windows",
    "WordMatrix": "text",
    "WordTokenizer": "text",
    "WordVectors": "text",
    "calendar_features": "calendar",
    "choose_time": "time_columns",
    "day_slots": "calendar",
    "find_named_text": "text",
    "guess_time_column": "reading",
    "load_tokenizer": "text",
    "mark_digits": "text",
    "one_hot": "text",
    "pad_sequences": "text",
    "read_corpus": "text",
    "read_labelled": "text",
    "read_named_text": "text",
    "read_panel": "reading",
    "read_table": "reading",
    "read_tagged": "text",
    "read_vectors": "text",
    "repeating_cycles": "cycles",
    "store_panel": "on_disk",
    "usable_cycles": "calendar",
}

__all__ = [
    "CharTokenizer",
    "ColumnSummary",
    "Corpus",
    "Coverage",
    "Decision",
    "Finding",
    "Frequency",
    "LabelledTexts",
    "LengthBuckets",
    "LengthSorted",
    "NamedText",
    "Panel",
    "Quality",
    "Repair",
    "ShuffledOrigins",
    "SparseRows",
    "Split",
    "SplitOrigins",
    "Standardizer",
    "StoredPanel",
    "StreamOrder",
    "SubwordTokenizer",
    "Table",
    "TaggedSentences",
    "TokenBatch",
    "TokenStreams",
    "TokenWindows",
    "Tokenizer",
    "Vocabulary",
    "WindowSpec",
    "Windows",
    "WordMatrix",
    "WordTokenizer",
    "WordVectors",
    "calendar_features",
    "choose_time",
    "day_slots",
    "find_named_text",
    "guess_time_column",
    "load_tokenizer",
    "mark_digits",
    "one_hot",
    "pad_sequences",
    "read_corpus",
    "read_labelled",
    "read_named_text",
    "read_panel",
    "read_table",
    "read_tagged",
    "read_vectors",
    "repeating_cycles",
    "store_panel",
    "usable_cycles",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
