"""The public names of `seqloom_runtime.data.sequences`: numeric sequences of any length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqloom_runtime.lazy import lazy_names

if TYPE_CHECKING:
    from seqloom_runtime.data.sequences import (
        LabelledSequences,
        Sequences,
        adding_floor,
        adding_problem,
        class_codes,
        class_labels,
        copy_floor,
        copy_memory,
        frame_targets,
        load_mnist,
        load_music,
        next_frames,
        number_targets,
        pixel_order,
        read_idx,
        read_sequences,
    )

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

__getattr__, __dir__ = lazy_names("seqloom_runtime.data", dict.fromkeys(__all__, "sequences"), __all__)
