"""The rows of a table with their scores: what a detector says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import Panel
from ..data.series_names import split_names
from ..forecast.frames import FRAME_KINDS
from .errors import scores_of

__all__ = ["Anomalies"]


@dataclass(frozen=True, eq=False)
class Anomalies:
    """panel: the R rows that were looked at. score: (R,), NaN where there is none. threshold: flagged is what exceeds
    it. flagged: (R,) bool. column: (R,) the place among the panel's columns of the one that adds most to the score, −1
    where there is no score."""

    panel: Panel
    score: np.ndarray
    threshold: float
    flagged: np.ndarray
    column: np.ndarray

    @classmethod
    def of(cls, panel: Panel, errors: np.ndarray, spread: np.ndarray, threshold: float) -> Anomalies:
        """From squared errors (R, F) and the usual ones (F,)."""
        score = scores_of(errors, spread)
        shares = np.where(np.isfinite(errors), errors / spread, -1.0)
        column = np.where(np.isfinite(score), shares.argmax(axis=1), -1)
        return cls(panel, score, threshold, np.nan_to_num(score, nan=-np.inf) > threshold, column)

    def columns(self, source: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """By name, each (R,): id columns where the data had them, time, score, threshold, flagged, and of several
        columns the one that adds most."""
        panel = self.panel
        id = source["id"] or (None if panel.ids == ("",) else "id")
        time = source["time"] or ("step" if panel.time is None else "time")
        found: dict[str, np.ndarray] = {}
        if id is not None:
            found |= split_names(id, np.array(panel.ids, dtype=object)[panel.series_index])
        found[time] = panel.tick if panel.time is None else panel.time
        found |= {"score": self.score, "threshold": np.full(len(panel), self.threshold), "flagged": self.flagged}
        if len(panel.columns) > 1:
            found["column"] = np.array([*panel.columns, ""], dtype=object)[self.column]
        return found

    def to_frame(self, source: Mapping[str, Any], zone: str | None, kind: str) -> Any:
        """As a frame of `kind` (pandas, polars or pyarrow), or as a dictionary of arrays for anything else.

        source: what the table of the fit was like; zone: of its times.
        """
        columns = self.columns(source)
        if kind not in FRAME_KINDS:
            return columns
        import narwhals as nw

        columns = {name: values.tolist() if values.dtype == object else values for name, values in columns.items()}
        frame = nw.from_dict(columns, backend=kind)
        time = source["time"]
        if self.panel.time is not None and zone is not None:
            frame = frame.with_columns(nw.col(time).dt.replace_time_zone("UTC").dt.convert_time_zone(zone))
        return frame.to_native()
