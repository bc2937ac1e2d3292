"""metrics.json of any run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .checked import check_schema, read_object
from .saved import read_forecast_metrics
from .task_saved import check_task_metrics

__all__ = ["read_metrics"]


def read_metrics(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read and check metrics.json; raises FormatError where a key is missing or of the wrong kind."""
    path = Path(path)
    metrics = read_object(path)
    if metrics.get("task", "forecast") == "forecast":
        return read_forecast_metrics(path)
    check_schema(metrics, path)
    check_task_metrics(metrics, path)
    return metrics
