"""Training on the rows of a panel on disk, beside which a sample of them chooses, calibrates and is scored."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqloom_runtime.data import Panel
from seqloom_runtime.data.on_disk import SampledPanel, StoredPanel, sample
from seqloom_runtime.data.origin_set import DrawnOrigins
from seqloom_runtime.errors import SettingError
from seqloom_runtime.forecast.stored_rows import StoredRows, training_windows_of

from ..drawn_batches import DrawnBatches
from .batches import TrainingBatches
from .windowed import MOST_SCORED, Batch, ForecastData, future_known

__all__ = [
    "about_sample",
    "about_stored",
    "refuse_stored",
    "rows_in_memory",
    "sampled",
    "training_batches",
    "training_windows",
]

_ROW = 60  # bytes of a row and column of the sample that evaluation takes at most, its copies counted
_AHEAD = 4  # batches whose pages the disk is asked for before they are gathered
_MOST_ROWS, _LEAST_ROWS = 600_000, 16_384


def rows_in_memory(stored: StoredPanel, memory: int) -> int:
    """Rows of the sample that `memory` bytes allow, at most 600,000."""
    return min(_MOST_ROWS, max(_LEAST_ROWS, memory // 4 // (_ROW * (len(stored.columns) + 3))))


def sampled(stored: StoredPanel, memory: int, split: str | Sequence[str | float]) -> SampledPanel:
    """The sample that the models of a table on disk are chosen and scored on."""
    return sample(stored, rows_in_memory(stored, memory), split)


def about_sample(panel: Panel) -> str | None:
    """A sentence on what is made of a sample and what of all rows; None of a panel that is none."""
    if not isinstance(panel, SampledPanel) or panel.stored is None:
        return None
    whole = panel.stored
    if len(panel) == len(whole):
        return None
    return (
        f"Networks are trained on, and scaled by, all {len(whole):,} rows of {len(whole.ids):,} series; baselines are "
        f"fitted, and all models chosen, calibrated and scored, on {len(panel):,} rows of {len(panel.ids):,} series, "
        f"evenly taken, and at most {MOST_SCORED:,} windows of each part. The forecast is of these series; predict "
        "forecasts all."
    )


def about_stored(panel: Panel, refit: bool) -> list[str]:
    """What a run of a table on disk says of its rows: what a sample stands for, and that there is no refit."""
    if not isinstance(panel, SampledPanel):
        return []
    told = [] if (sample := about_sample(panel)) is None else [sample]
    return (
        [*told, "The best model is not fitted once more on all rows, as rows on disk are split once."]
        if refit
        else told
    )


def refuse_stored(data: Any, name: str, remedy: str) -> None:
    """Raise SettingError where `data` is a panel on disk, which `name` can't use."""
    if isinstance(data, (StoredPanel, SampledPanel)):
        raise SettingError(f"{name}: rows on disk are trained on up to one split alone; {remedy}.")


def training_windows(data: ForecastData) -> int:
    """How many windows train: of all rows, where the data is a sample of them."""
    panel = data.panel
    if not isinstance(panel, SampledPanel) or panel.stored is None:
        return len(data.train)
    return max(1, training_windows_of(panel.stored, data.spec, data.split))


def training_batches(
    data: ForecastData, anchor: str, batch_size: int, seed: int, units: bool = False
) -> TrainingBatches | StoredBatches:
    """The batches that train: of all rows on disk, where the data is a sample of them."""
    if isinstance(data.panel, SampledPanel):
        return StoredBatches(data, anchor, batch_size, seed, units)
    return TrainingBatches(data, anchor, batch_size, seed, units)


class StoredBatches(DrawnBatches):
    """As `TrainingBatches`, of windows gathered from arrays on disk."""

    def __init__(self, data: ForecastData, anchor: str, batch_size: int, seed: int, units: bool = False) -> None:
        self._data, self._anchor, self._units = _StoredData.of(data), anchor, units
        self._asked: deque[tuple[dict[str, int], np.ndarray]] = deque()
        super().__init__(DrawnOrigins(self._data.rows.origins, batch_size, seed))  # pyright: ignore[reportArgumentType]

    def __next__(self) -> Batch:
        while len(self._asked) <= _AHEAD:  # the disk reads these while the steps before them are computed
            place, origins = self._order.state(), next(self._order)
            self._data.rows.ask_for(origins)
            self._asked.append((place, origins))
        _, origins = self._asked.popleft()
        return self._data.batch(origins, self._anchor, self._units)

    def state(self) -> dict[str, int]:
        """Position in the order of the batch that comes next, whatever was asked for ahead of it."""
        return self._asked[0][0] if self._asked else super().state()

    def restore(self, state: Any) -> None:
        """Continue from `state`; raises FormatError where it is another order's."""
        super().restore(state)
        self._asked.clear()


class _StoredData(ForecastData):
    """The part of `ForecastData` that makes batches, over the arrays of all rows."""

    def __init__(self, rows: StoredRows) -> None:
        self.rows, self.features, self.spec, self.season = rows, rows.features, rows.spec, rows.season
        self.x, self.future, self.target = rows.x, rows.future, rows.target
        self.mean, self.std, self.measured = rows.mean, rows.std, rows.measured
        self._last, self._steps = rows._last, len(rows.spec.steps)

    @classmethod
    def of(cls, data: ForecastData) -> _StoredData:
        """Of a sample's data; made once for it."""
        made = data.__dict__.get("_stored")
        if made is None:
            panel, roles, spec = data.panel, data.features.roles, data.spec
            assert isinstance(panel, SampledPanel)
            assert panel.stored is not None

            def known(piece: Panel, origins: np.ndarray) -> np.ndarray:
                return future_known(piece, roles, spec, origins)

            rows = StoredRows(
                panel.stored, data.features, spec, data.season, data.split, known if roles.future else None
            )
            made = data.__dict__["_stored"] = cls(rows)
        return made

    def anchors(self, kind: str, origins: np.ndarray) -> np.ndarray:
        """As `StoredRows` has them."""
        return self.rows.anchors(kind, origins)

    def truth(self, origins: np.ndarray) -> np.ndarray:
        """The target's actual values (N, K), NaN at a step that was not measured."""
        rows = origins[:, None] + self.spec.steps
        found = np.asarray(self.target[rows])
        return found if self.rows.every_measured else np.where(self.measured[rows], found, np.nan)
