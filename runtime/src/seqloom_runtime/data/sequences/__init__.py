"""Numeric sequences: one container for equal and unequal lengths, files of sequences, made tasks, named data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...lazy import lazy_names

if TYPE_CHECKING:
    from .generated import adding_floor, adding_problem, copy_floor, copy_memory
    from .labels import class_codes, class_labels, frame_targets, number_targets
    from .mnist import load_mnist, pixel_order, read_idx
    from .music import load_music, next_frames
    from .ragged import Sequences
    from .reading import LabelledSequences, read_sequences

# Lazy (PEP 562): what predicts reads none of the readers of files.
_HOME = {
    "LabelledSequences": "reading",
    "Sequences": "ragged",
    "adding_floor": "generated",
    "adding_problem": "generated",
    "class_codes": "labels",
    "class_labels": "labels",
    "copy_floor": "generated",
    "copy_memory": "generated",
    "frame_targets": "labels",
    "load_mnist": "mnist",
    "load_music": "music",
    "next_frames": "music",
    "number_targets": "labels",
    "pixel_order": "mnist",
    "read_idx": "mnist",
    "read_sequences": "reading",
}

__all__ = [
    "LabelledSequences",
    "Sequences",
    "adding_floor",
    "adding_problem",
    "class_codes",
    "class_labels",
    "copy_floor",
    "copy_memory",
    "frame_targets",
    "load_mnist",
    "load_music",
    "next_frames",
    "number_targets",
    "pixel_order",
    "read_idx",
    "read_sequences",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
