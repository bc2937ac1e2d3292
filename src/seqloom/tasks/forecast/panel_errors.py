"""What a comparison tells of a panel of several series: errors by series and by group, in files and in metrics.json."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data import Panel
from seqloom_runtime.forecast.targets import owner_of
from seqloom_runtime.tables import write_columns

from ..comparison import Evaluation
from .by_series import Scales, SeriesErrors, scales_by_series, spread
from .extreme_series import Forecast, extreme_series
from .groups import Group, groups_errors, groups_of_panel, groups_record, measured_rows
from .windowed import ForecastData

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["PanelErrors"]


class PanelErrors:
    """The test errors of a comparison's models by series of the panel; nothing of a panel of one."""

    def __init__(self, panel: Panel, data: ForecastData, id: str | Sequence[str] | None) -> None:
        """`panel` has all columns of the table; `data` the windows that are scored; `id` names the id columns."""
        self._data, self._panel, self._id = data, panel, id
        self.several = len(data.panel.ids) > 1 and panel.ids == data.panel.ids

    @cached_property
    def groups(self) -> list[Group]:
        """The columns that put the series into groups."""
        return groups_of_panel(self._panel, self._id) if self.several else []

    @cached_property
    def _scales(self) -> Scales:
        return scales_by_series(self._data)

    def of(self, evaluation: Evaluation) -> SeriesErrors:
        """The errors of a model by series."""
        return SeriesErrors.of(self._scales, evaluation.by_series)

    def about(self) -> dict[str, Any]:
        """What metrics.json says of the groups, before the models."""
        return {"groups": groups_record(self.groups, self._data)} if self.groups else {}

    def facts(self, test: Evaluation) -> dict[str, Any]:
        """What metrics.json says of a model: how its errors lie over the series, and those of each group."""
        if not self.several or not test.by_series:
            return {}
        errors = self.of(test)
        found: dict[str, Any] = {"by_series": spread(errors, errors.ranking(self._data.intermittent))}
        if self.groups:
            found["by_group"] = groups_errors(self.groups, self._data, test.by_series, errors)
        return found

    def columns(self, test: Evaluation) -> dict[str, np.ndarray]:
        """series.csv: a row for each series, its name, rows, errors, and the groups that it is in; empty of a single
        series."""
        if not self.several or not test.by_series:
            return {}
        panel, roles = self._data.panel, self._data.features.roles
        names = np.array([owner_of(roles, name) for name in panel.ids], dtype=object)
        columns: dict[str, np.ndarray] = {"id": names}
        if roles.wide is not None:
            columns["target"] = np.array([roles.wide.parts(name)[1] for name in panel.ids], dtype=object)
        columns["rows"] = measured_rows(self._data)
        errors = self.of(test)
        columns |= {each.name: getattr(errors, each.name) for each in fields(errors)}
        for group in self.groups:
            name = group.column
            while name in columns:
                name += "_"
            columns[name] = group.texts()
        return columns

    def extremes(self, test: Evaluation, best: Forecaster, naive: Forecaster, data: ForecastData) -> dict[str, Any]:
        """`extremes` of data.json: the series with the highest and the lowest error, drawn; `data` is what the best
        model reads."""
        if not self.several or not test.by_series:
            return {}
        errors = self.of(test)
        score = errors.ranking(self._data.intermittent)
        made: dict[str, Forecast] = {
            "forecast": lambda origins: best.forecast_windows(data, origins),
            "naive": lambda origins: naive.forecast_windows(self._data, origins),
        }
        found = extreme_series(self._data, errors, score, **made)
        return {"extremes": {"score": score, "series": found}} if found else {}

    def write(self, path: str | os.PathLike[str], columns: Mapping[str, np.ndarray]) -> None:
        """Write series.csv, where there are several series."""
        if columns:
            write_columns(path, columns)
