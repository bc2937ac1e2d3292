"""Numeric sequences: one container for equal and unequal lengths, files of sequences, made tasks, named data sets."""

from __future__ import annotations

from .generated import adding_floor, adding_problem, copy_floor, copy_memory
from .labels import class_codes, class_labels, frame_targets, number_targets
from .mnist import load_mnist, pixel_order, read_idx
from .music import load_music, next_frames
from .ragged import Sequences
from .reading import LabelledSequences, read_sequences

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
