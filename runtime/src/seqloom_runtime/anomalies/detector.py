"""`AnomalyPredictor`: a score and a flag for every row of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..data import Frequency, Panel, Standardizer
from ..data.unframed import as_table
from ..forecast.frames import READING, as_panel, check_grid, frame_kind
from ..untrained import Predictor
from .errors import errors_of
from .found import Anomalies
from .rows import Rows

__all__ = ["READ", "AnomalyPredictor"]

READ = tuple(name for name in READING if name not in ("categories", "static"))
"""The parameters of a detector that say how a table is read."""


@dataclass(frozen=True, eq=False, repr=False)
class AnomalyPredictor(Predictor):
    """Scores rows by how badly they can be drawn again, and flags the worst.

    reading: the parameters `READ`. columns: F names. source: what the table of the fit was like. window: in rows.
    spread: (F,) the usual squared errors. threshold: what the score of an anomalous row exceeds. online: a row is
    scored by the window that ends in it.
    """

    model: Any
    reading: Mapping[str, Any]
    columns: tuple[str, ...]
    scaler: Standardizer
    window: int
    frequency: Frequency
    zone: str | None
    source: Mapping[str, Any]
    spread: np.ndarray
    threshold: float
    online: bool = False
    notes: Sequence[str] = field(default=())

    def detect(self, data: Any) -> Anomalies:
        """The scores and flags of rows like those of the fit; raises DataError where they are others."""
        panel = self.read(data)
        errors = errors_of(self.model, Rows.of(panel, self.scaler), self.window, online=self.online)
        return Anomalies.of(panel, errors, self.spread, self.threshold)

    def predict(self, data: Any) -> Any:
        """The same kind of frame as came in (a dictionary of arrays for anything else): id and time, score, threshold,
        flagged.

        The score is NaN where a row has no value, or where no window covers it, and the row isn't flagged. Raises
        DataError where the rows are others than those of the fit.
        """
        return self.detect(data).to_frame(self.source, self.zone, frame_kind(data))

    def read(self, data: Any, labels: str | None = None) -> Panel:
        """The rows as a panel, on the grid of the fit; labels: a column beside those of the fit."""
        columns = self.columns if labels is None else (*self.columns, labels)
        if not isinstance(data, Panel):
            data, _ = as_table(data, self.source["time"])
            found: dict[str, Any] = {}
            if not isinstance(data, np.ndarray):
                found = {"time": self.source["time"], "id": self.source["id"], "columns": columns}
            data = as_panel(data, **found, **self.how_read())
        check_grid(data, self.frequency)
        return data.select(columns)

    def how_read(self) -> dict[str, Any]:
        """How new rows are read: as those of the fit, on their grid."""
        found = dict(self.reading)
        found["season"] = found["season"] if found["fill"] == "season" else None
        form = self.source.get("time_format") or found["time_format"]
        return {**found, "zone": self.zone, "frequency": self.frequency, "time_format": form}
