"""The ensemble: the weighted average of the best few models, chosen and weighed on the windows that choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.errors import DataError, SettingError, TrainingError, shown

from ...diagnostics import TargetHistory
from ..checkpointing import Checkpointing
from .choosing import Standing, naive_windows, standing, weigh
from .models import ENSEMBLE, candidate_changes, is_network
from .presets import USUAL_PRESET, candidates_for
from .reach import range_of, read_before, widened
from .stand_in import fallback_of, standing_in
from .windowed import ForecastData

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["Member", "Mixture", "members_of", "mix", "stands_of", "weights_told"]


@dataclass(frozen=True, eq=False)
class Member:
    """One of the models that are averaged, and its share."""

    name: str
    weight: float
    forecaster: Forecaster


@dataclass(frozen=True, eq=False)
class Mixture:
    """A fitted ensemble: its members, and by series the range that their forecasts must not leave.

    low, high: (S,) of the series `ids`, in the target's unit; a member whose forecast leads out is left out of it.
    candidates: the models that it chose from, by name; they are not saved. fallback: what stands in, of several series,
    for one that no member can forecast (`stand_in.FALLBACKS`).
    """

    members: tuple[Member, ...]
    ids: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    candidates: Mapping[str, Forecaster] = field(default_factory=dict)
    fallback: str = "naive"

    @property
    def parameters(self) -> int:
        """Numbers that were fitted, over all members, and their weights."""
        return sum(member.forecaster.n_parameters_ for member in self.members) + len(self.members)

    @property
    def reads_columns(self) -> bool:
        """Whether a member is a network, which reads more than the target."""
        return any(is_network(member.forecaster.model) for member in self.members)

    def windows(self, data: ForecastData, origins: np.ndarray) -> np.ndarray:
        """Forecasts at the origins: (N, K) in the target's unit, NaN where no member has one."""
        each = np.stack([member.forecaster.forecast_windows(data, origins) for member in self.members])
        names = [data.panel.ids[series] for series in data.panel.series_index[origins]]
        read = read_before(data.target, data.measured, data.panel.series_index, origins)
        values = self.averaged(each, names, read)[0]
        return self.filled(values, data.season, data.history, origins, data.spec.steps)

    def filled(
        self, values: np.ndarray, season: float | None, history: TargetHistory, origins: np.ndarray, steps: np.ndarray
    ) -> np.ndarray:
        """Forecasts (N, K) with what stands in where no member had one; of a single series they stay NaN."""
        lost = ~np.isfinite(values).all(axis=1)
        if len(self.ids) > 1 and lost.any():
            values[lost] = standing_in(self.fallback, season, history, origins[lost], steps)
        return values

    def averaged(
        self, each: np.ndarray, names: Sequence[str], read: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The average (N, K) of the members' forecasts (M, N, K) of these series, and who took part: (M, N) bool.

        A member without a forecast, or with one far out of the range of the training rows and of those read up to the
        origin, is left out, unless all are so far out. read: least and greatest of the latter, (N,) each.
        """
        place = {name: number for number, name in enumerate(self.ids)}
        at = np.array([place.get(name, len(self.ids)) for name in names], dtype=np.int64)
        low, high = np.append(self.low, -np.inf)[at], np.append(self.high, np.inf)[at]
        low, high = widened(low, high, *read)
        there = np.isfinite(each).all(axis=2)
        inside = there & (each >= low[:, None]).all(axis=2) & (each <= high[:, None]).all(axis=2)
        use = np.where(inside.any(axis=0), inside, there)
        weights = np.array([member.weight for member in self.members])[:, None] * use
        total = weights.sum(axis=0)
        weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
        values = (weights[:, :, None] * np.where(use[:, :, None], each, 0.0)).sum(axis=0)
        values[total <= 0] = np.nan
        return values, use


def members_of(forecaster: Forecaster, names: Sequence[str] = ()) -> dict[str, Forecaster]:
    """An unfitted forecaster for each member by name, of those `names` where none are given.

    Raises SettingError for names that can't be averaged.
    """
    if forecaster.members:
        names = (forecaster.members,) if isinstance(forecaster.members, str) else tuple(forecaster.members)
    made = {}
    for name in names:
        number, changes = name.partition("@")[2], candidate_changes(name)
        if changes["model"] == ENSEMBLE or (number and not number.isdecimal()):
            raise SettingError(
                f"members: expected names of models, or of one with another seed such as 'gru@1', got {shown(name)}."
            )
        changes |= {"members": (), "refit": False, "seed": forecaster.seed + changes.pop("seeds_on")}
        made[name] = type(forecaster)(**{**forecaster.get_params(), **changes})
    return made


def mix(
    forecaster: Forecaster,
    data: ForecastData,
    checkpoints: Checkpointing,
    fitted: Mapping[str, Forecaster] | None = None,
    source: Mapping[str, Any] | None = None,
) -> tuple[Mixture, list[str]]:
    """Fit the members where none are `fitted` yet, keep the best few, and weigh them; with notes.

    A model that can't be fitted on this
    table is left out with a note; raises what it raised where none can be.
    """
    found, notes, problem = dict(fitted or {}), [], None
    usual: tuple[str, ...] = ()
    if fitted is None and not forecaster.members:
        roles, days = data.features.roles, data.features.holidays
        ahead = bool(roles.future) or days is not None
        tried = candidates_for(USUAL_PRESET, data.panel, data.split, data.season, roles.target, ahead=ahead)
        usual = tuple(name for name in tried.models if name != ENSEMBLE)
        notes = [note.replace("model=", "members=") for note in tried.notes()]
    for name, member in members_of(forecaster, usual).items() if fitted is None else ():
        try:
            below = checkpoints.below(f"member-{name}")
            kept = {"directory": below.directory, "resume": below.resume, "on_event": below.on_event}
            found[name] = member.fit_prepared(data, source=source, **kept)
        except (DataError, TrainingError) as error:
            problem = problem or error
            notes.append(f"{name} is left out: {error}")
    stands = stands_of(found, data, data.choose)
    weights = weigh(stands)
    if not weights:
        raise problem or DataError("members: none of the models could forecast a window that chooses; name others.")
    members = tuple(Member(name, weight, found[name]) for name, weight in weights.items())
    mixture = Mixture(members, data.panel.ids, *range_of(data), candidates=found, fallback=fallback_of(stands))
    return mixture, [*notes, weights_told(mixture, len(found))]


def stands_of(models: Mapping[str, Forecaster], data: ForecastData, origins: np.ndarray) -> dict[str, Standing]:
    """How each fitted model stands on windows of the data, the later ones counting more."""
    naive = naive_windows(data, origins)
    return {
        name: standing(data, origins, each.forecast_windows(data, origins), naive, recent=True)
        for name, each in models.items()
    }


def weights_told(mixture: Mixture, among: int, anew: bool = False) -> str:
    """Which models an ensemble averages, in a sentence; `anew` says that it is weighed once more for the forecast."""
    shares = ", ".join(f"{member.name} {100 * member.weight:.0f} %" for member in mixture.members)
    several = len(mixture.members) > 1
    what = f"is the average of {shares}" if several else f"is one model alone, {shares.rpartition(' 100 %')[0]}"
    if anew:
        return f"For the forecast, {ENSEMBLE} {what}: the best of {among} on all rows that were held back."
    return f"{ENSEMBLE} {what}: the best of {among} on the windows that choose, by their errors there."
