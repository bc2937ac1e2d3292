"""A forecaster behind the server: windows of numbers as tensors, tables as a person sends them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from seqloom_runtime.data import Panel
from seqloom_runtime.data.columnar import is_columnar
from seqloom_runtime.data.dialect import Reading
from seqloom_runtime.data.excel import is_workbook, is_zip
from seqloom_runtime.data.reading import guess_time_column, table_of
from seqloom_runtime.data.series_names import with_series_names
from seqloom_runtime.errors import SeqloomError
from seqloom_runtime.forecast.frames import reading_of
from seqloom_runtime.forecast.targets import columns_of_table, long_again
from seqloom_runtime.tables import time_text

from .problem import Problem
from .served import Ask, Reply, Served, WindowStream, refusal
from .tensors import Tensor

__all__ = ["ServedForecaster"]

_FIRST_TABLE = b"time,value\n2020-01-01,1\n2020-01-02,2\n2020-01-03,3\n"
_MOST_RECENT = 2000
_MOST_SERIES = 20
_FARTHEST = 10_000


class ServedForecaster(Served):
    """A fitted forecaster.

    Where its network reads numbers alone (no calendar, words, or columns known ahead), tensors are windows: `past`
    (N, L, C) in the units of the table, oldest row first, gives `forecast` (N, K). Any other one takes `table`, one CSV
    text, as its tensor.
    """

    task = "forecast"
    takes = ("table", "nothing")
    options = ("horizon", "levels", "samples", "seed", "recent")

    def __init__(self, forecaster: Any, task: str, name: str, settings: Mapping[str, Any]) -> None:
        self.estimator = f"Forecaster, {name}"
        self._forecaster, self._settings = forecaster, settings
        spec, features = forecaster.window_spec_, forecaster.features_
        self.target = features.roles.target
        self.steps = len(spec.steps)
        why = _no_windows(forecaster)
        self.notes = () if why is None else (f"It takes a table, no windows, because {why}.",)
        self._windows = why is None
        if self._windows:
            names = features.roles.numeric_inputs
            self.inputs = (Tensor("past", "FP64", (-1, len(spec.input_offsets), len(names))),)
            self.outputs = (Tensor("forecast", "FP64", (-1, self.steps)),)
            scaler, numeric = features.scaler, features.roles.numeric
            mean, std = (
                np.asarray(v, dtype=np.float64).reshape(-1, len(numeric))[0] for v in (scaler.mean, scaler.std)
            )
            at = [numeric.index(name) for name in names]
            self._mean, self._std, self._slot = mean[at], std[at], names.index(self.target)
            self._told = features.width - len(names)
            self._floor = forecaster.floors_[0]
        else:
            self.inputs = (Tensor("table", "BYTES", (1,)),)
            self.outputs = (Tensor("time", "BYTES", (-1,)), Tensor("forecast", "FP64", (-1,)))
        _warm_up()

    def run(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """`past` (N, L, C) → `forecast` (N, K), or `table` (1,) → `time` and `forecast` (rows,)."""
        if not self._windows:
            reply = self.predict(Ask("table", table=inputs["table"][0].encode()))
            cells = list(zip(*reply.rows))
            place = list(reply.columns).index(self._named(reply.columns))
            time = np.array([*map(str, cells[list(reply.columns).index("time")]), None], dtype=object)[:-1]
            return {"time": time, "forecast": np.array(cells[place], dtype=np.float64)}
        past, features = inputs["past"], self._forecaster.features_
        level = past
        if features.transform is not None:
            level = past.copy()
            level[..., self._slot] = features.forward(past[..., self._slot])
        x = np.zeros((*past.shape[:2], past.shape[2] + self._told), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            x[..., : past.shape[2]] = (level - self._mean) / self._std
        if not np.isfinite(x).all():
            raise Problem(400, "past: the numbers lie too far from those of the training to be computed with.")
        with np.errstate(over="ignore", invalid="ignore"):
            raw = self._forecaster.network_(x, None).astype(np.float64)
        mean, std = self._mean[self._slot], self._std[self._slot]
        anchor = level[:, -1, self._slot][:, None] if self._forecaster.anchor_ == "last" else mean
        values = np.maximum(features.inverse(raw * std + anchor), self._floor)
        if not np.isfinite(values).all():
            raise Problem(400, "past: the forecast grows beyond all numbers from here; check the window's numbers.")
        return {"forecast": values}

    def predict(self, ask: Ask) -> Reply:
        """Forecast from the end of the table, or of the training data where nothing was sent."""
        if ask.kind not in self.takes:
            raise refusal(self, ask.kind)
        panel = None if ask.kind == "nothing" else self._panel(ask.table)
        options, model = ask.options, self._forecaster
        horizon = options.get("horizon")
        if isinstance(horizon, str) and (rows := model.frequency_.rows(horizon, "horizon")) > _FARTHEST:
            raise Problem(400, f"horizon: expected at most {_FARTHEST:,} rows, {horizon} are {rows:,}.")
        table = model.forecast(
            panel,
            horizon=horizon,
            levels=options.get("levels"),
            samples=options.get("samples"),
            seed=options.get("seed"),
        )
        columns: dict[str, Any] = dict(table.columns(self.target))
        columns["time"] = time_text(columns["time"], model.zone_)
        lists = {
            name: values.tolist() if isinstance(values, np.ndarray) else list(values)
            for name, values in columns.items()
        }
        wide = model.features_.roles.wide
        if "id" in lists and model.source_["id"] is None and len(set(lists["id"])) == 1:
            del lists["id"]  # a name that nobody gave
        rows = list(zip(*lists.values()))
        body: dict[str, Any] = {
            "target": self.target if wide is None else list(wide.targets),
            "forecast": [dict(zip(lists, row)) for row in rows],
            "notes": self._notes(panel, table),
        }
        if options.get("recent"):
            body["recent"] = self._recent(
                model.context_ if panel is None else panel, min(options["recent"], _MOST_RECENT)
            )
        return Reply(body, list(lists), rows)

    def open_stream(self) -> WindowStream | None:
        """A stream that forecasts anew from each row; None where the model reads more than the rows' numbers."""
        if not self._windows:
            return None
        return WindowStream(self.inputs[0].shape[1], tuple(self._forecaster.features_.roles.numeric_inputs))

    def about(self) -> dict[str, Any]:
        """With the columns, the steps and what a row is."""
        model = self._forecaster
        return {
            **super().about(),
            "target": self.target,
            "columns": list(model.columns_read_),
            "time": model.source_["time"],
            "row": model.frequency_.label,
            "horizon": model.window_spec_.horizon,
            "levels": list(model.levels),
        }

    def _named(self, columns: Any) -> str:
        return next(name for name in columns if name not in ("id", "time"))

    def _notes(self, panel: Any, table: Any) -> list[str]:
        quality = None if panel is None else panel.quality
        return [*([] if quality is None else quality.lines()), *table.notes]

    def _panel(self, data: bytes) -> Panel:
        """The rows that were sent, read as the training data was."""
        model, settings = self._forecaster, self._settings
        names = ("decimal", "thousands", "separator", "header")
        told = {name: settings[name] for name in names if settings.get(name) is not None}
        missing = _marks(settings.get("missing"))
        if is_columnar(data) or is_zip(data) or is_workbook(data):
            # A few bytes of these may stand for gigabytes, which a text can't.
            raise Problem(
                400, "The body: a table is taken as CSV or JSON here; save the workbook or Parquet file as CSV."
            )
        table = table_of(data, "body", form=Reading(**told, missing=missing, typed=True))
        time, roles = model.source_["time"], model.features_.roles
        table, id = with_series_names(table, model.source_["id"])
        if time is None and model.frequency_.kind != "step":  # fitted on a panel, whose columns of times had no name
            time = guess_time_column(table)
        columns = columns_of_table(model.columns_read_, roles.wide)
        panel = Panel.from_frame(table, time=time, id=id, columns=columns, **reading_of(model, columns))
        return long_again(panel, roles.wide)

    def _recent(self, panel: Any, rows: int) -> list[dict[str, Any]]:
        """The last known values of the first series, for a chart."""
        found: list[dict[str, Any]] = []
        for number, name in enumerate(panel.ids[:_MOST_SERIES]):
            series = panel.series(number)
            values = series.column(self.target)[-rows:]
            times = series.time[-rows:] if series.time is not None else series.tick[-rows:]
            cells = time_text(times, self._forecaster.zone_)
            held = [{"series": name, "time": c, "value": v} for c, v in zip(cells, values.tolist()) if np.isfinite(v)]
            found += held
        return found


def _marks(missing: Any) -> tuple[str, ...]:
    """The texts among the marks of missing cells that the training was told."""
    found = []
    for mark in missing.split(",") if isinstance(missing, str) else ():
        try:
            float(mark)
        except ValueError:
            found.append(mark.strip())
    return tuple(found)


def _no_windows(forecaster: Any) -> str | None:
    """Why windows of numbers alone don't give the forecast; None where they do."""
    if not hasattr(forecaster, "learned_"):
        return f"{forecaster.model} is no network"
    features = forecaster.features_
    if features.roles.wide is not None or (features.per_series and len(forecaster.context_.ids) > 1):
        return "each of its series has a scale of its own"
    if features.cycles or features.holidays is not None:
        return "it reads the calendar"
    if features.categories:
        return "it reads words"
    if features.future_width:
        return "it reads columns that are known in advance"
    if forecaster.anchor_ == "seasonal":
        return "its anchor lies a season back"
    if forecaster.network_.family is not None:
        return "it forecasts a distribution"
    return None


def _warm_up() -> None:
    """Read a small table, so that the first one that is sent doesn't wait for the packages that read tables."""
    with suppress(SeqloomError):  # without them the first table is told so
        Panel.from_frame(table_of(_FIRST_TABLE, "body", form=Reading(typed=True)), time="time")
