"""Records with gaps at irregular times: the container, tables, the PhysioNet 2012 layout, made records."""

from __future__ import annotations

from .made import MadeRecords, made_records
from .onsets import within_horizon
from .physionet import is_physionet, read_physionet
from .reading import read_records
from .records import Records

__all__ = [
    "MadeRecords",
    "Records",
    "is_physionet",
    "made_records",
    "read_physionet",
    "read_records",
    "within_horizon",
]
