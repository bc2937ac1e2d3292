"""Rows of a series that are unlike the others: autoencoders whose error is the score, and baselines."""

from __future__ import annotations

from .comparison import AnomalyTask, compare_detectors
from .detector import AnomalyDetector, read_rows

__all__ = ["AnomalyDetector", "AnomalyTask", "compare_detectors", "read_rows"]
