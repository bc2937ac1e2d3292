"""Models of records with gaps at irregular times: the risk of an event at every step, or of a label."""

from __future__ import annotations

from .model import RecordModel

__all__ = ["RecordModel"]
