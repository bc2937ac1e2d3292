"""The windows of a comparison for each of its forecasters: those that read further back have windows of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data import Panel
from seqloom_runtime.errors import SeqloomError, SettingError

from .settings import own_scales, season_rows, window_spec
from .windowed import ForecastData

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["PreparedData"]


class PreparedData:
    """Data prepared once for each way in which forecasters read the same panel."""

    def __init__(self, panel: Panel, usual: ForecastData) -> None:
        """`usual`: the data that most of them read, whose windows are scored."""
        self._panel, self._usual = panel, usual
        self._made: dict[tuple[Any, ...], ForecastData] = {}

    def of(self, forecaster: Forecaster) -> ForecastData:
        """The data for a forecaster; raises SettingError where its windows are not those that are scored."""
        key, usual = self._key(forecaster), self._usual
        features = usual.features
        holidays = None if features.holidays is None else forecaster.holidays
        if key == (usual.spec, usual.season, features.calendar, features.flags, features.per_series, holidays):
            return usual
        if key not in self._made:
            roles = features.roles
            made = forecaster.prepare(self._panel, target=roles.target, inputs=roles.inputs, future=roles.future)
            self._check(made, forecaster)
            self._made[key] = made
        return self._made[key]

    def suits(self, forecaster: Forecaster) -> bool:
        """Whether `of` has data for it."""
        try:
            self.of(forecaster)
        except SeqloomError:
            return False
        return True

    def _key(self, forecaster: Forecaster) -> tuple[Any, ...]:
        frequency = self._panel.frequency
        return (
            window_spec(forecaster, frequency, self._usual.spec),
            season_rows(forecaster, frequency),
            forecaster.calendar,
            forecaster.missing_flags,
            own_scales(forecaster, self._panel),
            forecaster.holidays,
        )

    def _check(self, made: ForecastData, forecaster: Forecaster) -> None:
        usual = self._usual
        same = len(made.panel.values) == len(usual.panel.values)
        for part in ("valid", "test", "choose"):
            mine, theirs = (getattr(each, part) for each in (made, usual))
            same = same and np.array_equal(mine, theirs)
        if not same:
            raise SettingError(
                f"lookback: with {forecaster.lookback} rows other windows would be scored than those of the other "
                "models; take a shorter one."
            )
