"""The run folder's CSV files: history, predictions and forecast. Numbers are written so that they read back exactly."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from ..tables import ROWS_WRITTEN, write_csv
from .windowed import ForecastData

if TYPE_CHECKING:
    from .forecaster import Forecaster
    from .predicting import ForecastTable

__all__ = ["forecast_csv", "history_csv", "predictions_csv", "time_text"]


def time_text(times: np.ndarray, zone: str | None) -> list[str]:
    """Times (N,) datetime64[us] as ISO 8601 text, or row numbers (N,) as text.

    With the offset from UTC where there is a zone; dates alone where all times are midnights.
    """
    if times.dtype.kind != "M":
        return [str(int(t)) for t in times]
    if zone is not None:
        place, utc = ZoneInfo(zone), ZoneInfo("UTC")
        return [t.replace(tzinfo=utc).astimezone(place).isoformat() for t in times.astype("datetime64[us]").tolist()]
    if (times == times.astype("datetime64[D]")).all():
        return np.datetime_as_string(times, unit="D").tolist()
    whole = (times == times.astype("datetime64[s]")).all()
    return np.datetime_as_string(times, unit="s" if whole else "us").tolist()


def history_csv(path: str | os.PathLike[str], forecasters: Mapping[str, Forecaster]) -> None:
    """One row per network and epoch."""
    header = ["model", "epoch", "step", "learning_rate", "train_loss", "valid_loss", "valid_mae"]
    rows: list[Sequence[Any]] = []
    for name, forecaster in forecasters.items():
        if hasattr(forecaster, "learned_"):
            for row in forecaster.learned_.history.epochs:
                errors = (row.train_loss, row.valid["loss"], row.valid["mae"])
                rows.append([name, row.epoch, row.step, row.learning_rate, *errors])
    write_csv(path, header, rows)


def predictions_csv(
    path: str | os.PathLike[str],
    data: ForecastData,
    valid: Mapping[str, np.ndarray],
    test: Mapping[str, np.ndarray],
    best: Forecaster,
) -> None:
    """One row per scored window and step; where that would be over 200,000 rows, every n-th window only."""
    names = list(valid)
    levels = list(best.radii_)
    header = ["split", "id", "origin", "step", "time", "actual", *names]
    header += [f"{side}_{level}" for level in levels for side in ("low", "high")]
    steps = data.spec.steps
    thin = max(1, -(-(len(data.valid) + len(data.test)) * len(steps) // ROWS_WRITTEN))
    panel = data.panel
    series = panel.series_index
    text = np.array(time_text(panel.tick if panel.time is None else panel.time, panel.zone), dtype=object)
    rows: list[list[Any]] = []
    for part, origins, forecasts in (("valid", data.valid, valid), ("test", data.test, test)):
        picked = np.arange(0, len(origins), thin)
        truth = data.truth(origins[picked])
        for k, step in enumerate(steps):
            columns: list[Any] = [truth[:, k], *(forecasts[name][picked, k] for name in names)]
            for level in levels:
                centre, radius = forecasts[best.model][picked, k], best.radii_[level][k]
                columns += [centre - radius, centre + radius]
            numbers = np.stack(columns, axis=1).tolist()
            for origin, values in zip(origins[picked], numbers):
                name = panel.ids[series[origin]] or data.features.roles.target
                rows.append([part, name, text[origin], int(step), text[origin + step], *values])
    write_csv(path, header, rows)


def forecast_csv(path: str | os.PathLike[str], table: ForecastTable, forecaster: Forecaster) -> None:
    """id, time, the forecast under the target's name, and a low and a high column per level."""
    columns = table.columns(forecaster.features_.roles.target)
    texts = [columns["id"].tolist(), time_text(columns["time"], forecaster.zone_)]
    numbers = [values.tolist() for name, values in columns.items() if name not in ("id", "time")]
    write_csv(path, list(columns), zip(*texts, *numbers))
