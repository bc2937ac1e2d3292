"""Tables of measurements as panels: reading, frequencies, repairs, windows, splits, scaling, calendar, batches."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batches import ShuffledOrigins
    from .calendar import calendar_features, day_slots, usable_cycles
    from .cycles import repeating_cycles
    from .frequency import Frequency
    from .panel import Panel
    from .quality import ColumnSummary, Finding, Quality, Repair
    from .reading import guess_time_column, read_panel, read_table
    from .scaling import Standardizer
    from .splits import Split, SplitOrigins
    from .table import Table
    from .windows import Windows, WindowSpec

# Lazy (PEP 562): importing the package reads no file of its own before a name is used.
_HOME = {
    "ColumnSummary": "quality",
    "Finding": "quality",
    "Frequency": "frequency",
    "Panel": "panel",
    "Quality": "quality",
    "Repair": "quality",
    "ShuffledOrigins": "batches",
    "Split": "splits",
    "SplitOrigins": "splits",
    "Standardizer": "scaling",
    "Table": "table",
    "WindowSpec": "windows",
    "Windows": "windows",
    "calendar_features": "calendar",
    "day_slots": "calendar",
    "guess_time_column": "reading",
    "read_panel": "reading",
    "read_table": "reading",
    "repeating_cycles": "cycles",
    "usable_cycles": "calendar",
}

__all__ = [
    "ColumnSummary",
    "Finding",
    "Frequency",
    "Panel",
    "Quality",
    "Repair",
    "ShuffledOrigins",
    "Split",
    "SplitOrigins",
    "Standardizer",
    "Table",
    "WindowSpec",
    "Windows",
    "calendar_features",
    "day_slots",
    "guess_time_column",
    "read_panel",
    "read_table",
    "repeating_cycles",
    "usable_cycles",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
