"""Draws a saved run folder: charts as PNG files and one self-contained HTML page; never touches a live model."""

from __future__ import annotations

from .page import build, build_partial
from .saved import read_metrics
from .scores import table_text

__all__ = ["build", "build_partial", "read_metrics", "table_text"]
