"""A panel made ready for forecasting: windows, the split, and the arrays that models read and are scored on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from seqloom_runtime.data import Panel, Split, Windows, WindowSpec
from seqloom_runtime.data.equal_lengths import equal_lengths
from seqloom_runtime.data.on_disk import SampledPanel
from seqloom_runtime.errors import DataError, SettingError, TrainingError, shown
from seqloom_runtime.forecast.features import Features
from seqloom_runtime.forecast.holiday_inputs import HolidayInputs
from seqloom_runtime.forecast.known_rows import observed, observed_part
from seqloom_runtime.forecast.roles import Roles
from seqloom_runtime.forecast.rows import WindowRows
from seqloom_runtime.forecast.stored_rows import whole_features
from seqloom_runtime.statistical.target_history import baseline_forecast
from seqloom_runtime.tables import TimeUnit, time_text, time_unit

from ...diagnostics import BASELINES, Baseline, TargetHistory, mase_scale, rmsse_scale
from .bounded import is_intermittent
from .masking import masked_note
from .scored import rows_apart, spaced

__all__ = ["MOST_SCORED", "Batch", "ForecastData", "future_known"]

_UNMADE = (DataError, TrainingError)
MOST_SCORED = 20_000
"""Windows of a sample of rows on disk that choose and calibrate, and that are scored, at most: evenly taken."""
_CHECKED = 1 << 17  # windows that are looked at at once

Batch = tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]
"""x (B, L, I), future (B, K, F) or None, y (B, K): the standardised target less its anchor, NaN where not measured."""


@dataclass(eq=False)
class ForecastData(WindowRows):
    """Everything that the models of one comparison share.

    Row arrays run over the rows R of `panel`, which ends with the last observed target; `whole` has the later rows of
    columns known in advance too. Origins are row numbers. `choose` are the validation windows that may choose weights
    and models; rows from tick `calibrate_from` to the end of the validation part set the intervals and nothing else.
    `chosen` says which lengths were chosen for the table. Origins that are scored lie `apart` rows from each other.
    """

    panel: Panel
    whole: Panel
    features: Features
    windows: Windows
    split: Split
    season: float | None
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    choose: np.ndarray
    calibrate_from: int
    train_rows: np.ndarray
    chosen: tuple[str, ...] = ()
    transform: str | None = None
    apart: int = 1

    @classmethod
    def prepare(
        cls,
        whole: Panel,
        roles: Roles,
        spec: WindowSpec,
        split: str | Sequence[float],
        *,
        calendar: bool,
        flags: bool,
        per_series: bool,
        season: float | None,
        holidays: str | None = None,
        chosen: Sequence[str] = (),
        transform: str | None = None,
    ) -> ForecastData:
        """Fit the data side on the training rows and list the windows of each part.

        Raises SettingError and DataError where a part has no window.
        """
        whole = whole.select(roles.columns)
        panel = observed_part(whole, roles.target)
        bounds = Split.make(panel, split)
        train_rows = panel.tick < bounds.train_end
        _check_scales(panel, roles, train_rows & observed(panel, roles.target), per_series)
        days = None if holidays is None else HolidayInputs.of(holidays, panel)
        features = Features(roles, calendar, flags, per_series, holidays=days, transform=transform).fit(
            panel, train_rows
        )
        features = whole_features(features, panel, bounds)
        windows = Windows(panel, spec, target=roles.target, inputs=roles.inputs)
        parts = windows.split(bounds)
        origins = {"training": parts.train, "validation": parts.valid, "test": parts.test}
        if roles.future:
            origins = {name: future_known(panel, roles, spec, part) for name, part in origins.items()}
            for name in ("training", "validation"):
                if not len(origins[name]):
                    raise SettingError(
                        f"future: no {name} window has all of {', '.join(map(repr, roles.future))} at the rows that it "
                        "forecasts; fill these columns, or leave them out."
                    )
        origins = _thinned(panel, origins)
        apart = 1 if isinstance(panel, SampledPanel) else rows_apart(panel, spec, bounds, season)
        for name in ("validation", "test"):
            origins[name] = spaced(panel, spec, origins[name], apart)
        choose, calibrate_from = _thirds(panel, spec, bounds, origins["validation"])
        return cls(
            panel=panel,
            whole=whole,
            features=features,
            windows=windows,
            split=bounds,
            season=season,
            train=origins["training"],
            valid=origins["validation"],
            test=origins["test"],
            choose=choose,
            calibrate_from=calibrate_from,
            train_rows=train_rows,
            transform=transform,
            chosen=tuple(chosen),
            apart=apart,
        )

    def __post_init__(self) -> None:
        self.arrange(self.windows.spec, self.train_rows)
        self._others: dict[tuple[str | None, bool], ForecastData] = {}
        self._kept: dict[Baseline, np.ndarray] = {}
        self.made: dict[Baseline, list[tuple[np.ndarray, np.ndarray, str]]] = {}
        self.fits: dict[str, dict[str, Any]] = {}  # by model, of statistical methods that a worker fitted (made_fits)
        self._in_samples: dict[tuple[str, int | None], float | None] = {}

    def transformed(self, kind: str | None, ahead: bool = False) -> ForecastData:
        """The same windows with the target's transform `kind`, fitted on the same training rows; made once. `ahead`:
        with the calendar among what is known in advance.

        Raises SettingError where the training rows don't allow it.
        """
        ahead = ahead and self.features.calendar
        if (kind, ahead) == (self.transform, self.features.calendar_ahead):
            return self
        if (kind, ahead) not in self._others:
            fresh = replace(self.features, scaler=None, cycles=(), flagged=(), left_out=(), categories=())
            fresh = replace(fresh, transform=kind, calendar_ahead=ahead).fit(self.panel, self.train_rows)
            fresh = whole_features(fresh, self.panel, self.split)
            self._others[kind, ahead] = replace(self, features=fresh, transform=kind)
        return self._others[kind, ahead]

    def part(self, name: str) -> np.ndarray:
        """The origins of `train`, `valid` or `test`: (N,) row numbers."""
        return {"train": self.train, "valid": self.valid, "test": self.test}[name]

    def scored(self, origins: np.ndarray) -> np.ndarray:
        """Those of the origins (N,) that are scored: all, but for a panel of very many (`scored.rows_apart`)."""
        return spaced(self.panel, self.spec, origins, self.apart)

    def _thinned(self) -> str:
        count = len(self.valid) + len(self.test)
        return (
            "The windows behind the training rows are too many to score each: those whose origins lie "
            f"{self.apart} rows apart are scored and calibrate the intervals, {count:,} in validation and test."
        )

    def row_texts(self, rows: np.ndarray) -> np.ndarray:
        """The times of `rows` (…) as files write them, or their numbers: texts, in the same shape."""
        ticks, place = np.unique(self.panel.tick[rows], return_inverse=True)  # of long series few are written
        times = ticks if self.panel.time is None else self.panel.frequency.times(ticks)
        texts = np.array(time_text(times, self.panel.zone, unit=self._time_unit), dtype=object)
        return texts[place.reshape(np.shape(rows))]

    @cached_property
    def _time_unit(self) -> TimeUnit:
        """What all times of the panel are whole in."""
        panel = self.panel
        return "s" if panel.time is None else time_unit(panel.frequency.times(panel.ticks))

    @cached_property
    def intermittent(self) -> bool:
        """Whether a quarter or more of the training rows are 0 and none is below."""
        return is_intermittent(self.target[self.train_rows & self.measured])

    @property
    def target_scale(self) -> float:
        """Standard deviation of the target's training rows: the scaler's, or over all series where each has its own."""
        if self.own_units:
            return 1.0
        if not self.features.per_series and self.features.transform is None:
            return float(self.std[0])
        rows = self.train_rows & observed(self.panel, self.features.roles.target)
        return float(self.target[rows].std()) or 1.0

    @cached_property
    def mase_scale(self) -> float | None:
        """In-sample error of the seasonal naive forecast where the training rows hold a season, else of the naive."""
        return self.mase_scale_of()

    def mase_scale_of(self, place: int | None = None) -> float | None:
        """`mase_scale` of all series, or of those of the target at `place` among several, in its own unit."""
        return self._in_sample(mase_scale, place)

    def rmsse_scale_of(self, place: int | None = None) -> float | None:
        """As `mase_scale_of`, of squared errors."""
        return self._in_sample(rmsse_scale, place)

    def _in_sample(self, measure: Callable[[TargetHistory, float], float], place: int | None) -> float | None:
        key = measure.__name__, place
        if key not in self._in_samples:
            self._in_samples[key] = self._measured_in_sample(measure, place)
        return self._in_samples[key]

    def _measured_in_sample(self, measure: Callable[[TargetHistory, float], float], place: int | None) -> float | None:
        history, wide = self.history, self.features.roles.wide
        if place is not None and wide is not None:
            own = wide.places(self.panel) == place
            history = replace(history, values=np.where(own, history.values, np.nan))
        elif self.own_units:
            history = replace(history, values=history.values / np.asarray(self.std))
        for season in (self.season or 1.0, 1.0):
            try:
                return measure(history, season)
            except DataError:  # no two training rows are a season apart
                continue
        return None

    def truth(self, origins: np.ndarray) -> np.ndarray:
        """The target's actual values: (N, K) float64, in its own unit; NaN at a step that was not measured."""
        rows = origins[:, None] + self.spec.steps
        return self.target[rows] if self.measured.all() else np.where(self.measured[rows], self.target[rows], np.nan)

    def forecasts_of(self, baseline: Baseline, origins: np.ndarray) -> np.ndarray:
        """The forecasts of a fitted baseline at the origins: (N, K) in the target's unit, NaN where it has none.

        Those of a statistical method, which cost, are made once for all windows that are scored, and kept.
        """
        kind = BASELINES.get(baseline.name)
        if kind is None or not kind.statsmodels:
            return baseline_forecast(baseline, self.history, origins, self.spec.steps)
        every = self.windows.origins
        held = self.scored(every[self.panel.tick[every] + self.spec.steps[0] >= self.split.train_end])
        if not len(held) or not np.isin(origins, held).all():
            return self._made(baseline, origins)
        if baseline not in self._kept:
            self._kept[baseline] = self._made(baseline, held)
        return self._kept[baseline][np.searchsorted(held, origins)]

    def _made(self, baseline: Baseline, origins: np.ndarray) -> np.ndarray:
        """The forecasts (N, K) of a statistical method at the origins, and its note of them, both made once."""
        for known, forecasts, note in self.made.get(baseline, ()):
            if np.array_equal(known, origins):
                baseline.note = note
                return forecasts
        forecasts = self._safely_made(baseline, origins)
        self.made.setdefault(baseline, []).append((origins, forecasts, baseline.note))
        return forecasts

    def _safely_made(self, baseline: Baseline, origins: np.ndarray) -> np.ndarray:
        """The forecasts (N, K) at the origins; where those from the test part's fail, NaN there alone, as no row of the
        test may decide which models there are to choose from."""
        steps = self.spec.steps
        try:
            return baseline_forecast(baseline, self.history, origins, steps)
        except _UNMADE:
            found = np.full((len(origins), len(steps)), np.nan)
            before = self.panel.tick[origins] + int(steps[0]) < self.split.valid_end
            found[before] = baseline_forecast(baseline, self.history, origins[before], steps)
            return found

    def notes(self) -> list[str]:
        """What the preparation decided, in sentences."""
        origins = np.concatenate([self.train, self.valid, self.test])
        masked, steps = 0, len(origins) * len(self.spec.steps)
        if not self.measured.all():
            for chunk in self.chunks(origins, _CHECKED):
                masked += int((~self.measured[chunk[:, None] + self.spec.steps]).sum())
        roles = self.features.roles
        what = shown(roles.target) if roles.wide is None else "value of their target"
        found = [*self.chosen, *self.features.notes(), *masked_note(what, self.measured, masked, steps)]
        if self.apart > 1:
            found.append(self._thinned())
        if self.intermittent:
            rows = self.train_rows & self.measured
            found.append(
                f"{100 * (self.target[rows] == 0).mean():.0f} % of the training rows are 0: models are chosen by "
                "squared errors, which ask for the mean, where absolute ones ask for the median, which is mostly 0."
            )
        return found

    @property
    def own_units(self) -> bool:
        """Whether errors are counted in standard deviations, as there are several targets whose units may differ."""
        return self.features.roles.wide is not None and self.features.per_series

    def unit(self, origins: np.ndarray) -> np.ndarray:
        """What errors of windows are divided by before they are pooled: (N, 1), or (1, 1) of one for one unit."""
        return self.std[origins][:, None] if self.own_units else np.ones((1, 1))

    def choosing_unit(self, origins: np.ndarray) -> np.ndarray:
        """What errors are divided by where they choose: `unit`, or where each of several series has a scale of its own
        the mean step of its training rows, so that the largest series does not choose alone: (N, 1), or (1, 1)."""
        if self.own_units or not self.features.per_series or len(self.panel.ids) < 2:
            return self.unit(origins)
        return self._mean_steps[self.panel.series_of(origins)][:, None]

    @cached_property
    def _mean_steps(self) -> np.ndarray:
        """The mean absolute change from one training row to the next, by series; of a series without any its scale."""
        known, offsets = self.train_rows & self.measured, self.panel.offsets
        pairs = known[1:] & known[:-1]
        pairs[offsets[1:-1][(offsets[1:-1] > 0) & (offsets[1:-1] < len(known))] - 1] = False
        at = np.flatnonzero(pairs)
        steps, number = np.abs(self.target[at + 1] - self.target[at]), np.diff(np.searchsorted(at, offsets))
        found = np.zeros(len(self.panel.ids))
        for which, place in equal_lengths(number):
            found[which] = steps[place].mean(axis=1)
        some, lacking = np.diff(offsets) > 0, found == 0
        found[lacking & ~some] = 1.0
        found[lacking & some] = self.std[offsets[:-1][lacking & some]]
        return found

    def scaled_truth(self, anchor: str, origins: np.ndarray) -> np.ndarray:
        """What a network's output should be: (N, K) float64, NaN at a step that was not measured."""
        return (self.features.forward(self.truth(origins)) - self.anchors(anchor, origins)) / self.std[origins][:, None]

    def inputs(self, origins: np.ndarray) -> tuple[torch.Tensor, torch.Tensor | None]:
        """x (N, L, I) and future (N, K, F) of the windows, float32."""
        x, future = self.windows_at(origins)
        return torch.from_numpy(x), None if future is None else torch.from_numpy(future)

    def batch(self, origins: np.ndarray, anchor: str, units: bool = False) -> Batch:
        """The tensors of one training batch; with `units` the last is (B, K, 3), with offset and unit behind y."""
        return *self.inputs(origins), torch.from_numpy(self.targets(origins, anchor, units))

    def targets(self, origins: np.ndarray, anchor: str, units: bool = False) -> np.ndarray:
        """The last of a training batch: (B, K) or (B, K, 3) float32."""
        y = self.scaled_truth(anchor, origins)
        if units:
            y = np.stack([y, *self.units_of(anchor, origins)], axis=2)
        return y.astype(np.float32)

    def signature(self) -> dict[str, Any]:
        """What identifies the windows and their arrays, as JSON values."""
        return {
            "data": self.panel.fingerprint(),
            # As version 0.1.0 wrote it where nothing is missing, so that its runs go on.
            "features": {**self.features.to_json(), "flags": bool(self.features.flagged)},
            "windows": asdict(self.spec),
            "split": [self.split.train_end, self.split.valid_end],
            "season": self.season,
        }


def _check_scales(panel: Panel, roles: Roles, known: np.ndarray, per_series: bool) -> None:
    """Raise DataError where one of several targets has no value in the training rows to be scaled by."""
    if roles.wide is None or not per_series:
        return
    counts = np.bincount(panel.series_index[known], minlength=len(panel.ids))
    if not counts.all():
        owner, name = roles.wide.parts(panel.ids[int(np.flatnonzero(counts == 0)[0])])
        of = f" of series {shown(owner)}" if owner else ""
        raise DataError(
            f"The target {shown(name)}{of} has no measured value in the training rows, so its scale is unknown; leave "
            "it out of the targets, move the split, or scale all targets together (scaling='pooled')."
        )


def _thinned(panel: Panel, origins: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The origins of each part; of a sample at most `MOST_SCORED` that validate and as many that test."""
    if not isinstance(panel, SampledPanel):
        return origins
    steps = {name: 1 if name == "training" else -(-len(part) // MOST_SCORED) or 1 for name, part in origins.items()}
    return {name: part[:: steps[name]] for name, part in origins.items()}


def future_known(panel: Panel, roles: Roles, spec: WindowSpec, origins: np.ndarray) -> np.ndarray:
    """The origins whose columns known in advance are there at every row that is forecast."""
    at = panel.positions(roles.future)
    missing = np.flatnonzero(~np.isfinite(panel.values[:, at]).all(axis=1))
    return origins[~np.isin(origins[:, None] + spec.steps, missing).any(axis=1)]


def _thirds(panel: Panel, spec: WindowSpec, split: Split, valid: np.ndarray) -> tuple[np.ndarray, int]:
    """The validation windows before the last third of the validation rows, and the tick at which that third begins.

    Where no window fits before it, all windows choose and no row calibrates.
    """
    ticks = panel.ticks[(panel.ticks >= split.train_end) & (panel.ticks < split.valid_end)]
    if len(ticks) >= 3:
        calibrate_from = int(ticks[len(ticks) - len(ticks) // 3])
        choose = valid[panel.tick[valid + spec.steps[-1]] < calibrate_from]
        if len(choose):
            return choose, calibrate_from
    return valid, split.valid_end
