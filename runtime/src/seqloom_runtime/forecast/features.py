"""The data side of a forecaster: which columns play which part, scaled by statistics of the training rows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from ..data import Panel, Standardizer, calendar_features, repeating_cycles, usable_cycles
from ..data.by_series import BySeries
from ..data.calendar import CYCLES
from ..data.equal_lengths import equal_lengths
from ..data.wide import Wide
from ..errors import DataError, FormatError, SettingError, shown
from .category_inputs import Category, fit_category, later_fields, notes_of
from .finite import check_standardised
from .holiday_inputs import HolidayInputs
from .missing_inputs import LONGEST, missing_cells, missing_inputs, missing_notes
from .roles import Roles
from .transforms import Transform, fit_transform

__all__ = ["Features", "Roles"]


@dataclass
class Features:
    """Turns a panel into the float32 arrays that a network reads; fitted on the training rows only.

    `calendar` adds sine and cosine of those cycles (day, week, year) that the training rows cover at least twice and
    that the target repeats there (`seqloom.data.repeating_cycles`), and puts the others into `left_out`; `flags` adds
    one 0/1 input per column that was missing somewhere in the training rows, and (`since`, as models saved by version
    0.1.0 lack) the time since its last value; `per_series` scales each series by its own mean and standard deviation,
    but for static columns, which would all become 0. Columns of words are no numbers to scale: `categories` has the
    inputs of each; `holidays` are known ahead, and with `calendar_ahead` so are the cycles. `transform`, "log" or
    "box-cox", is of the target, before it is scaled.
    """

    roles: Roles
    calendar: bool = False
    flags: bool = False
    per_series: bool = False
    cycles: tuple[str, ...] = ()
    flagged: tuple[str, ...] = ()
    scaler: Standardizer | None = field(default=None, repr=False)
    left_out: tuple[str, ...] = ()
    since: bool = True
    holidays: HolidayInputs | None = None
    categories: tuple[Category, ...] = ()
    transform: str | Transform | None = None
    unscaled: tuple[str, ...] = ()
    calendar_ahead: bool = False

    def fit(self, panel: Panel, train_rows: np.ndarray) -> Features:
        """Fit scaler, cycles and flags on the rows where `train_rows` (R,) is True."""
        panel = panel.select(self.roles.columns)
        if isinstance(self.transform, str):
            target = panel.columns.index(self.roles.target)
            known = train_rows & ~panel.filled[:, target] & np.isfinite(panel.values[:, target])
            self.transform = fit_transform(self.transform, panel.values[known, target], self.roles.target)
        panel = self._transformed(panel)
        self.scaler = self._scaler(panel, train_rows)
        self.categories = tuple(fit_category(panel, name, train_rows) for name in self.roles.categories)
        if self.calendar:
            if panel.time is None:
                raise SettingError("calendar: the data has no time column, so there is no time of day, week or year.")
            times = panel.time[train_rows]
            usable = usable_cycles(panel.frequency, times.min(), times.max())
            tested = panel
            if self.roles.wide is not None:  # targets of unlike units count alike
                tested = replace(panel, values=self._standardised(panel))
            self.cycles = repeating_cycles(tested, self.roles.target, train_rows, usable)
            self.left_out = tuple(cycle for cycle in usable if cycle not in self.cycles)
        if self.flags:
            touched = np.any(missing_cells(panel, self.roles.numeric_inputs)[train_rows], axis=0).tolist()
            self.flagged = tuple(name for name, missed in zip(self.roles.numeric_inputs, touched) if missed)
        return self

    def _scaler(self, panel: Panel, train_rows: np.ndarray) -> Standardizer:
        roles = self.roles
        scaler = Standardizer(per_series=self.per_series).fit(panel.select(roles.numeric), train_rows)
        if not self.per_series:
            return scaler
        lacking: np.ndarray = ~np.isfinite(np.asarray(scaler.mean))  # a series, or a column of it, without a value
        self.unscaled = tuple(panel.ids[at] for at in np.flatnonzero(lacking.any(axis=1)))
        lacking[:, [roles.numeric.index(name) for name in roles.static if name in roles.numeric]] = True
        if lacking.any():
            pooled = Standardizer().fit(panel.select(roles.numeric), train_rows)
            scaler.mean = np.where(lacking, np.asarray(pooled.mean), np.asarray(scaler.mean))
            scaler.std = np.where(lacking, np.asarray(pooled.std), np.asarray(scaler.std))
        return scaler

    def notes(self) -> list[str]:
        """What `fit` decided, in sentences."""
        found = [*self.roles.notes(), *notes_of(self.categories), *missing_notes(self.flagged, self.roles.wide)]
        found += self.holidays.notes() if self.holidays else []
        if self.roles.wide is not None and self.per_series:
            found.append(
                "Each target is standardised by its own training rows, as their units may differ (scaling='pooled' "
                "takes all together); errors over all targets are in standard deviations (σ)."
            )
        if self.unscaled:
            few = ", ".join(map(shown, self.unscaled[:3])) + (", …" if len(self.unscaled) > 3 else "")
            found.append(
                f"Series without training rows of their own ({few}) are scaled by those of all series; a longer "
                "training part (split) would hold some."
            )
        if isinstance(self.transform, Transform) and self.transform.power:
            found.append(f"Box-Cox: the power {self.transform.power:g} is the most likely one for the training rows.")
        if not self.left_out:
            return found
        what = " and ".join(f"the time of {cycle}" for cycle in self.left_out)
        if self.roles.wide is not None:
            return [
                *found,
                f"Calendar inputs leave out {what}: the targets show no common pattern in the training rows.",
            ]
        return [
            *found,
            f"Calendar inputs leave out {what}: {shown(self.roles.target)} shows no such pattern in the training rows.",
        ]

    @property
    def width(self) -> int:
        """Number of inputs per step: columns of numbers, what is told of missing ones, cycles, holidays, words."""
        own = len(self.roles.numeric_inputs) + (1 + self.since) * len(self.flagged)
        words = sum(category.width for category in self._words(self.roles.inputs))
        return own + 2 * len(self.cycles) + self._days_read + words

    @property
    def future_width(self) -> int:
        """Number of inputs that are known for the rows forecast: columns of numbers and words, holidays, cycles."""
        words = self._words(self.roles.future)
        known = len(self.roles.future) - len(words) + sum(category.width for category in words)
        return known + self._days_read + 2 * len(self.cycles) * self.calendar_ahead

    @property
    def _days_read(self) -> int:
        return 0 if self.holidays is None else len(self.holidays.names)

    def _words(self, names: Sequence[str]) -> list[Category]:
        """The categories among these columns, in the order of the columns."""
        found = {category.column: category for category in self.categories}
        return [found[name] for name in names if name in found]

    @property
    def reach(self) -> int:
        """Rows before a window that its inputs depend on."""
        return LONGEST if self.flagged and self.since else 0

    def told_of(self, name: str) -> list[int]:
        """Where the inputs stand that tell of missing values of the column `name`."""
        if name not in self.flagged:
            return []
        first = len(self.roles.numeric_inputs) + self.flagged.index(name)
        return [first, first + len(self.flagged)] if self.since else [first]

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs by name, in the order of the last axis of `inputs`."""
        waves = tuple(f"{wave} of {cycle}" for cycle in self.cycles for wave in ("sine", "cosine"))
        days = () if self.holidays is None else self.holidays.names
        waits = tuple(f"rows since {name}" for name in self.flagged) if self.since else ()
        words = [name for category in self._words(self.roles.inputs) for name in category.names]
        told = (*(f"{name} was repaired" for name in self.flagged), *waits)
        return (*self.roles.numeric_inputs, *told, *waves, *days, *words)

    def scaled(self, panel: Panel) -> np.ndarray:
        """The columns of numbers in use, standardised: (R, columns) float64."""
        return self._standardised(self._transformed(panel))

    def _standardised(self, panel: Panel) -> np.ndarray:
        mean, std = self._moments(panel)
        at, found = panel.positions(self.roles.numeric), np.empty((len(panel.tick), len(self.roles.numeric)))
        for first, end in panel.blocks():
            rows = slice(int(panel.offsets[first]), int(panel.offsets[end]))
            lengths = np.diff(panel.offsets[first : end + 1])
            own = (np.repeat(each[first:end], lengths, axis=0) if self.per_series else each for each in (mean, std))
            np.subtract(panel.values[rows][:, at], next(own), out=found[rows])
            found[rows] /= next(own)
        return found

    def _moments(self, panel: Panel) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the columns of numbers, (S, columns) by series or (1, columns) for all.

        A series that the training rows knew nothing of is scaled by the rows that the panel, whose target is already
        transformed, holds of it.
        """
        assert self.scaler is not None
        mean, std = np.asarray(self.scaler.mean), np.asarray(self.scaler.std)
        if not self.per_series:
            return mean[None], std[None]
        if panel.ids == self.scaler.ids:
            return mean, std
        known = {name: index for index, name in enumerate(self.scaler.ids)}
        places = np.array([known.get(name, -1) for name in panel.ids], dtype=np.int64)
        mean, std = mean[places], std[places]
        if (places < 0).any():
            mean[places < 0], std[places < 0] = self._own(panel, places < 0)
        return mean, std

    def _own(self, panel: Panel, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The moments (N, columns) of the N series `which` (S,) bool from their own rows; 0 and 1 where there is no
        value."""
        lengths = np.diff(panel.offsets)
        rows = np.flatnonzero(np.repeat(which, lengths))
        series = np.repeat(np.arange(int(which.sum())), lengths[which])
        mean = np.zeros((int(which.sum()), len(self.roles.numeric)))
        std = np.ones(mean.shape)
        for column, at in enumerate(panel.positions(self.roles.numeric)):
            values = panel.values[rows, at]
            counted = np.isfinite(values) & ~panel.filled[rows, at]
            kept = values[counted]
            for alike, places in equal_lengths(np.bincount(series[counted], minlength=len(mean))):
                mean[alike, column] = kept[places].mean(axis=1)
                own = kept[places].std(axis=1)
                std[alike, column] = np.where(own == 0, 1.0, own)
        return mean, std

    def _transformed(self, panel: Panel) -> Panel:
        """The panel with its target transformed, or itself where there is no transform."""
        if self.transform is None:
            return panel
        assert isinstance(self.transform, Transform)
        values = panel.values.copy()
        at = panel.columns.index(self.roles.target)
        values[:, at] = self.transform.forward(values[:, at])
        return replace(panel, values=values)

    def forward(self, target: np.ndarray) -> np.ndarray:
        """Values of the target as they are before scaling, of any shape."""
        return target if self.transform is None else cast(Transform, self.transform).forward(target)

    def inverse(self, target: np.ndarray) -> np.ndarray:
        """What `forward` gave, in the target's unit again."""
        return target if self.transform is None else cast(Transform, self.transform).inverse(target)

    def inputs(self, panel: Panel, scaled: np.ndarray | None = None) -> np.ndarray:
        """The network's inputs by row: (R, width) float32."""
        scaled = self.scaled(panel) if scaled is None else scaled
        at = {name: position for position, name in enumerate(self.roles.numeric)}
        parts = [scaled[:, [at[name] for name in self.roles.numeric_inputs]]]
        check_standardised(self.roles.numeric_inputs, panel, parts[0])
        if panel.fill == "none":  # the training mean, beside which stands the flag
            parts[0] = np.where(np.isnan(parts[0]), 0.0, parts[0])
        if self.flagged:
            parts.append(missing_inputs(panel, self.flagged, self.since))
        if self.cycles:
            parts.append(self._waves(panel))
        if self.holidays is not None:
            parts.append(self.holidays.rows(panel))
        parts += [category.inputs(panel) for category in self._words(self.roles.inputs)]
        return np.ascontiguousarray(np.concatenate(parts, axis=1, dtype=np.float32, casting="same_kind"))

    def _waves(self, panel: Panel) -> np.ndarray:
        """Sine and cosine of the cycles, by row."""
        if panel.time is None:
            raise DataError("The model uses the calendar, but this data has no time column; name it with time=.")
        return calendar_features(panel.time, panel.zone, panel.frequency, self.cycles)[0]

    def future(self, panel: Panel, scaled: np.ndarray | None = None) -> np.ndarray | None:
        """What is known in advance by row, columns, holidays and cycles: (R, future_width) float32, or None."""
        if not self.future_width:
            return None
        scaled = self.scaled(panel) if scaled is None else scaled
        at = {name: position for position, name in enumerate(self.roles.numeric)}
        parts = [scaled[:, [at[name] for name in self.roles.future if name in at]]]
        if self.holidays is not None:
            parts.append(self.holidays.rows(panel))
        parts += [category.inputs(panel) for category in self._words(self.roles.future)]
        if self.calendar_ahead and self.cycles:
            parts.append(self._waves(panel))
        return np.ascontiguousarray(np.concatenate(parts, axis=1), dtype=np.float32)

    def target_moments(self, panel: Panel) -> tuple[BySeries, BySeries]:
        """Mean and standard deviation of the target, transformed where it is, read by row as (R,) float64."""
        at = self.roles.numeric.index(self.roles.target)
        mean, std = (np.broadcast_to(each[:, at], len(panel.ids)) for each in self._moments(self._transformed(panel)))
        return BySeries(mean, panel.offsets), BySeries(std, panel.offsets)

    def units_of(self, ids: np.ndarray) -> np.ndarray:
        """What errors of the series `ids` (N,) are divided by before they are pooled: (N,), 1 but for several targets,
        each scaled by its own rows."""
        if self.roles.wide is None or not self.per_series:
            return np.ones(len(ids))
        assert self.scaler is not None
        std = np.asarray(self.scaler.std)[:, self.roles.columns.index(self.roles.target)]
        known = dict(zip(self.scaler.ids, std))
        return np.array([known[name] for name in ids], dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """Everything but the scaler's arrays, as JSON values."""
        wide = self.roles.wide
        several = {} if wide is None else {"targets": list(wide.targets), "joined": wide.joined}
        return {
            **several,
            "target": self.roles.target,
            "inputs": list(self.roles.inputs),
            "future": list(self.roles.future),
            "calendar": self.calendar,
            "flags": self.flags,
            "per_series": self.per_series,
            "cycles": list(self.cycles),
            "flagged": list(self.flagged),
            "series": list(self.scaler.ids) if self.scaler is not None and self.per_series else [],
            **({} if self.holidays is None else {"holidays": self.holidays.to_json()}),
            **({"since": True} if self.flagged and self.since else {}),
            **({} if self.transform is None else {"transform": cast(Transform, self.transform).to_json()}),
            **self._later_json(),
        }

    def _later_json(self) -> dict[str, Any]:
        """The fields that a model without words and static columns has none of, as those before version 0.2 had."""
        words = {category.column: category.to_json() for category in self.categories}
        static = {"static": list(self.roles.static)} if self.roles.static else {}
        ahead = {"calendar_ahead": True} if self.calendar_ahead and self.cycles else {}
        return {**({"categories": words} if words else {}), **static, **ahead}

    @classmethod
    def from_json(cls, value: Any, arrays: Mapping[str, np.ndarray]) -> Features:
        """Rebuild from `to_json` and the scaler's arrays; raises FormatError where they don't fit."""
        value = dict(value) if isinstance(value, Mapping) else value
        words, static = later_fields(value)
        ahead = value.pop("calendar_ahead", False) if isinstance(value, dict) else False
        texts = ("inputs", "future", "cycles", "flagged", "series")
        kinds = {"target": str, "calendar": bool, "flags": bool, "per_series": bool} | dict.fromkeys(texts, list)
        if isinstance(value, Mapping) and "targets" in value:  # several, of a wide table
            texts = (*texts, "targets")
            kinds |= {"targets": list, "joined": bool}
        since = isinstance(value, Mapping) and "since" in value
        kinds |= {"since": bool} if since else {}
        kinds |= {"transform": dict} if isinstance(value, Mapping) and "transform" in value else {}
        kinds |= {"holidays": dict} if isinstance(value, Mapping) and "holidays" in value else {}
        if not isinstance(value, Mapping) or set(value) != set(kinds):
            raise FormatError(f"features: expected the fields {', '.join(kinds)}, found {shown(value)}.")
        for name, kind in kinds.items():
            good = isinstance(value[name], kind)
            if name in texts:
                good = good and all(isinstance(item, str) for item in value[name])
                good = good and len(set(value[name])) == len(value[name])
            if not good:
                raise FormatError(
                    f"features: {shown(name)} is {shown(value[name])}, which is not what this version writes."
                )
        wide = Wide(tuple(value["targets"]), value["target"], value["joined"]) if "targets" in kinds else None
        roles = Roles(value["target"], tuple(value["inputs"]), tuple(value["future"]), wide, tuple(words), static)
        fits = (
            roles.target in roles.inputs
            and roles.target not in (*roles.future, *words, *static)
            and set(value["flagged"]) <= (set(roles.numeric_inputs) if value["flags"] else set())
            and set(words) <= set(roles.columns)
            and set(static) <= set(roles.inputs) - set(roles.future)
            and (wide is None or bool(wide.targets))
            and value.get("since", True)
            and (not since or bool(value["flagged"]))
            and (ahead is False or (ahead is True and bool(value["cycles"])))
            and set(value["cycles"]) <= (set(CYCLES) if value["calendar"] else set())
        )
        scaler = Standardizer.from_arrays(arrays, ids=tuple(value["series"]), columns=roles.numeric)
        if not fits or scaler.per_series != value["per_series"] or (value["series"] and not scaler.per_series):
            raise FormatError(f"features: the fields contradict each other or the scaler: {shown(value)}.")
        switches = {name: value[name] for name in ("calendar", "flags", "per_series")}
        categories = tuple(Category.from_json(name, about) for name, about in words.items())
        found = {
            "cycles": tuple(value["cycles"]),
            "flagged": tuple(value["flagged"]),
            "categories": categories,
            "since": since,
            "holidays": HolidayInputs.from_json(value["holidays"]) if "holidays" in kinds else None,
            "transform": Transform.from_json(value["transform"]) if "transform" in kinds else None,
        }
        return cls(roles, **switches, **found, scaler=scaler, calendar_ahead=ahead)
