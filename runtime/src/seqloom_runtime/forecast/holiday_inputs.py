"""Holidays as inputs of a forecaster: known before and after the origin without any cell of the table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..data import Panel
from ..data.holidays import (
    KnownDays,
    check_holidays,
    days_known,
    holiday_features,
    holiday_names,
    holidays_version,
)
from ..errors import DataError, FormatError, shown

__all__ = ["HolidayInputs"]

_BEFORE, _AFTER = 366 * 10, 366 * 15  # days around the rows of a saved model whose holidays it holds


@dataclass(frozen=True)
class HolidayInputs:
    """The calendars read (`places`, as "DE,FR"), the inputs' names, and the version of the package of the fit.

    known: of a saved model, the days themselves, from years before its rows to years after them.
    """

    places: str
    names: tuple[str, ...]
    version: str
    known: KnownDays | None = None

    @classmethod
    def of(cls, places: str, panel: Panel) -> HolidayInputs:
        """For the rows of `panel`; raises SettingError for an unknown calendar or rows that have no date."""
        return cls(",".join(check_holidays(places)), holiday_names(panel.frequency), holidays_version())

    def rows(self, panel: Panel) -> np.ndarray:
        """The inputs by row: (R, names) float32. Raises DataError where the panel has no times."""
        if panel.time is None:
            raise DataError("The model reads holidays, but this data has no time column; name it with time=.")
        return holiday_features(panel.time, panel.zone, panel.frequency, self.places, self.known)

    def kept(self, panel: Panel) -> HolidayInputs:
        """The same with the days themselves, so that forecasts from rows such as those of `panel` need no package."""
        if panel.time is None or not len(panel.time):
            return self
        first, last = (int(day.astype("M8[D]").astype(np.int64)) for day in (panel.time.min(), panel.time.max()))
        return replace(self, known=days_known(self.places, first - _BEFORE, last + _AFTER))

    def notes(self) -> list[str]:
        """What the networks read, in a sentence."""
        return [
            f"Networks read the holidays of {self.places} (package holidays {self.version}), known for later rows too: "
            f"{', '.join(self.names)}."
        ]

    def forecast_notes(self) -> list[str]:
        """A sentence where the installed dates are of another version than the model learned from."""
        if self.known is not None:
            return []
        now = holidays_version()
        if now == self.version:
            return []
        return [
            f"The holidays of {self.places} are those of holidays {now}; the model was trained with {self.version}, "
            "whose dates may differ."
        ]

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        found = {"places": self.places, "names": list(self.names), "version": self.version}
        return found if self.known is None else {**found, "known": vars(self.known) | {"days": list(self.known.days)}}

    @classmethod
    def from_json(cls, value: Any) -> HolidayInputs:
        """The fields of `to_json`; raises FormatError where they are others."""
        known = value.get("known") if isinstance(value, Mapping) else None
        good = isinstance(value, Mapping) and {*value} - {"known"} == {"places", "names", "version"}
        good = good and all(isinstance(value[name], str) and len(value[name]) < 1000 for name in ("places", "version"))
        good = good and re.fullmatch(r"[A-Z0-9]+(-\w+)?(,[A-Z0-9]+(-\w+)?)*", value["places"]) is not None
        good = good and isinstance(value["names"], list) and 0 < len(value["names"]) <= 3
        if not good or not all(isinstance(name, str) for name in value["names"]):
            raise FormatError(f"features: holidays is {shown(value)}, which is not what this version writes.")
        return cls(value["places"], tuple(value["names"]), value["version"], _known(known))


def _known(value: Any) -> KnownDays | None:
    if value is None:
        return None
    good = isinstance(value, Mapping) and set(value) == {"first", "last", "days"} and isinstance(value["days"], list)
    whole: list[Any] = [value["first"], *value["days"], value["last"]] if good else [None]
    good = good and all(isinstance(day, int) and not isinstance(day, bool) and abs(day) < 10**6 for day in whole)
    if not good or whole != sorted(whole) or len(set(value["days"])) < len(value["days"]):
        raise FormatError(f"features: expected rising days under holidays.known, found {shown(value)}.")
    return KnownDays(value["first"], value["last"], tuple(value["days"]))
