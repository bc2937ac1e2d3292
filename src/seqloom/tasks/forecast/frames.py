"""Tables in and out: whatever frame a user brings becomes a panel, and forecasts go back as the same kind of frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data import Frequency, Panel
from ...errors import DataError, MissingDependencyError
from .predicting import ForecastTable

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["as_panel", "to_frame"]


def as_panel(
    data: Any,
    *,
    time: str | None = None,
    id: str | None = None,
    columns: Sequence[str] | None = None,
    zone: str | None = None,
    missing: Sequence[float] = (),
    max_fill: int = 24,
    frequency: Frequency | None = None,
) -> Panel:
    """A panel from a panel, a frame, or an array (rows,) or (rows, features) whose columns are named column_0, column_1, …"""
    if isinstance(data, Panel):
        return data
    if isinstance(data, np.ndarray):
        if time is not None or id is not None:
            raise DataError(
                "A NumPy array has no named columns for time or id; give a frame, or a Panel made from the array."
            )
        return Panel.from_numpy(data, missing=missing, max_fill=max_fill, frequency=frequency)
    return Panel.from_frame(
        data, time=time, id=id, columns=columns, zone=zone, missing=missing, max_fill=max_fill, frequency=frequency
    )


def to_frame(table: ForecastTable, forecaster: Forecaster, kind: str) -> Any:
    """The forecast as a frame of `kind` (pandas, polars or pyarrow), or as a dictionary of arrays for anything else.

    The id column is there where the data had one. Instants carry the data's time zone.
    """
    source = forecaster.source_
    columns = table.columns(forecaster.features_.roles.target, id=source["id"] or "id", time=source["time"] or "step")
    if source["id"] is None:
        del columns["id"]
    if kind not in ("pandas", "polars", "pyarrow"):
        return columns
    import narwhals as nw

    columns = {name: values.tolist() if values.dtype == object else values for name, values in columns.items()}
    try:
        frame = nw.from_dict(columns, backend=kind)
    except (ImportError, ModuleNotFoundError):
        raise MissingDependencyError(
            f"The forecast goes back as a {kind} frame, but {kind} is not installed: pip install {kind}"
        ) from None
    time = source["time"]
    if time is not None and forecaster.zone_ is not None:
        frame = frame.with_columns(nw.col(time).dt.replace_time_zone("UTC").dt.convert_time_zone(forecaster.zone_))
    return frame.to_native()
