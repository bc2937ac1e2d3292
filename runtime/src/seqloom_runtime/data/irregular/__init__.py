"""Records with gaps at irregular times: the container, tables, the PhysioNet 2012 layout, made records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...lazy import lazy_names

if TYPE_CHECKING:
    from .made import MadeRecords, made_records
    from .onsets import within_horizon
    from .physionet import is_physionet, read_physionet
    from .reading import read_records
    from .records import Records

# Lazy (PEP 562): what predicts reads none of the readers of files.
_HOME = {
    "MadeRecords": "made",
    "Records": "records",
    "is_physionet": "physionet",
    "made_records": "made",
    "read_physionet": "physionet",
    "read_records": "reading",
    "within_horizon": "onsets",
}

__all__ = [
    "MadeRecords",
    "Records",
    "is_physionet",
    "made_records",
    "read_physionet",
    "read_records",
    "within_horizon",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
