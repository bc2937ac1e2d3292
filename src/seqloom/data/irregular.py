"""The public names of `seqloom_runtime.data.irregular`: records at irregular times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqloom_runtime.lazy import lazy_names

if TYPE_CHECKING:
    from seqloom_runtime.data.irregular import (
        MadeRecords,
        Records,
        is_physionet,
        made_records,
        read_physionet,
        read_records,
        within_horizon,
    )

__all__ = [
    "MadeRecords",
    "Records",
    "is_physionet",
    "made_records",
    "read_physionet",
    "read_records",
    "within_horizon",
]

__getattr__, __dir__ = lazy_names("seqloom_runtime.data", dict.fromkeys(__all__, "irregular"), __all__)
