"""Tables in and out: whatever frame a user brings becomes a panel, and forecasts go back as the same kind of frame."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Frequency, Panel, Table
from ..data.categories import coded
from ..data.plain_columns import cells_of
from ..data.series_names import id_columns, split_names
from ..data.unnamed_time import check_unnamed_time
from ..errors import DataError, MissingDependencyError
from .forecast_table import ForecastTable

if TYPE_CHECKING:
    from .fitted import FittedForecaster

__all__ = [
    "FRAME_KINDS",
    "NO_SOURCE",
    "READING",
    "WHOLE",
    "as_panel",
    "check_grid",
    "frame_kind",
    "reading_of",
    "source_of",
    "to_frame",
]

FRAME_KINDS = ("pandas", "polars", "pyarrow")
WHOLE = re.compile(r"-?\d{1,18}")
NO_SOURCE: Mapping[str, Any] = MappingProxyType(
    {"time": None, "id": None, "frame": "numpy", "whole_ids": False, "dates": False, "time_format": None}
)
"""What a frame was like, where there was none: `whole_ids` (a list for several id columns) and `dates` are the types
of its id and time columns, `time_format` the form that its times were found to have."""

READING = (
    "holidays",
    "missing",
    "max_fill",
    "zone",
    "time_format",
    "resample",
    "aggregate",
    "duplicates",
    "fill",
    "season",
    "categories",
    "static",
)
"""The parameters of a forecaster that say how a table is read."""


def as_panel(
    data: Any,
    *,
    time: str | None = None,
    id: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    keep: Sequence[str] = (),
    target: Sequence[str] = (),
    **how: Any,
) -> Panel:
    """A panel from a panel, a frame, columns by name, or an array (rows,) or (rows, features) with columns column_0,
    column_1, …

    `how` are the other arguments of `Panel.from_frame`.
    """
    if isinstance(data, Panel):
        return coded(data, how.get("categories", ()))
    if isinstance(data, np.ndarray):
        if time is not None or id is not None:
            raise DataError(
                "A NumPy array has no named columns for time or id; give a frame, or a Panel made from the array."
            )
        return Panel.from_numpy(data, **how)
    if isinstance(data, Mapping):
        cells = cells_of(data)
        data = Table(cells, "the columns", len(next(iter(cells.values()))))
    if isinstance(data, Table) and time is None and how.get("frequency") is None:
        check_unnamed_time(data, columns, keep)
    return Panel.from_frame(data, time=time, id=id, columns=columns, keep=keep, target=target, **how)


def reading_of(forecaster: FittedForecaster, columns: Sequence[str]) -> dict[str, Any]:
    """How new rows with these columns are read for a fitted forecaster: as those of its fit, on their grid."""
    roles = forecaster.features_.roles
    found = {name: getattr(forecaster, name) for name in READING}
    found |= {what: tuple(n for n in getattr(roles, what) if n in columns) for what in ("categories", "static")}
    form = forecaster.source_.get("time_format") or forecaster.time_format
    return {
        **found,
        "zone": forecaster.zone_,
        "frequency": forecaster.frequency_,
        "time_format": form,
        "target": roles.target,
    }


def check_grid(panel: Panel, frequency: Frequency) -> None:
    """Raise DataError where a panel's rows don't lie on a grid like the one that a forecaster was fitted on."""
    mine, theirs = frequency, panel.frequency
    same = (mine.kind, mine.n, mine.zone, mine.closed) == (theirs.kind, theirs.n, theirs.zone, theirs.closed)
    if not same or (panel.time is None) != (mine.kind == "step") or panel.zone != mine.zone:
        raise DataError(
            f"The model was fitted on rows every {_grid(mine.label, mine.zone)}, this panel has rows every "
            f"{_grid(theirs.label, panel.zone)}; give data on the same grid."
        )


def to_frame(table: ForecastTable, forecaster: FittedForecaster, kind: str) -> Any:
    """The forecast as a frame of `kind` (pandas, polars or pyarrow), or as a dictionary of arrays for anything else.

    The id column is there where the data had one. Instants carry the data's time zone.
    """
    source, target = forecaster.source_, forecaster.features_.roles.target
    id = source["id"] or (None if forecaster.context_.ids == ("",) else "id")
    if table.wide is not None and not table.wide.joined:
        id = None  # the series are columns
    time = source["time"] or ("step" if table.times.dtype.kind != "M" else "time")
    columns = table.columns(target, id=id, time=time)
    if kind not in FRAME_KINDS:
        return columns
    import narwhals as nw

    if id is not None:
        names = split_names(id, columns.pop(id))
        whole = source["whole_ids"] if isinstance(source["whole_ids"], list) else [source["whole_ids"]] * len(names)
        for (name, values), is_whole in zip(names.items(), whole):
            if is_whole and all(WHOLE.fullmatch(text) for text in values):  # new data may name its series otherwise
                names[name] = values.astype(np.int64)
        columns = {**names, **columns}
    columns = {name: values.tolist() if values.dtype == object else values for name, values in columns.items()}
    try:
        frame = nw.from_dict(columns, backend=kind)
    except (ImportError, ModuleNotFoundError):
        raise MissingDependencyError(
            f"The forecast goes back as a {kind} frame, but {kind} is not installed: pip install {kind}"
        ) from None
    if table.times.dtype.kind == "M" and forecaster.zone_ is not None:
        frame = frame.with_columns(nw.col(time).dt.replace_time_zone("UTC").dt.convert_time_zone(forecaster.zone_))
    elif source["dates"] and kind != "pandas":  # pandas has no dates of its own
        frame = frame.with_columns(nw.col(time).dt.date())
    return frame.to_native()


def source_of(data: Any, time: str | None, id: str | Sequence[str] | None) -> dict[str, Any]:
    """What `to_frame` needs to know about the table that `fit` was given."""
    name = id if id is None or isinstance(id, str) else ",".join(id)
    source = {**NO_SOURCE, "time": time, "id": name, "frame": frame_kind(data)}
    if source["frame"] != "numpy":
        import narwhals as nw

        frame = nw.from_native(data, eager_only=True)
        named = [name] if name is None or name in frame.columns else id_columns(id)
        whole = [part in frame.columns and frame[part].dtype.is_integer() for part in named]
        source["whole_ids"] = whole if len(whole) > 1 else whole[0]
        source["dates"] = time in frame.columns and frame[time].dtype == nw.Date
    return source


def frame_kind(data: Any) -> str:
    """The library that `data` is a frame of, or "numpy" for arrays, panels and anything else."""
    module = type(data).__module__.split(".")[0]
    return module if module in FRAME_KINDS else "numpy"


def _grid(label: str, zone: str | None) -> str:
    return label.removeprefix("1 ") + (f" in {zone}" if zone is not None else "")
