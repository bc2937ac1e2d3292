"""The rows of a panel as a fitted forecaster reads them: inputs, anchors, units, and forecasts at any of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Panel, WindowSpec
from ..gather import gather_windows
from ..statistical.baselines import SeasonalNaive
from ..statistical.target_history import baseline_forecast
from .features import Features
from .known_rows import history_of, last_measured, observed

if TYPE_CHECKING:
    from .families import Family

__all__ = ["WindowRows", "forecast_with", "knots_with"]

_CHUNK = 512  # windows that a network reads at once
_CHECKED = 1 << 17  # windows that are looked at at once


class WindowRows:
    """The float arrays that networks read of a panel's rows R, and what turns their outputs into the target's unit.

    x (R, I) and future (R, F) or None, float32; target (R,), mean and std of it, read by row; `history` as baselines
    read it; `measured` (R,) bool. Origins are row numbers.
    """

    panel: Panel
    features: Features
    season: float | None
    spec: WindowSpec

    def __init__(self, panel: Panel, features: Features, spec: WindowSpec, season: float | None) -> None:
        self.panel, self.features, self.season = panel, features, season
        self.arrange(spec, np.zeros(len(panel.tick), bool))

    def arrange(self, spec: WindowSpec, train_rows: np.ndarray) -> None:
        """Make the arrays; `train_rows` (R,) bool are those that baselines may be fitted on."""
        scaled = self.features.scaled(self.panel)
        self.x = self.features.inputs(self.panel, scaled)
        self.future = self.features.future(self.panel, scaled)
        self.target = np.ascontiguousarray(self.panel.column(self.features.roles.target), dtype=np.float64)
        self.mean, self.std = self.features.target_moments(self.panel)
        self.measured = observed(self.panel, self.features.roles.target)
        shared = self.target.view() if self.measured.all() else None  # which nothing has to be carried into
        if shared is not None:
            shared.flags.writeable = False
        self.history = history_of(self.panel, self.features.roles.target, train_rows, column=shared)
        self._last = last_measured(self.target, self.measured, self.history.start)
        self.spec, self._steps = spec, len(spec.steps)

    def anchors(self, kind: str, origins: np.ndarray) -> np.ndarray:
        """What the output is added to, (N, K), before scaling: `last`, `seasonal`, or the mean for `none`."""
        if kind == "last":
            return np.broadcast_to(self.features.forward(self._last[origins])[:, None], (len(origins), self._steps))
        if kind == "seasonal":
            naive = SeasonalNaive(self.season or 1)
            return self.features.forward(baseline_forecast(naive, self.history, origins, self.spec.steps))
        return np.broadcast_to(self.mean[origins][:, None], (len(origins), self._steps))

    def unscaled(self, output: np.ndarray, anchor: str, origins: np.ndarray) -> np.ndarray:
        """A network's output (N, K) in the target's unit."""
        return self.features.inverse(output * self.std[origins][:, None] + self.anchors(anchor, origins))

    def units_of(self, anchor: str, origins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What makes a network's output an absolute value, (N, K) each: the anchor over the standard deviation, which
        is added, and that deviation, by which it is multiplied."""
        std = np.broadcast_to(self.std[origins][:, None], (len(origins), len(self.spec.steps)))
        return self.anchors(anchor, origins) / std, np.array(std)

    def windows_at(self, origins: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """x (N, L, I) and future (N, K, F) of the windows, float32."""
        spec, offsets = self.spec, self.spec.input_offsets
        x = gather_windows(self.x, origins, int(offsets[0]), len(offsets), spec.every)
        if self.future is None:
            return x, None
        first, stride = int(spec.steps[0]), spec.every if len(spec.steps) > 1 else 1
        return x, gather_windows(self.future, origins, first, len(spec.steps), stride)

    def anchored(self, kind: str, origins: np.ndarray) -> np.ndarray:
        """Those of the origins (N,) that have the anchor at all of their steps."""
        parts = [np.isfinite(self.anchors(kind, chunk)).all(axis=1) for chunk in self.chunks(origins, _CHECKED)]
        return origins[np.concatenate(parts)] if parts else origins

    def chunks(self, origins: np.ndarray, size: int = _CHUNK) -> Iterator[np.ndarray]:
        """The origins in order, `size` at a time."""
        for start in range(0, len(origins), size):
            yield origins[start : start + size]


def forecast_with(network: Any, rows: WindowRows, anchor: str, origins: np.ndarray) -> np.ndarray:
    """Forecasts of a network at the origins in the target's unit: (N, K) float64."""
    family: Family | None = network.family
    output = _run(network, rows, origins)
    if family is None:
        return rows.unscaled(output, anchor, origins)
    units = rows.units_of(anchor, origins) if family.counted else ()
    return rows.unscaled(family.centre(output, *units[:1]), anchor, origins)


def knots_with(network: Any, rows: WindowRows, anchor: str, origins: np.ndarray) -> np.ndarray:
    """The quantiles of a network's forecast distributions in the target's unit: (N, K, J) at `LEVELS`."""
    knots = network.family.knots(_run(network, rows, origins), *rows.units_of(anchor, origins))
    return np.stack([rows.unscaled(each, anchor, origins) for each in np.moveaxis(knots, 2, 0)], axis=2)


def _run(network: Any, rows: WindowRows, origins: np.ndarray) -> np.ndarray:
    """The network's raw output over the windows: (N, K) float64, standardised and without its anchor, or (N, K, P)."""
    family: Family | None = network.family
    shape = (0, len(rows.spec.steps)) if family is None else (0, len(rows.spec.steps), family.outputs)
    parts = [np.empty(shape, dtype=np.float64)]
    parts += [network(*rows.windows_at(chunk)).astype(np.float64) for chunk in rows.chunks(origins)]
    return np.concatenate(parts)
